"""E-mail: aiosmtpd of PyPI takes the messages, the standard library and PyJWT read them."""

from __future__ import annotations

import base64
import email
import email.policy
import gzip
import json
import signal
import ssl

import jwt
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import datetime
import ipaddress

import harness
from test_objects import root

TENANT = "acme"
cell = lambda *columns: pytest.mark.cell(  # noqa: E731
    *columns, destination="mail", component="aiosmtpd (PyPI) takes messages; Python's mail parser reads them")
USER, PASSWORD = "attestary", "a password with spaces"


def certificate(directory):
    """A certificate of its own for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(7).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "cert.pem").write_bytes(pem)
    (directory / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return context, pem.decode()


class Server:
    """A mail server that keeps what it takes; `answers` are what it says to the next messages instead of taking them."""

    def __init__(self, port=0, tls=None, starttls=None, login=False, size=None):
        self.messages, self.answers, self.logins = [], [], []
        server = self

        class Handler:
            async def handle_DATA(self, _, session, envelope):
                if server.answers:
                    return server.answers.pop(0)
                server.messages.append((session, envelope))
                return "250 2.0.0 taken"

        def authenticate(_server, _session, _envelope, mechanism, data):
            server.logins.append(mechanism)
            good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
            return AuthResult(success=good, handled=good)

        class Own(Controller):
            def factory(self):
                return SMTP(
                    self.handler, hostname="mail.test", authenticator=authenticate, auth_required=login,
                    auth_require_tls=starttls is not None, tls_context=starttls, require_starttls=starttls is not None,
                    data_size_limit=size or 33_554_432, decode_data=False,
                )

        self.port = port or harness.free_port()
        self.controller = Own(Handler(), hostname="127.0.0.1", port=self.port, ssl_context=tls)
        self.controller.start()
        self.address = f"127.0.0.1:{self.port}"

    def parsed(self):
        return [email.message_from_bytes(one.content, policy=email.policy.default) for _, one in list(self.messages)]

    def stop(self):
        self.controller.stop()


@pytest.fixture
def servers():
    made = []

    def make(**options):
        made.append(Server(**options))
        return made[-1]

    yield make
    for server in made:
        try:
            server.stop()
        except Exception:
            pass


def event(number, **more):
    return {"tenant": TENANT, "action": "order.placed", "actor": {"type": "user", "id": "u1"},
            "metadata": {"number": number}, **more}


def mail(attestary, server, name="mail", batch=None, format=None, **config):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT})
    body = {"name": name, "type": "mail", "filter": "-action:attestary.*", "start": "beginning",
            "config": {"address": server.address, "from": "audit@example.com", "to": ["siem@example.org"], **config}}
    if batch:
        body["batch"] = batch
    if format:
        body["format"] = format
    return attestary.destination(TENANT, **body)


def path_of(made):
    return f"/v1/tenants/{TENANT}/destinations/{made['id']}"


def records(message):
    """The events of a message, from its text or its file."""
    parts = [part for part in message.iter_attachments()] if message.is_multipart() else [message]
    content = parts[0].get_content()
    if isinstance(content, str):
        content = content.encode()
    if parts[0].get_content_type() == "application/gzip":
        content = gzip.decompress(content)
    return [json.loads(line) for line in content.splitlines()]


# seeds: ES-02 with the mail server aiosmtpd of PyPI, STARTTLS and a login
@cell("format", "order")
def test_events_arrive_by_mail_encrypted_and_logged_in(attestary, servers, tmp_path):
    context, pem = certificate(tmp_path)
    server = servers(starttls=context, login=True)
    made = mail(attestary, server, batch={"events_max": 4, "linger_ms": 50}, ca=pem, user=USER, password=PASSWORD,
                subject="{count} of {tenant} ({first}-{last}), Prüfung")
    assert "password" not in json.dumps(made) and PASSWORD not in json.dumps(made)
    hostile = "é\u2028\r\n.\r\nMAIL FROM:<x@y>\r\n" + "long " * 400
    attestary.submit([event(number, description=hostile) for number in range(10)])
    harness.until("all arrived", lambda: sum(len(records(one)) for one in server.parsed()) >= 10)
    wanted = attestary.submitted(TENANT)
    assert [record for one in server.parsed() for record in records(one)] == wanted
    for (session, envelope), message in zip(server.messages, server.parsed()):
        assert session.ssl is not None and session.authenticated
        assert (envelope.mail_from, envelope.rcpt_tos) == ("audit@example.com", ["siem@example.org"])
        found = records(message)
        seqs = f"{found[0]['seq']}-{found[-1]['seq']}"
        assert message["subject"] == f"{len(found)} of {TENANT} ({seqs}), Prüfung"
        assert message["message-id"] == f"<{made['id']}-{seqs}@example.com>"
        assert not message.defects and not message.is_multipart()
    assert len({message["message-id"] for message in server.parsed()}) == len(server.messages)


# seeds: ES-02 ES-15 with aiosmtpd, PyJWT and cryptography
def test_a_payload_is_encoded_and_travels_as_text_or_file(attestary, servers, tmp_path):
    context, pem = certificate(tmp_path)
    server = servers(tls=context)
    events = [event(number) for number in range(3)]
    attestary.submit(events)
    wanted = attestary.submitted(TENANT)
    tls = {"security": "tls", "ca": pem}

    def sent(before):
        harness.until("the message arrived", lambda: len(server.messages) > before)
        return server.parsed()[before]

    mail(attestary, server, name="file", payload={"carriage": "file", "encode": ["gzip"]}, **tls)
    message = sent(0)
    (file,) = message.iter_attachments()
    assert file.get_filename().endswith(".ndjson.gz") and file.get_content_type() == "application/gzip"
    assert records(message) == wanted
    assert "3 audit events of acme" in message.get_body().get_content()

    mail(attestary, server, name="base64", payload={"encode": ["gzip", "base64"]}, **tls)
    text = sent(1).get_content()
    assert [json.loads(line) for line in gzip.decompress(base64.b64decode(text)).splitlines()] == wanted

    signed = mail(attestary, server, name="jws", payload={"encode": ["jws"]}, **tls)
    token = sent(2).get_content().strip()
    key = base64.b64decode(signed["public_keys"][0].removeprefix("whpk_"))
    signature = jwt.api_jws.decode(token, Ed25519PublicKey.from_public_bytes(key), algorithms=["EdDSA"])
    assert [json.loads(line) for line in signature.splitlines()] == wanted
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.api_jws.decode(token, Ed25519PublicKey.from_public_bytes(bytes(31) + b"\1"), algorithms=["EdDSA"])

    # EasySend's payload as a file of its own, one event a message.
    mail(attestary, server, name="easysend", payload={"carriage": "file"}, batch={"events_max": 1},
         format={"type": "easysend"}, **tls)
    message = sent(3)
    (file,) = message.iter_attachments()
    assert file.get_filename().endswith(".json") and file.get_content_type() == "application/json"
    assert json.loads(file.get_content())["security_event_type"] == "order.placed"


@cell("5xx", "413", "auth failure", "test")
def test_refusals_of_the_server_mean_what_they_say(attestary, servers, tmp_path):
    context, pem = certificate(tmp_path)
    server = servers(starttls=context, login=True)
    attestary.submit([event(number) for number in range(8)])
    good = {"ca": pem, "user": USER, "password": PASSWORD}
    # Not now, then too large for once: nothing is lost, and nothing comes twice.
    server.answers[:] = ["451 4.3.0 later", "552 5.3.4 too large"]
    made = mail(attestary, server, **good)
    harness.until("all arrived", lambda: sum(len(records(one)) for one in server.parsed()) >= 8)
    assert [record for one in server.parsed() for record in records(one)] == attestary.submitted(TENANT)
    verdicts = [one["verdict"] for one in attestary.call("GET", f"{path_of(made)}/attempts", expect=200).json()["data"]]
    assert verdicts[::-1][:2] == ["retry", "split"] and set(verdicts[:-2]) == {"delivered"}
    assert attestary.call("GET", path_of(made), expect=200).json()["quarantined"] == 0

    def tested(made):
        return attestary.call("POST", f"{path_of(made)}/test", expect=200).json()

    assert tested(made)["verdict"] == "delivered"
    server.answers[:] = ["554 5.7.1 no"]
    refused = tested(made)
    assert (refused["verdict"], refused["stage"]) == ("pause", "endpoint") and "554" in refused["detail"]
    wrong = mail(attestary, server, name="wrong", **{**good, "password": "x"})
    found = tested(wrong)
    assert (found["verdict"], found["stage"]) == ("pause", "credentials"), found
    stranger = mail(attestary, server, name="stranger", **{**good, "ca": certificate(tmp_path)[1]})
    found = tested(stranger)
    assert (found["verdict"], found["stage"]) == ("pause", "tls"), found
    # A server that does not encrypt gets nothing: no login, no event.
    plain = servers()
    bare = mail(attestary, plain, name="bare", user=USER, password=PASSWORD)
    found = tested(bare)
    assert found["verdict"] == "pause" and "STARTTLS" in found["detail"], found
    assert not plain.messages and not plain.logins


@cell("kill -9", "lost answer", "replay", "receipt")
def test_a_kill_repeats_a_message_under_the_same_id(attestary, servers):
    server = servers()
    made = mail(attestary, server, security="none", batch={"events_max": 5, "linger_ms": 0})
    attestary.submit([event(number) for number in range(50)])
    harness.until("some arrived", lambda: server.messages)
    attestary.stop(signal.SIGKILL)
    again = harness.Attestary(attestary.data)
    try:
        harness.until("all arrived", lambda: len({r["id"] for one in server.parsed() for r in records(one)}) >= 50)
        by_id = {}
        for message in server.parsed():
            ids = [record["id"] for record in records(message)]
            assert by_id.setdefault(message["message-id"], ids) == ids, "one id, two messages"
        # The receipt is the root over what the mailbox holds; a replay is known by messages of its own.
        held = {record["seq"]: record for one in server.parsed() for record in records(one)}
        receipt = harness.until("the receipt speaks for all", lambda: (
            now := again.call("GET", f"{path_of(made)}/receipt", params={"compare": "true"}, expect=200).json())["to_seq"] >= max(held) and now)
        sent = [seq for seq in sorted(held) if receipt["from_seq"] <= seq <= receipt["to_seq"]]
        assert receipt["count"] == len(sent)
        assert receipt["root"] == root([bytes.fromhex(held[seq]["leaf_hash"]) for seq in sent]).hex()
        before = len(server.messages)
        again.call("POST", f"{path_of(made)}/replays", json={"from": sent[2], "to": sent[9]}, expect=201)
        harness.until("the replay is done", lambda: again.call("GET", f"{path_of(made)}/replays", expect=200).json()["data"][0]["done_at"])
        replayed = server.parsed()[before:]
        assert [record for one in replayed for record in records(one)] == [held[seq] for seq in sent[2:10]]
        assert all(one["message-id"].startswith("<rpl_") for one in replayed)
    finally:
        again.stop()

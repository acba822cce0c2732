"""Webhooks in depth: public-key signatures, client certificates, tokens and encodings, checked by libraries of others."""

import base64
import datetime
import gzip
import http.server
import ipaddress
import json
import ssl
import threading
from urllib.parse import parse_qs

import pyrage
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwcrypto import jwe, jwk
from joserfc import jws
from joserfc.jwk import OKPKey

import harness

TENANT = "acme"
DAY = datetime.timedelta(days=1)


def event(number):
    return {"tenant": TENANT, "action": "order.placed", "actor": {"type": "user", "id": "u1", "name": "Ann"}, "context": {"ip": "10.1.2.3"},
            "metadata": {"number": number}}


def loopback_names():
    """Returns the names of a server on this machine, as an extension of its certificate."""
    return x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])


class Authority:
    """Certificates for a server on loopback and for a client."""

    def __init__(self):
        self.key, self.certificate = self._make("authority", None)

    def _make(self, name, issuer, *extensions):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY).not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return key, builder.sign(self.key if issuer else key, hashes.SHA256())

    def leaf(self, name, *extensions):
        key, certificate = self._make(name, self.certificate, *extensions)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


class Receiver:
    """Takes posts; with a context, over TLS. `answer` decides the status."""

    def __init__(self, context=None, answer=lambda path, headers, body: (204, b"")):
        self.requests = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, reply = answer(self.path, headers, body)
                if status == 204:
                    receiver.requests.append((headers, body))
                self.send_response(status)
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receivers():
    made = []

    def make(*arguments, **rest):
        made.append(Receiver(*arguments, **rest))
        return made[-1]

    yield make
    for receiver in made:
        receiver.stop()


@pytest.fixture
def tenant(attestary):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    return attestary


def public(made):
    [text] = made["public_keys"]
    return base64.b64decode(text.removeprefix("whpk_"))


def verify(made, headers, body):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = headers["webhook-signature"].removeprefix("v1a,")
    Ed25519PublicKey.from_public_bytes(public(made)).verify(base64.b64decode(signature), signed)


def arrived(receiver):
    harness.until("a request arrives", lambda: receiver.requests)
    return receiver.requests[0]


def test_a_public_key_verifies_and_no_private_one_is_shown(tenant, receivers):
    receiver = receivers()
    config = {"url": f"http://127.0.0.1:{receiver.port}/", "signature": "v1a"}
    made = tenant.destination(TENANT, name="n", type="webhook", config=config)
    assert made.get("secret") is None and "whsk_" not in json.dumps(made)
    tenant.submit(event(1))
    headers, body = arrived(receiver)
    verify(made, headers, body)
    refused = tenant.call("PATCH", f"/v1/tenants/{TENANT}/destinations/{made['id']}", json={"config": {**config, "signature": "v1"}}, expect=400)
    assert refused.json()["errors"][0]["pointer"] == "/config/signature"


def test_a_receiver_may_ask_for_a_certificate(tenant, receivers, tmp_path):
    authority = Authority()
    certificate, key = authority.leaf("127.0.0.1", loopback_names())
    (tmp_path / "server.pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=authority.pem())
    context.verify_mode = ssl.CERT_REQUIRED
    receiver = receivers(context)
    client, client_key = authority.leaf("attestary")
    base = {"url": f"https://127.0.0.1:{receiver.port}/", "ca": authority.pem()}
    config = {**base, "client_certificate": client, "client_key": client_key}
    made = tenant.destination(TENANT, name="n", type="webhook", config=config)
    assert "PRIVATE KEY" not in json.dumps(made)
    tenant.submit(event(1))
    arrived(receiver)
    without = tenant.destination(TENANT, name="without", type="webhook", config=base)
    tested = tenant.call("POST", f"/v1/tenants/{TENANT}/destinations/{without['id']}/test", expect=200).json()
    assert tested["verdict"] != "delivered", tested
    other, _ = authority.leaf("other")
    bad = {"name": "n", "type": "webhook", "config": {**config, "client_certificate": other}}
    refused = tenant.call("POST", f"/v1/tenants/{TENANT}/destinations", json=bad, expect=400)
    assert refused.json()["errors"][0]["pointer"] == "/config/client_certificate"


def test_a_token_is_fetched_and_renewed(tenant, receivers):
    given = []

    def tokens(path, headers, body):
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if form.get("client_secret") != "s3cret":
            return 401, json.dumps({"error": "invalid_client"}).encode()
        assert (form["grant_type"], form["client_id"], form["scope"]) == ("client_credentials", "me", "audit")
        given.append(f"token-{len(given)}")
        return 200, json.dumps({"access_token": given[-1], "token_type": "bearer", "expires_in": 3600}).encode()

    def guarded(path, headers, body):
        # The first token is withdrawn after its first use.
        known = headers.get("authorization") == f"Bearer {given[-1]}" if given else False
        return (204, b"") if known and (len(given) > 1 or not receiver.requests) else (401, b"")

    endpoint, receiver = receivers(answer=tokens), receivers(answer=guarded)
    config = {
        "url": f"http://127.0.0.1:{receiver.port}/", "token_url": f"http://127.0.0.1:{endpoint.port}/token", "client_id": "me",
        "client_secret": "s3cret", "scope": "audit", "signature": "v1a",
    }
    made = tenant.destination(TENANT, name="n", type="webhook", config=config)
    assert "s3cret" not in json.dumps(made)
    tenant.submit(event(1))
    headers, body = arrived(receiver)
    verify(made, headers, body)
    tenant.submit(event(2))
    harness.until("a new token is fetched", lambda: len(receiver.requests) == 2)
    assert given == ["token-0", "token-1"]
    wrong = tenant.destination(TENANT, name="wrong", type="webhook", config={**config, "client_secret": "no"})
    tested = tenant.call("POST", f"/v1/tenants/{TENANT}/destinations/{wrong['id']}/test", expect=200).json()
    assert tested["verdict"] == "pause" and "invalid_client" in tested["detail"], tested


def test_a_payload_is_encoded_reduced_and_sent_as_a_file(tenant, receivers):
    receiver = receivers()
    config = {
        "url": f"http://127.0.0.1:{receiver.port}/", "signature": "v1a",
        "payload": {"encode": ["jws", "gzip", "base64"], "carriage": "file", "groups": ["metadata"]},
    }
    made = tenant.destination(TENANT, name="n", type="webhook", config=config)
    tenant.submit(event(7))
    headers, body = arrived(receiver)
    verify(made, headers, body)
    boundary = headers["content-type"].removeprefix("multipart/form-data; boundary=").encode()
    part = body.split(b"--" + boundary)[1]
    head, content = part.split(b"\r\n\r\n", 1)
    assert b'filename="dst_' in head
    token = gzip.decompress(base64.b64decode(content.removesuffix(b"\r\n")))
    x = base64.urlsafe_b64encode(public(made)).rstrip(b"=").decode()
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
    verified = jws.deserialize_compact(token, key, algorithms=["EdDSA", "Ed25519"])
    [record] = json.loads(verified.payload)
    assert record["metadata"] == {"number": 7} and record["action"] == "order.placed"
    assert "actor" not in record and "context" not in record
    assert len(record["leaf_hash"]) == 64


@pytest.mark.parametrize("curve", ["X25519", "P-256"])
def test_only_the_receiver_reads_an_encrypted_payload(tenant, receivers, curve):
    receiver = receivers()
    key = jwk.JWK.generate(kty="OKP", crv=curve) if curve == "X25519" else jwk.JWK.generate(kty="EC", crv=curve)
    payload = {"encode": ["gzip", "jwe"], "jwe": {**json.loads(key.export_public()), "kid": "k1"}}
    config = {"url": f"http://127.0.0.1:{receiver.port}/", "payload": payload}
    made = tenant.destination(TENANT, name="n", type="webhook", config=config)
    tenant.submit(event(7))
    headers, body = arrived(receiver)
    assert headers["content-type"] == "application/jose" and b"order.placed" not in body
    token = jwe.JWE()
    token.deserialize(body.decode(), key)
    assert (token.jose_header["alg"], token.jose_header["enc"], token.jose_header["kid"]) == ("ECDH-ES", "A256GCM", "k1")
    assert token.jose_header["cty"] == "application/gzip"
    [record] = json.loads(gzip.decompress(token.payload))
    assert record["metadata"] == {"number": 7}
    stranger = jwk.JWK.generate(kty=key["kty"], crv=curve)
    with pytest.raises(jwe.InvalidJWEData):
        jwe.JWE().deserialize(body.decode(), stranger)
    private = {**payload, "jwe": json.loads(key.export_private())}
    reply = tenant.call("POST", f"/v1/tenants/{TENANT}/destinations",
                        json={"name": "x", "type": "webhook", "config": {**config, "payload": private}})
    assert reply.status_code == 400 and "/config/payload" in reply.text, "a private key was taken"
    tenant.call("DELETE", f"/v1/tenants/{TENANT}/destinations/{made['id']}", expect=204)


def test_an_age_file_opens_for_each_recipient(tenant, receivers):
    receiver = receivers()
    first, second, stranger = (pyrage.x25519.Identity.generate() for _ in range(3))
    payload = {"encode": ["age"], "carriage": "file", "age": [str(first.to_public()), str(second.to_public())]}
    config = {"url": f"http://127.0.0.1:{receiver.port}/", "payload": payload}
    tenant.destination(TENANT, name="n", type="webhook", config=config, batch={"bytes_max": 200_000})
    # More than one chunk of 64 KiB.
    tenant.submit([{**event(number), "description": "x" * 8_000} for number in range(10)])
    opened = []
    harness.until("all arrived", lambda: sum(body.count(b"age-encryption.org/v1") for _, body in list(receiver.requests)) and (
        opened.clear() or opened.extend(
            record for headers, body in list(receiver.requests) for record in json.loads(pyrage.decrypt(
                body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0], [second]))
        ) or len(opened) >= 10))
    assert sorted(record["metadata"]["number"] for record in opened if record["action"] == "order.placed") == list(range(10))
    _, body = receiver.requests[0]
    assert b'.json.age"' in body
    file = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
    assert pyrage.decrypt(file, [first])
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(file, [stranger])


def test_a_template_makes_the_line_that_its_preview_showed(tenant, receivers):
    receiver = receivers()
    text = '{"n":{{seq}},"who":"{{/actor/name}}","why":"{{/reason}}","sum":"{{leaf_hash}}","number":"{{/metadata/number}}"}'
    body = {"name": "n", "type": "webhook", "config": {"url": f"http://127.0.0.1:{receiver.port}/"},
            "format": {"type": "template", "media": "json", "text": text}}
    path = f"/v1/tenants/{TENANT}/destinations"
    hostile = "a\"b\\c\r\nd{{seq}}\u2028\U0001d11e"
    tenant.submit({**event(7), "reason": hostile})
    shown = tenant.call("POST", f"{path}/preview", json={**body, "start": "beginning"}, expect=200).json()
    tenant.destination(TENANT, **{**body, "start": "beginning"})
    records = lambda: [record for _, body in list(receiver.requests) for record in json.loads(body)]  # noqa: E731
    harness.until("it arrives", lambda: [record for record in records() if record["number"] == "7"])
    [record] = [record for record in records() if record["number"] == "7"]
    assert (record["who"], record["why"], len(record["sum"])) == ("Ann", hostile, 64)
    assert record in json.loads(shown["body"]["text"]), "the preview showed something else"
    bad = {**body, "format": {"type": "template", "media": "json", "text": '{"a":{{/reason}}}'}}
    reply = tenant.call("POST", path, json=bad)
    assert reply.status_code == 400 and "does not make one JSON object" in reply.text

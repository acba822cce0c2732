"""Syslog from real senders: rsyslogd forwards a followed file, `logger` sends single messages, a TLS client streams."""

import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading

import pytest
import requests

import harness

LINES = (harness.ROOT / "crates/formats/fixtures/formio/documented.log").read_text().splitlines()
TLS = harness.ROOT / "crates/api/tests/it/tls"
CEF = "CEF:0|Acme|Shop|1|user.login|Login|3|suid=u_1 src=203.0.113.9 outcome=success externalId={} msg=signed in"

CONFIG = """
environments = ["production"]
[[syslog.listen]]
address = "127.0.0.1:{tcp}"
transport = "tcp"
tenant = "stream"
take = ["cef", "formio", "message"]
[[syslog.listen]]
address = "127.0.0.1:{udp}"
transport = "udp"
senders = [{{ network = "127.0.0.0/8", tenant = "datagrams", take = ["cef", "message"] }}]
[[syslog.listen]]
address = "127.0.0.1:{tls}"
transport = "tls"
tls_certificate_file = "{folder}/certificate.pem"
tls_key_file = "{folder}/key.pem"
tenant = "secure"
"""

RSYSLOG = """
global(workDirectory="{dir}" maxMessageSize="64k")
module(load="imfile" mode="polling" pollingInterval="1")
input(type="imfile" file="{log}" tag="formio:" ruleset="out" addMetadata="off")
ruleset(name="out") {{
  action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="{framing}" template="{template}"
         action.resumeRetryCount="-1" action.resumeInterval="1")
}}
"""


class Server:
    """`attestary serve` with listeners, and a key that reads."""

    def __init__(self, root: pathlib.Path):
        self.ports = {name: harness.free_port() for name in ("tcp", "udp", "tls")}
        config = root / "attestary.toml"
        config.write_text(CONFIG.format(folder=TLS, **self.ports))
        variables = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
        variables |= {"ATTESTARY__DATA_DIR": str(root / "data"), "ATTESTARY__HTTP__LISTEN": "127.0.0.1:0"}
        self.process = subprocess.Popen([harness.binary(), "serve", "--config", config], env=variables, text=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.said: list[str] = []
        self.url = ""
        for line in self.process.stderr:
            self.said.append(line)
            found = re.search(r"attestary serves (\S+) from", line)
            if found:
                self.url = found.group(1)
                break
        assert self.url, self.said
        threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True).start()
        operator = (root / "data" / "operator.key").read_text().strip()
        reply = requests.post(f"{self.url}/v1/keys", json={"name": "reads", "scopes": ["read"]}, timeout=30,
                              headers={"authorization": f"Bearer {operator}", "attestary-environment": "production"})
        assert reply.status_code == 201, reply.text
        self.key = reply.json()["secret"]

    def events(self, tenant: str) -> list[dict]:
        reply = requests.get(f"{self.url}/v1/events", params={"tenant": tenant, "order": "asc", "limit": 1000}, timeout=30,
                             headers={"authorization": f"Bearer {self.key}"})
        return [event for event in reply.json().get("data", []) if not event["action"].startswith("attestary.")]

    def wait(self, tenant: str, count: int) -> list[dict]:
        harness.until(f"{count} events of {tenant}", lambda: len(self.events(tenant)) >= count)
        events = self.events(tenant)
        assert len(events) == count, [event["action"] for event in events]
        return events

    def metrics(self) -> str:
        return requests.get(f"{self.url}/metrics", timeout=30).text

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(harness.PATIENCE_SECONDS)


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path)
    yield made
    assert made.stop() == 0, made.said


FRAMINGS = [("octet-counted", "RSYSLOG_SyslogProtocol23Format"), ("traditional", "RSYSLOG_ForwardFormat")]


# seeds: FO-01 with rsyslogd
@pytest.mark.parametrize("framing, template", FRAMINGS)
def test_rsyslogd_forwards_a_form_io_log(server, tmp_path, framing, template):
    log, directory = tmp_path / "audit.log", tmp_path / "sender"
    directory.mkdir()
    log.write_text("\n".join(LINES[:10]) + "\n")
    config = directory / "rsyslog.conf"
    config.write_text(RSYSLOG.format(dir=directory, log=log, port=server.ports["tcp"], framing=framing, template=template))
    program = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
    with open(directory / "out", "wb") as output:
        sender = subprocess.Popen([program, "-n", "-f", config, "-i", directory / "pid"], stdout=output, stderr=output)
    try:
        server.wait("stream", 10)
        with open(log, "a") as file:
            file.write("\n".join(LINES[10:]) + "\n")
        events = server.wait("stream", len(LINES))
    finally:
        sender.terminate()
        sender.wait(harness.PATIENCE_SECONDS)
    assert [event["source"]["raw"] for event in events] == LINES
    assert [event["action"] for event in events] == [line.split(" ")[1] for line in LINES]


@pytest.mark.parametrize("form", [["--rfc5424"], ["--rfc5424", "--octet-count"], ["--rfc3164"]])
def test_logger_sends_over_tcp_and_udp(server, form):
    program = shutil.which("logger")
    assert program, "logger is part of bsdutils"
    text = CEF.format("77")
    base = [program, "--server", "127.0.0.1", "--priority", "auth.notice", "--tag", "shop", *form]
    for _ in range(2):
        subprocess.run([*base, "--tcp", "--port", str(server.ports["tcp"]), text], check=True, timeout=30)
    subprocess.run([*base, "--tcp", "--port", str(server.ports["tcp"]), "plain words"], check=True, timeout=30)
    login, plain = server.wait("stream", 2)
    assert login["action"] == "user.login" and login["actor"]["id"] == "u_1" and login["outcome"] == "success"
    assert login["source"]["fields"]["externalId"] == "77"
    assert plain["action"] == "syslog.message" and plain["description"] == "plain words"
    assert plain["actor"] == {"type": "service", "id": "shop"}
    assert plain["source"]["fields"]["facility"] == 4 and plain["source"]["fields"]["severity"] == 5
    if "--octet-count" not in form:
        subprocess.run([*base, "--udp", "--port", str(server.ports["udp"]), text], check=True, timeout=30)
        assert server.wait("datagrams", 1)[0]["context"]["ip"] == "203.0.113.9"


def test_tls_and_refusals_are_counted_and_named(server):
    context = ssl.create_default_context(cafile=str(TLS / "certificate.pem"))
    with socket.create_connection(("127.0.0.1", server.ports["tls"])) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as stream:
            for message in (CEF.format("1"), "a secret word", "CEF:0|broken", CEF.format("2")):
                data = f"<110>1 2026-11-22T00:39:11.123Z web shop 7 - - {message}".encode()
                stream.sendall(str(len(data)).encode() + b" " + data)
            # Senders keep their connections open; one that closes with something unread resets it.
            first, second = server.wait("secure", 2)
    assert [first["source"]["fields"]["externalId"], second["source"]["fields"]["externalId"]] == ["1", "2"]
    name = f'listener="127.0.0.1:{server.ports["tls"]}"'
    metrics = server.metrics()
    for reason in ("message-not-taken", "malformed"):
        assert f'attestary_syslog_refused_total{{{name},reason="{reason}"}} 1' in metrics
    said = "".join(server.said)
    assert "message-not-taken" in said and "header ends" in said, said
    assert "secret word" not in said

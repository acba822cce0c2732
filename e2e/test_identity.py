"""Destinations without keys: the service's own identity at Amazon and at Google, by a token that the platform writes.

The token services are mocks of the published contracts (moto's does not look at web identities, and fake-gcs-server has none);
what they give is checked by moto and before fake-gcs-server like any other credential.
"""

import http.server
import json
import os
import re
import secrets
import subprocess
import threading
from urllib.parse import parse_qs

import pytest
import requests

import gcs
import harness
import objects
from test_objects import TENANT, event, seqs

ROLE = "audit-writer"


class WebSts:
    """A mock of AssumeRoleWithWebIdentity: for the platform's token it gives credentials of moto's role."""

    def __init__(self, s3: objects.S3, arn: str):
        self.token, self.asked = secrets.token_urlsafe(24), 0
        sts = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                form = {name: values[0] for name, values in parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()).items()}
                sts.asked += 1
                wanted = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": arn, "WebIdentityToken": sts.token,
                          "RoleSessionName": "attestary", "DurationSeconds": "3600"}
                status, answer = 403, "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>"
                if form == wanted and "authorization" not in self.headers:
                    given = s3.assume(arn)
                    members = "".join(f"<{name}>{given[name]}</{name}>" for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
                    status, answer = 200, (
                        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
                        f"{members}<Expiration>{given['Expiration'].strftime('%Y-%m-%dT%H:%M:%SZ')}</Expiration>"
                        "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Served:
    """`attestary serve` with an operator's settings."""

    def __init__(self, root, **settings):
        variables = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
        variables |= {"ATTESTARY__DATA_DIR": str(root / "data"), "ATTESTARY__HTTP__LISTEN": "127.0.0.1:0",
                      "ATTESTARY__DELIVERY__LOOPBACK": "true", "ATTESTARY__DELIVERY__PLAIN_HTTP": "true", "ATTESTARY__ENVIRONMENTS": "production"}
        variables |= {f"ATTESTARY__DELIVERY__{name}": str(value) for name, value in settings.items()}
        self.said = open(root / "said", "wb+")
        self.process = subprocess.Popen([harness.binary(), "serve"], env=variables, stdout=subprocess.DEVNULL, stderr=self.said)

        def ready():
            said = (root / "said").read_text()
            assert self.process.poll() is None, said
            found = re.search(r"attestary serves (\S+) from", said)
            return found and found.group(1)

        self.url = harness.until("serve is ready", ready)
        self.operator = (root / "data" / "operator.key").read_text().strip()
        self.keys = {scope: self.call("POST", "/v1/keys", json={"name": scope, "scopes": [scope]})["secret"] for scope in ("ingest", "read", "admin")}
        self.call("POST", "/v1/tenants", scope="admin", json={"id": TENANT})

    def call(self, method, path, scope=None, expect=(200, 201), **rest):
        headers = {"authorization": f"Bearer {self.keys[scope] if scope else self.operator}"}
        if not scope:
            headers["attestary-environment"] = "production"
        reply = requests.request(method, self.url + path, headers=headers, timeout=harness.PATIENCE_SECONDS, **rest)
        assert reply.status_code in expect, reply.text
        return reply.json()

    def stop(self):
        self.process.terminate()
        self.process.wait(harness.PATIENCE_SECONDS)
        self.said.close()


PATH = f"/v1/tenants/{TENANT}/destinations"


def archive(server, kind, config, events, token_file, token):
    """A destination without a key pauses while the platform's token is wrong, and gets everything when it is right."""
    body = {"name": "archive", "type": kind, "start": "beginning", "config": config}
    made = server.call("POST", PATH, json=body)
    server.call("POST", "/v1/events", scope="ingest", json=[event(number) for number in range(20)])
    shown = harness.until("it is paused", lambda: (now := server.call("GET", f"{PATH}/{made['id']}"))["state"] == "paused" and now)
    assert shown["reason"] == "credentials" and shown["cursor"] == 0, shown
    # The platform renews its token by writing the file anew.
    token_file.write_text(token + "\n")
    server.call("POST", f"{PATH}/{made['id']}/resume")
    harness.until("everything is there", lambda: len(events()) >= 21)
    assert seqs(events()) == list(range(21)) and token not in json.dumps(shown)
    # A tenant's own destination does not speak in the service's name.
    key = server.call("POST", "/v1/keys", json={"name": "own", "scopes": ["destinations"], "tenants": [TENANT]})["secret"]
    reply = requests.post(f"{server.url}{PATH}", json=body, headers={"authorization": f"Bearer {key}"}, timeout=60)
    assert reply.status_code == 400 and "is required" in reply.text, reply.text


def test_a_web_identity_writes_to_a_bucket(tmp_path):
    s3 = objects.S3(tmp_path / "s3")
    s3.bucket("audit")
    arn = s3.role(ROLE)
    sts, token_file = WebSts(s3, arn), tmp_path / "token"
    token_file.write_text("of yesterday")
    server = Served(tmp_path, AWS__ROLE_ARN=arn, AWS__WEB_IDENTITY_TOKEN_FILE=token_file)
    try:
        config = {"bucket": "audit", "region": objects.REGION, "endpoint": s3.relay.url, "sts_endpoint": sts.url, "age_seconds": 1}
        archive(server, "s3", config, lambda: s3.events("audit"), token_file, sts.token)
        assert sts.asked == 2, "temporary credentials are kept while they are good"
    finally:
        server.stop()
        sts.stop()
        s3.stop()


def test_a_workload_identity_writes_to_a_bucket(tmp_path):
    google = gcs.Gcs(tmp_path / "gcs")
    google.bucket("audit")
    token_file, account = tmp_path / "token", tmp_path / "account.json"
    token_file.write_text("of yesterday")
    account.write_text(json.dumps(google.external_account(token_file)))
    server = Served(tmp_path, GOOGLE_CREDENTIALS_FILE=account)
    try:
        config = {"bucket": "audit", "endpoint": google.url, "age_seconds": 1}
        archive(server, "gcs", config, lambda: google.events("audit"), token_file, google.platform_token)
        assert google.scopes == {"https://www.googleapis.com/auth/devstorage.read_write"} and len(google.federated) == 1
    finally:
        server.stop()
        google.stop()


@pytest.mark.parametrize("content", ["{}", '{"type":"service_account"}', "no JSON"])
def test_a_file_that_is_no_external_account_is_refused(tmp_path, content):
    account = tmp_path / "account.json"
    account.write_text(content)
    variables = os.environ | {"ATTESTARY__DATA_DIR": str(tmp_path / "data"), "ATTESTARY__DELIVERY__GOOGLE_CREDENTIALS_FILE": str(account)}
    done = subprocess.run([harness.binary(), "config", "check"], env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "google_credentials_file" in done.stderr, done.stderr

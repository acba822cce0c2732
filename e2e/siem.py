"""Receivers of the destinations that speak HTTP.

`OpenSearchProxy` stands before a real OpenSearch. The others are strict mocks: each holds to the published contract
of its product, records what it got, and keeps a list of everything in a request that the product would not take
(`problems`). All of them can be told to fail the next requests.
"""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import re
import threading
import time
from typing import Any
from urllib.parse import parse_qs

import requests

import harness

TOKEN = "t0ken-of-the-test"
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
POISON = "poison.event"


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: Any = "", headers: dict | None = None):
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}


class Receiver:
    """An HTTP server of one product. Subclasses parse the body, check it, and say what the product answers."""

    kind = ""
    component = ""
    format: dict | None = None
    success = 200
    path = "/"
    answer = ""

    def __init__(self):
        self.faults: list[Refused | str] = []
        self.authorised = True
        self.events: list[tuple[int, str, Any]] = []
        self.hashes: dict[int, str] = {}
        self.batches: list[list[int]] = []
        self.problems: list[str] = []
        self.requests = 0
        self.bytes_max: int | None = None
        self.lock = threading.RLock()
        self.release = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, headers, reply = receiver.take(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            do_PUT = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    # What a test sees and does.

    def config(self, tenant: str) -> dict:
        raise NotImplementedError

    def seqs(self) -> list[int]:
        with self.lock:
            return [seq for seq, _, _ in self.events]

    def ids(self) -> list[str]:
        with self.lock:
            return [identity for _, identity, _ in self.events]

    def actions(self) -> list[str]:
        with self.lock:
            return [self.action(event) for _, _, event in self.events]

    def leaf_hashes(self) -> list[bytes]:
        """Returns the leaf hashes of what was taken, in the order of the log, each once."""
        with self.lock:
            return [bytes.fromhex(self.hashes[seq]) for seq in sorted({seq for seq, _, _ in self.events})]

    def action(self, event: Any) -> str:
        return event["action"]

    def fail(self, *faults: Refused | str) -> None:
        """The next requests fail: with an answer, or `"hang"`, or `"cut"` after the events were taken."""
        with self.lock:
            self.faults += faults

    def made(self, destination: dict) -> None:
        """Is told of its destination, which may hold what was generated."""

    # One request.

    def take(self, method: str, path: str, headers: dict, body: bytes) -> tuple[int, dict, bytes]:
        with self.lock:
            self.requests += 1
            fault = None
            if self.counts(path) and self.faults:
                fault = self.faults.pop(0)
        if fault == "hang":
            self.release.wait(harness.PATIENCE_SECONDS * 4)
            return 0, {}, b""
        if isinstance(fault, Refused):
            return self.reply(fault)
        try:
            if headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            self.expect(headers.get("user-agent") == "attestary" or not self.counts(path), "user agent")
            with self.lock:
                found = self.handle(method, path, headers, body)
            if fault == "cut":
                return 0, {}, b""
            return self.reply(Refused(self.success, self.answer if found is None else found))
        except Refused as refused:
            return self.reply(refused)
        except Exception as error:  # noqa: BLE001 a mock that breaks must say so
            self.problems.append(f"{type(error).__name__}: {error} in {body[:300]!r}")
            return 500, {}, b""

    def counts(self, path: str) -> bool:
        """True for requests that carry events."""
        return True

    def reply(self, refused: Refused) -> tuple[int, dict, bytes]:
        body = refused.body
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return refused.status, refused.headers, body if isinstance(body, bytes) else body.encode()

    def handle(self, method: str, path: str, headers: dict, body: bytes) -> Any:
        self.expect(method == "POST", f"method {method}")
        self.expect(path == self.path, f"path {path}")
        if not self.authorised or not self.admits(headers):
            raise self.unauthorised()
        if self.bytes_max is not None and len(body) > self.bytes_max:
            raise Refused(413)
        found = self.parse(headers, body)
        if found is None:
            return None
        poisoned = [index for index, (_, _, event) in enumerate(found) if self.action(event) == POISON]
        if poisoned:
            return self.poisoned(found, poisoned)
        self.accept(found)
        return None

    def accept(self, found: list) -> None:
        self.events += found
        self.batches.append([seq for seq, _, _ in found])

    def admits(self, headers: dict) -> bool:
        raise NotImplementedError

    def unauthorised(self) -> Refused:
        return Refused(401)

    def poisoned(self, found: list, indices: list[int]) -> Any:
        raise Refused(400, {"error": "bad event"})

    def parse(self, headers: dict, body: bytes) -> list[tuple[int, str, Any]]:
        raise NotImplementedError

    def expect(self, condition: bool, what: str) -> None:
        if not condition:
            self.problems.append(what)

    def identity(self, seq: Any, identity: str, leaf_hash: str, event: Any) -> tuple[int, str, Any]:
        self.expect(bool(UUID.match(identity)), f"id {identity!r}")
        self.expect(bool(re.match(r"^[0-9a-f]{64}$", leaf_hash)), f"leaf hash {leaf_hash!r}")
        self.hashes[int(seq)] = leaf_hash
        return int(seq), identity, event


def strings(value: dict) -> bool:
    return all(isinstance(item, str) for item in value.values())


class Splunk(Receiver):
    """HEC. A token with acknowledgement needs a channel and answers with an ackId."""

    kind = "splunk"
    component = "recorded contract (strict mock)"
    path = "/services/collector/event"

    def __init__(self, acknowledge: bool = False):
        super().__init__()
        self.acknowledge = acknowledge
        self.confirm = True
        self.acks: dict[int, bool] = {}
        self.polls = 0
        self.answer = json.dumps({"text": "Success", "code": 0})

    def config(self, tenant: str) -> dict:
        return {"url": self.url, "token": TOKEN, "index": "audit"}

    def counts(self, path: str) -> bool:
        return path == self.path

    def admits(self, headers: dict) -> bool:
        return headers.get("authorization") == f"Splunk {TOKEN}"

    def unauthorised(self) -> Refused:
        return Refused(403, {"text": "Invalid token", "code": 4})

    def handle(self, method: str, path: str, headers: dict, body: bytes) -> Any:
        channel = headers.get("x-splunk-request-channel")
        if path == "/services/collector/ack":
            self.polls += 1
            if not self.acknowledge:
                raise Refused(400, {"text": "ACK is disabled", "code": 14})
            self.expect(bool(UUID.match(channel or "")), f"channel {channel!r}")
            return {"acks": {str(ack): self.confirm and self.acks.get(ack, False) for ack in json.loads(body)["acks"]}}
        if self.acknowledge and not channel:
            raise Refused(400, {"text": "Data channel is missing", "code": 10})
        found = super().handle(method, path, headers, body)
        if self.acknowledge:
            ack = len(self.acks)
            self.acks[ack] = True
            return {"text": "Success", "code": 0, "ackId": ack}
        return found

    def poisoned(self, found: list, indices: list[int]) -> Any:
        raise Refused(400, {"text": "Invalid data format", "code": 6, "invalid-event-number": indices[0]})

    def parse(self, headers: dict, body: bytes) -> list:
        decoder, text, at, found = json.JSONDecoder(), body.decode(), 0, []
        while at < len(text):
            item, at = decoder.raw_decode(text, at)
            while at < len(text) and text[at].isspace():
                at += 1
            self.expect(set(item) <= {"time", "host", "source", "sourcetype", "index", "event", "fields"}, f"members {set(item)}")
            self.expect(isinstance(item["time"], (int, float)) and 1e9 < item["time"] < 1e10, f"time {item['time']}")
            self.expect(strings(item["fields"]), "fields must be flat and texts")
            self.expect(item["index"] == "audit", "index")
            fields = item["fields"]
            found.append(self.identity(fields["seq"], fields["id"], fields["leaf_hash"], item["event"]))
        return found


class Datadog(Receiver):
    kind = "datadog"
    component = "recorded contract (strict mock)"
    path = "/api/v2/logs"
    success = 202
    answer = "{}"

    def config(self, tenant: str) -> dict:
        return {"url": self.url, "api_key": TOKEN}

    def admits(self, headers: dict) -> bool:
        return headers.get("dd-api-key") == TOKEN

    def unauthorised(self) -> Refused:
        return Refused(403, {"errors": [{"status": "403", "title": "Forbidden"}]})

    def parse(self, headers: dict, body: bytes) -> list:
        self.expect(len(body) <= 5_000_000, "more than 5 MB")
        logs = json.loads(body)
        self.expect(len(logs) <= 1_000, "more than 1000 logs")
        found = []
        for log in logs:
            self.expect(time.time() * 1000 - log["timestamp"] < 18 * 3_600_000, "older than 18 h: it would vanish")
            self.expect(strings({key: log[key] for key in ("ddsource", "ddtags", "hostname", "service", "message")}), "texts")
            mine = log["attestary"]
            found.append(self.identity(mine["seq"], mine["id"], mine["leaf_hash"], mine["event"]))
        return found


class TokenReceiver(Receiver):
    """A receiver whose bearer tokens come from an endpoint of its own, on the same server."""

    def __init__(self):
        super().__init__()
        self.grants = 0
        self.valid: str | None = None
        self.clients = True

    def counts(self, path: str) -> bool:
        return path != "/token"

    def handle(self, method: str, path: str, headers: dict, body: bytes) -> Any:
        if path != "/token":
            return super().handle(method, path, headers, body)
        self.expect(headers.get("content-type") == "application/x-www-form-urlencoded", "content type of a token request")
        if not self.clients or not self.admits_client({key: value[0] for key, value in parse_qs(body.decode()).items()}):
            raise Refused(401, {"error": "invalid_client", "error_description": "no"})
        self.grants += 1
        self.valid = f"token-{self.grants}"
        return {"access_token": self.valid, "token_type": "Bearer", "expires_in": 3600}

    def reply(self, refused: Refused) -> tuple[int, dict, bytes]:
        if refused.status == self.success and isinstance(refused.body, dict) and "access_token" in refused.body:
            refused = Refused(200, refused.body)
        return super().reply(refused)

    def admits(self, headers: dict) -> bool:
        return self.valid is not None and headers.get("authorization") == f"Bearer {self.valid}"

    def admits_client(self, form: dict) -> bool:
        raise NotImplementedError


class Sentinel(TokenReceiver):
    kind = "sentinel"
    component = "recorded contract (strict mock)"
    path = "/dataCollectionRules/dcr-1/streams/Custom-Audit_CL?api-version=2023-01-01"
    success = 204

    def config(self, tenant: str) -> dict:
        return {
            "url": self.url, "rule": "dcr-1", "stream": "Custom-Audit_CL", "directory": "d1", "client_id": "c1",
            "client_secret": TOKEN, "token_url": f"{self.url}/token",
        }

    def admits_client(self, form: dict) -> bool:
        expected = {"grant_type": "client_credentials", "client_id": "c1", "client_secret": TOKEN,
                    "scope": "https://monitor.azure.com/.default"}
        return form == expected

    def action(self, event: Any) -> str:
        return event["EventOriginalType"]

    def parse(self, headers: dict, body: bytes) -> list:
        self.expect(len(body) <= 1_048_576, "more than 1 MB in a call")
        found = []
        for row in json.loads(body):
            self.expect("TimeGenerated" in row, "TimeGenerated")
            rest = row["AdditionalFields"]
            found.append(self.identity(rest["seq"], row["EventUid"], rest["leaf_hash"], row))
        return found


class Google(TokenReceiver):
    """Both APIs take a service account's assertion; its signature is checked with the public key."""

    scope = ""

    def __init__(self):
        super().__init__()
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption(),
        ).decode()

    def credentials(self) -> dict:
        return {
            "type": "service_account", "client_email": "log@p1.iam.gserviceaccount.com", "private_key_id": "k1",
            "private_key": self.pem, "token_uri": f"{self.url}/token",
        }

    def admits_client(self, form: dict) -> bool:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        self.expect(form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer", "grant type")
        signed, signature = form["assertion"].rsplit(".", 1)
        decode = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))  # noqa: E731
        self.key.public_key().verify(decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        head, claims = (json.loads(decode(part)) for part in signed.split("."))
        self.expect(head["alg"] == "RS256", "algorithm")
        now = time.time()
        return (claims["aud"], claims["scope"]) == (f"{self.url}/token", self.scope) and claims["iat"] <= now + 5 < claims["exp"]


class CloudLogging(Google):
    kind = "google-cloud-logging"
    component = "recorded contract (strict mock)"
    path = "/v2/entries:write"
    answer = "{}"
    scope = "https://www.googleapis.com/auth/logging.write"

    def config(self, tenant: str) -> dict:
        return {"url": self.url, "project": "p1", "credentials": self.credentials()}

    def parse(self, headers: dict, body: bytes) -> list:
        self.expect(len(body) <= 10_000_000, "more than 10 MB")
        request = json.loads(body)
        self.expect(request["logName"] == "projects/p1/logs/attestary" and request["partialSuccess"] is True, "request")
        found = []
        for entry in request["entries"]:
            self.expect(len(json.dumps(entry)) <= 256_000, "an entry of more than 256 KB")
            labels = entry["labels"]
            self.expect(strings(labels) and entry["insertId"] == labels["id"], "labels")
            found.append(self.identity(labels["seq"], labels["id"], labels["leaf_hash"], entry["jsonPayload"]))
        return found

    def poisoned(self, found: list, indices: list[int]) -> Any:
        self.accept([event for index, event in enumerate(found) if index not in indices])
        errors = {str(index): {"code": 3, "message": "bad entry"} for index in indices}
        raise Refused(400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [
            {"@type": "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors", "logEntryErrors": errors},
        ]}})


class SecOps(Google):
    kind = "google-secops"
    component = "recorded contract (strict mock)"
    path = "/v1alpha/projects/p1/locations/us/instances/i1/events:import"
    answer = "{}"
    scope = "https://www.googleapis.com/auth/cloud-platform"

    def config(self, tenant: str) -> dict:
        return {"url": self.url, "project": "p1", "region": "us", "instance": "i1", "credentials": self.credentials()}

    def action(self, event: Any) -> str:
        return event["metadata"]["product_event_type"]

    def parse(self, headers: dict, body: bytes) -> list:
        self.expect(len(body) <= 1_000_000, "more than 1 MB")
        found = []
        for event in json.loads(body)["inlineSource"]["events"]:
            udm = event["udm"]
            rest = udm["additional"]
            found.append(self.identity(rest["seq"], udm["metadata"]["product_log_id"], rest["leaf_hash"], udm))
        return found


class Otlp(Receiver):
    kind = "otlp"
    component = "`opentelemetry-proto` from PyPI decodes; HTTP by a strict mock"
    path = "/v1/logs"
    answer = "{}"

    def config(self, tenant: str) -> dict:
        return {"url": self.url, "headers": {"x-token": TOKEN}}

    def admits(self, headers: dict) -> bool:
        return headers.get("x-token") == TOKEN

    def action(self, event: Any) -> str:
        return event.event_name

    def parse(self, headers: dict, body: bytes) -> list:
        from google.protobuf import json_format
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        # OTLP writes trace ids in hexadecimal, where Protobuf's JSON has base64.
        tree = json.loads(body)
        for record in tree["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
            if "traceId" in record:
                record["traceId"] = base64.b64encode(bytes.fromhex(record["traceId"])).decode()
        request = json_format.ParseDict(tree, ExportLogsServiceRequest())
        self.expect(len(request.resource_logs) == 1, "one resource")
        found = []
        for record in request.resource_logs[0].scope_logs[0].log_records:
            values = {pair.key: pair.value for pair in record.attributes}
            found.append(self.identity(
                values["attestary.seq"].int_value, values["attestary.id"].string_value,
                values["attestary.leaf_hash"].string_value, record,
            ))
        return found


class Loki(Receiver):
    kind = "loki"
    component = "recorded contract (strict mock)"
    path = "/loki/api/v1/push"
    success = 204

    def config(self, tenant: str) -> dict:
        return {"url": self.url, "org_id": tenant, "username": "u", "password": TOKEN}

    def admits(self, headers: dict) -> bool:
        pair = base64.b64encode(f"u:{TOKEN}".encode()).decode()
        return headers.get("authorization") == f"Basic {pair}" and bool(headers.get("x-scope-orgid"))

    def parse(self, headers: dict, body: bytes) -> list:
        found = []
        for stream in json.loads(body)["streams"]:
            self.expect(set(stream) == {"stream", "values"} and strings(stream["stream"]), "labels")
            self.expect(len(stream["stream"]) <= 15, "too many labels")
            for nanos, line, metadata in stream["values"]:
                self.expect(nanos.isdigit() and len(nanos) == 19, f"time {nanos!r}")
                self.expect("\n" not in line and strings(metadata), "line and structured metadata")
                found.append(self.identity(metadata["seq"], metadata["id"], metadata["leaf_hash"], json.loads(line)))
        return found


class Sumo(Receiver):
    kind = "sumo"
    component = "recorded contract (strict mock)"
    path = f"/receiver/v1/http/{TOKEN}=="

    def config(self, tenant: str) -> dict:
        return {"url": f"{self.url}{self.path}", "category": "audit"}

    def admits(self, headers: dict) -> bool:
        return headers.get("x-sumo-category") == "audit"

    def parse(self, headers: dict, body: bytes) -> list:
        # Only LF ends a message: `splitlines` would also split at U+2028.
        lines = body.decode().rstrip("\n").split("\n")
        self.expect(all(len(line) <= 65_536 for line in lines), "a message of more than 64 KB")
        events = [json.loads(line) for line in lines]
        return [self.identity(event["seq"], event["id"], event["leaf_hash"], event) for event in events]


class NewRelic(Receiver):
    kind = "newrelic"
    component = "recorded contract (strict mock)"
    path = "/log/v1"
    success = 202
    answer = '{"requestId":"r"}'

    def config(self, tenant: str) -> dict:
        return {"url": f"{self.url}{self.path}", "api_key": TOKEN}

    def admits(self, headers: dict) -> bool:
        return headers.get("api-key") == TOKEN

    def unauthorised(self) -> Refused:
        return Refused(403)

    def parse(self, headers: dict, body: bytes) -> list:
        self.expect(len(body) <= 1_000_000, "more than 10^6 bytes")
        found = []
        for log in json.loads(body)[0]["logs"]:
            self.expect(time.time() * 1000 - log["timestamp"] < 48 * 3_600_000, "older than 48 h: it would vanish")
            attributes = log["attributes"]
            self.expect(len(attributes) <= 255, "more than 255 attributes")
            found.append(self.identity(
                attributes["attestary.seq"], attributes["attestary.id"], attributes["attestary.leaf_hash"], json.loads(log["message"]),
            ))
        return found


class Template(Receiver):
    """A receiver of nobody's: XML that an operator described in a template; parsed by the standard library."""

    kind = "http"
    component = "`xml.etree` of Python parses what a template made"
    path = "/in"

    def config(self, tenant: str) -> dict:
        return {
            "url": f"{self.url}/in", "method": "PUT", "content_type": "application/xml", "escape": "xml",
            "headers": {"authorization": f"Bearer {TOKEN}"}, "open": "<events>", "separator": "", "close": "</events>",
            "record": '<event seq="{{seq}}" id="{{id}}" hash="{{leaf_hash}}" action="{{/action}}">{{event}}</event>',
        }

    def admits(self, headers: dict) -> bool:
        return headers.get("authorization") == f"Bearer {TOKEN}"

    def handle(self, method: str, path: str, headers: dict, body: bytes) -> Any:
        self.expect(method == "PUT" and headers.get("content-type") == "application/xml", "method and type")
        self.expect(headers.get("idempotency-key", "").startswith(("dst_", "rpl_")), "idempotency key")
        return super().handle("POST", path, headers, body)

    def parse(self, headers: dict, body: bytes) -> list:
        import xml.etree.ElementTree as tree

        found = []
        for element in tree.fromstring(body.decode()):
            event = json.loads(element.text)
            self.expect(element.get("action") == event["action"], "an attribute differs from the event")
            found.append(self.identity(element.get("seq"), element.get("id"), element.get("hash"), event))
        return found


class Webhook(Receiver):
    """Verifies every request with the library of Standard Webhooks, as soon as the secret is known."""

    kind = "webhook"
    component = "`standardwebhooks` from PyPI verifies; HTTP by Python's standard library"
    path = "/in"
    success = 204

    def __init__(self):
        super().__init__()
        self.verifier = None
        self.unverified: list[tuple[dict, bytes]] = []
        self.ids_of_batches: dict[str, list[int]] = {}

    def config(self, tenant: str) -> dict:
        return {"url": f"{self.url}/in", "headers": {"authorization": f"Bearer {TOKEN}"}}

    def made(self, destination: dict) -> None:
        from standardwebhooks.webhooks import Webhook as Verifier

        with self.lock:
            self.verifier = Verifier(destination["secret"])
            for headers, body in self.unverified:
                self.verify(headers, body)

    def verify(self, headers: dict, body: bytes) -> None:
        from standardwebhooks.webhooks import WebhookVerificationError

        try:
            self.verifier.verify(body.decode(), headers)
        except WebhookVerificationError as error:
            self.problems.append(f"signature: {error}")

    def admits(self, headers: dict) -> bool:
        return headers.get("authorization") == f"Bearer {TOKEN}"

    def parse(self, headers: dict, body: bytes) -> list:
        if self.verifier:
            self.verify(headers, body)
        else:
            self.unverified.append((headers, body))
        events = json.loads(body)
        seqs = [event["seq"] for event in events]
        self.expect(self.ids_of_batches.setdefault(headers["webhook-id"], seqs) == seqs, "one webhook-id, two batches")
        return [self.identity(event["seq"], event["id"], event["leaf_hash"], event) for event in events]


class OpenSearchProxy(Receiver):
    """Hands `_bulk` on to a real OpenSearch, unless it is told to fail or to lose the answer."""

    kind = "elasticsearch"
    component = "OpenSearch 2.19.1 from Maven artefacts, behind a proxy that injects faults"

    def __init__(self, node):
        super().__init__()
        self.node = node
        self.names: set[str] = set()

    def config(self, tenant: str) -> dict:
        name = f"audit-{tenant}"
        self.names.add(name)
        return {"url": self.url, "index": name, "api_key": TOKEN}

    def handle(self, method: str, path: str, headers: dict, body: bytes) -> Any:
        if not self.authorised or headers.get("authorization") != f"ApiKey {TOKEN}":
            raise Refused(401, {"error": {"type": "security_exception"}, "status": 401})
        if self.bytes_max is not None and len(body) > self.bytes_max:
            raise Refused(413)
        lines = body.decode().split("\n")
        self.expect(lines[-1] == "", "a bulk body ends with a line end")
        self.expect(all(set(json.loads(line)) == {"create"} for line in lines[:-1:2]), "only create")
        self.batches.append([json.loads(line)["event"]["sequence"] for line in lines[1:-1:2]])
        reply = requests.post(self.node.url + path, data=body, headers={"content-type": headers["content-type"]},
                              timeout=harness.PATIENCE_SECONDS)
        if reply.status_code != 200:
            raise Refused(reply.status_code, reply.content)
        return reply.content

    def hits(self) -> list[dict]:
        hits = [hit for name in self.names for hit in self.node.documents(name)]
        return sorted(hits, key=lambda hit: hit["_source"]["event"]["sequence"])

    def seqs(self) -> list[int]:
        return [hit["_source"]["event"]["sequence"] for hit in self.hits()]

    def ids(self) -> list[str]:
        return [hit["_id"] for hit in self.hits()]

    def actions(self) -> list[str]:
        return [hit["_source"]["event"]["action"] for hit in self.hits()]

    def leaf_hashes(self) -> list[bytes]:
        return [bytes.fromhex(hit["_source"]["event"]["hash"]) for hit in self.hits()]


MOCKS = [Splunk, Datadog, Sentinel, CloudLogging, SecOps, Otlp, Loki, Sumo, NewRelic, Template, Webhook]
KINDS = ["elasticsearch", *(mock.kind for mock in MOCKS)]

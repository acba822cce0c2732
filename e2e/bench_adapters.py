"""How fast each door takes events in, beside the native path in the same run.

    ATTESTARY_BIN=target/release/attestary python e2e/bench_adapters.py [--seconds 10] [--rounds 3]

Bodies of 1,000 events are rendered before the clock runs; then each door gets them over a few connections for a while, and
right after it `/v1/events` gets the same events as that door stored them: what is compared is the way in, not the size of an
event. What an adapter alone may set (`source`) stands in `metadata` there, and an event whose id the door made has a new id.
Round after round, so that what else the machine does meets all of them. Load generator and server share the machine. Only
doors that take many events at once are measured: over single requests the generator would be measured.
Prints one line of JSON per door: median events a second over the rounds, that of its events natively, and the share.
"""

import argparse
import http.client
import json
import pathlib
import signal
import statistics
import tempfile
import threading
import time
import uuid
from urllib.parse import quote, urlsplit

import harness

BATCH = 1000
CONNECTIONS = 4
PROJECT, FORM = "6627c5f740a5d95c7edc30ab", "662aa7bccf86fe3fba034afa"
# What the service sets on an event; the rest can be submitted.
SET = ("environment", "seq", "received_at", "leaf_hash", "duplicate")


def number(batch: int, index: int) -> int:
    return batch * BATCH + index


def lines(objects) -> bytes:
    return b"".join(json.dumps(item, separators=(",", ":")).encode() + b"\n" for item in objects)


def mapped(batch: int) -> bytes:
    return lines({"event": "document.read", "user": f"u_{number(batch, index) % 500}", "name": "Ann Example",
                  "ts": "2026-11-22T00:39:11.123Z", "doc": f"d_{number(batch, index)}", "ip": "203.0.113.9",
                  "result": "success", "number": number(batch, index), "plan": "pro"} for index in range(BATCH))


def formio(batch: int) -> bytes:
    def line(count: int) -> str:
        seconds, ms = divmod(count, 1000)
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_700_000_000 + seconds))
        return (f"{at}.{ms:03}Z FORM_READ 4d7649c7-d24c-4b61-bc7e-{count:012x} {PROJECT} NoSession No User {FORM}\n")
    return "".join(line(number(batch, index)) for index in range(BATCH)).encode()


def easysend(batch: int) -> bytes:
    payload = json.loads((harness.ROOT / "crates/formats/fixtures/easysend/payload-a.json").read_text())
    return lines({**payload, "process_id": f"p-{number(batch, index)}"} for index in range(BATCH))


def cloudevents(batch: int) -> bytes:
    return json.dumps([{"specversion": "1.0", "id": str(number(batch, index)), "source": "/bench", "type": "document.read",
                        "time": "2026-11-22T00:39:11.123Z", "subject": f"d_{number(batch, index)}", "actorid": "u_1",
                        "data": {"number": number(batch, index), "plan": "pro"}} for index in range(BATCH)]).encode()


def retraced(batch: int) -> bytes:
    return json.dumps({"events": [{"action": "document.read", "crud": "r", "group": {"id": "bench", "name": "Bench"},
                                   "created": "2026-11-22T00:39:11.123Z", "actor": {"id": "u_1", "name": "Ann Example"},
                                   "target": {"id": f"d_{number(batch, index)}", "type": "document"}, "source_ip": "203.0.113.9",
                                   "fields": {"number": str(number(batch, index))}} for index in range(BATCH)]}).encode()


def otlp_json(batch: int) -> bytes:
    def text(key, value):
        return {"key": key, "value": {"stringValue": value}}
    records = [{"timeUnixNano": "1795307951123000000", "eventName": "document.read", "attributes": [
        text("user.id", "u_1"), text("client.address", "203.0.113.9"), text("document", f"d_{number(batch, index)}"),
        {"key": "number", "value": {"intValue": str(number(batch, index))}}]} for index in range(BATCH)]
    resource = {"attributes": [text("service.name", "bench"), text("tenant.id", "bench")]}
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}).encode()


def otlp_binary(batch: int) -> bytes:
    from google.protobuf import json_format
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    return json_format.Parse(otlp_json(batch), ExportLogsServiceRequest()).SerializeToString()


MAP = json.dumps({"fields": {"action": "/event", "actor.id": "/user", "actor.name": "/name", "occurred_at": "/ts",
                             "target.id": "/doc", "context.ip": "/ip", "outcome": "/result", "tenant": "=bench"}})
# Name, path, media type, how a body is made.
DOORS = [
    ("lines of JSON by a map", f"/ingest/ndjson?map={quote(MAP)}", "application/x-ndjson", mapped),
    ("Form.io lines", "/ingest/formio?tenant=bench", "text/plain", formio),
    ("EasySend", "/ingest/easysend?tenant=bench", "application/x-ndjson", easysend),
    ("CloudEvents", "/ingest/cloudevents?tenant=bench", "application/cloudevents-batch+json", cloudevents),
    ("Retraced bulk", "/auditlog/publisher/v1/project/{environment}/event/bulk", "application/json", retraced),
    ("OTLP, JSON", "/v1/logs", "application/json", otlp_json),
    ("OTLP, Protocol Buffers", "/v1/logs", "application/x-protobuf", otlp_binary),
]


# Doors that make an event's id from what these bodies say; through the others the service makes it.
MADE_IDS = {"Form.io lines", "CloudEvents"}


def stored(server) -> list[dict]:
    """The newest events of the log as somebody could submit them to `/v1/events`."""
    page = server.call("GET", "/v1/events", key="read_key", expect=200, params={"tenant": "bench", "limit": BATCH}).json()
    events = [{name: value for name, value in event.items() if name not in SET} for event in page["data"]
              if not event["action"].startswith("attestary.")]
    for event in events:
        if "source" in event:
            event["metadata"] = {**event.get("metadata", {}), "source": event.pop("source")}
    return events


def native(events: list[dict], with_ids: bool):
    """Makes bodies of the native form of these events."""
    for event in events:
        del event["id"]
    texts = [json.dumps(event, separators=(",", ":"))[1:].encode() for event in events]

    def body(_: int) -> bytes:
        if with_ids:
            return b"".join(b'{"id":"%s",%s\n' % (str(uuid.uuid4()).encode(), text) for text in texts)
        return b"".join(b"{" + text + b"\n" for text in texts)
    return body


class Load:
    """Bodies of one door, each used once, so that nothing is a repeat."""

    def __init__(self, make, start: int, count: int):
        self.bodies = [make(start + index) for index in range(count)]
        self.lock = threading.Lock()
        self.next = 0

    def take(self) -> bytes | None:
        with self.lock:
            self.next += 1
            return self.bodies[self.next - 1] if self.next <= len(self.bodies) else None


def run(url: str, key: str, path: str, media: str, load: Load, seconds: float) -> float:
    """Returns events a second."""
    done, wrong, stop = [0] * CONNECTIONS, [], time.monotonic() + seconds
    address = urlsplit(url)
    scheme = "token=" if "publisher" in path else "Bearer "
    headers = {"authorization": scheme + key, "content-type": media}

    def work(place: int) -> None:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)
        while time.monotonic() < stop:
            body = load.take()
            if body is None:
                break
            connection.request("POST", path, body, headers)
            reply = connection.getresponse()
            text = reply.read()
            if reply.status in (429, 503):
                time.sleep(0.05)
                continue
            if reply.status >= 300:
                wrong.append((reply.status, text[:500]))
                break
            done[place] += BATCH
        connection.close()

    started = time.monotonic()
    threads = [threading.Thread(target=work, args=(place,)) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong
    return sum(done) / (time.monotonic() - started)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--door", default="", help="measure only doors with this in their name")
    parser.add_argument("--bodies", type=int, default=300, help="bodies of 1,000 events for each door and round")
    options = parser.parse_args()
    doors = [door for door in DOORS if options.door in door[0]]
    reached: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in doors}
    with tempfile.TemporaryDirectory() as folder:
        server = harness.Attestary(pathlib.Path(folder) / "data")
        try:
            key = server.facts["ingest_key"]
            for turn in range(options.rounds):
                for name, path, media, make in doors:
                    path = path.format(environment=server.facts["environment"]) if "{environment}" in path else path
                    load = Load(make, turn * options.bodies, options.bodies)
                    door = run(server.url, key, path, media, load, options.seconds)
                    twin = native(stored(server), name in MADE_IDS)
                    load = Load(twin, 0, options.bodies)
                    reached[name].append((door, run(server.url, key, "/v1/events", "application/x-ndjson", load, options.seconds)))
        finally:
            # Nothing is read afterwards, so there is nothing to close.
            server.stop(signal.SIGKILL)
    for name, pairs in reached.items():
        door, same = (statistics.median(values) for values in zip(*pairs))
        print(json.dumps({"door": name, "events_per_second": round(door), "natively": round(same),
                          "share": round(statistics.median(one / other for one, other in pairs), 2),
                          "rounds": [[round(one), round(other)] for one, other in pairs]}), flush=True)


if __name__ == "__main__":
    main()

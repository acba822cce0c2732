"""Files and standard output: complete lines, in order, across kills."""

import json
import threading

import pytest

import filebeat
import harness
from test_objects import TENANT, event, root

PATH = f"/v1/tenants/{TENANT}/destinations"
of_file = lambda *columns: pytest.mark.cell(*columns, destination="file", component="the file system; Python's `json` reads")  # noqa: E731
of_stdout = lambda *columns: pytest.mark.cell(*columns, destination="stdout", component=filebeat.COMPONENT)  # noqa: E731
HOSTILE = "a\"b\r\nc\u2028d\u202e\U0001d11e\u0000"


class Printing(harness.Attestary):
    """A server whose standard output is read for as long as it runs: complete lines that are events."""

    def __init__(self, data, lines):
        self.lines = lines
        super().__init__(data)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read_facts(self):
        # Delivery goes on before the server is ready for requests.
        while "url" not in (found := super().read_facts()):
            self.lines.append(found)
        return found

    def read(self):
        for line in self.process.stdout:
            # Half a line is what a kill left.
            if line.endswith(b"\n"):
                self.lines.append(json.loads(line))

    def stop(self, number=harness.signal.SIGTERM):
        self.process.send_signal(number)
        self.reader.join(harness.PATIENCE_SECONDS)
        return super().stop(number)


def check(server, made, records, replayed):
    """Every event came, in order of first arrival, as the log holds it; the receipt and a replay say the same.

    `records` returns what is there, `replayed` what came of a replay, given the number of records before it.
    """
    stored = server.events(TENANT)
    harness.until("everything is there", lambda: len({record["seq"] for record in records()}) >= len(stored))
    found = {record["seq"]: record for record in records()}
    assert list(dict.fromkeys(record["seq"] for record in records())) == list(range(len(stored))), "a gap, or out of order"
    for event in stored:
        record = found[event["seq"]]
        assert (record["id"], record["leaf_hash"]) == (event["id"], event["leaf_hash"])
        assert record.get("description") == event.get("description")
    path = f"{PATH}/{made['id']}"
    receipt = harness.until(
        "the receipt speaks for all",
        lambda: (now := server.call("GET", f"{path}/receipt", params={"compare": "true"}, expect=200).json())["count"] == len(stored) and now)
    assert receipt["root"] == root([bytes.fromhex(found[seq]["leaf_hash"]) for seq in range(len(stored))]).hex()
    assert receipt["log"]["equal"] is True
    before = len(records())
    server.call("POST", f"{path}/replays", json={"from": 3, "to": 20}, expect=201)
    harness.until("the replay is there", lambda: replayed(before) == [found[seq] for seq in range(3, 21)])


def read(path):
    # Only LF ends a line, and the last one may be half written.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def fill(server, first):
    for start in range(first, first + 180, 60):
        server.submit([{**event(start + offset), "description": HOSTILE} for offset in range(60)])


@of_file("format", "order", "kill -9", "replay", "receipt")
def test_files_hold_complete_lines_in_order_across_kills(attestary):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(
        TENANT, name="drop", type="file", start="beginning", config={"path": "audit.ndjson", "rotate_bytes": 60_000}, batch={"events_max": 20})
    place = attestary.data / "files" / "development" / TENANT

    def rotated():
        return sorted(place.glob("audit.ndjson.0*"))

    def records():
        return [record for path in [*rotated(), place / "audit.ndjson"] if path.exists() for record in read(path)]

    server = attestary
    for first in (0, 180, 360):
        written = len(records())
        fill(server, first)
        harness.until("lines are written", lambda: len(records()) > written)
        server.stop(harness.signal.SIGKILL)
        server = harness.Attestary(attestary.data)
    try:
        # The file has one writer, so a replay's is another one.
        check(server, made, records, lambda _: [record for path in place.glob("audit.ndjson.rpl_*") for record in read(path)])
        assert len(rotated()) > 2, "nothing was rotated"
    finally:
        server.stop()


@of_file("test")
def test_a_file_that_leads_elsewhere_is_named(attestary, tmp_path):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(TENANT, name="drop", type="file", config={"path": "audit.ndjson"})
    tested = attestary.call("POST", f"{PATH}/{made['id']}/test", expect=200).json()
    assert (tested["stage"], tested["verdict"]) == ("ok", "delivered"), tested
    place = attestary.data / "files" / "development" / TENANT / "other.ndjson"
    place.symlink_to(tmp_path / "elsewhere")
    made = attestary.destination(TENANT, name="link", type="file", config={"path": "other.ndjson"})
    tested = attestary.call("POST", f"{PATH}/{made['id']}/test", expect=200).json()
    assert tested["verdict"] != "delivered" and tested["stage"] == "here" and "link" in tested["detail"], tested
    assert not (tmp_path / "elsewhere").exists()


@of_stdout("format", "order", "kill -9", "replay", "receipt", "test")
def test_standard_output_holds_complete_lines_in_order_across_a_kill(tmp_path):
    lines = []
    server = Printing(tmp_path / "data", lines)
    try:
        server.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
        made = server.destination(TENANT, name="out", type="stdout", start="beginning", config={}, batch={"events_max": 20})
        fill(server, 0)
        harness.until("lines are out", lambda: len(lines) > 20)
        server.stop(harness.signal.SIGKILL)
        server = Printing(tmp_path / "data", lines)
        fill(server, 180)
        check(server, made, lambda: list(lines), lambda before: lines[before:])
        tested = server.call("POST", f"{PATH}/{made['id']}/test", expect=200).json()
        assert (tested["stage"], tested["verdict"]) == ("ok", "delivered"), tested
        harness.until("it is out", lambda: lines[-1]["action"] == "attestary.test")
    finally:
        server.stop()

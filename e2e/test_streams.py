"""Checkpoints inside delivered streams: a receiver checks by itself that it holds everything, unchanged."""

import json
import subprocess
import sys

import pytest

import harness
import objects

TENANT = "acme"
ORACLE = harness.ROOT / "tests/oracles/stream/contiguity.py"


@pytest.fixture
def s3(tmp_path):
    server = objects.S3(tmp_path / "s3")
    yield server
    server.stop()


def submit(attestary, count):
    one = {"tenant": TENANT, "action": "order.placed", "actor": {"type": "user", "id": "u1"}}
    attestary.submit([{**one, "metadata": {"number": number}} for number in range(count)])


def checkpoints(events):
    return [event for event in events if event["action"] == "attestary.checkpoint"]


def verdict(folder, events, trust):
    """What the independent checker says of a stream as a receiver holds it."""
    (folder / "events.ndjson").write_text("\n".join(json.dumps(event) for event in events))
    (folder / "trust.txt").write_text(trust)
    done = subprocess.run(
        [sys.executable, ORACLE, folder / "events.ndjson", folder / "trust.txt"], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_a_receiver_checks_its_stream_by_the_checkpoints_in_it(attestary, webhooks, s3, tmp_path):
    hook = webhooks()
    s3.bucket("audit")
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    submit(attestary, 70)
    # One begins in the middle, one has everything.
    late = attestary.destination(TENANT, name="siem", type="webhook", config={"url": hook.url}, checkpoint_seconds=10)
    assert late["checkpoint_seconds"] == 10
    attestary.destination(
        TENANT, name="archive", type="s3", start="beginning", checkpoint_seconds=10,
        config=s3.config("audit", prefix="logs", age_seconds=1))
    harness.until("the stream has a checkpoint to begin with", lambda: checkpoints(hook.bodies()))
    submit(attestary, 90)
    size = len(attestary.events(TENANT))
    stored = lambda: s3.events("audit")  # noqa: E731
    for what, held in (("webhook", hook.bodies), ("archive", stored)):
        harness.until(f"the {what} has a checkpoint over everything", lambda: any(one["seq"] == size for one in checkpoints(held())))
    trust = attestary.call("GET", f"/v1/tenants/{TENANT}/trust", key="read_key", expect=200).text

    code, said = verdict(tmp_path, stored(), trust)
    assert code == 0 and f"events 0 to {size - 1} are complete" in said, said
    names = [key.rsplit("/", 1)[1] for key in s3.keys("audit")]
    assert any(name.startswith(f"checkpoint-{size:020}-") for name in names), names
    code, said = verdict(tmp_path, hook.bodies(), trust)
    begun = late["cursor"]
    assert code == 0 and f"events {begun} to {size - 1} are complete" in said, said

    whole = hook.bodies()
    number = next(at for at, event in enumerate(whole) if event["seq"] == size - 40)

    def spoiled(events, because):
        code, said = verdict(tmp_path, events, trust)
        assert code == 1 and because in said, said

    spoiled(whole[:number] + whole[number + 1:], f"event {size - 40} is missing")
    spoiled(whole[:number] + [whole[number] | {"leaf_hash": "00" * 32}] + whole[number + 1:], "not those that the log signed")
    spoiled([event for event in whole if event not in checkpoints(whole)], "no checkpoint")
    forged = json.loads(json.dumps(whole))
    one = checkpoints(forged)[-1]["metadata"]
    one["checkpoint"] = one["checkpoint"].replace(f"\n{size}\n", f"\n{size - 1}\n")
    spoiled(forged, "signature is wrong")
    forged = json.loads(json.dumps(whole))
    checkpoints(forged)[0]["metadata"]["subtrees"][0] = "00" * 32
    spoiled(forged, "do not have its root")

    # Checkpoints are no part of the log: cursor and receipt know nothing of them.
    path = f"/v1/tenants/{TENANT}/destinations/{late['id']}"
    now = attestary.call("GET", path, expect=200).json()
    assert now["cursor"] >= size and now["lag_events"] == 0
    attempts = attestary.call("GET", f"{path}/attempts", expect=200).json()["data"]
    assert {attempt["checkpoint"] for attempt in attempts if attempt["checkpoint"]} == {begun, size}

    # It can be turned off, and what cannot be is refused by name.
    changed = attestary.call("PATCH", path, json={"checkpoint_seconds": 0}, expect=200).json()
    assert changed["checkpoint_seconds"] == 0
    refused = attestary.call("PATCH", path, json={"checkpoint_seconds": 9}, expect=400).json()
    assert refused["errors"][0]["pointer"] == "/checkpoint_seconds", refused
    refused = attestary.call("PATCH", path, json={"checkpoint_seconds": 60, "format": {"type": "formio"}}, expect=400).json()
    assert "no place for a checkpoint" in refused["errors"][0]["detail"], refused

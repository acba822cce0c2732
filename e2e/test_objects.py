"""Object stores: every event in exactly one object, whatever is killed; nothing overwritten; locks kept."""

import hashlib
import random

import botocore.exceptions
import pytest

import harness
import objects

TENANT = "acme"
cell = lambda *columns: pytest.mark.cell(*columns, destination="s3", component="moto (PyPI), signatures checked, behind a relay that injects faults")  # noqa: E731


@pytest.fixture
def s3(tmp_path):
    server = objects.S3(tmp_path / "s3")
    yield server
    server.stop()


def event(number):
    return {"tenant": TENANT, "action": "order.placed", "actor": {"type": "user", "id": "u1"}, "metadata": {"number": number}}


def seqs(events):
    return [event["seq"] for event in events]


def root(leaves):
    """The Merkle tree hash of RFC 6962, section 2.1, over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def every_event_once(attestary, kind, config, objects, kills=3):
    """A store of any kind gets a log while the service is killed: every event stands in one object, and receipt and
    replay agree with what is there. `objects` returns the events of every object by its key."""
    events = lambda: [event for events in objects().values() for event in events]  # noqa: E731
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(
        TENANT, name="archive", type=kind, start="beginning", config={**config, "prefix": "logs", "events_max": 40, "age_seconds": 1})
    count, server = 0, attestary
    for _ in range(kills):
        for _ in range(3):
            server.submit([event(count + offset) for offset in range(60)])
            count += 60
        written = len(objects())
        # Somewhere between an object's put and the save of its confirmation.
        harness.until("objects are written", lambda: len(objects()) > written or len(events()) >= count)
        server.stop(harness.signal.SIGKILL)
        server = harness.Attestary(attestary.data)
    try:
        size = len(server.events(TENANT))
        harness.until("everything is there", lambda: len(events()) >= size)
        keys, found = set(objects()), events()
        assert seqs(found) == list(range(size)), "an event is missing, out of order or in two objects"
        stored = {event["seq"]: event for event in server.events(TENANT)}
        assert all(event["leaf_hash"] == stored[event["seq"]]["leaf_hash"] for event in found)
        assert all(key.startswith(f"logs/environment=development/tenant={TENANT}/dt=") for key in keys), keys

        # The receipt is the root over what stands in the objects, and the log's own.
        path = f"/v1/tenants/{TENANT}/destinations/{made['id']}"
        receipt = harness.until(
            "the receipt speaks for all",
            lambda: (now := server.call("GET", f"{path}/receipt", params={"compare": "true"}, expect=200).json())["count"] == size and now,
        )
        assert receipt["root"] == root([bytes.fromhex(event["leaf_hash"]) for event in found]).hex()
        assert receipt["log"]["equal"] is True and receipt["to_seq"] == size - 1, receipt

        # A replay writes the stretch again, as objects of its own, and leaves the cursor where it is.
        server.call("POST", f"{path}/replays", json={"from": 3, "to": 20}, expect=201)
        harness.until("the replay is done", lambda: server.call("GET", f"{path}/replays", expect=200).json()["data"][0]["done_at"])
        again = [event for key, events in objects().items() if key not in keys for event in events]
        assert again == found[3:21]
    finally:
        server.stop()


@cell("format", "order", "kill -9", "lost answer", "429", "5xx", "replay", "receipt")
def test_every_event_is_in_one_object_across_kills(attestary, s3):
    s3.bucket("audit")
    # Both spellings of "not now" of Amazon's, and answers that are lost: the object is there and is met again.
    s3.relay.faults += [503, "cut", 429, "cut"]
    every_event_once(attestary, "s3", s3.config("audit"), lambda: s3.objects("audit"))
    assert not s3.relay.faults
    head = s3.client.head_object(Bucket="audit", Key=s3.keys("audit")[0])
    assert head["ContentEncoding"] == "gzip" and head["Metadata"]["attestary-destination"].startswith("dst_")


def test_nothing_is_overwritten(attestary, s3):
    s3.bucket("audit")
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    config = s3.config("audit", age_seconds=1)
    first = attestary.destination(TENANT, name="one", type="s3", start="beginning", config=config)
    attestary.submit([event(number) for number in range(5)])
    harness.until("the object is there", lambda: len(s3.events("audit")) == 6)
    [key] = s3.keys("audit")
    before = s3.client.head_object(Bucket="audit", Key=key)["LastModified"]

    # The same events in the same form: the object that is there is the batch, and counts as delivered.
    path = f"/v1/tenants/{TENANT}/destinations"
    same = attestary.destination(TENANT, name="same", type="s3", start="beginning", config=config)
    harness.until("it counts", lambda: attestary.call("GET", f"{path}/{same['id']}", expect=200).json()["delivered"] == 6)
    assert s3.keys("audit") == [key]
    assert s3.client.head_object(Bucket="audit", Key=key)["LastModified"] == before

    # Something else under the key: nothing is overwritten, and a person is told.
    attestary.call("POST", f"{path}/{first['id']}/pause", expect=200)
    attestary.call("DELETE", f"{path}/{same['id']}", expect=204)
    s3.client.put_object(Bucket="audit", Key=key, Body=b"mine")
    other = attestary.destination(TENANT, name="other", type="s3", start="beginning", config=config)
    shown = harness.until(
        "it is paused", lambda: (now := attestary.call("GET", f"{path}/{other['id']}", expect=200).json())["state"] == "paused" and now,
    )
    assert "nothing is overwritten" in shown["reason_detail"] and shown["cursor"] == 0
    assert s3.client.get_object(Bucket="audit", Key=key)["Body"].read() == b"mine"


@cell("auth failure", "test")
def test_objects_are_locked_and_credentials_are_named(attestary, s3):
    s3.bucket("locked", lock=True)
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    config = s3.config("locked", age_seconds=1, object_lock={"mode": "compliance", "days": 30}, compression="none")
    made = attestary.destination(TENANT, name="worm", type="s3", config=config)
    assert s3.secret not in str(made)
    attestary.submit(event(1))
    harness.until("the object is there", lambda: s3.events("locked"))
    [version] = s3.client.list_object_versions(Bucket="locked")["Versions"]
    held = s3.client.head_object(Bucket="locked", Key=version["Key"])
    assert held["ObjectLockMode"] == "COMPLIANCE" and held["ObjectLockRetainUntilDate"]
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        s3.client.delete_object(Bucket="locked", Key=version["Key"], VersionId=version["VersionId"])

    path = f"/v1/tenants/{TENANT}/destinations"
    tested = attestary.call("POST", f"{path}/{made['id']}/test", expect=200).json()
    assert tested["verdict"] == "delivered" and tested["status"] == 200, tested
    wrong = {**config, "secret_access_key": "x" + str(random.random())}
    bad = attestary.destination(TENANT, name="wrong", type="s3", config=wrong)
    refused = attestary.call("POST", f"{path}/{bad['id']}/test", expect=200).json()
    assert refused["verdict"] == "pause" and "SignatureDoesNotMatch" in refused["detail"], refused
    lost = attestary.destination(TENANT, name="lost", type="s3", config={**config, "bucket": "nowhere"})
    refused = attestary.call("POST", f"{path}/{lost['id']}/test", expect=200).json()
    assert refused["verdict"] == "pause" and "NoSuchBucket" in refused["detail"], refused

"""The console in Debian's Chromium: what a person does, from the printed link to a connected destination.

The driver is node/console.cjs with the scenarios in node/console/; each checks every state with axe and fails on any error in the browser's log
or any violation of the content security policy. Set ATTESTARY_SHOTS to a directory to keep the screenshots.
"""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import uuid

import pytest
import requests

import console_seed
import faults
import harness

DRIVER = harness.ROOT / "e2e" / "node" / "console.cjs"
SECONDS_MAX = 900
# Bytes of a segment under one checksum.
BLOCK_BYTES = 32 * 1024


def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "Debian's package chromium is missing"
    return found


@pytest.fixture
def webhook():
    receiver = harness.Webhook()
    yield receiver
    receiver.stop()


def drive(server_facts, directory, *scenarios, **facts):
    """Runs scenarios one after another in one browser and returns what they found."""
    shots = pathlib.Path(os.environ.get("ATTESTARY_SHOTS") or directory)
    facts = {**server_facts, "chromium": chromium(), **facts}
    path = directory / "facts.json"
    path.write_text(json.dumps(facts))
    done = subprocess.run(
        ["node", DRIVER, path, shots, *scenarios], capture_output=True, text=True, timeout=SECONDS_MAX,
    )
    print(done.stderr)
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout)


def submit_all(server, events):
    for start in range(0, len(events), 500):
        server.submit(events[start:start + 500])


def forged_trust(server):
    """A trust file of the tenant's log whose key is somebody else's."""
    text = server.call("GET", f"/v1/tenants/{server.tenant}/trust", key="read_key", expect=200).text
    old = next(line.split()[1] for line in text.splitlines() if line.startswith("log "))
    name, key = old.split("+")[0], b"\x01" + os.urandom(32)
    number = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex()
    return text.replace(old, f"{name}+{number}+{base64.b64encode(key).decode()}")


# seeds: FO-09 FO-20 IC-28 WO-02 with Chromium
def test_a_person_searches_and_connects(attestary, webhook, tmp_path):
    hostile = console_seed.hostile(attestary.tenant)
    attestary.submit(hostile)
    events = console_seed.events(attestary.tenant)
    submit_all(attestary, events)
    submit_all(attestary, console_seed.events("many", count=2100))
    scenarios = ["first", "search", "trail", "live", "troubles", "hostile", "keyboard", "proofs", "scrolling", "destinations", "types", "views", "alerts", "settings", "pages", "embed", "govern", "administration"]
    found = drive(attestary.facts, tmp_path, *scenarios, hostile=len(hostile), webhook=webhook.url, many="many", forged_trust=forged_trust(attestary))
    print(found)
    assert found["states"] >= 40
    # What the wizard promised is what arrived: only failures, each with its id, and the test event.
    bodies = webhook.bodies()
    delivered = [event for event in bodies if event["action"] != "attestary.test"]
    failures = {event["id"] for event in events if event["outcome"] == "failure"}
    assert {event["id"] for event in delivered} >= failures
    assert all(event["outcome"] == "failure" for event in delivered)
    # Whoever looked is in the environment's own log.
    trail = attestary.events("_audit")
    assert any(event.get("metadata", {}).get("operation") == "session.end" for event in trail)


def test_the_whole_tour_by_keyboard_alone(attestary, webhook, tmp_path):
    attestary.submit(console_seed.hostile(attestary.tenant))
    submit_all(attestary, console_seed.events(attestary.tenant))
    found = drive(attestary.facts, tmp_path, "first", "tour", webhook=webhook.url, attestary=str(harness.binary()))
    print(found)
    assert found["states"] >= 80


def crc32c(data):
    """CRC-32C, as the manifest keeps it for each block of a segment."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def signed(number):
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def row_hash(*values):
    """The hash of a row of the catalog (crates/store/src/catalog/sums.rs)."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, int):
            digest.update(b"\x01" + value.to_bytes(8, "little", signed=True))
            continue
        kind, content = (b"\x00", b"") if value is None else (b"\x03", value.encode()) if isinstance(value, str) else (b"\x04", value)
        digest.update(kind + len(content).to_bytes(8, "little") + content)
    return int.from_bytes(digest.digest()[:8], "little", signed=True)


def change_stored_event(data, event):
    """Flips a byte of a stored event's id, and mends every checksum on the disk as somebody with the disk would."""
    catalog = sqlite3.connect(next(data.rglob("catalog.sqlite*")))
    # The triggers that keep the catalog's own sums call functions of the program; whoever has the disk can write them too.
    catalog.create_function("attestary_row", -1, row_hash, deterministic=True)
    catalog.create_function("attestary_move", 3, lambda total, added, gone: signed(total + added - gone), deterministic=True)
    was = uuid.UUID(event["id"]).bytes
    for key, path in catalog.execute("SELECT id, path FROM segments").fetchall():
        file = next(data.rglob(path))
        content = bytearray(file.read_bytes())
        at = content.find(was)
        if at < 0:
            continue
        assert content.find(was, at + 1) < 0, "the id stands once"
        content[at + 15] ^= 0x01
        sums = b"".join(crc32c(content[start:start + BLOCK_BYTES]).to_bytes(4, "little") for start in range(0, len(content), BLOCK_BYTES))
        file.chmod(0o600)
        file.write_bytes(content)
        catalog.execute("UPDATE segments SET crcs = ?, sha256 = ? WHERE id = ?", (sums, hashlib.sha256(content).digest(), key))
        catalog.commit()
        catalog.close()
        return str(uuid.UUID(bytes=was[:15] + bytes([was[15] ^ 0x01])))
    raise AssertionError("the event is in no segment")


def test_a_changed_byte_in_a_segment_turns_a_row_red(tmp_path, segments_in_s3):
    if segments_in_s3:
        pytest.skip("changes a byte of a file on this disk")
    data, settings, tenant = tmp_path / "data", {"ATTESTARY__STORE__SEAL_EVENTS_MAX": "100"}, "acme"
    server = faults.Served(data, settings)

    def call(method, path, key, **rest):
        headers = {"authorization": f"Bearer {key}", "attestary-environment": "production"}
        reply = requests.request(method, server.url + path, headers=headers, timeout=harness.PATIENCE_SECONDS, **rest)
        assert reply.ok, reply.text
        return reply

    try:
        keys = server.keys()
        call("POST", "/v1/events", keys["ingest"], json=console_seed.events(tenant, count=300))
        call("GET", f"/v1/tenants/{tenant}/checkpoint", keys["read"])
        event = call("GET", f"/v1/events?tenant={tenant}&filter=seq=150", keys["read"]).json()["data"][0]
        harness.until("a segment is written", lambda: list(data.rglob("*.parquet")))
        server.stop()
        changed = change_stored_event(data, event)
        server = faults.Served(data, settings)
        # The server itself sees nothing wrong: every checksum is that of the changed bytes.
        assert call("GET", f"/v1/events?tenant={tenant}&filter=seq=150", keys["read"]).json()["data"][0]["id"] == changed
        operator = (data / "operator.key").read_text().strip()
        link = call("POST", "/v1/sign-in-links", operator, json={"id": "ada@example.com", "role": "auditor"}).json()["url"]
        drive({"url": server.url, "tenant": tenant, "console_url": server.url + link}, tmp_path, "tampered", changed_seq=150)
    finally:
        server.stop()

"""The console in Debian's Chromium: what a person does, from the printed link to a connected destination.

The driver is node/console.cjs; each scenario checks every state with axe and fails on any error in the browser's log
or any violation of the content security policy. Set ATTESTARY_SHOTS to a directory to keep the screenshots.
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

import console_seed
import harness

DRIVER = harness.ROOT / "e2e" / "node" / "console.cjs"
SECONDS_MAX = 300


def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "Debian's package chromium is missing"
    return found


@pytest.fixture
def webhook():
    receiver = harness.Webhook()
    yield receiver
    receiver.stop()


def drive(server, directory, *scenarios, **facts):
    """Runs scenarios one after another in one browser and returns what they found."""
    shots = pathlib.Path(os.environ.get("ATTESTARY_SHOTS") or directory)
    facts = {**server.facts, "chromium": chromium(), **facts}
    path = directory / "facts.json"
    path.write_text(json.dumps(facts))
    done = subprocess.run(
        ["node", DRIVER, path, shots, *scenarios], capture_output=True, text=True, timeout=SECONDS_MAX,
    )
    print(done.stderr)
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout)


def test_a_person_searches_and_connects(attestary, webhook, tmp_path):
    hostile = console_seed.hostile(attestary.tenant)
    attestary.submit(hostile)
    events = console_seed.events(attestary.tenant)
    for start in range(0, len(events), 500):
        attestary.submit(events[start:start + 500])
    scenarios = ["first", "search", "live", "hostile", "keyboard", "destinations", "embed", "administration"]
    found = drive(attestary, tmp_path, *scenarios, hostile=len(hostile), webhook=webhook.url)
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

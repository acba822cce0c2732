"""The unmodified `@retracedhq/logs-viewer` in Chromium, on a page of another origin, bundled as its users bundle it."""

import csv
import io
import json
import os
import pathlib
import re
import shutil
import subprocess

import requests

import harness

VIEWER = harness.ROOT / "e2e" / "viewer"


def modules() -> pathlib.Path:
    """Returns where the viewer's packages are installed: by ./test, or with `npm ci` in e2e/viewer."""
    return pathlib.Path(os.environ.get("VIEWER_MODULES") or VIEWER / "node_modules")


def test_the_real_viewer_works_in_a_browser(attestary):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Debian's package chromium is missing"
    key = attestary.call("POST", "/v1/keys", json={"name": "viewer", "scopes": ["ingest", "read", "portal", "admin"]},
                         expect=201).json()["secret"]
    done = subprocess.run(
        ["node", "viewer.js", chromium, f"{attestary.url}/auditlog", key, attestary.facts["environment"], "acme"],
        cwd=VIEWER, env={**os.environ, "VIEWER_MODULES": str(modules())}, capture_output=True, timeout=harness.PATIENCE_SECONDS * 2)
    assert done.returncode == 0, done.stderr.decode()
    steps = {step["step"]: step for step in map(json.loads, done.stdout.decode().splitlines())}
    # The viewer leaves out what is only read, until one asks for it.
    wanted = [f"document {number}" for number in reversed(range(30)) if "crud"[number % 4] != "r"]
    for step, rows in (("first", wanted[:20]), ("older", wanted[20:]), ("found", ["document 2"])):
        shown = [row.strip() for row in steps[step]["rows"]]
        assert shown == [f"Ursula <b>touched</b> {row}" for row in rows], step
        assert steps[step]["markup"] == 0, "what an event says is never markup"
    assert "1 - 20 of 22" in steps["first"]["count"] and "21 - 22 of 22" in steps["older"]["count"]
    detail = steps["detail"]["event"]
    assert (detail["action"], detail["source_ip"], detail["target"]["name"]) == ("doc.2", "203.0.113.9", "Document 2")
    file = list(csv.DictReader(io.StringIO(steps["file"]["text"])))
    assert steps["file"]["name"].endswith(".csv") and [row["action"] for row in file] == ["doc.2"]
    # What the dialog of tokens shows is a key that reads the group's log.
    (token,) = re.findall(r"\batsk1\w+", steps["token"]["text"])
    read = requests.get(f"{attestary.url}/v1/events", params={"tenant": "acme", "limit": 1}, timeout=harness.PATIENCE_SECONDS,
                        headers={"authorization": f"Bearer {token}"})
    assert read.status_code == 200 and read.json()["data"][0]["action"] == "doc.29"
    # The package begins its session twice; neither answer may be a refusal, or it forgets what it holds.
    assert steps["end"]["refused"] == []

"""The Retraced package, unmodified: it verifies every receipt itself, and reads back what it wrote."""

import json
import pathlib
import subprocess

import harness

NODE = pathlib.Path(__file__).parent / "node"
GROUP = "group:1"


def test_node_package(attestary):
    key = attestary.call("POST", "/v1/keys", json={"name": "retraced", "scopes": ["ingest", "read"], "tenants": [GROUP]},
                         expect=201).json()["secret"]
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    done = subprocess.run(
        ["node", "retraced.js", f"{attestary.url}/auditlog", key, wrong, attestary.facts["environment"], GROUP],
        cwd=NODE, capture_output=True, timeout=harness.PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr.decode()
    calls = {}
    for line in done.stdout.decode().split("\n"):
        if line:
            call = json.loads(line)
            calls.setdefault(call["name"], []).append(call)
    # The package throws when its own hash differs: an id means that the receipt was right.
    single = [call["resolved"] for call in calls["event"]]
    bulk = calls["bulk"][0]["resolved"]
    assert len(single) == 6 and len(bulk) == 45
    assert calls["bad"][0]["message"] == "Unexpected HTTP response: 400 Bad Request"
    assert calls["stranger"][0]["message"] == "Unexpected HTTP response: 401 Unauthorized"

    events = attestary.submitted(GROUP)
    assert [event["id"] for event in events] == single + bulk
    assert events[5]["actor"]["type"] == "anonymous"
    assert events[2]["metadata"]["%:=;"] == "%:=;"

    query = calls["query"][0]
    wanted = [number for number in range(45) if "crud"[number % 4] in "cu" and number >= 1]
    found = [node for page in query["pages"] for node in page]
    assert query["total"] == len(wanted) and len(query["pages"]) == -(-len(wanted) // 10)
    assert [node["id"] for node in found] == [bulk[number] for number in reversed(wanted)]
    for node, number in zip(found, reversed(wanted)):
        assert node["action"] == f"document.{number}" and node["fields"] == {"number": str(number)}
        assert node["group"] == {"id": GROUP, "name": "The % Group"}
        assert node["actor"]["id"] == f"user:{number}" and node["actor"]["fields"] == {"team": "a"}
        assert node["target"]["id"] == f"doc%{number}" and node["target"]["type"] == "document"
        assert node["is_failure"] is (number % 3 == 0) and node["is_anonymous"] is False
        assert node["component"] == "api" and node["version"] == "1.2.3"
        assert node["display"]["markdown"] == "what happened"


def test_the_flow_of_the_embedded_viewer(attestary):
    key = attestary.call("POST", "/v1/keys", json={"name": "retraced", "scopes": ["ingest", "read", "portal", "admin"]},
                         expect=201).json()["secret"]
    done = subprocess.run(
        ["node", "retraced_viewer.js", f"{attestary.url}/auditlog", key, attestary.facts["environment"], GROUP],
        cwd=NODE, capture_output=True, timeout=harness.PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr.decode()
    steps = {step["step"]: step for step in map(json.loads, done.stdout.decode().splitlines())}
    assert steps["preflight"]["status"] == 204 and steps["preflight"]["origin"] == "https://app.example.com"
    seen = [number for number in reversed(range(30)) if "crud"[number % 4] != "r"]
    assert steps["pages"]["pages"] == [[f"doc.{number}" for number in part] for part in (seen[:20], seen[20:])]
    assert steps["pages"]["project"] == attestary.facts["environment"]
    assert [export["name"] for export in steps["exports"]["list"]] == ["Mine"]
    file = steps["file"]
    assert file["status"] == 200 and "filename=" in file["name"]
    assert len(file["text"].splitlines()) == 1 + sum("crud"[number % 4] in "cd" for number in range(30))
    tokens = steps["tokens"]
    assert (tokens["before_any"], tokens["created"], tokens["read"], tokens["renamed"]) == ([], 201, 200, 200), tokens
    assert tokens["shown"]["display_name"] == "stream" and not tokens["shown"]["id"].startswith("key_")
    assert tokens["later"]["display_name"] == "SIEM" and tokens["later"]["id"].startswith("key_")
    assert 200 <= tokens["deleted"] < 300 and tokens["after"] == []
    # The viewer fetches a new token when there are neither errors nor a search, and shows errors.
    assert "toic" in json.loads(steps["wrong"]["text"])["errors"][0]["message"]
    assert steps["ended"]["status"] == 401 and "errors" not in json.loads(steps["ended"]["text"])

"""The 26 documented Form.io audit lines, imported through the command line and over HTTP, against a table of our own.

The table is written from the documentation of the lines, not from the program's output. Ids that are the same
in many lines have names here.
"""

import pathlib
import random
import subprocess
import time

import pytest

import harness

LINES = (harness.ROOT / "crates/formats/fixtures/formio/documented.log").read_text().splitlines()

LIVE = "659d83632824949f20a882e1"
APP = "6627c5f740a5d95c7edc30ab"
USER = "659d83632824949f20a88389"
FORM = "662aa7bccf86fe3fba034afa"
RECORD = "662aa865cf86fe3fba034d96"
SIGN_IN = "27759aa2-085b-4719-9193-5bad3fad74a2"
PAGE = "5f46bed7-2a55-4ad7-b21f-cfccd724912b"
READS = "4d7649c7-d24c-4b61-bc7e-6e672186eca6"
SETTINGS = "a780acd0-2691-4cf4-9934-44f32e5415a3"
CHANGES = "4d489fcc-e6a5-4a26-b747-50bd06f46405"
NONE = None

# event, request id, project, session, user, ids after the user column, attempted identity
TABLE = [
    ("EAUTH_NOUSER", SIGN_IN, LIVE, NONE, NONE, [], "hello@example.com"),
    ("EAUTH_PASSWORD", "a3245767-dcc5-4ed2-b998-cd36cdbeb9c6", LIVE, NONE, NONE, [USER], "admin@example.com"),
    ("AUTH_LOGIN", "ac245617-fd22-479d-9f8e-4846b0ac8177", LIVE, "662a9137cf86fe3fba034396", USER, [], NONE),
    ("EAUTH_LOGINCOUNT", SIGN_IN, LIVE, NONE, NONE, [], "admin@example.com"),
    ("REQUEST_START", PAGE, LIVE, NONE, NONE, [], NONE),
    ("REQUEST_END", PAGE, LIVE, NONE, NONE, [], NONE),
    ("AUTH_ANONYMOUS", PAGE, LIVE, NONE, NONE, [], NONE),
    ("AUTH_LOGOUT", SIGN_IN, NONE, "662fab333d908589b8931543", USER, [], NONE),
    ("SUBMISSION_READ", READS, APP, "662aa339cf86fe3fba0343fe", USER, [RECORD, FORM], NONE),
    ("FORM_READ", READS, APP, NONE, NONE, [FORM], NONE),
    ("ACTION_READ", READS, APP, "662aa339cf86fe3fba0343fe", USER, ["662aa85bcf86fe3fba034d08", FORM], NONE),
    ("PROJECT_READ", "23b2c367-6fb6-41f2-a36a-0ba9a42f8bc9", NONE, "662aa339cf86fe3fba0343fe", USER, [APP], NONE),
    ("ROLE_READ", SETTINGS, APP, "662aa339cf86fe3fba0343fe", USER, ["6627c5f840a5d95c7edc30b2"], NONE),
    ("TEAM_READ", SETTINGS, NONE, "662aa339cf86fe3fba0343fe", USER, ["662967ad49e0b4f5b46904e8", "659d83632824949f20a88316"], NONE),
    ("V_READ", "e1627c41-1d39-4326-961b-681e5821bc99", APP, "662faecc3d908589b893161a", USER, ["662c17f09f39954d132d4525"], NONE),
    ("PROJECT_SETTINGS", SETTINGS, APP, "662aa339cf86fe3fba0343fe", USER, [], NONE),
    ("SUBMISSION_CREATE", READS, APP, NONE, NONE, [RECORD, FORM], NONE),
    ("SUBMISSION_UPDATE", READS, APP, NONE, NONE, [RECORD, FORM], NONE),
    ("FORM_CREATE", READS, APP, "662faecc3d908589b893161a", USER, ["662faf703d908589b89316c7"], NONE),
    ("FORM_UPDATE", READS, APP, NONE, NONE, [FORM], NONE),
    ("PROJECT_CREATE", "23f11fd3-a36e-4ce7-afae-58ab18bc988a", NONE, "662bcba30dd222f70702f99e", USER, ["662bf0840dd222f707030342"], NONE),
    ("PROJECT_UPDATE", "b3672267-494f-4d3d-838d-05e7637c23ef", APP, "662bcba30dd222f70702f99e", USER, [APP], NONE),
    ("ROLE_CREATE", CHANGES, APP, "662bcba30dd222f70702f99e", USER, ["662bf2c10dd222f7070305e0"], NONE),
    ("ROLE_UPDATE", CHANGES, APP, "662bcba30dd222f70702f99e", USER, ["662bf2c10dd222f7070305e0"], NONE),
    ("TEAM_CREATE", CHANGES, NONE, "662bcba30dd222f70702f99e", USER, ["662bf84c0dd222f7070306c1", "659d83632824949f20a88316"], NONE),
    ("TEAM_UPDATE", CHANGES, NONE, "662bcba30dd222f70702f99e", USER, ["662bf84c0dd222f7070306c1", "659d83632824949f20a88316"], NONE),
]


def check(event, line, row):
    action, request, project, session, user, ids, attempted = row
    assert event["action"] == action
    assert event["occurred_at"] == line.split(" ")[0]
    assert event["context"]["request_id"] == request
    assert event["context"].get("session_id") == session
    assert event["context"].get("attempted_identity") == attempted
    assert event["actor"].get("id") == user, event["actor"]
    assert event["actor"]["type"] == ("user" if user else "anonymous")
    targets = [target["id"] for target in event.get("targets", [])]
    # The project itself may be named as a target beside what the line's own columns name.
    assert [target for target in targets if target != project or target in ids] == ids, targets
    if action.startswith("EAUTH_"):
        assert event["outcome"] in ("failure", "denied")
    if action == "AUTH_LOGIN":
        assert event["outcome"] == "success"


def variants():
    double, single = "\n".join(LINES), "\n".join(LINES).replace('("', "('").replace('")', "')")
    green = double.replace('new ObjectId("', "new ObjectId(\x1b[32m\"").replace('")', "\"\x1b[39m)")
    wrapped = "\n".join(
        '{"log":%s,"stream":"stdout","time":"2024-05-01T00:00:00.000000000Z"}' % harness.json.dumps(line + "\n") for line in LINES
    )
    return {"double": double, "single": single, "ansi": green, "docker": wrapped}


def test_every_documented_line_is_in_the_table():
    assert len(LINES) == 26 and [line.split(" ")[1] for line in LINES] == [row[0] for row in TABLE]


# seeds: FO-01 FO-02 FO-03 FO-06 FO-09 with the documented lines
@pytest.mark.parametrize("variant", variants())
def test_lines_import_through_the_command_line_and_over_http(attestary, tmp_path, variant):
    text = variants()[variant] + "\n"
    file = tmp_path / "audit.log"
    file.write_text(text)
    attestary.command("import", "formio", str(file), "--tenant", "by-file")
    attestary.command("import", "formio", "-", "--tenant", "by-stdin", stdin=text.encode())
    attestary.call("POST", "/ingest/formio", key="ingest_key", params={"tenant": "by-http"}, data=text.encode(),
                   headers={"content-type": "text/plain"}, expect=200)
    for tenant in ("by-file", "by-stdin", "by-http"):
        events = attestary.submitted(tenant)
        assert len(events) == 26
        for event, line, row in zip(events, LINES, TABLE):
            check(event, line, row)
        groups = [event for event in events if event["context"]["request_id"] == PAGE]
        assert [event["action"] for event in groups] == ["REQUEST_START", "REQUEST_END", "AUTH_ANONYMOUS"]


def test_the_project_names_the_tenant(attestary, tmp_path):
    file = tmp_path / "audit.log"
    file.write_text("\n".join(LINES) + "\n")
    attestary.command("import", "formio", str(file), "--tenant-from", "project")
    for project in (LIVE, APP):
        wanted = [row[0] for row in TABLE if row[2] == project]
        assert [event["action"] for event in attestary.submitted(project) if event["action"] in wanted][:len(wanted)] == wanted


def test_importing_again_adds_nothing(attestary, tmp_path):
    file = tmp_path / "audit.log"
    file.write_text("\n".join(LINES + LINES[:3]) + "\n")
    for _ in range(2):
        attestary.command("import", "formio", str(file), "--tenant", "again")
        assert len(attestary.submitted("again")) == 29


def read_lines(first, count, second):
    """Lines of one request each; every fifth one comes twice in the same millisecond."""
    lines = []
    for number in range(first, first + count):
        at = f"2024-04-25T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{number % 1000:03}Z"
        line = f"{at} FORM_READ 4d7649c7-d24c-4b61-bc7e-{number:012x} {APP} NoSession No User 662aa7bccf86fe3fba034afa\n"
        lines += [line] * (2 if number % 5 == 0 else 1)
    return lines


# seeds: FO-01 with kill -9 of the follower while the file rotates
def test_a_follower_that_is_killed_imports_every_line_once(attestary, tmp_path, long):
    log, dice, rounds = tmp_path / "audit.log", random.Random(7), 1000 if long else 40
    log.touch()

    def follow():
        environment = {name: value for name, value in harness.os.environ.items() if not name.startswith("ATTESTARY")}
        return subprocess.Popen(
            [harness.binary(), "import", "formio", str(log), "--tenant", "followed", "--follow"],
            env={**environment, "ATTESTARY_DATA": str(attestary.data)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    written, rotations, kills, follower = [], 0, 0, follow()

    def kill_now_and_then(chance: float) -> None:
        nonlocal follower, kills
        if dice.random() < chance:
            kills += 1
            follower.kill()
            follower.wait()
            follower = follow()

    try:
        # What was rotated before the follower ever ran is not its to read.
        harness.until("the follower has begun", (tmp_path / "audit.log.attestary").exists)
        for round_number in range(rounds):
            lines = read_lines(round_number * 50, dice.randint(0, 50), round_number)
            with open(log, "a") as file:
                # Not always whole lines at once.
                text = "".join(lines)
                cut = dice.randint(0, len(text))
                file.write(text[:cut])
                file.flush()
                time.sleep(dice.random() * 0.05)
                # Between the halves of a line, too.
                kill_now_and_then(0.15)
                file.write(text[cut:])
            written += lines
            if dice.random() < 0.3:
                rotations += 1
                log.rename(tmp_path / f"audit.log.{rotations}")
                # The old name is gone and the new file is not there yet.
                kill_now_and_then(0.3)
                log.touch()
            kill_now_and_then(0.4)
            time.sleep(dice.random() * 0.1)
        assert rotations > rounds // 10 and kills > rounds // 4
        harness.until("every line is there", lambda: len(attestary.submitted("followed")) >= len(written))
        time.sleep(2.5)
        events = attestary.submitted("followed")
        assert sorted(event["source"]["raw"] for event in events) == sorted(line.rstrip("\n") for line in written)
        assert follower.poll() is None
    finally:
        follower.kill()
        follower.wait()


# seeds: FO-09
def test_the_timeline_of_a_request(attestary, tmp_path):
    file = tmp_path / "audit.log"
    file.write_text("\n".join(LINES) + "\n")
    attestary.command("import", "formio", str(file), "--tenant", "line")
    shown = attestary.command("query", "--tenant", "line", "--timeline", PAGE).stdout.decode().splitlines()
    rows = [line for line in shown if "+0 ms" in line]
    assert len(rows) == 3 and "POST /project/" in rows[0] and "REQUEST_START" in rows[0]
    assert any("200" in row and "REQUEST_END" in row for row in rows)
    listed = attestary.call("GET", "/v1/events", key="read_key", expect=200,
                            params={"tenant": "line", "filter": f"context.request_id:{PAGE}", "order": "asc"}).json()["data"]
    assert [event["action"] for event in listed] == ["REQUEST_START", "REQUEST_END", "AUTH_ANONYMOUS"]

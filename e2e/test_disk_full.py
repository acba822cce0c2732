"""A disk that fills up and empties again: intake is refused and resumes by itself, reads go on, nothing is lost."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
import requests

import faults
import harness

RESERVE_BYTES = 8 << 20


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True).returncode != 0:
        pytest.skip("tmpfs cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(path: pathlib.Path, leave: int) -> None:
    stat = os.statvfs(path.parent)
    count = stat.f_bavail * stat.f_frsize - leave
    with open(path, "wb") as file:
        file.write(b"\0" * max(count, 0))


def test_a_full_disk_refuses_and_resumes(small_disk, long):
    data, acks = small_disk / "data", faults.Acks()
    server = faults.Served(data, {"ATTESTARY__STORE__RESERVE_BYTES": str(RESERVE_BYTES)})
    assert server.url, server.said
    keys = server.keys()

    def submit() -> requests.Response:
        reply = requests.post(
            f"{server.url}/v1/events", json=[faults.event(n) for n in range(30)], timeout=30,
            headers={"authorization": f"Bearer {keys['ingest']}"},
        )
        if reply.status_code in (200, 201):
            acks.add(reply.json()["data"])
        return reply

    # Left free: less than the reserve; and nothing at all, as when somebody else fills the disk at once.
    for round, leave in enumerate([RESERVE_BYTES // 2, 0] * (25 if long else 2)):
        assert harness.until("intake", lambda: submit().status_code == 201)
        ballast = small_disk / "ballast"
        fill(ballast, leave)
        # A reply of 503 counts as false, so it comes in a list.
        [refused] = harness.until("a refusal", lambda: [r for r in [submit()] if r.status_code == 503])
        assert int(refused.headers["retry-after"]) >= 1, (round, refused.text)
        assert "full" in refused.json()["detail"], refused.text
        # Reading is recorded, in the reserve where there is one.
        if leave:
            assert faults.whole_log(server.url, keys["read"], "acme")
        ballast.unlink()
        harness.until("intake resumes", lambda: submit().status_code == 201, 10)
    assert not acks.faults(server.url, keys["read"])
    server.kill()
    server = faults.Served(data)
    assert not acks.faults(server.url, keys["read"])
    server.stop()
    assert faults.fsck(data)["findings"] == []

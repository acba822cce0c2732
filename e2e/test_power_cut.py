"""Power cuts: a file system on a loop image, the image copied while the server is stopped, the copy mounted anew.

The copy has what reached the block layer and nothing of the page cache: what a machine would find after its power
came back. Unlike a kill this shows a missing fsync; the control without any fsync must lose what was acknowledged, or
the harness shows nothing. Needs root, loop devices and mkfs.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import faults

IMAGE_BYTES = 400 << 20
NO_SYNC = pathlib.Path("/usr/lib/x86_64-linux-gnu/libeatmydata.so")


def why_not(kind: str) -> str | None:
    if os.geteuid() != 0:
        return "power cuts need root"
    if not shutil.which(f"mkfs.{kind}"):
        return f"mkfs.{kind} is not installed"
    with tempfile.TemporaryDirectory() as folder:
        image, mount = pathlib.Path(folder) / "image", pathlib.Path(folder) / "mount"
        mount.mkdir()
        make_image(image, kind)
        if subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True).returncode != 0:
            return "loop devices cannot be mounted here"
        subprocess.run(["umount", mount], check=True)
    return None


def make_image(image: pathlib.Path, kind: str) -> None:
    with open(image, "wb") as file:
        file.truncate(IMAGE_BYTES)
    quiet = ["-q"] if kind == "xfs" else ["-q", "-F"]
    subprocess.run([f"mkfs.{kind}", *quiet, image], check=True, capture_output=True)


@contextlib.contextmanager
def mounted(image: pathlib.Path, at: pathlib.Path):
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


def cut(root: pathlib.Path, kind: str, seed: int, sync: bool) -> tuple[int, list[str]]:
    """One power cut. Returns the number of acknowledged events and what is wrong after it."""
    draw = random.Random(seed)
    image, copy = root / "image", root / "copy"
    make_image(image, kind)
    acks = faults.Acks()
    # One path before and after: a directory that moves to another is another one (`--segments-in-s3`).
    place = root / f"disk-{seed}"
    with mounted(image, place) as disk:
        environment = {} if sync else {"LD_PRELOAD": str(NO_SYNC)}
        server = faults.Served(disk / "data", environment=environment)
        assert server.url, server.said
        keys = server.keys()
        # The environment and the keys must outlive the control's cut too, or there is nothing to ask.
        if not sync:
            subprocess.run(["sync", "-f", disk], check=True)
        stop, threads = faults.loaded(server.url, keys["ingest"], acks)
        time.sleep(0.3 + draw.random() * 0.9)
        os.kill(server.pid, signal.SIGSTOP)
        # Answers on their way belong to what was acknowledged.
        time.sleep(0.05)
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
        stop.set()
        with acks.lock:
            acknowledged = len(acks.receipts)
        server.kill()
        for thread in threads:
            thread.join(30)
    with mounted(copy, place) as disk:
        report = faults.fsck(disk / "data")
        wrong = [str(finding) for finding in report["findings"] if finding["severity"] == "damage"]
        server = faults.Served(disk / "data")
        if not server.url:
            return acknowledged, wrong + [f"the server does not start: {server.said[-3:]}"]
        try:
            wrong += acks.faults(server.url, keys["read"])
        except AssertionError as refused:
            wrong.append(f"the log cannot be read: {refused}")
        server.stop()
    return acknowledged, wrong


@pytest.fixture
def root():
    # In memory: the image stands for the disk, and its own durability plays no part.
    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield pathlib.Path(folder)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_no_power_cut_loses_an_acknowledged_event(root, kind, long):
    reason = why_not(kind)
    if reason:
        pytest.skip(reason)
    first = int(os.environ.get("CUT_SEED", "1"))
    count = int(os.environ.get("CUT_COUNT", "250" if long else "4"))
    total = 0
    for seed in range(first, first + count):
        acknowledged, wrong = cut(root, kind, seed, sync=True)
        assert not wrong, f"{kind}, seed {seed}: {wrong[:5]}"
        total += acknowledged
    assert total > 50 * count, f"too little load: {total}"
    faults.note(f"{kind}: {count} power cuts, {total} acknowledged events, 0 lost")


def test_without_fsync_power_cuts_lose_events(root, long):
    reason = why_not("ext4") or (None if NO_SYNC.exists() else "libeatmydata is not installed")
    if reason:
        pytest.skip(reason)
    count = 20 if long else 2
    lost = sum(bool(cut(root, "ext4", seed, sync=False)[1]) for seed in range(1, count + 1))
    faults.note(f"ext4 without fsync: {lost} of {count} power cuts lost acknowledged events")
    assert lost >= max(1, count * 95 // 100), f"the control lost in {lost} of {count} cuts"

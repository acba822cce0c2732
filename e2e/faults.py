"""A configured server that may be killed at any moment, and the journal of what it acknowledged.

The journal is kept here, outside the server: only an answer with 200 or 201 counts, and every such event must be found
again with the same seq and leaf hash.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import uuid

import requests

import harness

TENANTS = ["acme", "globex", "initech"]
# Small files and seals: whatever is renamed, created and recycled happens within a second.
SMALL = {
    "ATTESTARY__STORE__JOURNAL_FILE_BYTES": str(1 << 20),
    "ATTESTARY__STORE__SEAL_EVENTS_MAX": "400",
    "ATTESTARY__STORE__RESERVE_BYTES": "0",
}


class Served:
    """`attestary serve` on a directory with settings of its own; `before` is put in front of the command."""

    def __init__(self, data: pathlib.Path, settings: dict[str, str] | None = None, before: list[str] | None = None,
                 environment: dict[str, str] | None = None, patience: float = harness.PATIENCE_SECONDS):
        self.data = data
        variables = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
        variables |= {"ATTESTARY__DATA_DIR": str(data), "ATTESTARY__HTTP__LISTEN": "127.0.0.1:0"}
        variables |= SMALL | (settings or {}) | (environment or {})
        self.process = subprocess.Popen(
            [*(before or []), str(harness.binary()), "serve"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=variables, text=True,
        )
        self.said: list[str] = []
        self.url = ""
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ready.wait(patience)

    def _read(self) -> None:
        for line in self.process.stderr:
            self.said.append(line)
            found = re.search(r"attestary serves (\S+) from", line)
            if found:
                self.url = found.group(1)
                self._ready.set()
        self._ready.set()

    @property
    def pid(self) -> int:
        """The server itself, also under a tracer."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    def keys(self) -> dict[str, str]:
        """Makes a key to submit, one to read and one to export with the operator's key."""
        operator = (self.data / "operator.key").read_text().strip()
        made = {}
        for name, scopes in (("ingest", ["ingest"]), ("read", ["read"]), ("export", ["read", "export"])):
            reply = requests.post(
                f"{self.url}/v1/keys", json={"name": name, "scopes": scopes}, timeout=30,
                headers={"authorization": f"Bearer {operator}", "attestary-environment": "production"},
            )
            assert reply.status_code == 201, reply.text
            made[name] = reply.json()["secret"]
        return made

    def kill(self) -> None:
        for pid in {self.process.pid, self.pid} if self.process.poll() is None else set():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self._reader.join(5)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(harness.PATIENCE_SECONDS)
        self._reader.join(5)
        return code


class Acks:
    """What was acknowledged, by tenant and id."""

    def __init__(self):
        self.lock = threading.Lock()
        self.receipts: dict[tuple[str, str], tuple[int, str]] = {}

    def add(self, receipts: list[dict]) -> None:
        with self.lock:
            for receipt in receipts:
                self.receipts[(receipt["tenant"], receipt["id"])] = (receipt["seq"], receipt["leaf_hash"])

    def faults(self, url: str, key: str) -> list[str]:
        """Compares with what a server has: nothing lost, nothing twice, no hole."""
        found = []
        for tenant in TENANTS:
            events = whole_log(url, key, tenant)
            seqs = [event["seq"] for event in events]
            if seqs != list(range(len(seqs))):
                found.append(f"{tenant}: seqs are not 0 to {len(seqs) - 1}: {seqs[:20]}")
            ids = {event["id"]: (event["seq"], event["leaf_hash"]) for event in events}
            if len(ids) != len(events):
                found.append(f"{tenant}: an id stands twice")
            for (name, identity), receipt in self.receipts.items():
                if name == tenant and ids.get(identity) != receipt:
                    found.append(f"{tenant}: acknowledged {identity} {receipt} is {ids.get(identity)}")
        return found


def whole_log(url: str, key: str, tenant: str) -> list[dict]:
    events, cursor = [], None
    while True:
        query = {"tenant": tenant, "order": "asc", "limit": 1000} | ({"cursor": cursor} if cursor else {})
        reply = requests.get(f"{url}/v1/events", params=query, headers={"authorization": f"Bearer {key}"}, timeout=30)
        if reply.status_code == 404:
            return []
        assert reply.status_code == 200, reply.text
        page = reply.json()
        events += page["data"]
        if not page["data"] or not page["next_cursor"]:
            return events
        cursor = page["next_cursor"]


def event(number: int) -> dict:
    return {
        "id": str(uuid.uuid4()), "tenant": TENANTS[number % len(TENANTS)], "action": "doc.read",
        "actor": {"type": "user", "id": f"u{number}"}, "metadata": {"number": number},
    }


def load(url: str, key: str, acks: Acks, stop: threading.Event, batch: int) -> None:
    """Sends until told to stop, or until the server is gone."""
    session, number = requests.Session(), 0
    session.headers["authorization"] = f"Bearer {key}"
    while not stop.is_set():
        events = [event(number + n) for n in range(batch)]
        number += batch
        try:
            reply = session.post(f"{url}/v1/events", json=events if batch > 1 else events[0], timeout=20)
        except requests.RequestException:
            if stop.wait(0.02):
                return
            continue
        if reply.status_code in (200, 201):
            body = reply.json()
            acks.add(body["data"] if batch > 1 else [body])


def loaded(url: str, key: str, acks: Acks) -> tuple[threading.Event, list[threading.Thread]]:
    stop = threading.Event()
    threads = [threading.Thread(target=load, args=(url, key, acks, stop, batch), daemon=True) for batch in (1, 7, 60)]
    for thread in threads:
        thread.start()
    return stop, threads


def fsck(data: pathlib.Path, settings: dict[str, str] | None = None) -> dict:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")} | (settings or {})
    done = subprocess.run([harness.binary(), "fsck", "--data", data, "--json"], capture_output=True, env=variables, timeout=120)
    assert done.returncode in (0, 6), done.stderr.decode()
    return json.loads(done.stdout)


def note(text: str) -> None:
    """Figures for the page of results; shown by `pytest -s`."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

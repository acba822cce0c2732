"""What bodies at the limits cost the server in memory: less than eight times their size (and no crash)."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import threading

MIB = 1024 * 1024
BODY_BYTES_MAX = 10 * MIB


def resident(server, mark: str) -> int:
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(mark))
    return int(line.split()[1]) * 1024


def event(tenant: str, metadata: object) -> dict:
    return {"tenant": tenant, "action": "a.b", "actor": {"id": "u"}, "metadata": metadata}


def bodies(tenant: str):
    """Yields a name, the body, extra headers and the status that it must get."""
    text = {f"k{n}": "v" * 500 for n in range(20)}
    full = json.dumps([event(tenant, text)] * 1000).encode()
    assert 9 * MIB < len(full) <= BODY_BYTES_MAX
    yield "full batch", full, {}, 201
    # Every field of every event is small: the most fields and pointers for the bytes.
    small = {f"{n:x}": 0 for n in range(480)}
    yield "most fields", json.dumps([event(tenant, small)] * 1000, separators=(",", ":")).encode(), {}, 201
    # Long keys, nested: pointers that are far longer than the text that makes them.
    nested: object = {f"{n:x}": 0 for n in range(440)}
    for _ in range(12):
        nested = {"n" * 250: nested}
    yield "long pointers", json.dumps([event(tenant, nested)] * 1000, separators=(",", ":")).encode(), {}, 201
    yield "escapes", json.dumps([event(tenant, {"t": "\u0001" * 1500})] * 1000).encode(), {}, 201
    yield "too large", b"[" + b" " * (BODY_BYTES_MAX + 1) + b"]", {}, 413
    yield "one open bracket", b"[" * BODY_BYTES_MAX, {}, 400
    yield "one open string", b'[{"a":"' + b"x" * (BODY_BYTES_MAX - 100), {}, 400
    bomb = gzip.compress(b" " * (200 * MIB))
    yield "decompression bomb", bomb, {"content-encoding": "gzip"}, 413
    yield "truncated gzip", gzip.compress(json.dumps([event(tenant, {"t": os.urandom(2000).hex()})] * 9).encode())[:-500], {"content-encoding": "gzip"}, 400


def test_a_body_costs_less_than_eight_times_its_size(attestary):
    server = attestary
    tenant = server.tenant
    # What the first requests cost once: code, threads, caches.
    server.submit([event(tenant, {})] * 1000)
    for name, body, headers, status in bodies(tenant):
        before = resident(server, "VmRSS")
        pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
        headers = {"content-type": "application/json", **headers}
        reply = server.call("POST", "/v1/events", key="ingest_key", data=body, headers=headers)
        assert reply.status_code == status, f"{name}: {reply.status_code} {reply.text[:500]}"
        grown = resident(server, "VmHWM") - before
        # A small body may cost the largest one that it is taken for.
        allowed = 8 * max(len(body), BODY_BYTES_MAX if headers.get("content-encoding") else len(body))
        assert grown < allowed, f"{name}: {len(body)} bytes made the server grow by {grown}"
    assert server.call("GET", "/health/ready").status_code == 200


def test_refused_bodies_leave_the_connection_and_the_log_alone(attestary):
    server = attestary
    tenant = server.tenant
    server.submit(event(tenant, {"kept": True}))
    before = server.events(tenant)
    for name, body, headers, status in bodies(tenant):
        if status == 201:
            continue
        headers = {"content-type": "application/json", **headers}
        reply = server.call("POST", "/v1/events", key="ingest_key", data=body, headers=headers)
        problem = reply.json()
        assert reply.headers["content-type"] == "application/problem+json", name
        assert (problem["status"], bool(problem["type"]), bool(problem["detail"])) == (status, True, True), name
    assert server.events(tenant) == before


def test_many_large_bodies_at_once_are_bounded(attestary):
    server = attestary
    tenant = server.tenant
    text = {f"k{n}": "v" * 500 for n in range(20)}
    body = json.dumps([event(tenant, text)] * 1000).encode()
    server.submit([event(tenant, {})] * 1000)
    pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    seen: list[int] = []

    def send():
        reply = server.call("POST", "/v1/events", key="ingest_key", data=body, headers={"content-type": "application/json"})
        seen.append(reply.status_code)

    threads = [threading.Thread(target=send) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {201, 503}, seen
    # 160 MiB of bodies in flight, at most eight times over, beside what the store keeps.
    assert resident(server, "VmHWM") < 8 * 160 * MIB

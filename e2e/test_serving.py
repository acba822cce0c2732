"""What holds of every request, whatever becomes of it: it is answered in time, and our own log names it.

The disk is held up by strace, which delays the server's syncs. Needs strace and ptrace.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import requests

import faults
import harness

# How long a sync is held up: far longer than the server may let a client wait.
HELD_SECONDS = 20


class Held:
    """A disk that takes its time for the first sync of each thread. The block must not end while one is held up: a tracer
    that goes away lets the call fail, and after a failed sync the server rightly takes nothing more."""

    def __init__(self, pid: int, log):
        self.command = ["strace", "-f", "-qq", "-o", str(log), "-p", str(pid), "-e", "trace=fdatasync",
                        "-e", f"inject=fdatasync:delay_enter={HELD_SECONDS * 1_000_000}:when=1"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


def traced(pid: int) -> bool:
    with open(f"/proc/{pid}/status") as status:
        return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in status)


def security_event(server, key: str, request_id: str, tenant: str = "acme") -> requests.Response:
    body = {"tenantId": tenant, "iclFields": {"event": "USER_LOGIN", "requestingId": "u1"}, "customFields": {}}
    return requests.post(
        f"{server.url}/api/1/event/security-event", json=body, timeout=harness.PATIENCE_SECONDS,
        headers={"authorization": f"cmk {key}", "x-request-id": request_id},
    )


# seeds: IC-22 IC-29 with strace, which holds up the disk
def test_every_call_is_answered_while_the_disk_hangs(tmp_path):
    settings = {"ATTESTARY__INTAKE__ANSWER_SECONDS_MAX": "1", "ATTESTARY__STORE__QUEUE_BYTES_MAX": str(11 << 20),
                # A batch must fit into a file of the journal.
                "ATTESTARY__STORE__JOURNAL_FILE_BYTES": str(64 << 20)}
    server = faults.Served(tmp_path / "data", settings)
    try:
        assert server.url, server.said
        key = server.keys()["ingest"]
        assert security_event(server, key, "ray-before").content == b"null"
        large = [{**faults.event(0), "tenant": "acme", "metadata": {"filler": "x" * 30_000}} for _ in range(300)]

        def native(number: int) -> requests.Response:
            return requests.post(f"{server.url}/v1/events", json=large, timeout=harness.PATIENCE_SECONDS,
                                 headers={"authorization": f"Bearer {key}", "x-request-id": f"ray-native-{number}"})

        with Held(server.pid, tmp_path / "strace.log"):
            harness.until("strace holds the server", lambda: traced(server.pid))
            with ThreadPoolExecutor(30) as pool:
                first = pool.submit(security_event, server, key, "ray-first")
                # More than the queue takes, so that some wait for the disk and some are not let in.
                many = [pool.submit(native, number) for number in range(6)]
                others = [pool.submit(security_event, server, key, f"ray-{number}") for number in range(20)]
                # A new tenant has more to do than an event.
                stranger = pool.submit(security_event, server, key, "ray-stranger", "initech")
                refused = [one.result() for one in [first, *others, stranger]]
                late = [one.result() for one in many]
            for reply in refused:
                assert reply.status_code == 503 and reply.json()["code"] == 301, reply.text
                assert "null" not in reply.text
            for reply in late:
                assert reply.status_code == 503 and reply.headers["content-type"] == "application/problem+json"
                assert int(reply.headers["retry-after"]) >= 1
            assert requests.get(f"{server.url}/health/live", timeout=harness.PATIENCE_SECONDS).status_code == 200
            # The same body again: what had become durable is known, what had not is taken now.
            again = harness.until("the disk is back", lambda: (reply := native(99)).status_code in (200, 201) and reply)
            assert len(again.json()["data"]) == len(large)
        # What our own log says about a request names it.
        lines = [line for line in server.said if "not confirmed in time" in line]
        assert any("ray-first" in line for line in lines), server.said[-20:]
        assert all("ray-" in line for line in lines)
        assert security_event(server, key, "ray-after").content == b"null"
    finally:
        server.kill()

"""Starts the real programs that the whole-product tests speak to, each on loopback and on a port of its own.

Nothing here knows what a test expects: servers and receivers only start, collect and stop.
"""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Callable
from urllib.parse import quote

import requests

ROOT = pathlib.Path(__file__).resolve().parent.parent
# How long anything may take to happen before a test calls it lost. Generous: CI has two busy cores.
PATIENCE_SECONDS = 60.0


def binary() -> pathlib.Path:
    """Returns the `attestary` program under test."""
    named = os.environ.get("ATTESTARY_BIN")
    if named:
        return pathlib.Path(named)
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    for profile in ("release", "debug"):
        path = pathlib.Path(target) / profile / "attestary"
        if path.exists():
            return path
    raise RuntimeError("no attestary program is built; ./test builds it, or set ATTESTARY_BIN")


def until(what: str, probe: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Polls until `probe` returns something true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Attestary:
    """`attestary dev` on a directory, and a client for it."""

    def __init__(self, data: pathlib.Path):
        self.data = data
        self.log = open(data.parent / f"{data.name}.stderr", "ab")
        self.process = subprocess.Popen(
            [binary(), "dev", "--json", "--listen", "127.0.0.1:0", "--data", data],
            stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL,
        )
        self.facts = self.read_facts()
        self.url = self.facts["url"]
        self.tenant = self.facts["tenant"]
        self.session = requests.Session()

    def read_facts(self) -> dict:
        """Reads what the server says about itself when it is ready."""
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"attestary dev did not start: {pathlib.Path(self.log.name).read_text()}")
        return json.loads(line)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()
        self.session.close()
        self.log.close()
        return code

    def call(self, method: str, path: str, *, key: str = "admin_key", expect: int | None = None, **rest: Any) -> requests.Response:
        headers = {"authorization": f"Bearer {self.facts[key]}", **rest.pop("headers", {})}
        reply = self.session.request(method, self.url + path, headers=headers, timeout=PATIENCE_SECONDS, **rest)
        if expect is not None:
            assert reply.status_code == expect, f"{method} {path}: {reply.status_code} {reply.text[:2000]}"
        return reply

    def submit(self, events: Any, expect: int = 201) -> Any:
        return self.call("POST", "/v1/events", key="ingest_key", json=events, expect=expect).json()

    def events(self, tenant: str, **parameters: Any) -> list[dict]:
        """Reads every event of a tenant that matches, oldest first."""
        found, cursor = [], None
        while True:
            query = {"tenant": tenant, "order": "asc", "limit": 1000, **parameters}
            if cursor:
                query["cursor"] = cursor
            page = self.call("GET", "/v1/events", key="read_key", params=query, expect=200).json()
            found += page["data"]
            if not page["data"] or not page["next_cursor"]:
                return found
            cursor = page["next_cursor"]

    def submitted(self, tenant: str, **parameters: Any) -> list[dict]:
        """Reads what applications submitted: everything but the service's own events."""
        return [event for event in self.events(tenant, **parameters) if not event["action"].startswith("attestary.")]

    def destination(self, tenant: str, **body: Any) -> dict:
        return self.call("POST", f"/v1/tenants/{quote(tenant, safe='')}/destinations", json=body, expect=201).json()

    def command(self, *arguments: str, ok: bool = True, stdin: bytes | None = None) -> subprocess.CompletedProcess:
        """Runs a client command against this server, which it finds through the data directory."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
        environment["ATTESTARY_DATA"] = str(self.data)
        done = subprocess.run(
            [binary(), *arguments], input=stdin, capture_output=True, env=environment, timeout=PATIENCE_SECONDS,
        )
        if ok:
            assert done.returncode == 0, f"attestary {' '.join(arguments)}: {done.returncode} {done.stderr.decode()}"
        return done


class Webhook:
    """An HTTP receiver. `mode` is `answer` (204) or `hang` (read the request, never reply)."""

    def __init__(self, mode: str = "answer"):
        self.mode = mode
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.hung = 0
        self._release = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if receiver.mode == "hang":
                    receiver.hung += 1
                    receiver._release.wait(PATIENCE_SECONDS * 4)
                    self.close_connection = True
                    return
                receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def recover(self) -> None:
        """Answers from now on. Requests that hang are dropped without an answer."""
        self.mode = "answer"
        self._release.set()

    def bodies(self) -> list[Any]:
        """Returns every element of every batch received, in order of arrival, repeats included."""
        return [element for _, body in list(self.requests) for element in json.loads(body)]

    def stop(self) -> None:
        self._release.set()
        self.server.shutdown()
        self.server.server_close()


class Rsyslog:
    """A real rsyslogd that writes the raw messages it received to a file, one a line, LF escaped as it does by itself."""

    CONFIG = """
global(workDirectory="{dir}" maxMessageSize="64k")
module(load="imtcp")
module(load="imudp")
template(name="raw" type="string" string="%msg%\\n")
ruleset(name="tcp") {{ action(type="omfile" file="{dir}/tcp.log" template="raw" asyncWriting="off" flushOnTXEnd="on") }}
ruleset(name="udp") {{ action(type="omfile" file="{dir}/udp.log" template="raw" asyncWriting="off" flushOnTXEnd="on") }}
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="tcp")
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="udp")
"""

    def __init__(self, directory: pathlib.Path):
        directory.mkdir()
        self.directory = directory
        self.tcp, self.udp = free_port(), free_port()
        config = directory / "rsyslog.conf"
        config.write_text(self.CONFIG.format(dir=directory, tcp=self.tcp, udp=self.udp))
        program = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
        self.output = open(directory / "rsyslogd.out", "wb")
        self.process = subprocess.Popen(
            [program, "-n", "-f", config, "-i", directory / "pid"], stdout=self.output, stderr=subprocess.STDOUT,
        )
        until("rsyslogd listens", self._listens)

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.directory / "rsyslogd.out").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.tcp)) == 0

    def messages(self, name: str) -> list[str]:
        """Returns the messages of the log `tcp` or `udp`."""
        path = self.directory / f"{name}.log"
        if not path.exists():
            return []
        # Only LF ends a line: `splitlines` would also split at U+2028, which a field may hold.
        return [line.removeprefix(" ") for line in path.read_text(encoding="utf-8").split("\n")[:-1]]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        self.output.close()


def lognormalizer(lines: list[str], directory: pathlib.Path) -> list[dict]:
    """Parses CEF lines with liblognorm, the parser that rsyslog itself uses."""
    rules = directory / "cef.rb"
    rules.write_text("version=2\nrule=:%f:cef%\n")
    program = shutil.which("lognormalizer") or "/usr/bin/lognormalizer"
    done = subprocess.run(
        [program, "-r", rules, "-e", "json"], input="".join(f"{line}\n" for line in lines).encode(),
        capture_output=True, check=True, timeout=PATIENCE_SECONDS,
    )
    return [json.loads(line).get("f") for line in done.stdout.decode().split("\n") if line]

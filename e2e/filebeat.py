"""Filebeat itself, built from its Go module; and what it needs of an Elasticsearch that OpenSearch does not have.

The program is built once and kept, without the modules and objects of the build (2 GB). That takes some minutes, so
plain test runs use it only when it is there; `--long` builds it.
"""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading

import requests

import harness

SOURCE = pathlib.Path(__file__).resolve().parent / "filebeat"
PACKAGE = "github.com/elastic/beats/v7/filebeat"
VERSION = "7.17.29"
COMPONENT = f"Filebeat {VERSION} where it is built, else a reader with its rules; kills: a reader of the service's pipe"
BUILD_SECONDS = 1800


def program(build: bool) -> pathlib.Path | None:
    """Returns the program; None when it is not there and may not, or cannot, be built."""
    cache = pathlib.Path(os.environ.get("ATTESTARY_CACHE", pathlib.Path.home() / ".cache/attestary"))
    ready = cache / f"filebeat-{VERSION}"
    if ready.exists() or not build or not shutil.which("go"):
        return ready if ready.exists() else None
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="filebeat-build.") as place:
        # A copy, so that the checkout stays as it is whatever the tool writes.
        shutil.copytree(SOURCE, pathlib.Path(place) / "source")
        made = pathlib.Path(place) / "filebeat"
        variables = os.environ | {"GOMODCACHE": f"{place}/modules", "GOCACHE": f"{place}/objects", "CGO_ENABLED": "0",
                                  "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false"}
        subprocess.run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", made, PACKAGE], check=True, env=variables,
                       cwd=pathlib.Path(place) / "source", timeout=BUILD_SECONDS)
        made.rename(ready)
    return ready


class Elasticsearch:
    """A real OpenSearch that says which version and licence it has, as Elasticsearch does: Filebeat sends nothing to a
    server without a licence, and asks for a type of each document before version 7. Everything else is handed on as it
    is.
    """

    def __init__(self, node):
        outer = self
        self.node = node

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.path.split("?")[0] == "/_license":
                    licence = {"uid": "c", "type": "basic", "status": "active"}
                    status, kind, text = 200, "application/json", json.dumps({"license": licence}).encode()
                else:
                    headers = {name: self.headers[name] for name in ("content-type", "content-encoding") if name in self.headers}
                    reply = requests.request(self.command, outer.node.url + self.path, data=body, headers=headers,
                                             timeout=harness.PATIENCE_SECONDS)
                    status, kind, text = reply.status_code, reply.headers.get("content-type", "text/plain"), reply.content
                    if self.path == "/":
                        text = json.dumps(reply.json() | {"version": {"number": VERSION}}).encode()
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Filebeat:
    """One run of Filebeat; another one in the same directory goes on where this one stopped.

    Its index template stays out: it has types of fields that OpenSearch does not know, and nothing of our lines.
    """

    def __init__(self, path: pathlib.Path, configuration: pathlib.Path, directory: pathlib.Path):
        self.log = open(directory / "filebeat.log", "ab")
        # `--strict.perms=false`: who owns the configuration is not what is tried here.
        self.process = subprocess.Popen([path, "-e", "--strict.perms=false", "-c", configuration, "--path.home", directory,
                                         "-E", "setup.template.enabled=false"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(harness.PATIENCE_SECONDS)
        self.log.close()

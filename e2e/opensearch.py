"""A real OpenSearch node, made of the artefacts on Maven Central. Its directory is kept between runs."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import threading

import requests

import harness

SOURCE = pathlib.Path(__file__).resolve().parent / "opensearch"
VERSION = "2.19.1"


def libraries() -> pathlib.Path | None:
    """Resolves the artefacts and compiles the starter, once; None where Java or Maven is missing."""
    if not (shutil.which("java") and shutil.which("javac") and shutil.which("mvn")):
        return None
    cache = pathlib.Path(os.environ.get("ATTESTARY_CACHE", pathlib.Path.home() / ".cache/attestary"))
    ready = cache / f"opensearch-{VERSION}"
    if ready.exists():
        return ready
    making = cache / f"opensearch-{VERSION}.{os.getpid()}"
    making.mkdir(parents=True)
    subprocess.run(
        ["mvn", "-q", "-B", "-f", SOURCE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={making / 'lib'}"],
        check=True, stdout=subprocess.DEVNULL, timeout=600,
    )
    subprocess.run(
        ["javac", "-cp", f"{making / 'lib'}/*", "-d", making / "classes", SOURCE / "OneNode.java"],
        check=True, timeout=300,
    )
    try:
        making.rename(ready)
    except OSError:  # Another run was faster.
        shutil.rmtree(making)
    return ready


class OpenSearch:
    """One node on loopback."""

    def __init__(self, directory: pathlib.Path, ready: pathlib.Path):
        directory.mkdir()
        (directory / "config").mkdir()
        self.port = harness.free_port()
        self.log = open(directory / "opensearch.log", "wb")
        self.process = subprocess.Popen(
            ["java", "-Xmx512m", "-cp", f"{ready / 'classes'}:{ready / 'lib'}/*", "OneNode",
             directory, str(self.port), str(harness.free_port())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
        )
        line = self.process.stdout.readline()
        while line and line.strip() != b"started":
            line = self.process.stdout.readline()
        assert line, pathlib.Path(self.log.name).read_text()
        # What the node goes on to say must not fill the pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, **rest):
        reply = requests.request(method, self.url + path, timeout=harness.PATIENCE_SECONDS, **rest)
        assert reply.ok, f"{method} {path}: {reply.status_code} {reply.text[:1000]}"
        return reply.json()

    def stream(self, pattern: str, properties: dict) -> None:
        """Makes names of this pattern data streams with these fields."""
        body = {
            "index_patterns": [pattern], "data_stream": {}, "priority": 500,
            "template": {"settings": {"number_of_replicas": 0}, "mappings": {"properties": properties}},
        }
        self.call("PUT", "/_index_template/" + pattern.replace("*", "x"), json=body)

    def documents(self, index: str) -> list[dict]:
        """Returns all hits of an index in the order of their sequence numbers in the log."""
        if not requests.head(f"{self.url}/{index}", timeout=harness.PATIENCE_SECONDS).ok:
            return []
        self.call("POST", f"/{index}/_refresh")
        body = {"size": 10_000, "query": {"match_all": {}}}
        return self.call("POST", f"/{index}/_search", json=body)["hits"]["hits"]

    def stop(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

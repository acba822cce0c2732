"""Segments in an object store: the same logs, and a store that goes away in the middle of a seal loses nothing.

The S3 server is moto's (PyPI), Azure's stand-in is Azurite (npm); Google's could not be had: the emulator on PyPI does
not take uploads in the XML form. A proxy of ours stands before each: what is killed is the way to the store, because
moto keeps its objects in memory and a real store does not.
"""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import boto3
import pytest
import requests
from azure.storage.blob import ContainerClient

import blob
import faults
import harness


class Proxy:
    """Passes bytes on until it is cut; then every connection ends, and none is taken until it is mended."""

    def __init__(self, target: int):
        self.target = target
        self.port = harness.free_port()
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.passed = 0
        self.listener: socket.socket | None = None
        self.mend()

    def mend(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        listener, self.listener = self.listener, None
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self.lock:
            for end in self.open:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            with self.lock:
                self.open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.passed += len(data)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            with self.lock:
                self.open.discard(end)


class Store:
    """A server with one container `audit`."""

    scheme = ""

    def __init__(self, root: pathlib.Path):
        self.port = harness.free_port()
        self.process = subprocess.Popen(
            self.command(root), stdout=subprocess.DEVNULL, stderr=open(root / "store.log", "ab"), cwd=root
        )
        harness.until("the object store", self.answers)
        self.create()

    def answers(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/", timeout=2).status_code < 500
        except requests.RequestException:
            return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def settings(self, port: int, prefix: str) -> dict[str, str]:
        options = ",".join(self.options(f"http://127.0.0.1:{port}"))
        return {"ATTESTARY__OBJECTS__URL": f"{self.scheme}://audit/{prefix}", "ATTESTARY__OBJECTS__OPTIONS": options}


class S3(Store):
    scheme = "s3"

    def command(self, root: pathlib.Path) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def create(self) -> None:
        self.client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{self.port}", region_name="us-east-1",
            aws_access_key_id="id", aws_secret_access_key="secret",
        )
        self.client.create_bucket(Bucket="audit")

    def segments(self, prefix: str) -> list[str]:
        listed = self.client.list_objects_v2(Bucket="audit", Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def options(self, url: str) -> list[str]:
        return [
            f"aws_endpoint={url}", "aws_allow_http=true", "aws_region=us-east-1",
            "aws_access_key_id=id", "aws_secret_access_key=secret",
        ]


class Azure(Store):
    scheme = "az"
    account, key = blob.ACCOUNT, blob.KEY

    def command(self, root: pathlib.Path) -> list[str]:
        return blob.command(self.port, root / "azurite")

    def create(self) -> None:
        url = f"http://127.0.0.1:{self.port}/{self.account}"
        self.client = ContainerClient(url, "audit", credential=self.key)
        self.client.create_container()

    def segments(self, prefix: str) -> list[str]:
        return list(self.client.list_blob_names(name_starts_with=prefix))

    def options(self, url: str) -> list[str]:
        return [
            f"azure_storage_endpoint={url}/{self.account}", "azure_allow_http=true",
            f"azure_storage_account_name={self.account}", f"azure_storage_account_key={self.key}",
        ]


@pytest.fixture
def store(tmp_path, request):
    server = request.param(tmp_path)
    yield server
    server.stop()


@pytest.mark.parametrize("store", [S3, Azure], indirect=True)
def test_segments_in_an_object_store_survive_its_absence(tmp_path, store, long):
    proxy = Proxy(store.port)
    settings = store.settings(proxy.port, "a/b") | {"ATTESTARY__STORE__SEAL_BYTES_MAX": str(1 << 20)}
    data, acks = tmp_path / "data", faults.Acks()
    server = faults.Served(data, settings)
    assert server.url, server.said
    keys = server.keys()
    stop, threads = faults.loaded(server.url, keys["ingest"], acks)
    harness.until("segments in the bucket", lambda: len(store.segments("a/b/segments/")) >= 2)
    assert not list((data / "segments").glob("*.parquet")), "nothing is sealed into the data directory"

    for _ in range(5 if long else 2):
        # In the middle of an upload, as far as that can be aimed at: bytes have just passed.
        passed = proxy.passed
        harness.until("traffic", lambda: proxy.passed > passed)
        proxy.cut()
        before = len(acks.receipts)
        harness.until("intake goes on without the store", lambda: len(acks.receipts) > before + 100)
        proxy.mend()
        sealed = len(store.segments("a/b/segments/"))
        harness.until("sealing goes on by itself", lambda: len(store.segments("a/b/segments/")) != sealed)

    # Killed while the store is away, started while it is away: ready again by itself when it is back.
    proxy.cut()
    server.kill()
    stop.set()
    for thread in threads:
        thread.join(30)
    server = faults.Served(data, settings)
    assert server.url, server.said
    proxy.mend()
    wrong = acks.faults(server.url, keys["read"])
    assert not wrong, wrong[:5]
    assert len(acks.receipts) > 500
    code = server.stop()
    assert code == 0, server.said[-5:]

    report = faults.fsck(data, settings)
    assert report["findings"] == [] or all(f["severity"] == "note" for f in report["findings"]), report["findings"][:5]
    assert report["segments"] >= 1
    backed_up_and_restored(tmp_path, data, settings, store.settings(store.port, "restored"))


def backed_up_and_restored(root: pathlib.Path, data: pathlib.Path, settings: dict, elsewhere: dict) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}

    def command(variables: dict, *arguments: object) -> str:
        done = subprocess.run(
            [harness.binary(), *map(str, arguments)], env=clean | variables, capture_output=True, text=True, timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    taken = command(settings, "backup", root / "backup", "--data", data)
    restored = command(elsewhere, "restore", root / "backup", root / "copy")
    assert taken.rsplit("roots ", 1)[1] == restored.rsplit("roots ", 1)[1]
    assert faults.fsck(root / "copy", elsewhere)["findings"] == []


@pytest.mark.parametrize("store", [S3], indirect=True)
def test_the_wrong_place_is_refused(tmp_path, store):
    data = tmp_path / "data"
    settings = store.settings(store.port, "one")
    server = faults.Served(data, settings)
    stop, threads = faults.loaded(server.url, server.keys()["ingest"], faults.Acks())
    harness.until("segments in the bucket", lambda: store.segments("one/segments/"))
    stop.set()
    for thread in threads:
        thread.join(30)
    server.stop()
    server = faults.Served(data, store.settings(store.port, "two"))
    assert not server.url
    assert any("not where segments are configured to be" in line for line in server.said), server.said

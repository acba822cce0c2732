"""The anchor log before others: a C2SP witness that is not ours, OpenSSL as time-stamping authority, a bucket with locks."""

import base64
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import zipfile

import pytest
import requests

import faults
import harness
import objects
import test_witness

EPOCH_SECONDS = "1"


def program(*arguments: object, folder: pathlib.Path) -> str:
    done = subprocess.run([str(part) for part in arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


class Authority:
    """A time-stamping authority: `openssl ts -reply` behind a small HTTP server."""

    CONFIG = """
[ req ]
distinguished_name = dn
[ dn ]
[ ext ]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ tsa ]
default_tsa = tsa1
[ tsa1 ]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""

    def __init__(self, folder: pathlib.Path):
        folder.mkdir()
        self.folder = folder
        (folder / "tsa.cnf").write_text(self.CONFIG)
        (folder / "serial").write_text("01\n")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
                     "-subj", "/CN=ca")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=tsa")
        self.openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                     "-extfile", "tsa.cnf", "-extensions", "ext", "-out", "tsa.pem")
        self.failing = False
        self.asked = 0
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                assert self.headers["content-type"] == "application/timestamp-query"
                (folder / "query.tsq").write_bytes(self.rfile.read(int(self.headers["content-length"])))
                authority.asked += 1
                if authority.failing:
                    self.send_response(503)
                    self.end_headers()
                    return
                authority.openssl("ts", "-reply", "-config", "tsa.cnf", "-section", "tsa1", "-queryfile", "query.tsq",
                                  "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply.tsr")
                reply = (folder / "reply.tsr").read_bytes()
                self.send_response(200)
                self.send_header("content-type", "application/timestamp-reply")
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def openssl(self, *arguments: str) -> str:
        return program("openssl", *arguments, folder=self.folder)

    def verifies(self, stamp: bytes, text: bytes) -> bool:
        (self.folder / "stamp.tsr").write_bytes(stamp)
        (self.folder / "text").write_bytes(text)
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-data", "text", "-in", "stamp.tsr", "-CAfile", "ca.pem", "-untrusted", "tsa.pem"],
            cwd=self.folder, capture_output=True, text=True, timeout=60,
        )
        return done.returncode == 0 and "Verification: OK" in done.stdout + done.stderr

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def independent() -> pathlib.Path:
    """Returns the folder of the other witness's programs; they are installed once."""
    requirements = harness.ROOT / "e2e/witness"
    files = [requirements / name for name in ("requirements.txt", "requirements-hashed.txt")]
    stamp = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    cache = pathlib.Path(os.environ.get("ATTESTARY_CACHE", pathlib.Path.home() / ".cache/attestary"))
    folder = cache / f"venv-witness-{stamp}"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
        pip = [folder / "bin/pip", "install", "--quiet"]
        subprocess.run([*pip, "--requirement", files[0]], check=True, timeout=300)
        strict = ["--no-deps", "--ignore-requires-python", "--require-hashes"]
        subprocess.run([*pip, *strict, "--requirement", files[1]], check=True, timeout=300)
        (folder / "ready").touch()
    return folder / "bin"


class Independent:
    """`aics-witness`: a C2SP witness by others."""

    def __init__(self, folder: pathlib.Path, origin: str, vkey: str):
        folder.mkdir()
        self.folder, self.program = folder, independent() / "aics-witness"
        self.port = harness.free_port()
        program(self.program, "init", "--name", "independent.example.com", "--listen", f"127.0.0.1:{self.port}", folder=folder)
        program(self.program, "add-log", "--origin", origin, "--vkey", vkey, folder=folder)
        status = json.loads(program(self.program, "status", "--json", folder=folder))
        self.key = status["witness"]["vkey"] if "witness" in status else status["vkey"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self.output = open(self.folder / "output", "ab")
        self.process = subprocess.Popen([self.program, "serve"], cwd=self.folder, stdout=self.output, stderr=self.output)
        harness.until("the other witness answers", self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "output").read_text()
        try:
            return requests.get(self.url, timeout=5).status_code < 600
        except requests.ConnectionError:
            return False

    def evidence(self) -> str:
        return program(self.program, "evidence", folder=self.folder)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(harness.PATIENCE_SECONDS)
        self.output.close()


class Ours(test_witness.Witness):
    """`attestary witness serve` for one key."""

    class _Key:
        def __init__(self, vkey: str):
            self._vkey = vkey

        def vkey(self) -> str:
            return self._vkey

    def __init__(self, folder: pathlib.Path, vkey: str):
        super().__init__(folder, [self._Key(vkey)])


class Server:
    """`attestary serve` with witnesses, a time-stamping authority and a bucket."""

    def __init__(self, data: pathlib.Path, **settings: object):
        variables = {"ATTESTARY__ANCHORS__EPOCH_SECONDS": EPOCH_SECONDS, "ATTESTARY__DELIVERY__LOOPBACK": "true"}
        variables |= {f"ATTESTARY__ANCHORS__{name.upper()}": str(value) for name, value in settings.items()}
        self.served = faults.Served(data, variables)
        assert self.served.url, self.served.said
        self.url = self.served.url
        self.keys = self.served.keys()

    def get(self, path: str, **rest) -> requests.Response:
        return requests.get(f"{self.url}/v1/{path}", headers={"authorization": f"Bearer {self.keys['read']}"}, timeout=60, **rest)

    def anchor(self) -> dict:
        return self.get("anchor").json()

    def submit(self, count: int) -> None:
        event = {"tenant": "acme", "action": "document.opened", "actor": {"id": "u1"}}
        reply = requests.post(f"{self.url}/v1/events", json=[event] * count, timeout=60,
                              headers={"authorization": f"Bearer {self.keys['ingest']}"})
        assert reply.status_code == 201, reply.text

    def command(self, key: str, *arguments: object) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
        environment |= {"ATTESTARY_URL": self.url, "ATTESTARY_KEY": self.keys[key]}
        arguments = [harness.binary(), *map(str, arguments)]
        return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120)

    def verify(self, trust: pathlib.Path, state: pathlib.Path, what: object = None) -> subprocess.CompletedProcess:
        what = what or f"{self.url}/v1/tenants/acme"
        return self.command("read", "verify", what, "--trust", trust, "--state", state)

    def export(self, place: pathlib.Path) -> None:
        done = self.command("export", "export", "--tenant", "acme", "--format", "evidence", "--output", place)
        assert done.returncode == 0, done.stdout + done.stderr

    def anchored(self, more: int = 1) -> dict:
        """Waits until so many further epochs are anchored."""
        goal = (self.anchor()["anchored"] or 0) + more

        def reached() -> dict | None:
            now = self.anchor()
            return now if (now["anchored"] or 0) >= goal else None
        return harness.until("epochs are anchored", reached)

    def stop(self) -> None:
        assert self.served.stop() == 0


def a_receipt_with_its_anchor(server: Server, trust: pathlib.Path, folder: pathlib.Path) -> None:
    """A receipt against a trust file that demands an anchor: with slot proof and head it is decided, without it is not."""
    event = {"tenant": "acme", "action": "document.signed", "actor": {"id": "u1"}}
    reply = requests.post(f"{server.url}/v1/events", json=event, params={"receipt": "full", "wait": "proof"}, timeout=60,
                          headers={"authorization": f"Bearer {server.keys['ingest']}"})
    assert reply.status_code == 201, reply.text
    receipt, slot, head = (folder / name for name in ("receipt.json", "slot", "head"))
    receipt.write_bytes(reply.content)
    size = int(reply.json()["proof"].split("\n\n", 1)[1].split("\n")[1])
    old = server.get("tenants/acme/slot-proof").text
    server.anchored(2)
    slot.write_text(server.get("tenants/acme/slot-proof").text)
    epoch = slot.read_text().split("\nepoch ", 1)[1].split("\n")[0]
    head.write_text(server.get("tenants/acme/head", params={"epoch": epoch, "size": size}).text)

    def check(*more: object) -> tuple[int, str]:
        done = server.command("read", "receipt", "check", receipt, "--trust", trust, *more)
        return done.returncode, done.stdout + done.stderr

    anchor = ("--slot-proof", slot, "--head", head)
    code, said = check(*anchor)
    assert code == 0 and "stood at slot" in said, said
    told = json.loads(check(*anchor, "--json")[1])
    assert {step["outcome"] for step in told["steps"]} == {"passed"}, told
    code, said = check()
    assert code == 2 and "give its slot proof" in said, said
    # A slot proof of another epoch than the head's, one of a changed slot, one that is cut, and nonsense.
    whole = slot.read_text()
    number = next(line for line in whole.splitlines() if line.startswith("slot "))
    for spoiled in (old, whole.replace(number, f"slot {int(number[5:]) + 1}"), whole[:200], "nonsense"):
        slot.write_text(spoiled)
        code, said = check(*anchor)
        assert code != 0 and any(mark in said for mark in ("FAIL", "??")), (spoiled, said)
    slot.write_text(whole)
    grown = head.read_text()
    head.write_text("nonsense")
    assert check(*anchor)[0] != 0
    head.write_text(grown)
    receipt.write_text(reply.text.replace("document.signed", "document.opened"))
    code, said = check(*anchor)
    assert code == 1 and "payload" in said, said


@pytest.fixture
def anchor_key(tmp_path) -> tuple[pathlib.Path, str, str]:
    """A data directory that has its keys, and name and key of its anchor log."""
    server = Server(tmp_path / "data")
    found = server.anchor()
    server.stop()
    return tmp_path / "data", found["origin"], found["verifier_key"]


def test_witnesses_authority_and_bucket_confirm_epochs_and_a_fork_is_refused(tmp_path, anchor_key):
    data, origin, vkey = anchor_key
    other = Independent(tmp_path / "other", origin, vkey)
    ours = Ours(tmp_path / "ours", vkey)
    authority = Authority(tmp_path / "tsa")
    store = objects.S3(tmp_path / "s3")
    try:
        store.bucket("anchors", lock=True)
        bucket = tmp_path / "bucket.json"
        bucket.write_text(json.dumps(store.config("anchors", prefix="log", object_lock={"mode": "compliance", "days": 3})))
        policy = tmp_path / "policy"
        policy.write_text(
            f"witness other {other.key} {other.url}\nwitness ours {ours.key} {ours.url}\ngroup both all other ours\nquorum both\n"
        )
        settings = {"witnesses_file": policy, "stamp_url": authority.url, "stamp_seconds": 1, "bucket_file": bucket, "bucket_seconds": 1}
        server = Server(data, **settings)
        server.submit(20)
        now = server.anchored(3)
        assert now["unwitnessed_since"] is None and [w["refused"] for w in now["witnesses"]] == [None, None], now

        # Both cosignatures hold before code that is not ours, and the verifier demands them.
        note = server.get("anchor/checkpoint").text
        text, signatures = note.split("\n\n")
        cosigned = [line for line in signatures.splitlines() if " independent.example.com " in line]
        assert len(cosigned) == 1 and len(signatures.splitlines()) == 3, note
        ours.check(text + "\n", next(line for line in signatures.splitlines() if " witness.example.com " in line) + "\n")
        trust = tmp_path / "trust"
        trust.write_text(server.get("tenants/acme/trust").text)
        assert "quorum both" in trust.read_text() and f"#attestary anchor {origin}" in trust.read_text()
        done = server.verify(trust, tmp_path / "state")
        assert done.returncode == 0 and "stood at slot" in done.stdout, done.stdout + done.stderr

        # OpenSSL verifies the time-stamp of the checkpoint's text, and of nothing else.
        stamp = server.get("anchor/stamp")
        assert stamp.status_code == 200, stamp.text
        covered = base64.b64decode(stamp.headers["attestary-stamped-text"])
        assert covered.decode().startswith(f"{origin}\n")
        assert authority.verifies(stamp.content, covered) and not authority.verifies(stamp.content, covered + b"x")

        a_receipt_with_its_anchor(server, trust, tmp_path)
        said = server.command("read", "anchor")
        assert said.returncode == 0 and origin in said.stdout and '"name":"ours"' in said.stdout, said.stdout + said.stderr
        told = json.loads(server.command("read", "anchor", "--json").stdout)
        assert told["origin"] == origin and told["anchored"] >= now["anchored"]
        assert server.command("ingest", "anchor").returncode == 4, "the key may not read"

        # Evidence takes the newest stamp along: verify ties it to the log, OpenSSL checks it out of the archive.
        server.export(tmp_path / "acme.zip")
        done = server.verify(trust, tmp_path / "state", tmp_path / "acme.zip")
        assert done.returncode == 0 and "a time-stamp of 20" in done.stdout, done.stdout + done.stderr
        with zipfile.ZipFile(tmp_path / "acme.zip") as archive:
            assert authority.verifies(archive.read("stamp/reply"), archive.read("stamp/text"))

        # The bucket holds checkpoints that nobody can remove before their time.
        key = harness.until("a checkpoint is in the bucket", lambda: store.keys("anchors"))[-1]
        kept = store.client.get_object(Bucket="anchors", Key=key)
        assert kept["ObjectLockMode"] == "COMPLIANCE" and kept["Body"].read().decode().startswith(f"{origin}\n")
        assert key == f"log/anchor/{int(key[-24:-4]):020}.txt"

        # Silence of one of two: epochs go on, marked; intake goes on too.
        other.stop()
        harness.until("the alarm is raised", lambda: server.anchor()["unwitnessed_since"] is not None)
        server.submit(5)
        metrics = requests.get(f"{server.url}/metrics", timeout=30).text
        assert "attestary_epochs_unwitnessed 0" not in metrics and 'attestary_witness_failures_total{witness="other"}' in metrics
        other.start()
        harness.until("the alarm is over", lambda: server.anchor()["unwitnessed_since"] is None)

        def alarms():
            data = server.get("events", params={"tenant": "_audit", "limit": 1000, "order": "asc"}).json()["data"]
            return [event["metadata"]["operation"] for event in data if event["action"] == "attestary.gap"]

        # The end of the alarm shows before its event is stored.
        harness.until("both are recorded", lambda: alarms() == ["anchor.unwitnessed", "anchor.witnessed"])

        # A copy of everything, register included, goes its own way: the witnesses refuse it.
        server.stop()
        shutil.copytree(data, tmp_path / "copy")
        server = Server(data, **settings)
        server.submit(3)
        server.anchored(2)
        assert server.verify(trust, tmp_path / "state").returncode == 0
        server.stop()
        forked = Server(tmp_path / "copy", **settings)
        forked.submit(4)
        before = forked.anchor()["anchored"]
        def refused() -> dict | None:
            now = forked.anchor()
            return now if all(witness["refused"] for witness in now["witnesses"]) else None
        now = harness.until("both witnesses refuse", refused)
        assert all("another history" in witness["refused"] for witness in now["witnesses"]), now
        harness.until("epochs go on", lambda: forked.anchor()["epochs"] > now["epochs"] + 2)
        assert forked.anchor()["anchored"] == before
        # Whoever verified the real log sees that this one is another.
        done = forked.verify(trust, tmp_path / "state")
        assert done.returncode == 1 and any("FAIL" in line and "history" in line for line in done.stdout.splitlines()), done.stdout
        forked.stop()
    finally:
        for part in (other, ours, authority, store):
            part.stop()


def test_an_authority_that_fails_or_lies_gives_no_stamp(tmp_path, anchor_key):
    data, _, _ = anchor_key
    authority = Authority(tmp_path / "tsa")
    try:
        authority.failing = True
        server = Server(data, stamp_url=authority.url, stamp_seconds=1)
        server.submit(1)
        now = harness.until("the failure is shown", lambda: (now := server.anchor())["stamp_failed"] and now)
        assert now["stamp"] is None and "503" in now["stamp_failed"], now
        assert server.get("anchor/stamp").status_code == 404
        authority.failing = False
        now = harness.until("a stamp is had", lambda: (now := server.anchor())["stamp"] and now)
        assert now["stamp_failed"] is None and now["stamp"]["time"].endswith("Z")
        server.stop()
    finally:
        authority.stop()

"""Our witness before a log and a verifier that are not ours: trees, notes and cosignatures are made and checked here, from
the C2SP texts alone, with Ed25519 by the `cryptography` package."""

import base64
import hashlib
import json
import signal
import subprocess
import time

import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import harness

ORIGIN = "log.example.com/anchor"


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def split(count: int) -> int:
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return sha256(b"\x00", leaves[0]) if leaves else sha256()
    half = split(len(leaves))
    return sha256(b"\x01", root(leaves[:half]), root(leaves[half:]))


def consistency(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    half = split(len(leaves))
    if old <= half:
        return consistency(old, leaves[:half], whole) + [root(leaves[half:])]
    return consistency(old - half, leaves[half:], False) + [root(leaves[:half])]


class Log:
    """A log that signs whatever it is told to."""

    def __init__(self, origin: str = ORIGIN, salt: bytes = b""):
        self.origin, self.salt = origin, salt
        self.key = Ed25519PrivateKey.from_private_bytes(sha256(origin.encode()))
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = sha256(origin.encode(), b"\n\x01", self.public)[:4]

    def vkey(self) -> str:
        key = base64.b64encode(b"\x01" + self.public).decode()
        return f"{self.origin}+{self.id.hex()}+{key}"

    def leaves(self, size: int) -> list[bytes]:
        return [self.salt + number.to_bytes(8, "big") for number in range(size)]

    def text(self, size: int) -> str:
        return f"{self.origin}\n{size}\n{base64.b64encode(root(self.leaves(size))).decode()}\n"

    def note(self, size: int, key: Ed25519PrivateKey | None = None) -> str:
        text = self.text(size)
        signature = (key or self.key).sign(text.encode())
        return f"{text}\n\u2014 {self.origin} {base64.b64encode(self.id + signature).decode()}\n"

    def request(self, old: int, size: int, **more) -> str:
        hashes = consistency(old, self.leaves(size)) if 0 < old <= size else []
        lines = "".join(base64.b64encode(one).decode() + "\n" for one in hashes)
        return f"old {old}\n{lines}\n{self.note(size, **more)}"


class Witness:
    def __init__(self, folder, logs: list[Log]):
        self.folder, self.logs = folder, logs
        self.start()

    def start(self) -> None:
        arguments = ["witness", "serve", "--data", self.folder, "--name", "witness.example.com", "--listen", "127.0.0.1:0", "--json"]
        for log in self.logs:
            arguments += ["--log", log.vkey()]
        self.process = subprocess.Popen([harness.binary(), *arguments], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        facts = json.loads(self.process.stdout.readline())
        self.url, self.key = facts["url"], facts["key"]

    def stop(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(harness.PATIENCE_SECONDS)
        self.process.stdout.close()

    def add(self, body: str | bytes) -> requests.Response:
        return requests.post(f"{self.url}/add-checkpoint", data=body.encode() if isinstance(body, str) else body, timeout=30)

    def check(self, text: str, lines: str) -> int:
        """Verifies a cosignature after C2SP tlog-cosignature; returns its time."""
        name, identity, key = self.key.split("+", 2)
        kind, public = base64.b64decode(key)[:1], base64.b64decode(key)[1:]
        assert kind == b"\x04" and sha256(name.encode(), b"\n", kind, public)[:4].hex() == identity
        (line,) = lines.splitlines()
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        assert (dash, signer, blob[:4].hex()) == ("\u2014", name, identity)
        when = int.from_bytes(blob[4:12], "big")
        message = f"cosignature/v1\ntime {when}\n{text}".encode()
        Ed25519PublicKey.from_public_bytes(public).verify(blob[12:], message)
        with pytest.raises(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(public).verify(blob[12:], message + b"x")
        return when


@pytest.fixture
def witness(tmp_path):
    running = Witness(tmp_path / "witness", [Log()])
    yield running
    running.stop()


def test_a_growing_log_is_cosigned_and_a_fork_is_refused_also_after_a_kill(witness):
    log, fork = Log(), Log(salt=b"fork")
    known = 0
    for size in [0, 1, 5, 5, 8, 300]:
        reply = witness.add(log.request(known, size))
        assert reply.status_code == 200, reply.text
        assert abs(witness.check(log.text(size), reply.text) - time.time()) < 300
        known = size
    witness.stop()
    witness.start()
    # It remembers: another old size is a conflict that names the size, and another history is refused.
    reply = witness.add(log.request(8, 301))
    assert (reply.status_code, reply.text, reply.headers["content-type"]) == (409, "300\n", "text/x.tlog.size")
    assert witness.add(fork.request(300, 300)).status_code == 422
    assert witness.add(fork.request(300, 301)).status_code == 422
    assert (witness.folder / "forks").is_dir() and len(list((witness.folder / "forks").iterdir())) == 1
    assert witness.add(log.request(300, 301)).status_code == 200
    kept = requests.get(f"{witness.url}/{sha256(ORIGIN.encode()).hex()}/checkpoint", timeout=30)
    assert kept.status_code == 200 and kept.text.startswith(log.text(301) + "\n")
    witness.check(log.text(301), kept.text.splitlines(keepends=True)[-1])


def test_other_requests_have_their_own_answers(witness):
    log = Log()
    assert witness.add(log.request(0, 10)).status_code == 200
    assert witness.add(Log("other.example.com/log").request(0, 5)).status_code == 404
    assert witness.add(log.request(10, 11, key=Ed25519PrivateKey.from_private_bytes(b"7" * 32))).status_code == 403
    bad = log.request(10, 20).split("\n")
    assert len(bad[1]) == 44
    assert witness.add("\n".join([bad[0], base64.b64encode(b"x" * 32).decode(), *bad[2:]])).status_code == 422
    assert witness.add("\n".join([bad[0], *bad[2:]])).status_code == 422
    assert witness.add(log.request(12, 11)).status_code == 400
    for body in ["", "old 10\n", "old ten\n\n", log.request(10, 11)[:-1], b"\xff" * 100]:
        assert witness.add(body).status_code == 400, body
    assert witness.add(b"x" * 1_000_000).status_code == 413
    for path in ["/", "/xyz/checkpoint", f"/{'0' * 64}/checkpoint"]:
        assert requests.get(witness.url + path, timeout=30).status_code == 404
    # None of it moved the log.
    assert witness.add(log.request(10, 11)).status_code == 200


def test_two_witnesses_never_share_a_book(witness):
    arguments = ["witness", "serve", "--data", witness.folder, "--name", "w", "--listen", "127.0.0.1:0", "--log", Log().vkey()]
    done = subprocess.run([harness.binary(), *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "another witness" in done.stderr, done.stderr

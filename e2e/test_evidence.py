"""Evidence as an auditor gets it: bundles, folders of tiles, servers, proof files and receipts, checked by the command
and by the offline page in a real browser."""

import functools
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

import harness

PAGE = harness.ROOT / "docs/verify.html"


class Auditor:
    """Somebody who has the program, the trust file and a state file, and no data directory."""

    def __init__(self, folder: pathlib.Path, attestary: harness.Attestary):
        self.folder, self.state, self.trust = folder, folder / "heads", folder / "acme.trust"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
        self.environment |= {"ATTESTARY_URL": attestary.url, "ATTESTARY_KEY": attestary.facts["read_key"], "HOME": str(folder)}

    def run(self, *arguments: object) -> subprocess.CompletedProcess:
        arguments = [harness.binary(), *map(str, arguments)]
        return subprocess.run(arguments, capture_output=True, text=True, env=self.environment, timeout=harness.PATIENCE_SECONDS)

    def export(self, tenant: str, name: str, *more: str) -> pathlib.Path:
        place = self.folder / name
        done = self.run("export", "--tenant", tenant, "--format", "evidence", "--output", place, "--trust-out", self.trust, *more)
        assert done.returncode == 0, done.stderr
        return place

    def verify(self, what: object, *more: str) -> tuple[int, str]:
        done = self.run("verify", what, "--trust", self.trust, "--state", self.state, *more)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def auditor(tmp_path, attestary) -> Auditor:
    return Auditor(tmp_path, attestary)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder as any static host does."""

    def log_message(self, *_: object) -> None:
        pass


def fill(attestary: harness.Attestary, first: int, count: int) -> None:
    def event(number: int) -> dict:
        return {
            "tenant": attestary.tenant, "action": "document.opened", "actor": {"type": "user", "id": f"u{number % 7}"},
            "metadata": {"number": number, "big": 9007199254740993},
        }
    for start in range(first, first + count, 1000):
        attestary.submit([event(number) for number in range(start, min(start + 1000, first + count))])


def mirror(attestary: harness.Attestary, folder: pathlib.Path) -> int:
    """Copies a log's files as any C2SP mirror does, and returns its size."""
    def fetch(path: str) -> bytes:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(attestary.call("GET", f"/v1/tenants/{attestary.tenant}/{path}", key="read_key", expect=200).content)
        return place.read_bytes()
    size = int(fetch("checkpoint").split(b"\n")[1])
    nodes, level = size, 0
    while nodes:
        for index in range(-(-nodes // 256)):
            width = min(256, nodes - 256 * index)
            name = f"{index:03}" + ("" if width == 256 else f".p/{width}")
            fetch(f"tile/{level}/{name}")
            if level == 0:
                fetch(f"tile/entries/{name}")
        nodes, level = nodes // 256, level + 1
    return size


# seeds: WO-05 WO-09
def test_a_bundle_is_verified_by_the_command_and_refused_when_a_byte_differs(attestary, auditor):
    fill(attestary, 0, 1300)
    bundle = auditor.export(attestary.tenant, "acme.zip", "--prefix", "CASE7")
    code, said = auditor.verify(bundle, "--require-complete")
    assert code == 0 and "the whole log" in said, said
    assert said.count("ok") >= 13, said
    good, flipped = bundle.read_bytes(), auditor.folder / "flipped.zip"
    for at in range(7, len(good), len(good) // 40):
        flipped.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1:])
        code, said = auditor.verify(flipped)
        assert code == 1 and "FAIL" in said, (at, said)
    report = json.loads(auditor.run("verify", bundle, "--trust", auditor.trust, "--no-state", "--json").stdout)
    assert report["exit"] == 0 and len(report["steps"]) == 13 and report["events"] > 1300
    (auditor.folder / "nonsense.trust").write_text("trust me\n")
    done = auditor.run("verify", bundle, "--trust", auditor.folder / "nonsense.trust", "--no-state")
    assert done.returncode == 2, done.stdout
    # A selection is genuine and says that it is one.
    auditor.trust.unlink()
    part = auditor.export(attestary.tenant, "part.zip", "--filter", "actor.id:u3")
    assert auditor.verify(part)[0] == 0
    code, said = auditor.verify(part, "--require-complete")
    assert code == 2 and "selection" in said


def test_the_offline_page_accepts_the_bundle_of_a_server(attestary, auditor):
    node, modules = shutil.which("node"), os.environ.get("NODE_PATH", "")
    if not node or not shutil.which("chromium") or not (pathlib.Path(modules) / "playwright-core").is_dir():
        pytest.skip("needs node, playwright-core and chromium")
    fill(attestary, 0, 600)
    cases = auditor.folder / "cases"
    cases.mkdir()
    good = auditor.export(attestary.tenant, "good.zip").read_bytes()
    for name, bundle, step in [("good", good, None), ("flipped", good[:-40] + bytes([good[-40] ^ 1]) + good[-39:], 0)]:
        (cases / f"{name}.zip").write_bytes(bundle)
        shutil.copy(auditor.trust, cases / f"{name}.trust")
        (cases / f"{name}.json").write_text(json.dumps({"what": name, "step": step, "now_ms": 1_795_400_000_000}))
    done = subprocess.run(
        [node, harness.ROOT / "tests/oracles/page/corpus.mjs", PAGE, cases], capture_output=True, text=True, timeout=120,
        env={**os.environ, "CASES_MIN": "2"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


# seeds: WO-09
def test_a_server_a_folder_and_a_proof_are_verified_and_a_rollback_is_refused(attestary, auditor):
    fill(attestary, 0, 700)
    url = f"{attestary.url}/v1/tenants/{attestary.tenant}"
    auditor.trust.write_bytes(attestary.call("GET", f"/v1/tenants/{attestary.tenant}/trust", key="read_key").content)
    older = auditor.folder / "older"
    old_size = mirror(attestary, older)
    code, said = auditor.verify(older)
    assert code == 0 and f"{old_size} entries" in said, said
    fill(attestary, 700, 300)
    code, said = auditor.verify(url)
    assert code == 0 and "1 known checkpoints agree" in said, said
    # A copy that is older than what was seen cannot be decided; a server that shows it has lost events.
    assert auditor.verify(older)[0] == 2
    handler = functools.partial(Quiet, directory=str(older))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        code, said = auditor.verify(f"http://127.0.0.1:{server.server_port}")
        assert code == 1 and "events are gone" in said, said
        # A fork: the remembered root is another one.
        size, _, origin = auditor.state.read_text().strip().split(" ", 2)
        auditor.state.write_text(f"300 {'ab' * 32} {origin}\n")
        code, said = auditor.verify(url)
        assert code == 1 and "fork" in said, said
        auditor.state.unlink()
    finally:
        server.shutdown()
    tile = older / "tile/entries/000"
    changed = bytearray(tile.read_bytes())
    changed[777] ^= 1
    tile.write_bytes(changed)
    code, said = auditor.verify(older)
    assert code == 1 and "entries" in said, said
    event = attestary.events(attestary.tenant)[-1]
    proof = attestary.call("GET", f"/v1/events/{event['id']}/proof", key="read_key", params={"tenant": attestary.tenant}).content
    (auditor.folder / "event.tlog-proof").write_bytes(proof)
    assert auditor.verify(auditor.folder / "event.tlog-proof")[0] == 0
    (auditor.folder / "event.tlog-proof").write_bytes(proof.replace(b"index ", b"index 1"))
    assert auditor.verify(auditor.folder / "event.tlog-proof")[0] == 1
    # Without a key the server says no: nothing is decided.
    auditor.environment["ATTESTARY_KEY"] = "wrong"
    assert auditor.verify(url)[0] == 2


def test_a_submitter_checks_its_receipt(attestary, auditor):
    fill(attestary, 0, 10)
    event = {"tenant": attestary.tenant, "action": "a.b", "actor": {"id": "u"}, "metadata": {"exact": 1.50, "big": 9007199254740993}}
    reply = attestary.call(
        "POST", "/v1/events", key="ingest_key", params={"receipt": "full", "wait": "proof"}, json=event, expect=201,
    )
    receipt = auditor.folder / "receipt.json"
    receipt.write_bytes(reply.content)
    auditor.trust.write_bytes(attestary.call("GET", f"/v1/tenants/{attestary.tenant}/trust", key="read_key").content)
    done = auditor.run("receipt", "check", receipt, "--trust", auditor.trust)
    assert done.returncode == 0, done.stdout + done.stderr
    assert auditor.run("receipt", "check", receipt).returncode == 2, "nobody knows whose signature it is"
    for change in [("9007199254740993", "9007199254740992"), ('"seq":', '"seq":1'), ('"seed":"', '"seed":"0')]:
        receipt.write_text(reply.text.replace(*change, 1))
        assert auditor.run("receipt", "check", receipt, "--trust", auditor.trust).returncode == 1, change
    receipt.write_text(json.dumps(json.loads(reply.text) | {"entry": None}))
    assert auditor.run("receipt", "check", receipt, "--trust", auditor.trust).returncode == 2

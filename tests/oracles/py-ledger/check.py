"""Checks a whole log of the ledger crate with aics-tlog (PyPI), a verifier that this project did not write.

It reads tiles, bundles and signed checkpoints as any client would: signature and cosignature of the checkpoint, the
tiles against it, one entry's inclusion, the consistency with an older checkpoint. Then it must refuse a changed entry, a
changed tile, a changed checkpoint and a quorum that is not reached. Exits 1 at a difference, 2 when the tool is missing.

    cargo run -p attestary-ledger --example ledger_vectors -- FOLDER --log
    python tests/oracles/py-ledger/check.py FOLDER
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

INDEX = 69_000
ENTRY_BYTES = 88


def run(arguments):
    """Returns the exit status and the verdict that the tool printed."""
    done = subprocess.run([sys.executable, "-m", "aics_tlog", *map(str, arguments)], capture_output=True, text=True)
    try:
        return done.returncode, json.loads(done.stdout)
    except json.JSONDecodeError:
        sys.exit(f"no verdict: {done.stderr}")


def check(name, expected, arguments, **members):
    """Compares a verdict and some of its members; ends the script at a difference."""
    status, verdict = run(arguments)
    same = all(verdict.get(member) == value for member, value in members.items())
    if (status == 0) != expected or verdict["ok"] != expected or not same:
        sys.exit(f"FAILED: {name}: {verdict}")
    print(f"{name}: ok")


def flipped(log, path, offset):
    """Returns a copy of the log with one bit of one file flipped."""
    copy = Path(tempfile.mkdtemp(dir=log.parent)) / "log"
    shutil.copytree(log, copy)
    content = bytearray((copy / path).read_bytes())
    content[offset] ^= 1
    (copy / path).write_bytes(content)
    return copy


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check.py FOLDER")
    if importlib.util.find_spec("aics_tlog") is None:
        print("aics-tlog is not installed", file=sys.stderr)
        sys.exit(2)
    folder = Path(sys.argv[1])
    log = folder / "log"
    key = (log / "vkey").read_text()
    witness = json.loads((folder / "keys.json").read_text())["cosigner"]["vkey"]
    bundle = (log / f"tile/entries/{INDEX // 256}").read_bytes()
    start = INDEX % 256 * (2 + ENTRY_BYTES) + 2
    entry, other = folder / "entry", folder / "other-entry"
    entry.write_bytes(bundle[start:start + ENTRY_BYTES])
    other.write_bytes(bundle[start:start + ENTRY_BYTES - 1] + b"x")

    def tiles(of):
        return ["--tiles", of, "--log-key", key]

    def inclusion(leaf):
        return ["--index", INDEX, "--leaf", leaf]

    cosigned = ["--witness-key", witness, "--quorum", 1]
    check("checkpoint", True, ["verify-checkpoint", *tiles(log), *cosigned], size=70_000, cosignatures=1)
    check("inclusion", True, ["verify-inclusion", *tiles(log), *inclusion(entry)], proof_length=14)
    older = ["--old-checkpoint", log / "prev/67000"]
    check("consistency", True, ["verify-consistency", *tiles(log), *older], old_size=67_000, proof_length=12)

    check("changed entry", False, ["verify-inclusion", *tiles(log), *inclusion(other)])
    changed = flipped(log, f"tile/0/{INDEX // 256}", 100)
    check("changed tile", False, ["verify-inclusion", *tiles(changed), *inclusion(entry)])
    changed = flipped(log, "checkpoint", 60)
    check("changed checkpoint", False, ["verify-checkpoint", *tiles(changed)])
    alone = ["--witness-key", witness, "--quorum", 2]
    check("one cosigner for a quorum of two", False, ["verify-checkpoint", *tiles(log), *alone])


main()

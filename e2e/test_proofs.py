"""A tenant's log read over HTTP by a verifier that is not ours: Go's checksum-database packages and C2SP formats."""

import os
import pathlib
import shutil
import subprocess

import pytest

import harness

ORACLE = harness.ROOT / "tests/oracles/go-ledger"


@pytest.fixture(scope="module")
def oracle(tmp_path_factory) -> pathlib.Path:
    if not shutil.which("go"):
        pytest.skip("needs Go 1.26 or later")
    program = tmp_path_factory.mktemp("go") / "oracle"
    subprocess.run(["go", "build", "-mod=readonly", "-o", program, "."], cwd=ORACLE, check=True, timeout=600)
    return program


def fill(attestary, count: int) -> None:
    """Imports events; the first thousand of them come as one body that waits for its proofs."""
    def event(number: int) -> dict:
        return {
            "tenant": attestary.tenant, "action": "document.opened", "actor": {"type": "user", "id": f"u{number % 50}"},
            "metadata": {"number": number, "big": 9007199254740993},
        }
    reply = attestary.call(
        "POST", "/v1/events", key="ingest_key", params={"wait": "proof"}, json=[event(n) for n in range(1000)], expect=201,
    )
    assert all(receipt["proof"].startswith("c2sp.org/tlog-proof@v1\n") for receipt in reply.json()["data"])
    for start in range(1000, count, 1000):
        attestary.submit([event(number) for number in range(start, min(start + 1000, count))])


def test_go_verifies_inclusion_and_consistency_over_http(attestary, oracle, long):
    fill(attestary, 1_000_000 if long else 70_000)
    environment = {**os.environ, "ATTESTARY_KEY": attestary.facts["read_key"]}
    done = subprocess.run(
        [oracle, attestary.url, attestary.tenant], env=environment, capture_output=True, text=True, timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "proof files: ok" in done.stdout and "earlier sizes: ok" in done.stdout

"""A contiguity receipt against the tenant's signed checkpoint, by a verifier that shares nothing with the service."""

import json
import subprocess
import sys

import pytest

import harness

TENANT = "acme"
ORACLE = harness.ROOT / "tests/oracles/receipt/check.py"


def event(number):
    return {"tenant": TENANT, "action": "order.placed", "actor": {"type": "user", "id": "u1"}, "metadata": {"number": number}}


def verdict(folder):
    done = subprocess.run([sys.executable, ORACLE, folder], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def held(attestary, webhooks, tmp_path):
    """What a customer holds: what its receiver got, the receipt, and a checkpoint of the log as it went on."""
    hook, folder = webhooks(), tmp_path / "held"
    folder.mkdir()
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(TENANT, name="siem", type="webhook", start="beginning", config={"url": hook.url})
    for first in range(0, 1_000, 250):
        attestary.submit([event(number) for number in range(first, first + 250)])
    path = f"/v1/tenants/{TENANT}/destinations/{made['id']}"
    size = len(attestary.events(TENANT))
    harness.until("everything is delivered", lambda: attestary.call("GET", path, expect=200).json()["cursor"] >= size)
    receipt = harness.until(
        "the receipt speaks for all",
        lambda: (now := attestary.call("GET", f"{path}/receipt", expect=200).json())["count"] == size and now)
    bodies = {body["seq"]: body for body in hook.bodies()}
    # The log grows behind the receipt: its checkpoint is then of another size.
    attestary.submit([event(number) for number in range(1_000, 1_077)])
    read = lambda what, **query: attestary.call(  # noqa: E731
        "GET", f"/v1/tenants/{TENANT}/{what}", key="read_key", params=query, expect=200).text
    checkpoint = read("checkpoint")
    assert int(checkpoint.split("\n")[1]) > size
    (folder / "leaves.txt").write_text("\n".join(bodies[seq]["leaf_hash"] for seq in sorted(bodies)))
    (folder / "receipt.json").write_text(json.dumps(receipt))
    (folder / "checkpoint.txt").write_text(checkpoint)
    (folder / "trust.txt").write_text(read("trust"))
    proof = read("consistency", **{"from": size, "to": int(checkpoint.split("\n")[1])})
    (folder / "consistency.json").write_text(proof)
    return folder


def test_a_receipt_is_verified_against_the_signed_checkpoint(held):
    code, said = verdict(held)
    assert code == 0 and "1001 events are the first 1001 of the 1078" in said, said

    def spoiled(name, change, because):
        path, whole = held / name, (held / name).read_text()
        path.write_text(change(whole))
        code, said = verdict(held)
        path.write_text(whole)
        assert code == 1 and because in said, (name, said)

    def flipped(line):
        return line[:-1] + ("0" if line[-1] != "0" else "1")

    def without(number):
        return lambda text: "\n".join(line for index, line in enumerate(text.split("\n")) if index != number)

    def swapped(text):
        lines = text.split("\n")
        lines[500], lines[501] = lines[501], lines[500]
        return "\n".join(lines)

    def with_members(**members):
        return lambda text: json.dumps(json.loads(text) | members)

    spoiled("leaves.txt", lambda text: "\n".join(flipped(line) if index == 700 else line for index, line in enumerate(text.split("\n"))),
            "another root")
    spoiled("leaves.txt", without(700), "1000 were delivered")
    spoiled("leaves.txt", swapped, "another root")
    spoiled("receipt.json", with_members(count=1000), "does not account")
    spoiled("receipt.json", with_members(root="00" * 32), "another root")
    spoiled("receipt.json", with_members(count=1000, excluded=1), "only a receipt for everything")
    spoiled("checkpoint.txt", lambda text: text.replace("\n1078\n", "\n1079\n"), "signature is wrong")
    spoiled("consistency.json", lambda text: json.dumps({"hashes": json.loads(text)["hashes"][:-1]}), "no continuation")

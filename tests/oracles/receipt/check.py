"""Checks a contiguity receipt of a destination against the tenant's signed checkpoint, with nothing of this project.

What goes in is what a customer holds: the leaf hashes of the events that its receiver got (one in hexadecimal a line, in the
order of their seq), the receipt, the checkpoint, the trust file's `log` line, and the consistency proof between the two sizes.
Signed notes are read as C2SP says, trees as RFC 6962 and RFC 9162 say; Ed25519 is that of `cryptography` (PyPI).

    python check.py FOLDER      leaves.txt receipt.json checkpoint.txt trust.txt consistency.json

Exits 1, with the reason, when something does not fit.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):
    """Something does not fit."""


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves):
    """RFC 6962, section 2.1; the leaves are hashed already."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root(leaves[:split]), root(leaves[split:]))


def consistent(first, second, first_root, second_root, path):
    """RFC 9162, section 2.1.4.2."""
    if first == second:
        return not path and first_root == second_root
    if not 0 < first < second:
        return False
    path = list(path)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for step in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(step, fr), node(step, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, step)
        fn, sn = fn >> 1, sn >> 1
    return fr == first_root and sr == second_root and sn == 0


def opened(note, vkey):
    """Returns size and root of a checkpoint that the key has signed."""
    name, number, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    if key[0] != 1 or hashlib.sha256(f"{name}\n".encode() + key).digest()[:4].hex() != number:
        raise Wrong("the log's key does not fit its number")
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    origin, size, checkpoint = text.split("\n")[:3]
    if origin != name:
        raise Wrong("the checkpoint is of another log")
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        signature = base64.b64decode(signature)
        if dash == "—" and signer == name and signature[:4].hex() == number:
            try:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], text.encode())
            except InvalidSignature:
                raise Wrong("the checkpoint's signature is wrong") from None
            return int(size), base64.b64decode(checkpoint)
    raise Wrong("the log has not signed the checkpoint")


def check(folder):
    leaves = [bytes.fromhex(line) for line in (folder / "leaves.txt").read_text().split()]
    receipt = json.loads((folder / "receipt.json").read_text())
    [vkey] = [line.split(" ")[1] for line in (folder / "trust.txt").read_text().splitlines() if line.startswith("log ")]
    size, signed = opened((folder / "checkpoint.txt").read_text(), vkey)
    length = receipt["to_seq"] + 1 - receipt["from_seq"]
    if receipt["count"] + receipt["excluded"] + receipt["quarantined"] + receipt["lost_to_retention"] != length:
        raise Wrong("the receipt does not account for every event of its range")
    if receipt["from_seq"] != 0 or receipt["count"] != length:
        raise Wrong("only a receipt for everything since seq 0 has the log's own root")
    if len(leaves) != receipt["count"]:
        raise Wrong(f"the receipt speaks for {receipt['count']} events, and {len(leaves)} were delivered")
    mine = root(leaves)
    if mine.hex() != receipt["root"]:
        raise Wrong("what was delivered has another root than the receipt")
    proof = json.loads((folder / "consistency.json").read_text())
    if not consistent(length, size, mine, signed, [base64.b64decode(one) for one in proof["hashes"]]):
        raise Wrong("the signed log is no continuation of what was delivered")
    return f"{length} events are the first {length} of the {size} that the checkpoint signs"


if __name__ == "__main__":
    try:
        print(check(Path(sys.argv[1])))
    except Wrong as wrong:
        sys.exit(f"FAILED: {wrong}")

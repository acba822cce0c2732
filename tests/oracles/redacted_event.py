"""One event, whole and with fields taken away, checked against the published vectors.

Written from the rules in the documentation alone: RFC 6962 leaf, 88-byte entry, salted fields. Standard library only.
"""

import base64
import hashlib
import itertools
import json
import pathlib
import struct
import sys

TYPES = {"s", "n", "t", "f", "z", "o", "a"}


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def field_hash(field: dict) -> bytes:
    """Hash of one field: given for a hidden one, computed for a shown one."""
    if set(field) == {"hash"}:
        return bytes.fromhex(field["hash"])
    pointer, value = field["pointer"].encode(), field["value"].encode()
    assert field["type"] in TYPES
    return sha256(
        b"AEF1", bytes.fromhex(field["salt"]), struct.pack(">H", len(pointer)), pointer,
        field["type"].encode(), struct.pack(">I", len(value)), value,
    )


def fields_hash(fields: list) -> bytes:
    hashes = [field_hash(field) for field in fields]
    return sha256(b"AER1", struct.pack(">H", len(hashes)), *hashes)


def salt(seed: bytes, index: int) -> bytes:
    pair = sha256(b"AES1", seed, struct.pack(">I", index // 2))
    return pair[16 * (index % 2):][:16]


def verify(entry: bytes, fields: list, origin: str) -> bytes:
    """Leaf hash of an entry whose fields these are; raises for any other."""
    if len(entry) != 88 or entry[:4] != b"AEV1" or entry[4:20] != sha256(origin.encode())[:16]:
        raise ValueError("not an entry of this log")
    count, flags = struct.unpack(">HH", entry[52:56])
    shown = [field["pointer"].encode() for field in fields if "pointer" in field]
    if count != len(fields) or flags > 1 or shown != sorted(set(shown)):
        raise ValueError("not the fields of this entry")
    if fields_hash(fields) != entry[56:]:
        raise ValueError("the fields are not those that the entry commits to")
    return sha256(b"\0", entry)


def refused(*arguments) -> bool:
    try:
        verify(*arguments)
    except ValueError:
        return True
    return False


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[2]
    vector = json.loads((root / "crates/ledger/vectors/entry.json").read_text())
    entry, origin = bytes.fromhex(vector["entry"]), vector["origin"]
    members = ("pointer", "salt", "type", "value")
    whole = [{name: field[name] for name in members} for field in vector["fields"]]
    seed = bytes.fromhex(vector["seed"])
    for index, field in enumerate(vector["fields"]):
        assert salt(seed, index).hex() == field["salt"], field["pointer"]
        assert field_hash(whole[index]).hex() == field["hash"], field["pointer"]
    cases = 0
    for mask in itertools.product((False, True), repeat=len(whole)):
        given = [{"hash": field_hash(field).hex()} if hide else field for hide, field in zip(mask, whole)]
        assert verify(entry, given, origin).hex() == vector["leaf_hash"]
        cases += 1
    hidden = {"hash": field_hash(whole[1]).hex()}
    redacted = [whole[0], hidden, *whole[2:]]
    assert base64.b64encode(entry)  # the form in which events.ndjson carries it
    bad = [
        (entry, [{**whole[0], "value": "user.login"}, *redacted[1:]], origin),
        (entry, [{**whole[0], "salt": whole[1]["salt"]}, *redacted[1:]], origin),
        (entry, [{**whole[0], "pointer": "/actions"}, *redacted[1:]], origin),
        (entry, [{**whole[0], "type": "n"}, *redacted[1:]], origin),
        (entry, [redacted[0], {"hash": "00" * 32}, *redacted[2:]], origin),
        (entry, redacted[:-1], origin),
        (entry, [*redacted, hidden], origin),
        (entry, [redacted[1], redacted[0], *redacted[2:]], origin),
        (entry, redacted, origin + "x"),
        (entry[:-1] + bytes([entry[-1] ^ 1]), redacted, origin),
        (entry[:54] + b"\0\2" + entry[56:], redacted, origin),
    ]
    for case in bad:
        assert refused(*case), case[1][0]
    print(f"redacted events: {cases} ways to hide fields give the leaf, {len(bad)} changes are refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())

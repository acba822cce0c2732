"""A person is erased through the command line, and what is said about it is checked with other means than ours: bytes on
disk, the signature and the inclusion proof of the certificate with Python's own hashes and the package cryptography."""

import base64
import hashlib
import json
import pathlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import harness

SECRET = "wendy.darling@example.com"


def holding(data: pathlib.Path) -> list[str]:
    """Returns the files below `data` that hold the secret as it is, but for what a destination of `dev` received."""
    files = (path for path in data.rglob("*") if path.is_file() and path.name != "receiver.log")
    return [str(path) for path in files if SECRET.encode() in path.read_bytes()]


def opened(note: str, keys: dict[bytes, Ed25519PublicKey]) -> str:
    """Returns the text of a signed note; source: C2SP signed-note."""
    text, signatures = note.rsplit("\n\n", 1)
    signed = base64.b64decode(signatures.splitlines()[0].rsplit(" ", 1)[1])
    keys[signed[:4]].verify(signed[4:], (text + "\n").encode())
    return text + "\n"


def keys_of(trust: str) -> dict[bytes, Ed25519PublicKey]:
    """Reads the verifier keys out of a trust file, by their ids."""
    keys = {}
    for line in trust.splitlines():
        for word in line.split():
            parts = word.split("+", 2)
            if len(parts) == 3 and len(parts[1]) == 8:
                public = base64.b64decode(parts[2])
                assert public[0] == 1, "Ed25519"
                keys[bytes.fromhex(parts[1])] = Ed25519PublicKey.from_public_bytes(public[1:])
    assert keys
    return keys


def included(proof: str, keys: dict[bytes, Ed25519PublicKey]) -> bytes:
    """Checks a proof file up to the root of its checkpoint; returns the entry. Source: C2SP tlog-proof, RFC 6962."""
    head, checkpoint = proof.split("\n\n", 1)
    magic, extra, index, *hashes = head.splitlines()
    assert magic == "c2sp.org/tlog-proof@v1"
    entry = base64.b64decode(extra.removeprefix("extra "))
    at = int(index.removeprefix("index "))
    _, size, root = opened(checkpoint, keys).splitlines()[:3]
    last, node = int(size) - 1, hashlib.sha256(b"\0" + entry).digest()
    for sibling in map(base64.b64decode, hashes):
        if at % 2 == 1 or at == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        at, last = at >> 1, last >> 1
    assert last == 0 and node == base64.b64decode(root)
    return entry


def test_an_erased_person_is_on_no_disk_and_the_certificate_proves_it(attestary):
    tenant = attestary.tenant
    attestary.submit([
        {
            "tenant": tenant, "action": "user.login", "actor": {"type": "user", "id": "u_7", "email": SECRET},
            "context": {"ip": "203.0.113.7"}, "metadata": {"n": number},
        }
        for number in range(300)
    ])
    attestary.submit({"tenant": tenant, "action": "doc.read", "actor": {"id": "u_8"}, "metadata": {"by": "somebody"}})
    before = attestary.events(tenant)
    hold = json.loads(attestary.command(
        "holds", "place", tenant, "case 7", "--filter", "metadata.n:5", "--json",
    ).stdout)
    refused = attestary.command("erasures", "request", tenant, "--subject", SECRET, "--legal-basis", "gdpr-17", ok=False)
    assert refused.returncode == 2 and b"--yes" in refused.stderr
    asked = json.loads(attestary.command(
        "erasures", "request", tenant, "--subject", SECRET, "--legal-basis", "gdpr-17", "--yes", "--json",
    ).stdout)

    def state() -> str:
        listed = attestary.command("erasures", "list", tenant, "--json").stdout.decode()
        return json.loads(listed.splitlines()[0])["state"]

    harness.until("the erasure waits for the hold", lambda: state() == "pending")
    assert holding(attestary.data)
    attestary.command("holds", "release", tenant, hold["id"])
    harness.until("the erasure is done", lambda: state() == "done")
    assert holding(attestary.data) == []

    after = attestary.events(tenant)
    assert [event["leaf_hash"] for event in after[:len(before)]] == [event["leaf_hash"] for event in before]
    assert SECRET not in json.dumps(after)
    assert [event["metadata"] for event in after[:len(before)]] == [event.get("metadata") for event in before]

    note = attestary.command("erasures", "certificate", tenant, asked["id"]).stdout.decode()
    trust = attestary.call("GET", f"/v1/tenants/{tenant}/trust", key="read_key", expect=200).text
    keys = keys_of(trust)
    form, origin, document = opened(note, keys).split("\n", 2)
    assert form == "attestary/deletion/v1" and origin in trust
    certificate = json.loads(document)
    assert (certificate["legal_basis"], certificate["events"] >= 300) == ("gdpr-17", True)
    own = [removal for removal in certificate["removals"] if removal["origin"] == origin]
    entry = included(own[0]["proof"], keys)
    assert entry[:4] == b"AEV1" and entry[4:20] == hashlib.sha256(origin.encode()).digest()[:16]
    assert int.from_bytes(entry[20:28], "big") == own[0]["covering_seq"] and entry[54:56] == b"\0\1"
    listed = attestary.call("GET", f"/v1/tenants/{tenant}/removals/{own[0]['removal']}/list", key="read_key", expect=200)
    assert hashlib.sha256(listed.content).hexdigest() == own[0]["list_sha256"]
    covering = next(event for event in after if event["seq"] == own[0]["covering_seq"])
    assert covering["metadata"]["list_sha256"] == own[0]["list_sha256"]


def test_retention_is_set_tried_and_locked_from_the_command_line(attestary):
    tenant = attestary.tenant
    attestary.submit({"tenant": tenant, "action": "doc.read", "actor": {"id": "u_8"}})
    attestary.command("retention", "set", "1y", "--tenant", tenant, "--class", "logins=90d=action:user.login", "--lock")
    shown = json.loads(attestary.command("retention", "show", "--tenant", tenant, "--json").stdout)
    assert shown["policy"]["classes"][0]["keep"] == "90d" and shown["policy"]["lock"]
    shorter = attestary.command("retention", "set", "90d", "--tenant", tenant, "--lock", ok=False)
    assert shorter.returncode != 0 and b"locked" in shorter.stderr
    preview = json.loads(attestary.command("retention", "preview", tenant, "--json").stdout)
    assert preview["events"] == 0

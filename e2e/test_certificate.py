"""The certificate of one transaction as a stranger reads it: pypdf of PyPI opens the PDF, the proofs are computed here anew."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import struct

import pypdf
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import harness

PARENT, SESSION = "k03P5rnmq-8", "ygvRhMXpAqY"
HOSTILE = 'Ada "<script>" \u202egnp.exe\n%PDF-1.4 endobj ברוך 中文 Žluťoučký \\u{41}'


def payload(name: str, number: int, **more) -> dict:
    """EasySend's payload A, shortened to what a certificate shows."""
    return {
        "message": "Security log", "environment_type": "production", "customer_id": "customer", "process_id": "Eafgucj6oCbDZxt9NVgI",
        "master_rid": PARENT, "rid": SESSION, "role": "user", "security_event_type": name, "session_type": "digitalJourney",
        "eventGroup": "security_events", "ip": "199.203.234.130", "@timestamp": f"2026-07-30T16:48:{number:02}.990Z", **more,
    }


def root_of(proof: str) -> tuple[bytes, bytes, int, int]:
    """Computes the root to which a tlog-proof file leads (RFC 6962): leaf hash, root, index and size."""
    head, checkpoint = proof.split("\n\n", 1)
    lines = head.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    entry = base64.b64decode(lines[1].removeprefix("extra "))
    index = int(lines[2].removeprefix("index "))
    hashes = [base64.b64decode(line) for line in lines[3:]]
    size = int(checkpoint.split("\n")[1])
    node = leaf = hashlib.sha256(b"\0" + entry).digest()
    at, last = index, size - 1
    for sibling in hashes:
        assert last > 0
        if at & 1 or at == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        at, last = at >> 1, last >> 1
    assert last == 0
    return leaf, node, index, size


def check_signature(checkpoint: str, trust: str) -> None:
    """Verifies the signed note with the key of the trust file: id and Ed25519 signature (C2SP signed-note)."""
    text, signatures = checkpoint.split("\n\n", 1)
    (key,) = [line.split()[1] for line in trust.splitlines() if line.startswith("log ")]
    name, identity, encoded = key.split("+", 2)
    raw = base64.b64decode(encoded)
    assert raw[0] == 1 and text.split("\n")[0] == name
    said = base64.b64decode(signatures.split(f"— {name} ")[1].split("\n")[0])
    assert said[:4].hex() == identity
    public = Ed25519PublicKey.from_public_bytes(raw[1:])
    public.verify(said[4:], (text + "\n").encode())
    with pytest.raises(InvalidSignature):
        public.verify(said[4:], (text + "x\n").encode())


# seeds: ES-17 with pypdf of PyPI; hashes, proofs and signature are checked in Python
def test_a_certificate_convinces_a_stranger(attestary, tmp_path):
    events = [payload("LINK_SENT", 1), payload("OPENED", 2), payload("DATA_SUBMITTED", 3), payload("COMPLETED", 4)]
    for event in [*events, {**payload("OPENED", 5), "rid": "other", "master_rid": "other"}]:
        attestary.call("POST", "/ingest/easysend", key="ingest_key", params={"tenant": "customer"}, json=event, expect=200)
    attestary.submit({
        "tenant": "customer", "action": "document.signed", "actor": {"type": "user", "id": "u1", "name": HOSTILE},
        "description": HOSTILE, "context": {"session_id": SESSION}, "metadata": {"big": 9007199254740993},
    })
    trust = attestary.call("GET", "/v1/tenants/customer/trust", key="read_key", expect=200).text
    place = tmp_path / "certificate.pdf"
    said = attestary.command("certificate", SESSION, "--tenant", "customer", "--output", str(place)).stdout.decode()
    assert hashlib.sha256(place.read_bytes()).hexdigest() in said

    reader = pypdf.PdfReader(place, strict=True)
    assert reader.metadata.title == f"Certificate of transaction {SESSION}"
    text = "\n".join(page.extract_text() for page in reader.pages)
    ((name, (attached,)),) = reader.attachments.items()
    assert name == "certificate.json" and hashlib.sha256(attached).hexdigest() in text.replace("\n", "")
    made = json.loads(attached)
    assert [line["event"]["action"] for line in made["data"]] == [
        "LINK_SENT", "OPENED", "DATA_SUBMITTED", "COMPLETED", "document.signed"]
    assert made["data"] == attestary.call("GET", "/v1/tenants/customer/certificate", key="read_key",
                                          params={"transaction": SESSION}, expect=200).json()["data"]
    # What a person reads: header, events, hashes, checkpoint.
    for shown in ("Originator", "Process", "Eafgucj6oCbDZxt9NVgI", "digitalJourney", PARENT, "LINK_SENT", "COMPLETED",
                  "199.203.234.130", "2026-07-30T16:48:01.990Z", made["log"]["origin"]):
        assert shown in text, shown
    for line in made["log"]["checkpoint"].splitlines():
        # Long lines are folded.
        assert "".join(line[:60].split()) in "".join(text.split()), line
    flat = "".join(text.split())
    assert 'Ada"<script>"\\u{202E}gnp.exe\\u{A}%PDF-1.4' in flat and "\\u{4E2D}\\u{6587}" in flat
    assert "Žluťoučký" in text and "\\\\u{41}" in text and "\u202e" not in text

    # What a program checks: leaf, proof, root, signature; and the fields of each event are those of its entry.
    check_signature(made["log"]["checkpoint"], trust)
    for line in made["data"]:
        leaf, root, index, size = root_of(line["proof"])
        assert leaf.hex() == line["event"]["leaf_hash"] and leaf.hex() in text.replace("\n", "")
        assert base64.b64encode(root).decode() == made["log"]["root"] == line["proof"].split("\n\n", 1)[1].split("\n")[2]
        assert (index, size) == (line["event"]["seq"], made["log"]["size"])
        entry = base64.b64decode(line["entry"])
        assert struct.unpack(">Q", entry[20:28])[0] == index
        assert entry[36:52].hex() == line["event"]["id"].replace("-", "")
    forged = made["data"][0]["proof"].replace("index 1", "index 2")
    assert root_of(forged)[1] != root_of(made["data"][0]["proof"])[1]
    # What a person's expert runs: the program itself, offline, on the file that the PDF carries.
    trusted, file = tmp_path / "trust.txt", tmp_path / "certificate.json"
    trusted.write_text(trust)
    file.write_bytes(attached)
    said = attestary.command("verify", "--no-state", "--trust", str(trusted), str(file)).stdout.decode()
    assert "FAIL" not in said and "??" not in said and "a certificate" in said
    first = json.dumps(made["data"][0]["event"], separators=(",", ":"), ensure_ascii=False)
    assert first in attached.decode(), "events stand in it as the API gives them"
    for old, new in (("LINK_SENT", "LINK_SEEN"), ("199.203.234.130", "199.203.234.131"), ('"seq":1,', '"seq":2,')):
        assert old in first
        file.write_text(attached.decode().replace(first, first.replace(old, new)))
        refused = attestary.command("verify", "--no-state", "--trust", str(trusted), str(file), ok=False)
        assert refused.returncode != 0 and b"FAIL" in refused.stdout, (old, refused.stdout)
    # Two events change places; and a PDF is no certificate by itself.
    made["data"][0], made["data"][1] = made["data"][1], made["data"][0]
    file.write_text(json.dumps(made))
    for what in (file, place):
        assert attestary.command("verify", "--no-state", "--trust", str(trusted), str(what), ok=False).returncode != 0
    # No script, no link, nothing that a reader would fetch or run.
    plain = pypdf.PdfWriter(clone_from=reader)
    out = io.BytesIO()
    plain.write(out)
    for word in (b"/JavaScript", b"/JS", b"/URI", b"/Launch", b"/OpenAction", b"/Annots"):
        assert word not in out.getvalue() and word not in place.read_bytes()


def test_what_does_not_exist_is_not_certified(attestary, tmp_path):
    attestary.submit({"tenant": "customer", "action": "a.b", "actor": {"id": "u"}})
    done = attestary.command("certificate", "nothing", "--tenant", "customer", "--output", str(tmp_path / "x.pdf"), ok=False)
    assert done.returncode != 0 and not (tmp_path / "x.pdf").exists()

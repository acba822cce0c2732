"""Round trip of the CEF format through parsers that this project did not write.

Generates seeded events full of text that breaks careless encoders, has the `emit` example write them as CEF, reads
the lines back with cefp (PyPI) and liblognorm's `lognormalizer` (Debian: liblognorm-utils), and compares every
field with what this script itself expects from the event. cefevent's dictionary checks key names, types and
lengths. Exits 1 at a mismatch, 2 when a tool is missing.

    python3 -m venv VENV && VENV/bin/pip install -r tests/oracles/requirements.txt
    cargo build -p attestary-formats --example emit
    VENV/bin/python tests/oracles/cef_roundtrip.py --emit target/debug/examples/emit

What the oracles cannot judge, each met by an option, a filter or a note here:
- lognormalizer drops the first character of the first key when the extension follows the last pipe at once, as the
  standard has it. It is run on lines written with `space_before_extension`; cefp reads both settings.
- lognormalizer refuses an escaped pipe in an extension value and an escaped equals sign in the header. The standard
  wants neither, so every line must pass; `--self-test` shows that it refuses them.
- cefevent's dictionary lacks `outcome` (its limit of 63 comes from the standard) and all custom keys.
"""

import argparse
import ipaddress
import json
import random
import subprocess
import sys
import tempfile
import uuid
from datetime import datetime, timezone

try:
    import cefp
    from cefevent.extensions import extension_dictionary
except ImportError as missing:
    print(f"cannot import {missing.name}: install tests/oracles/requirements.txt", file=sys.stderr)
    sys.exit(2)

HEADER = {"vendor": "Ac|me\\Co=", "product": "Aud\\it|Log", "device_version": "1.0|β"}
CUSTOM_KEYS = {
    "AttestarySourceAddress", "AttestaryImpersonator", "AttestaryOnBehalfOf", "AttestaryActorEmail",
    "AttestaryActorGroups", "AttestaryAttemptedIdentity", "AttestaryTargetName", "AttestaryTraceId",
    "AttestaryHttpStatus", "AttestaryChanges", "truncated",
}
# Known actions with their display names, and actions nobody knows with what must be made of them.
ACTIONS = {
    "user.login.failed": "User login failed",
    "user.login": "User login",
    "zzz.custom.thing-done": "Zzz custom thing done",
    "ZZZ_OTHER_THING": "Zzz other thing",
    "zzz|pipe\\back=equals\nline": "Zzz|pipe\\back=equals line",
}
PIECES = [
    "|", "\\", "=", "\n", "\r", "\r\n", "\t", "\0", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\u202e",
    "\U0001f600", "é", "中", '"', "'", "]", "[", "{", "}", "%", ",", ":", " ", "  ", "\\n", "\\=", "\\|", "\\\\",
    "src=6.6.6.6", " cs1=other", "suid=", " externalId=x", "CEF:0|a|b|c|d|e|9|", "\nCEF:0|a", "<110>1 ", "null", "a", "word",
    "0", "-1", "1e400", "//", "</script>",
]
IPS = ["203.0.113.9", "2001:db8::9", "2001:DB8:0:0::9", "::1", "::ffff:192.0.2.7", "10.0.0.1:80", "not an address", "=", ""]
NUMBERS = ["3", "9007199254740993", "-0", "1.50", "1E+5", "0.1", "123456789012345678901234567890", "1e-400"]


class Raw(str):
    """A number token that must stay as it is."""


def dump(value):
    """Compact JSON with exact number tokens and raw non-ASCII text."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k, ensure_ascii=False) + ":" + dump(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def load(text):
    """Parses JSON keeping number tokens."""
    return json.loads(text, parse_int=Raw, parse_float=Raw)


class Generator:
    """Nasty events from one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, long=False):
        pick = self.random.random()
        if long and pick < 0.04:
            # Around every limit, in one-byte and four-byte characters.
            limit = self.random.choice([63, 1023, 4000])
            return self.random.choice(["x", "=", "\U0001f600", "\n"]) * (limit + self.random.choice([-1, 0, 1]))
        if pick < 0.2:
            return self.random.choice(["alice@example.com", "u_123", "Alice A", "x"])
        return "".join(self.random.choice(PIECES) for _ in range(self.random.randrange(0, 9)))

    def maybe(self, make, chance=0.6):
        return make() if self.random.random() < chance else None

    def value(self, depth=0):
        pick = self.random.randrange(8 if depth < 3 else 5)
        if pick == 0:
            return Raw(self.random.choice(NUMBERS))
        if pick == 1:
            return self.random.choice([True, False, None])
        if pick < 5:
            return self.text(long=depth == 0)
        if pick == 5:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return self.members(depth + 1)

    def members(self, depth=0):
        return {self.text()[:60]: self.value(depth) for _ in range(self.random.randrange(5))}

    def tenant(self):
        controls = dict.fromkeys([*range(32), *range(127, 160)])
        text = self.text().translate(controls).lstrip("_").encode()[:128].decode(errors="ignore")
        return text or "acme"

    def actor(self):
        kind = self.maybe(lambda: self.random.choice(["user", "service", self.text()]))
        parts = {"type": kind, "id": self.maybe(lambda: self.text(True)), "name": self.maybe(lambda: self.text(True)),
                 "email": self.maybe(self.text), "groups": self.maybe(lambda: [self.text() for _ in range(3)], 0.2)}
        return drop_none(parts)

    def target(self):
        kind = self.random.choice(["user", "document", self.text()])
        return drop_none({"type": kind, "id": self.maybe(self.text, 0.9), "name": self.maybe(self.text)})

    def event(self):
        millis = self.random.randrange(0, 4_000_000_000_000)
        context = {
            "ip": self.maybe(lambda: self.random.choice(IPS)), "user_agent": self.maybe(lambda: self.text(True)),
            "session_id": self.maybe(self.text), "request_id": self.maybe(lambda: self.text(True)),
            "trace_id": self.maybe(self.text, 0.2), "attempted_identity": self.maybe(self.text, 0.2),
            "http": self.maybe(lambda: drop_none({"method": self.maybe(self.text), "url": self.maybe(lambda: self.text(True)),
                                                  "status": self.maybe(lambda: Raw("404"))}), 0.5),
        }
        members = {
            "id": str(uuid.UUID(int=self.random.getrandbits(128))), "tenant": self.tenant(), "environment": "production",
            "seq": Raw(str(self.random.getrandbits(self.random.choice([4, 32, 63])))), "received_at": instant(millis + 500),
            "action": self.random.choice(list(ACTIONS)), "occurred_at": instant(millis),
            "actor": self.actor(), "impersonator": self.maybe(self.actor, 0.2), "on_behalf_of": self.maybe(self.actor, 0.2),
            "targets": self.maybe(lambda: [self.target() for _ in range(self.random.randrange(4))]),
            "context": drop_none(context), "outcome": self.random.choice(["success", "failure", "denied", "unknown"]),
            "reason": self.maybe(lambda: self.text(True)), "severity": Raw(str(self.random.randrange(11))),
            "category": self.maybe(self.text), "description": self.text(True),
            "labels": self.maybe(lambda: [self.text() for _ in range(self.random.randrange(4))]),
            "changes": self.maybe(lambda: [{"field": self.text(), "old": self.value(2), "new": self.value(2)}
                                           for _ in range(self.random.randrange(3))], 0.3),
            "metadata": self.maybe(self.members, 0.9),
            "leaf_hash": f"{self.random.getrandbits(256):064x}",
        }
        return drop_none(members)


def drop_none(members):
    return {key: value for key, value in members.items() if value is not None}


def instant(millis):
    moment = datetime.fromtimestamp(millis // 1000, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"


def epoch(text):
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return str(round(moment.timestamp() * 1000))


def is_control(character):
    return ord(character) < 32 or 127 <= ord(character) < 160


class Expectation:
    """What a reader must get, worked out from the event and the reference page alone."""

    def __init__(self, event):
        self.event, self.pairs, self.cut = event, {}, False
        self.severity, self.action = str(event["severity"]), event["action"]
        self.fill()
        if self.cut:
            self.pairs["truncated"] = "true"

    def put(self, key, text, limit=1023, label=None, counts=True, required=False):
        if text is None or isinstance(text, (dict, list)):
            return
        trimmed = str(text).strip(" ")
        if not trimmed and not required:
            return
        self.cut |= counts and len(trimmed) > limit
        kept = "".join("\ufffd" if is_control(c) and c not in "\t\n\r" else c for c in trimmed[:limit])
        self.pairs[key] = kept.rstrip(" ")
        if label:
            self.pairs[key + "Label"] = label

    def fill(self):
        event, actor, context = self.event, self.event["actor"], self.event["context"]
        http, targets = context.get("http", {}), event.get("targets", [])
        self.put("rt", epoch(event["occurred_at"]))
        self.put("deviceCustomDate1", epoch(event["received_at"]), label="receivedAt")
        self.put("externalId", event["id"])
        self.put("act", self.action, 63, counts=False)
        for key, text in [("cat", event.get("category")), ("reason", event.get("reason")), ("msg", event["description"]),
                          ("suid", actor.get("id")), ("suser", actor.get("name") or actor.get("email") or None),
                          ("request", http.get("url")), ("requestMethod", http.get("method")),
                          ("requestClientApplication", context.get("user_agent")),
                          ("AttestaryAttemptedIdentity", context.get("attempted_identity")),
                          ("AttestaryTraceId", context.get("trace_id")), ("AttestaryHttpStatus", http.get("status")),
                          ("AttestaryImpersonator", other(event.get("impersonator"))),
                          ("AttestaryOnBehalfOf", other(event.get("on_behalf_of"))),
                          ("AttestaryActorGroups", joined(actor.get("groups")))]:
            self.put(key, text)
        self.put("outcome", event["outcome"], 63)
        if "name" in actor:
            self.put("AttestaryActorEmail", actor.get("email"))
        if targets and targets[0]["type"] == "user":
            self.put("duid", targets[0].get("id"))
            self.put("duser", targets[0].get("name"))
        if targets:
            self.put("AttestaryTargetName", targets[0].get("name"))
            both = [percent(t["type"], "%,:") + ":" + percent(t.get("id", ""), "%,") for t in targets]
            self.put("cs2", ",".join(both), 4000, "targets")
        self.address(context.get("ip"))
        self.put("cs1", event["tenant"], 4000, "tenant", required=True)
        self.put("cs3", joined(event.get("labels")), 4000, "labels")
        self.put("cs4", context.get("request_id"), 4000, "requestId")
        self.put("cs5", actor.get("type"), 4000, "actorType")
        self.put("cn1", event["seq"], label="seq")
        self.put("flexString1", event["leaf_hash"], label="leafHash")
        self.put("flexString2", context.get("session_id"), label="sessionId")
        self.json("cs6", event.get("metadata"), "metadata")
        self.json("AttestaryChanges", event.get("changes"))

    def address(self, text):
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            self.put("AttestarySourceAddress", text)
            return
        address = getattr(address, "ipv4_mapped", None) or address
        if address.version == 4:
            self.put("src", str(address))
        else:
            self.put("c6a2", str(address), label="Source IPv6 Address")

    def json(self, key, value, label=None):
        """JSON is compared as a value; what was cut must be a leading part of it."""
        if not value:
            return
        items = list(value.items()) if isinstance(value, dict) else value
        for count in range(len(items), -1, -1):
            kept = type(value)(items[:count]) if isinstance(value, list) else dict(items[:count])
            if len(one_line(dump(kept))) <= 4000:
                break
        self.cut |= count < len(items)
        if count:
            self.pairs[key] = kept
            if label:
                self.pairs[key + "Label"] = label


def one_line(text):
    """Controls and separators stand as escapes in JSON; only the length matters here."""
    return "".join(f"\\u{ord(c):04x}" if is_control(c) or c in "\u2028\u2029" else c for c in text)


def percent(text, characters):
    return "".join(f"%{ord(c):02X}" if c in characters else c for c in text)


def joined(items):
    return None if not items else ",".join(percent(item, "%,") for item in items)


def other(actor):
    if actor is None:
        return None
    name = next((actor[part] for part in ("id", "email", "name") if part in actor), None)
    return None if name is None else actor.get("type", "") + ":" + name


def emit(command, events, options):
    lines = "\n".join(map(dump, events)).encode()
    run = subprocess.run([command, json.dumps({"type": "cef", **HEADER, **options})], input=lines, capture_output=True, check=False)
    if run.returncode:
        sys.exit(f"{command} failed: {run.stderr.decode()}")
    if not run.stdout.endswith(b"\n") or b"\r" in run.stdout or b"\0" in run.stdout:
        sys.exit("the output holds a raw CR or NUL, or does not end in a line feed")
    return run.stdout[:-1].decode().split("\n")


def compare(oracle, index, header, pairs, expectation):
    expected_header = [HEADER["vendor"], HEADER["product"], HEADER["device_version"],
                       expectation.action.replace("\n", " "), ACTIONS[expectation.action], expectation.severity]
    problems = [f"header {got!r}, expected {want!r}" for got, want in zip(header, expected_header, strict=True) if got != want]
    for key in sorted({*pairs, *expectation.pairs}):
        got, want = pairs.get(key), expectation.pairs.get(key)
        if isinstance(want, (dict, list)) and got is not None:
            got = load(got)
        if got != want:
            problems.append(f"{key}: got {got!r}, expected {want!r}")
    for problem in problems:
        print(f"event {index}, {oracle}: {problem}")
    return len(problems)


def check_dictionary(index, pairs):
    problems = []
    for key, value in pairs.items():
        known = extension_dictionary.get(key)
        if known is None:
            if key not in CUSTOM_KEYS | {"outcome"}:
                problems.append(f"{key} is in no dictionary")
            continue
        if known["length"] and len(value) > known["length"]:
            problems.append(f"{key} has {len(value)} characters, the limit is {known['length']}")
        kind = known["data_type"][0]
        fits = {"Long": lambda v: -(2**63) <= int(v) < 2**63, "TimeStamp": lambda v: int(v) is not None,
                "IPv4 Address": ipaddress.IPv4Address, "IPv6 Address": ipaddress.IPv6Address}.get(kind)
        try:
            if fits and not fits(value):
                problems.append(f"{key}={value!r} is no {kind}")
        except ValueError:
            problems.append(f"{key}={value!r} is no {kind}")
    for problem in problems:
        print(f"event {index}, dictionary: {problem}")
    return len(problems)


def read_cefp(line):
    record = cefp.parse(line)
    device = record["device"]
    header = [device["vendor"], device["product"], device["version"], device["event_class_id"], record["name"], record["severity"]]
    return header, record["extension"]


def read_lognormalizer(command, lines):
    """Returns (header, pairs) per line, None where it refuses."""
    with tempfile.NamedTemporaryFile("w", suffix=".rulebase") as rules:
        rules.write("rule=:%f:cef%\n")
        rules.flush()
        try:
            run = subprocess.run([command, "-r", rules.name, "-e", "json"], input=("\n".join(lines) + "\n").encode(),
                                 capture_output=True, check=True)
        except FileNotFoundError:
            print(f"cannot run {command}: install liblognorm-utils", file=sys.stderr)
            sys.exit(2)
    parsed = [json.loads(line).get("f") for line in run.stdout.decode().rstrip("\n").split("\n")]
    names = ["DeviceVendor", "DeviceProduct", "DeviceVersion", "SignatureID", "Name", "Severity"]
    return [record and ([record[name] for name in names], record["Extensions"]) for record in parsed]


def self_test(lognormalizer):
    """Known limits of the oracle, so that a new version that loses them is noticed; and planted defects."""
    head = "CEF:0|A|B|1|x|n|3| "
    lines = [head + "msg=a\\|b", head.replace("n|3", "n\\=|3") + "msg=a", head + "msg=a=b", head.replace("| ", "|") + "act=x"]
    refused = read_lognormalizer(lognormalizer, lines)
    assert refused[:3] == [None, None, None], refused
    assert refused[3][1] == {"ct": "x"}, refused
    event = Generator(1).event()
    expectation = Expectation(event)
    planted = {**expectation.pairs, "suid": "someone else"}
    header = [*HEADER.values(), expectation.action.replace("\n", " "), ACTIONS[expectation.action], "11"]
    assert compare("planted defects", 0, header, planted, expectation) >= 2
    print("self-test passed: the defects above were planted")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--emit", required=True, help="the built `emit` example")
    arguments.add_argument("--events", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=20260101)
    arguments.add_argument("--lognormalizer", default="lognormalizer")
    arguments.add_argument("--self-test", action="store_true", help="only show that the oracles can fail")
    options = arguments.parse_args()
    if options.self_test:
        return self_test(options.lognormalizer)
    generator = Generator(options.seed)
    events = [generator.event() for _ in range(options.events)]
    expectations = [Expectation(event) for event in events]
    exact = emit(options.emit, events, {})
    spaced = emit(options.emit, events, {"space_before_extension": True})
    if not len(exact) == len(spaced) == len(events):
        sys.exit(f"{len(events)} events gave {len(exact)} and {len(spaced)} lines")
    problems = 0
    for index, (line, expectation) in enumerate(zip(exact, expectations, strict=True)):
        header, pairs = read_cefp(line)
        problems += compare("cefp", index, header, pairs, expectation) + check_dictionary(index, pairs)
    refused = 0
    for index, (parsed, expectation) in enumerate(zip(read_lognormalizer(options.lognormalizer, spaced), expectations, strict=True)):
        header, pairs = read_cefp(spaced[index])
        problems += compare("cefp, spaced", index, header, pairs, expectation)
        if parsed is None:
            refused += 1
            print(f"event {index}, lognormalizer: refuses {spaced[index]!r}")
        else:
            problems += compare("lognormalizer", index, *parsed, expectation)
    shortened = sum(expectation.cut for expectation in expectations)
    print(f"seed {options.seed}: {len(events)} events, {shortened} shortened, {refused} refused by lognormalizer, {problems} differences")
    return 1 if problems or refused else 0


if __name__ == "__main__":
    sys.exit(main())

"""LEEF lines through a reader written from IBM's guide alone, and the guide's own list of attributes.

No LEEF parser can be installed, so this file has one: a header of six fields, the delimiter that the header names, pairs
of which the first of a name counts. Used like cef_roundtrip.py.
"""

import ipaddress
import re
import sys
from datetime import datetime

try:
    from cef_roundtrip import is_control
    from shared import arguments, differences, emit, events, report
except ImportError as missing:
    print(f"cannot import {missing.name}: install tests/oracles/requirements.txt", file=sys.stderr)
    sys.exit(2)

NAMES = {"vendor": "Acme", "product": "Audit Log", "product_version": "1.0"}
# Predefined attributes that are used, with what their values must be; all other keys are ours and free text.
PREDEFINED = {
    "cat": str, "devTime": lambda v: datetime.strptime(v, "%b %d %Y %H:%M:%S.%f UTC"), "devTimeFormat": str,
    "sev": lambda v: 1 <= int(v) <= 10 or int("out of range"), "src": ipaddress.ip_address,
    "usrName": lambda v: len(v) <= 255 or int("too long"), "accountName": lambda v: len(v) <= 255 or int("too long"),
    "role": str, "resource": str, "url": str, "groupID": str,
}
RESERVED = {"isLoginEvent", "isLogoutEvent", "identMAC", "identSecondlp", "calLanguage", "calCountryOrRegion"}


def parse(line):
    version, vendor, product, product_version, event_id, delimiter, rest = line.split("|", 6)
    if version != "LEEF:2.0" or len(event_id) > 255:
        raise ValueError(f"header {version}, {event_id}")
    hexadecimal = re.fullmatch(r"(?:0x|x)([0-9A-Fa-f]{1,4})", delimiter)
    delimiter = chr(int(hexadecimal[1], 16)) if hexadecimal else delimiter or "\t"
    pairs = {}
    for pair in rest.split(delimiter):
        key, equals, value = pair.partition("=")
        if not equals or not key.isalnum() or not key.isascii():
            raise ValueError(f"{pair!r} is no pair")
        pairs.setdefault(key, value)
    return (vendor, product, product_version, event_id), pairs


def carried(text, limit=1023):
    """A text as LEEF can hold it: no delimiter, no pipe, no line end."""
    if text is None:
        return None
    blank = lambda c: is_control(c) or c in "|\u2028\u2029 "
    ends = "".join(c for c in map(chr, [*range(32), *range(127, 160)])) + "|\u2028\u2029 "
    kept = "".join(" " if blank(c) else c for c in text.strip(ends)[:limit])
    return kept.strip(" ") or None


def check(index, sent, line):
    header, pairs = parse(line)
    problems = [f"event {index}: the key {key} is reserved" for key in RESERVED & set(pairs)]
    for key, fits in PREDEFINED.items():
        try:
            if key in pairs:
                fits(pairs[key])
        except ValueError as error:
            problems.append(f"event {index}: {key}={pairs[key]!r}: {error}")
    actor, context = sent["actor"], sent["context"]
    user = actor.get("name") or actor.get("email") or actor.get("id") or context.get("attempted_identity")
    moment = datetime.strptime(pairs["devTime"], "%b %d %Y %H:%M:%S.%f UTC")
    return problems + differences(index, [
        ("header", header, (*NAMES.values(), carried(sent["action"], 255))),
        ("devTime", f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z", sent["occurred_at"]),
        ("sev", pairs["sev"], str(max(1, int(sent["severity"])))),
        ("eventUid", pairs["eventUid"], sent["id"]),
        ("logSeq", pairs["logSeq"], str(sent["seq"])),
        ("leafHash", pairs["leafHash"], sent["leaf_hash"]),
        ("accountName", pairs.get("accountName"), carried(sent["tenant"], 255)),
        ("usrName", pairs.get("usrName"), carried(user, 255)),
        ("reason", pairs.get("reason"), carried(sent.get("reason"))),
        ("userAgent", pairs.get("userAgent"), carried(context.get("user_agent"))),
        ("outcome", pairs.get("outcome"), sent["outcome"]),
    ])


def main():
    options = arguments(__doc__)
    for planted in ["LEEF:2.0|a|b|c|d|x09|k", "LEEF:2.0|a|b|c|d|x09|k\u00e9y=1", "LEEF:1.0|a|b|c|d|x09|k=v"]:
        try:
            parse(planted)
            sys.exit(f"the oracle takes {planted!r}")
        except ValueError:
            pass
    sent = list(events(options.seed, options.events))
    problems = []
    for index, (event, line) in enumerate(zip(sent, emit(options.emit, "leef", sent, **NAMES), strict=True)):
        problems += check(index, event, line)
    return report(options, "LEEF", problems)


if __name__ == "__main__":
    sys.exit(main())

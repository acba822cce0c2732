"""ECS documents against the fields and types of the schema, and the permitted pairs of category and type.

No installable package carries the schema. The table holds those of its fields that this project may use, with the type
that Elasticsearch maps them to (elastic/ecs, field reference 8.11); a field outside of it is a mistake, because
in a strict mapping it makes the whole document fail. Used like cef_roundtrip.py.
"""

import ipaddress
import json
import sys
from datetime import datetime

try:
    from shared import arguments, differences, emit, events, known_actions, report
except ImportError as missing:
    print(f"cannot import {missing.name}: install tests/oracles/requirements.txt", file=sys.stderr)
    sys.exit(2)

FIELDS = {
    "@timestamp": "date", "ecs.version": "keyword", "message": "match_only_text", "tags": "keywords", "attestary": "flattened",
    "event.kind": "keyword", "event.id": "keyword", "event.sequence": "long", "event.hash": "keyword", "event.action": "keyword",
    "event.category": "keywords", "event.type": "keywords", "event.outcome": "keyword", "event.reason": "keyword",
    "event.severity": "long", "event.created": "date", "event.ingested": "date", "event.module": "keyword",
    "event.dataset": "keyword", "event.provider": "keyword",
    "user.id": "keyword", "user.name": "keyword", "user.email": "keyword",
    "user.target.id": "keyword", "user.target.name": "keyword", "user.target.email": "keyword",
    "user.effective.id": "keyword", "user.effective.name": "keyword", "user.effective.email": "keyword",
    "source.ip": "ip", "client.ip": "ip", "user_agent.original": "keyword", "organization.id": "keyword",
    "http.request.id": "keyword", "http.request.method": "keyword", "http.response.status_code": "long",
    "url.original": "wildcard", "trace.id": "keyword", "related.user": "keywords", "related.ip": "ips",
}
TYPES = {
    "api": "access admin allowed change creation deletion denied end info start user",
    "authentication": "start end info",
    "configuration": "access change creation deletion info",
    "database": "access change info error",
    "file": "access change creation deletion info",
    "iam": "admin change creation deletion group info user",
    "session": "start end info",
    "web": "access error info",
}


def is_date(value):
    return isinstance(value, str) and datetime.fromisoformat(value) is not None


FITS = {
    "keyword": lambda v: isinstance(v, str),
    "wildcard": lambda v: isinstance(v, str),
    "match_only_text": lambda v: isinstance(v, str),
    "keywords": lambda v: isinstance(v, list) and v and all(isinstance(item, str) for item in v),
    "long": lambda v: isinstance(v, int) and not isinstance(v, bool) and -(2**63) <= v < 2**63,
    "date": is_date,
    "ip": lambda v: ipaddress.ip_address(v) is not None,
    "ips": lambda v: isinstance(v, list) and all(ipaddress.ip_address(item) for item in v),
    "flattened": lambda v: isinstance(v, dict),
}


def leaves(value, path=""):
    if path in FIELDS or not isinstance(value, dict):
        yield path, value
        return
    if not value:
        yield path, "an empty object"
    for key, inner in value.items():
        yield from leaves(inner, f"{path}.{key}" if path else key)


def wrong_fields(document):
    for path, value in leaves(document):
        try:
            if path not in FIELDS:
                yield f"{path} is no field"
            elif not FITS[FIELDS[path]](value):
                yield f"{path}={value!r} is no {FIELDS[path]}"
        except ValueError:
            yield f"{path}={value!r} is no {FIELDS[path]}"


def wrong_types(event):
    permitted = {kind for category in event.get("category", []) for kind in TYPES[category].split()}
    return [f"type {kind} is not permitted" for kind in event.get("type", []) if kind not in permitted]


def check(index, sent, got, known):
    problems = [f"event {index}: {problem}" for problem in [*wrong_fields(got), *wrong_types(got["event"])]]
    outcome = {"success": "success", "failure": "failure", "denied": "failure", "unknown": "unknown"}[sent["outcome"]]
    row = known.get(sent["action"], {}).get("ecs", {})
    return problems + differences(index, [
        ("@timestamp", got["@timestamp"], sent["occurred_at"]),
        ("id", got["event"]["id"], sent["id"]),
        ("sequence", got["event"]["sequence"], int(sent["seq"])),
        ("hash", got["event"]["hash"], sent["leaf_hash"]),
        ("action", got["event"]["action"], sent["action"]),
        ("outcome", got["event"]["outcome"], outcome),
        ("category", got["event"].get("category", []), row.get("category", [])),
        ("organization", got["organization"]["id"], sent["tenant"]),
        ("tags", got.get("tags", []), sent.get("labels", [])),
        ("user.id", got.get("user", {}).get("id"), sent["actor"].get("id") or None),
    ])


def main():
    options = arguments(__doc__)
    assert list(wrong_fields({"source": {"ip": "office"}, "nobody": 1, "event": {"sequence": "1"}}))
    assert wrong_types({"category": ["authentication"], "type": ["denied"]})
    sent = list(events(options.seed, options.events))
    known = known_actions()
    problems = []
    for index, (event, line) in enumerate(zip(sent, emit(options.emit, "ecs", sent), strict=True)):
        problems += check(index, event, json.loads(line), known)
    return report(options, "ECS", problems)


if __name__ == "__main__":
    sys.exit(main())

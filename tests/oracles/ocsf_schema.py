"""OCSF events against the official schemas, and what those do not check.

The compiled schemas of 1.1.0 and 1.8.0 come from ocsf-json-schema (PyPI), validation from jsonschema. Sums of class
and activity are checked here: the schemas take a type_uid of another activity. Used like cef_roundtrip.py.
"""

import json
import sys

try:
    from jsonschema import Draft202012Validator
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
    from shared import arguments, differences, emit, events, known_actions, report
except ImportError as missing:
    print(f"cannot import {missing.name}: install tests/oracles/requirements.txt", file=sys.stderr)
    sys.exit(2)


class Schemas:
    """A validator per class, made once."""

    def __init__(self, version):
        self.raw = get_ocsf_schema(version)
        self.schema = OcsfJsonSchemaEmbedded(self.raw)
        self.names = {row["uid"]: name for name, row in self.raw["classes"].items() if "uid" in row}
        self.validators = {}

    def errors(self, event):
        uid = event["class_uid"]
        if uid not in self.validators:
            self.validators[uid] = Draft202012Validator(self.schema.get_class_schema(self.names[uid]))
        return [f"{'/'.join(map(str, error.path))}: {error.message[:200]}" for error in self.validators[uid].iter_errors(event)]


def check(index, sent, got, schemas, version):
    problems = [f"event {index}, {version}, class {got['class_uid']}: {error}" for error in schemas.errors(got)]
    status = {"success": 1, "failure": 2, "denied": 2, "unknown": 0}[sent["outcome"]]
    problems += differences(index, [
        ("type_uid", got["type_uid"], got["class_uid"] * 100 + got["activity_id"]),
        ("category_uid", got["category_uid"], got["class_uid"] // 1000),
        ("status_id", got["status_id"], status),
        ("uid", got["metadata"]["uid"], sent["id"]),
        ("sequence", got["metadata"]["sequence"], int(sent["seq"])),
        ("tenant", got["metadata"]["tenant_uid"], sent["tenant"]),
        ("leaf_hash", got["unmapped"]["leaf_hash"], sent["leaf_hash"]),
        ("action", got["unmapped"]["action"], sent["action"]),
    ])
    return problems


def self_test(schemas, event):
    """The oracle must find planted defects."""
    for plant in [{"class_uid": 3002, "user": {}}, {"time": "now"}, {"nobody_knows": 1}, {"severity_id": 42}]:
        planted = {**event, **plant}
        assert schemas.errors(planted), plant


def main():
    options = arguments(__doc__)
    sent = list(events(options.seed, options.events))
    problems, classes = [], {}
    for version in ("1.1.0", "1.8.0"):
        schemas = Schemas(version)
        records = [json.loads(line) for line in emit(options.emit, "ocsf", sent, schema=version)]
        self_test(schemas, records[0])
        for index, (event, record) in enumerate(zip(sent, records, strict=True)):
            problems += check(index, event, record, schemas, version)
            classes.setdefault(version, {}).setdefault(record["class_uid"], 0)
            classes[version][record["class_uid"]] += 1
    wanted = {row["ocsf"]["class_uid"] for row in known_actions().values() if "ocsf" in row} | {0}
    for version, seen in classes.items():
        print(f"{version}: " + ", ".join(f"{uid} {count}x" for uid, count in sorted(seen.items())))
        problems += [f"{version}: no event of class {uid}" for uid in sorted(wanted - set(seen))]
    return report(options, "OCSF", problems)


if __name__ == "__main__":
    sys.exit(main())

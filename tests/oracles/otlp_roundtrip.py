"""OTLP logs through the generated Protobuf messages (PyPI: opentelemetry-proto).

Each line must parse as `LogsData` without unknown fields; attributes are read back as values. OTLP writes trace ids in
hexadecimal where Protobuf's JSON has base64, so they are taken out before parsing and checked here. Used like
cef_roundtrip.py.
"""

import json
import sys

try:
    from cef_roundtrip import Raw, epoch, load
    from google.protobuf import json_format
    from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
    from shared import arguments, differences, dump, emit, events, report
except ImportError as missing:
    print(f"cannot import {missing.name}: install tests/oracles/requirements.txt", file=sys.stderr)
    sys.exit(2)


def value(any_value):
    """An AnyValue as Python's."""
    kind = any_value.WhichOneof("value")
    if kind is None:
        return None
    inner = getattr(any_value, kind)
    if kind == "kvlist_value":
        return {pair.key: value(pair.value) for pair in inner.values}
    if kind == "array_value":
        return [value(item) for item in inner.values]
    return inner


def plain(json_value):
    """What must come back: integers of 64 bits, doubles of at most 15 digits, other numbers as their text."""
    if isinstance(json_value, Raw):
        token = str(json_value)
        if token.lstrip("-").isdigit() and token != "-0":
            return int(token) if -(2**63) <= int(token) < 2**63 else token
        zero = not any(c in "123456789" for c in token.lower().split("e")[0])
        short = sum(c.isdigit() for c in token) <= 15
        number = float(token)
        return number if short and (zero or (abs(number) >= 2.3e-308 and abs(number) != float("inf"))) else token
    if isinstance(json_value, dict):
        return {key: plain(inner) for key, inner in json_value.items()}
    if isinstance(json_value, list):
        return [plain(inner) for inner in json_value]
    return json_value


def check(index, sent, line):
    # A bare -0 is a double here; Python would read an integer, which has no sign at zero.
    outer = json.loads(line, parse_int=lambda token: -0.0 if token == "-0" else int(token))
    trace_id = outer["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].pop("traceId", None)
    logs = json_format.Parse(json.dumps(outer), LogsData(), ignore_unknown_fields=False)
    [resource] = logs.resource_logs
    [record] = resource.scope_logs[0].log_records
    attributes = {pair.key: value(pair.value) for pair in record.attributes}
    context = sent["context"]
    wanted_metadata = plain(load(dump(sent.get("metadata") or {})))
    number = {0: 9, 1: 9, 2: 9, 3: 9, 4: 9, 5: 9, 6: 13, 7: 13, 8: 13, 9: 17, 10: 17}[int(sent["severity"])]
    problems = [f"event {index}: {name} twice" for name in attributes if sum(p.key == name for p in record.attributes) > 1]
    return problems + differences(index, [
        ("time", record.time_unix_nano, int(epoch(sent["occurred_at"])) * 1_000_000),
        ("observed", record.observed_time_unix_nano, int(epoch(sent["received_at"])) * 1_000_000),
        ("severity", record.severity_number, number),
        ("event name", record.event_name, sent["action"]),
        ("body", record.body.string_value, sent["description"]),
        ("id", attributes["attestary.id"], sent["id"]),
        ("seq", attributes["attestary.seq"], int(sent["seq"])),
        ("leaf hash", attributes["attestary.leaf_hash"], sent["leaf_hash"]),
        ("tenant", attributes["attestary.tenant"], sent["tenant"]),
        ("user", attributes.get("user.id"), sent["actor"].get("id") or None),
        ("address", attributes.get("client.address"), context.get("ip")),
        ("metadata", repr(attributes.get("attestary.metadata", {})), repr(wanted_metadata)),
        ("trace id", trace_id is None or (len(trace_id) == 32 and trace_id == context["trace_id"]), True),
    ])


def main():
    options = arguments(__doc__)
    for planted in ['{"resourceLogs":[{"nobody":1}]}', '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"x"}]}]}]}']:
        try:
            json_format.Parse(planted, LogsData())
            sys.exit(f"the oracle takes {planted}")
        except json_format.ParseError:
            pass
    sent = list(events(options.seed, options.events))
    problems = []
    for index, (event, line) in enumerate(zip(sent, emit(options.emit, "otlp", sent), strict=True)):
        problems += check(index, event, line)
    return report(options, "OTLP", problems)


if __name__ == "__main__":
    sys.exit(main())

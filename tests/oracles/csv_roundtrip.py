"""CSV rows through Python's csv module: one row per event, every cell as expected, no cell that runs.

Used like cef_roundtrip.py. The csv module reads the whole output at once, so an embedded line end would show.
"""

import csv
import io
import sys
import unicodedata

try:
    from cef_roundtrip import is_control, joined, one_line
    from shared import arguments, differences, dump, emit, events, report
except ImportError as missing:
    print(f"cannot import {missing.name}: install tests/oracles/requirements.txt", file=sys.stderr)
    sys.exit(2)

FORMULA = tuple("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20")


def cell(text):
    """What a cell must hold for a text: guarded, with escapes for what is not shown."""
    text = "" if text is None else str(text)
    shown = "".join(escape(c) for c in text)
    return "'" + shown if text.startswith(FORMULA) else shown


def escape(c):
    if c in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[c]
    bidirectional = unicodedata.bidirectional(c) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    hidden = is_control(c) or bidirectional or c in "\u2028\u2029\ufeff\u200e\u200f\u061c"
    return f"\\u{ord(c):04x}" if hidden else c


def check(index, sent, row):
    actor, context = sent["actor"], sent["context"]
    http = context.get("http", {})
    wanted = {
        "id": sent["id"], "tenant": sent["tenant"], "environment": sent["environment"], "seq": sent["seq"],
        "received_at": sent["received_at"], "occurred_at": sent["occurred_at"], "action": sent["action"],
        "severity": sent["severity"], "outcome": sent["outcome"], "reason": sent.get("reason"),
        "actor_type": actor.get("type"), "actor_id": actor.get("id"), "actor_name": actor.get("name"),
        "actor_email": actor.get("email"), "actor_groups": joined(actor.get("groups")), "ip": context.get("ip"),
        "user_agent": context.get("user_agent"), "session_id": context.get("session_id"),
        "request_id": context.get("request_id"), "http_url": http.get("url"), "http_status": http.get("status"),
        "attempted_identity": context.get("attempted_identity"), "description": sent["description"],
        "labels": joined(sent.get("labels")), "leaf_hash": sent["leaf_hash"],
    }
    problems = differences(index, [(name, row[name], cell(text)) for name, text in wanted.items()])
    metadata = one_line(dump(sent["metadata"])) if sent.get("metadata") else ""
    problems += differences(index, [("metadata", row["metadata"], cell(metadata))])
    problems += [f"event {index}: {name} runs: {text!r}" for name, text in row.items() if text.startswith(FORMULA)]
    return problems


def main():
    options = arguments(__doc__)
    sent = list(events(options.seed, options.events))
    columns = ("id,tenant,environment,seq,received_at,occurred_at,action,category,severity,outcome,reason,actor_type,actor_id,"
               "actor_name,actor_email,actor_groups,impersonator,on_behalf_of,targets,target_names,ip,user_agent,session_id,"
               "parent_session_id,request_id,trace_id,location,http_method,http_url,http_status,http_duration_ms,"
               "attempted_identity,description,labels,changes,metadata,schema_version,truncated,leaf_hash").split(",")
    text = "\n".join(emit(options.emit, "csv", sent))
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    problems = [] if len(rows) == len(sent) else [f"{len(sent)} events gave {len(rows)} rows"]
    for index, (event, row) in enumerate(zip(sent, rows)):
        problems += check(index, event, dict(zip(columns, row, strict=True)))
    return report(options, "CSV", problems)


if __name__ == "__main__":
    sys.exit(main())

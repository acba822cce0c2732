"""CloudEvents through the library of the project that wrote the specification (PyPI: cloudevents).

Its reader validates the context attributes; `data` must be the event that was sent, number tokens included. Used
like cef_roundtrip.py.
"""

import json
import sys
from urllib.parse import urlsplit

try:
    from cef_roundtrip import is_control, load
    from cloudevents.core.formats.json import JSONFormat
    from shared import arguments, differences, dump, emit, events, report
except ImportError as missing:
    print(f"cannot import {missing.name}: install tests/oracles/requirements.txt", file=sys.stderr)
    sys.exit(2)


def check(index, sent, line):
    got = JSONFormat().read(None, line)
    attributes = got.get_attributes()
    texts = [attributes["type"], attributes.get("subject", "none")]
    problems = [f"event {index}: {text!r} holds a control character" for text in texts if any(map(is_control, text))]
    source = urlsplit(attributes["source"])
    return problems + differences(index, [
        ("specversion", attributes["specversion"], "1.0"),
        ("id", attributes["id"], sent["id"]),
        ("source", (source.scheme, source.netloc, source.path.isascii() and " " not in source.path), ("", "", True)),
        ("time", attributes["time"].isoformat(timespec="milliseconds").replace("+00:00", "Z"), sent["occurred_at"]),
        ("data", dump(load(line)["data"]), dump(load(dump(sent)))),
    ])


def main():
    options = arguments(__doc__)
    try:
        JSONFormat().read(None, json.dumps({"specversion": "1.0", "id": "", "source": "", "type": ""}))
        sys.exit("the oracle takes an event without a source")
    except Exception as refused:
        assert "source" in str(refused), refused
    sent = list(events(options.seed, options.events))
    problems = []
    for index, (event, line) in enumerate(zip(sent, emit(options.emit, "cloudevents", sent), strict=True)):
        problems += check(index, event, line)
    return report(options, "CloudEvents", problems)


if __name__ == "__main__":
    sys.exit(main())

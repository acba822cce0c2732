"""What the oracles of several formats share: hostile events over all known actions, and running `emit`."""

import argparse
import itertools
import json
import subprocess
import sys
import tomllib
from pathlib import Path

from cef_roundtrip import Generator, Raw, drop_none, dump

ACTIONS = Path(__file__).parents[3] / "crates/event/actions"
TARGETS = ["user", "role", "group", "document", "project"]


def known_actions():
    """Every canonical name with its row, from the data files themselves."""
    rows = {}
    for path in sorted(ACTIONS.glob("*.toml")):
        for row in tomllib.loads(path.read_text())["action"]:
            rows[row["name"]] = row
    return rows


def events(seed, count):
    """Hostile events; two of three have a known action, and targets of the kinds that classes ask for."""
    generator = Generator(seed)
    actions = itertools.cycle(known_actions())
    for index in range(count):
        event = generator.event()
        if index % 3:
            event["action"] = next(actions)
        if index % 4 == 1:
            pick = generator.random.sample(TARGETS, generator.random.randrange(1, 4))
            event["targets"] = [drop_none({"type": kind, "id": generator.text() or "t", "name": generator.maybe(generator.text)})
                                for kind in pick]
        # Native JSON ends in the leaf hash.
        event["leaf_hash"] = event.pop("leaf_hash")
        yield event


def emit(command, format_type, sent, **options):
    """Returns one record per event; ends the run when the lines are not one per event."""
    lines = "\n".join(map(dump, sent)).encode()
    run = subprocess.run([command, json.dumps({"type": format_type, **options})], input=lines, capture_output=True, check=False)
    if run.returncode:
        sys.exit(f"{command} failed: {run.stderr.decode()}")
    records = run.stdout.decode().split("\n")
    if records.pop() or len(records) != len(sent):
        sys.exit(f"{len(sent)} events gave {len(records)} lines of {format_type}")
    return records


def arguments(doc):
    parser = argparse.ArgumentParser(description=doc.split("\n", 1)[0])
    parser.add_argument("--emit", required=True, help="the built `emit` example")
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20260101)
    return parser.parse_args()


def report(options, what, problems):
    for problem in problems[:50]:
        print(problem)
    print(f"seed {options.seed}: {options.events} events, {what}: {len(problems)} differences")
    return 1 if problems else 0


def differences(index, pairs):
    """Compares (name, got, wanted) triples."""
    return [f"event {index}, {name}: got {got!r}, expected {want!r}" for name, got, want in pairs if got != want]


__all__ = ["Raw", "arguments", "differences", "dump", "emit", "events", "known_actions", "report"]

"""Checks a delivered stream with checkpoints in it, with nothing of this project: is anything missing or changed?

What goes in is what a receiver holds: the events as they came, one in native JSON a line, checkpoints among them, and the
`log` lines of the trust file. Nothing is asked of the service. Between two checkpoints every event must be there, and the
leaf hashes together must have the root that the log signed; what came before the first checkpoint need not be held,
for a checkpoint brings the subtrees to go on from. Order and repeats of arrival do not matter.

    python contiguity.py EVENTS.ndjson TRUST

Exits 1, with the reason, when something does not fit.
"""

import json
import sys
from functools import reduce
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "receipt"))

from check import Wrong, node, opened  # noqa: E402


class Tree:
    """The perfect subtrees of RFC 6962's tree, largest first."""

    def __init__(self, size, peaks):
        if len(peaks) != size.bit_count():
            raise Wrong(f"a tree of {size} events is not made of {len(peaks)} subtrees")
        self.size, self.peaks = size, peaks

    def append(self, leaf):
        size, self.size = self.size, self.size + 1
        while size & 1:
            leaf, size = node(self.peaks.pop(), leaf), size >> 1
        self.peaks.append(leaf)

    def root(self):
        return reduce(lambda right, left: node(left, right), reversed(self.peaks))


def signed(checkpoint, keys):
    """Returns size and root of a checkpoint that one of the log's keys has signed."""
    for key in keys:
        try:
            return opened(checkpoint, key)
        except Wrong as wrong:
            last = wrong
    raise last


def check(lines, trust):
    keys = [line.split(" ")[1] for line in trust.splitlines() if line.startswith("log ")]
    leaves, trees = {}, {}
    for event in map(json.loads, lines):
        if event["action"] != "attestary.checkpoint":
            leaf = bytes.fromhex(event["leaf_hash"])
            if leaves.setdefault(event["seq"], leaf) != leaf:
                raise Wrong(f"event {event['seq']} came with two leaf hashes")
            continue
        size, root = signed(event["metadata"]["checkpoint"], keys)
        tree = Tree(size, [bytes.fromhex(root) for root in event["metadata"]["subtrees"]])
        if tree.root() != root:
            raise Wrong(f"the subtrees of the checkpoint of {size} do not have its root")
        trees[size] = tree
    if not trees:
        raise Wrong("there is no checkpoint in the stream")
    first = min(trees)
    begun = 0 if all(seq in leaves for seq in range(first)) else first
    tree = Tree(0, []) if begun == 0 else trees[first]
    for size in sorted(trees):
        while tree.size < size:
            if tree.size not in leaves:
                raise Wrong(f"event {tree.size} is missing")
            tree.append(leaves[tree.size])
        if tree.root() != trees[size].root():
            raise Wrong(f"the events before {size} are not those that the log signed")
    beyond = sum(seq >= tree.size for seq in leaves)
    return f"events {begun} to {tree.size - 1} are complete and unchanged by {len(trees)} checkpoints; {beyond} came since"


if __name__ == "__main__":
    try:
        print(check(Path(sys.argv[1]).read_text().splitlines(), Path(sys.argv[2]).read_text()))
    except Wrong as wrong:
        sys.exit(f"FAILED: {wrong}")

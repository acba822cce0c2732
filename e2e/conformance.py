"""Makes docs/conformance/destinations.md out of the marks of the whole-product tests.

    python e2e/conformance.py            prints the page
    python e2e/conformance.py --write    writes it

A test says what it shows with `@pytest.mark.cell(column, …)`. Its destination and component are those of its parameter
`receiver` or `kind`, or are named: `destination="s3", component="…"`.
"""

from __future__ import annotations

import contextlib
import io
import pathlib
import sys

import pytest

import siem

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/conformance/destinations.md"
COLUMNS = {
    "format": "every record parses, in a parser that is not ours where the component says so, with its id, seq and leaf hash; hostile text included",
    "order": "events arrive in the order of their seq, none twice without a reason",
    "kill -9": "the service is killed while a request is under way and another is unanswered; afterwards nothing is missing",
    "lost answer": "the receiver takes a batch and its answer is lost: the batch comes again with the same ids",
    "429": "`Retry-After` is kept to",
    "5xx": "an outage loses nothing",
    "413": "a batch that is too large is halved",
    "poison": "a refused event is set aside with a record and the rest arrives",
    "partial failure": "an answer that names single events is believed for each",
    "auth failure": "refused credentials pause; nothing is lost and `test` says so",
    "test": "`test` names the step that fails",
    "replay": "a stretch is sent again with the same ids, beside the live cursor",
    "receipt": "the contiguity receipt equals what the receiver holds",
}


WHOLE = "the answer is for the request as a whole"
STORE = "a store takes an object whole and does not look into it: nothing is halved or set aside"
SYSLOG = "syslog has no answers: a batch counts when the system has taken it"
# Cells that have no meaning for a destination, and why.
NOT_APPLICABLE = {
    **{(kind, "partial failure"): WHOLE for kind in (
        "datadog", "google-secops", "http", "loki", "newrelic", "sentinel", "sumo", "webhook")},
    **{(kind, column): STORE for kind in ("s3", "gcs", "azure_blob") for column in ("413", "poison", "partial failure")},
    ("kafka", "429"): "a broker with a quota takes the records and says how long it wants to be left alone",
    ("kafka", "partial failure"): "a batch is one record batch of one partition: taken whole or not at all",
    ("mail", "429"): "SMTP has one answer for \"not now\" (4xx), shown under 5xx",
    ("mail", "poison"): "a refusal for good pauses: an event is hardly ever the reason",
    ("mail", "partial failure"): "a message is taken for every recipient or counts as not taken",
    ("nats", "429"): "JetStream has no such answer",
    ("nats", "poison"): "a stream does not look into messages; only their size counts",
    ("nats", "partial failure"): "every message is confirmed by itself; what is not is sent again under the same id",
    **{(f"syslog {way}", column): SYSLOG for way in ("tcp", "tls", "udp") for column in (
        "lost answer", "429", "413", "poison", "partial failure")},
    **{(f"syslog {way}", "auth failure"): "nobody logs in, and no certificate is shown" for way in ("tcp", "udp")},
    ("syslog udp", "5xx"): "a datagram that leaves counts as delivered; one that nobody takes is lost",
    **{(kind, column): "nothing answers, and nobody logs in" for kind in ("file", "stdout") for column in (
        "429", "5xx", "413", "poison", "partial failure", "auth failure", "lost answer")},
}


class Collector:
    """Gathers the marks while pytest collects."""

    def __init__(self):
        self.cells: dict[tuple[str, str], set[str]] = {}
        self.components: dict[str, str] = {}
        self.wrong: list[str] = []

    def pytest_collection_modifyitems(self, items) -> None:
        known = {"elasticsearch": siem.OpenSearchProxy.component, **{mock.kind: mock.component for mock in siem.MOCKS}}
        for item in items:
            for mark in item.iter_markers("cell"):
                params = item.callspec.params if hasattr(item, "callspec") else {}
                kind = mark.kwargs.get("destination") or params.get("receiver") or params.get("kind")
                component = mark.kwargs.get("component") or known.get(kind)
                if not kind or not component:
                    self.wrong.append(f"{item.nodeid}: no destination or component")
                    continue
                if self.components.setdefault(kind, component) != component:
                    self.wrong.append(f"{item.nodeid}: {kind} has two components")
                for column in mark.args:
                    if column not in COLUMNS:
                        self.wrong.append(f"{item.nodeid}: no column {column!r}")
                    test = f"e2e/{item.path.name}::{item.originalname}"
                    self.cells.setdefault((kind, column), set()).add(test)


def collect() -> Collector:
    collector = Collector()
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", str(HERE)], plugins=[collector])
    if code != 0 or collector.wrong:
        raise SystemExit(f"the tests cannot be collected ({code}): {collector.wrong}")
    return collector


def page() -> str:
    found = collect()
    lines = [
        "# Destinations: what has been shown",
        "",
        "Made by `python e2e/conformance.py --write` out of the marks of the whole-product tests; a test fails when page and tests differ.",
        "A tick means that a test of `./test` shows it with the component named. Every hosted product is a strict mock of its",
        "published contract, and says so: a mock shows that the contract as published is kept, not that the product agrees.",
        "",
        "| destination | component | " + " | ".join(COLUMNS) + " |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    for kind in sorted(found.components):
        ticks = [tick(found, kind, column) for column in COLUMNS]
        lines.append(f"| `{kind}` | {found.components[kind]} | " + " | ".join(ticks) + " |")
    lines += ["", "| column | means | tests |", "|---|---|---|"]
    for column, meaning in COLUMNS.items():
        tests = sorted({test for (_, name), all_of in found.cells.items() if name == column for test in all_of})
        lines.append(f"| {column} | {meaning} | " + "<br>".join(f"`{test}`" for test in tests) + " |")
    reasons: dict[str, list[str]] = {}
    for (kind, column), reason in NOT_APPLICABLE.items():
        if kind in found.components:
            reasons.setdefault(reason, []).append(f"`{kind}` {column}")
    lines += ["", "n/a, because:", ""]
    lines += [f"- {reason}: {', '.join(sorted(cells))}" for reason, cells in reasons.items()]
    if any("–" in line.split(" | ") or line.endswith("– |") for line in lines):
        lines += ["", "– stands where no test shows it yet."]
    return "\n".join(lines) + "\n"


def tick(found: Collector, kind: str, column: str) -> str:
    if (kind, column) in found.cells:
        assert (kind, column) not in NOT_APPLICABLE, f"{kind} {column} is shown and said not to apply"
        return "✓"
    return "n/a" if (kind, column) in NOT_APPLICABLE else "–"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page())
    else:
        print(page(), end="")

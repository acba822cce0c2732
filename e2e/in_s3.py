"""The whole product with its segments in an S3 server (`pytest e2e --segments-in-s3`).

A program in front of the real one gives each data directory a prefix of its own in the bucket, whichever way a test names
the directory, and seals every few events, so that what is read was in the bucket.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import sys

SEAL_EVENTS_MAX = "20"

PROGRAM = """#!{python}
import sys
sys.path.insert(0, {here!r})
import in_s3
in_s3.run({binary!r}, {url!r}, {options!r})
"""


class Everywhere:
    """An S3 server, and the program that makes every server use it."""

    def __init__(self, root: pathlib.Path):
        # Not at the top: the program above would load them each time.
        import harness
        from test_object_store import S3

        self.store = S3(root)
        settings = self.store.settings(self.store.port, "")
        program = root / "attestary"
        program.write_text(PROGRAM.format(
            python=sys.executable, here=str(pathlib.Path(__file__).parent), binary=str(harness.binary()),
            url=settings["ATTESTARY__OBJECTS__URL"], options=settings["ATTESTARY__OBJECTS__OPTIONS"],
        ))
        program.chmod(0o755)
        os.environ["ATTESTARY_BIN"] = str(program)

    def stop(self) -> int:
        """Returns how many segments there were."""
        segments = len(self.store.segments(""))
        self.store.stop()
        return segments


def run(binary: str, url: str, options: str) -> None:
    """Becomes the real program, told where segments go unless the test says so itself."""
    arguments = sys.argv[1:]
    data = data_directory(arguments)
    if data and "ATTESTARY__OBJECTS__URL" not in os.environ:
        prefix = hashlib.sha256(os.path.realpath(data).encode()).hexdigest()[:16]
        os.environ["ATTESTARY__OBJECTS__URL"] = url + prefix
        os.environ["ATTESTARY__OBJECTS__OPTIONS"] = options
        os.environ.setdefault("ATTESTARY__STORE__SEAL_EVENTS_MAX", SEAL_EVENTS_MAX)
    os.execv(binary, ["attestary", *arguments])


def data_directory(arguments: list[str]) -> str | None:
    """Returns the data directory that a command line or its variables name."""
    if "--data" in arguments:
        return arguments[arguments.index("--data") + 1]
    if arguments[:1] == ["restore"]:
        return next(reversed([word for word in arguments[2:] if not word.startswith("-")]), None)
    return os.environ.get("ATTESTARY__DATA_DIR") or os.environ.get("ATTESTARY_DATA")

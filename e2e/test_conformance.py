"""The page of what has been shown says what the tests are."""

import pathlib
import subprocess
import sys

import conformance


def test_the_page_is_the_one_that_the_tests_make():
    # In a process of its own: pytest collects once in one process.
    script = pathlib.Path(conformance.__file__)
    made = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    assert conformance.PAGE.read_text() == made, "run: python e2e/conformance.py --write"

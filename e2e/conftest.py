"""Fixtures: a fresh server and fresh receivers for each test that asks for them."""

import pytest

import harness


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the long forms as well")


def pytest_configure(config):
    config.addinivalue_line("markers", "cell(*columns, destination, component): what a test shows; see conformance.py")


@pytest.fixture
def long(request) -> bool:
    return request.config.getoption("--long")


@pytest.fixture
def attestary(tmp_path):
    server = harness.Attestary(tmp_path / "data")
    yield server
    server.stop()


@pytest.fixture
def rsyslog(tmp_path):
    receiver = harness.Rsyslog(tmp_path / "rsyslog")
    yield receiver
    receiver.stop()


@pytest.fixture
def webhooks():
    """Makes webhook receivers that are stopped at the end of the test."""
    made = []

    def make(mode: str = "answer") -> harness.Webhook:
        made.append(harness.Webhook(mode))
        return made[-1]

    yield make
    for receiver in made:
        receiver.stop()

"""Fixtures: a fresh server and fresh receivers for each test that asks for them."""

import pytest

import harness


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the long forms as well")
    parser.addoption("--segments-in-s3", action="store_true", help="let every server keep its segments in an S3 server")


def pytest_configure(config):
    config.addinivalue_line("markers", "cell(*columns, destination, component): what a test shows; see conformance.py")


@pytest.fixture
def long(request) -> bool:
    return request.config.getoption("--long")


@pytest.fixture(scope="session", autouse=True)
def segments_in_s3(request, tmp_path_factory):
    """Moves every segment into an S3 server when asked to."""
    if not request.config.getoption("--segments-in-s3"):
        yield None
        return
    import in_s3

    everywhere = in_s3.Everywhere(tmp_path_factory.mktemp("s3"))
    yield everywhere
    assert everywhere.stop() > 0, "no segment was in the S3 server"


@pytest.fixture
def attestary(tmp_path, segments_in_s3):
    server = harness.Attestary(tmp_path / "data")
    yield server
    server.stop()
    if segments_in_s3:
        assert not list((tmp_path / "data" / "segments").glob("*.parquet")), "segments are in the S3 server"


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

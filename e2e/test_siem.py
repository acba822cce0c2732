"""Every destination that speaks HTTP against its receiver: what arrives, in which order, and after which failures.

Each test runs for every kind; `docs/conformance/destinations.md` is made of the marks.
"""

import hashlib
import time

import pytest

import harness
import opensearch
import siem
from siem import Refused

HOSTILE = "a\"b\\c|d=e\r\nf\u2028h\u202e\U0001d11e<&'>{{event}}\n{\"create\":{}}"


def root(leaves):
    """The root of RFC 6962 over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    ready = opensearch.libraries()
    assert ready, "OpenSearch needs java, javac and mvn; ./test installs them"
    made = opensearch.OpenSearch(tmp_path_factory.mktemp("opensearch") / "node", ready)
    # A field of a type that refuses what does not fit, in data streams of every tenant's name.
    made.stream("audit-*", {"attestary": {"properties": {"metadata": {"properties": {"ip": {"type": "ip"}}}}}})
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = harness.Attestary(tmp_path_factory.mktemp("siem") / "data")
    yield made
    made.stop()


def make(kind, request):
    if kind == "elasticsearch":
        return siem.OpenSearchProxy(request.getfixturevalue("node"))
    return next(mock for mock in siem.MOCKS if mock.kind == kind)()


@pytest.fixture(params=siem.KINDS)
def receiver(request):
    made = make(request.param, request)
    yield made
    made.stop()
    assert made.problems == []


@pytest.fixture
def tenant(request):
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())
    return name[-60:].strip("-")


def event(number, action="order.placed", **rest):
    return {"action": action, "actor": {"type": "user", "id": "u1"}, "outcome": "success", "metadata": {"number": number}, **rest}


def start(server, receiver, tenant, numbers=range(3), **rest):
    """Makes tenant and destination and submits some events."""
    server.call("POST", "/v1/tenants", json={"id": tenant}, expect=201)
    submit(server, tenant, [event(number) for number in numbers])
    made = server.destination(tenant, name="siem", type=receiver.kind, start="beginning", config=receiver.config(tenant), **rest)
    receiver.made(made)
    return made


def submit(server, tenant, events):
    server.submit([{"tenant": tenant, **event} for event in events])


def log(server, tenant, but=()):
    """Returns seq and id of every event of the log that a destination must get."""
    return [(event["seq"], event["id"]) for event in server.events(tenant) if event["action"] not in but]


def got(receiver):
    """Returns seq and id of every event received, in order of first arrival."""
    with receiver.lock:
        return list(dict.fromkeys(zip(receiver.seqs(), receiver.ids())))


def arrived(server, receiver, tenant, but=()):
    expected = log(server, tenant, but)
    harness.until(f"{len(expected)} events arrive", lambda: len(got(receiver)) >= len(expected))
    assert got(receiver) == expected, "an event is missing, foreign or out of order"
    return expected


def state(server, tenant, made):
    return server.call("GET", f"/v1/tenants/{tenant}/destinations/{made['id']}", expect=200).json()


def settled(server, tenant, made):
    size = len(server.events(tenant))
    return harness.until("the cursor is at the end", lambda: (found := state(server, tenant, made))["cursor"] >= size and found)


@pytest.mark.cell("format", "order")
def test_events_arrive_whole_and_in_order(server, receiver, tenant):
    made = start(server, receiver, tenant)
    submit(server, tenant, [event(4, description=HOSTILE, reason=HOSTILE)])
    for first in range(10, 1_210, 400):
        submit(server, tenant, [event(number) for number in range(first, first + 400)])
    arrived(server, receiver, tenant)
    found = settled(server, tenant, made)
    assert (found["state"], found["quarantined"], found["type"]) == ("active", 0, receiver.kind)
    assert receiver.problems == []
    flat = [seq for batch in receiver.batches for seq in batch]
    assert flat == sorted(set(flat)), "an event came twice, or out of order, without a reason"
    # Nothing secret is shown or written in plain text.
    assert siem.TOKEN not in str(found) and "PRIVATE KEY" not in str(found)
    attempts = server.call("GET", f"/v1/tenants/{tenant}/destinations/{made['id']}/attempts", expect=200).text
    assert siem.TOKEN not in attempts and "stage" in attempts


@pytest.mark.cell("429")
def test_a_receiver_that_throttles_is_waited_for(server, receiver, tenant):
    receiver.fail(Refused(429, headers={"retry-after": "1"}), Refused(429, headers={"retry-after": "2"}))
    begun = time.monotonic()
    made = start(server, receiver, tenant)
    arrived(server, receiver, tenant)
    # Not a measure of speed: sooner than asked for would be rude.
    assert time.monotonic() - begun > 2.9
    assert settled(server, tenant, made)["quarantined"] == 0


@pytest.mark.cell("5xx")
def test_an_outage_loses_nothing(server, receiver, tenant):
    receiver.fail(Refused(503, "<html>busy</html>"), Refused(502))
    made = start(server, receiver, tenant)
    arrived(server, receiver, tenant)
    found = settled(server, tenant, made)
    assert (found["state"], found["quarantined"]) == ("active", 0)


@pytest.mark.cell("lost answer")
def test_an_answer_that_is_lost_repeats_a_batch_with_the_same_ids(server, receiver, tenant):
    receiver.fail("cut")
    made = start(server, receiver, tenant)
    expected = arrived(server, receiver, tenant)
    settled(server, tenant, made)
    flat = [seq for batch in receiver.batches for seq in batch]
    assert len(flat) > len(expected), "the first batch was not repeated"
    if receiver.kind == "elasticsearch":
        # A repeat under the same id is no second document.
        assert receiver.seqs() == [seq for seq, _ in expected]


@pytest.mark.cell("poison")
def test_a_refused_event_is_set_aside_and_the_rest_arrives(server, receiver, tenant):
    made = start(server, receiver, tenant)
    bad = event(0, siem.POISON)
    bad["metadata"]["ip"] = "nope"
    submit(server, tenant, [event(5), event(6), bad, event(7), event(8)])
    arrived(server, receiver, tenant, but={siem.POISON})
    found = settled(server, tenant, made)
    assert (found["state"], found["quarantined"]) == ("active", 1)


@pytest.mark.cell("auth failure")
def test_refused_credentials_pause_and_lose_nothing(server, receiver, tenant):
    receiver.authorised = False
    made = start(server, receiver, tenant)
    found = harness.until("it is paused", lambda: (found := state(server, tenant, made))["state"] == "paused" and found)
    assert found["cursor"] == 0 and found["quarantined"] == 0 and found["reason_detail"]
    path = f"/v1/tenants/{tenant}/destinations/{made['id']}"
    tested = server.call("POST", f"{path}/test", expect=200).json()
    assert (tested["stage"], tested["verdict"]) == ("credentials", "pause") and tested["hint"]
    receiver.authorised = True
    server.call("POST", f"{path}/resume", expect=200)
    arrived(server, receiver, tenant)


@pytest.mark.cell("413")
def test_a_batch_that_is_too_large_is_halved(server, receiver, tenant):
    receiver.bytes_max = 20_000
    made = start(server, receiver, tenant, numbers=range(200))
    arrived(server, receiver, tenant)
    assert settled(server, tenant, made)["quarantined"] == 0
    assert len(receiver.batches) > 3


@pytest.mark.cell("test")
def test_a_test_names_the_step_that_fails(server, receiver, tenant):
    made = start(server, receiver, tenant)
    settled(server, tenant, made)
    path = f"/v1/tenants/{tenant}/destinations/{made['id']}"
    tested = server.call("POST", f"{path}/test", expect=200).json()
    assert (tested["stage"], tested["verdict"], tested["test"]) == ("ok", "delivered", True)
    config = receiver.config(tenant)
    secret = next(name for name in ("token", "api_key", "client_secret", "password", "headers", "credentials", "url") if name in config)
    if secret not in ("url",):
        elsewhere = {**config, "url": f"http://127.0.0.1:{harness.free_port()}/"}
        server.call("PATCH", path, json={"config": elsewhere}, expect=200)
        tested = server.call("POST", f"{path}/test", expect=200).json()
        assert tested["stage"] == "connection" and tested["hint"]
        nowhere = {**config, "url": "http://no-such-host.invalid:8088/"}
        server.call("PATCH", path, json={"config": nowhere}, expect=200)
        tested = server.call("POST", f"{path}/test", expect=200).json()
        assert tested["stage"] in ("name", "address"), tested
    if secret not in ("url", "headers"):
        # A secret that is not given again is kept, but never sent elsewhere.
        kept = {name: value for name, value in config.items() if name not in (secret, "username")}
        if secret != "password":
            reply = server.call("PATCH", path, json={"config": {**kept, "url": "http://127.0.0.1:9/"}})
            assert reply.status_code == 400 and f"/config/{secret}" in reply.text, reply.text
    server.call("PATCH", path, json={"config": config}, expect=200)
    tested = server.call("POST", f"{path}/test", expect=200).json()
    assert tested["stage"] == "ok"


# seeds: IC-15 with a key that is limited to the tenant
@pytest.mark.parametrize("receiver", ["splunk", "google-cloud-logging"], indirect=True)
def test_a_tenants_own_key_sets_up_its_siem(server, receiver, tenant):
    server.call("POST", "/v1/tenants", json={"id": tenant}, expect=201)
    made = server.call("POST", "/v1/keys", json={"name": "own", "scopes": ["destinations"], "tenants": [tenant]}, expect=201).json()
    body = {"name": "siem", "type": receiver.kind, "start": "beginning", "config": receiver.config(tenant)}
    own = {"headers": {"authorization": f"Bearer {made['secret']}"}}
    path = f"/v1/tenants/{tenant}/destinations"
    destination = server.session.post(server.url + path, json=body, timeout=harness.PATIENCE_SECONDS, **own)
    assert destination.status_code == 201 and destination.json()["managed_by"] == "tenant", destination.text
    submit(server, tenant, [event(1)])
    arrived(server, receiver, tenant)
    foreign = server.session.post(f"{server.url}/v1/tenants/other/destinations", json=body, timeout=harness.PATIENCE_SECONDS, **own)
    assert foreign.status_code == 404


@pytest.mark.cell("replay", "receipt")
def test_the_receipt_is_what_the_receiver_holds_and_a_replay_sends_it_again(server, receiver, tenant):
    made = start(server, receiver, tenant, numbers=range(10))
    bad = event(0, siem.POISON)
    bad["metadata"]["ip"] = "nope"
    submit(server, tenant, [event(10), bad, event(11)])
    expected = arrived(server, receiver, tenant, but={siem.POISON})
    settled(server, tenant, made)
    path = f"/v1/tenants/{tenant}/destinations/{made['id']}"
    receipt = server.call("GET", f"{path}/receipt", expect=200).json()
    assert (receipt["count"], receipt["quarantined"], receipt["excluded"]) == (len(expected), 1, 0), receipt
    assert receipt["root"] == root(receiver.leaf_hashes()).hex()

    before = len(receiver.batches)
    server.call("POST", f"{path}/replays", json={"from": 2, "to": 6}, expect=201)
    harness.until("the replay is done", lambda: server.call("GET", f"{path}/replays", expect=200).json()["data"][0]["done_at"])
    again = [seq for batch in receiver.batches[before:] for seq in batch]
    assert again == [2, 3, 4, 5, 6]
    assert got(receiver) == expected, "a replay came with other ids"
    assert state(server, tenant, made)["cursor"] == len(server.events(tenant)), "a replay moved the cursor"
    assert receiver.problems == []


PARTIAL = ["elasticsearch", "splunk", "google-cloud-logging"]


@pytest.mark.cell("partial failure")
@pytest.mark.parametrize("receiver", PARTIAL, indirect=True)
def test_of_a_batch_that_is_partly_refused_the_rest_counts(server, receiver, tenant):
    server.call("POST", "/v1/tenants", json={"id": tenant}, expect=201)
    bad = [event(number, siem.POISON) for number in (1, 2, 3)]
    for one in bad:
        one["metadata"]["ip"] = "nope"
    submit(server, tenant, [event(0), bad[0], event(4), event(5), bad[1], event(6), bad[2]])
    made = server.destination(tenant, name="siem", type=receiver.kind, start="beginning", config=receiver.config(tenant))
    arrived(server, receiver, tenant, but={siem.POISON})
    found = settled(server, tenant, made)
    assert (found["state"], found["quarantined"]) == ("active", 3)
    # Named events are set aside without a search by halves.
    assert len(receiver.batches) <= 5


@pytest.mark.cell("partial failure")
@pytest.mark.parametrize("receiver", ["otlp"], indirect=True)
def test_a_partial_success_is_final_and_nothing_is_forgotten(server, receiver, tenant):
    receiver.poisoned = lambda found, indices: receiver.accept(
        [one for index, one in enumerate(found) if index not in indices]
    ) or {"partialSuccess": {"rejectedLogRecords": str(len(indices)), "errorMessage": "bad"}}
    server.call("POST", "/v1/tenants", json={"id": tenant}, expect=201)
    submit(server, tenant, [event(0), event(1, siem.POISON), event(2)])
    made = server.destination(tenant, name="siem", type="otlp", start="beginning", config=receiver.config(tenant))
    arrived(server, receiver, tenant, but={siem.POISON})
    found = settled(server, tenant, made)
    # The receiver does not say which: all of the batch is on the list, and none is sent again.
    assert (found["state"], found["quarantined"], receiver.requests) == ("active", 4, 1)


@pytest.fixture(scope="module")
def killed(tmp_path_factory, request):
    """One server with a destination of every kind, killed while every request is under way; then what each got."""
    receivers = {kind: make(kind, request) for kind in siem.KINDS}
    server = harness.Attestary(tmp_path_factory.mktemp("killed") / "data")
    try:
        for kind, receiver in receivers.items():
            # The first request is taken and its answer lost; the second hangs until the kill.
            receiver.fail("cut", "hang")
            start(server, receiver, f"killed-{kind}", numbers=range(50))
        for kind, receiver in receivers.items():
            harness.until(f"a request to {kind} hangs", lambda: not receiver.faults)
        server.stop(harness.signal.SIGKILL)
        for receiver in receivers.values():
            receiver.release.set()
        server = harness.Attestary(server.data)
        yield server, receivers
    finally:
        server.stop()
        for receiver in receivers.values():
            receiver.stop()


@pytest.mark.cell("kill -9")
@pytest.mark.parametrize("kind", siem.KINDS)
def test_a_kill_leaves_no_gap(killed, kind):
    server, receivers = killed
    receiver, tenant = receivers[kind], f"killed-{kind}"
    submit(server, tenant, [event(99)])
    expected = arrived(server, receiver, tenant)
    assert receiver.problems == []
    if kind == "elasticsearch":
        assert receiver.seqs() == [seq for seq, _ in expected], "a repeat became a second document"


def test_a_batch_counts_when_the_indexer_confirmed_it(server, tenant):
    receiver = siem.Splunk(acknowledge=True)
    receiver.confirm = False
    try:
        made = start(server, receiver, tenant)
        harness.until("the indexer is asked", lambda: receiver.polls >= 2)
        assert state(server, tenant, made)["cursor"] == 0, "the collector's 200 was taken for the indexer's word"
        receiver.confirm = True
        arrived(server, receiver, tenant)
        settled(server, tenant, made)
        assert receiver.problems == []
    finally:
        receiver.stop()


def test_a_withdrawn_token_is_fetched_anew(server, tenant):
    receiver = siem.Sentinel()
    try:
        made = start(server, receiver, tenant)
        settled(server, tenant, made)
        receiver.valid = None
        submit(server, tenant, [event(9)])
        arrived(server, receiver, tenant)
        found = settled(server, tenant, made)
        assert (found["state"], found["failures"], receiver.grants) == ("active", 0, 2)
        # The credentials themselves are withdrawn: that is for a person.
        receiver.valid, receiver.clients = None, False
        submit(server, tenant, [event(10)])
        found = harness.until("it is paused", lambda: (found := state(server, tenant, made))["state"] == "paused" and found)
        assert "invalid_client" in found["reason_detail"]
    finally:
        receiver.stop()


# seeds: FO-17 with a real OpenSearch
def test_a_daily_index_takes_the_events_day(server, node, tenant):
    receiver = siem.OpenSearchProxy(node)
    try:
        server.call("POST", "/v1/tenants", json={"id": tenant}, expect=201)
        submit(server, tenant, [event(1, occurred_at="2026-10-31T23:59:59.999Z"), event(2, occurred_at="2026-11-01T00:00:00Z")])
        config = {**receiver.config(tenant), "index": "daily-siem", "layout": "daily"}
        made = server.destination(tenant, name="siem", type="elasticsearch", start=1, config=config)
        settled(server, tenant, made)
        for day in ("2026.10.31", "2026.11.01"):
            hits = harness.until(f"a document of {day}", lambda: node.documents(f"daily-siem-{day}"))
            assert len(hits) == 1 and hits[0]["_source"]["@timestamp"].replace("-", ".").startswith(day)
    finally:
        receiver.stop()

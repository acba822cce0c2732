"""Syslog to the receivers that people run: what they write is what the log holds, over TCP, TLS and UDP."""

import json

import pytest

import harness
import syslog_receivers
from test_objects import root
from test_webhooks import Authority, loopback_names

TENANT = "acme"
HOSTILE = "a\"b\\c|d=e\r\nf\u2028h\u202e\U0001d11e<110>1 - - - - - [x y=\"z]\"]\u0000"
BOTH = "rsyslog 8.2302 and syslog-ng 3.38 (Debian)"
COMPONENTS = {"tcp": BOTH, "tls": BOTH, "udp": "rsyslog 8.2302 (Debian)"}
PAIRS = [("rsyslog", "tcp"), ("rsyslog", "tls"), ("rsyslog", "udp"), ("syslog-ng", "tcp"), ("syslog-ng", "tls")]


def receivers(*columns, but=()):
    marks = {way: pytest.mark.cell(*columns, destination=f"syslog {way}", component=name) for way, name in COMPONENTS.items()}
    pairs = [pytest.param((program, way), id=f"{program}-{way}", marks=marks[way]) for program, way in PAIRS if way not in but]
    return pytest.mark.parametrize("receiver", pairs, indirect=True)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def receiver(tmp_path, request, authority):
    program, transport = request.param
    assert program == "rsyslog" or syslog_receivers.syslog_ng(), "syslog-ng comes from Debian's packages"
    made = syslog_receivers.Syslog(program, transport, tmp_path / program, authority.leaf("localhost", loopback_names()))
    yield made
    made.stop()


def event(number, **more):
    return {"tenant": TENANT, "action": "order.placed", "actor": {"type": "user", "id": "u1"}, "metadata": {"number": number}, **more}


def config(receiver, authority, **more):
    trusted = {"ca": authority.pem()} if receiver.transport == "tls" else {}
    return {"address": f"localhost:{receiver.port}", "transport": receiver.transport, **trusted, **more}


def path_of(made):
    return f"/v1/tenants/{TENANT}/destinations/{made['id']}"


def shown(server, made):
    return server.call("GET", path_of(made), expect=200).json()


def seqs(receiver):
    return [int(receiver.element(record)["seq"]) for record in receiver.records()]


def first_seen(receiver):
    """Returns what arrived, each event once, in order of first arrival."""
    return list({int(receiver.element(record)["seq"]): record for record in reversed(receiver.records())}.items())[::-1]


@receivers("format", "order", "kill -9", "replay", "receipt")
def test_every_message_arrives_across_a_kill(attestary, receiver, authority):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(TENANT, name="siem", type="syslog", start="beginning", config=config(receiver, authority))
    for first in (0, 30, 60):
        attestary.submit([event(number, description=HOSTILE) for number in range(first, first + 30)])
        # Datagrams that come faster than they are read are lost by the system.
        harness.until("a batch arrives", lambda: len(set(seqs(receiver))) >= first + 31)
    attestary.submit([event(number) for number in range(90, 120)])
    attestary.stop(harness.signal.SIGKILL)
    server = harness.Attestary(attestary.data)
    try:
        stored = {event["seq"]: event for event in server.events(TENANT)}
        size = len(stored)
        harness.until("everything is there", lambda: len(set(seqs(receiver))) >= size)
        found = dict(first_seen(receiver))
        assert sorted(found) == list(range(size)) and list(dict.fromkeys(seqs(receiver))) == list(range(size)), "a gap, or out of order"
        for seq, record in found.items():
            said, element = json.loads(record["msg"]), receiver.element(record)
            assert (said["seq"], said["id"], said["leaf_hash"]) == (seq, stored[seq]["id"], stored[seq]["leaf_hash"])
            assert (element["id"], element["leaf"], element["tenant"]) == (said["id"], said["leaf_hash"], TENANT)
            assert said.get("description") == stored[seq].get("description") and (record["host"], record["app"]) == (TENANT, "attestary")
        receipt = harness.until(
            "the receipt speaks for all",
            lambda: (now := server.call("GET", f"{path_of(made)}/receipt", params={"compare": "true"}, expect=200).json())["count"] == size and now)
        assert receipt["root"] == root([bytes.fromhex(receiver.element(found[seq])["leaf"]) for seq in range(size)]).hex()
        assert receipt["log"]["equal"] is True
        before = len(receiver.records())
        server.call("POST", f"{path_of(made)}/replays", json={"from": 3, "to": 20}, expect=201)
        harness.until("the replay is there", lambda: seqs(receiver)[before:] == list(range(3, 21)))
    finally:
        server.stop()


@receivers("5xx", but={"udp"})
def test_a_receiver_that_dies_gets_what_it_may_have_lost(attestary, receiver, authority):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(TENANT, name="siem", type="syslog", start="beginning", config=config(receiver, authority))
    attestary.submit([event(number) for number in range(50)])
    harness.until("some are there", lambda: seqs(receiver))
    receiver.stop(harness.signal.SIGKILL)
    attestary.submit([event(number) for number in range(50, 100)])
    harness.until("it is noticed", lambda: shown(attestary, made)["state"] == "failing")
    receiver.start()
    size = len(attestary.events(TENANT))
    harness.until("everything is there", lambda: len(set(seqs(receiver))) >= size)
    assert sorted(set(seqs(receiver))) == list(range(size)) and shown(attestary, made)["quarantined"] == 0


@receivers("test")
def test_a_test_names_the_step_that_fails(attestary, receiver, authority):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    good = config(receiver, authority)
    made = attestary.destination(TENANT, name="siem", type="syslog", config=good)
    tested = attestary.call("POST", f"{path_of(made)}/test", expect=200).json()
    assert (tested["stage"], tested["verdict"]) == ("ok", "delivered"), tested
    attestary.call("PATCH", path_of(made), json={"config": {**good, "address": "no-such-host.invalid:6514"}}, expect=200)
    tested = attestary.call("POST", f"{path_of(made)}/test", expect=200).json()
    assert tested["stage"] in ("name", "address") and tested["hint"], tested
    if receiver.transport != "udp":
        attestary.call("PATCH", path_of(made), json={"config": {**good, "address": f"localhost:{harness.free_port()}"}}, expect=200)
        tested = attestary.call("POST", f"{path_of(made)}/test", expect=200).json()
        assert tested["stage"] == "connection" and tested["hint"], tested


@receivers("auth failure", but={"tcp", "udp"})
def test_a_receiver_that_is_not_trusted_gets_nothing(attestary, receiver, authority):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(
        TENANT, name="siem", type="syslog", start="beginning", config=config(receiver, authority, ca=Authority().pem()))
    state = harness.until("it is paused", lambda: (now := shown(attestary, made))["state"] == "paused" and now)
    assert state["cursor"] == 0 and "certificate" in state["reason_detail"], state
    tested = attestary.call("POST", f"{path_of(made)}/test", expect=200).json()
    assert (tested["stage"], tested["verdict"]) == ("tls", "pause"), tested
    assert not receiver.records()
    attestary.call("PATCH", path_of(made), json={"config": config(receiver, authority)}, expect=200)
    size = len(attestary.events(TENANT))
    harness.until("nothing was lost", lambda: len(set(seqs(receiver))) >= size)

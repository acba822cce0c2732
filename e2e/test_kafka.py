"""Kafka: a real broker, a reader of others, logins, TLS, kills on either side."""

import json
import secrets
import signal

import pytest

import harness
import kafka
from test_objects import root
from test_webhooks import Authority, loopback_names

TENANT = "acme/eu.1"
HOSTILE = "a\"b\\c|d=e\r\nf\u2028h\u202e\U0001d11e<&'>\u0000"
cell = lambda *columns: pytest.mark.cell(*columns, destination="kafka", component=kafka.Kafka.component)  # noqa: E731


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def broker(tmp_path_factory, authority):
    ready = kafka.libraries()
    assert ready, "Kafka needs java and mvn; ./test installs them"
    directory = tmp_path_factory.mktemp("kafka")
    chain, key = authority.leaf("localhost", loopback_names())
    (directory / "broker.pem").write_text(key + chain)
    made = kafka.Kafka(directory / "node", ready, directory / "broker.pem")
    yield made
    made.stop(signal.SIGKILL)


def event(number, **more):
    return {"tenant": TENANT, "action": "order.placed", "actor": {"type": "user", "id": "u1"}, "metadata": {"number": number}, **more}


def path_of(made):
    return f"/v1/tenants/{harness.quote(TENANT, safe='')}/destinations/{made['id']}"


def bodies(records):
    return [json.loads(record.value()) for record in records if b"attestary.test" not in record.value()]


def shown(server, made):
    return server.call("GET", path_of(made), expect=200).json()


@cell("format", "order", "kill -9", "5xx", "lost answer", "replay", "receipt")
def test_every_event_stands_in_one_partition_once(attestary, broker):
    broker.topic("audit")
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(
        TENANT, name="bus", type="kafka", start="beginning", config=broker.config("audit"), batch={"events_max": 40})
    for first in range(0, 400, 100):
        attestary.submit([event(number, description=HOSTILE) for number in range(first, first + 100)])
    harness.until("some are there", lambda: len(broker.records("audit")) > 40)
    # The broker dies while batches are under way, comes back, and the service dies and comes back.
    broker.stop(signal.SIGKILL)
    attestary.submit([event(number) for number in range(400, 500)])
    broker.start()
    attestary.stop(signal.SIGKILL)
    server = harness.Attestary(attestary.data)
    try:
        size = len(server.events(TENANT))
        harness.until("all is there", lambda: shown(server, made)["cursor"] >= size)
        records = broker.records("audit")
        found = bodies(records)
        assert len({record.partition() for record in records}) == 1
        assert {record.key() for record in records} == {TENANT.encode()}
        # The service's death may repeat the one batch that was under way; the broker's may not.
        seqs, seen = [body["seq"] for body in found], []
        for seq in seqs:
            if seq not in seen:
                assert seq == len(seen), "an event is missing or out of order"
                seen.append(seq)
        assert len(seqs) - len(seen) <= 40, "more than one batch came twice"
        for record, body in zip(records, found):
            headers = dict(record.headers())
            assert headers["attestary-event-id"].decode() == body["id"]
            assert headers["attestary-seq"].decode() == str(body["seq"])
            assert headers["attestary-leaf-hash"].decode() == body["leaf_hash"]
            assert headers["content-type"] == b"application/json"
        stored = {event["seq"]: event for event in server.events(TENANT)}
        assert all(stored[body["seq"]].get("description") == body.get("description") for body in found)
        receipt = server.call("GET", f"{path_of(made)}/receipt", params={"compare": "true"}, expect=200).json()
        first = {body["seq"]: body for body in reversed(found)}
        leaves = [bytes.fromhex(first[seq]["leaf_hash"]) for seq in range(receipt["from_seq"], receipt["to_seq"] + 1)]
        assert receipt["root"] == root(leaves).hex() and receipt["log"]["equal"] is True
        server.call("POST", f"{path_of(made)}/replays", json={"from": 3, "to": 20}, expect=201)
        again = lambda: bodies(broker.records("audit"))[len(found):]  # noqa: E731
        harness.until("the replay is done", lambda: len([b for b in again() if 3 <= b["seq"] <= 20]) == 18)
        replayed = [body for body in again() if 3 <= body["seq"] <= 20]
        assert replayed == [first[seq] for seq in range(3, 21)]
    finally:
        server.stop()


@cell("413", "poison", "test")
def test_what_is_wrong_is_named_and_large_batches_are_halved(attestary, broker):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(TENANT, name="bus", type="kafka", start="beginning", config=broker.config("small"))
    tested = attestary.call("POST", f"{path_of(made)}/test", expect=200).json()
    assert tested["verdict"] == "pause" and "no such topic" in tested["detail"], tested
    # A topic whose batches are small: the rest arrives, the event that is too large alone is set aside.
    broker.topic("small", **{"max.message.bytes": "9000"})
    large = attestary.submit(event(0, metadata={"text": secrets.token_hex(15_000)}))
    attestary.submit([event(number) for number in range(1, 400)])
    attestary.call("POST", f"{path_of(made)}/resume", expect=200)
    size = len(attestary.events(TENANT))
    harness.until("all but one is there", lambda: len({body["seq"] for body in bodies(broker.records("small"))}) >= size - 1)
    aside = attestary.call("GET", f"{path_of(made)}/quarantine", expect=200).json()["data"]
    assert [item["seq"] for item in aside] == [large["seq"]], aside
    gone = attestary.destination(TENANT, name="gone", type="kafka", config={"brokers": [f"127.0.0.1:{harness.free_port()}"], "topic": "a"})
    tested = attestary.call("POST", f"{path_of(gone)}/test", expect=200).json()
    assert tested["verdict"] == "retry" and tested["stage"] == "connection", tested


@cell("auth failure")
@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-256", "scram-sha-512"])
def test_logins(attestary, broker, authority, mechanism):
    topic = f"login-{mechanism}"
    broker.topic(topic)
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    user = "reader" if mechanism == "plain" else kafka.USER
    login = {"mechanism": mechanism, "user": user, "password": kafka.PASSWORD}
    sasl = {"brokers": [f"127.0.0.1:{broker.sasl}"], "topic": topic, **login}
    wrong = attestary.destination(TENANT, name="wrong", type="kafka", config={**sasl, "password": "c"})
    attestary.submit([event(number) for number in range(5)])
    state = harness.until("it is paused", lambda: (now := shown(attestary, wrong))["state"] == "paused" and now)
    assert state["reason"] == "credentials", state
    cursor = state["cursor"]
    right = attestary.call("PATCH", path_of(wrong), json={"config": sasl}, expect=200).json()
    assert kafka.PASSWORD not in json.dumps(right)
    size = len(attestary.events(TENANT))
    harness.until("nothing was lost", lambda: len(bodies(broker.records(topic))) >= size - cursor)
    tls = {**login, "brokers": [f"localhost:{broker.tls}"], "topic": topic, "tls": True}
    strange = attestary.destination(TENANT, name="strange", type="kafka", config=tls)
    tested = attestary.call("POST", f"{path_of(strange)}/test", expect=200).json()
    assert tested["verdict"] == "pause" and tested["stage"] == "tls", tested
    trusted = attestary.destination(TENANT, name="tls", type="kafka", config={**tls, "ca": authority.pem()})
    tested = attestary.call("POST", f"{path_of(trusted)}/test", expect=200).json()
    assert tested["verdict"] == "delivered", tested

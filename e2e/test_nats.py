"""NATS JetStream: the real server, a client of others, and a kill in the middle."""

import asyncio
import json
import pathlib
import signal
import subprocess
import sys

import nats
import pytest

import harness
import relay
from test_objects import root

TENANT = "acme/eu.1"
cell = lambda *columns: pytest.mark.cell(*columns, destination="nats", component="nats-server with JetStream (PyPI); nats-py reads")  # noqa: E731


class Nats:
    """`nats-server` with JetStream; stopped and started again on the same port and directory."""

    def __init__(self, directory: pathlib.Path):
        self.directory = directory
        self.port = harness.free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        program = pathlib.Path(sys.executable).parent / "nats-server"
        self.process = subprocess.Popen(
            [program, "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self.directory), "--user", "a", "--pass", "b"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        harness.until("nats-server listens", lambda: self.call(lambda _: asyncio.sleep(0, True)))

    def call(self, act):
        async def run():
            try:
                client = await nats.connect(self.url, user="a", password="b", connect_timeout=2, allow_reconnect=False)
            except (OSError, nats.errors.Error):
                return None
            try:
                return await act(client.jetstream())
            finally:
                await client.close()
        return asyncio.run(run())

    def stream(self, **more) -> None:
        self.call(lambda js: js.add_stream(name="audit", subjects=["audit.>"], **more))

    def forget_ids(self) -> None:
        """The window for repeats of the stream is over: it is a tenth of a second from now on."""
        async def narrow(js):
            now = (await js.stream_info("audit")).config
            now.duplicate_window = 0.1
            await js.update_stream(now)
            await asyncio.sleep(1)
        self.call(narrow)

    def messages(self) -> list:
        async def read(js):
            count = (await js.stream_info("audit")).state.messages
            return [await js.get_msg("audit", seq) for seq in range(1, count + 1)]
        return self.call(read) or []

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(harness.PATIENCE_SECONDS)


@pytest.fixture
def broker(tmp_path):
    made = Nats(tmp_path / "nats")
    yield made
    made.stop()


def event(number):
    return {"tenant": TENANT, "action": "order.placed", "actor": {"type": "user", "id": "u1"}, "metadata": {"number": number}}


def config(broker, **more):
    return {"address": f"127.0.0.1:{broker.port}", "user": "a", "password": "b", **more}


def path_of(made):
    return f"/v1/tenants/{harness.quote(TENANT, safe='')}/destinations/{made['id']}"


@cell("format", "order", "kill -9", "5xx")
def test_every_event_stands_in_the_stream_once(attestary, broker):
    broker.stream()
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(TENANT, name="bus", type="nats", start="beginning", config=config(broker))
    for first in range(0, 300, 100):
        attestary.submit([event(number) for number in range(first, first + 100)])
    # The broker goes away, the service is killed, both come back.
    broker.stop(signal.SIGKILL)
    attestary.submit([event(number) for number in range(300, 400)])
    attestary.stop(signal.SIGKILL)
    broker.start()
    server = harness.Attestary(attestary.data)
    try:
        harness.until("all is there", lambda: len([m for m in broker.messages() if b"order.placed" in m.data]) >= 400)
        messages = broker.messages()
        bodies = [json.loads(message.data) for message in messages]
        assert [body["seq"] for body in bodies] == list(range(len(bodies))), "an event is missing, out of order or repeated"
        assert all(m.headers["Nats-Msg-Id"] == body["id"] for m, body in zip(messages, bodies))
        assert messages[1].subject == "audit.acme%2Feu%2E1.order.placed"
        assert server.call("GET", path_of(made), expect=200).json()["delivered"] >= 401
    finally:
        server.stop()


@cell("lost answer", "replay", "receipt")
def test_lost_confirmations_repeat_nothing_and_a_replay_is_told_by_its_ids(attestary, broker):
    broker.stream(duplicate_window=20)
    pipe = relay.Pipe(broker.port)
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(
        TENANT, name="bus", type="nats", start="beginning", config=config(broker, address=f"127.0.0.1:{pipe.port}"), batch={"events_max": 40})
    shown = lambda: attestary.call("GET", path_of(made), expect=200).json()  # noqa: E731
    attestary.submit(event(0))
    harness.until("the first is there", lambda: shown()["cursor"] == 2)
    # The stream takes what comes now, and its confirmations are lost with the connection.
    pipe.deaf = True
    attestary.submit([event(number) for number in range(1, 100)])
    harness.until("a batch was taken", lambda: len(broker.messages()) >= 42)
    assert shown()["cursor"] == 2 and pipe.swallowed
    pipe.deaf = False
    pipe.cut()
    size = len(attestary.events(TENANT))
    harness.until("everything is confirmed", lambda: shown()["cursor"] >= size)
    bodies = [json.loads(message.data) for message in broker.messages()]
    assert [body["seq"] for body in bodies] == list(range(len(bodies))), "a repeat was not told by its id"
    receipt = attestary.call("GET", f"{path_of(made)}/receipt", params={"compare": "true"}, expect=200).json()
    assert receipt["log"]["equal"] is True and receipt["count"] == receipt["to_seq"] + 1
    assert receipt["root"] == root([bytes.fromhex(body["leaf_hash"]) for body in bodies[:receipt["count"]]]).hex()
    # Within the stream's window a replay is a repeat: nothing comes twice. Behind it, the stretch comes again.
    attestary.call("POST", f"{path_of(made)}/replays", json={"from": 3, "to": 20}, expect=201)
    done = lambda: all(one["done_at"] for one in attestary.call("GET", f"{path_of(made)}/replays", expect=200).json()["data"])  # noqa: E731
    harness.until("the replay is done", done)
    assert len(broker.messages()) == len(bodies)
    broker.forget_ids()
    attestary.call("POST", f"{path_of(made)}/replays", json={"from": 3, "to": 20}, expect=201)
    harness.until("the second replay is done", done)
    assert [json.loads(message.data) for message in broker.messages()[len(bodies):]] == bodies[3:21]
    pipe.stop()


@cell("413")
def test_a_message_above_a_limit_is_set_aside_and_the_rest_arrives(attestary, broker):
    broker.stream(max_msg_size=4_000)
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(TENANT, name="bus", type="nats", start="beginning", config=config(broker))
    attestary.submit([event(number) for number in range(40)])
    large = attestary.submit({**event(40), "metadata": {"text": "x" * 6_000}})
    attestary.submit([event(number) for number in range(41, 80)])
    size = len(attestary.events(TENANT))
    harness.until("all is done with", lambda: attestary.call("GET", path_of(made), expect=200).json()["cursor"] >= size)
    aside = attestary.call("GET", f"{path_of(made)}/quarantine", expect=200).json()["data"]
    assert [item["seq"] for item in aside] == [large["seq"]], aside
    seqs = [json.loads(message.data)["seq"] for message in broker.messages()]
    assert seqs[:size - 1] == [seq for seq in range(size) if seq != large["seq"]]


@cell("auth failure", "test")
def test_what_is_wrong_is_named(attestary, broker):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(TENANT, name="bus", type="nats", config=config(broker))
    tested = attestary.call("POST", f"{path_of(made)}/test", expect=200).json()
    assert tested["verdict"] == "pause" and "no JetStream stream" in tested["detail"], tested
    broker.stream(max_msg_size=20_000)
    tested = attestary.call("POST", f"{path_of(made)}/test", expect=200).json()
    assert tested["verdict"] == "delivered", tested
    wrong = attestary.destination(TENANT, name="wrong", type="nats", config=config(broker, password="c"))
    tested = attestary.call("POST", f"{path_of(wrong)}/test", expect=200).json()
    assert tested["verdict"] == "pause", tested

"""One destination hangs: intake and the other destination go on; after it recovers, everything arrives in order."""

import time

import pytest

import harness
import siem

HOOK = {"destination": "webhook", "component": siem.Webhook.component}

TENANT = "acme"


def event(number):
    return {"tenant": TENANT, "action": "order.placed", "actor": {"type": "user", "id": "u1"}, "metadata": {"number": number}}


def numbers(receiver):
    return [record["metadata"]["number"] for record in receiver.bodies() if record["action"] == "order.placed"]


@pytest.mark.cell("order", **HOOK)
# seeds: IC-13 IC-19 with a receiver that hangs
def test_a_hanging_destination_holds_up_nobody(attestary, webhooks):
    hanging, healthy = webhooks("hang"), webhooks()
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    stuck = attestary.destination(TENANT, name="stuck", type="webhook", config={"url": hanging.url}, format={"type": "json"})
    attestary.destination(TENANT, name="well", type="webhook", config={"url": healthy.url}, format={"type": "json"})

    attestary.submit(event(0))
    harness.until("the hanging receiver holds a request", lambda: hanging.hung)
    count = 3_000
    started = time.monotonic()
    for first in range(1, count, 500):
        attestary.submit([event(number) for number in range(first, min(first + 500, count))])
    harness.until("the healthy receiver has everything", lambda: len(numbers(healthy)) >= count)
    # The deadline of one delivery is 30 s: whoever waited for the hanging one could not be done before.
    assert time.monotonic() - started < 25
    assert numbers(healthy) == list(range(count))
    assert numbers(hanging) == []

    hanging.recover()
    path = f"/v1/tenants/{TENANT}/destinations/{stuck['id']}"
    state = attestary.call("GET", path, expect=200).json()["state"]
    assert state in ("active", "failing")
    harness.until("the other has everything too", lambda: set(numbers(hanging)) == set(range(count)), 120)
    first_seen = list(dict.fromkeys(numbers(hanging)))
    assert first_seen == list(range(count)), "order broke"


def test_a_pause_keeps_the_cursor(attestary, webhooks):
    hook = webhooks()
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    made = attestary.destination(TENANT, name="hook", type="webhook", config={"url": hook.url}, format={"type": "json"})
    path = f"/v1/tenants/{TENANT}/destinations/{made['id']}"
    attestary.submit(event(0))
    harness.until("the first arrives", lambda: numbers(hook) == [0])
    attestary.call("POST", f"{path}/pause", expect=200)
    attestary.submit([event(1), event(2)])
    assert attestary.call("GET", path, expect=200).json()["state"] == "paused"
    attestary.call("POST", f"{path}/resume", expect=200)
    harness.until("the others arrive", lambda: set(numbers(hook)) == {0, 1, 2})
    assert list(dict.fromkeys(numbers(hook))) == [0, 1, 2]


@pytest.mark.cell("kill -9", **HOOK)
# seeds: IC-18 with kill -9
def test_delivery_goes_on_after_a_kill(attestary, webhooks, tmp_path):
    hook = webhooks("hang")
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    attestary.destination(TENANT, name="hook", type="webhook", config={"url": hook.url}, format={"type": "json"})
    attestary.submit([event(number) for number in range(200)])
    harness.until("a request hangs", lambda: hook.hung)
    attestary.stop(harness.signal.SIGKILL)
    hook.recover()
    again = harness.Attestary(attestary.data)
    try:
        assert again.facts["ingest_key"] == attestary.facts["ingest_key"]
        harness.until("everything arrives", lambda: set(numbers(hook)) == set(range(200)))
        assert list(dict.fromkeys(numbers(hook))) == list(range(200))
    finally:
        again.stop()

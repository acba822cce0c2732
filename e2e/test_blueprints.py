"""Blueprints: what an operator defines once, every tenant of the environment gets, now and later."""

import harness


def destinations(server, tenant):
    return server.call("GET", f"/v1/tenants/{tenant}/destinations", expect=200).json()["data"]


def event(tenant, number):
    return {"tenant": tenant, "action": "order.placed", "actor": {"type": "user", "id": "u1"}, "metadata": {"number": number}}


def test_every_tenant_gets_what_the_operator_defined(attestary, webhooks):
    receiver = webhooks()
    for tenant in ("one", "two"):
        attestary.call("POST", "/v1/tenants", json={"id": tenant}, expect=201)
    secret = "hush-hush"
    body = {
        "name": "lake", "type": "webhook", "start": "beginning", "filter": "action:order.placed", "format": {"type": "cef"},
        "config": {"url": receiver.url, "signature": "v1a", "headers": {"authorization": f"Bearer {secret}"}},
    }
    shared = {**body, "config": {"url": receiver.url}}
    assert attestary.call("POST", "/v1/destination-blueprints", json=shared).status_code == 400
    made = attestary.call("POST", "/v1/destination-blueprints", json=body, expect=201).json()
    assert made["id"].startswith("bpr_") and secret not in str(made)
    for tenant in ("one", "two"):
        harness.until(f"{tenant} has one", lambda: [d for d in destinations(attestary, tenant) if d["name"] == "lake"])
    # A tenant that appears with its first event gets one too, after a restart as well.
    attestary.submit([event("three", 1), event("one", 2)])
    harness.until("three has one", lambda: [d for d in destinations(attestary, "three") if d["name"] == "lake"])
    harness.until("both arrive", lambda: len(receiver.bodies()) >= 2)
    assert all(record.startswith("CEF:0|") for record in receiver.bodies())
    assert all(headers["authorization"] == f"Bearer {secret}" for headers, _ in receiver.requests)
    attestary.stop(harness.signal.SIGKILL)
    server = harness.Attestary(attestary.data)
    try:
        attestary = server
        assert len([d for d in destinations(server, "one") if d["name"] == "lake"]) == 1, "it was made twice"
        [listed] = server.call("GET", "/v1/destination-blueprints", expect=200).json()["data"]
        assert listed["id"] == made["id"] and listed["copies"] >= 3 and secret not in str(listed)
        # A tenant's own key sees it and cannot change it.
        key = server.call("POST", "/v1/keys", json={"name": "own", "scopes": ["destinations"], "tenants": ["one"]}, expect=201).json()["secret"]
        own = {"headers": {"authorization": f"Bearer {key}"}}
        [copy] = server.session.get(f"{server.url}/v1/tenants/one/destinations", timeout=60, **own).json()["data"]
        assert copy["managed_by"] == "operator" and copy["public_keys"]
        path = f"{server.url}/v1/tenants/one/destinations/{copy['id']}"
        assert server.session.delete(path, timeout=60, **own).status_code == 409
        assert server.session.get(f"{server.url}/v1/destination-blueprints", timeout=60, **own).status_code == 404
        # A change reaches what came of it: the new filter and format hold from the cursor on, the keys stay.
        listed = server.call("PATCH", f"/v1/destination-blueprints/{made['id']}", json={"filter": "action:order.shipped", "format": {"type": "json"}}, expect=200)
        assert listed.json()["filter"] == "action:order.shipped" and secret not in listed.text
        for tenant in ("one", "two", "three"):
            harness.until(f"{tenant} has the change", lambda: [d for d in destinations(server, tenant) if d["filter"] == "action:order.shipped"])
        [now] = [d for d in destinations(server, "one") if d["id"] == copy["id"]]
        assert now["public_keys"] == copy["public_keys"] and now["cursor"] >= copy["cursor"]
        before = len(receiver.bodies())
        server.submit([event("one", 3), {**event("one", 4), "action": "order.shipped"}])
        harness.until("only what was shipped arrives", lambda: len(receiver.bodies()) > before)
        assert [body["action"] for body in receiver.bodies()[before:]] == ["order.shipped"]
        assert receiver.requests[-1][0]["authorization"] == f"Bearer {secret}"
        refused = server.call("PATCH", f"/v1/destination-blueprints/{made['id']}", json={"config": {"url": receiver.url}}, expect=400)
        assert "/config/signature" in refused.text
        # What an operator removes for one tenant is not made again.
        server.call("DELETE", f"/v1/tenants/one/destinations/{copy['id']}", expect=204)
        server.call("POST", "/v1/tenants", json={"id": "four"}, expect=201)
        harness.until("four has one", lambda: [d for d in destinations(server, "four") if d["name"] == "lake"])
        assert not [d for d in destinations(server, "one") if d["name"] == "lake"]
        server.call("DELETE", f"/v1/destination-blueprints/{made['id']}", expect=204)
        for tenant in ("two", "three", "four"):
            assert not [d for d in destinations(server, tenant) if d["name"] == "lake"]
    finally:
        server.stop()

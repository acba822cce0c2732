"""Unmodified IronCore clients log through Attestary; every event is read back and reaches a SIEM.

The client programs are separate, installed by npm and pip at test time; no part of them is in this repository.
"""

import asyncio
import json
import pathlib
import subprocess

import cefp
import pytest
import requests
from standardwebhooks.webhooks import Webhook as StandardWebhook

import harness

NODE = pathlib.Path(__file__).parent / "node"

# The names as the protocol publishes them: written here once more, so that the client's list is checked too.
PREDEFINED = {
    "USER": "ADD SUSPEND REMOVE LOGIN TIMEOUT_SESSION LOCKOUT LOGOUT CHANGE_PERMISSIONS EXPIRE_PASSWORD RESET_PASSWORD"
            " CHANGE_PASSWORD REJECT_LOGIN ENABLE_TWO_FACTOR DISABLE_TWO_FACTOR CHANGE_EMAIL"
            " REQUEST_EMAIL_VERIFICATION VERIFY_EMAIL",
    "ADMIN": "ADD REMOVE CHANGE_PERMISSIONS CHANGE_SETTING",
    "DATA": "IMPORT EXPORT ENCRYPT DECRYPT CREATE DELETE DENY_ACCESS CHANGE_PERMISSIONS",
    "PERIODIC": "ENFORCE_RETENTION_POLICY CREATE_BACKUP",
}
NAMES = {f"{family}_{name}" for family, names in PREDEFINED.items() for name in names.split()}
TENANT = "acme=1|x\\y"


def destinations(attestary, rsyslog, hook):
    """Sends the tenant's events to rsyslog in each framing and transport, and to a webhook."""
    cef = {"type": "cef", "space_before_extension": True}
    tcp, udp = f"127.0.0.1:{rsyslog.tcp}", f"127.0.0.1:{rsyslog.udp}"
    made = [
        attestary.destination(TENANT, name=name, type="syslog", config=config, format=cef, start="beginning",
                              filter="-action:attestary.*")
        for name, config in [
            ("octets", {"address": tcp, "transport": "tcp", "framing": "octet-counting"}),
            ("lines", {"address": tcp, "transport": "tcp", "framing": "lf"}),
            ("datagrams", {"address": udp, "transport": "udp"}),
        ]
    ]
    made.append(attestary.destination(TENANT, name="siem", type="webhook", config={"url": hook.url},
                                      format={"type": "ironcore"}, start="beginning", filter="-action:attestary.*"))
    return made


# seeds: IC-01 IC-08 IC-11 IC-21 IC-26 WO-10 with the npm client @ironcorelabs/tenant-security-nodejs, rsyslog, liblognorm
def test_node_client_logs_every_event_to_the_siem(attestary, rsyslog, webhooks, tmp_path):
    hook = webhooks()
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    webhook = destinations(attestary, rsyslog, hook)[-1]
    wrong_key = ("a" if attestary.facts["ingest_key"][-1] != "a" else "b").join([attestary.facts["ingest_key"][:-1], ""])
    done = subprocess.run(
        ["node", "log_events.js", attestary.url, attestary.facts["ingest_key"], wrong_key, TENANT],
        cwd=NODE, capture_output=True, timeout=harness.PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr.decode()
    calls = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    refused, minimal, logged = calls[-1], calls[-2], calls[:-2]

    assert {call["action"] for call in logged} == NAMES | {"CUSTOM_REPORT_SIGNED"} and len(logged) == 32
    assert all(call["resolved"] is None and "resolved" in call for call in logged + [minimal])
    assert refused["errorCode"] == 101 and refused["status"] == 401 and refused["kind"] == "TspServiceException"

    events = attestary.submitted(TENANT)
    assert len(events) == len(logged) + 1
    for call, event in zip(logged, events):
        check_event(event, call)
    check_minimal(events[-1], minimal)
    for event in events:
        one = attestary.call("GET", f"/v1/events/{event['id']}", key="read_key", params={"tenant": TENANT}, expect=200)
        assert one.json() == event

    check_syslog(rsyslog, events, tmp_path)
    check_webhook(hook, webhook, events, logged + [minimal])


def check_event(event, call):
    sent = call["sent"]
    assert event["tenant"] == TENANT and event["action"] == call["action"]
    assert event["actor"]["id"] == sent["requestingId"]
    assert event["labels"] == [sent["dataLabel"]]
    assert event["context"]["ip"] == sent["sourceIp"] and event["context"]["request_id"] == sent["requestId"]
    assert [target["id"] for target in event["targets"]] == [sent["objectId"]]
    assert event["metadata"] == sent["otherData"]
    assert milliseconds(event["occurred_at"]) == sent["timestampMillis"]


def check_minimal(event, call):
    assert event["action"] == "USER_LOGIN" and event["actor"]["id"] == "serviceOrUserId"
    # The client fills the time itself.
    assert call["before"] <= milliseconds(event["occurred_at"]) <= call["after"]
    assert not event.get("labels") and not event.get("targets") and "ip" not in event.get("context", {})


def milliseconds(text):
    from datetime import datetime, timedelta, timezone
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def check_syslog(rsyslog, events, tmp_path):
    """What two parsers that are not ours read from rsyslog's files equals what the API says."""
    wanted = {event["id"] for event in events}

    def arrived(name, copies):
        lines = rsyslog.messages(name)
        ids = [line for line in lines if "externalId=" in line]
        return lines if len(ids) >= copies * len(wanted) else None

    tcp = harness.until("rsyslog has both TCP copies", lambda: arrived("tcp", 2))
    udp = harness.until("rsyslog has the UDP copy", lambda: arrived("udp", 1))
    by_id = {event["id"]: event for event in events}
    for lines in (tcp, udp):
        normalized = harness.lognormalizer(lines, tmp_path)
        assert len(normalized) == len(lines)
        for line, record in zip(lines, normalized):
            assert record is not None, f"liblognorm refuses {line}"
            parsed = cefp.parse(line)
            assert parsed["extension"] == record["Extensions"], line
            assert parsed["device"]["event_class_id"] == record["SignatureID"]
            check_cef(record, by_id[record["Extensions"]["externalId"]])
        assert {record["Extensions"]["externalId"] for record in normalized} == wanted


def check_cef(record, event):
    fields = record["Extensions"]
    assert record["SignatureID"] == event["action"] and fields["act"] == event["action"]
    assert record["Severity"] == str(event["severity"])
    assert int(fields["rt"]) == milliseconds(event["occurred_at"])
    assert int(fields["deviceCustomDate1"]) == milliseconds(event["received_at"])
    assert fields["suid"] == event["actor"]["id"]
    assert fields["outcome"] == event["outcome"] and fields["cat"] == event["category"]
    assert (fields["cs1Label"], fields["cs1"]) == ("tenant", event["tenant"])
    assert (fields["cn1Label"], fields["cn1"]) == ("seq", str(event["seq"]))
    assert (fields["flexString1Label"], fields["flexString1"]) == ("leafHash", event["leaf_hash"])
    assert fields.get("src") == event.get("context", {}).get("ip")
    assert fields.get("cs4") == event.get("context", {}).get("request_id")
    if event.get("labels"):
        assert fields["cs3Label"] == "labels" and event["labels"][0] in fields["cs3"]
    if event.get("targets"):
        assert fields["cs2Label"] == "targets" and event["targets"][0]["id"] in fields["cs2"]
    if event.get("metadata"):
        assert fields["cs6Label"] == "metadata" and json.loads(fields["cs6"]) == event["metadata"]


def check_webhook(hook, webhook, events, calls):
    """The TSP form arrives signed; its members are those of the request."""
    harness.until("the webhook has every event", lambda: len(hook.bodies()) >= len(events))
    verifier = StandardWebhook(webhook["config"]["secret"] if "secret" in webhook["config"] else webhook["secret"])
    for headers, body in hook.requests:
        verifier.verify(body, headers)
        with pytest.raises(Exception):
            verifier.verify(body + b" ", headers)
    unique = {record["iclFields"]["tspRayId"]: record for record in hook.bodies()}
    assert list(unique) == [event["id"] for event in events]
    for call, record in zip(calls, unique.values()):
        assert record["tenantId"] == TENANT and record["iclFields"]["event"] == call["action"]
        if call.get("minimal"):
            assert record["customFields"] == {} and "dataLabel" not in record["iclFields"]
            continue
        sent = call["sent"]
        for name in ("requestingId", "dataLabel", "sourceIp", "objectId", "requestId"):
            assert record["iclFields"][name] == sent[name]
        assert record["customFields"] == sent["otherData"]
        assert milliseconds(record["timestamp"]) == sent["timestampMillis"]


# seeds: IC-08 IC-10 IC-11 IC-26 with the PyPI client ironcore-alloy
def test_alloy_client_logs_every_event(attestary):
    """The Python client puts the name at the top of the body and sends nulls for what it was not given."""
    alloy = pytest.importorskip("ironcore_alloy")

    class Http(alloy.HttpClient):
        async def post_json(self, url, json_body, headers):
            sent = {"content-type": "application/json", "authorization": headers.authorization}
            reply = requests.post(url, data=json_body.encode(), headers=sent, timeout=harness.PATIENCE_SECONDS)
            return alloy.AlloyHttpClientResponse(json_body=reply.text, status_code=reply.status_code)

    def client(key):
        configuration = alloy.SaasShieldConfiguration(attestary.url, key, None, Http(), False, True)
        return alloy.SaasShield(configuration).deterministic()

    families = {"USER": alloy.UserEvent, "ADMIN": alloy.AdminEvent, "DATA": alloy.DataEvent, "PERIODIC": alloy.PeriodicEvent}
    wanted = []

    async def log(key):
        deterministic = client(key)
        full = alloy.AlloyMetadata("alloy", "someone", "label", "203.0.113.9", "object", "request", {"k": "v"})
        for family, members in families.items():
            for member in members:
                event = getattr(alloy.SecurityEvent, family)(member)
                assert await deterministic.log_security_event(event, full, 1_700_000_000_123) is None
                wanted.append(f"{family}_{member.name}")
        custom = alloy.SecurityEvent.CUSTOM(alloy.CustomEvent(event_name="REPORT_SIGNED"))
        await deterministic.log_security_event(custom, alloy.AlloyMetadata("alloy", None, None, None, None, None, {}), None)
        wanted.append("CUSTOM_REPORT_SIGNED")

    asyncio.run(log(attestary.facts["ingest_key"]))
    assert set(wanted) == NAMES | {"CUSTOM_REPORT_SIGNED"}
    events = attestary.submitted("alloy")
    assert [event["action"] for event in events] == wanted
    for event in events[:-1]:
        assert event["actor"]["id"] == "someone" and event["labels"] == ["label"] and event["metadata"] == {"k": "v"}
        assert event["targets"][0]["id"] == "object" and event["context"]["request_id"] == "request"
        assert milliseconds(event["occurred_at"]) == 1_700_000_000_123
    assert events[-1]["actor"]["type"] == "service" and not events[-1].get("labels")

    with pytest.raises(alloy.AlloyError) as refused:
        asyncio.run(log(attestary.facts["ingest_key"][:-4] + "AAAA"))
    assert "101" in str(refused.value) or getattr(refused.value, "code", None) == 101


# seeds: IC-02 IC-27 with the npm client @ironcorelabs/tenant-security-nodejs, 50 calls at once
def test_parallel_calls_reach_the_receiver_of_their_own_tenant(attestary, webhooks):
    tenants, hooks = ["one", "two"], [webhooks(), webhooks()]
    for tenant, hook in zip(tenants, hooks):
        attestary.call("POST", "/v1/tenants", json={"id": tenant}, expect=201)
        attestary.destination(tenant, name="siem", type="webhook", config={"url": hook.url}, format={"type": "ironcore"},
                              start="beginning", filter="-action:attestary.*")
    done = subprocess.run(["node", "parallel.js", attestary.url, attestary.facts["ingest_key"], *tenants],
                          cwd=NODE, capture_output=True, timeout=harness.PATIENCE_SECONDS)
    assert done.returncode == 0 and done.stdout == b"100\n", done.stderr.decode()
    for number, (tenant, hook) in enumerate(zip(tenants, hooks)):
        harness.until("the receiver has its own", lambda: len({r["iclFields"]["tspRayId"] for r in hook.bodies()}) >= 50)
        assert {record["tenantId"] for record in hook.bodies()} == {tenant}
        wanted = {f"n{n}" for n in range(100) if n % 2 == number}
        assert {record["iclFields"]["objectId"] for record in hook.bodies()} == wanted
        assert {event["targets"][0]["id"] for event in attestary.submitted(tenant)} == wanted

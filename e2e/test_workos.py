"""The WorkOS packages, unmodified: their calls succeed or fail with their own types, and every field can be read back."""

import json
import pathlib
import subprocess
from datetime import datetime, timezone
from urllib.parse import urlsplit

import pytest
import requests

import harness

NODE = pathlib.Path(__file__).parent / "node"
ORGANIZATION = "org_01ABC"
# Calls of the Node package's organisations that concern audit logs: 11.0.0 has none.
NODE_ORGANIZATION_CALLS: list[str] = []


def wrong(key):
    return key[:-1] + ("a" if key[-1] != "a" else "b")


def check_event(event, number):
    assert event["tenant"] == ORGANIZATION and event["action"] == "document.updated"
    assert event["occurred_at"] == datetime.fromtimestamp((1700000000123 + number) / 1000, timezone.utc).isoformat(
        timespec="milliseconds").replace("+00:00", "Z")
    assert event["actor"] == {"type": "user", "id": f"user_{number}", "name": "Ä User",
                              "metadata": {"seats": 3, "trial": False, "plan": "pro"}}
    assert event["targets"] == [{"type": "document", "id": f"doc_{number}", "metadata": {"pages": "12"}},
                                {"type": "team", "id": "team_1"}]
    place = {"location": "Vienna, AT"} if number % 2 else {"ip": "203.0.113.9"}
    assert event["context"] == {"user_agent": "Mozilla/5.0", **place}
    assert event["metadata"] == {"number": number, "extra": True}


# seeds: WO-07 with the npm package @workos-inc/node
def test_node_package(attestary):
    url = urlsplit(attestary.url)
    key = attestary.facts["ingest_key"]
    done = subprocess.run(["node", "workos.js", url.hostname, str(url.port), key, wrong(key), ORGANIZATION,
                           attestary.facts["admin_key"], attestary.facts["read_key"]],
                          cwd=NODE, capture_output=True, timeout=harness.PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr.decode()
    calls = {}
    for line in done.stdout.decode().splitlines():
        call = json.loads(line)
        calls.setdefault(call["name"], []).append(call)
    assert all("resolved" in call for name in ("event", "first", "repeat") for call in calls[name]), calls
    assert calls["conflict"][0]["kind"] == "ConflictException" and calls["conflict"][0]["status"] == 409
    assert calls["invalid"][0]["kind"] == "BadRequestException" and "actor.id" in calls["invalid"][0]["message"]
    assert calls["stranger"][0]["kind"] == "UnauthorizedException"
    assert calls["invalid"][0]["requestID"]
    assert [call["resolved"]["version"] for call in calls["schema"]] == [1, 1, 2]
    versions = calls["schemas"][0]["resolved"]
    assert sorted(schema["version"] for schema in versions) == [1, 2]
    assert calls["noPath"][0]["kind"] == "NotFoundException"
    exported = calls["exported"][0]["resolved"]
    assert exported["state"] == "ready" and exported["object"] == "audit_log_export" and exported["createdAt"]
    assert [name in exported["file"] for name in ("user_3", "user_4", "user_5")] == [True, True, False]
    assert len(exported["file"].splitlines()) == 3
    kept = [call["resolved"]["retentionPeriodInDays"] for call in calls["retention"]]
    assert kept == [None, 180, 180]
    assert calls["noPeriod"][0]["kind"] == "UnprocessableEntityException", calls["noPeriod"]
    assert calls["nobody"][0]["kind"] == "NotFoundException"
    # What is called above is all that the package has.
    assert calls["methods"][0]["resolved"] == ["createEvent", "createExport", "createSchema", "getExport",
                                               "getOrganizationAuditLogsRetention", "listSchemas",
                                               "updateOrganizationAuditLogsRetention"]
    assert calls["configurable"][0]["resolved"] == NODE_ORGANIZATION_CALLS
    link = calls["link"][0]["resolved"]["link"]
    assert link.startswith(f"{attestary.url}/console/portal/") and requests.get(link, timeout=30).status_code == 200
    assert calls["noIntent"][0]["kind"] == "BadRequestException" and "intent" in calls["noIntent"][0]["message"]
    events = attestary.submitted(ORGANIZATION)
    assert len(events) == 11
    for number, event in enumerate(events):
        check_event(event, number)


# seeds: WO-07 with the PyPI package workos
def test_python_package(attestary):
    workos = pytest.importorskip("workos")
    from workos.audit_logs.models import AuditLogEvent

    def client(key):
        return workos.WorkOSClient(api_key=key, client_id="client_x", base_url=attestary.url)

    body = {"action": "document.updated", "occurred_at": "2023-11-14T22:13:20.123Z",
            "actor": {"type": "user", "id": "user_0", "name": "Ä User", "metadata": {"seats": 3, "trial": False, "plan": "pro"}},
            "targets": [{"type": "document", "id": "doc_0", "metadata": {"pages": "12"}}, {"type": "team", "id": "team_1"}],
            "context": {"location": "203.0.113.9", "user_agent": "Mozilla/5.0"}, "metadata": {"number": 0, "extra": True}}
    event = AuditLogEvent.from_dict(body)
    answer = client(attestary.facts["ingest_key"]).audit_logs.create_event(organization_id=ORGANIZATION, event=event)
    assert answer.success is True
    check_event(attestary.submitted(ORGANIZATION)[0], 0)
    with pytest.raises(Exception) as refused:
        client(wrong(attestary.facts["ingest_key"])).audit_logs.create_event(organization_id=ORGANIZATION, event=event)
    assert "Authentication" in type(refused.value).__name__ or "Unauthorized" in type(refused.value).__name__

    from workos.audit_logs.models import AuditLogSchemaTargetInput
    admin = client(attestary.facts["admin_key"]).audit_logs
    metadata = {"type": "object", "properties": {"seats": {"type": "number", "minimum": 1}}, "required": ["seats"]}
    for version, schema in [(1, metadata), (1, metadata), (2, {"type": "object"})]:
        made = admin.create_schema("team.resized", targets=[AuditLogSchemaTargetInput(type="team")], metadata=schema)
        assert made.version == version
    assert [action.name for action in admin.list_actions().data] == ["team.resized"]
    assert [schema.version for schema in admin.list_action_schemas("team.resized").data] == [2, 1]

    exporter = client(attestary.facts["read_key"]).audit_logs
    made = exporter.create_export(organization_id=ORGANIZATION, range_start="2023-01-01T00:00:00.000Z",
                                  range_end="2024-01-01T00:00:00.000Z", actor_names=["Ä User"])
    ready = harness.until("the export is ready", lambda: next(
        (export for export in [exporter.get_export(made.id)] if export.state == "ready"), None))
    assert "user_0" in requests.get(ready.url, timeout=30).text
    link = client(attestary.facts["admin_key"]).admin_portal.generate_link(
        organization=ORGANIZATION, intent="log_streams", external_user_id="u_7")
    assert requests.get(link.link, timeout=30).status_code == 200

    from workos._errors import NotFoundError, UnprocessableEntityError
    from workos.audit_logs._resource import RetentionPeriod, RetentionPeriodInDays
    administrator = client(attestary.facts["admin_key"])
    assert admin.get_organization_audit_logs_retention(ORGANIZATION).retention_period_in_days is None
    for wanted, days in [(RetentionPeriod(retention_period="1_YEAR"), 365), (RetentionPeriodInDays(retention_period_in_days=60), 60)]:
        assert admin.update_organization_audit_logs_retention(ORGANIZATION, retention=wanted).retention_period_in_days == days
        assert admin.get_organization_audit_logs_retention(ORGANIZATION).retention_period_in_days == days
    with pytest.raises(UnprocessableEntityError):
        admin.update_organization_audit_logs_retention(ORGANIZATION, retention=RetentionPeriod(retention_period="5_YEAR"))
    with pytest.raises(NotFoundError):
        admin.get_organization_audit_logs_retention("org_nobody")
    configuration = administrator.organizations.get_audit_log_configuration(ORGANIZATION)
    assert (configuration.state.value, configuration.retention_period_in_days, configuration.log_stream) == ("active", 60, None)
    attestary.call("POST", f"/v1/tenants/{ORGANIZATION}/destinations", expect=201,
                   json={"name": "hook", "type": "webhook", "config": {"url": "https://siem.example/"}})
    stream = administrator.organizations.get_audit_log_configuration(ORGANIZATION).log_stream
    assert (stream.type.value, stream.state.value, stream.last_synced_at) == ("GenericHttps", "active", None)
    calls = {name for name in dir(admin) if not name.startswith("_")}
    assert calls == {"create_event", "create_export", "create_schema", "get_export", "list_actions", "list_action_schemas",
                     "get_organization_audit_logs_retention", "update_organization_audit_logs_retention"}

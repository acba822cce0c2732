"""ASIM columns and UDM events against tables of the vendors' rules: mandatory columns, types, enumerations, nouns.

No package validates either. The tables are written from Microsoft's schema references and its tester, and from
Google's UDM field list and usage guide; a column or field outside of them is a mistake. Used like cef_roundtrip.py.
"""

import ipaddress
import json
import sys
from datetime import datetime

try:
    from shared import arguments, differences, emit, events, report
except ImportError as missing:
    print(f"cannot import {missing.name}: install tests/oracles/requirements.txt", file=sys.stderr)
    sys.exit(2)

MANDATORY = ("EventCount EventStartTime EventEndTime EventType EventResult EventSeverity EventProduct EventVendor EventSchema "
             "EventSchemaVersion Dvc").split()
EVENT_TYPES = {
    "Authentication": "Logon Logoff Elevate",
    "UserManagement": "UserCreated UserDeleted UserModified UserLocked UserUnlocked UserDisabled UserEnabled PasswordChanged "
                      "PasswordReset GroupCreated GroupDeleted GroupModified UserAddedToGroup UserRemovedFromGroup",
    "AuditEvent": "Set Read Create Delete Execute Install Clear Enable Disable Initialize Start Stop Other",
}
OWN = {"Authentication": [], "UserManagement": ["ActorUsername"], "AuditEvent": ["Operation", "Object"]}
STRINGS = set("""EventType EventOriginalResultDetails EventOriginalSeverity EventUid EventOriginalUid EventOriginalType EventMessage
    EventProduct EventVendor EventSchema EventSchemaVersion Dvc EventResult EventSeverity ActorUserId ActorUserIdType ActorUsername
    ActorUsernameType ActorOriginalUserType ActorSessionId TargetUserId TargetUserIdType TargetUsername TargetUsernameType
    TargetOriginalUserType TargetSessionId TargetAppName TargetAppType GroupId GroupName GroupOriginalType Operation Object ObjectId
    ObjectType OriginalObjectType OldValue NewValue HttpUserAgent""".split())
WORDS = {
    "EventResult": {"Success", "Partial", "Failure", "NA"}, "EventSeverity": {"Informational", "Low", "Medium", "High"},
    "ActorUsernameType": {"UPN", "Windows", "DN", "Simple"}, "TargetUsernameType": {"UPN", "Windows", "DN", "Simple"},
}
UDM_TYPES = set("""USER_LOGIN USER_LOGOUT USER_CREATION USER_DELETION USER_CHANGE_PASSWORD USER_CHANGE_PERMISSIONS USER_UNCATEGORIZED
    USER_RESOURCE_CREATION USER_RESOURCE_DELETION USER_RESOURCE_ACCESS USER_RESOURCE_UPDATE_CONTENT
    USER_RESOURCE_UPDATE_PERMISSIONS GENERIC_EVENT""".split())
USER = {"userid": str, "user_display_name": str, "email_addresses": [str]}
UDM = {
    "metadata": {"event_timestamp": str, "collected_timestamp": str, "event_type": UDM_TYPES, "vendor_name": str, "product_name": str,
                 "product_log_id": str, "product_event_type": str, "description": str},
    "principal": {"user": USER, "ip": [str]},
    "target": {"user": USER, "application": str, "resource": {"product_object_id": str, "name": str, "resource_subtype": str}},
    "network": {"session_id": str, "http": {"method": str, "user_agent": str, "response_code": int}},
    "security_result": [{"action": [{"ALLOW", "BLOCK", "FAIL", "UNKNOWN_ACTION"}], "category": [{"AUTH_VIOLATION"}],
                         "category_details": [str], "description": str,
                         "severity": {"INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"}}],
    "extensions": {"auth": {"type": {"AUTHTYPE_UNSPECIFIED"}}},
    "additional": str,
}


def wrong_columns(got):
    table = got["EventSchema"]
    for column in [*MANDATORY, *OWN[table]]:
        if got.get(column) in (None, ""):
            yield f"{column} is missing"
    if got["EventType"] not in EVENT_TYPES[table].split():
        yield f"{got['EventType']} is no type of {table}"
    for column, value in got.items():
        if column in WORDS and value not in WORDS[column]:
            yield f"{column}={value!r}"
        if column in STRINGS:
            if not isinstance(value, str):
                yield f"{column}={value!r} is no string"
        elif column in ("TimeGenerated", "EventStartTime", "EventEndTime"):
            datetime.fromisoformat(value)
        elif column == "SrcIpAddr":
            ipaddress.ip_address(value)
        elif not (column == "EventCount" and value == 1 or column == "AdditionalFields" and isinstance(value, dict)):
            yield f"{column}={value!r} is no column"


def wrong_shape(value, shape, path=""):
    if isinstance(shape, dict):
        if not isinstance(value, dict) or not value:
            return [f"{path}={value!r} is no filled object"]
        unknown = [f"{path}.{key} is no field" for key in value if key not in shape]
        return unknown + [problem for key in value if key in shape for problem in wrong_shape(value[key], shape[key], f"{path}.{key}")]
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return [f"{path}={value!r} is no filled list"]
        return [problem for item in value for problem in wrong_shape(item, shape[0], path)]
    if isinstance(shape, set):
        return [] if value in shape else [f"{path}={value!r}"]
    if path == ".additional":
        return [f"additional.{key} is no text" for key, inner in value.items() if not isinstance(inner, str)]
    return [] if isinstance(value, shape) else [f"{path}={value!r} is no {shape.__name__}"]


def wrong_nouns(got):
    kind = got["metadata"]["event_type"]
    principal, target = got.get("principal", {}), got["target"]
    if kind.startswith("USER_RESOURCE_") and not (principal.get("user") and target.get("resource")):
        yield f"{kind} needs principal.user and target.resource"
    if kind in ("USER_LOGIN", "USER_LOGOUT", "USER_CREATION", "USER_DELETION", "USER_CHANGE_PASSWORD", "USER_CHANGE_PERMISSIONS"):
        if not target.get("user"):
            yield f"{kind} needs target.user"
    if kind in ("USER_LOGIN", "USER_LOGOUT") and "extensions" not in got:
        yield f"{kind} needs the authentication extension"
    for address in principal.get("ip", []):
        ipaddress.ip_address(address)


def check_asim(index, sent, got):
    rest = got["AdditionalFields"]
    return [f"event {index}, ASIM: {problem}" for problem in wrong_columns(got)] + differences(index, [
        ("EventStartTime", got["EventStartTime"], sent["occurred_at"]),
        ("EventUid", got["EventUid"], sent["id"]),
        ("seq", rest["seq"], int(sent["seq"])),
        ("leaf_hash", rest["leaf_hash"], sent["leaf_hash"]),
        ("tenant", rest["tenant"], sent["tenant"]),
        ("EventOriginalType", got["EventOriginalType"], sent["action"]),
    ])


def check_udm(index, sent, got):
    problems = [*wrong_shape(got, UDM), *wrong_nouns(got)]
    return [f"event {index}, UDM: {problem}" for problem in problems] + differences(index, [
        ("event_timestamp", got["metadata"]["event_timestamp"], sent["occurred_at"]),
        ("product_log_id", got["metadata"]["product_log_id"], sent["id"]),
        ("seq", got["additional"]["seq"], str(sent["seq"])),
        ("leaf_hash", got["additional"]["leaf_hash"], sent["leaf_hash"]),
        ("tenant", got["additional"]["tenant"], sent["tenant"]),
    ])


def main():
    options = arguments(__doc__)
    assert list(wrong_columns({"EventSchema": "AuditEvent", "EventType": "Logon"}))
    assert wrong_shape({"metadata": {"event_type": "LOGIN", "nobody": 1}}, UDM)
    sent = list(events(options.seed, options.events))
    problems, seen = [], {}
    for index, (event, line) in enumerate(zip(sent, emit(options.emit, "asim", sent), strict=True)):
        got = json.loads(line)
        problems += check_asim(index, event, got)
        seen[got["EventSchema"]] = seen.get(got["EventSchema"], 0) + 1
    for index, (event, line) in enumerate(zip(sent, emit(options.emit, "udm", sent), strict=True)):
        got = json.loads(line)
        problems += check_udm(index, event, got)
        seen[got["metadata"]["event_type"]] = seen.get(got["metadata"]["event_type"], 0) + 1
    print(", ".join(f"{name} {count}x" for name, count in sorted(seen.items())))
    problems += [f"no event of {name}" for name in EVENT_TYPES if name not in seen]
    return report(options, "ASIM and UDM", problems)


if __name__ == "__main__":
    sys.exit(main())

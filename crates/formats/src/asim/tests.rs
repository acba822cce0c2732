use attestary_event::Event;
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    golden::{check_golden, check_integrity, record},
    json::tests::{event, hostile_event},
};

fn columns(event: &Event) -> Value {
    serde_json::from_str(&record(event, r#"{"type":"asim"}"#)).unwrap()
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_objects() {
    check_golden(r#"{"type":"asim","vendor":"Example","product":"App"}"#, "asim.json");
}

#[track_caller]
fn check_type(members: &str, table: &str, name: &str) {
    let columns = columns(&event(members));
    assert_eq!((&columns["EventSchema"], &columns["EventType"]), (&table.into(), &name.into()));
    let mandatory = [
        "EventCount",
        "EventStartTime",
        "EventEndTime",
        "EventResult",
        "EventProduct",
        "EventVendor",
        "EventSchemaVersion",
        "EventSeverity",
        "Dvc",
    ];
    for column in mandatory {
        assert!(columns.get(column).is_some(), "{column}: {columns}");
    }
    let own: &[&str] = match table {
        "AuditEvent" => &["Operation", "Object"],
        "UserManagement" => &["ActorUsername"],
        _ => &[],
    };
    assert!(own.iter().all(|column| columns.get(column).is_some()), "{columns}");
}

#[test]
fn the_known_action_picks_table_and_type() {
    check_type(r#""action":"user.login","actor":{"id":"u"}"#, "Authentication", "Logon");
    check_type(r#""action":"user.logout","actor":{"id":"u"}"#, "Authentication", "Logoff");
    check_type(r#""action":"user.created","actor":{"id":"u"}"#, "UserManagement", "UserCreated");
    check_type(r#""action":"user.unlocked","actor":{"id":"u"}"#, "UserManagement", "UserUnlocked");
    check_type(r#""action":"role.assigned","actor":{"id":"u"}"#, "UserManagement", "UserModified");
    check_type(r#""action":"user.created","actor":{"type":"anonymous"}"#, "AuditEvent", "Create");
    check_type(r#""action":"document.read""#, "AuditEvent", "Read");
    check_type(r#""action":"nobody.knows""#, "AuditEvent", "Other");
}

#[track_caller]
fn check(members: &str, column: &str, expected: Value) {
    assert_eq!(columns(&event(members)).get(column).unwrap_or(&Value::Null), &expected);
}

#[test]
fn users_stand_where_their_schema_wants_them() {
    let login =
        r#""action":"user.login","actor":{"id":"u","email":"a@b.c"},"impersonator":{"id":"s"}"#;
    check(login, "TargetUserId", "u".into());
    check(login, "TargetUsername", "a@b.c".into());
    check(login, "TargetUsernameType", "UPN".into());
    check(login, "ActorUserId", "s".into());
    check(
        r#""action":"user.login","context":{"attempted_identity":"root"}"#,
        "TargetUsername",
        "root".into(),
    );
    let read =
        r#""action":"document.read","actor":{"id":"u"},"targets":[{"type":"document","id":"d"}]"#;
    check(read, "ActorUsername", "u".into());
    check(read, "Object", "d".into());
    check(r#""action":"x""#, "Object", "AuditLog".into());
}

#[test]
fn results_and_severities_are_microsofts_words() {
    for (own, word) in
        [("success", "Success"), ("failure", "Failure"), ("denied", "Failure"), ("unknown", "NA")]
    {
        check(&format!(r#""action":"a","outcome":"{own}""#), "EventResult", word.into());
    }
    for (own, word) in [(0, "Informational"), (4, "Low"), (7, "Medium"), (10, "High")] {
        check(&format!(r#""action":"a","severity":{own}"#), "EventSeverity", word.into());
    }
}

proptest! {
    #[test]
    fn every_event_is_one_object_with_its_identity(event in hostile_event()) {
        let columns = columns(&event);
        let rest = &columns["AdditionalFields"];
        let seq = rest["seq"].to_string();
        check_integrity(&event, columns["EventUid"].as_str(), Some(&seq), rest["leaf_hash"].as_str());
        prop_assert!(columns["SrcIpAddr"].is_null());
    }
}

use attestary_event::Event;
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    golden::{check_golden, check_integrity, record},
    json::tests::{event, hostile_event},
};

fn log_record(event: &Event) -> Value {
    let mut logs: Value = serde_json::from_str(&record(event, r#"{"type":"otlp"}"#)).unwrap();
    logs.pointer_mut("/resourceLogs/0/scopeLogs/0/logRecords/0").unwrap().take()
}

fn attribute<'a>(record: &'a Value, key: &str) -> Option<&'a Value> {
    let attributes = record["attributes"].as_array().unwrap();
    attributes.iter().find(|attribute| attribute["key"] == key).map(|attribute| &attribute["value"])
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_records() {
    check_golden(r#"{"type":"otlp","service":"App"}"#, "otlp.json");
}

#[track_caller]
fn check(members: &str, name: &str, expected: Value) {
    assert_eq!(log_record(&event(members)).get(name).unwrap_or(&Value::Null), &expected);
}

#[test]
fn times_before_1970_stand_among_the_attributes_only() {
    let old = r#""action":"a","occurred_at":"1969-12-31T23:59:59.999Z""#;
    check(old, "timeUnixNano", Value::Null);
    check(r#""action":"a","occurred_at":"9999-01-01T00:00:00Z""#, "timeUnixNano", Value::Null);
    let record = log_record(&event(old));
    assert_eq!(
        attribute(&record, "attestary.occurred_at").unwrap()["stringValue"],
        "1969-12-31T23:59:59.999Z"
    );
    check(
        r#""action":"a","occurred_at":"2026-11-22T00:39:11.123Z""#,
        "timeUnixNano",
        "1795307951123000000".into(),
    );
}

#[test]
fn only_a_valid_trace_id_is_the_trace_id() {
    for (text, valid) in [
        ("4bf92f3577b34da6a3ce929d0e0e4736", true),
        ("00000000000000000000000000000000", false),
        ("4bf92f3577b34da6", false),
        ("zbf92f3577b34da6a3ce929d0e0e4736", false),
    ] {
        let record =
            log_record(&event(&format!(r#""action":"a","context":{{"trace_id":"{text}"}}"#)));
        assert_eq!(record.get("traceId").is_some(), valid, "{text}");
        assert_eq!(attribute(&record, "attestary.context.trace_id").is_none(), valid, "{text}");
    }
}

#[test]
fn severities_are_three_numbers() {
    for (own, number) in [(0, 9), (5, 9), (6, 13), (8, 13), (9, 17), (10, 17)] {
        check(&format!(r#""action":"a","severity":{own}"#), "severityNumber", number.into());
    }
}

proptest! {
    #[test]
    fn every_event_is_one_record_with_its_identity(event in hostile_event()) {
        let record = log_record(&event);
        let text = |key: &str| attribute(&record, key).and_then(|value| value["stringValue"].as_str());
        let seq = attribute(&record, "attestary.seq").and_then(|value| value["intValue"].as_str().or(value["stringValue"].as_str()));
        check_integrity(&event, text("attestary.id"), seq, text("attestary.leaf_hash"));
        prop_assert_eq!(text("attestary.tenant"), Some(event.tenant.as_str()));
        let fields = event.fields();
        let action = fields.get("/action").unwrap().value;
        prop_assert_eq!(record["eventName"].as_str().unwrap_or_default(), action);
    }
}

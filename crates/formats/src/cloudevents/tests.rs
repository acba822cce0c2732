use attestary_event::{Event, TenantId};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    golden::{check_golden, check_integrity, record},
    json::tests::{event, hostile_event},
};

fn envelope(event: &Event) -> Value {
    serde_json::from_str(&record(event, r#"{"type":"cloudevents"}"#)).unwrap()
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_envelopes() {
    check_golden(r#"{"type":"cloudevents"}"#, "cloudevents.json");
}

#[track_caller]
fn check(members: &str, name: &str, expected: Value) {
    assert_eq!(envelope(&event(members)).get(name).unwrap_or(&Value::Null), &expected);
}

#[test]
fn attributes_hold_no_controls_and_no_noncharacters() {
    check(r#""action":"a\n\u0000\u0085b""#, "type", "a\u{fffd}\u{fffd}\u{fffd}b".into());
    check("\"action\":\"a\u{fdd0}\u{1ffff}\u{ffff}\"", "type", "a\u{fffd}\u{fffd}\u{fffd}".into());
    check(r#""action":"a","targets":[{"type":"t","id":"1/2"}]"#, "subject", "t/1/2".into());
    check(r#""action":"a","targets":[{"name":"n"}]"#, "subject", "n".into());
    check(r#""action":"a","targets":[]"#, "subject", Value::Null);
}

#[test]
fn a_time_that_cannot_be_written_is_left_out() {
    let occurred_at = r#""action":"a","occurred_at":"0000-01-01T00:00:00+01:00""#;
    check(occurred_at, "time", Value::Null);
    check(r#""action":"a""#, "time", Value::Null);
}

#[track_caller]
fn check_source(tenant: &str, expected: &str) {
    let mut event = event(r#""action":"a""#);
    event.tenant = TenantId::restored(tenant);
    assert_eq!(envelope(&event)["source"], expected);
}

#[test]
fn the_source_is_a_bounded_uri_reference_and_tells_tenants_apart() {
    check_source("acme|eu/1", "/attestary/production/acme%7Ceu%2F1");
    check_source(&"a".repeat(128), &format!("/attestary/production/{}", "a".repeat(128)));
    let mut event = event(r#""action":"a""#);
    event.tenant = TenantId::restored(&"é".repeat(64));
    let source = envelope(&event)["source"].as_str().unwrap().to_owned();
    let name = source.strip_prefix("/attestary/production/sha256.").unwrap();
    assert_eq!(name.len(), 64);
    assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

proptest! {
    #[test]
    fn the_data_is_the_native_json(event in hostile_event()) {
        let record = record(&event, r#"{"type":"cloudevents"}"#);
        let (_, data) = record.split_once(r#","data":"#).unwrap();
        let back = json::decode(data.strip_suffix('}').unwrap().as_bytes()).unwrap();
        let seq = back.seq.to_string();
        let envelope = envelope(&event);
        prop_assert_eq!(back.fields(), event.fields());
        check_integrity(&event, envelope["id"].as_str(), Some(&seq), envelope["data"]["leaf_hash"].as_str());
        prop_assert!(!envelope["type"].as_str().unwrap().contains(char::is_control));
    }
}

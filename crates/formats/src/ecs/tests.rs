use attestary_event::Event;
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    golden::{check_golden, check_integrity, record},
    json::tests::{event, hostile_event},
};

fn document(event: &Event) -> Value {
    serde_json::from_str(&record(event, r#"{"type":"ecs"}"#)).unwrap()
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_documents() {
    check_golden(r#"{"type":"ecs","vendor":"Example","product":"App"}"#, "ecs.json");
}

#[track_caller]
fn check(members: &str, pointer: &str, expected: Value) {
    let document = document(&event(members));
    assert_eq!(document.pointer(pointer).unwrap_or(&Value::Null), &expected, "{document}");
}

#[test]
fn an_address_that_is_none_stays_out_of_ip_fields() {
    for text in ["office", "10.0.0.1:80", "", "999.1.1.1", "a\n"] {
        let members =
            format!(r#""action":"a","context":{{"ip":{}}}"#, serde_json::to_string(text).unwrap());
        check(&members, "/source", Value::Null);
        check(&members, "/related/ip", Value::Null);
        check(&members, "/attestary/context/address", text.into());
    }
    check(r#""action":"a","context":{"ip":"::ffff:192.0.2.7"}"#, "/client/ip", "192.0.2.7".into());
}

#[test]
fn categories_come_from_the_known_actions() {
    check(r#""action":"mfa.enabled""#, "/event/category", serde_json::json!(["iam"]));
    check(r#""action":"mfa.enabled""#, "/event/type", serde_json::json!(["user", "change"]));
    check(r#""action":"nobody.knows""#, "/event/category", Value::Null);
    check(r#""action":"user.login.denied""#, "/event/outcome", "failure".into());
    check(r#""action":"user.login.denied""#, "/attestary/outcome", "denied".into());
}

#[test]
fn number_tokens_stay_what_they_are() {
    let event = event(r#""action":"a","metadata":{"big":9007199254740993,"f":1.50,"n":null}"#);
    let record = record(&event, r#"{"type":"ecs"}"#);
    assert!(
        record.contains(r#""metadata":{"big":9007199254740993,"f":1.50,"n":null}"#),
        "{record}"
    );
}

#[test]
fn nothing_is_empty() {
    let members = r#""action":"a","actor":{"id":""},"targets":[],"labels":[],"context":{},"metadata":{},"reason":null"#;
    for pointer in ["/user", "/related", "/http", "/tags", "/attestary/metadata", "/event/reason"] {
        check(members, pointer, Value::Null);
    }
    check(
        r#""action":"a","context":{"http":{"status":200}}"#,
        "/http/response/status_code",
        200.into(),
    );
}

proptest! {
    #[test]
    fn every_event_is_one_document_with_its_identity(event in hostile_event()) {
        let document = document(&event);
        let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
        let seq = document.pointer("/event/sequence").map(ToString::to_string);
        check_integrity(&event, text("/event/id"), seq.as_deref(), text("/event/hash"));
        prop_assert_eq!(text("/organization/id"), Some(event.tenant.as_str()));
    }
}

use attestary_event::Event;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    golden::{check_golden, check_integrity, record},
    json::tests::{event, hostile_event},
};

fn udm(event: &Event) -> Value {
    serde_json::from_str(&record(event, r#"{"type":"udm"}"#)).unwrap()
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_objects() {
    check_golden(r#"{"type":"udm","vendor":"Example","product":"App"}"#, "udm.json");
}

#[track_caller]
fn check(members: &str, pointer: &str, expected: Value) {
    let udm = udm(&event(members));
    assert_eq!(udm.pointer(pointer).unwrap_or(&Value::Null), &expected, "{udm}");
}

#[track_caller]
fn check_type(members: &str, expected: &str) {
    check(members, "/metadata/event_type", expected.into());
}

#[test]
fn the_known_action_picks_the_type_when_its_nouns_are_there() {
    let actor = r#""actor":{"id":"u"}"#;
    let both = r#""actor":{"id":"u"},"targets":[{"type":"document","id":"d"}]"#;
    check_type(&format!(r#""action":"user.login",{actor}"#), "USER_LOGIN");
    check_type(&format!(r#""action":"user.logout",{actor}"#), "USER_LOGOUT");
    check_type(&format!(r#""action":"user.unlocked",{actor}"#), "USER_UNCATEGORIZED");
    check_type(&format!(r#""action":"document.read",{both}"#), "USER_RESOURCE_ACCESS");
    check_type(&format!(r#""action":"document.read",{actor}"#), "GENERIC_EVENT");
    check_type(r#""action":"document.read","targets":[{"id":"d"}]"#, "GENERIC_EVENT");
    check_type(r#""action":"user.login","actor":{"type":"anonymous"}"#, "GENERIC_EVENT");
    check_type(&format!(r#""action":"nobody.knows",{both}"#), "GENERIC_EVENT");
}

#[test]
fn a_failed_login_is_an_auth_violation_of_the_user_who_tried() {
    let failed = r#""action":"user.login.failed","context":{"attempted_identity":"root","ip":"203.0.113.9"}"#;
    check(failed, "/security_result/0/category", json!(["AUTH_VIOLATION"]));
    check(failed, "/security_result/0/action", json!(["FAIL"]));
    check(failed, "/target/user/userid", "root".into());
    check(failed, "/principal/ip", json!(["203.0.113.9"]));
    check(failed, "/extensions/auth/type", "AUTHTYPE_UNSPECIFIED".into());
    let passed = r#""action":"user.login","actor":{"id":"u"}"#;
    check(passed, "/security_result/0/category", Value::Null);
}

#[test]
fn numbers_in_additional_are_text() {
    let members = r#""action":"a","metadata":{"big":9007199254740993}"#;
    check(members, "/additional/metadata", r#"{"big":9007199254740993}"#.into());
    check(members, "/additional/seq", "7".into());
    check(
        r#""action":"a","context":{"ip":"office"}"#,
        "/additional/source_address",
        "office".into(),
    );
    check(r#""action":"a","context":{"ip":"office"}"#, "/principal", Value::Null);
}

proptest! {
    #[test]
    fn every_event_is_one_object_with_its_identity(event in hostile_event()) {
        let udm = udm(&event);
        let text = |pointer: &str| udm.pointer(pointer).and_then(Value::as_str);
        check_integrity(&event, text("/metadata/product_log_id"), text("/additional/seq"), text("/additional/leaf_hash"));
    }
}

use attestary_event::Event;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    golden::{check_golden, check_integrity, record},
    json::tests::{event, hostile_event},
};

const FORMATS: [&str; 2] = [r#"{"type":"ocsf"}"#, r#"{"type":"ocsf","schema":"1.1.0"}"#];

fn object(event: &Event, format: &str) -> Value {
    serde_json::from_str(&record(event, format)).unwrap()
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_objects() {
    check_golden(r#"{"type":"ocsf","vendor":"Example","product":"App"}"#, "ocsf-1.8.json");
    let old = r#"{"type":"ocsf","schema":"1.1.0","vendor":"Example","product":"App"}"#;
    check_golden(old, "ocsf-1.1.json");
}

#[track_caller]
fn check_class(members: &str, newest: (u32, u8), oldest: (u32, u8)) {
    for (format, (class, activity)) in FORMATS.into_iter().zip([newest, oldest]) {
        let object = object(&event(members), format);
        assert_eq!(
            (&object["class_uid"], &object["activity_id"]),
            (&json!(class), &json!(activity)),
            "{object}"
        );
        assert_eq!(object["type_uid"], class * 100 + u32::from(activity));
        assert_eq!(object["category_uid"], class / 1000);
        assert_eq!(object.get("activity_name").is_some(), activity == 99);
    }
}

#[test]
fn a_class_is_kept_when_its_requirements_are_met() {
    check_class(r#""action":"user.login","actor":{"id":"u"}"#, (3002, 1), (3002, 1));
    check_class(r#""action":"mfa.enabled","actor":{"id":"u"}"#, (3001, 10), (3001, 10));
    let role =
        r#""actor":{"id":"u"},"targets":[{"type":"user","id":"v"},{"type":"role","id":"admin"}]"#;
    check_class(&format!(r#""action":"role.assigned",{role}"#), (3005, 1), (3005, 1));
}

#[test]
fn a_class_gives_way_when_something_is_missing() {
    check_class(r#""action":"user.login","actor":{"type":"anonymous"}"#, (0, 99), (0, 99));
    let attempted = r#""action":"user.login.failed","context":{"attempted_identity":"root"}"#;
    check_class(attempted, (3002, 1), (3002, 1));
    let no_role = r#""action":"role.assigned","targets":[{"type":"user","id":"v"}]"#;
    check_class(no_role, (3004, 3), (3004, 3));
    check_class(r#""action":"role.assigned""#, (0, 99), (0, 99));
    check_class(r#""action":"nobody.knows""#, (0, 99), (0, 99));
}

#[test]
fn activities_that_a_version_lacks_are_other() {
    let unlocked = r#""action":"user.unlocked","actor":{"id":"u"}"#;
    check_class(unlocked, (3001, 12), (3001, 99));
}

#[track_caller]
fn check(members: &str, pointer: &str, expected: Value) {
    let object = object(&event(members), FORMATS[0]);
    assert_eq!(object.pointer(pointer).unwrap_or(&Value::Null), &expected, "{object}");
}

#[test]
fn what_the_schema_refuses_stands_in_unmapped() {
    let login = |context: &str| {
        format!(r#""action":"user.login","actor":{{"id":"u","email":"a b@x"}},"context":{context}"#)
    };
    check(&login(r#"{"ip":"office"}"#), "/src_endpoint", Value::Null);
    check(&login(r#"{"ip":"office"}"#), "/unmapped/context/ip", "office".into());
    check(&login("{}"), "/user/email_addr", Value::Null);
    check(&login("{}"), "/user/name", "a b@x".into());
    let brew = r#"{"http":{"method":"BREW","status":418}}"#;
    check(&login(brew), "/http_request", Value::Null);
    check(&login(brew), "/unmapped/context/http/method", "BREW".into());
}

#[test]
fn severities_and_outcomes_are_the_schemas_numbers() {
    for (own, id) in [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (6, 3), (7, 4), (9, 5), (10, 5)] {
        check(&format!(r#""action":"a","severity":{own}"#), "/severity_id", id.into());
    }
    for (own, id) in [("success", 1), ("failure", 2), ("denied", 2), ("unknown", 0)] {
        check(&format!(r#""action":"a","outcome":"{own}""#), "/status_id", id.into());
    }
    check(r#""action":"a","outcome":"denied""#, "/unmapped/outcome", "denied".into());
}

#[test]
fn an_unknown_schema_version_is_refused_with_the_known_ones() {
    let error =
        serde_json::from_str::<crate::Format>(r#"{"type":"ocsf","schema":"1.9.0"}"#).unwrap_err();
    assert!(error.to_string().contains("expected `1.1.0` or `1.8.0`"), "{error}");
}

proptest! {
    #[test]
    fn every_event_has_its_identity_and_sound_arithmetic(event in hostile_event()) {
        for format in FORMATS {
            let object = object(&event, format);
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let seq = object.pointer("/metadata/sequence").map(ToString::to_string);
            check_integrity(&event, text("/metadata/uid"), seq.as_deref(), text("/unmapped/leaf_hash"));
            let number = |name: &str| object[name].as_u64().unwrap();
            prop_assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
            prop_assert_eq!(number("category_uid"), number("class_uid") / 1000);
        }
    }
}

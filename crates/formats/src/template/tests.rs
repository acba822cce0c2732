//! Templates: what is refused, what comes of one, and that no event leaves its place.

use attestary_event::actions::KnownActions;
use proptest::prelude::*;

use super::*;
use crate::{
    Format,
    golden::record,
    json::tests::{event, hostile_event, with_view},
};

#[track_caller]
fn refused(text: &str, expected: &str) {
    let configuration = serde_json::json!({"type": "template", "text": text}).to_string();
    let error = serde_json::from_str::<Format>(&configuration).unwrap_err().to_string();
    assert!(error.contains(expected), "{text}: {error}");
}

#[test]
fn mistakes_are_named() {
    refused("x", "must hold a placeholder");
    refused("{{/action", "{{ without }}");
    refused("{{actor}}", "{{actor}} stands for nothing");
    refused("{{/action|shell}}", "no escape \"shell\"; known: line, json");
    refused("{{/action}}\n", "one line");
    refused(&"{{/action}}".repeat(65), "at most 64 placeholders");
    refused(&format!("{}{{{{/action}}}}", "x".repeat(TEXT_BYTES_MAX)), "at most 4096 bytes");
    refused(&format!("{{{{{}}}}}", "/a".repeat(17)), "at most 16 parts");
    for text in [
        r#"{"a":{{/action}}}"#,
        r#"{"a":"{{/action|line}}"}"#,
        r#"["{{/action}}"]"#,
        r#"{"a":"{{event}}"}"#,
        r#"{"a":"{{/action}}"} {"b":1}"#,
    ] {
        let configuration = serde_json::json!({"type": "template", "media": "json", "text": text});
        let error = serde_json::from_str::<Format>(&configuration.to_string()).unwrap_err();
        assert!(error.to_string().contains("does not make one JSON object"), "{text}: {error}");
    }
}

fn filled(event: &attestary_event::Event, text: &str, more: serde_json::Value) -> String {
    let mut configuration = serde_json::json!({"type": "template", "text": text});
    for (name, value) in more.as_object().unwrap() {
        configuration[name] = value.clone();
    }
    record(event, &configuration.to_string())
}

#[test]
fn values_stand_where_their_names_stood() {
    let one = event(
        r#""action":"a.b","actor":{"type":"user","id":"u\"1\n"},"metadata":{"n":1.50,"l":[1,{"k":"v"}]}"#,
    );
    let none = serde_json::json!({});
    let check = |text: &str, expected: &str| assert_eq!(filled(&one, text, none.clone()), expected);
    check("{{/action}} by {{ /actor/id }}", "a.b by u\"1 ");
    check("{{/actor/id|json}} {{/actor/id|xml}}", r#"u\"1\n u&quot;1&#10;"#);
    check("{{/actor/id|url}} {{/actor/id|base64}}", "u%221%0A dSIxCg==");
    check("{{/actor/id|csv}},{{/actor/id|quoted}}", r#""u""1 ","u\"1 ""#);
    check("{{/metadata/n}} {{/metadata/l}} {{/metadata/l/1/k}}", r#"1.50 [1,{"k":"v"}] v"#);
    check("[{{/nothing}}]", "[]");
    assert_eq!(filled(&one, "[{{/nothing}}]", serde_json::json!({"missing": "-"})), "[-]");
    check("{{seq}} {{tenant}}", "7 acme");
}

#[test]
fn what_an_event_says_is_no_template() {
    let one = event(r#""action":"{{seq}}","actor":{"type":"user","id":"{{/action}}"}"#);
    assert_eq!(
        filled(&one, "{{/action}} {{/actor/id}}", serde_json::json!({})),
        "{{seq}} {{/action}}"
    );
}

#[test]
fn the_place_of_leaf_hashes_is_known() {
    let holds = |text: &str| {
        let configuration = serde_json::json!({"type": "template", "text": text}).to_string();
        serde_json::from_str::<Format>(&configuration).unwrap().holds_leaf_hash()
    };
    assert!(holds("{{seq}} {{leaf_hash}}") && holds("{{event}}"));
    assert!(!holds("{{seq}}") && !holds("{{/action}}"));
}

proptest! {
    /// Any event gives one line, and one JSON object where that was promised, with the very values.
    #[test]
    fn hostile_events_stay_in_their_place(one in hostile_event()) {
        let json = r#"{"who":"{{/actor/id}}","n":{{seq}},"raw":{{event}},"what":"{{/action}}","all":"{{/metadata}}"}"#;
        let configuration = serde_json::json!({"type": "template", "media": "json", "text": json}).to_string();
        let made: serde_json::Value = serde_json::from_str(&record(&one, &configuration)).unwrap();
        let fields = one.fields();
        let view = View { event: &one, fields: &fields };
        prop_assert_eq!(made["who"].as_str(), Some(view.text("/actor/id").unwrap_or_default()));
        prop_assert_eq!(made["n"].as_u64(), Some(one.seq));
        let text = "{{/actor/id}}|{{/actor/id|xml}}|{{/metadata|csv}}|{{/description|quoted}}";
        let configuration = serde_json::json!({"type": "template", "text": text}).to_string();
        let format: Format = serde_json::from_str(&configuration).unwrap();
        let mut out = Vec::new();
        with_view(&one, |view| format.encode_within(view, KnownActions::builtin(), 1_200, &mut out));
        let line = String::from_utf8(out).unwrap();
        prop_assert!(!line.chars().any(breaks) && line.len() <= 1_200, "{line:?}");
    }
}

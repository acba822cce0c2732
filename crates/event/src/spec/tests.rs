//! The generated files are current, the schema agrees with intake, and the table is sound.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    EnvironmentId, Event, EventId, Fields, Limits, TenantId, Timestamp, actions,
    actions::KnownActions,
    intake::{self, Accepted, Context, DigestKey, Door},
};

#[track_caller]
fn check_file(name: &str, generated: &str) {
    let path = format!("{}/../../docs/reference/{name}", env!("CARGO_MANIFEST_DIR"));
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    let first = checked_in.lines().zip(generated.lines()).find(|(old, new)| old != new);
    assert!(
        checked_in == generated,
        "docs/reference/{name} is out of date at {first:?}: cargo run -p attestary-event --example generate"
    );
}

#[test]
fn the_checked_in_pages_are_current() {
    check_file("event.md", &reference_page());
    check_file("actions.md", &actions::reference_page(KnownActions::builtin()));
    // Compared as values: whether serde_json keeps the order of keys depends on the features of the build.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/event.schema.json");
    let checked_in: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(checked_in, schema(), "cargo run -p attestary-event --example generate");
}

fn schema() -> Value {
    serde_json::from_str(&json_schema()).unwrap()
}

fn submit(json: &str) -> Result<Accepted, Vec<crate::Violation>> {
    let tenant = TenantId::parse("default").unwrap();
    let context = Context {
        now: Timestamp(1_795_308_919_123),
        actions: KnownActions::builtin(),
        limits: &Limits::default(),
        default_tenant: Some(&tenant),
    };
    intake::accept(json.as_bytes(), Door::Native, &context, &DigestKey::new(&[0; 32]))
}

struct Judges {
    schema: jsonschema::Validator,
}

impl Judges {
    fn new() -> Self {
        Self { schema: jsonschema::validator_for(&schema()).unwrap() }
    }

    /// Intake and the schema give the same verdict.
    #[track_caller]
    fn check(&self, json: &str, expected: bool) {
        let verdict = submit(json);
        assert_eq!(verdict.is_ok(), expected, "intake on {json}: {:?}", verdict.err());
        let value: Value = serde_json::from_str(json).unwrap();
        let errors: Vec<_> =
            self.schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors.is_empty(), expected, "schema on {json}: {errors:?}");
    }

    /// An event with one more member.
    #[track_caller]
    fn member(&self, member: &str, expected: bool) {
        self.check(
            &format!(r#"{{"tenant":"acme","action":"a","actor":{{"id":"u"}},{member}}}"#),
            expected,
        );
    }
}

#[test]
fn the_schema_and_intake_agree() {
    let judges = Judges::new();
    judges.check(page::COMPLETE, true);
    judges.check(MEMBERS[0].example, true);
    judges.check("{}", false);
    judges.check(r#"{"action":"a","actor":{"id":"u"}}"#, true);
    judges.check(r#"{"tenant":"a","actor":{"id":"u"}}"#, false);
    judges.check(r#"{"tenant":"a","action":"a"}"#, false);
    judges.check(r#"{"tenant":"_audit","action":"a","actor":{"id":"u"}}"#, false);
    judges.check(r#"{"tenant":"a\u0007","action":"a","actor":{"id":"u"}}"#, false);
    judges.check(r#"{"tenant":"a b:ü😀_","action":"a","actor":{"id":"u"}}"#, true);
    judges.check(r#"{"tenant":null,"action":"a","actor":{"id":"u"}}"#, true);
    judges.check(r#"{"action":"attestary.genesis","actor":{"id":"u"}}"#, false);
    judges.check(r#"{"action":"attestary","actor":{"id":"u"}}"#, true);
    judges.check(r#"{"action":"","actor":{"id":"u"}}"#, false);
    judges.check(r#"{"action":null,"actor":{"id":"u"}}"#, false);
    for (actor, expected) in [
        (r#"{"type":"anonymous"}"#, true),
        (r#"{"type":"anonymous","id":null}"#, true),
        (r#"{"type":"anonymous","id":"known"}"#, true),
        (r#"{"type":null,"id":"u"}"#, true),
        (r#"{"type":"user"}"#, false),
        (r#"{"type":"user","id":null}"#, false),
        (r#"{"id":""}"#, false),
        (r#"{"id":"u","groups":["a",null]}"#, false),
        (r#"{"id":"u","name":""}"#, true),
        ("{}", false),
        ("null", false),
        ("[]", false),
    ] {
        judges.check(&format!(r#"{{"action":"a","actor":{actor}}}"#), expected);
    }
    for (member, expected) in [
        (r#""id":"01930B5E-5a53-709e-8f3c-0123456789ab""#, true),
        (r#""id":"01930b5e5a53709e8f3c0123456789ab""#, false),
        (r#""id":null"#, true),
        (r#""occurred_at":"2026-11-22T00:39:11Z""#, true),
        (r#""occurred_at":"2026-11-22t00:39:11.123456789+01:30""#, true),
        (r#""occurred_at":"2026-11-22T00:39:11""#, false),
        (r#""occurred_at":"2026-11-22""#, false),
        (r#""occurred_at":"2026-11-22T00:39:11+01""#, false),
        (r#""occurred_at":"2026-11-22T00:39:11+0100""#, false),
        (r#""occurred_at":"2026-11-22T00:39:11.Z""#, false),
        (r#""occurred_at":"2026-11-22T00:39:11+01:00:30""#, false),
        (r#""occurred_at":" 2026-11-22T00:39:11Z""#, false),
        (r#""occurred_at":1795307951123"#, false),
        (r#""severity":10"#, true),
        (r#""severity":11"#, false),
        (r#""severity":2.5"#, false),
        (r#""severity":"3""#, false),
        (r#""outcome":null"#, true),
        (r#""outcome":"Success""#, false),
        (r#""labels":[]"#, true),
        (r#""labels":"pii""#, false),
        (r#""targets":[{"id":"x"}]"#, true),
        (r#""targets":[{"name":"x"}]"#, false),
        (r#""targets":[null]"#, false),
        (r#""targets":{"0":{"id":"x"}}"#, false),
        (r#""impersonator":{"name":"x"}"#, false),
        (r#""impersonator":{"id":"x","groups":[]}"#, false),
        (r#""context":{"http":{"status":600}}"#, false),
        (r#""context":{"http":{"duration_ms":0.25}}"#, true),
        (r#""context":{"http":{"duration_ms":-1}}"#, false),
        (r#""context":null"#, true),
        (r#""context":{"unknown":1}"#, false),
        (r#""changes":[{"field":"f","old":null,"new":[{}]}]"#, true),
        (r#""changes":[{"old":1}]"#, false),
        (r#""schema_version":0"#, false),
        (r#""metadata":{"x":[null,{"y":{}}]}"#, true),
        (r#""metadata":[]"#, false),
        (r#""unknown":1"#, false),
        (r#""source":{}"#, false),
        (r#""seq":1"#, false),
        (r#""duplicate":false"#, false),
    ] {
        judges.member(member, expected);
    }
}

#[test]
fn what_a_schema_cannot_say_is_refused_by_intake_alone() {
    let judges = Judges::new();
    for member in [
        r#""reason":"a","reason":"b""#.to_owned(),
        r#""severity":3.0"#.to_owned(),
        r#""occurred_at":"2026-02-30T00:00:00Z""#.to_owned(),
        format!(r#""labels":["{}"]"#, "ü".repeat(200)),
        format!(r#""metadata":{}1{}"#, r#"{"x":"#.repeat(20), "}".repeat(20)),
    ] {
        let json = format!(r#"{{"action":"a","actor":{{"id":"u"}},{member}}}"#);
        assert!(submit(&json).is_err(), "{json}");
        assert!(judges.schema.is_valid(&serde_json::from_str(&json).unwrap()), "{json}");
    }
}

#[test]
fn the_complete_event_gives_every_member_that_a_client_can_set() {
    let fields = Fields::parse(page::COMPLETE.as_bytes(), &Limits::default()).unwrap();
    for member in MEMBERS.iter().filter(|member| member.set_by == SetBy::Client) {
        let pointer = member.pointer.replace('*', "0");
        assert!(fields.under(&pointer).next().is_some(), "{pointer} is missing");
    }
}

#[test]
fn what_is_read_back_fits_the_schema_of_accepted_events() {
    let validator = jsonschema::validator_for(&schema()["$defs"]["accepted"]).unwrap();
    let submission = submit(page::COMPLETE).unwrap();
    let event = Event {
        id: submission.id.unwrap(),
        tenant: submission.tenant,
        environment: EnvironmentId::parse("production").unwrap(),
        seq: 1,
        received_at: Timestamp(1_795_308_919_123),
        flags: 0,
        leaf_hash: [9; 32],
        body: submission.body.into(),
    };
    let mut json = Vec::new();
    event.write_json(&mut json);
    let mut value: Value = serde_json::from_slice(&json).unwrap();
    let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    value.as_object_mut().unwrap().remove("leaf_hash");
    assert!(!validator.is_valid(&value));
    assert_eq!(EventId::parse("01930b5e-5a53-709e-8f3c-0123456789ab"), Some(event.id));
}

#[test]
fn the_table_is_sound() {
    let mut seen = std::collections::HashSet::new();
    for member in MEMBERS {
        assert!(seen.insert(member.pointer), "{} stands twice", member.pointer);
        let parent = member.pointer.rsplit_once('/').map(|(parent, _)| parent);
        assert!(
            parent.is_none_or(|parent| seen.contains(parent)),
            "{} has no parent before it",
            member.pointer
        );
        assert!(member.doc.ends_with('.') && !member.doc.contains('|'), "{}", member.pointer);
        assert!(serde_json::from_str::<Value>(member.example).is_ok(), "{}", member.example);
    }
    let page = reference_page();
    for member in &MEMBERS[1..] {
        let name = member.pointer[1..].replace("/*", "[]").replace('/', ".");
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not on the page");
    }
}

#[test]
fn every_example_fits_its_member() {
    check_examples(&schema());
}

/// Each schema accepts its own examples, at every level.
#[track_caller]
fn check_examples(schema: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    for example in schema["examples"].as_array().unwrap() {
        assert!(validator.is_valid(example), "{example} against {schema}");
    }
    schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(|members| members.values())
        .for_each(check_examples);
    schema.get("items").into_iter().for_each(check_examples);
}

/// A valid event with one value somewhere replaced.
fn mutated() -> impl Strategy<Value = Value> {
    let values =
        ["null", "true", "7", "-1", "2.5", "\"\"", "\"text\"", "[]", "{}", "[1]", "{\"id\":\"x\"}"];
    (any::<prop::sample::Index>(), prop::sample::select(values.to_vec())).prop_map(
        |(place, value)| {
            let mut event: Value = serde_json::from_str(page::COMPLETE).unwrap();
            let mut places = Vec::new();
            collect(&event, String::new(), &mut places);
            let place = place.get(&places).clone();
            *event.pointer_mut(&place).unwrap() = serde_json::from_str(value).unwrap();
            event
        },
    )
}

fn collect(value: &Value, pointer: String, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, format!("{pointer}/{name}"), into);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{index}"), into);
            }
        }
        _ => {}
    }
    into.push(pointer);
}

proptest! {
    #[test]
    fn a_value_of_another_type_gets_the_same_verdict_from_both(event in mutated()) {
        let json = event.to_string();
        let errors: Vec<_> = Judges::new().schema.iter_errors(&event).map(|error| error.to_string()).collect();
        let verdict = submit(&json);
        prop_assert_eq!(verdict.is_ok(), errors.is_empty(), "{} {:?} {:?}", json, verdict.err(), errors);
    }
}

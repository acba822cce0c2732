//! Any event that decodes gives one record in every format: one line, within its limit, JSON where it says so, and
//! with its id where it has a place for one.
#![no_main]

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, format::CORE_BYTES_MAX, json};
use libfuzzer_sys::fuzz_target;

const FORMATS: [&str; 17] = [
    r#"{"type":"json"}"#,
    r#"{"type":"cef"}"#,
    r#"{"type":"leef"}"#,
    r#"{"type":"ecs"}"#,
    r#"{"type":"ocsf"}"#,
    r#"{"type":"ocsf","schema":"1.1.0"}"#,
    r#"{"type":"structured-data"}"#,
    r#"{"type":"cloudevents"}"#,
    r#"{"type":"otlp"}"#,
    r#"{"type":"asim"}"#,
    r#"{"type":"udm"}"#,
    r#"{"type":"csv"}"#,
    r#"{"type":"ironcore"}"#,
    r#"{"type":"easysend"}"#,
    r#"{"type":"easysend","payload":"b"}"#,
    r#"{"type":"formio"}"#,
    r#"{"type":"template","text":"{{id}} {{/actor/id|quoted}} {{/metadata|csv}} {{event|base64}}"}"#,
];

fuzz_target!(|line: &[u8]| {
    let Ok(event) = json::decode(line) else { return };
    let fields = event.fields();
    let view = View { event: &event, fields: &fields };
    let actions = KnownActions::builtin();
    let id = event.id.to_string();
    for configuration in FORMATS {
        let format: Format = serde_json::from_str(configuration).expect("a format");
        let mut whole = Vec::new();
        format.encode(&view, actions, &mut whole);
        check(&format, &whole, &id);

        let mut short = Vec::new();
        format.encode_within(&view, actions, CORE_BYTES_MAX, &mut short);
        check(&format, &short, &id);
        // A decoded line may name a tenant or an environment longer than any real one.
        let real = event.tenant.as_str().len() <= 128 && event.environment.as_str().len() <= 32;
        assert!(short.len() <= CORE_BYTES_MAX || !real, "{configuration}");
    }
});

fn check(format: &Format, record: &[u8], id: &str) {
    assert!(!record.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)));
    if format.is_json() {
        let _: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(record).expect("one JSON object");
    }
    if format.holds_leaf_hash() {
        assert!(String::from_utf8_lossy(record).contains(id));
    }
}

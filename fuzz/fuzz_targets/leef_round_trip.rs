//! Any event that decodes gives one LEEF line that splits at its delimiter into pairs of which each name comes once.
#![no_main]

use std::collections::BTreeMap;

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, json};
use libfuzzer_sys::fuzz_target;

/// What a value looks like after a trip through LEEF, when it is within its limit.
fn carried(text: &str) -> String {
    let ends = |c: char| c.is_control() || matches!(c, '|' | ' ' | '\u{2028}' | '\u{2029}');
    text.trim_matches(ends).chars().map(|c| if ends(c) { ' ' } else { c }).collect()
}

fuzz_target!(|line: &[u8]| {
    let Ok(event) = json::decode(line) else { return };
    let fields = event.fields();
    let view = View { event: &event, fields: &fields };
    let format: Format = serde_json::from_str(r#"{"type":"leef"}"#).expect("a format");
    let mut record = Vec::new();
    format.encode(&view, KnownActions::builtin(), &mut record);
    let record = String::from_utf8(record).expect("a line is UTF-8");
    let mut header = record.splitn(7, '|');
    assert_eq!(header.next(), Some("LEEF:2.0"));
    let mut pairs = BTreeMap::new();
    for pair in header.last().expect("six pipes").split('\t') {
        let (key, value) = pair.split_once('=').expect("a pair");
        assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(pairs.insert(key, value), None, "{key} comes twice");
    }
    assert_eq!(pairs.get("eventUid"), Some(&event.id.to_string().as_str()));
    for (key, pointer) in [("reason", "/reason"), ("userAgent", "/context/user_agent")] {
        let expected = view.text(pointer).map(carried);
        let expected = expected.filter(|text| !text.is_empty() && text.chars().count() <= 1_023);
        if let Some(expected) = expected {
            assert_eq!(pairs.get(key), Some(&expected.as_str()), "{key}");
        }
    }
});

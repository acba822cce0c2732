//! Any event that decodes gives one CEF line that an independent parser reads back to the same values.
#![no_main]

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, cef, format::CORE_BYTES_MAX, json};
use libfuzzer_sys::fuzz_target;

/// What a value looks like after a trip through CEF, when it is within its limit.
fn carried(text: &str) -> String {
    let kept =
        |c: char| if c.is_control() && !matches!(c, '\n' | '\r' | '\t') { '\u{fffd}' } else { c };
    text.trim_matches(' ').chars().map(kept).collect()
}

fuzz_target!(|line: &[u8]| {
    let Ok(event) = json::decode(line) else { return };
    let fields = event.fields();
    let view = View { event: &event, fields: &fields };
    let format = Format::Cef(cef::Options::default());
    let actions = KnownActions::builtin();

    let mut whole = Vec::new();
    format.encode(&view, actions, &mut whole);
    let record = attestary_testkit::cef::parse(std::str::from_utf8(&whole).expect("CEF is UTF-8"))
        .expect("CEF parses");
    assert_eq!(record.get("externalId"), Some(event.id.to_string().as_str()));
    assert_eq!(record.get("cn1"), Some(event.seq.to_string().as_str()));
    for (key, pointer) in [("suid", "/actor/id"), ("reason", "/reason"), ("msg", "/description")] {
        let expected = view
            .text(pointer)
            .map(carried)
            .filter(|text| !text.is_empty() && text.chars().count() <= 1023);
        if let Some(expected) = expected {
            assert_eq!(record.get(key), Some(expected.as_str()), "{key}");
        }
    }

    let mut short = Vec::new();
    format.encode_within(&view, actions, CORE_BYTES_MAX, &mut short);
    // A decoded line may name a tenant longer than any real one, which is the only part without a bound.
    assert!(short.len() <= CORE_BYTES_MAX || event.tenant.as_str().len() > 128);
    let record = attestary_testkit::cef::parse(std::str::from_utf8(&short).expect("CEF is UTF-8"))
        .expect("CEF parses");
    assert_eq!(record.get("externalId"), Some(event.id.to_string().as_str()));
});

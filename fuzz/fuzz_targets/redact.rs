//! Redaction: finds lie apart on boundaries, and a redacted body is a body that says what its fields say.
#![no_main]

use attestary_event::{
    Fields, Limits,
    redact::{self, Action, Detection, Redaction, Rule, TokenKey, detect},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let finds = detect::find(text, &[]);
    let mut end = 0;
    for find in &finds {
        assert!(find.range.start >= end && find.range.end > find.range.start);
        end = find.range.end;
    }
    detect::replace(text, &finds);
    let Ok(fields) = Fields::parse(text.as_bytes(), &Limits::default()) else { return };
    // Stored bodies have no white space and one form of each string.
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return };
    let body = value.to_string();
    if Fields::of_stored(body.as_bytes()).len() != fields.len() {
        return;
    }
    let rule = Rule {
        name: "a".into(),
        pointers: vec!["/a".into(), "/*/b".into()],
        label: None,
        action: Action::Hmac,
    };
    let place =
        Redaction { rules: vec![rule], detection: Detection::Mask, ..Redaction::default() };
    let fields = Fields::of_stored(body.as_bytes());
    let redacted = redact::apply(&[&place], body.as_bytes(), &fields, &TokenKey::new(&[1; 32]));
    if let Some(body) = redacted.body {
        serde_json::from_slice::<serde_json::Value>(&body).expect("a redacted body is JSON");
    }
});

//! Any GraphQL document with any variables: no panic, no deep recursion, and refusals are sentences.
#![no_main]

use attestary_formats::retraced::document;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|body: &[u8]| {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let (document, variables) = text.split_once('\u{0}').unwrap_or((text, "{}"));
    let variables: Map<String, Value> = serde_json::from_str(variables).unwrap_or_default();
    for operation in [None, Some("Search")] {
        if let Err(message) = document::read(Some(document), operation, &variables) {
            assert!(!message.is_empty());
        }
    }
    let _ = document::read(None, None, &variables);
});

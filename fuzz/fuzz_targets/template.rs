//! Any template with any event: it is refused, or gives one line, and one JSON object where it says so.
#![no_main]

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, json};
use libfuzzer_sys::fuzz_target;

const EVENT: &[u8] = include_bytes!("../seeds/formats/full");

fuzz_target!(|input: (String, bool, Vec<u8>)| {
    let (text, is_json, line) = input;
    let media = if is_json { "json" } else { "text" };
    let configuration = serde_json::json!({"type": "template", "text": text, "media": media});
    let Ok(format) = serde_json::from_value::<Format>(configuration) else { return };
    for line in [EVENT, &line] {
        let Ok(event) = json::decode(line.trim_ascii_end()) else { continue };
        let fields = event.fields();
        let view = View { event: &event, fields: &fields };
        let mut out = Vec::new();
        format.encode(&view, KnownActions::builtin(), &mut out);
        assert!(!out.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)));
        if format.is_json() {
            let _: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&out).expect("one JSON object");
        }
    }
});

//! Any CloudEvent, Kubernetes audit event, or line with any field map: no panic, and submissions are JSON objects.
#![no_main]

use attestary_event::{Fields, Limits};
use attestary_formats::intake::{cloudevents, fieldmap::FieldMap, kubernetes};
use libfuzzer_sys::fuzz_target;

const MAP: &str = r#"{"fields":{"action":"/a","actor.id":"/b","context.http.status":"/c","target.id":"/d/e","label":"/f","metadata":"/m","occurred_at":"/t"}}"#;

fuzz_target!(|body: &[u8]| {
    let limits = Limits::default();
    let roomy = Limits { event_bytes_max: 1 << 20, depth_max: 32, fields_max: 4_096, ..limits };
    let check = |json: &[u8]| {
        Fields::parse(json, &roomy).expect("the submission is JSON");
    };
    if let Ok(mapped) = cloudevents::parse(body, &limits) {
        check(&mapped.json);
    }
    if let Ok(items) = kubernetes::items(body, &limits) {
        for item in &items {
            if let Ok(mapped) = kubernetes::parse(item, &limits) {
                check(&mapped.json);
            }
        }
    }
    let known = FieldMap::parse(MAP).expect("the map is valid");
    if let Ok(mapped) = known.map(body, &limits) {
        check(&mapped.json);
    }
    // A map of its own before the line.
    let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
    let (map, line) = body.split_at(end);
    if let Ok(map) = std::str::from_utf8(map).map_err(|_| String::new()).and_then(FieldMap::parse)
        && let Ok(mapped) = map.map(line.get(1..).unwrap_or_default(), &limits)
    {
        check(&mapped.json);
    }
});

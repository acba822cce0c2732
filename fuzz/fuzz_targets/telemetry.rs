//! Any body of an OTLP request, binary or JSON: no panic, and every record that is allowed becomes a JSON object.
#![no_main]

use attestary_event::{Fields, Limits};
use attestary_formats::intake::otlp::{Names, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    // Bodies are as long as a batch; the submission made of one record is checked again by intake.
    let roomy = Limits {
        event_bytes_max: 1 << 24,
        depth_max: 512,
        fields_max: 1 << 20,
        array_max: 1 << 20,
        string_bytes_max: 1 << 24,
        key_bytes_max: 1 << 24,
        ..Limits::default()
    };
    let names = Names::new(vec!["*".to_owned()]);
    for request in [Request::from_protobuf(body).ok(), Request::from_json(body).ok()] {
        let Some(request) = request else { continue };
        let records = request.map(&names);
        assert_eq!(records.events.len() as u64 + records.ignored, request.records() as u64);
        for record in &records.events {
            match Fields::parse(&record.json, &roomy) {
                Ok(_) => {}
                // Attributes may repeat a key, which intake refuses.
                Err(violation) => assert!(violation.detail.contains("twice"), "{violation}"),
            }
        }
    }
});

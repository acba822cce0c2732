//! Certificates of any events: no panic, a PDF that is whole, and a JSON that holds every event as the API gives it.
#![no_main]

use attestary_event::{Timestamp, actions::KnownActions};
use attestary_formats::{
    certificate::{Certificate, Item},
    json,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // The first line is whatever a caller gives, the others are events.
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (given, lines) = input.split_at(end);
    let transaction = String::from_utf8_lossy(given).into_owned();
    let items: Vec<Item> = lines
        .split(|byte| *byte == b'\n')
        .filter_map(|line| json::decode(line).ok())
        .map(|event| Item { event, entry: vec![1; 88], seed: None, proof: transaction.clone() })
        .collect();
    if items.is_empty() {
        return;
    }
    let certificate = Certificate {
        by: Some(transaction.clone()),
        made_at: Timestamp(1_795_307_951_123),
        made_by: transaction.clone(),
        origin: transaction.clone(),
        size: 7,
        root: [3; 32],
        checkpoint: transaction.clone(),
        transaction,
        items,
    };
    let actions = KnownActions::builtin();
    let made = certificate.to_json(actions);
    let made: serde_json::Value = serde_json::from_slice(&made).expect("one JSON object");
    let shown = made["data"].as_array().expect("a list");
    assert_eq!(shown.len(), certificate.items.len());
    for (line, item) in shown.iter().zip(&certificate.items) {
        assert_eq!(line["event"]["id"], item.event.id.to_string());
    }
    let pdf = certificate.to_pdf(actions);
    assert!(pdf.starts_with(b"%PDF-") && pdf.trim_ascii_end().ends_with(b"%%EOF"));
});

//! Answers of receivers: whatever a stranger answers, a verdict comes out that names events of the batch only.

#![no_main]

use std::sync::LazyLock;

use attestary_delivery::{DestinationConfig, ManagedBy, verdict::Verdict};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

static DESTINATIONS: LazyLock<Vec<DestinationConfig>> = LazyLock::new(|| {
    [
        ("splunk", json!({"url": "https://a.example.com", "token": "t"})),
        ("elasticsearch", json!({"url": "https://a.example.com", "index": "a"})),
        ("otlp", json!({"url": "https://a.example.com"})),
        ("loki", json!({"url": "https://a.example.com"})),
        ("datadog", json!({"api_key": "k"})),
        ("http", json!({"url": "https://a.example.com"})),
    ]
    .into_iter()
    .map(|(kind, config)| {
        DestinationConfig::validate(kind, &config, ManagedBy::Operator).expect("valid").0
    })
    .collect()
});

const STATUSES: [u16; 8] = [200, 201, 204, 400, 403, 404, 429, 503];

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (status, events, body) = input;
    let (status, events) = (STATUSES[usize::from(status) % 8], usize::from(events) % 8 + 1);
    for destination in DESTINATIONS.iter() {
        if let Verdict::Partial(partial) = destination.judge_answer(status, body, events) {
            let rejected = partial.rejected.iter().map(|item| item.index);
            assert!(rejected.chain(partial.retry).all(|index| index < events));
        }
    }
});

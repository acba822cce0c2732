//! Any body of a WorkOS or Retraced event and any Retraced query: no panic, submissions are JSON objects, a receipt
//! is made for every event that maps, and every translated query is a filter.
#![no_main]

use attestary_event::{Fields, Limits, filter::Filter};
use attestary_formats::{
    intake::{retraced, workos},
    retraced::translate,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let limits = Limits::default();
    let roomy = Limits { event_bytes_max: 1 << 20, depth_max: 32, fields_max: 4_096, ..limits };
    if let Ok(mapped) = workos::parse(body, &limits) {
        assert!(!mapped.organization.is_empty());
        Fields::parse(&mapped.json, &roomy).expect("the submission is JSON");
    }
    if let Ok(mapped) = retraced::parse(body, &limits) {
        Fields::parse(&mapped.json, &roomy).expect("the submission is JSON");
        assert_eq!(mapped.submitted.hash("id").len(), 64);
    }
    if let Ok(text) = std::str::from_utf8(body)
        && let Ok(query) = translate(text)
    {
        Filter::parse(&query.filter).expect("a translation is a filter");
    }
});

//! Batches: cutting never panics, keeps to its limit, and every part lies inside the body.
#![no_main]

use attestary_event::{
    Limits,
    scan::{Batch, BatchForm, split_batch},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let limits = Limits { batch_events_max: 16, ..Limits::default() };
    for form in [BatchForm::Json, BatchForm::Ndjson] {
        if let Ok(Batch::Many(events)) = split_batch(body, form, &limits) {
            assert!(events.len() <= limits.batch_events_max);
            for event in events {
                assert!(body.as_ptr_range().contains(&event.as_ptr()) && !event.is_empty());
            }
        }
    }
});

//! Any bytes as the JSON form of a filter: refused, or a filter whose forms give it back.
#![no_main]

use attestary_event::filter::Filter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let Ok(filter) = Filter::from_json_slice(json) else { return };
    let canonical = filter.to_string();
    assert_eq!(Filter::parse(&canonical).as_ref(), Ok(&filter), "{canonical}");
    assert_eq!(Filter::from_json(&filter.to_json()).as_ref(), Ok(&filter));
});

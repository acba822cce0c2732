//! Hidden fields: pruning never panics, and what it gives is an object in which no filter finds a hidden value.
#![no_main]

use attestary_event::{Hidden, Limits, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, Vec<u8>)| {
    let (path, body) = input;
    let Ok(hidden) = Hidden::parse(&[path]) else { return };
    let pruned = hidden.prune(&body);
    if scan::scan(&body, &Limits::default()).is_ok() && body.first() == Some(&b'{') {
        assert!(pruned.len() <= body.len().max(2));
        assert!(hidden.prune(&pruned) == pruned, "pruning twice is pruning once");
    }
});

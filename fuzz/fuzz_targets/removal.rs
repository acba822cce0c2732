//! Removal lists: any bytes are refused with a line, or are the one form of a list.
#![no_main]

use attestary_ledger::RemovalList;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match RemovalList::parse(bytes) {
    Ok(list) => {
        assert_eq!(list.to_string().as_bytes(), bytes);
        for line in list.lines().iter().take(64) {
            let (first, last) = line.seqs();
            assert!(list.of(first).is_some() && list.of(last).is_some());
        }
    }
    Err(error) => assert!(error.line >= 1),
});

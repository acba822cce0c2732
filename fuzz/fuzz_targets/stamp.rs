//! Replies of time-stamping authorities, and answers of witnesses: any bytes are answered, and none of them is a stamp of a text
//! that nobody asked about.
#![no_main]

use attestary_ledger::{note::parse_signatures, stamp, witness::parse_size};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = "log.example.com/anchor\n3\nx\n";
    let loose = stamp::check(bytes, text, None);
    if stamp::check(bytes, text, Some([7; 8])).is_ok() {
        assert!(loose.is_ok());
    }
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = parse_size(text);
        let _ = parse_signatures(text);
    }
});

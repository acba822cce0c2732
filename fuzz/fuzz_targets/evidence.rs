//! Evidence bundles, their event lines and growth files: any bytes are answered, and nothing unsigned is accepted.
#![no_main]

use std::io::Cursor;

use attestary_verify::{Growth, Options, bundle, parse_line};
use libfuzzer_sys::fuzz_target;

const TRUST: &str = include_str!("../seeds/policy/trust_file");

fuzz_target!(|bytes: &[u8]| {
    let _ = parse_line(bytes);
    if let Ok(growth) = Growth::parse(bytes) {
        assert_eq!(Growth::parse(growth.to_string().as_bytes()), Ok(growth));
    }
    let options = Options { threads: 1, ..Options::default() };
    assert_ne!(bundle(Cursor::new(bytes), TRUST.as_bytes(), &options, &|_| {}).exit_code(), 0);
    // The other way round: any trust file over bytes that are no bundle.
    assert_ne!(bundle(Cursor::new(&[]), bytes, &options, &|_| {}).exit_code(), 0);
});

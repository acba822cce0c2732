//! Receipts, proof files and certificates: any bytes are answered.
#![no_main]

use attestary_verify::{Options, certificate, proof_file, receipt};
use libfuzzer_sys::fuzz_target;

const TRUST: &str = include_str!("../seeds/policy/trust_file");

fuzz_target!(|bytes: &[u8]| {
    let options = Options::default();
    assert_ne!(receipt(bytes, None, &options).exit_code(), 0);
    assert_ne!(receipt(bytes, Some(TRUST.as_bytes()), &options).exit_code(), 0);
    assert_ne!(certificate(bytes, TRUST.as_bytes(), &options).exit_code(), 0);
    assert_ne!(proof_file(bytes, TRUST.as_bytes(), &options).exit_code(), 0);
});

//! Proof files, slot proofs, witness requests, epoch records: what is accepted prints as it came, and proves in bounds.
#![no_main]

use attestary_ledger::{AddCheckpoint, EpochRecord, ProofFile, SlotProof};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = ProofFile::parse(bytes) {
        assert_eq!(file.to_string().as_bytes(), bytes);
        let _ = file.verify_inclusion(&[1; 32], file.index.wrapping_mul(3), &[2; 32]);
    }
    if let Ok(proof) = SlotProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
    }
    if let Some(record) = EpochRecord::parse(bytes) {
        assert_eq!(record.to_string().as_bytes(), bytes);
    }
});

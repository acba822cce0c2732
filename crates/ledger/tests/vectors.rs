//! The frozen vectors hold: what this crate makes is, byte for byte, what stands in `vectors/`.
//!
//! A difference means that proofs already given out would stop to verify. Only a new format version, under new literals,
//! may add vectors; none is ever changed.

#[expect(clippy::unwrap_used, reason = "helpers of a test")]
mod made;

use std::{fs, path::Path};

use serde_json::Value;

#[test]
fn the_vectors_are_the_frozen_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    for (name, value) in made::files() {
        let frozen = fs::read_to_string(folder.join(name)).unwrap();
        let frozen: Value = serde_json::from_str(&frozen).unwrap();
        assert!(frozen == value, "{name} differs");
    }
    let count = fs::read_dir(folder).unwrap().count();
    assert_eq!(count, made::files().len(), "a file of vectors/ is not checked");
}

#[test]
fn the_log_for_other_verifiers_is_whole() {
    let files = made::log::files();
    // 274 + 2 + 1 hash tiles, 274 bundles, six proofs, two checkpoints, the key, the consistency proof.
    assert_eq!(files.len(), 277 + 274 + 6 + 2 + 2);
    let proof = files.iter().find(|(path, _)| path == "proofs/69000.tlog-proof").unwrap();
    assert_eq!(attestary_ledger::ProofFile::parse(&proof.1).unwrap().hashes.len(), 14);
}

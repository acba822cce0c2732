//! The frozen vectors, made anew from this crate. `tests/vectors.rs` compares them with the files in `vectors/`;
//! `examples/ledger_vectors.rs` writes them, together with a whole log, for verifiers of others.
//!
//! Bytes are lowercase hex, texts are strings, hashes inside texts are Base64 as their formats have it.

pub(crate) mod log;
mod notes;
mod proofs;
mod trees;

use serde_json::{Value, json};

/// Every file of `vectors/` with its content.
pub(crate) fn files() -> Vec<(&'static str, Value)> {
    vec![
        ("entry.json", trees::entry()),
        ("tree.json", trees::tree()),
        ("tiles.json", trees::tiles()),
        ("notes.json", notes::notes()),
        ("keys.json", notes::keys()),
        ("policy.json", notes::policies()),
        ("proofs.json", proofs::proofs()),
        ("epoch.json", proofs::epoch()),
    ]
}

pub(crate) fn hex(bytes: &[u8]) -> Value {
    json!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

pub(crate) fn hexes(hashes: &[[u8; 32]]) -> Vec<Value> {
    hashes.iter().map(|hash| hex(hash)).collect()
}

//! The Merkle log over opaque bytes: field disclosures, the 88-byte entry, leaf and node hashes, and the
//! append-only frontier of a tree.
//!
//! Hashes bytes and knows nothing of events. No I/O, no clock, no randomness.
//!
//! Sources: RFC 6962 section 2.1 (leaf and node prefixes, tree shape); the byte layouts `AEF1`, `AER1`,
//! `AEV1` and `AES1` are this project's own and are frozen by the test vector in [`entry`].

pub mod entry;
pub mod field;
pub mod frontier;

pub use entry::{Entry, origin_id};
pub use field::fields_hash;
pub use frontier::Frontier;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

use sha2::{Digest as _, Sha256};

/// Returns the RFC 6962 leaf hash: `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// Returns the RFC 6962 node hash: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

//! The Merkle log over opaque bytes: field disclosures, the 88-byte entry, leaf and node hashes, and the
//! append-only frontier of a tree.
//!
//! Hashes bytes and knows nothing of events. No I/O, no clock, no randomness.
//!
//! Sources: RFC 6962 section 2.1 (leaf and node prefixes, tree shape); the byte layouts `AEF1`, `AER1`,
//! `AEV1` and `AES1` are this project's own and are frozen by the test vector in [`entry`].

#![forbid(unsafe_code)]

mod block;
pub mod checkpoint;
mod cosignature;
pub mod disclosure;
pub mod entry;
pub mod epoch;
pub mod field;
pub mod frontier;
pub mod key;
pub mod note;
pub mod policy;
pub mod proof_file;
pub mod signer;
pub mod slot_proof;
mod text;
pub mod tile;
pub mod tree;
pub mod trust;
pub mod witness;

pub use checkpoint::Checkpoint;
pub use disclosure::{Disclosure, disclosed_fields_hash};
pub use entry::{Entry, EntryError, origin_id};
pub use epoch::{EpochRecord, EpochTree};
pub use field::fields_hash;
pub use frontier::Frontier;
pub use key::{KeyError, KeyId, KeyKind, VerifierKey};
pub use note::{Note, NoteError, Signature, Verified, VerifyError};
pub use policy::{Accepted, Policy};
pub use proof_file::ProofFile;
pub use signer::{Cosigner, NoteSigner};
pub use slot_proof::SlotProof;
pub use text::LineError;
pub use tile::{TileKind, TilePath};
pub use tree::{
    NodeSource, ProofError, ProveError, consistency::ConsistencyProof, inclusion::InclusionProof,
    memory::MemoryTree,
};
pub use trust::TrustFile;
pub use witness::AddCheckpoint;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

use block::Short;

/// Returns the RFC 6962 leaf hash: `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    if data.len() < Short::<2>::BYTES_MAX {
        let mut message = Short::<2>::new();
        message.push(&[0]);
        message.push(data);
        return message.hash();
    }
    block::hash_parts(&[&[0], data])
}

/// Returns the RFC 6962 node hash: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut message = Short::<2>::new();
    message.push(&[1]);
    message.push(left);
    message.push(right);
    message.hash()
}

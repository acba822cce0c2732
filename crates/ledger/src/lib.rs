//! The Merkle log over opaque bytes: entries and their salted fields, RFC 6962 trees and proofs, and the C2SP text forms
//! in which logs, witnesses and verifiers talk to each other.
//!
//! Hashes bytes and knows nothing of events. No I/O, no clock, no randomness: nodes come from a [`NodeSource`], times and
//! secrets are parameters. Every parser has a stated limit and accepts one form only.
//!
//! | from the bottom up | modules |
//! |---|---|
//! | field disclosures, the 88-byte entry | [`field`], [`disclosure`], [`entry`] |
//! | roots, inclusion, consistency | [`frontier`], [`tree`], [`tile`] |
//! | signatures | [`key`], [`signer`], [`note`], [`checkpoint`] |
//! | proofs that travel | [`proof_file`], [`witness`], [`epoch`], [`slot_proof`], [`stamp`] |
//! | what is gone | [`removal`] |
//! | what is trusted | [`policy`], [`trust`] |
//!
//! Sources: RFC 6962 section 2.1, RFC 9162 section 2.1, C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles,
//! tlog-proof, tlog-witness and tlog-policy. The layouts that begin with `AE` and the literals that begin with `attestary`
//! are this project's own and are frozen by the files in `vectors/`.
//!
//! A log signs its tree, and somebody who trusts only its key checks one entry:
//!
//! ```
//! use attestary_ledger::{
//!     Checkpoint, InclusionProof, MemoryTree, Note, NoteSigner, Policy, ProofFile, leaf_hash,
//! };
//!
//! let tree: MemoryTree = ["one", "two", "three"].map(|entry| leaf_hash(entry.as_bytes())).into_iter().collect();
//! let signer = NoteSigner::derive(&[7; 32], "audit.example.com/t/1", 0)?;
//! let text = Checkpoint::new("audit.example.com/t/1", tree.size(), tree.root()).to_string();
//! let mut checkpoint = Note::new(text)?;
//! checkpoint.push(signer.sign(checkpoint.text()))?;
//! let hashes = InclusionProof::generate(&tree, 1, tree.size())?.hashes;
//! let file = ProofFile { extra: None, index: 1, hashes, checkpoint }.to_string();
//!
//! let policy = Policy::parse(format!("log {}\nquorum none\n", signer.verifier()).as_bytes())?;
//! let accepted = ProofFile::parse(file.as_bytes())?.verify(&leaf_hash(b"two"), &policy)?;
//! assert_eq!(accepted.checkpoint.size, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
pub mod removal;
pub mod signer;
pub mod slot_proof;
pub mod stamp;
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
pub use removal::RemovalList;
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

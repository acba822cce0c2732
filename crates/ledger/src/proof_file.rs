//! `.tlog-proof` files: an inclusion proof together with the checkpoint it leads to. Source: C2SP tlog-proof v1.
//!
//! A file proves itself offline against a leaf hash and a [`Policy`]. Its extra data is not authenticated: for our logs
//! it is the 88-byte entry, which a verifier hashes and compares, never trusts.

use std::fmt::{self, Display};

use crate::{
    Hash, InclusionProof, LineError, Note, NoteError, Policy, ProofError,
    note::NOTE_BYTES_MAX,
    policy::{Accepted, RefusedNote},
    text,
};

/// First line of a proof file.
const MAGIC: &str = "c2sp.org/tlog-proof@v1";

/// Longest extra data in bytes: the longest log entry that tiles can carry.
pub const EXTRA_BYTES_MAX: usize = 65_535;

/// Longest file: the checkpoint, the extra data in Base64, 64 hashes of 45 bytes, and the short lines.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + EXTRA_BYTES_MAX.div_ceil(3) * 4 + 64 * 45 + 128;

/// Most hashes: one for each level of the largest tree.
const HASHES_MAX: usize = 64;

/// An inclusion proof with its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// Opaque, not authenticated.
    pub extra: Option<Vec<u8>>,
    /// Position of the leaf.
    pub index: u64,
    /// The leaf's sibling first.
    pub hashes: Vec<Hash>,
    /// The checkpoint as it was signed, cosignatures included.
    pub checkpoint: Note,
}

impl ProofFile {
    /// Parses a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(ProofFileError::TooLong { bytes: bytes.len(), limit: PROOF_BYTES_MAX });
        }
        let text = str::from_utf8(bytes).map_err(|_| ProofFileError::Magic)?;
        let Some((MAGIC, rest)) = text::line(text) else { return Err(ProofFileError::Magic) };
        let (extra, rest) = parse_extra(rest)?;
        let index_line = text::line(rest).ok_or(ProofFileError::Index)?;
        let index = index_line.0.strip_prefix("index ").and_then(text::decimal);
        let index = index.ok_or(ProofFileError::Index)?;
        let (hashes, checkpoint) = text::hash_lines(index_line.1, HASHES_MAX)
            .map_err(|source| ProofFileError::Hashes { source })?;
        let checkpoint = Note::parse(checkpoint.as_bytes())
            .map_err(|source| ProofFileError::Checkpoint { source })?;
        Ok(Self { extra, index, hashes, checkpoint })
    }

    /// Checks that `leaf` is in the tree of the checkpoint, and that the policy accepts the checkpoint.
    pub fn verify(&self, leaf: &Hash, policy: &Policy) -> Result<Accepted, ProofFileError> {
        let accepted =
            policy.check(&self.checkpoint).map_err(|source| ProofFileError::Refused { source })?;
        self.verify_inclusion(leaf, accepted.checkpoint.size, &accepted.checkpoint.root)?;
        Ok(accepted)
    }

    /// Checks the hashes alone, against a root that the caller trusts already.
    pub fn verify_inclusion(
        &self,
        leaf: &Hash,
        size: u64,
        root: &Hash,
    ) -> Result<(), ProofFileError> {
        let proof = InclusionProof { index: self.index, size, hashes: self.hashes.clone() };
        proof.verify(leaf, root).map_err(|source| ProofFileError::Inclusion { source })
    }
}

/// Parses the optional second line.
fn parse_extra(text: &str) -> Result<(Option<Vec<u8>>, &str), ProofFileError> {
    let Some((first, rest)) = text::line(text) else { return Ok((None, text)) };
    let Some(extra) = first.strip_prefix("extra ") else { return Ok((None, text)) };
    let extra = text::unbase64(extra).filter(|extra| extra.len() <= EXTRA_BYTES_MAX);
    Ok((Some(extra.ok_or(ProofFileError::Extra { limit: EXTRA_BYTES_MAX })?), rest))
}

/// The file.
impl Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", text::base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", text::base64(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a proof file is malformed or does not prove what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFileError {
    /// More than [`PROOF_BYTES_MAX`].
    #[error("the proof has {bytes} bytes; the limit is {limit}")]
    TooLong { bytes: usize, limit: usize },
    /// The first line is another one.
    #[error("the first line is not {MAGIC}")]
    Magic,
    /// The extra line is not Base64, or too long.
    #[error("extra data is Base64 of at most {limit} bytes")]
    Extra { limit: usize },
    /// There is no index line, or no decimal in it.
    #[error("the index line is missing or malformed")]
    Index,
    /// The hash lines are malformed.
    #[error("the hashes are malformed")]
    Hashes {
        /// How.
        source: LineError,
    },
    /// The checkpoint is no signed note.
    #[error("the checkpoint is malformed")]
    Checkpoint {
        /// How.
        source: NoteError,
    },
    /// The policy does not accept the checkpoint.
    #[error("the checkpoint is not accepted")]
    Refused {
        /// Why.
        source: RefusedNote,
    },
    /// The leaf is not in the tree.
    #[error("the leaf is not in the tree of the checkpoint")]
    Inclusion {
        /// Why.
        source: ProofError,
    },
}

#[cfg(test)]
mod tests;

//! `slot-proof` files: this head stood at that slot in an epoch, and the epoch's record is in the anchor log.
//!
//! ```text
//! attestary/slot-proof@v1
//! epoch <n>
//! slot <k>
//! slots <count>
//! <hashes from the slot's leaf to the root of the epoch tree>
//!
//! <the `.tlog-proof` of the record in the anchor log, whose extra data is the record>
//! ```

use std::fmt::{self, Display};

use crate::{
    Hash, InclusionProof, LineError, ProofError, ProofFile, TrustFile,
    epoch::{EpochRecord, head_leaf},
    policy::{Accepted, RefusedNote},
    proof_file::{PROOF_BYTES_MAX, ProofFileError},
    text,
};

/// First line; frozen.
const MAGIC: &str = "attestary/slot-proof@v1";

/// Longest file: the record's proof, 64 hashes of 45 bytes, and the short lines.
pub const SLOT_PROOF_BYTES_MAX: usize = PROOF_BYTES_MAX + 64 * 45 + 256;

/// Most hashes: one for each level of the largest tree.
const HASHES_MAX: usize = 64;

/// A head's way into the anchor log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotProof {
    /// Number of the epoch.
    pub epoch: u64,
    /// Position of the head.
    pub slot: u64,
    /// Number of slots in the epoch.
    pub slots: u64,
    /// The leaf's sibling first.
    pub hashes: Vec<Hash>,
    /// Proof of the epoch's record, with the record as extra data.
    pub record: ProofFile,
}

/// A head that an accepted anchor checkpoint covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchoredHead {
    /// The epoch in which the head stood.
    pub record: EpochRecord,
    /// The anchor log's checkpoint.
    pub anchor: Accepted,
}

impl SlotProof {
    /// Parses a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, SlotProofError> {
        if bytes.len() > SLOT_PROOF_BYTES_MAX {
            let (bytes, limit) = (bytes.len(), SLOT_PROOF_BYTES_MAX);
            return Err(SlotProofError::TooLong { bytes, limit });
        }
        let text = str::from_utf8(bytes).map_err(|_| SlotProofError::Magic)?;
        let Some((MAGIC, rest)) = text::line(text) else { return Err(SlotProofError::Magic) };
        let (epoch, rest) = number(rest, "epoch ")?;
        let (slot, rest) = number(rest, "slot ")?;
        let (slots, rest) = number(rest, "slots ")?;
        let (hashes, rest) = text::hash_lines(rest, HASHES_MAX)
            .map_err(|source| SlotProofError::Hashes { source })?;
        let record = ProofFile::parse(rest.as_bytes())
            .map_err(|source| SlotProofError::RecordProof { source })?;
        Ok(Self { epoch, slot, slots, hashes, record })
    }

    /// Checks that the checkpoint with this note text stood at the trusted slot of an epoch, and that the trusted anchor
    /// log holds the epoch's record under an accepted checkpoint.
    pub fn verify(
        &self,
        checkpoint: &str,
        trust: &TrustFile,
    ) -> Result<AnchoredHead, SlotProofError> {
        let record = self.record.extra.as_deref().and_then(EpochRecord::parse);
        let record = record.ok_or(SlotProofError::Record)?;
        let names_match = (record.epoch, record.slots) == (self.epoch, self.slots)
            && self.record.index == self.epoch;
        if !names_match {
            return Err(SlotProofError::Record);
        }
        if self.slot != trust.slot() {
            return Err(SlotProofError::Slot { slot: self.slot, expected: trust.slot() });
        }
        let (index, size) = (self.slot, self.slots);
        InclusionProof { index, size, hashes: self.hashes.clone() }
            .verify(&head_leaf(self.slot, checkpoint), &record.root)
            .map_err(|source| SlotProofError::Head { source })?;
        let anchor = trust
            .check_anchor(&self.record.checkpoint)
            .map_err(|source| SlotProofError::Anchor { source })?;
        self.record
            .verify_inclusion(&record.leaf_hash(), anchor.checkpoint.size, &anchor.checkpoint.root)
            .map_err(|source| SlotProofError::RecordProof { source })?;
        if !record.cosigned_in_time(&anchor) {
            return Err(SlotProofError::Time);
        }
        Ok(AnchoredHead { record, anchor })
    }
}

/// Parses one line of a word and a decimal.
fn number<'a>(text: &'a str, word: &'static str) -> Result<(u64, &'a str), SlotProofError> {
    let malformed = SlotProofError::Line { line: word.trim_end() };
    let (first, rest) = text::line(text).ok_or(malformed.clone())?;
    let number = first.strip_prefix(word).and_then(text::decimal).ok_or(malformed)?;
    Ok((number, rest))
}

/// The file.
impl Display for SlotProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, slot, slots, .. } = self;
        writeln!(f, "{MAGIC}\nepoch {epoch}\nslot {slot}\nslots {slots}")?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", text::base64(hash)))?;
        write!(f, "\n{}", self.record)
    }
}

/// Why a slot proof is malformed or does not prove what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotProofError {
    /// More than [`SLOT_PROOF_BYTES_MAX`].
    #[error("the proof has {bytes} bytes; the limit is {limit}")]
    TooLong { bytes: usize, limit: usize },
    /// The first line is another one.
    #[error("the first line is not {MAGIC}")]
    Magic,
    /// A line of a word and a number is missing or malformed.
    #[error("the {line} line is missing or malformed")]
    Line { line: &'static str },
    /// The hash lines are malformed.
    #[error("the hashes are malformed")]
    Hashes {
        /// How.
        source: LineError,
    },
    /// The record's proof is malformed, or the record is not in the anchor log.
    #[error("the proof of the epoch record does not hold")]
    RecordProof {
        /// Why.
        source: ProofFileError,
    },
    /// The extra data is no record, or one of another epoch.
    #[error("the epoch record is missing, malformed, or of another epoch")]
    Record,
    /// Another slot than the trusted one.
    #[error("the proof is for slot {slot}; the trust file names {expected}")]
    Slot { slot: u64, expected: u64 },
    /// The head is not in the epoch tree.
    #[error("the checkpoint did not stand at the slot")]
    Head {
        /// Why.
        source: ProofError,
    },
    /// The anchor log's checkpoint is not accepted.
    #[error("the anchor checkpoint is not accepted")]
    Anchor {
        /// Why.
        source: RefusedNote,
    },
    /// A cosignature is dated before the epoch, or long after it.
    #[error("a cosignature is dated outside the time of its epoch")]
    Time,
}

#[cfg(test)]
mod tests;

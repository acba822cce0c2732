//! Trust policies: which logs and which quorum of witnesses make a checkpoint acceptable. Source: C2SP tlog-policy.
//!
//! A policy is read once and then only asked. Names have no meaning after parsing; groups refer to members by position,
//! and always to earlier ones.

mod parse;

use crate::{Checkpoint, Note, VerifierKey, VerifyError, checkpoint::CheckpointError};

pub use parse::{PolicyError, PolicyReason};

/// Most logs, witnesses and groups, each; the specification asks for 32 at least.
pub const MEMBERS_MAX: usize = 256;

/// Longest policy file in bytes: 768 lines of 340.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;

/// Logs, witnesses and the quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    /// Key; its name is the log's origin.
    pub key: VerifierKey,
    /// Where the log is served, if stated; opaque bytes without spaces.
    pub url: Option<Vec<u8>>,
}

/// A witness that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Name within the policy; opaque bytes without spaces.
    pub name: Vec<u8>,
    /// Cosignature key.
    pub key: VerifierKey,
    /// Submission prefix, if stated; opaque bytes without spaces.
    pub url: Option<Vec<u8>>,
}

/// A group counts as one when `threshold` of its members do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// A checkpoint that a policy accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// Positions of the logs' keys whose signatures hold, in [`Policy::logs`]; at least one.
    pub logs: Vec<usize>,
    /// Cosignatures that hold.
    pub cosignatures: Vec<Cosignature>,
}

/// A witness's statement about a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cosignature {
    /// Position in [`Policy::witnesses`].
    pub witness: usize,
    /// When, in POSIX seconds by the witness's clock.
    pub time_s: u64,
}

impl Policy {
    /// Parses a policy file; bytes above 0x7F are opaque.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        parse::parse(bytes)
    }

    /// Returns the logs in the file's order.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// Returns the witnesses in the file's order.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Accepts a checkpoint that a listed log signed and a quorum cosigned.
    ///
    /// A log's key counts only under its own origin. Any bad signature by a key of the policy refuses the note.
    pub fn check(&self, note: &Note) -> Result<Accepted, RefusedNote> {
        let accepted = self.check_signatures(note, |_| true)?;
        if self.is_quorum(&accepted.cosignatures) { Ok(accepted) } else { Err(RefusedNote::Quorum) }
    }

    /// Checks signatures and leaves the quorum aside; only logs at positions that `counts` selects are known.
    pub(crate) fn check_signatures(
        &self,
        note: &Note,
        counts: impl Fn(usize) -> bool,
    ) -> Result<Accepted, RefusedNote> {
        let checkpoint =
            Checkpoint::parse(note.text()).map_err(|source| RefusedNote::Checkpoint { source })?;
        let named = |position: &usize| self.logs[*position].key.name() == checkpoint.origin;
        let positions: Vec<_> =
            (0..self.logs.len()).filter(named).filter(|&log| counts(log)).collect();
        let log_keys = positions.iter().map(|&log| &self.logs[log].key);
        let keys = log_keys.chain(self.witnesses.iter().map(|witness| &witness.key));
        let verified = note
            .verify(&keys.cloned().collect::<Vec<_>>())
            .map_err(|source| RefusedNote::Signatures { source })?;
        let mut logs = Vec::new();
        let mut cosignatures = Vec::new();
        for signature in verified {
            match signature.key.checked_sub(positions.len()) {
                None => logs.push(positions[signature.key]),
                Some(witness) => {
                    // Witness keys are cosignature keys, whose signatures have a time.
                    cosignatures
                        .extend(signature.time_s.map(|time_s| Cosignature { witness, time_s }));
                }
            }
        }
        if logs.is_empty() {
            return Err(RefusedNote::Log { origin: checkpoint.origin });
        }
        Ok(Accepted { checkpoint, logs, cosignatures })
    }

    /// Says whether these cosignatures are enough.
    pub fn is_quorum(&self, cosignatures: &[Cosignature]) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let mut witnesses = vec![false; self.witnesses.len()];
        for cosignature in cosignatures {
            witnesses[cosignature.witness] = true;
        }
        // Groups refer to earlier groups only, so one pass decides them all.
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let count = group.members.iter().filter(|member| holds(**member, &witnesses, &groups));
            groups.push(count.count() >= group.threshold);
        }
        holds(quorum, &witnesses, &groups)
    }
}

fn holds(member: Member, witnesses: &[bool], groups: &[bool]) -> bool {
    match member {
        Member::Witness(witness) => witnesses[witness],
        Member::Group(group) => groups[group],
    }
}

/// Why a policy does not accept a note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedNote {
    /// The text is no checkpoint.
    #[error("the note is not a checkpoint")]
    Checkpoint {
        /// How.
        source: CheckpointError,
    },
    /// A known signature does not hold, or none is known.
    #[error("the signatures are not accepted")]
    Signatures {
        /// Why.
        source: VerifyError,
    },
    /// No listed key of this log signed.
    #[error("no accepted key of {origin} signed")]
    Log { origin: String },
    /// A checkpoint of another log than the one asked for.
    #[error("the checkpoint is of the log {origin}")]
    OtherLog { origin: String },
    /// No trusted key is valid for a tree of this size.
    #[error("no trusted key is valid for a tree of {size} leaves")]
    KeyEpoch { size: u64 },
    /// The trust file names no anchor log.
    #[error("no anchor log is trusted")]
    NoAnchor,
    /// Too few witnesses cosigned.
    #[error("the quorum of witnesses is missing")]
    Quorum,
}

#[cfg(test)]
mod tests;

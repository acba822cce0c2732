//! Trust files: what a verifier must know beforehand, and never takes from what it verifies.
//!
//! A trust file is a C2SP `tlog-policy`. What that format has no words for stands in comments that begin with
//! `#attestary`, so that any reader of policies can use the file. Here those comments count, and an unknown one is an
//! error:
//!
//! ```text
//! #attestary trust v1
//! #attestary tenant <origin> <slot>
//! #attestary anchor <origin>                         (optional)
//! #attestary key <vkey> <key epoch> <first size>     (needed when a log has more than one key)
//! #attestary age <seconds>                           (optional, with an anchor)
//! ```
//!
//! A key epoch accepts checkpoints from its first size on and up to the next epoch's first size, which it excludes: a
//! stolen or retired key can neither sign old trees anew nor new ones. The quorum is the anchor's when there is one, and
//! the tenant log's otherwise.

mod parse;

use crate::{
    Note, Policy,
    checkpoint::Checkpoint,
    policy::{Accepted, RefusedNote},
};

pub use parse::{TrustError, TrustReason};

/// What a verifier trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFile {
    policy: Policy,
    origin: String,
    slot: u64,
    anchor: Option<String>,
    keys: Vec<KeyEpoch>,
    age_s_max: Option<u64>,
}

/// From which size on a log's key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeyEpoch {
    /// Position in the policy's logs.
    log: usize,
    epoch: u32,
    first_size: u64,
}

impl TrustFile {
    /// Parses a trust file.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        parse::parse(bytes)
    }

    /// Returns the policy that the file is as well.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the origin of the tenant's log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the tenant's place in every epoch tree.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// Returns the origin of the anchor log, when the file demands one.
    pub fn anchor(&self) -> Option<&str> {
        self.anchor.as_deref()
    }

    /// Returns how old the newest anchored epoch may be, in seconds.
    pub fn age_s_max(&self) -> Option<u64> {
        self.age_s_max
    }

    /// Accepts a checkpoint of the tenant's log; without an anchor, the quorum must have cosigned it.
    pub fn check_tenant(&self, note: &Note) -> Result<Accepted, RefusedNote> {
        let accepted = self.check(note, &self.origin)?;
        self.check_quorum(accepted, self.anchor.is_none())
    }

    /// Accepts a checkpoint of the anchor log that the quorum cosigned.
    pub fn check_anchor(&self, note: &Note) -> Result<Accepted, RefusedNote> {
        let Some(anchor) = &self.anchor else { return Err(RefusedNote::NoAnchor) };
        let accepted = self.check(note, anchor)?;
        self.check_quorum(accepted, true)
    }

    fn check_quorum(&self, accepted: Accepted, needed: bool) -> Result<Accepted, RefusedNote> {
        let missing = needed && !self.policy.is_quorum(&accepted.cosignatures);
        if missing { Err(RefusedNote::Quorum) } else { Ok(accepted) }
    }

    fn check(&self, note: &Note, origin: &str) -> Result<Accepted, RefusedNote> {
        let checkpoint =
            Checkpoint::parse(note.text()).map_err(|source| RefusedNote::Checkpoint { source })?;
        if checkpoint.origin != origin {
            return Err(RefusedNote::OtherLog { origin: checkpoint.origin });
        }
        let valid = self.valid_key(origin, checkpoint.size);
        let valid = valid.ok_or(RefusedNote::KeyEpoch { size: checkpoint.size })?;
        self.policy.check_signatures(note, |log| log == valid)
    }

    /// Returns the position of the one key that may sign a log's checkpoint of this size.
    fn valid_key(&self, origin: &str, size: u64) -> Option<usize> {
        let logs = self.policy.logs();
        let named = |log: &usize| logs[*log].key.name() == origin;
        let mut epochs = self.keys.iter().filter(|key| named(&key.log)).peekable();
        if epochs.peek().is_none() {
            return (0..logs.len()).find(named);
        }
        let begun = epochs.filter(|key| key.first_size <= size);
        begun.max_by_key(|key| key.first_size).map(|key| key.log)
    }
}

#[cfg(test)]
mod tests;

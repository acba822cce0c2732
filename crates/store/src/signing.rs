//! Heads that may be signed: each stands in a numbered batch, and the batch stands in a register apart from the catalog
//! before anybody sees one of its heads.
//!
//! A log whose data went back in time (a restored backup, a copied disk) would grow into another tree, and two signed
//! heads of it would contradict each other for ever. So heads are *fixed* before they are signed: batch `k` is committed
//! locally, then the register's value is swapped from `k - 1` to `k`, and only then are the heads shown. Whoever finds
//! the register ahead of the local batches holds old data and signs nothing.
//!
//! What is fixed is (slot, size, root). Ed25519 is deterministic, so the signature follows from the head and the key and
//! need not be stored; nothing here knows keys.
//!
//! [`Signing`] is the whole rule, over any [`LocalHeads`] and [`Register`]; a simulation crashes it between any two steps.

pub mod register;
#[cfg(all(test, feature = "mutants"))]
mod simulation;

use attestary_ledger::Hash;
use sha2::{Digest as _, Sha256};

use crate::planted::{Bug, planted};
use register::{Register, RegisterError, Value};

/// Domain of batch hashes.
const DOMAIN: &[u8] = b"attestary/heads/v1\n";

/// The head of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The log.
    pub slot: u64,
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

/// The last batch: its number and what it and all before it hash to. The default stands before the first batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Counts from 1.
    pub batch: u64,
    /// `SHA-256("attestary/heads/v1\n" ‖ previous ‖ u32 partition ‖ u64 batch ‖ (u64 slot ‖ u64 size ‖ root)…)`,
    /// integers big-endian.
    pub hash: Hash,
}

/// What is committed locally: the last batch and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// The last batch.
    pub mark: Mark,
    /// Hash of the batch before it.
    pub previous: Hash,
}

impl Mark {
    /// Returns what follows when `heads` are the next batch.
    pub fn next(&self, partition: u32, heads: &[Head]) -> Committed {
        let batch = self.batch + 1;
        let mut hasher = Sha256::new();
        hasher.update(DOMAIN);
        hasher.update(self.hash);
        hasher.update(partition.to_be_bytes());
        hasher.update(batch.to_be_bytes());
        for head in heads {
            hasher.update(head.slot.to_be_bytes());
            hasher.update(head.size.to_be_bytes());
            hasher.update(head.root);
        }
        Committed { mark: Self { batch, hash: hasher.finalize().into() }, previous: self.hash }
    }
}

/// Where batches are committed: beside the data, and lost or restored with it.
pub trait LocalHeads {
    /// Why it failed. A failed commit may have happened or not.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Returns the last committed batch.
    fn committed(&self) -> Result<Committed, Self::Error>;

    /// Replaces the heads of the logs in `heads` and the mark, all or nothing, durably.
    fn commit(&self, committed: &Committed, heads: &[Head]) -> Result<(), Self::Error>;
}

/// Why no head is signed any more until a person has looked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The register knows batches that are not here: the data is older than what was signed.
    #[error(
        "the head register is at batch {register}, the data directory at {local}: the data was restored from a backup, and \
         signing it would fork its logs"
    )]
    Ahead {
        /// Batch in the register.
        register: u64,
        /// Last local batch.
        local: u64,
    },
    /// The same number, another batch.
    #[error(
        "the head register holds another batch {batch} than the data directory: two histories were signed"
    )]
    Other {
        /// The number.
        batch: u64,
    },
    /// The register lost batches, or was never there.
    #[error(
        "the head register is at batch {register}, the data directory at {local}: the register was lost or restored from a \
         backup"
    )]
    Behind {
        /// Batch in the register.
        register: u64,
        /// Last local batch.
        local: u64,
    },
    /// Somebody with a newer owner epoch wrote the register.
    #[error("the head register was written under owner epoch {register}; this process has {own}")]
    Owner {
        /// Epoch in the register.
        register: u64,
        /// Epoch of this process.
        own: u64,
    },
    /// A log is shorter than its signed head.
    #[error(
        "the log in slot {slot} has {size} events, but a head of {signed} was signed: events are missing"
    )]
    Shorter {
        /// The log.
        slot: u64,
        /// Events that are there.
        size: u64,
        /// Events under the signed head.
        signed: u64,
    },
    /// A log's events are not those that were signed.
    #[error("the first {size} events in slot {slot} are not those whose head was signed")]
    Root {
        /// The log.
        slot: u64,
        /// Events under the signed head.
        size: u64,
    },
    /// Journal batches are damaged, so nobody knows what is complete.
    #[error("whole journal batches are damaged")]
    Damaged,
}

/// Why heads were not fixed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError<E: std::error::Error + 'static> {
    /// Nothing is signed until a person has looked.
    #[error("heads are not signed: {0}")]
    Refused(Refusal),
    /// The local commit failed; trying again is safe.
    #[error("cannot commit a signing batch")]
    Local(#[source] E),
    /// The register cannot be reached; trying again is safe.
    #[error("cannot use the head register")]
    Register(#[source] RegisterError),
}

/// The rule that fixes heads.
#[derive(Debug)]
pub struct Signing<L, R> {
    local: L,
    register: R,
    partition: u32,
    owner_epoch: u64,
    /// Local and register stand here; `None` when that is to be found out.
    level: Option<Mark>,
    /// Heads of the batch whose commit or swap has not been confirmed, and its mark.
    open: Option<(Mark, Vec<Head>)>,
    refusal: Option<Refusal>,
}

impl<L: LocalHeads, R: Register> Signing<L, R> {
    /// Returns the rule for one partition; [`Self::settle`] comes first.
    pub fn new(local: L, register: R, partition: u32, owner_epoch: u64) -> Self {
        let (level, open, refusal) = (None, None, None);
        Self { local, register, partition, owner_epoch, level, open, refusal }
    }

    /// Returns the local half.
    pub fn local(&self) -> &L {
        &self.local
    }

    /// Stops signing for good.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    /// Returns why nothing is signed any more.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Compares local batches with the register, and finishes a swap that was interrupted.
    ///
    /// Returns the heads that this confirms, beside those that are committed locally when a process starts.
    pub fn settle(&mut self) -> Result<Vec<Head>, SigningError<L::Error>> {
        if let Some(refusal) = &self.refusal {
            return Err(SigningError::Refused(refusal.clone()));
        }
        if self.level.is_some() {
            return Ok(Vec::new());
        }
        let committed = self.local.committed().map_err(SigningError::Local)?;
        let value = self.register.read().map_err(SigningError::Register)?;
        if value.owner_epoch > self.owner_epoch {
            let refusal = Refusal::Owner { register: value.owner_epoch, own: self.owner_epoch };
            return Err(self.refused(refusal));
        }
        match standing(&committed, &value.mark) {
            Standing::Level => {}
            Standing::Unfinished => self.swap(&value.mark, committed.mark)?,
            Standing::Refused(_) if planted(Bug::IgnoreRegister) => {
                self.register
                    .replace(self.value(committed.mark))
                    .map_err(SigningError::Register)?;
            }
            Standing::Refused(refusal) => return Err(self.refused(refusal)),
        }
        self.level = Some(committed.mark);
        let open = self.open.take().filter(|(mark, _)| *mark == committed.mark);
        Ok(open.map_or_else(Vec::new, |(_, heads)| heads))
    }

    /// Fixes `heads` as one batch; they may be shown when this returns `Ok`. Returns them, after others whose batch an
    /// earlier failure had left open.
    ///
    /// Each head must be larger than the one before it of the same log, and durable.
    pub fn fix(&mut self, heads: Vec<Head>) -> Result<Vec<Head>, SigningError<L::Error>> {
        let mut fixed = self.settle()?;
        let Some(level) = self.level.filter(|_| !heads.is_empty()) else { return Ok(fixed) };
        let next = level.next(self.partition, &heads);
        // Whatever fails from here on, the next settling finds out how far it came.
        self.level = None;
        self.open = Some((next.mark, heads));
        let heads = self.open.as_ref().map_or(&[][..], |(_, heads)| heads);
        if planted(Bug::SwapBeforeCommit) {
            self.swap(&level, next.mark)?;
        }
        self.local.commit(&next, heads).map_err(SigningError::Local)?;
        if planted(Bug::ShowBeforeSwap) {
            let shown = heads.to_vec();
            let _ = self.swap(&level, next.mark);
            return Ok(shown);
        }
        if !planted(Bug::SwapBeforeCommit) {
            self.swap(&level, next.mark)?;
        }
        self.level = Some(next.mark);
        fixed.extend(self.open.take().into_iter().flat_map(|(_, heads)| heads));
        Ok(fixed)
    }

    fn swap(&self, from: &Mark, to: Mark) -> Result<(), SigningError<L::Error>> {
        match self.register.swap(from, self.value(to)) {
            Ok(()) => Ok(()),
            // Somebody else wrote it: settling finds out who.
            Err(error) => Err(SigningError::Register(error)),
        }
    }

    fn value(&self, mark: Mark) -> Value {
        Value { mark, owner_epoch: self.owner_epoch }
    }

    fn refused(&mut self, refusal: Refusal) -> SigningError<L::Error> {
        self.refusal = Some(refusal.clone());
        SigningError::Refused(refusal)
    }
}

/// What a person who lets old data go on must have done about a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Nothing: data and register agree, or the next settling makes them.
    Nothing,
    /// The data holds the register's batch; only the owner that wrote it is newer.
    Owner,
    /// Two histories would come of going on: new logs must begin.
    Renew(Refusal),
}

/// Says what it takes before heads may be fixed again.
pub(crate) fn repair(committed: &Committed, register: &Value, owner_epoch: u64) -> Repair {
    match standing(committed, &register.mark) {
        Standing::Refused(refusal) => Repair::Renew(refusal),
        _ if register.owner_epoch > owner_epoch => Repair::Owner,
        Standing::Level | Standing::Unfinished => Repair::Nothing,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Level,
    /// The last local batch was not swapped into the register.
    Unfinished,
    Refused(Refusal),
}

fn standing(committed: &Committed, register: &Mark) -> Standing {
    let (local, batch) = (committed.mark, register.batch);
    if local == *register {
        Standing::Level
    } else if local.batch == batch + 1 && committed.previous == register.hash {
        Standing::Unfinished
    } else if batch > local.batch {
        Standing::Refused(Refusal::Ahead { register: batch, local: local.batch })
    } else if batch == local.batch {
        Standing::Refused(Refusal::Other { batch })
    } else {
        Standing::Refused(Refusal::Behind { register: batch, local: local.batch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standings_are_told_apart() {
        let mark = |batch, byte| Mark { batch, hash: [byte; 32] };
        let committed = Committed { mark: mark(5, 5), previous: [4; 32] };
        let check = |register: Mark, expected: Standing| {
            assert_eq!(standing(&committed, &register), expected, "{register:?}");
        };
        check(mark(5, 5), Standing::Level);
        check(mark(4, 4), Standing::Unfinished);
        let behind = |register| Standing::Refused(Refusal::Behind { register, local: 5 });
        check(mark(4, 9), behind(4));
        check(mark(3, 3), behind(3));
        check(Mark::default(), behind(0));
        check(mark(5, 9), Standing::Refused(Refusal::Other { batch: 5 }));
        check(mark(6, 6), Standing::Refused(Refusal::Ahead { register: 6, local: 5 }));
        let first = Committed { mark: mark(1, 1), previous: [0; 32] };
        assert_eq!(standing(&first, &Mark::default()), Standing::Unfinished);
        assert_eq!(standing(&Committed::default(), &Mark::default()), Standing::Level);
    }

    #[test]
    fn a_batch_commits_to_all_before_it() {
        let head = |size| Head { slot: 1, size, root: [size as u8; 32] };
        let one = Mark::default().next(0, &[head(1)]);
        let other = Mark::default().next(0, &[head(2)]);
        assert_ne!(one.mark.hash, other.mark.hash);
        assert_ne!(one.mark.next(0, &[head(3)]).mark, other.mark.next(0, &[head(3)]).mark);
        assert_ne!(Mark::default().next(1, &[head(1)]).mark, one.mark);
        assert_eq!(one.mark.next(0, &[]).previous, one.mark.hash);
    }
}

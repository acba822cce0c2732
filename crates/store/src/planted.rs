//! Planted bugs: wrong turns that the crash harness switches on to prove that it would notice.
//!
//! Without the `mutants` feature every check is a constant `false` and the wrong turns are not compiled in.

/// A wrong turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bug {
    /// Acknowledge without syncing the batch.
    AckBeforeSync,
    /// Sync again after a failed sync and believe the second answer.
    RetryFailedSync,
    /// Never sync the directory after creating a journal file.
    NoDirectorySync,
    /// Accept records without comparing checksums.
    NoChecksum,
    /// Treat the first bad batch as the end, whatever lies behind it.
    TruncateAtFirstBad,
    /// Start seqs again from the last seal instead of the replayed state.
    SeqReuse,
    /// Forget the ids of replayed events.
    ForgetIds,
    /// Serve replayed batches without syncing them first.
    NoRecoverySync,
    /// Trim the journal before the catalog committed the seal.
    TrimBeforeCommit,
    /// Commit the journal position of the seal one batch too far.
    PositionAhead,
    /// Sign whatever the head register says.
    IgnoreRegister,
    /// Move the head register before the batch is committed locally.
    SwapBeforeCommit,
    /// Show heads although the head register does not hold their batch.
    ShowBeforeSwap,
    /// Leave erased values in the body that is shown.
    KeepErased,
    /// Delete the objects of rewritten segments before the catalog committed their successors.
    DeleteBeforeCommit,
    /// Leave the objects of rewritten segments where they are.
    KeepOldObject,
    /// Take one event too many out of a segment.
    RemoveOneMore,
    /// Leave the journal's old bytes where they are.
    KeepJournal,
}

impl Bug {
    /// Every wrong turn of the journal.
    pub const ALL: [Self; 10] = [
        Self::AckBeforeSync,
        Self::RetryFailedSync,
        Self::NoDirectorySync,
        Self::NoChecksum,
        Self::TruncateAtFirstBad,
        Self::SeqReuse,
        Self::ForgetIds,
        Self::NoRecoverySync,
        Self::TrimBeforeCommit,
        Self::PositionAhead,
    ];

    /// Every wrong turn of signing.
    pub const SIGNING: [Self; 3] =
        [Self::IgnoreRegister, Self::SwapBeforeCommit, Self::ShowBeforeSwap];

    /// Every wrong turn of removing: what the tests of removals plant.
    pub const REMOVAL: [Self; 5] = [
        Self::KeepErased,
        Self::DeleteBeforeCommit,
        Self::KeepOldObject,
        Self::RemoveOneMore,
        Self::KeepJournal,
    ];
}

#[cfg(feature = "mutants")]
mod on {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Switches one bug on for this thread, or all off.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "mutants")]
pub use on::plant;
#[cfg(feature = "mutants")]
pub(crate) use on::planted;

#[cfg(not(feature = "mutants"))]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}

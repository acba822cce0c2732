//! Slots for new logs: partitions take them in blocks from one counter, so that no two give out the same.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Slots that a partition takes at once. Those that it does not use stay vacant after the next start, and each vacant
/// slot is a leaf of every later epoch's tree.
const BLOCK_SLOTS: u64 = 16;

/// Where partitions take blocks of slots.
#[derive(Debug)]
pub(crate) struct Allocator(AtomicU64);

impl Allocator {
    /// Returns a counter that begins with `next`, which lies above every slot that was ever given out.
    pub(crate) fn new(next: u64) -> Self {
        Self(AtomicU64::new(next))
    }

    fn block(&self) -> Range<u64> {
        let start = self.0.fetch_add(BLOCK_SLOTS, Ordering::Relaxed);
        start..start + BLOCK_SLOTS
    }
}

/// The slots that a partition may give out.
#[derive(Debug, Clone)]
pub(crate) enum Lease {
    /// All from this one on: there is no other partition.
    All(u64),
    /// Blocks of slots.
    Blocks {
        /// What is left of the last block.
        free: Range<u64>,
        /// Where the next one comes from.
        allocator: Arc<Allocator>,
    },
}

impl Default for Lease {
    fn default() -> Self {
        Self::All(0)
    }
}

impl Lease {
    /// Returns a lease of blocks.
    pub(crate) fn of(allocator: Arc<Allocator>) -> Self {
        Self::Blocks { free: 0..0, allocator }
    }

    /// Returns the next slot.
    pub(crate) fn take(&mut self) -> u64 {
        let (free, allocator) = match self {
            Self::All(next) => {
                *next += 1;
                return *next - 1;
            }
            Self::Blocks { free, allocator } => (free, allocator),
        };
        if free.is_empty() {
            *free = allocator.block();
        }
        free.start += 1;
        free.start - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_partition_is_dense_and_several_never_share_a_slot() {
        let mut all = Lease::All(7);
        assert_eq!([all.take(), all.take(), all.take()], [7, 8, 9]);
        let allocator = Arc::new(Allocator::new(5));
        let mut leases = [(); 3].map(|()| Lease::of(Arc::clone(&allocator)));
        let mut slots: Vec<u64> =
            (0..300).map(|turn: usize| leases[turn * turn % 3].take()).collect();
        assert!(slots.iter().all(|slot| *slot >= 5));
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), 300);
    }
}

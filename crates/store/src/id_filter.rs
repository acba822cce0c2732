//! Which ids may be in a segment: most submissions bring new ids, and this says so without reading anything.
//!
//! A chain of Bloom filters over the ids of all logs together. What it does not hold was never sealed; what it holds is
//! looked up in the segments. It lives in memory only: after a start the ids of the segments are read in the background,
//! and until that is done every id is looked up.
//!
//! Memory is bounded by the number of ids (2 bytes each). Beyond it the oldest filter goes, and repeats of its ids are
//! no longer recognised.

use std::{
    hash::BuildHasher as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use attestary_event::EventId;
use fastbloom::AtomicBloomFilter;
use hashbrown::DefaultHashBuilder;
use parking_lot::RwLock;

/// Bits of memory for one id: one new id in 2,000 is looked up in vain.
const BITS_PER_ID: usize = 16;
/// Room of the first filter. Each next one doubles the room of all, up to [`PART_IDS_MAX`].
const PART_IDS_MIN: usize = 256 * 1024;
const PART_IDS_MAX: usize = 16 * 1024 * 1024;

/// The filter. Checking and adding take no exclusive lock.
#[derive(Debug)]
pub(crate) struct IdFilter {
    hasher: DefaultHashBuilder,
    ids_max: usize,
    parts: RwLock<Vec<Arc<Part>>>,
    complete: AtomicBool,
}

#[derive(Debug)]
struct Part {
    filter: AtomicBloomFilter<DefaultHashBuilder>,
    room: usize,
    held: AtomicUsize,
}

impl Part {
    fn new(room: usize, hasher: &DefaultHashBuilder) -> Arc<Self> {
        let filter = AtomicBloomFilter::with_num_bits(room * BITS_PER_ID).hasher(hasher.clone());
        Arc::new(Self { filter: filter.expected_items(room), room, held: AtomicUsize::new(0) })
    }
}

impl IdFilter {
    /// Returns a filter for at most about `ids_max` ids. The first part has room for `known` ids, which come through
    /// [`Self::restore`]; without any the filter is complete from the start.
    pub(crate) fn new(ids_max: usize, known: usize) -> Self {
        let hasher = DefaultHashBuilder::default();
        let parts = if known > 0 { vec![Part::new(known.min(ids_max), &hasher)] } else { vec![] };
        Self { hasher, ids_max, parts: RwLock::new(parts), complete: AtomicBool::new(known == 0) }
    }

    /// Adds ids that were sealed before the start. Returns false when there is no room for more of them.
    pub(crate) fn restore(&self, ids: impl Iterator<Item = EventId>) -> bool {
        let Some(part) = self.parts.read().first().cloned() else { return false };
        let mut count = 0;
        for id in ids {
            part.filter.insert_hash(self.hasher.hash_one(id));
            count += 1;
        }
        part.held.fetch_add(count, Ordering::Relaxed) + count < part.room
    }

    /// Notes that every id sealed before the start is there, or that there is no room for more.
    pub(crate) fn set_complete(&self) {
        self.complete.store(true, Ordering::Release);
    }

    /// Adds ids that are about to be sealed: call it before the segment becomes visible.
    pub(crate) fn add(&self, ids: impl ExactSizeIterator<Item = EventId>) {
        let part = self.part_for(ids.len());
        part.held.fetch_add(ids.len(), Ordering::Relaxed);
        for id in ids {
            part.filter.insert_hash(self.hasher.hash_one(id));
        }
    }

    /// Returns true when the id may be in a segment, false when it surely is not.
    pub(crate) fn may_hold(&self, id: EventId) -> bool {
        if !self.complete.load(Ordering::Acquire) {
            return true;
        }
        let hash = self.hasher.hash_one(id);
        self.parts.read().iter().any(|part| part.filter.contains_hash(hash))
    }

    /// Returns the number of ids that are recognised.
    pub(crate) fn ids(&self) -> usize {
        self.parts.read().iter().map(|part| part.held.load(Ordering::Relaxed)).sum()
    }

    /// Returns the newest part when `count` more ids fit, else a new one.
    fn part_for(&self, count: usize) -> Arc<Part> {
        let mut parts = self.parts.write();
        // The first part may still be filling up with what was sealed before the start.
        let complete = self.complete.load(Ordering::Acquire);
        if let Some(last) = parts.last()
            && (complete || parts.len() > 1)
            && last.held.load(Ordering::Relaxed) + count <= last.room
        {
            return Arc::clone(last);
        }
        let total: usize = parts.iter().map(|part| part.room).sum();
        let part = Part::new(total.clamp(PART_IDS_MIN, PART_IDS_MAX).max(count), &self.hasher);
        parts.push(Arc::clone(&part));
        drop_oldest(&mut parts, self.ids_max);
        part
    }
}

/// Drops the oldest parts while the others have room for `ids_max` ids; the newest stays.
fn drop_oldest(parts: &mut Vec<Arc<Part>>, ids_max: usize) {
    let mut room: usize = parts.iter().map(|part| part.room).sum();
    while parts.len() > 1 && room > ids_max {
        let oldest = parts.remove(0);
        room -= oldest.room;
        tracing::warn!(
            ids = oldest.held.load(Ordering::Relaxed),
            "the oldest ids are no longer recognised when they come again: raise dedupe_ids_max to keep more"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<u64>) -> impl ExactSizeIterator<Item = EventId> {
        let ids: Vec<_> =
            range.map(|n| EventId((u128::from(n) << 64 | u128::from(n)).to_be_bytes())).collect();
        ids.into_iter()
    }

    fn held(filter: &IdFilter, range: std::ops::Range<u64>) -> usize {
        ids(range).filter(|id| filter.may_hold(*id)).count()
    }

    #[test]
    fn what_was_added_is_held_and_little_else() {
        let filter = IdFilter::new(10_000_000, 0);
        for seal in 0..12 {
            filter.add(ids(seal * 50_000..(seal + 1) * 50_000));
        }
        assert_eq!(held(&filter, 0..600_000), 600_000);
        assert_eq!(filter.ids(), 600_000);
        // Three parts, each wrong about once in 2,000.
        let wrong = held(&filter, 1_000_000..1_100_000);
        assert!(wrong < 500, "{wrong} of 100,000 are held by mistake");
    }

    #[test]
    fn until_the_past_is_known_everything_may_be_there() {
        let filter = IdFilter::new(10_000_000, 1_000);
        assert!(filter.may_hold(EventId([9; 16])));
        filter.add(ids(0..10));
        assert!(filter.restore(ids(5_000..5_500)));
        assert!(!filter.restore(ids(5_500..6_000)), "the part is full");
        filter.set_complete();
        assert!(!filter.may_hold(EventId([9; 16])));
        assert_eq!((held(&filter, 0..10), held(&filter, 5_000..6_000)), (10, 1_000));
    }

    #[test]
    fn the_oldest_go_first_and_memory_stays_bounded() {
        let filter = IdFilter::new(2 * PART_IDS_MIN, 0);
        let step = PART_IDS_MIN as u64;
        for seal in 0..4 {
            filter.add(ids(seal * step..(seal + 1) * step));
        }
        let newest = 3 * step..4 * step;
        assert_eq!(held(&filter, newest.clone()), PART_IDS_MIN);
        assert!(held(&filter, 0..step) < PART_IDS_MIN / 100);
        let room: usize = filter.parts.read().iter().map(|part| part.room).sum();
        assert!(room <= 2 * PART_IDS_MIN, "{room}");
    }
}

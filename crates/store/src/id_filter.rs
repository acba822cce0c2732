//! Which ids may be in a segment: most submissions bring new ids, and this says so without reading anything.
//!
//! A chain of Bloom filters over the ids of all logs together. What it does not hold was never sealed; what it holds is
//! looked up in the segments. It lives in memory only: after a start the ids of the segments are read in the background
//! from their runs ([`crate::segment::id_runs`]), and until that is done every id is looked up.
//!
//! Memory is bounded by the number of ids (3 bytes each). Beyond it the oldest filter goes, and repeats of its ids are
//! no longer recognised: the window of time in which they are shrinks, which is warned of and measured.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use attestary_event::EventId;
use fastbloom::AtomicBloomFilter;
use hashbrown::DefaultHashBuilder;
use parking_lot::RwLock;

use crate::segment::id_runs::IdHasher;

/// Bits of memory for one id: a part takes one new id in 100,000 for one of its own. Each of those is looked up in every
/// segment of its log, so with hundreds of segments two bytes (one in 2,000) cost a third of all processor time.
const BITS_PER_ID: usize = 24;
/// Room of the first filter. Each next one doubles the room of all, up to [`PART_IDS_MAX`]. Few parts are few cache
/// misses for an id and few mistakes; memory is used as it fills.
const PART_IDS_MIN: usize = 2 * 1024 * 1024;
const PART_IDS_MAX: usize = 16 * 1024 * 1024;
/// Ids are to be recognised for 72 hours at least.
const WINDOW_MIN_MS: u64 = 72 * 3_600_000;

/// The filter. Checking and adding take no exclusive lock.
#[derive(Debug)]
pub(crate) struct IdFilter {
    hasher: IdHasher,
    ids_max: usize,
    parts: RwLock<Vec<Arc<Part>>>,
    complete: AtomicBool,
    /// Older ids than those here were given up.
    shrunk: AtomicBool,
}

#[derive(Debug)]
struct Part {
    filter: AtomicBloomFilter<DefaultHashBuilder>,
    room: usize,
    held: AtomicUsize,
    /// When the oldest of its ids were sealed, in milliseconds since the epoch.
    since_ms: AtomicU64,
}

impl Part {
    fn new(room: usize) -> Arc<Self> {
        // Ids come hashed, so the filter's own hasher does nothing.
        let filter = AtomicBloomFilter::with_num_bits(room * BITS_PER_ID);
        let filter = filter.hasher(DefaultHashBuilder::default()).expected_items(room);
        let (held, since_ms) = (AtomicUsize::new(0), AtomicU64::new(u64::MAX));
        Arc::new(Self { filter, room, held, since_ms })
    }

    fn add(&self, hashes: impl Iterator<Item = u64>, sealed_ms: u64) {
        let mut count = 0;
        for hash in hashes {
            self.filter.insert_hash(hash);
            count += 1;
        }
        self.since_ms.fetch_min(sealed_ms, Ordering::Relaxed);
        self.held.fetch_add(count, Ordering::Relaxed);
    }
}

impl IdFilter {
    /// Returns a filter for at most about `ids_max` ids. The first part has room for `known` ids, which come through
    /// [`Self::restore`]; without any the filter is complete from the start.
    pub(crate) fn new(ids_max: usize, known: usize, hasher: IdHasher) -> Self {
        let parts = if known > 0 { vec![Part::new(known.min(ids_max))] } else { vec![] };
        let (complete, shrunk) = (AtomicBool::new(known == 0), AtomicBool::new(false));
        Self { hasher, ids_max, parts: RwLock::new(parts), complete, shrunk }
    }

    /// Returns how many ids are kept, about.
    pub(crate) fn ids_max(&self) -> usize {
        self.ids_max
    }

    /// Adds hashes of ids that were sealed before the start, at `sealed_ms`.
    pub(crate) fn restore(&self, hashes: &[u64], sealed_ms: u64) {
        if let Some(part) = self.parts.read().first() {
            part.add(hashes.iter().copied(), sealed_ms);
        }
    }

    /// Notes that every id sealed before the start is there, or, with `all` false, the newest ones.
    pub(crate) fn set_complete(&self, all: bool) {
        self.shrunk.fetch_or(!all, Ordering::Relaxed);
        self.complete.store(true, Ordering::Release);
    }

    /// Adds ids that are about to be sealed, at `now_ms`: call it before the segment becomes visible.
    pub(crate) fn add(&self, ids: &[EventId], now_ms: u64) {
        let part = self.part_for(ids.len(), now_ms);
        part.add(ids.iter().map(|id| self.hasher.hash(*id)), now_ms);
    }

    /// Returns since when repeats are recognised, in milliseconds since the epoch; `None` when none was given up.
    pub(crate) fn window_from_ms(&self) -> Option<u64> {
        let oldest = || self.parts.read().first().map(|part| part.since_ms.load(Ordering::Relaxed));
        self.shrunk.load(Ordering::Relaxed).then(oldest).flatten()
    }

    /// Returns true when the id may be in a segment, false when it surely is not.
    pub(crate) fn may_hold(&self, id: EventId) -> bool {
        if !self.complete.load(Ordering::Acquire) {
            return true;
        }
        let hash = self.hasher.hash(id);
        self.parts.read().iter().any(|part| part.filter.contains_hash(hash))
    }

    /// Returns the number of ids that are recognised.
    pub(crate) fn ids(&self) -> usize {
        self.parts.read().iter().map(|part| part.held.load(Ordering::Relaxed)).sum()
    }

    /// Returns the newest part when `count` more ids fit, else a new one.
    fn part_for(&self, count: usize, now_ms: u64) -> Arc<Part> {
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
        let part = Part::new(total.clamp(PART_IDS_MIN, PART_IDS_MAX).max(count));
        parts.push(Arc::clone(&part));
        self.drop_oldest(&mut parts, now_ms);
        part
    }

    /// Drops the oldest parts while the others have room for `ids_max` ids; the newest stays.
    fn drop_oldest(&self, parts: &mut Vec<Arc<Part>>, now_ms: u64) {
        let mut room: usize = parts.iter().map(|part| part.room).sum();
        while parts.len() > 1 && room > self.ids_max {
            let oldest = parts.remove(0);
            room -= oldest.room;
            self.shrunk.store(true, Ordering::Relaxed);
            let ids = oldest.held.load(Ordering::Relaxed);
            let window_ms = now_ms.saturating_sub(parts[0].since_ms.load(Ordering::Relaxed));
            let window_hours = window_ms / 3_600_000;
            if window_ms < WINDOW_MIN_MS {
                tracing::error!(
                    ids,
                    window_hours,
                    "ids that come again are recognised for less than 72 hours: raise store.dedupe_ids_max"
                );
            } else {
                tracing::warn!(ids, window_hours, "the oldest ids are no longer recognised");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<u64>) -> Vec<EventId> {
        range.map(|n| EventId((u128::from(n) << 64 | u128::from(n)).to_be_bytes())).collect()
    }

    fn filter(ids_max: usize, known: usize) -> IdFilter {
        IdFilter::new(ids_max, known, IdHasher::new(&[7; 16]))
    }

    fn hashes(filter: &IdFilter, range: std::ops::Range<u64>) -> Vec<u64> {
        ids(range).into_iter().map(|id| filter.hasher.hash(id)).collect()
    }

    fn held(filter: &IdFilter, range: std::ops::Range<u64>) -> usize {
        ids(range).into_iter().filter(|id| filter.may_hold(*id)).count()
    }

    #[test]
    fn what_was_added_is_held_and_little_else() {
        let filter = filter(10_000_000, 0);
        for seal in 0..12 {
            filter.add(&ids(seal * 200_000..(seal + 1) * 200_000), seal);
        }
        assert_eq!(filter.window_from_ms(), None);
        assert_eq!(held(&filter, 0..2_400_000), 2_400_000);
        assert_eq!(filter.ids(), 2_400_000);
        // Two parts, each wrong about once in 100,000.
        let wrong = held(&filter, 3_000_000..3_100_000);
        assert!(wrong < 20, "{wrong} of 100,000 are held by mistake");
    }

    #[test]
    fn until_the_past_is_known_everything_may_be_there() {
        let filter = filter(10_000_000, 1_000);
        assert!(filter.may_hold(EventId([9; 16])));
        filter.add(&ids(0..10), 90);
        filter.restore(&hashes(&filter, 5_000..5_500), 80);
        filter.restore(&hashes(&filter, 5_500..6_000), 70);
        filter.set_complete(false);
        assert_eq!(filter.window_from_ms(), Some(70));
        assert!(!filter.may_hold(EventId([9; 16])));
        assert_eq!((held(&filter, 0..10), held(&filter, 5_000..6_000)), (10, 1_000));
    }

    #[test]
    fn the_oldest_go_first_and_memory_stays_bounded() {
        let filter = filter(2 * PART_IDS_MIN, 0);
        let step = PART_IDS_MIN as u64;
        for seal in 0..4 {
            filter.add(&ids(seal * step..(seal + 1) * step), 100 + seal);
        }
        let newest = 3 * step..4 * step;
        assert_eq!(held(&filter, newest.clone()), PART_IDS_MIN);
        assert!(held(&filter, 0..step) < PART_IDS_MIN / 100);
        let room: usize = filter.parts.read().iter().map(|part| part.room).sum();
        assert!(room <= 2 * PART_IDS_MIN, "{room}");
        assert_eq!(filter.window_from_ms(), Some(102), "the window begins with what is left");
    }
}

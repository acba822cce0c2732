//! What a run went through, and the seeded randomness that made it so.

use std::{iter::Sum, ops::AddAssign};

/// Seeded randomness (SplitMix64).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What a run went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) accepted: u64,
    pub(super) repeated: u64,
    pub(super) quarantined: u64,
    pub(super) lost_answers: u64,
    pub(super) crashes: u64,
    pub(super) crashes_in_doubt: u64,
    pub(super) failed_saves: u64,
    pub(super) refusals: u64,
    pub(super) splits: u64,
    pub(super) throttles: u64,
    pub(super) hangs: u64,
    pub(super) gaps: u64,
    pub(super) found: u64,
    pub(super) together: u64,
}

impl Counts {
    fn all(&self) -> [u64; 15] {
        let Self { events, accepted, repeated, quarantined, lost_answers, crashes, .. } = *self;
        let Self { crashes_in_doubt, failed_saves, refusals, splits, throttles, hangs, .. } = *self;
        let Self { gaps, found, together, .. } = *self;
        [
            events,
            accepted,
            repeated,
            quarantined,
            lost_answers,
            crashes,
            crashes_in_doubt,
            failed_saves,
            refusals,
            splits,
            throttles,
            hangs,
            gaps,
            found,
            together,
        ]
    }

    /// Returns true when every situation occurred at least a hundred times.
    pub(super) fn is_plenty(&self) -> bool {
        self.all().iter().all(|count| *count >= 100)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.accepted += other.accepted;
        self.repeated += other.repeated;
        self.quarantined += other.quarantined;
        self.lost_answers += other.lost_answers;
        self.crashes += other.crashes;
        self.crashes_in_doubt += other.crashes_in_doubt;
        self.failed_saves += other.failed_saves;
        self.refusals += other.refusals;
        self.splits += other.splits;
        self.throttles += other.throttles;
        self.hangs += other.hangs;
        self.gaps += other.gaps;
        self.found += other.found;
        self.together += other.together;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(days: I) -> Self {
        days.fold(Self::default(), |mut all, day| {
            all += day;
            all
        })
    }
}

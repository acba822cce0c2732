//! How many batches are under way at the same time: more while the receiver keeps its pace, fewer when it does not.
//!
//! Additive increase, multiplicative decrease, as TCP does it: one more after a full round of confirmations at the
//! present width, half after a failure, one fewer when answers take clearly longer than they did.

use std::time::Duration;

/// Share of the newest answer in the mean.
const NEWEST: f64 = 0.4;
/// Mean deviations above the mean from which an answer counts as slow.
const SLOW_DEVIATIONS: f64 = 2.5;
/// An answer within this is never slow: below it, it is our own machine that is measured.
const SLOW_MIN: f64 = 0.05;

/// The width of one destination.
#[derive(Debug)]
pub(super) struct Width {
    max: usize,
    now: usize,
    /// Confirmations at the present width.
    confirmed: usize,
    /// Mean time of an answer and mean deviation from it, in seconds.
    times: Option<(f64, f64)>,
}

impl Width {
    /// Returns the width of a destination of which nothing is known yet.
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), now: 1, confirmed: 0, times: None }
    }

    /// Returns how many batches may be under way.
    pub(super) fn now(&self) -> usize {
        self.now
    }

    /// A batch was confirmed after this time.
    pub(super) fn confirmed(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        let slow = self.times.is_some_and(|(mean, deviation)| {
            took > (mean + SLOW_DEVIATIONS * deviation).max(SLOW_MIN)
        });
        let (mean, deviation) = self.times.unwrap_or((took, took / 4.0));
        self.times = Some((
            mean + NEWEST * (took - mean),
            deviation + NEWEST * ((took - mean).abs() - deviation),
        ));
        if slow {
            self.set(self.now.saturating_sub(1));
            return;
        }
        self.confirmed += 1;
        if self.confirmed >= self.now {
            self.set(self.now + 1);
        }
    }

    /// A batch was not confirmed.
    pub(super) fn failed(&mut self) {
        self.set(self.now / 2);
    }

    fn set(&mut self, now: usize) {
        self.now = now.clamp(1, self.max);
        self.confirmed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirm(width: &mut Width, times: usize, took_ms: u64) {
        (0..times).for_each(|_| width.confirmed(Duration::from_millis(took_ms)));
    }

    #[test]
    fn it_grows_by_one_a_round_up_to_its_bound() {
        let mut width = Width::new(4);
        assert_eq!(width.now(), 1);
        confirm(&mut width, 1, 20);
        assert_eq!(width.now(), 2);
        confirm(&mut width, 1, 20);
        assert_eq!(width.now(), 2);
        confirm(&mut width, 1, 20);
        assert_eq!(width.now(), 3);
        confirm(&mut width, 30, 20);
        assert_eq!(width.now(), 4);
    }

    #[test]
    fn a_failure_halves_it_and_one_always_stays() {
        let mut width = Width::new(8);
        confirm(&mut width, 60, 20);
        width.failed();
        assert_eq!(width.now(), 4);
        (0..5).for_each(|_| width.failed());
        assert_eq!(width.now(), 1);
    }

    #[test]
    fn slower_answers_narrow_it() {
        let mut width = Width::new(8);
        confirm(&mut width, 60, 100);
        assert_eq!(width.now(), 8);
        confirm(&mut width, 1, 900);
        assert_eq!(width.now(), 7);
    }

    #[test]
    fn a_width_of_one_stays_one() {
        let mut width = Width::new(1);
        confirm(&mut width, 10, 20);
        assert_eq!(width.now(), 1);
    }
}

//! A steady rate of requests that does not wait for answers (an open loop).

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// Turns at a steady rate, taken by whichever connection is free. A turn is due at its time whether or not those before it
/// have been answered, and a request's time counts from then: a server that stalls does not hide it (no coordinated omission).
pub(crate) struct Pace {
    next: AtomicUsize,
    count: usize,
    rate: u32,
    started: Instant,
}

impl Pace {
    /// Begins `count` turns, `rate` a second.
    pub(crate) fn start(count: usize, rate: u32) -> Self {
        Self { next: AtomicUsize::new(0), count, rate: rate.max(1), started: Instant::now() }
    }

    /// Waits for the next turn; returns its number and when it was due, `None` after the last one.
    pub(crate) async fn turn(&self) -> Option<(usize, Instant)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if turn >= self.count {
            return None;
        }
        let due = self.started + Duration::from_secs(1) * turn as u32 / self.rate;
        tokio::time::sleep_until(due.into()).await;
        Some((turn, due))
    }

    /// Returns the time since the first turn.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

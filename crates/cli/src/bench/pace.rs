//! A steady rate of requests that does not wait for answers (an open loop).

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

/// Turns at a steady rate, taken by whichever connection is free. A turn is due at its time whether or not those before it
/// have been answered, and a request's time counts from then: a server that stalls does not hide it (no coordinated omission).
pub(crate) struct Pace {
    next: AtomicUsize,
    count: usize,
    rate: u32,
    started: Instant,
    /// Turns that are due and not taken.
    due: Arc<Semaphore>,
}

impl Pace {
    /// Begins `count` turns, `rate` a second.
    pub(crate) fn start(count: usize, rate: u32) -> Self {
        let (rate, started) = (rate.max(1), Instant::now());
        let due = Arc::new(Semaphore::new(0));
        let released = Arc::downgrade(&due);
        thread::spawn(move || release(&released, started, count, rate));
        Self { next: AtomicUsize::new(0), count, rate, started, due }
    }

    /// Waits for the next turn; returns its number and when it was due, `None` after the last one.
    pub(crate) async fn turn(&self) -> Option<(usize, Instant)> {
        self.due.acquire().await.expect("the semaphore is never closed").forget();
        // Numbered when it is due: nobody gets a turn ahead of its time.
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        (turn < self.count).then(|| (turn, due_at(self.started, turn, self.rate)))
    }

    /// Returns the time since the first turn.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Gives each turn free at its time, from a thread of its own: timers of the runtime have whole milliseconds and fire
/// late, which would count as the server's time. Ends with the last turn, or when the pace is dropped.
#[expect(clippy::disallowed_methods, reason = "no runtime is on this thread")]
fn release(turns: &Weak<Semaphore>, started: Instant, count: usize, rate: u32) {
    for turn in 0..count {
        thread::sleep(due_at(started, turn, rate).saturating_duration_since(Instant::now()));
        let Some(turns) = turns.upgrade() else { return };
        turns.add_permits(1);
    }
    // Whoever still waits learns that there are no more.
    if let Some(turns) = turns.upgrade() {
        turns.add_permits(Semaphore::MAX_PERMITS - count);
    }
}

fn due_at(started: Instant, turn: usize, rate: u32) -> Instant {
    started + Duration::from_secs(1) * turn as u32 / rate
}

//! Waiting until an object is worth writing.
//!
//! A destination that gathers does not send a batch that is not full before its first event has a certain age. The
//! batch is dropped meanwhile and read again: waiting costs a timer, not memory. A batch whose range is fixed already
//! is not held back, for its outcome is unknown.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Driver, Flow};
use crate::batch::Batch;

impl Driver {
    /// Returns how long the batch should wait, and the size of the log at which it would be full; `None` to send it.
    pub(super) fn gathers(&self, batch: &Batch) -> Option<(Duration, u64)> {
        let age_max = self.spec.destination.gathers()?;
        let at_end = self.empty_at.is_some();
        if !at_end || self.engine.state().pending.is_some() {
            return None;
        }
        let first = batch.records.first()?.received_at;
        let age_ms = self.parts.clock.now().0.saturating_sub(first.0).max(0).unsigned_abs();
        let wait =
            age_max.checked_sub(Duration::from_millis(age_ms)).filter(|wait| !wait.is_zero())?;
        let limits = self.engine.window();
        let events = batch.records.len();
        let event_bytes = (batch.bytes.len() / events).max(1);
        let room = limits.bytes_max.saturating_sub(batch.bytes.len()) / event_bytes;
        let more = limits.events_max.saturating_sub(events).min(room);
        (more > 0).then(|| (wait, batch.next_seq + more as u64))
    }

    /// Waits until the log has a certain size or the time is over; commands are obeyed.
    pub(super) async fn gather(&mut self, wait: Duration, size: u64) -> Flow {
        // What was confirmed before is saved now rather than with the next object.
        if self.dirty || !self.facts.is_empty() {
            self.persist().await?;
            if !self.deferred.is_empty() {
                return Flow::Continue(());
            }
        }
        self.publish();
        let until = Instant::now() + wait;
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => return self.obey_or_end(command).await,
                () = sleep_until(until) => return Flow::Continue(()),
                changed = self.size.changed() => {
                    if changed.is_err() {
                        // The log is closed: only a command can follow.
                        let command = self.commands.recv().await;
                        return self.obey_or_end(command).await;
                    }
                    if *self.size.borrow_and_update() >= size {
                        return Flow::Continue(());
                    }
                }
            }
        }
    }
}

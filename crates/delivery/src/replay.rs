//! Replay: a second, temporary cursor over a stretch of the log, beside the live one.
//!
//! A replay runs as a destination of its own: the same engine, driver and receiver, and events with the same ids. It
//! only sees a log that ends where the stretch ends. It shares nothing with the live cursor, which neither waits
//! for it nor moves because of it.

use std::sync::Arc;

use attestary_event::Event;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::ports::{Log, ReadError};

/// A log that ends before a certain seq.
pub struct Stretch {
    log: Arc<dyn Log>,
    next_seq: u64,
    size: watch::Sender<u64>,
}

impl std::fmt::Debug for Stretch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stretch").field("next_seq", &self.next_seq).finish_non_exhaustive()
    }
}

impl Stretch {
    /// Returns the part of a log before `next_seq`, which must not lie behind the log's end.
    pub fn new(log: Arc<dyn Log>, next_seq: u64) -> Self {
        let size = watch::Sender::new(next_seq.min(*log.watch().borrow()));
        Self { log, next_seq, size }
    }
}

impl Log for Stretch {
    fn read(
        &self,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<Event>, ReadError>> {
        Box::pin(async move {
            let left =
                usize::try_from(self.next_seq.saturating_sub(from_seq)).unwrap_or(usize::MAX);
            if left == 0 {
                return Ok(Vec::new());
            }
            let mut events = self.log.read(from_seq, events_max.min(left), bytes_max).await?;
            // Retention may have removed the beginning, so that the first event lies behind the end.
            events.retain(|event| event.seq < self.next_seq);
            Ok(events)
        })
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.size.subscribe()
    }
}

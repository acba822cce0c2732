//! What the engine's driver asks of its surroundings: a log to read, a memory to save to, a clock, randomness and,
//! for the operator's `stdout` destinations, an output.
//!
//! The service implements these. The driver itself opens sockets and the files of `file` destinations, nothing else.

use std::io;

use attestary_event::{Event, EventId, Timestamp};
use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    attempt::Attempt, checkpoint::Signed, health::Notice, id::DestinationId, state::State,
};

/// Why a log could not be read. The driver tries again with back-off; the destination shows the text.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the log: {0}")]
pub struct ReadError(pub String);

/// Why a state could not be saved. Nothing is sent until it is.
#[derive(Debug, thiserror::Error)]
#[error("cannot save the state of the destination: {0}")]
pub struct SaveError(pub String);

/// One tenant's log.
pub trait Log: Send + Sync + 'static {
    /// Reads events in ascending order, starting with the first retained one at or after `from_seq`.
    ///
    /// Returns at most `events_max` events and stops after the event that reaches `bytes_max` bytes of bodies, but
    /// returns at least one event if there is any. Empty means: the log ends here for now. A first event after
    /// `from_seq` means: what lay before it is gone by retention.
    fn read(
        &self,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<Event>, ReadError>>;

    /// Returns the signed checkpoint over the first `size` events: the same each time. `None` where there is none.
    fn checkpoint(&self, size: u64) -> BoxFuture<'_, Result<Option<Signed>, ReadError>> {
        let _ = size;
        Box::pin(async { Ok(None) })
    }

    /// Watches the number of events in the log (the seq that the next event will get).
    fn watch(&self) -> watch::Receiver<u64>;
}

/// One event that a destination refused for good, set aside so that the rest can go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Identity of the event, as text.
    pub event: String,
    /// Its position in the tenant's log.
    pub seq: u64,
    /// When it was set aside, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Why, in one sentence.
    pub reason: String,
    /// What the receiver answered, at most 1 KB.
    pub excerpt: String,
}

impl Quarantined {
    pub(crate) fn new(
        event: EventId,
        seq: u64,
        now: Timestamp,
        reason: String,
        excerpt: String,
    ) -> Self {
        Self { event: event.to_string(), seq, at_ms: now.0, reason, excerpt }
    }
}

/// Events that retention removed before the destination got them; the cursor passed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// First seq that is gone.
    pub first_seq: u64,
    /// Last seq that is gone.
    pub last_seq: u64,
}

/// What happened since the state was last saved. Saved together with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Attempts, oldest first; the memory keeps a ring of them.
    pub attempts: Vec<Attempt>,
    /// Events set aside.
    pub quarantined: Vec<Quarantined>,
    /// Stretches that retention removed before they were delivered.
    pub gaps: Vec<Gap>,
    /// What the tenant's administrators should be told.
    pub notices: Vec<Notice>,
}

impl Facts {
    /// Returns true when nothing happened.
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
            && self.quarantined.is_empty()
            && self.gaps.is_empty()
            && self.notices.is_empty()
    }
}

/// Where the states of destinations are kept.
pub trait Memory: Send + Sync + 'static {
    /// Saves the state and the facts in one transaction; durable when it returns.
    ///
    /// The driver sends nothing more to this destination until it succeeds. A repeated save after an error may
    /// carry the same facts again: attempts are identified by their id, quarantined events and gaps by their seq.
    fn save<'a>(
        &'a self,
        id: &'a DestinationId,
        state: &'a State,
        facts: &'a Facts,
    ) -> BoxFuture<'a, Result<(), SaveError>>;
}

/// The wall clock. Timers use the runtime's monotonic time instead.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current wall-clock time.
    fn now(&self) -> Timestamp;
}

/// A source of randomness: jitter and the random part of ids.
pub trait Rng: Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

pub(crate) fn random_u64(rng: &dyn Rng) -> u64 {
    let mut bytes = [0; 8];
    rng.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

pub(crate) fn random_10(rng: &dyn Rng) -> [u8; 10] {
    let mut bytes = [0; 10];
    rng.fill(&mut bytes);
    bytes
}

/// Where the operator's `stdout` destinations write; shared by all of them.
pub trait Output: Send + Sync + 'static {
    /// Writes whole lines and flushes them. Dropping the future must not leave half a line before the next ones.
    fn write_lines(&self, lines: Bytes) -> BoxFuture<'_, io::Result<()>>;
}

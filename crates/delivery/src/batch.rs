//! Cutting a batch from the log: which events, how many, how many bytes.
//!
//! A cut is a pure function of the events, the window and the encoder. It stops before the event that would pass a
//! limit, so that the same window over the same log always gives the same range. Events that the filter excludes
//! belong to the range and count as confirmed with it.

use std::ops::Range;

use attestary_event::{Event, EventId, Timestamp, Violation};
use serde::{Deserialize, Serialize};

/// Limits of a destination's batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchLimits {
    /// Events in one batch.
    pub events_max: usize,
    /// Bytes in one batch before compression. A single larger event still goes, alone.
    pub bytes_max: usize,
    /// The least time between a batch and the next one that is not full, in milliseconds. After a rest of that length
    /// a new event leaves at once.
    pub linger_ms: u64,
    /// Batches under way at the same time. One keeps the order; with more, how many there are follows how fast the
    /// receiver answers.
    pub in_flight_max: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { events_max: 500, bytes_max: 1_000_000, linger_ms: 5, in_flight_max: 1 }
    }
}

impl BatchLimits {
    /// The most events a batch may be configured to have.
    pub const EVENTS_CEILING: usize = 1_000;
    /// The most bytes a batch may be configured to have; times the destinations, this bounds delivery's memory.
    pub const BYTES_CEILING: usize = 5_000_000;
    /// The longest linger in milliseconds.
    pub const LINGER_CEILING_MS: u64 = 60_000;
    /// The most batches that may be under way at the same time; times their bytes, this bounds one destination's memory.
    pub const IN_FLIGHT_CEILING: usize = 16;

    /// Returns what is wrong with the limits.
    pub fn violations(&self) -> Vec<Violation> {
        let checks = [
            ("/batch/events_max", 1, self.events_max as u64, Self::EVENTS_CEILING as u64),
            ("/batch/bytes_max", 10_000, self.bytes_max as u64, Self::BYTES_CEILING as u64),
            ("/batch/linger_ms", 0, self.linger_ms, Self::LINGER_CEILING_MS),
            ("/batch/in_flight_max", 1, self.in_flight_max as u64, Self::IN_FLIGHT_CEILING as u64),
        ];
        let bad = checks.into_iter().filter(|(_, low, value, high)| value < low || value > high);
        bad.map(|(pointer, low, value, high)| {
            Violation::new(pointer, format!("must be between {low} and {high}; this is {value}"))
        })
        .collect()
    }
}

/// Which part of the log the next batch may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First seq.
    pub from_seq: u64,
    /// Last seq, when the range is fixed or narrowed.
    pub last_seq: Option<u64>,
    /// Events in the batch.
    pub events_max: usize,
    /// Bytes in the batch.
    pub bytes_max: usize,
}

impl Window {
    fn holds(&self, seq: u64) -> bool {
        self.last_seq.is_none_or(|last| seq <= last)
    }
}

/// One event of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position in the log.
    pub seq: u64,
    /// Identity.
    pub id: EventId,
    /// When the service received it.
    pub received_at: Timestamp,
    /// Hash of its entry.
    pub leaf_hash: [u8; 32],
    /// Where its bytes are in the batch.
    pub bytes: Range<usize>,
}

/// Events encoded for one attempt or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// First seq it speaks for.
    pub from_seq: u64,
    /// The seq after the last one it speaks for; the cursor when it is confirmed.
    pub next_seq: u64,
    /// Its events in log order.
    pub records: Vec<Record>,
    /// The encoded events, one after the other.
    pub bytes: Vec<u8>,
    /// What its events are.
    pub kind: Kind,
}

/// What the events of a batch are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// Events of the log.
    #[default]
    Events,
    /// The synthetic event of a test.
    Test,
    /// A checkpoint of the log; see [`crate::checkpoint`].
    Checkpoint,
}

impl Batch {
    /// Returns the seq of the first event.
    pub fn first_seq(&self) -> Option<u64> {
        self.records.first().map(|record| record.seq)
    }

    /// Returns the seq of the last event.
    pub fn last_seq(&self) -> Option<u64> {
        self.records.last().map(|record| record.seq)
    }

    /// Returns the seqs of the first and last event; `None` for what is no part of the log.
    pub fn range(&self) -> Option<(u64, u64)> {
        self.first_seq().zip(self.last_seq()).filter(|_| self.kind == Kind::Events)
    }

    /// Returns a batch of one event that is no part of the log.
    pub(crate) fn single(event: &Event, bytes: Vec<u8>, kind: Kind) -> Self {
        let record = Record {
            seq: event.seq,
            id: event.id,
            received_at: event.received_at,
            leaf_hash: event.leaf_hash,
            bytes: 0..bytes.len(),
        };
        Self { from_seq: 0, next_seq: 0, records: vec![record], bytes, kind }
    }

    /// Returns the encoded events.
    pub fn encoded(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.records.iter().map(|record| &self.bytes[record.bytes.clone()])
    }
}

/// What became of an offered event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It is in the batch, or excluded by the filter: offer the next one.
    Passed,
    /// The batch is complete without it.
    Complete,
}

/// A batch being cut.
#[derive(Debug)]
pub struct Cut {
    window: Window,
    batch: Batch,
}

impl Cut {
    /// Starts a batch at the beginning of the window.
    pub fn new(window: Window) -> Self {
        let (from_seq, next_seq) = (window.from_seq, window.from_seq);
        Self {
            window,
            batch: Batch {
                from_seq,
                next_seq,
                records: Vec::new(),
                bytes: Vec::new(),
                kind: Kind::Events,
            },
        }
    }

    /// Returns true when no further event can get in.
    pub fn is_complete(&self) -> bool {
        self.batch.records.len() >= self.window.events_max
            || !self.window.holds(self.batch.next_seq)
    }

    /// Returns the next seq to offer.
    pub fn next_seq(&self) -> u64 {
        self.batch.next_seq
    }

    /// Returns when the first event of the batch was received.
    pub fn first_received(&self) -> Option<Timestamp> {
        self.batch.records.first().map(|record| record.received_at)
    }

    /// Offers the next event. `encode` appends its record, or returns false when the filter excludes it.
    pub fn offer(
        &mut self,
        event: &Event,
        encode: impl FnOnce(&Event, &mut Vec<u8>) -> bool,
    ) -> Offered {
        if self.is_complete() || !self.window.holds(event.seq) {
            return Offered::Complete;
        }
        let start = self.batch.bytes.len();
        if encode(event, &mut self.batch.bytes) {
            let too_big = self.batch.bytes.len() > self.window.bytes_max;
            if too_big && !self.batch.records.is_empty() {
                self.batch.bytes.truncate(start);
                return Offered::Complete;
            }
            self.batch.records.push(Record {
                seq: event.seq,
                id: event.id,
                received_at: event.received_at,
                leaf_hash: event.leaf_hash,
                bytes: start..self.batch.bytes.len(),
            });
        }
        self.batch.next_seq = event.seq + 1;
        Offered::Passed
    }

    /// Returns the batch. It may hold no event when the filter excluded all that was offered.
    pub fn finish(self) -> Batch {
        self.batch
    }
}

#[cfg(test)]
mod tests;

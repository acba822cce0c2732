//! Reading the log and cutting the next batch from it.

use attestary_event::{Event, View};

use super::Driver;
use crate::{
    batch::{Batch, Cut, Offered, Window},
    ports::ReadError,
};

/// Events asked of the log at once. A batch of the largest kind is one read; a selective filter takes several.
const READ_EVENTS: usize = 1_024;
/// Bytes asked of the log at once.
const READ_BYTES: usize = 1_000_000;
/// Events looked at before what was found is sent and commands are obeyed.
const SCAN_EVENTS_MAX: u64 = 20_000;
/// Events encoded before other tasks get their turn: about 10 µs each.
const ENCODE_EVENTS_MAX: usize = 32;

/// What became of a chunk of events.
enum Chunk {
    /// All of it was looked at.
    Passed,
    /// The batch is complete.
    Complete,
    /// The log lacks what lies before this seq.
    Missing(u64),
}

impl Driver {
    /// Cuts the next batch. Without events it speaks for a stretch that the filter excludes, or for nothing.
    pub(super) async fn fill(&mut self) -> Result<Batch, ReadError> {
        // Set again when the end of the log is reached.
        self.empty_at = None;
        loop {
            let (batch, missing) = self.cut(self.engine.window()).await?;
            if batch.next_seq > batch.from_seq {
                return Ok(batch);
            }
            match missing {
                Some(first) => self.lose(first),
                None => {
                    self.oldest_ms = None;
                    return Ok(batch);
                }
            }
        }
    }

    /// Cuts a batch from a window. With the seq of the first event after a gap in the log, when the batch ends there.
    pub(super) async fn cut(&mut self, window: Window) -> Result<(Batch, Option<u64>), ReadError> {
        let mut cut = Cut::new(window);
        while !cut.is_complete() && cut.next_seq() - window.from_seq < SCAN_EVENTS_MAX {
            let events =
                self.parts.log.read(cut.next_seq(), read_events(&window), READ_BYTES).await?;
            if events.is_empty() {
                self.empty_at = Some(*self.size.borrow());
                break;
            }
            match self.offer(&mut cut, &events).await {
                Chunk::Passed => {}
                Chunk::Complete => break,
                // What was cut before the gap goes first; the gap is met again at the cursor.
                Chunk::Missing(first) => return Ok((cut.finish(), Some(first))),
            }
        }
        Ok((cut.finish(), None))
    }

    async fn offer(&mut self, cut: &mut Cut, events: &[Event]) -> Chunk {
        for (index, event) in events.iter().enumerate() {
            if event.seq > cut.next_seq() {
                return Chunk::Missing(event.seq);
            }
            let first = cut.first_received();
            if first.is_some_and(|first| self.spec.destination.separates(first, event.received_at))
            {
                return Chunk::Complete;
            }
            if index % ENCODE_EVENTS_MAX == ENCODE_EVENTS_MAX - 1 {
                tokio::task::yield_now().await;
            }
            if cut.offer(event, |event, out| self.encode(event, out)) == Offered::Complete {
                return Chunk::Complete;
            }
            if cut.next_seq() == self.engine.state().cursor + 1 {
                self.oldest_ms = Some(event.received_at.0);
            }
        }
        Chunk::Passed
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) -> bool {
        let fields = event.fields();
        let view = View { event, fields: &fields };
        if self.engine.is_settled(event.seq) || !self.spec.filter.matches(&view) {
            return false;
        }
        if !self.spec.destination.takes(&view, &self.parts.actions) {
            return false;
        }
        self.spec.destination.encode(&view, &self.spec.format, &self.parts.actions, out);
        true
    }

    fn lose(&mut self, first_retained: u64) {
        if let Some(gap) = self.engine.lose(first_retained) {
            tracing::warn!(
                destination.id = %self.spec.id,
                stream.first_seq = gap.first_seq,
                stream.last_seq = gap.last_seq,
                "retention removed events before they were delivered"
            );
            self.facts.gaps.push(gap);
            self.dirty = true;
        }
    }
}

fn read_events(window: &Window) -> usize {
    // A narrowed window (bisection) does not read more than it can use.
    let range = window
        .last_seq
        .map_or(READ_EVENTS as u64, |last| (last + 1).saturating_sub(window.from_seq).max(1));
    READ_EVENTS.min(window.events_max.max(64)).min(usize::try_from(range).unwrap_or(READ_EVENTS))
}

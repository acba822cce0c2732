//! Committing a group of submissions: in one batch of the journal, or in several when one file cannot hold it.

use super::writer::{Refusal, Submission, Writer};
use crate::{
    journal::{JournalError, format::ROW_BYTES},
    partition::{GENESIS_BYTES_MAX, Outcome},
    record::Prepared,
};

impl Writer {
    /// Gives every event of `group` its place and answers each submission.
    pub(super) fn commit(&mut self, group: Vec<Submission>) {
        let group = self.send_back_outdated(group);
        if group.is_empty() {
            return;
        }
        let events: Vec<&Prepared> = group.iter().flat_map(|one| &one.events).collect();
        self.heed_failure();
        let (outcomes, error) = self.commit_events(&events);
        self.answer(group, outcomes, error);
    }

    /// Submissions whose look-up in the segments is too old to count look again.
    fn send_back_outdated(&self, mut group: Vec<Submission>) -> Vec<Submission> {
        let floor = self.partition.state().floor();
        let stale = |s: &mut Submission| {
            s.looked_at < floor && s.events.iter().any(|event| event.client_id)
        };
        for submission in group.extract_if(.., stale) {
            let Submission { events, room, reply, .. } = submission;
            drop(room);
            let _ = reply.send(Err(Refusal::LookAgain(events)));
        }
        group
    }

    /// Commits `events` in batches that a journal file holds. The outcomes are those of the first events, all of
    /// them durable; they are fewer than the events only when there is an error.
    fn commit_events(&mut self, events: &[&Prepared]) -> (Vec<Outcome>, Option<JournalError>) {
        let room = self.partition.journal().records_bytes_max();
        let now_ms = self.world.clock.now_ms();
        let mut outcomes = Vec::with_capacity(events.len());
        for batch in batches(events, room) {
            match self.partition.commit(batch.iter().copied(), now_ms, &mut self.world) {
                Ok((decided, applied)) => {
                    outcomes.extend(decided);
                    if !applied.places.is_empty() {
                        self.view.publish(self.number, self.partition.state(), applied);
                        let now = self.world.clock.monotonic();
                        self.oldest_unsealed.get_or_insert(now);
                    }
                }
                Err(error) => return (outcomes, Some(error)),
            }
        }
        (outcomes, None)
    }

    /// Submissions whose every event has its outcome are accepted; the others learn of the error.
    fn answer(
        &mut self,
        group: Vec<Submission>,
        outcomes: Vec<Outcome>,
        error: Option<JournalError>,
    ) {
        let refusal = error.map(|error| self.refusal(&error));
        let mut outcomes = outcomes.into_iter();
        for submission in group {
            let count = submission.events.len();
            match &refusal {
                Some(refusal) if outcomes.len() < count => {
                    outcomes = Vec::new().into_iter();
                    submission.answer(Err(refusal.clone()));
                }
                _ => {
                    let part = outcomes.by_ref().take(count).collect();
                    submission.answer(Ok(part));
                }
            }
        }
    }

    fn refusal(&self, error: &JournalError) -> Refusal {
        if error.is_full() {
            tracing::warn!(error = error as &dyn std::error::Error, "events are refused");
            return Refusal::Full;
        }
        Refusal::Failed(self.fail(error))
    }
}

/// Cuts `events` into runs whose records take at most `room` bytes in a journal file, also when each of them begins
/// a log. An event that takes more by itself is a run of its own.
fn batches<'e, 'p>(
    mut events: &'e [&'p Prepared],
    room: u64,
) -> impl Iterator<Item = &'e [&'p Prepared]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = events.iter().take_while(|event| {
            bytes += (event.bytes() + ROW_BYTES + GENESIS_BYTES_MAX) as u64;
            bytes <= room
        });
        let (batch, rest) = events.split_at(fits.count().max(1).min(events.len()));
        events = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

//! The delivery of one destination as a state machine without I/O.
//!
//! It is told what happened (a batch was cut, a verdict came, a person paused) and says what to do next: which window
//! to cut, how long to wait, what to record. Time and randomness are parameters. Its promises:
//!
//! - The cursor passes an event only when the destination confirmed it, the filter excluded it, it was set aside
//!   with a record, or retention removed it (a gap, recorded).
//! - One batch is in flight and batches follow each other in log order, unless the destination is set to take several
//!   at a time; the cursor is contiguous also then.
//! - A batch's range is fixed before its first attempt and stays until a verdict says that it must be another.
//! - It never gives up. Pausing, resuming and changing the configuration do not move the cursor.

use std::{collections::VecDeque, time::Duration};

use attestary_event::Timestamp;

mod ahead;
mod partial;

use crate::{
    batch::{Batch, BatchLimits, Window},
    checkpoint::Mark,
    health::{self, Cause, Health, Notice, Phase, Reason},
    ports::{Facts, Gap, Quarantined},
    receipt::Receipt,
    schedule,
    state::{LastError, Pending, State},
    verdict::Verdict,
};

/// Events set aside in a row, without one confirmation between them, after which the receiver is the likelier cause.
///
/// Bisecting costs about nine attempts an event, so this many are found within minutes, and a receiver that refuses
/// everything cannot empty a whole log into quarantine.
pub const REFUSED_IN_A_ROW_MAX: u32 = 100;
/// Confirmed batches after which a batch size that the receiver once refused is tried again, doubled.
pub const CONFIRMED_UNTIL_GROWTH: u32 = 64;

/// What to do after a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Wait this long before the next attempt; `None` goes on at once.
    pub wait: Option<Duration>,
    /// What to record with the state.
    pub facts: Facts,
}

/// The state machine of one destination.
#[derive(Debug, Clone)]
pub struct Engine {
    limits: BatchLimits,
    state: State,
    /// Batches that were confirmed behind one that is not, in log order and without their bytes. Not saved: after a
    /// crash they are sent again as they were.
    landed: VecDeque<Batch>,
}

impl Engine {
    /// Returns an engine that goes on from a saved state.
    pub fn new(limits: BatchLimits, state: State) -> Self {
        Self { limits, state, landed: VecDeque::new() }
    }

    /// Returns the state to save.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns true when only a person may start it again.
    pub fn rests(&self) -> bool {
        self.state.health.rests()
    }

    /// Returns the window of the next batch.
    pub fn window(&self) -> Window {
        let from_seq = self.state.cursor;
        if let Some(pending) = self.state.pending {
            let (events_max, bytes_max) = (usize::MAX, usize::MAX);
            return Window { from_seq, last_seq: Some(pending.last_seq), events_max, bytes_max };
        }
        self.window_at(from_seq)
    }

    /// Fixes the range of a batch before its first attempt. Returns true when the range is new.
    pub fn fix(&mut self, batch: &Batch) -> bool {
        let Some((first_seq, last_seq)) = batch.first_seq().zip(batch.last_seq()) else {
            return false;
        };
        assert_eq!(batch.from_seq, self.state.cursor, "a batch begins at the cursor");
        let range = Pending { first_seq, last_seq };
        let known = self.state.pending == Some(range) || self.state.ahead.contains(&range);
        self.state.pending = Some(range);
        self.state.ahead.retain(|other| other.first_seq > last_seq);
        !known
    }

    /// Passes a stretch in which the filter selects nothing.
    pub fn pass(&mut self, batch: &Batch) {
        assert!(batch.records.is_empty(), "a batch with events is sent, not passed");
        self.receipt().confirm(batch);
        self.state.pending = None;
        self.advance(batch.next_seq);
    }

    /// Passes a stretch that retention removed and returns its record.
    pub fn lose(&mut self, first_retained: u64) -> Option<Gap> {
        let first_seq = self.state.cursor;
        if first_retained <= first_seq {
            return None;
        }
        self.state.pending =
            self.state.pending.filter(|pending| pending.last_seq >= first_retained);
        self.state.totals.lost_to_retention += first_retained - first_seq;
        self.receipt().lose(first_retained);
        self.advance(first_retained);
        Some(Gap { first_seq, last_seq: first_retained - 1 })
    }

    /// Returns true for an event behind the cursor that is confirmed or set aside already.
    pub fn is_settled(&self, seq: u64) -> bool {
        self.state.settled.binary_search(&seq).is_ok()
    }

    /// Goes back to what a broken stream may have lost. Never goes forward.
    pub fn rewind(&mut self, resend_from: u64) {
        if resend_from < self.state.cursor {
            self.state.cursor = resend_from;
            self.forget_range();
            self.forget_ahead();
        }
    }

    /// Acts on what came back for `batch`.
    pub fn settle(
        &mut self,
        batch: &Batch,
        verdict: &Verdict,
        excerpt: &str,
        now: Timestamp,
        random: u64,
    ) -> Settled {
        self.state.totals.attempts += 1;
        let mut facts = Facts::default();
        let wait = match verdict {
            Verdict::Delivered => self.delivered(batch, now, &mut facts),
            Verdict::Retry { after, reason } => {
                let wish = after.map(|after| schedule::clamp(after.delay(now)));
                self.failed(wish, reason, now, random, &mut facts)
            }
            Verdict::Partial(partial) => {
                self.partly(batch, partial, excerpt, now, random, &mut facts)
            }
            Verdict::Split { reason } => {
                self.too_large(batch, reason, excerpt, now, random, &mut facts)
            }
            Verdict::Reject { reason } => {
                self.rejected(batch, reason, excerpt, now, random, &mut facts)
            }
            Verdict::Pause { reason } | Verdict::Disable { reason } => {
                self.fail_until_a_person_acts(reason, now, random, &mut facts)
            }
        };
        Settled { wait, facts }
    }

    /// Begins a new receipt at the cursor: the filter or the receiver is another one. Checkpoints begin anew with it.
    pub fn renew_receipt(&mut self) {
        self.state.receipt = Some(Receipt::new(self.state.cursor));
        self.state.checkpoint = None;
    }

    /// Remembers what became of the newest checkpoint.
    pub fn mark_checkpoint(&mut self, mark: Mark) {
        self.state.checkpoint = Some(mark);
    }

    fn receipt(&mut self) -> &mut Receipt {
        let cursor = self.state.cursor;
        self.state.receipt.get_or_insert_with(|| Receipt::new(cursor))
    }

    /// Acts on a failure to read our own log: waits like after a failed attempt.
    pub fn unreadable(&mut self, reason: &Reason, now: Timestamp, random: u64) -> Settled {
        let mut facts = Facts::default();
        let wait = self.failed(None, reason, now, random, &mut facts);
        Settled { wait, facts }
    }

    /// Pauses for a person. The cursor and the range stay.
    pub fn pause(&mut self, detail: &str, now: Timestamp) {
        self.state.health.become_(Phase::Paused, Reason::new(Cause::User, detail), now);
    }

    /// Starts again from the cursor, whatever it was paused for.
    pub fn resume(&mut self, now: Timestamp) {
        self.state.health = Health::active(now);
        self.state.refused_in_a_row = 0;
        self.calm();
    }

    /// Takes a changed configuration, filter or format from the cursor on.
    pub fn change(&mut self, limits: BatchLimits, now: Timestamp) {
        self.limits = limits;
        self.forget_range();
        self.forget_ahead();
        // Another receiver, or another form: what was partly taken goes whole.
        self.state.settled.clear();
        self.state.bytes_cap = None;
        self.state.confirmed_at_cap = 0;
        if self.state.health.reason.code != Cause::User {
            self.resume(now);
        }
    }

    fn delivered(&mut self, batch: &Batch, now: Timestamp, facts: &mut Facts) -> Option<Duration> {
        let since_ms = self.state.failing_since_ms.unwrap_or(now.0);
        if self.state.noticed != 0 {
            facts.notices.push(Notice::Recovered { since_ms });
        }
        self.state.totals.delivered += batch.records.len() as u64;
        self.state.last_success_ms = Some(now.0);
        self.state.refused_in_a_row = 0;
        self.calm();
        self.grow();
        self.receipt().confirm(batch);
        self.state.pending = None;
        self.advance(batch.next_seq);
        self.enter(Phase::Active, Reason::ok(), now);
        None
    }

    fn failed(
        &mut self,
        wish: Option<Duration>,
        reason: &Reason,
        now: Timestamp,
        random: u64,
        facts: &mut Facts,
    ) -> Option<Duration> {
        self.state.failures = self.state.failures.saturating_add(1);
        self.note_error(reason, now);
        self.enter(Phase::Failing, reason.clone(), now);
        self.notice(reason, now, facts);
        Some(wish.unwrap_or_else(|| schedule::back_off(self.state.failures, random)))
    }

    fn fail_until_a_person_acts(
        &mut self,
        reason: &Reason,
        now: Timestamp,
        random: u64,
        facts: &mut Facts,
    ) -> Option<Duration> {
        let known = self.state.health.phase == Phase::Paused;
        self.state.failures = self.state.failures.saturating_add(1);
        self.note_error(reason, now);
        self.enter(Phase::Paused, reason.clone(), now);
        if !known {
            facts.notices.push(Notice::Paused { reason: reason.clone() });
            self.state.noticed |= 1;
        }
        self.notice(reason, now, facts);
        Some(schedule::probe(random))
    }

    /// Halves the batch; an event that is too large alone is set aside.
    fn too_large(
        &mut self,
        batch: &Batch,
        reason: &Reason,
        excerpt: &str,
        now: Timestamp,
        random: u64,
        facts: &mut Facts,
    ) -> Option<Duration> {
        if batch.records.len() <= 1 {
            return self.set_aside(batch, reason, excerpt, now, random, facts);
        }
        self.note_error(reason, now);
        self.state.pending = None;
        self.state.confirmed_at_cap = 0;
        self.state.bytes_cap = Some((batch.bytes.len() / 2).max(1));
        None
    }

    /// Narrows down to the event that is refused, then sets it aside.
    fn rejected(
        &mut self,
        batch: &Batch,
        reason: &Reason,
        excerpt: &str,
        now: Timestamp,
        random: u64,
        facts: &mut Facts,
    ) -> Option<Duration> {
        let still_refuses_everything = self.state.health.reason.code == Cause::RefusesEverything;
        if batch.records.len() <= 1 || still_refuses_everything {
            return self.set_aside(batch, reason, excerpt, now, random, facts);
        }
        self.note_error(reason, now);
        self.state.pending = None;
        self.state.suspect_until = batch.last_seq();
        self.state.ceiling = Some(batch.records[batch.records.len() / 2 - 1].seq);
        None
    }

    fn set_aside(
        &mut self,
        batch: &Batch,
        reason: &Reason,
        excerpt: &str,
        now: Timestamp,
        random: u64,
        facts: &mut Facts,
    ) -> Option<Duration> {
        if self.state.refused_in_a_row >= REFUSED_IN_A_ROW_MAX {
            let detail = format!(
                "{REFUSED_IN_A_ROW_MAX} events in a row were refused; last: {}",
                reason.detail
            );
            let reason = Reason::new(Cause::RefusesEverything, detail);
            return self.fail_until_a_person_acts(&reason, now, random, facts);
        }
        self.note_error(reason, now);
        for record in &batch.records {
            let (detail, excerpt) = (reason.detail.clone(), excerpt.to_owned());
            facts.quarantined.push(Quarantined::new(record.id, record.seq, now, detail, excerpt));
        }
        self.state.refused_in_a_row += 1;
        self.state.totals.quarantined += batch.records.len() as u64;
        self.calm();
        self.receipt().set_aside(batch);
        self.forget_range();
        self.advance(batch.next_seq);
        self.enter(Phase::Active, Reason::ok(), now);
        None
    }

    /// Moves the cursor forward, over what is confirmed there already.
    fn advance(&mut self, next_seq: u64) {
        self.move_to(next_seq);
        self.arrive();
    }

    /// Moves the cursor forward and keeps the bisection's bounds and fixed ranges in front of it.
    fn move_to(&mut self, next_seq: u64) {
        assert!(next_seq >= self.state.cursor, "the cursor never goes back by advancing");
        self.state.cursor = next_seq;
        self.state.settled.retain(|seq| *seq >= next_seq);
        self.state.ahead.retain(|range| range.last_seq >= next_seq);
        if let Some(range) = self.state.ahead.first_mut() {
            // Retention may have cut into it.
            range.first_seq = range.first_seq.max(next_seq);
        }
        match self.state.suspect_until {
            // The first half was fine, so the refused event is in the rest: halve that.
            Some(suspect) if next_seq <= suspect => {
                if self.state.ceiling.is_none_or(|ceiling| ceiling < next_seq) {
                    self.state.ceiling = Some(next_seq + (suspect - next_seq) / 2);
                }
            }
            _ => (self.state.suspect_until, self.state.ceiling) = (None, None),
        }
    }

    fn forget_range(&mut self) {
        self.state.pending = None;
        self.state.suspect_until = None;
        self.state.ceiling = None;
    }

    /// Forgets the present failure.
    fn calm(&mut self) {
        self.state.failures = 0;
        self.state.failing_since_ms = None;
        self.state.noticed = 0;
    }

    fn grow(&mut self) {
        let Some(cap) = self.state.bytes_cap else { return };
        self.state.confirmed_at_cap += 1;
        if self.state.confirmed_at_cap >= CONFIRMED_UNTIL_GROWTH {
            self.state.confirmed_at_cap = 0;
            self.state.bytes_cap =
                Some(cap.saturating_mul(2)).filter(|cap| *cap < self.limits.bytes_max);
        }
    }

    /// Enters a state, unless a person paused it while the attempt was under way.
    fn enter(&mut self, phase: Phase, reason: Reason, now: Timestamp) {
        if self.state.health.reason.code != Cause::User {
            self.state.health.become_(phase, reason, now);
        }
    }

    fn note_error(&mut self, reason: &Reason, now: Timestamp) {
        self.state.last_error = Some(LastError { at_ms: now.0, reason: reason.clone() });
    }

    fn notice(&mut self, reason: &Reason, now: Timestamp, facts: &mut Facts) {
        let since_ms = *self.state.failing_since_ms.get_or_insert(now.0);
        let failing = Duration::from_millis(now.0.saturating_sub(since_ms).max(0).unsigned_abs());
        // A receiver that throttles works as it should; only if it lasts do people have to know.
        let counted = if reason.code == Cause::Throttled { 0 } else { self.state.failures };
        let due = health::due(counted, failing) & !self.state.noticed;
        if due != 0 {
            self.state.noticed |= due;
            let (failures, reason) = (self.state.failures, reason.clone());
            facts.notices.push(Notice::Failing { failures, since_ms, reason });
        }
    }
}

#[cfg(test)]
mod tests;

//! A batch that was judged event by event.
//!
//! The cursor moves to the first event that must be tried again. Events behind it that are done with are remembered
//! until the cursor has passed them, so that nobody gets them twice and nothing is passed that was not confirmed.

use std::time::Duration;

use attestary_event::Timestamp;

use super::{Engine, REFUSED_IN_A_ROW_MAX};
use crate::{
    batch::Batch,
    health::{Cause, Notice, Phase, Reason},
    ports::{Facts, Quarantined},
    state::Pending,
    verdict::Partial,
};

impl Engine {
    pub(super) fn partly(
        &mut self,
        batch: &Batch,
        partial: &Partial,
        excerpt: &str,
        now: Timestamp,
        random: u64,
        facts: &mut Facts,
    ) -> Option<Duration> {
        let named = partial.rejected.len() + partial.retry.len();
        let accepted = batch.records.len().saturating_sub(named);
        let progressed = accepted > 0 || partial.doubtful;
        if progressed {
            self.state.refused_in_a_row = 0;
            self.state.last_success_ms = Some(now.0);
        }
        self.state.totals.delivered += accepted as u64;
        let room = if progressed {
            usize::MAX
        } else {
            (REFUSED_IN_A_ROW_MAX.saturating_sub(self.state.refused_in_a_row)) as usize
        };
        let kept = self.quarantine(batch, partial, room, excerpt, now, facts);
        let mut open: Vec<usize> = partial.retry.clone();
        open.extend(partial.rejected.iter().skip(kept).map(|item| item.index));
        open.sort_unstable();
        self.note_error(&partial.reason, now);
        self.account(batch, partial, kept, &open);
        let Some(first) = open.first().and_then(|index| batch.records.get(*index)) else {
            self.done(batch, progressed, now, facts);
            return None;
        };
        self.remember(batch, &open, first.seq);
        if kept < partial.rejected.len() {
            let last = &partial.rejected[kept].reason.detail;
            let detail =
                format!("{REFUSED_IN_A_ROW_MAX} events in a row were refused; last: {last}");
            let reason = Reason::new(Cause::RefusesEverything, detail);
            return self.fail_until_a_person_acts(&reason, now, random, facts);
        }
        if progressed {
            self.calm();
        }
        if kept > 0 && partial.reason.code == Cause::Refused {
            // Only the refused event stood in the way of the others: they go at once.
            self.enter(Phase::Active, Reason::ok(), now);
            return None;
        }
        let wish = partial.after.map(|after| crate::schedule::clamp(after.delay(now)));
        self.failed(wish, &partial.reason, now, random, facts)
    }

    /// Enters into the receipt what is done with.
    fn account(&mut self, batch: &Batch, partial: &Partial, kept: usize, open: &[usize]) {
        let first = open.first().and_then(|index| batch.records.get(*index));
        let next_seq = first.map_or(batch.next_seq, |record| record.seq);
        let aside = &partial.rejected[..kept.min(partial.rejected.len())];
        self.receipt().settle(batch, next_seq, |index| {
            let is_open = open.binary_search(&index).is_ok();
            (!is_open).then(|| aside.iter().all(|item| item.index != index))
        });
    }

    /// Sets aside the first `room` refused events; returns how many that were.
    fn quarantine(
        &mut self,
        batch: &Batch,
        partial: &Partial,
        room: usize,
        excerpt: &str,
        now: Timestamp,
        facts: &mut Facts,
    ) -> usize {
        let mut kept = 0;
        for item in partial.rejected.iter().take(room) {
            kept += 1;
            let Some(record) = batch.records.get(item.index) else { continue };
            let said = item.excerpt.clone().unwrap_or_else(|| excerpt.to_owned());
            let reason = item.reason.detail.clone();
            facts.quarantined.push(Quarantined::new(record.id, record.seq, now, reason, said));
        }
        self.state.totals.quarantined += kept as u64;
        self.state.refused_in_a_row = self.state.refused_in_a_row.saturating_add(kept as u32);
        kept
    }

    /// Everything in the batch is confirmed or set aside.
    fn done(&mut self, batch: &Batch, progressed: bool, now: Timestamp, facts: &mut Facts) {
        if self.state.noticed != 0 && progressed {
            let since_ms = self.state.failing_since_ms.unwrap_or(now.0);
            facts.notices.push(Notice::Recovered { since_ms });
        }
        if progressed {
            self.state.refused_in_a_row = 0;
            self.grow();
        }
        self.calm();
        self.state.pending = None;
        self.advance(batch.next_seq);
        self.enter(Phase::Active, Reason::ok(), now);
    }

    /// Moves the cursor to the first open event and remembers what behind it is done with.
    fn remember(&mut self, batch: &Batch, open: &[usize], first: u64) {
        let done = batch.records.iter().enumerate();
        let done =
            done.filter(|(index, record)| record.seq > first && open.binary_search(index).is_err());
        self.state.settled.extend(done.map(|(_, record)| record.seq));
        self.state.settled.sort_unstable();
        self.advance(first);
        let last_seq = batch.next_seq.saturating_sub(1).max(first);
        self.state.pending = Some(Pending { first_seq: first, last_seq });
    }
}

#[cfg(test)]
mod tests;

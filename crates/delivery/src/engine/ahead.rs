//! Batches that are under way behind the one at the cursor.
//!
//! Their ranges are fixed before their first attempt like that of the first one and kept in the state, so that they go
//! out again as they were. The cursor passes none of them before all that lies in front of it is done with: what was
//! confirmed behind an open batch is remembered here, not in the state, and counts when the cursor arrives.

use super::Engine;
use crate::{
    batch::{Batch, Window},
    state::Pending,
};

impl Engine {
    /// Returns the window of the next batch behind those under way, of which `end` is the first seq they do not
    /// speak for; what is confirmed there already is left out.
    pub fn window_behind(&self, end: u64) -> Window {
        // The cursor may have come further: over what was confirmed in an earlier flight.
        let mut from_seq = end.max(self.state.cursor);
        for batch in &self.landed {
            if batch.from_seq <= from_seq && batch.first_seq().is_some_and(|seq| from_seq <= seq) {
                from_seq = batch.next_seq;
            }
        }
        self.window_at(from_seq)
    }

    /// Returns the window of a batch that begins at a seq: a range that was fixed there, or what fits before the next
    /// such range.
    pub(super) fn window_at(&self, from_seq: u64) -> Window {
        let fixed = self.state.ahead.iter().find(|range| range.last_seq >= from_seq);
        if let Some(range) = fixed.filter(|range| range.first_seq <= from_seq) {
            let (events_max, bytes_max) = (usize::MAX, usize::MAX);
            return Window { from_seq, last_seq: Some(range.last_seq), events_max, bytes_max };
        }
        let before = fixed.map(|range| range.first_seq - 1);
        Window {
            from_seq,
            // A bound that lies behind would make a window of nothing, for ever.
            last_seq: self
                .state
                .ceiling
                .into_iter()
                .chain(before)
                .filter(|last| *last >= from_seq)
                .min(),
            events_max: self.limits.events_max,
            bytes_max: self.state.bytes_cap.unwrap_or(self.limits.bytes_max),
        }
    }

    /// Fixes the range of a batch that goes out behind others. Returns true when the range is new.
    pub fn fix_behind(&mut self, batch: &Batch) -> bool {
        let Some((first_seq, last_seq)) = batch.first_seq().zip(batch.last_seq()) else {
            return false;
        };
        assert!(batch.from_seq > self.state.cursor, "a batch behind others is not at the cursor");
        let ahead = &mut self.state.ahead;
        let range = Pending { first_seq, last_seq };
        if ahead.contains(&range) {
            return false;
        }
        ahead.retain(|other| other.last_seq < first_seq || other.first_seq > last_seq);
        ahead.insert(ahead.partition_point(|other| other.first_seq < first_seq), range);
        true
    }

    /// Takes note that a batch behind an open one was confirmed.
    pub fn confirm_behind(&mut self, mut batch: Batch) {
        batch.bytes = Vec::new();
        let place = self.landed.iter().take_while(|other| other.from_seq < batch.from_seq).count();
        self.landed.insert(place, batch);
        self.arrive();
    }

    /// Passes what was confirmed before the cursor came here.
    pub(super) fn arrive(&mut self) {
        while self.landed.front().is_some_and(|batch| batch.from_seq <= self.state.cursor) {
            let Some(batch) = self.landed.pop_front() else { return };
            if batch.next_seq <= self.state.cursor {
                continue;
            }
            let new = batch.records.iter().filter(|record| record.seq >= self.state.cursor);
            self.state.totals.delivered += new.count() as u64;
            self.receipt().confirm(&batch);
            self.state.pending = None;
            self.move_to(batch.next_seq);
        }
    }

    /// Forgets every range behind the cursor's own, and what was confirmed there.
    pub(super) fn forget_ahead(&mut self) {
        self.state.ahead.clear();
        self.landed.clear();
    }
}

//! A query made ready: what may be skipped, and how far it has come.

use std::ops::Range;

use attestary_event::{
    Event, EventId, Fields, View,
    filter::{self, Filter, TextBound},
};

use super::{Order, Page, Query};
use crate::{catalog::Extent, record::Record, segment::schema::Column};

/// Cost of looking at a row's columns. The budget is in events that are evaluated whole, [`EVENT_COST`].
pub(super) const COLUMNS_COST: usize = 1;
/// Cost of decoding a body and looking for needles in it.
pub(super) const BODY_COST: usize = 4;
pub(super) const EVENT_COST: usize = 16;

/// What a query asks of columns, and the filter for the rest.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) slot: u64,
    pub(super) order: Order,
    pub(super) seqs: Range<u64>,
    pub(super) occurred: filter::Range,
    pub(super) received: filter::Range,
    pub(super) severity: filter::Range,
    /// All must hold; for targets, some target's.
    pub(super) texts: Vec<(Column, TextBound)>,
    /// The only ids that can match.
    pub(super) ids: Option<Vec<EventId>>,
    /// What the body of every matching event holds.
    needles: filter::Needles,
    never: bool,
    filter: Filter,
    /// The filter speaks of the leaf hash, so it must be known before evaluation.
    needs_leaf_hash: bool,
}

impl Plan {
    pub(super) fn of(query: &Query) -> Self {
        let bounds = query.filter.bounds();
        let mut plan = Self {
            slot: query.slot,
            order: query.order,
            seqs: seqs(query, bounds.range(filter::Column::Seq)),
            occurred: occurred(query, bounds.range(filter::Column::OccurredAt)),
            received: bounds.range(filter::Column::ReceivedAt),
            severity: bounds.range(filter::Column::Severity),
            texts: Vec::new(),
            ids: bounds.equals(filter::Column::Id).map(ids),
            needles: query.filter.needles(),
            never: bounds.is_never() || query.limit == 0,
            filter: query.filter.clone(),
            needs_leaf_hash: query.filter.paths().iter().any(|path| path.names().eq(["leaf_hash"])),
        };
        plan.never |= plan.seqs.is_empty() || plan.occurred.min > plan.occurred.max;
        // Ids are bytes in storage: they are handled apart.
        for (column, bound) in bounds.texts().iter().filter(|(of, _)| *of != filter::Column::Id) {
            if let Some(column) = stored(*column) {
                plan.texts.push((column, bound.clone()));
            }
        }
        plan
    }

    /// Returns true when no event can match.
    pub(super) fn is_never(&self) -> bool {
        self.never
    }

    /// Returns false when no row of the extent can match.
    pub(super) fn admits_extent(&self, extent: &Extent) -> bool {
        extent.seq_first < self.seqs.end
            && self.seqs.start <= extent.seq_last
            && self.occurred.overlaps(extent.occurred_min_ms, extent.occurred_max_ms)
            && self.received.overlaps(
                extent.received_min_ms.cast_signed(),
                extent.received_max_ms.cast_signed(),
            )
    }

    /// Returns false when the record cannot match, looking at its columns only.
    pub(super) fn admits_record(&self, record: &Record<'_>) -> bool {
        let numbers = self.occurred.contains(record.occurred_ms())
            && self.received.contains(record.received_ms().cast_signed())
            && self.severity.contains(i64::from(record.severity()));
        let id = self.ids.as_ref().is_none_or(|ids| ids.contains(&record.id()));
        numbers
            && id
            && self.texts.iter().all(|(column, bound)| admits_text(record, *column, bound))
    }

    /// Returns true when bodies can be ruled out before they are read as JSON.
    pub(super) fn has_needles(&self) -> bool {
        !self.needles.is_empty()
    }

    /// Returns false when an event with this body, as it was accepted, cannot match.
    pub(super) fn admits_body(&self, body: &[u8]) -> bool {
        self.needles.admit(body)
    }

    /// Returns true when the whole filter selects the event.
    pub(super) fn selects(&self, event: &Event, fields: &Fields) -> bool {
        self.filter.is_everything() || self.filter.matches(&View { event, fields })
    }

    pub(super) fn needs_leaf_hash(&self) -> bool {
        self.needs_leaf_hash
    }

    /// Returns the columns that decide the whole filter, `None` when bodies must be read for it.
    pub(super) fn deciding_columns(&self) -> Option<Vec<Column>> {
        let columns = self.filter.row_columns()?;
        Some(columns.into_iter().filter_map(stored).collect())
    }

    /// Returns true when the whole filter selects the event of this row. Means something only with
    /// [`Plan::deciding_columns`].
    pub(super) fn selects_row(&self, row: &dyn filter::Row) -> bool {
        self.filter.is_everything() || self.filter.matches_row(row)
    }
}

/// Seqs that the cursor and the filter leave.
fn seqs(query: &Query, bound: filter::Range) -> Range<u64> {
    let start = u64::try_from(bound.min).unwrap_or(0);
    let end = u64::try_from(bound.max)
        .map_or(0, |max| if bound.max == i64::MAX { u64::MAX } else { max + 1 });
    match (query.order, query.after) {
        (Order::Ascending, Some(after)) => start.max(after.saturating_add(1))..end,
        (Order::Descending, Some(after)) => start..end.min(after),
        (_, None) => start..end,
    }
}

fn occurred(query: &Query, bound: filter::Range) -> filter::Range {
    let from = query.from.map_or(i64::MIN, |from| from.0);
    let to = query.to.map_or(i64::MAX, |to| to.0.saturating_sub(1));
    filter::Range { min: bound.min.max(from), max: bound.max.min(to) }
}

/// Texts that are no id match no event.
fn ids(texts: &[Box<str>]) -> Vec<EventId> {
    texts.iter().filter_map(|text| EventId::parse(text)).collect()
}

/// Returns where a column is stored.
pub(super) fn stored(column: filter::Column) -> Option<Column> {
    match column {
        filter::Column::TargetType => Some(Column::TargetTypes),
        filter::Column::TargetId => Some(Column::TargetIds),
        filter::Column::Id => Some(Column::Id),
        filter::Column::Severity => Some(Column::Severity),
        filter::Column::OccurredAt => Some(Column::OccurredAt),
        filter::Column::ReceivedAt => Some(Column::ReceivedAt),
        filter::Column::Seq => Some(Column::Seq),
        _ => filter::Column::TEXT.iter().position(|text| *text == column).map(Column::Text),
    }
}

fn admits_text(record: &Record<'_>, column: Column, bound: &TextBound) -> bool {
    match column {
        Column::Text(text) => record.text(text).is_some_and(|text| bound.admits(text)),
        Column::TargetTypes => record
            .texts()
            .targets
            .iter()
            .any(|(kind, _)| kind.is_some_and(|kind| bound.admits(kind))),
        Column::TargetIds => {
            record.texts().targets.iter().any(|(_, id)| id.is_some_and(|id| bound.admits(id)))
        }
        _ => true,
    }
}

/// How far a search has come. `stopped` says that everything up to that seq, itself included, was looked at.
#[derive(Debug)]
pub(super) struct Progress {
    order: Order,
    after: Option<u64>,
    limit: usize,
    bytes_max: usize,
    budget: usize,
    cost: usize,
    events: Vec<Event>,
    bytes: usize,
    stopped: Option<u64>,
}

impl Progress {
    pub(super) fn new(query: &Query) -> Self {
        Self {
            order: query.order,
            after: query.after,
            limit: query.limit,
            bytes_max: query.bytes_max,
            // A search that could look at nothing would never come further.
            budget: query.scan_budget.max(1).saturating_mul(EVENT_COST),
            cost: 0,
            events: Vec::new(),
            bytes: 0,
            stopped: None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.stopped.is_some()
    }

    /// Returns true when the budget is used up.
    pub(super) fn is_spent(&self) -> bool {
        self.cost >= self.budget
    }

    /// Returns how many more events fit the page.
    pub(super) fn room(&self) -> usize {
        self.limit - self.events.len()
    }

    /// Starts the search of one of several places that are to be merged.
    pub(super) fn part(&self) -> Self {
        Self {
            order: self.order,
            after: self.after,
            limit: self.room(),
            bytes_max: self.bytes_max.saturating_sub(self.bytes),
            budget: self.budget.saturating_sub(self.cost).max(1),
            cost: 0,
            events: Vec::new(),
            bytes: 0,
            stopped: None,
        }
    }

    /// Pays for rows whose columns were looked at.
    pub(super) fn pay_columns(&mut self, rows: usize) {
        self.cost += rows * COLUMNS_COST;
    }

    /// Pays for rows whose bodies were looked through.
    pub(super) fn pay_bodies(&mut self, rows: usize) {
        self.cost += rows * BODY_COST;
    }

    /// Takes the event at `seq`, which was looked at whole; returns true when the search is done.
    pub(super) fn take(&mut self, seq: u64, event: Option<Event>) -> bool {
        self.cost += EVENT_COST;
        self.bytes += event.as_ref().map_or(0, |event| event.body.len());
        self.events.extend(event);
        self.passed(seq)
    }

    /// Notes that everything up to `seq` was looked at; returns true when the search is done.
    pub(super) fn passed(&mut self, seq: u64) -> bool {
        let full = !self.events.is_empty() && self.bytes >= self.bytes_max;
        if full || self.events.len() >= self.limit || self.cost >= self.budget {
            self.stopped = Some(seq);
        }
        self.stopped.is_some()
    }

    /// Adds what was found in places whose seqs overlap.
    pub(super) fn merge(&mut self, parts: Vec<Self>) {
        let stops = parts.iter().filter_map(|part| part.stopped);
        // Behind the earliest stop, some place was not looked at: what others found there must wait.
        self.stopped = match self.order {
            Order::Ascending => stops.min(),
            Order::Descending => stops.max(),
        };
        let room = self.room();
        let mut found = Vec::new();
        for part in parts {
            self.cost += part.cost;
            found.extend(part.events.into_iter().filter(|event| self.is_passed(event.seq)));
        }
        match self.order {
            Order::Ascending => found.sort_unstable_by_key(|event| event.seq),
            Order::Descending => found.sort_unstable_by_key(|event| std::cmp::Reverse(event.seq)),
        }
        if found.len() >= room {
            found.truncate(room);
            self.stopped = found.last().map(|event| event.seq).or(self.stopped);
        }
        self.bytes += found.iter().map(|event| event.body.len()).sum::<usize>();
        self.events.extend(found);
    }

    fn is_passed(&self, seq: u64) -> bool {
        self.stopped.is_none_or(|stopped| match self.order {
            Order::Ascending => seq <= stopped,
            Order::Descending => seq >= stopped,
        })
    }

    /// Returns the page; `end` is one past the last seq of the log.
    pub(super) fn into_page(self, plan: &Plan, end: u64) -> Page {
        let next = match (self.order, self.stopped) {
            (Order::Ascending, Some(stopped)) => Some(stopped),
            (Order::Ascending, None) => self.after.max(end.min(plan.seqs.end).checked_sub(1)),
            (Order::Descending, stopped) => stopped.filter(|stopped| *stopped > plan.seqs.start),
        };
        Page { events: self.events, next, scanned: self.cost.div_ceil(EVENT_COST) }
    }
}

//! Counting: every event that a query selects is shown to a [`Counter`] once, newest first, until the budget is spent.
//!
//! Where columns decide the filter and hold what is counted, no body is read. The sealed part is taken in slices of
//! seqs, from the highest down, across all segments that hold some of a slice; so a spent budget leaves one seq from
//! which on everything was looked at, also where segments interleave.

mod row;

use std::ops::{ControlFlow, Range};

use attestary_event::{Fields, View, filter};

use super::{
    Order, Place, Query, ReadView,
    plan::{COLUMNS_COST, EVENT_COST, Plan, stored},
    sealed::{BODIES_MAX, Tests, may_match, ranges, seq_of},
};
use crate::{
    catalog::Extent,
    record::Record,
    segment::{EventRows, Log, Rows, SegmentError, SegmentFile, schema::Column},
};
use row::{BatchRows, RecordRow};

/// Seqs looked at between two looks at the budget: about a row group.
const SLICE_MAX: usize = 65_536;

/// What is counted.
pub(super) trait Counter {
    /// Returns the columns that hold what is counted, `None` when bodies hold some of it.
    fn columns(&self) -> Option<Vec<filter::Column>>;

    /// Counts a selected event. The body is given when [`Counter::columns`] is `None`, and maybe otherwise.
    fn count(&mut self, row: &dyn filter::Row, body: Option<&View<'_>>);
}

/// How far a count came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Every event from this seq on was looked at; `None` when that is all of them.
    pub from_seq: Option<u64>,
    /// Budget that was used, in events.
    pub scanned: usize,
}

/// A count on its way.
pub(super) struct Tally<'a> {
    view: &'a ReadView<'a>,
    plan: &'a Plan,
    log: Log,
    /// The columns that decide and are counted; `None` when bodies are read.
    columns: Option<Vec<Column>>,
    counted: Vec<Column>,
    counter: &'a mut dyn Counter,
    budget: usize,
    cost: usize,
}

/// Returns the query behind a count: pages and cursors mean nothing to it.
pub(super) fn query(
    slot: u64,
    filter: filter::Filter,
    times: (Option<attestary_event::Timestamp>, Option<attestary_event::Timestamp>),
    scan_budget: usize,
) -> Query {
    Query {
        slot,
        filter,
        from: times.0,
        to: times.1,
        order: Order::Descending,
        limit: 1,
        bytes_max: 0,
        after: None,
        scan_budget,
    }
}

impl<'a> Tally<'a> {
    pub(super) fn new(
        view: &'a ReadView<'a>,
        plan: &'a Plan,
        scan_budget: usize,
        counter: &'a mut dyn Counter,
    ) -> Result<Self, SegmentError> {
        let counted = counter.columns();
        let by_columns = counted.is_some();
        let counted: Vec<_> = counted.unwrap_or_default().into_iter().filter_map(stored).collect();
        let deciding = plan.deciding_columns().filter(|_| by_columns);
        let columns = deciding.map(|deciding| [deciding, counted.clone()].concat());
        let budget = scan_budget.max(1).saturating_mul(EVENT_COST);
        let log = view.log(plan.slot)?;
        Ok(Self { view, plan, log, columns, counted, counter, budget, cost: 0 })
    }

    /// Counts everything the budget allows.
    pub(super) fn run(mut self) -> Result<Reach, SegmentError> {
        let from_seq = self.count_all()?;
        Ok(Reach { from_seq, scanned: self.cost.div_ceil(EVENT_COST) })
    }

    /// Returns the seq at which the budget was spent.
    fn count_all(&mut self) -> Result<Option<u64>, SegmentError> {
        if self.plan.is_never() {
            return Ok(None);
        }
        let sealed_end = self.view.manifest.next_seq(self.plan.slot);
        match self.count_unsealed(sealed_end) {
            Some(seq) => Ok(Some(seq)),
            None => self.count_sealed(sealed_end),
        }
    }

    fn is_spent(&self) -> bool {
        self.cost >= self.budget
    }

    fn count_unsealed(&mut self, sealed_end: u64) -> Option<u64> {
        let seqs = self.plan.seqs.start.max(sealed_end)..self.plan.seqs.end;
        let (mut last, mut stopped) = (None, None);
        if seqs.is_empty() {
            return None;
        }
        let view = self.view;
        view.unsealed.visit(self.plan.slot, seqs, Order::Descending, &mut |record| {
            if self.is_spent() {
                stopped = last;
                return ControlFlow::Break(());
            }
            last = Some(record.seq());
            self.count_record(&record);
            ControlFlow::Continue(())
        });
        stopped
    }

    fn count_record(&mut self, record: &Record<'_>) {
        self.cost += COLUMNS_COST;
        if !self.plan.admits_record(record) {
            return;
        }
        let row = RecordRow::of(record);
        if self.columns.is_some() {
            if self.plan.selects_row(&row) {
                self.counter.count(&row, None);
            }
            return;
        }
        self.cost += EVENT_COST;
        let fields = Fields::of_stored(record.body());
        let event = record.event(self.log.environment.clone(), self.log.tenant.clone());
        if self.plan.selects(&event, &fields) {
            self.counter.count(&row, Some(&View { event: &event, fields: &fields }));
        }
    }

    fn count_sealed(&mut self, sealed_end: u64) -> Result<Option<u64>, SegmentError> {
        let places = self.view.places(self.plan.slot, |extent| self.plan.admits_extent(extent));
        let start = self.plan.seqs.start;
        let mut end = self.plan.seqs.end.min(sealed_end);
        while let Some(top) = top(&places, end).filter(|top| *top > start) {
            if self.is_spent() {
                return Ok(Some(end));
            }
            let slice = top.saturating_sub(self.slice()).max(start)..top;
            for (meta, extent) in places.iter().filter(|place| overlaps(place.1, &slice)) {
                self.count_slice(&*self.view.segments.open(meta)?, extent, &slice)?;
            }
            end = slice.start;
        }
        Ok(None)
    }

    /// Returns how many seqs the budget still allows; a small step beyond it does no harm.
    fn slice(&self) -> u64 {
        let cost = if self.columns.is_some() { COLUMNS_COST } else { COLUMNS_COST + EVENT_COST };
        let least = self.view.segments.sizes().body_page_rows;
        ((self.budget - self.cost) / cost).clamp(least, SLICE_MAX) as u64
    }

    fn count_slice(
        &mut self,
        file: &SegmentFile,
        extent: &Extent,
        slice: &Range<u64>,
    ) -> Result<(), SegmentError> {
        let rows = row_of(file, extent, slice.start)?..row_of(file, extent, slice.end)?;
        let tests = Tests::of(self.plan, extent, file);
        for (group, share) in file.groups(&rows) {
            if may_match(file, group, self.plan)? {
                match self.columns.clone() {
                    Some(columns) => self.count_columns(file, share, &tests, columns)?,
                    None => self.count_bodies(file, &share, &tests)?,
                }
            }
        }
        Ok(())
    }

    fn count_columns(
        &mut self,
        file: &SegmentFile,
        rows: Rows,
        tests: &Tests,
        mut columns: Vec<Column>,
    ) -> Result<(), SegmentError> {
        self.cost += rows.len() * COLUMNS_COST;
        columns.extend_from_slice(&tests.columns);
        columns.sort_unstable();
        columns.dedup();
        if columns.is_empty() {
            // Even what needs no column has its rows.
            columns.push(Column::Seq);
        }
        for batch in file.batches(&columns, std::slice::from_ref(&rows))? {
            let batch = batch?;
            let admitted = tests.mask(&batch, self.plan, file)?;
            let rows = BatchRows::of(&batch);
            for at in (0..admitted.len()).filter(|at| admitted[*at]) {
                let row = rows.at(at);
                if self.plan.selects_row(&row) {
                    self.counter.count(&row, None);
                }
            }
        }
        Ok(())
    }

    fn count_bodies(
        &mut self,
        file: &SegmentFile,
        rows: &Rows,
        tests: &Tests,
    ) -> Result<(), SegmentError> {
        let admitted = self.admitted(file, rows, tests)?;
        let mut columns = EventRows::COLUMNS.to_vec();
        columns.extend(self.counted.iter().filter(|column| !EventRows::COLUMNS.contains(column)));
        for rows in admitted.chunks(BODIES_MAX) {
            self.cost += rows.len() * EVENT_COST;
            for batch in file.batches(&columns, &ranges(rows))? {
                let batch = batch?;
                let events = EventRows::of(&batch, file.path())?;
                let rows = BatchRows::of(&batch);
                for at in 0..events.len() {
                    let Some(mut content) = events.content(at, &self.log)? else { continue };
                    if self.plan.needs_leaf_hash() {
                        content.hash();
                    }
                    if self.plan.selects(&content.event, &content.fields) {
                        let view = View { event: &content.event, fields: &content.fields };
                        self.counter.count(&rows.at(at), Some(&view));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the rows whose columns admit a match.
    fn admitted(
        &mut self,
        file: &SegmentFile,
        rows: &Rows,
        tests: &Tests,
    ) -> Result<Vec<u32>, SegmentError> {
        if tests.columns.is_empty() {
            return Ok(rows.clone().collect());
        }
        self.cost += rows.len() * COLUMNS_COST;
        let mut admitted = Vec::new();
        let mut first = rows.start;
        for batch in file.batches(&tests.columns, std::slice::from_ref(rows))? {
            let batch = batch?;
            let mask = tests.mask(&batch, self.plan, file)?;
            admitted.extend((first..).zip(&mask).filter(|(_, kept)| **kept).map(|(row, _)| row));
            first += batch.num_rows() as u32;
        }
        Ok(admitted)
    }
}

/// Returns one past the highest seq below `end` that some place may hold.
fn top(places: &[Place<'_>], end: u64) -> Option<u64> {
    let below = places.iter().filter(|(_, extent)| extent.seq_first < end);
    below.map(|(_, extent)| end.min(extent.seq_last + 1)).max()
}

fn overlaps(extent: &Extent, seqs: &Range<u64>) -> bool {
    extent.seq_first < seqs.end && seqs.start <= extent.seq_last
}

/// Returns the first row of the extent whose seq is not below `seq`. Rows are in the order of seq.
fn row_of(file: &SegmentFile, extent: &Extent, seq: u64) -> Result<u32, SegmentError> {
    let (mut low, mut high) = (extent.row_start, extent.row_start + extent.rows);
    if seq <= extent.seq_first {
        return Ok(low);
    }
    if seq > extent.seq_last {
        return Ok(high);
    }
    if extent.is_dense() {
        return Ok(low + (seq - extent.seq_first) as u32);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if seq_of(file, middle)? < seq {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

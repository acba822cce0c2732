//! Searching one tenant's rows of one segment.
//!
//! Rows are taken in windows, in the query's order, the first window small and each next one larger: a page of
//! recent events ends after the first, a rare match costs few reads. In a window, the columns that the filter bounds
//! are decoded first; bodies are read only of rows that they admit, and the whole filter decides.

use std::ops::ControlFlow;

use arrow_array::{Array as _, RecordBatch, StringViewArray, cast::AsArray as _, types};
use attestary_event::{Event, EventId, filter, filter::TextBound};

use super::{
    Order,
    plan::{Plan, Progress},
};
use crate::{
    catalog::Extent,
    segment::{
        EventRows, Log, Rows, SegmentError, SegmentFile, removed::NO_PAYLOAD, schema::Column,
    },
};

/// Bodies read at once.
pub(super) const BODIES_MAX: usize = 256;

/// Bodies that are looked through before those that may match are read whole: 2,048 usual ones are 1.3 MB.
const LOOKED_THROUGH_MAX: usize = 2_048;

/// Searches the rows of `extent` until the progress is done.
pub(super) fn search(
    file: &SegmentFile,
    extent: &Extent,
    plan: &Plan,
    log: &Log,
    progress: &mut Progress,
) -> Result<(), SegmentError> {
    let tests = Tests::of(plan, extent, file);
    let rows = rows(extent, plan);
    let mut groups = file.groups(&rows);
    if plan.order == Order::Descending {
        groups.reverse();
    }
    let search = Search { file, plan, log, tests };
    let mut window_rows = search.first_window(progress.room());
    for (group, share) in groups {
        if !may_match(file, group, plan)? {
            continue;
        }
        for window in (Windows {
            left: share,
            order: plan.order,
            rows: &mut window_rows,
            rows_max: file.sizes().row_group_rows as u32,
        }) {
            if search.window(&window, progress)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Returns the rows that the seqs leave: exactly them when no seq is missing, all of the extent otherwise.
fn rows(extent: &Extent, plan: &Plan) -> Rows {
    let rows = extent.row_start..extent.row_start + extent.rows;
    if !extent.is_dense() {
        return rows;
    }
    let row = |seq: u64| extent.row_start + (seq - extent.seq_first) as u32;
    let start = row(plan.seqs.start.max(extent.seq_first));
    start..row(plan.seqs.end.min(extent.seq_last + 1)).max(start)
}

/// Returns false when statistics or a bloom filter rule the row group out.
pub(super) fn may_match(
    file: &SegmentFile,
    group: usize,
    plan: &Plan,
) -> Result<bool, SegmentError> {
    for (column, bound) in &plan.texts {
        let statistics = file.statistics(group, *column);
        let range = statistics.and_then(|of| Some((of.min_bytes_opt()?, of.max_bytes_opt()?)));
        if range.is_some_and(|(min, max)| !bound.overlaps(min, max)) {
            return Ok(false);
        }
        if let TextBound::Equals(texts) = bound
            && column.has_bloom_filter()
            && !file.may_hold(group, *column, texts.iter().map(|text| text.as_bytes()))?
        {
            return Ok(false);
        }
    }
    match &plan.ids {
        Some(ids) => file.may_hold(group, Column::Id, ids.iter().map(|id| id.0.as_slice())),
        None => Ok(true),
    }
}

/// Cuts rows into windows whose inner edges are page edges, so that no page is decoded twice.
struct Windows<'a> {
    left: Rows,
    order: Order,
    /// Rows of the next window, a power of two; grows from window to window, across row groups.
    rows: &'a mut u32,
    rows_max: u32,
}

impl Iterator for Windows<'_> {
    type Item = Rows;

    fn next(&mut self) -> Option<Rows> {
        if self.left.is_empty() {
            return None;
        }
        // Row groups are whole numbers of pages, so absolute row numbers serve for alignment. Groups that ended
        // early (very large events) are only read a little less well.
        let rows = *self.rows;
        let window = match self.order {
            Order::Ascending => {
                let edge =
                    self.left.start.saturating_add(rows).next_multiple_of(rows).min(self.left.end);
                let window = self.left.start..edge;
                self.left.start = edge;
                window
            }
            Order::Descending => {
                let edge = (self.left.end.saturating_sub(rows) / rows * rows).max(self.left.start);
                let window = edge..self.left.end;
                self.left.end = edge;
                window
            }
        };
        *self.rows = (rows * 4).min(self.rows_max);
        Some(window)
    }
}

struct Search<'a> {
    file: &'a SegmentFile,
    plan: &'a Plan,
    log: &'a Log,
    tests: Tests,
}

impl Search<'_> {
    /// Without columns to test, every row of a window is a candidate: about a page of events is enough at first.
    fn first_window(&self, room: usize) -> u32 {
        let sizes = self.file.sizes();
        let rows =
            if self.tests.columns.is_empty() { room.min(sizes.page_rows) } else { sizes.page_rows };
        rows.next_multiple_of(sizes.body_page_rows).next_power_of_two() as u32
    }

    fn window(
        &self,
        window: &Rows,
        progress: &mut Progress,
    ) -> Result<ControlFlow<()>, SegmentError> {
        let mut admitted = self.admitted(window)?;
        if !self.tests.columns.is_empty() {
            progress.pay_columns(window.len());
        }
        if self.plan.order == Order::Descending {
            admitted.reverse();
        }
        if !self.looks_through_bodies() {
            if self.evaluate_all(&admitted, progress)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            return self.pass(window, progress);
        }
        for rows in admitted.chunks(LOOKED_THROUGH_MAX) {
            let holding = self.holding(rows)?;
            progress.pay_bodies(rows.len());
            if self.evaluate_all(&holding, progress)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.pass(window, progress)
    }

    /// Bodies of which parts were removed are not as they were accepted.
    fn looks_through_bodies(&self) -> bool {
        self.plan.has_needles() && !self.file.has_removed()
    }

    /// Returns those of `rows` (in the query's order, which is kept) whose bodies hold what a match must hold.
    fn holding(&self, rows: &[u32]) -> Result<Vec<u32>, SegmentError> {
        let ranges = ranges(rows);
        let mut sorted = ranges.iter().flat_map(Clone::clone);
        let mut holding = Vec::new();
        for batch in self.file.batches(&[Column::Body], &ranges)? {
            let batch = batch?;
            let bodies = self.file.column(&batch, Column::Body)?.as_string_view();
            let admits = |(_, at): &(u32, usize)| {
                bodies.is_null(*at) || self.plan.admits_body(bodies.value(*at).as_bytes())
            };
            let rows = sorted.by_ref().take(bodies.len()).zip(0..);
            holding.extend(rows.filter(admits).map(|(row, _)| row));
        }
        if self.plan.order == Order::Descending {
            holding.reverse();
        }
        Ok(holding)
    }

    /// Evaluates the events at `rows` (in the query's order), few at a time.
    fn evaluate_all(
        &self,
        mut rows: &[u32],
        progress: &mut Progress,
    ) -> Result<ControlFlow<()>, SegmentError> {
        while !rows.is_empty() {
            let count = rows.len().min(progress.room().clamp(16, BODIES_MAX));
            let (now, later) = rows.split_at(count);
            rows = later;
            if self.evaluate(now, progress)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Notes that the window is behind us, which may spend the budget.
    fn pass(
        &self,
        window: &Rows,
        progress: &mut Progress,
    ) -> Result<ControlFlow<()>, SegmentError> {
        let row = match self.plan.order {
            Order::Ascending => window.end - 1,
            Order::Descending => window.start,
        };
        // Asking for the seq costs a read; without a spent budget nobody needs it.
        if !progress.is_spent() {
            return Ok(ControlFlow::Continue(()));
        }
        let seq = seq_of(self.file, row)?;
        Ok(if progress.passed(seq) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Returns the rows of the window whose columns admit a match, ascending.
    fn admitted(&self, window: &Rows) -> Result<Vec<u32>, SegmentError> {
        if self.tests.columns.is_empty() {
            return Ok(window.clone().collect());
        }
        let mut admitted = Vec::new();
        let mut first = window.start;
        for batch in self.file.batches(&self.tests.columns, std::slice::from_ref(window))? {
            let batch = batch?;
            let mask = self.tests.mask(&batch, self.plan, self.file)?;
            admitted.extend(
                (first..).zip(&mask).filter(|(_, admitted)| **admitted).map(|(row, _)| row),
            );
            first += batch.num_rows() as u32;
        }
        Ok(admitted)
    }

    /// Reads the events at `rows` (in the query's order) and lets the filter decide.
    fn evaluate(
        &self,
        rows: &[u32],
        progress: &mut Progress,
    ) -> Result<ControlFlow<()>, SegmentError> {
        let batches = self.file.batches(EventRows::COLUMNS, &ranges(rows))?;
        let mut batches = batches.collect::<Result<Vec<_>, _>>()?;
        let descending = self.plan.order == Order::Descending;
        if descending {
            batches.reverse();
        }
        for batch in &batches {
            let events = EventRows::of(batch, self.file.path())?;
            for at in 0..events.len() {
                let row = if descending { events.len() - 1 - at } else { at };
                let event = self.selected(&events, row)?;
                if progress.take(events.seq(row), event) {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Leaf hashes are costly beside most filters: they are computed for selected events only, where that is enough.
    fn selected(&self, events: &EventRows<'_>, row: usize) -> Result<Option<Event>, SegmentError> {
        let Some(mut content) = events.content(row, self.log)? else { return Ok(None) };
        if self.plan.needs_leaf_hash() {
            content.hash();
        }
        if !self.plan.selects(&content.event, &content.fields) {
            return Ok(None);
        }
        content.hash();
        Ok(Some(content.event))
    }
}

/// Returns the seq of one row.
pub(super) fn seq_of(file: &SegmentFile, row: u32) -> Result<u64, SegmentError> {
    let mut seq = None;
    for batch in file.batches(&[Column::Seq], std::slice::from_ref(&(row..row + 1)))? {
        seq = Some(batch?.column(0).as_primitive::<types::UInt64Type>().value(0));
    }
    seq.ok_or_else(|| file.corrupt(format!("row {row} cannot be read")))
}

/// Turns single rows, ascending or descending, into ascending ranges.
pub(super) fn ranges(rows: &[u32]) -> Vec<Rows> {
    let mut sorted = rows.to_vec();
    sorted.sort_unstable();
    let mut ranges: Vec<Rows> = Vec::new();
    for row in sorted {
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}

/// The columns to look at before any body, because their values decide something in this extent.
pub(super) struct Tests {
    pub(super) columns: Vec<Column>,
}

impl Tests {
    pub(super) fn of(plan: &Plan, extent: &Extent, file: &SegmentFile) -> Self {
        let within =
            |range: filter::Range, min: i64, max: i64| range.contains(min) && range.contains(max);
        let mut columns: Vec<_> = plan.texts.iter().map(|(column, _)| *column).collect();
        if !within(plan.occurred, extent.occurred_min_ms, extent.occurred_max_ms) {
            columns.push(Column::OccurredAt);
        }
        if !within(
            plan.received,
            extent.received_min_ms.cast_signed(),
            extent.received_max_ms.cast_signed(),
        ) {
            columns.push(Column::ReceivedAt);
        }
        // Rows without payload show in the same column.
        if plan.severity != filter::Range::ALL || file.has_removed() {
            columns.push(Column::Severity);
        }
        if plan.ids.is_some() {
            columns.push(Column::Id);
        }
        let all_seqs = plan.seqs.start <= extent.seq_first && extent.seq_last < plan.seqs.end;
        if !extent.is_dense() && !all_seqs {
            columns.push(Column::Seq);
        }
        columns.sort_unstable();
        columns.dedup();
        Self { columns }
    }

    pub(super) fn mask(
        &self,
        batch: &RecordBatch,
        plan: &Plan,
        file: &SegmentFile,
    ) -> Result<Vec<bool>, SegmentError> {
        let mut mask = vec![true; batch.num_rows()];
        for column in &self.columns {
            let array = batch.column_by_name(column.name());
            let array = array
                .ok_or_else(|| file.corrupt(format!("column {} is missing", column.name())))?;
            match column {
                Column::OccurredAt => test_times(array, plan.occurred, &mut mask),
                Column::ReceivedAt => test_times(array, plan.received, &mut mask),
                Column::Severity => {
                    let severities = array.as_primitive::<types::UInt8Type>();
                    keep(&mut mask, |row| {
                        let severity = severities.value(row);
                        severity != NO_PAYLOAD && plan.severity.contains(i64::from(severity))
                    });
                }
                Column::Seq => {
                    let seqs = array.as_primitive::<types::UInt64Type>();
                    keep(&mut mask, |row| plan.seqs.contains(&seqs.value(row)));
                }
                Column::Id => test_ids(array, plan.ids.as_deref().unwrap_or(&[]), &mut mask),
                _ => test_texts(*column, array, plan, &mut mask),
            }
        }
        Ok(mask)
    }
}

fn keep(mask: &mut [bool], mut test: impl FnMut(usize) -> bool) {
    for (row, kept) in mask.iter_mut().enumerate() {
        *kept = *kept && test(row);
    }
}

fn test_times(array: &dyn arrow_array::Array, range: filter::Range, mask: &mut [bool]) {
    let times = array.as_primitive::<types::TimestampMillisecondType>();
    keep(mask, |row| range.contains(times.value(row)));
}

fn test_ids(array: &dyn arrow_array::Array, ids: &[EventId], mask: &mut [bool]) {
    let values = array.as_fixed_size_binary();
    keep(mask, |row| ids.iter().any(|id| id.0 == values.value(row)));
}

fn test_texts(column: Column, array: &dyn arrow_array::Array, plan: &Plan, mask: &mut [bool]) {
    let bounds = || plan.texts.iter().filter(|(of, _)| *of == column).map(|(_, bound)| bound);
    let has = |texts: &StringViewArray, row: usize, bound: &TextBound| {
        texts.is_valid(row) && bound.admits(texts.value(row))
    };
    if matches!(column, Column::TargetTypes | Column::TargetIds) {
        let lists = array.as_list::<i32>();
        let texts = lists.values().as_string_view();
        for bound in bounds() {
            keep(mask, |row| {
                let offsets = lists.value_offsets();
                (offsets[row]..offsets[row + 1]).any(|at| has(texts, at as usize, bound))
            });
        }
    } else {
        let texts = array.as_string_view();
        for bound in bounds() {
            keep(mask, |row| has(texts, row, bound));
        }
    }
}

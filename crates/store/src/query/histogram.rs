//! How many events match, over the time at which they happened.

use attestary_event::{
    Timestamp, View,
    filter::{Column, Filter, Row},
    spec::OUTCOMES,
};

use super::{
    Axis, Division, Order, ReadView,
    axis::TooManyBuckets,
    plan::Plan,
    tally::{self, Counter, Reach, Tally},
};
use crate::segment::SegmentError;

/// A count over time.
#[derive(Debug, Clone)]
pub struct HistogramQuery {
    /// The log.
    pub slot: u64,
    /// Which events; relative times must be resolved.
    pub filter: Filter,
    /// Earliest `occurred_at`, included; without it, the earliest that may match.
    pub from: Option<Timestamp>,
    /// Latest `occurred_at`, excluded; without it, the latest that may match is included.
    pub to: Option<Timestamp>,
    /// How the time is cut.
    pub division: Division,
    /// Most buckets.
    pub buckets_max: usize,
    /// How many events to read and evaluate at most; looking at columns alone costs a sixteenth.
    pub scan_budget: usize,
}

/// Counts per bucket of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// The buckets; `None` when there is no time to count over, because nothing can match.
    pub axis: Option<Axis>,
    /// For each bucket, the events of each outcome, in the order of [`OUTCOMES`].
    pub counts: Vec<[u64; OUTCOMES.len()]>,
    /// How far the count came.
    pub reach: Reach,
}

impl ReadView<'_> {
    /// Returns how many of the events that the query selects happened when.
    ///
    /// Equal to a linear scan with the filter when [`Reach::from_seq`] is `None`, else to one over the events from
    /// that seq on.
    pub fn histogram(
        &self,
        query: &HistogramQuery,
    ) -> Result<Result<Histogram, TooManyBuckets>, SegmentError> {
        let times = (query.from, query.to);
        let search = tally::query(query.slot, query.filter.clone(), times, query.scan_budget);
        self.histogram_planned(query, &Plan::of(&search))
    }

    pub(super) fn histogram_planned(
        &self,
        query: &HistogramQuery,
        plan: &Plan,
    ) -> Result<Result<Histogram, TooManyBuckets>, SegmentError> {
        let nothing = Reach { from_seq: None, scanned: 0 };
        let Some((min_ms, max_ms)) = self.times(query, plan) else {
            return Ok(Ok(Histogram { axis: None, counts: vec![], reach: nothing }));
        };
        let axis = match Axis::of(min_ms, max_ms, query.division, query.buckets_max) {
            Ok(axis) => axis,
            Err(error) => return Ok(Err(error)),
        };
        let mut counter = Buckets { axis, counts: vec![[0; OUTCOMES.len()]; axis.buckets] };
        let reach = Tally::new(self, plan, query.scan_budget, &mut counter)?.run()?;
        Ok(Ok(Histogram { axis: Some(axis), counts: counter.counts, reach }))
    }

    /// Returns the first and last time to show: as asked for, else where matching events may be.
    fn times(&self, query: &HistogramQuery, plan: &Plan) -> Option<(i64, i64)> {
        let given = (query.from.map(|from| from.0), query.to.map(|to| to.0.saturating_sub(1)));
        let (min_ms, max_ms) = match given {
            (Some(min), Some(max)) => (min, max),
            (min, max) => {
                let (first, last) = self.occurred(plan)?;
                let first = first.clamp(plan.occurred.min, plan.occurred.max);
                let last = last.clamp(plan.occurred.min, plan.occurred.max);
                (min.unwrap_or(first), max.unwrap_or(last))
            }
        };
        (min_ms <= max_ms).then_some((min_ms, max_ms))
    }

    /// Returns the earliest and latest time of what may match: of extents as a whole, of unsealed events one by one.
    fn occurred(&self, plan: &Plan) -> Option<(i64, i64)> {
        if plan.is_never() {
            return None;
        }
        let places = self.places(plan.slot, |extent| plan.admits_extent(extent));
        let mut range = places
            .iter()
            .map(|(_, extent)| (extent.occurred_min_ms, extent.occurred_max_ms))
            .reduce(joined);
        let sealed_end = self.manifest.next_seq(plan.slot);
        let seqs = plan.seqs.start.max(sealed_end)..plan.seqs.end;
        if seqs.is_empty() {
            return range;
        }
        self.unsealed.visit(plan.slot, seqs, Order::Ascending, &mut |record| {
            if plan.admits_record(&record) {
                let at = (record.occurred_ms(), record.occurred_ms());
                range = Some(range.map_or(at, |range| joined(range, at)));
            }
            std::ops::ControlFlow::Continue(())
        });
        range
    }
}

fn joined(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    (a.0.min(b.0), a.1.max(b.1))
}

struct Buckets {
    axis: Axis,
    counts: Vec<[u64; OUTCOMES.len()]>,
}

/// Events without one of the outcomes count as `unknown`, the last.
const UNKNOWN: usize = OUTCOMES.len() - 1;

impl Counter for Buckets {
    fn columns(&self) -> Option<Vec<Column>> {
        Some(vec![Column::OccurredAt, Column::Outcome])
    }

    fn count(&mut self, row: &dyn Row, _: Option<&View<'_>>) {
        let Some(bucket) = self.axis.bucket(row.occurred_ms()) else { return };
        let mut outcome = UNKNOWN;
        row.any_text(Column::Outcome, &mut |text| {
            outcome = OUTCOMES.iter().position(|known| *known == text).unwrap_or(UNKNOWN);
            true
        });
        self.counts[bucket][outcome] += 1;
    }
}

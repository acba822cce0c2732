//! Queries over one tenant's log: what is sealed in segments and what is not, as if it were one list.
//!
//! [`ReadView::search`] equals a linear scan with the filter: bounds of the filter only skip what cannot match. Sealed
//! rows are skipped by extent (seq and time), by row group (statistics and bloom filters) and by column, and only
//! the rest is read and evaluated whole. Pages are cut by seq, so a cursor is a seq.
//!
//! Everything here is **synchronous** and reads files: call it from blocking threads. The caller bounds how many
//! queries run at once; a query holds at most a page of events (a count: its counters) and a few hundred bodies.

mod axis;
mod facets;
mod histogram;
mod lookup;
mod plan;
mod sealed;
mod tally;
#[cfg(test)]
mod tests;
pub(crate) mod tree;
mod unsealed;
mod visit;

use std::{ops::ControlFlow, ops::Range};

use attestary_event::{Event, Timestamp, filter::Filter};

pub use axis::{Axis, Division, TooManyBuckets};
pub use facets::{Facet, FacetQuery, FacetValue, Facets};
pub use histogram::{Histogram, HistogramQuery};
pub use lookup::{Found, find_ids};
use plan::{Plan, Progress};
pub use tally::Reach;
pub use tree::{Committed, Remains};
pub(crate) use visit::visit_sealed;

use crate::{
    catalog::{Extent, Manifest, SegmentMeta},
    record::Record,
    segment::{Log, Logs, SegmentError, Segments},
};

/// In which order events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Lowest seq first.
    Ascending,
    /// Highest seq first.
    Descending,
}

/// The part of the logs that is in no segment yet.
pub trait Unsealed {
    /// Calls `f` with the unsealed records of `slot` whose seq is in `seqs`, in `order`, until it breaks.
    fn visit(
        &self,
        slot: u64,
        seqs: Range<u64>,
        order: Order,
        f: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    );
}

/// Nothing is unsealed.
impl Unsealed for () {
    fn visit(
        &self,
        _: u64,
        _: Range<u64>,
        _: Order,
        _: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) {
    }
}

/// A search in one log.
#[derive(Debug, Clone)]
pub struct Query {
    /// The log.
    pub slot: u64,
    /// Which events; relative times must be resolved.
    pub filter: Filter,
    /// Earliest `occurred_at`, included.
    pub from: Option<Timestamp>,
    /// Latest `occurred_at`, excluded.
    pub to: Option<Timestamp>,
    /// In which order.
    pub order: Order,
    /// Most events in the page.
    pub limit: usize,
    /// Bytes of bodies after which the page ends, with at least one event.
    pub bytes_max: usize,
    /// The last seq of the page before: this one starts behind it.
    pub after: Option<u64>,
    /// How many events to read and evaluate at most; looking at columns alone costs a sixteenth.
    pub scan_budget: usize,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the query's order.
    pub events: Vec<Event>,
    /// Next [`Query::after`].
    ///
    /// Descending: `None` at the end. Ascending: stays valid at the end, where later events will follow; `None` only
    /// when there is nothing to stand behind. No events with `Some` means that the budget was spent first.
    pub next: Option<u64>,
    /// Budget that was used.
    pub scanned: usize,
}

/// One state of all logs. `unsealed` holds at least what `manifest` does not; what both hold is read once.
#[derive(Clone, Copy)]
pub struct ReadView<'a> {
    /// The sealed part.
    pub manifest: &'a Manifest,
    /// Where its segments are.
    pub segments: &'a Segments,
    /// The rest.
    pub unsealed: &'a dyn Unsealed,
    /// Names of logs.
    pub logs: &'a dyn Logs,
}

impl std::fmt::Debug for ReadView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadView").field("manifest", &self.manifest.version).finish_non_exhaustive()
    }
}

impl<'a> ReadView<'a> {
    /// Returns a page of the events that the query selects.
    pub fn search(&self, query: &Query) -> Result<Page, SegmentError> {
        self.search_planned(&Plan::of(query), Progress::new(query))
    }

    fn search_planned(&self, plan: &Plan, mut progress: Progress) -> Result<Page, SegmentError> {
        let log = self.log(plan.slot)?;
        let sealed_end = self.manifest.next_seq(plan.slot);
        let mut end = sealed_end;
        match plan.order {
            Order::Ascending => {
                self.search_sealed(plan, &log, &mut progress)?;
                unsealed::search(self.unsealed, plan, &log, sealed_end, &mut progress, &mut end);
            }
            Order::Descending => {
                unsealed::search(self.unsealed, plan, &log, sealed_end, &mut progress, &mut end);
                self.search_sealed(plan, &log, &mut progress)?;
            }
        }
        Ok(progress.into_page(plan, end))
    }

    fn search_sealed(
        &self,
        plan: &Plan,
        log: &Log,
        progress: &mut Progress,
    ) -> Result<(), SegmentError> {
        if plan.is_never() {
            return Ok(());
        }
        for cluster in
            clusters(self.places(plan.slot, |extent| plan.admits_extent(extent)), plan.order)
        {
            if progress.is_done() {
                break;
            }
            let mut parts = Vec::with_capacity(cluster.len());
            for (meta, extent) in cluster {
                let mut part = progress.part();
                sealed::search(&*self.segments.open(meta)?, extent, plan, log, &mut part)?;
                parts.push(part);
            }
            progress.merge(parts);
        }
        Ok(())
    }

    /// Returns the segments that hold rows of `slot` which `admits`, by first seq.
    fn places(&self, slot: u64, admits: impl Fn(&Extent) -> bool) -> Vec<Place<'a>> {
        let segments = self.manifest.segments.iter();
        let places = segments.filter_map(|meta| Some((&**meta, meta.extent(slot)?)));
        let mut places: Vec<_> = places.filter(|(_, extent)| admits(extent)).collect();
        places.sort_unstable_by_key(|(_, extent)| extent.seq_first);
        places
    }

    fn log(&self, slot: u64) -> Result<Log, SegmentError> {
        self.logs.log(slot).ok_or(SegmentError::UnknownLog { slot })
    }
}

/// A segment and a tenant's rows in it.
type Place<'a> = (&'a SegmentMeta, &'a Extent);

/// Groups places whose seqs overlap, in `order`. Seals never overlap; segments kept apart by retention may.
fn clusters(places: Vec<Place<'_>>, order: Order) -> Vec<Vec<Place<'_>>> {
    let mut clusters: Vec<Vec<Place<'_>>> = Vec::new();
    let mut end = 0;
    for place in places {
        match clusters.last_mut() {
            Some(cluster) if place.1.seq_first < end => cluster.push(place),
            _ => clusters.push(vec![place]),
        }
        end = end.max(place.1.seq_last + 1);
    }
    if order == Order::Descending {
        clusters.reverse();
    }
    clusters
}

//! Reads: each takes one consistent state and runs on a blocking thread.

use std::{ops::ControlFlow, ops::Range, sync::Arc};

use attestary_event::{
    EnvironmentId, ErrorKind, Event, EventId, TenantId, Timestamp, filter::Filter,
};

use super::{
    Store,
    view::{Snapshot, View},
};
use crate::{
    query::{self, Found, Order, Page, Query, ReadView, TooManyBuckets, Unsealed},
    record::Record,
    segment::{SegmentError, Segments},
    tail::Unsealed as TailRecord,
};

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The tenant has no log.
    #[error("the tenant has no log")]
    NoLog,
    /// A segment cannot be read.
    #[error("the segments cannot be read")]
    Segment(#[source] SegmentError),
    /// The time asked for needs more buckets than there may be.
    #[error(transparent)]
    TooManyBuckets(TooManyBuckets),
    /// The process is stopping.
    #[error("the service is stopping")]
    Stopping,
}

impl ReadError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoLog => ErrorKind::NotFound,
            Self::Segment(error) => error.kind(),
            Self::TooManyBuckets(_) => ErrorKind::Invalid,
            Self::Stopping => ErrorKind::Unavailable,
        }
    }
}

/// A search in one tenant's log.
#[derive(Debug, Clone)]
pub struct Search {
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
    /// The last seq of the page before.
    pub after: Option<u64>,
    /// How many events to evaluate at most.
    pub scan_budget: usize,
}

impl Unsealed for Snapshot {
    fn visit(
        &self,
        slot: u64,
        seqs: Range<u64>,
        order: Order,
        f: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) {
        let sealing = self.sealing.as_ref().map_or(&[][..], |tail| tail.log(slot));
        let parts = [within(sealing, &seqs), within(&self.live, &seqs)];
        let mut records = parts.into_iter().flatten();
        let mut visit = |record: &TailRecord| f(record.record());
        let _ = match order {
            Order::Ascending => records.try_for_each(&mut visit),
            Order::Descending => records.rev().try_for_each(&mut visit),
        };
    }
}

/// Records of one log are in the order of seq.
fn within<'a>(records: &'a [TailRecord], seqs: &Range<u64>) -> &'a [TailRecord] {
    let start = records.partition_point(|record| record.record().seq() < seqs.start);
    let rest = &records[start..];
    &rest[..rest.partition_point(|record| record.record().seq() < seqs.end)]
}

impl Store {
    /// Returns a page of the events that `search` selects.
    pub async fn query(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        search: Search,
    ) -> Result<Page, ReadError> {
        let slot = self.slot(environment, tenant)?;
        let Search { filter, from, to, order, limit, bytes_max, after, scan_budget } = search;
        let query = Query { slot, filter, from, to, order, limit, bytes_max, after, scan_budget };
        self.blocking(slot, move |view| view.search(&query)).await
    }

    /// Returns the event called `id`, if the tenant has one.
    pub async fn event(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        id: EventId,
    ) -> Result<Option<Event>, ReadError> {
        let slot = self.slot(environment, tenant)?;
        self.blocking(slot, move |view| view.event_by_id(slot, id)).await
    }

    /// Returns events from `from_seq` on in the order of seq: at most `events_max` of together about `bytes_max`
    /// bytes, and at least one if there is one.
    pub async fn read(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Event>, ReadError> {
        let slot = self.slot(environment, tenant)?;
        self.blocking(slot, move |view| view.read(slot, from_seq, events_max, bytes_max)).await
    }

    /// Looks ids up in the segments, by slot. Answers in the order of all groups' ids.
    pub(super) async fn find_ids(
        &self,
        groups: Vec<(u64, Vec<EventId>)>,
    ) -> Result<Vec<Option<Found>>, ReadError> {
        let Some(&(first, _)) = groups.first() else { return Ok(vec![]) };
        self.blocking(first, move |view| {
            let mut found = Vec::new();
            for (slot, ids) in &groups {
                found.extend(query::find_ids(view.manifest, view.segments, view.logs, *slot, ids)?);
            }
            Ok(found)
        })
        .await
    }

    pub(super) fn slot(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<u64, ReadError> {
        self.0.view.slot(environment, tenant).ok_or(ReadError::NoLog)
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        slot: u64,
        read: impl Fn(ReadView<'_>) -> Result<T, SegmentError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (view, segments) = (Arc::clone(&self.0.view), Arc::clone(&self.0.segments));
        let answer =
            tokio::task::spawn_blocking(move || consistent(&view, &segments, slot, &read)).await;
        answer.map_err(|_| ReadError::Stopping)?.map_err(ReadError::Segment)
    }
}

/// Reads one state. A segment that is gone was replaced after the state was taken: the next state has its successor.
fn consistent<T>(
    view: &Arc<View>,
    segments: &Segments,
    slot: u64,
    read: &dyn Fn(ReadView<'_>) -> Result<T, SegmentError>,
) -> Result<T, SegmentError> {
    loop {
        let snapshot = view.snapshot(slot);
        let answer = read(ReadView {
            manifest: &snapshot.manifest,
            segments,
            unsealed: &snapshot,
            logs: view.as_ref(),
        });
        match answer {
            Err(SegmentError::Missing { .. })
                if view.manifest().version != snapshot.manifest.version => {}
            answer => return answer,
        }
    }
}

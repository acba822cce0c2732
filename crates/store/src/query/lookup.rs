//! Reads that need no filter: by id, by seq, and the look-up of repeated ids.

use std::{collections::HashMap, ops::ControlFlow};

use arrow_array::cast::AsArray as _;
use attestary_event::{Event, EventId};
use attestary_ledger::Hash;

use super::{Order, ReadView};
use crate::{
    catalog::{Extent, Manifest, SegmentMeta},
    segment::{
        EventRows, Log, Logs, Rows, SegmentError, SegmentFile, Segments, key_columns,
        schema::Column,
    },
};

/// Rows of bodies read at once.
const BODIES_MAX: u32 = 256;

/// What a repeated id is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Lowest seq with that id.
    pub seq: u64,
    /// When that was sequenced, in milliseconds since the epoch.
    pub received_ms: u64,
    /// Keyed digest of its submission; `None` after erasure.
    pub digest: Option<[u8; 16]>,
    /// Hash of its entry.
    pub leaf_hash: Hash,
}

/// Looks ids of `slot` up in the segments. Answers in the order of `ids`.
pub fn find_ids(
    manifest: &Manifest,
    segments: &Segments,
    logs: &dyn Logs,
    slot: u64,
    ids: &[EventId],
) -> Result<Vec<Option<Found>>, SegmentError> {
    let view = ReadView { manifest, segments, unsealed: &(), logs };
    let mut found: HashMap<EventId, Found> = HashMap::new();
    let mut wanted = ids.to_vec();
    for (meta, extent) in view.places(slot, |_| true) {
        // Places come by first seq: only one that begins before an answer could hold a lower one.
        wanted.retain(|id| found.get(id).is_none_or(|found| extent.seq_first < found.seq));
        if wanted.is_empty() {
            break;
        }
        let rows = rows_of_ids(segments, meta, extent, &wanted)?;
        if rows.is_empty() {
            continue;
        }
        let answers = answers(&*segments.open(meta)?, &rows, &view.log(slot)?)?;
        // A run finds rows by a hash: other ids may have the same.
        for (id, answer) in answers.into_iter().filter(|(id, _)| wanted.contains(id)) {
            let known = found.entry(id).or_insert_with(|| answer.clone());
            if answer.seq < known.seq {
                *known = answer;
            }
        }
    }
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

/// Returns the rows of `extent` whose id may be one of `ids`, as ascending ranges of one row: from the segment's run of
/// ids, or from its column of ids when it has none.
fn rows_of_ids(
    segments: &Segments,
    meta: &SegmentMeta,
    extent: &Extent,
    ids: &[EventId],
) -> Result<Vec<Rows>, SegmentError> {
    let within = extent.row_start..extent.row_start + extent.rows;
    match segments.rows_of_ids(meta, &within, ids) {
        Some(rows) => Ok(rows.into_iter().map(|row| row..row + 1).collect()),
        None => scanned_rows_of_ids(&*segments.open(meta)?, extent, ids),
    }
}

fn scanned_rows_of_ids(
    file: &SegmentFile,
    extent: &Extent,
    ids: &[EventId],
) -> Result<Vec<Rows>, SegmentError> {
    let mut rows = Vec::new();
    for (group, share) in file.groups(&(extent.row_start..extent.row_start + extent.rows)) {
        let mut possible = file.possible_ids(group, ids)?;
        if possible.is_empty() {
            continue;
        }
        possible.sort_unstable();
        let mut first = share.start;
        for batch in file.batches(&[Column::Id], &[share])? {
            let batch = batch?;
            let values = batch.column(0).as_fixed_size_binary();
            for (row, id) in (first..).zip(values.iter().flatten()) {
                if possible.binary_search_by(|possible| possible.0.as_slice().cmp(id)).is_ok() {
                    rows.push(row..row + 1);
                }
            }
            first += batch.num_rows() as u32;
        }
    }
    Ok(rows)
}

fn answers(
    file: &SegmentFile,
    rows: &[Rows],
    log: &Log,
) -> Result<Vec<(EventId, Found)>, SegmentError> {
    let mut answers = Vec::new();
    if rows.is_empty() {
        return Ok(answers);
    }
    for batch in file.batches(&key_columns(), rows)? {
        let batch = batch?;
        let events = EventRows::of(&batch, file.path())?;
        for row in 0..events.len() {
            let answer = Found {
                seq: events.seq(row),
                received_ms: events.received_ms(row),
                digest: events.digest(row),
                leaf_hash: events.leaf_hash(row, log)?,
            };
            answers.push((events.id(row), answer));
        }
    }
    Ok(answers)
}

impl ReadView<'_> {
    /// Returns the event called `id`; of repeats that still have a payload, the one with the lowest seq.
    pub fn event_by_id(&self, slot: u64, id: EventId) -> Result<Option<Event>, SegmentError> {
        let log = self.log(slot)?;
        let mut found: Option<Event> = None;
        for (meta, extent) in self.places(slot, |_| true) {
            if found.as_ref().is_some_and(|event| event.seq < extent.seq_first) {
                break;
            }
            let rows = rows_of_ids(self.segments, meta, extent, &[id])?;
            let mut event = None;
            for row in &rows {
                let found = one_event(&*self.segments.open(meta)?, row, &log)?;
                event = found.filter(|event| event.id == id);
                if event.is_some() {
                    break;
                }
            }
            found = match (found, event) {
                (Some(a), Some(b)) => Some(if a.seq < b.seq { a } else { b }),
                (a, b) => a.or(b),
            };
        }
        if found.is_none() {
            let seqs = self.manifest.next_seq(slot)..u64::MAX;
            self.unsealed.visit(slot, seqs, Order::Ascending, &mut |record| {
                if record.id() != id {
                    return ControlFlow::Continue(());
                }
                found = Some(record.event(log.environment.clone(), log.tenant.clone()));
                ControlFlow::Break(())
            });
        }
        Ok(found)
    }

    /// Returns events from `from_seq` on that still have a payload, ascending: at most `events_max`, and no more once their bodies take
    /// `bytes_max` bytes, but at least one if there is one.
    pub fn read(
        &self,
        slot: u64,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Event>, SegmentError> {
        let log = self.log(slot)?;
        let mut taken = Taken { events: Vec::new(), bytes: 0, events_max, bytes_max };
        let places = self.places(slot, |extent| extent.seq_last >= from_seq);
        for cluster in super::clusters(places, Order::Ascending) {
            if taken.is_full() {
                return Ok(taken.events);
            }
            let room = events_max - taken.events.len();
            let mut events = Vec::new();
            for (meta, extent) in &cluster {
                // What one place gives up for the sake of bytes cannot be told from a gap, so only a place that
                // stands alone may stop early.
                let bytes_max =
                    if cluster.len() == 1 { bytes_max - taken.bytes } else { usize::MAX };
                read_place(
                    &*self.segments.open(meta)?,
                    extent,
                    from_seq,
                    (room, bytes_max),
                    &log,
                    &mut events,
                )?;
            }
            events.sort_unstable_by_key(|event: &Event| event.seq);
            events.into_iter().take(room).for_each(|event| taken.push(event));
        }
        let seqs = from_seq.max(self.manifest.next_seq(slot))..u64::MAX;
        if !taken.is_full() {
            self.unsealed.visit(slot, seqs, Order::Ascending, &mut |record| {
                taken.push(record.event(log.environment.clone(), log.tenant.clone()));
                if taken.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
        Ok(taken.events)
    }
}

struct Taken {
    events: Vec<Event>,
    bytes: usize,
    events_max: usize,
    bytes_max: usize,
}

impl Taken {
    fn is_full(&self) -> bool {
        self.events.len() >= self.events_max || self.bytes >= self.bytes_max
    }

    fn push(&mut self, event: Event) {
        if !self.is_full() {
            self.bytes += event.body.len();
            self.events.push(event);
        }
    }
}

/// Returns `None` when the event's payload was removed.
fn one_event(file: &SegmentFile, row: &Rows, log: &Log) -> Result<Option<Event>, SegmentError> {
    let mut events = Vec::new();
    collect(file, row, 0, log, &mut events)?;
    Ok(events.pop())
}

/// Adds events of `extent` from `from_seq` on until there are `events_max` or their bodies take `bytes_max` bytes.
fn read_place(
    file: &SegmentFile,
    extent: &Extent,
    from_seq: u64,
    (events_max, bytes_max): (usize, usize),
    log: &Log,
    out: &mut Vec<Event>,
) -> Result<(), SegmentError> {
    let end = extent.row_start + extent.rows;
    let dense = extent.is_dense() && from_seq > extent.seq_first;
    let mut start = extent.row_start + if dense { (from_seq - extent.seq_first) as u32 } else { 0 };
    let (before, mut bytes) = (out.len(), 0);
    while start < end && out.len() - before < events_max && bytes < bytes_max {
        let left = u32::try_from(events_max - (out.len() - before)).unwrap_or(u32::MAX);
        let stop = start.saturating_add(left.min(BODIES_MAX)).min(end);
        let already = out.len();
        collect(file, &(start..stop), from_seq, log, out)?;
        bytes += out[already..].iter().map(|event| event.body.len()).sum::<usize>();
        start = stop;
    }
    Ok(())
}

/// Adds the events of `rows` whose seq is `from_seq` or higher.
fn collect(
    file: &SegmentFile,
    rows: &Rows,
    from_seq: u64,
    log: &Log,
    out: &mut Vec<Event>,
) -> Result<(), SegmentError> {
    for batch in file.batches(EventRows::COLUMNS, std::slice::from_ref(rows))? {
        let batch = batch?;
        let events = EventRows::of(&batch, file.path())?;
        for row in (0..events.len()).filter(|row| events.seq(*row) >= from_seq) {
            if let Some(mut content) = events.content(row, log)? {
                content.hash();
                out.push(content.event);
            }
        }
    }
    Ok(())
}

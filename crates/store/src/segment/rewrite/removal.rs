//! Taking out of a segment what removal lists name: payloads of events, and single fields.

use std::collections::HashMap;

use arrow_array::{
    Array as _, BinaryArray, BooleanArray, FixedSizeBinaryArray, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt8Array, UInt16Array, UInt64Array, cast::AsArray as _,
};
use arrow_select::interleave::interleave_record_batch;
use attestary_event::{Event, Fields, erase};
use attestary_ledger::{RemovalList, fields_hash, removal};

use super::all_columns;
use crate::{
    catalog::SegmentMeta,
    planted::{Bug, planted},
    record::{RawTexts, text_columns},
    segment::{
        Rows, SegmentError, SegmentFile, Segments, Written, array,
        removed::{Left, NO_PAYLOAD},
        schema::{Column, Effort, LOG_NAME_KEY},
        write::{Chunk, LeftRow, mark_removed, writer},
    },
};

/// Removal lists by the slot of their log.
pub type Lists<'a> = HashMap<u64, &'a RemovalList>;

/// Returns a copy of the segment `meta` without what `lists` name, or `None` when nothing of that is left in it.
///
/// Rows keep their places, so the copy has the same extents. Events that the service wrote keep their payload whatever
/// a list says; some of their fields may go.
pub fn take_out(
    segments: &Segments,
    meta: &SegmentMeta,
    lists: &Lists<'_>,
) -> Result<Option<Written>, SegmentError> {
    let file = segments.open(meta)?;
    if !is_touched(&file, meta, lists)? {
        return Ok(None);
    }
    let encode = |source| SegmentError::Encode { source };
    let log_name = file.value(LOG_NAME_KEY).unwrap_or_default();
    let effort = if meta.level == 0 { Effort::Seal } else { Effort::Merge };
    let mut writer = writer(log_name, file.sizes(), effort).map_err(encode)?;
    mark_removed(&mut writer);
    let rows = 0..u32::try_from(meta.events).unwrap_or(u32::MAX);
    for batch in file.batches_as_written(&all_columns(), std::slice::from_ref(&rows))? {
        let batch = batch?;
        let batch = Batch::of(&batch, &file)?.without(lists)?.unwrap_or(batch);
        writer.write(&batch).map_err(encode)?;
    }
    let bytes = writer.into_inner().map_err(encode)?.into();
    Ok(Some(Written { bytes, events: meta.events, extents: meta.extents.clone() }))
}

/// Returns true when something that a list names is still there. Reads only the rows of the lists' logs.
fn is_touched(
    file: &SegmentFile,
    meta: &SegmentMeta,
    lists: &Lists<'_>,
) -> Result<bool, SegmentError> {
    for (slot, list) in lists {
        let Some(extent) = meta.extent(*slot) else { continue };
        let rows: Rows = extent.row_start..extent.row_start + extent.rows;
        let columns = [Column::Seq, Column::Flags, Column::Disclosures];
        for batch in file.batches_as_written(&columns, std::slice::from_ref(&rows))? {
            let batch = batch?;
            let seqs: &UInt64Array = file.column(&batch, Column::Seq)?.as_primitive();
            let flags: &UInt16Array = file.column(&batch, Column::Flags)?.as_primitive();
            let left: &BinaryArray = file.column(&batch, Column::Disclosures)?.as_binary();
            for row in 0..batch.num_rows() {
                let Some(named) = named(list, seqs.value(row), flags.value(row)) else { continue };
                if !is_gone(file, left, row, named)? {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Returns what `list` may take from an event.
fn named(list: &RemovalList, seq: u64, flags: u16) -> Option<removal::Extent<'_>> {
    let one_more = || planted(Bug::RemoveOneMore) && seq > 0 && list.of(seq - 1).is_some();
    let named = list.of(seq).or_else(|| one_more().then_some(removal::Extent::Payload))?;
    let own = flags & Event::SERVICE != 0 && named == removal::Extent::Payload;
    (!own).then_some(named)
}

fn is_gone(
    file: &SegmentFile,
    left: &BinaryArray,
    row: usize,
    named: removal::Extent<'_>,
) -> Result<bool, SegmentError> {
    if left.is_null(row) {
        return Ok(false);
    }
    let left = Left::decode(left.value(row))
        .ok_or_else(|| file.corrupt(format!("what is left of row {row} cannot be read")))?;
    Ok(match named {
        removal::Extent::Payload => matches!(left, Left::Nothing(_)),
        removal::Extent::Fields(indexes) => left.lacks(indexes),
    })
}

/// The columns of a batch that removing needs.
struct Batch<'a> {
    batch: &'a RecordBatch,
    file: &'a SegmentFile,
    slot: &'a UInt64Array,
    seq: &'a UInt64Array,
    id: &'a FixedSizeBinaryArray,
    received_at: &'a TimestampMillisecondArray,
    occurred_at: &'a TimestampMillisecondArray,
    severity: &'a UInt8Array,
    flags: &'a UInt16Array,
    n_fields: &'a UInt16Array,
    tenant: &'a StringArray,
    environment: &'a StringArray,
    body: &'a StringArray,
    seed: &'a FixedSizeBinaryArray,
    disclosures: &'a BinaryArray,
    node16: &'a FixedSizeBinaryArray,
    client_id: &'a BooleanArray,
}

impl<'a> Batch<'a> {
    fn of(batch: &'a RecordBatch, file: &'a SegmentFile) -> Result<Self, SegmentError> {
        let column = |column| file.column(batch, column);
        Ok(Self {
            batch,
            file,
            slot: column(Column::Slot)?.as_primitive(),
            seq: column(Column::Seq)?.as_primitive(),
            id: column(Column::Id)?.as_fixed_size_binary(),
            received_at: column(Column::ReceivedAt)?.as_primitive(),
            occurred_at: column(Column::OccurredAt)?.as_primitive(),
            severity: column(Column::Severity)?.as_primitive(),
            flags: column(Column::Flags)?.as_primitive(),
            n_fields: column(Column::NFields)?.as_primitive(),
            tenant: column(Column::Tenant)?.as_string(),
            environment: column(Column::Environment)?.as_string(),
            body: column(Column::Body)?.as_string(),
            seed: column(Column::Seed)?.as_fixed_size_binary(),
            disclosures: column(Column::Disclosures)?.as_binary(),
            node16: column(Column::Node16)?.as_fixed_size_binary(),
            client_id: column(Column::ClientId)?.as_boolean(),
        })
    }

    /// Returns the batch without what the lists name, `None` when they name nothing in it.
    fn without(&self, lists: &Lists<'_>) -> Result<Option<RecordBatch>, SegmentError> {
        let mut chunk = Chunk::default();
        let mut replaced = 0;
        let mut places = Vec::with_capacity(self.batch.num_rows());
        for row in 0..self.batch.num_rows() {
            let list = lists.get(&self.slot.value(row));
            let named =
                list.and_then(|list| named(list, self.seq.value(row), self.flags.value(row)));
            match named {
                Some(named) => {
                    self.add_left(row, named, &mut chunk)?;
                    places.push((1, replaced));
                    replaced += 1;
                }
                None => places.push((0, row)),
            }
        }
        if replaced == 0 {
            return Ok(None);
        }
        let encode = |source| SegmentError::Encode { source };
        let left = chunk.finish().map_err(encode)?;
        let mixed = interleave_record_batch(&[self.batch, &left], &places);
        mixed.map(Some).map_err(|error| encode(error.into()))
    }

    fn add_left(
        &self,
        row: usize,
        named: removal::Extent<'_>,
        chunk: &mut Chunk,
    ) -> Result<(), SegmentError> {
        let mut left = self.left(row)?;
        match named {
            removal::Extent::Payload => left = Left::Nothing(left.fields_hash()),
            removal::Extent::Fields(indexes) => left.erase(indexes),
        }
        let fields = left.fields();
        let columns = text_columns(&fields);
        let texts = RawTexts::parse(&columns).unwrap_or_default();
        let gone = matches!(left, Left::Nothing(_));
        let body = (!gone && self.body.is_valid(row)).then(|| {
            let keep = |pointer: &str| planted(Bug::KeepErased) || fields.get(pointer).is_some();
            erase::without(self.body.value(row).as_bytes(), keep)
        });
        let received_ms = self.received_at.value(row);
        let left = LeftRow {
            slot: self.slot.value(row),
            seq: self.seq.value(row),
            id: self.id.value(row),
            received_ms,
            occurred_ms: if gone { received_ms } else { self.occurred_at.value(row) },
            severity: if gone { NO_PAYLOAD } else { self.severity.value(row) },
            flags: self.flags.value(row),
            n_fields: self.n_fields.value(row),
            texts: &texts,
            tenant: self.tenant.value(row),
            environment: self.environment.value(row),
            body: body.as_deref(),
            disclosures: &left.encode(),
            node16: self.node16.is_valid(row).then(|| self.node16.value(row)),
            client_id: self.client_id.value(row),
        };
        chunk.add_left(&left).map_err(|source| SegmentError::Encode { source })
    }

    /// Returns what is there of a row now.
    fn left(&self, row: usize) -> Result<Left, SegmentError> {
        let corrupt = |what: &str| self.file.corrupt(format!("seq {} {what}", self.seq.value(row)));
        if self.disclosures.is_valid(row) {
            let left = Left::decode(self.disclosures.value(row));
            return left.ok_or_else(|| corrupt("cannot be read: what is left of it"));
        }
        if self.body.is_null(row) || self.seed.is_null(row) {
            return Err(corrupt("has no content"));
        }
        let fields = Fields::of_stored(self.body.value(row).as_bytes());
        if fields.len() != usize::from(self.n_fields.value(row)) {
            return Err(corrupt("does not have its number of fields"));
        }
        let seed: [u8; 16] = array(self.seed.value(row));
        let left = Left::of_whole(&fields, &seed);
        debug_assert_eq!(
            left.fields_hash(),
            fields_hash(
                &seed,
                fields.iter().map(|f| (f.pointer, f.kind as u8, f.value.as_bytes()))
            )
        );
        Ok(left)
    }
}

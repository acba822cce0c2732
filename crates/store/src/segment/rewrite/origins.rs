//! Segments of logs that go on under another origin: every entry is bound to its log's origin, so leaves change, and with
//! them the tree nodes that stand beside the rows and the genesis event. All else is copied.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{
    Array as _, ArrayRef, FixedSizeBinaryArray, RecordBatch, UInt64Array,
    builder::FixedSizeBinaryBuilder, cast::AsArray as _,
};
use arrow_select::interleave::interleave_record_batch;
use attestary_ledger::{Frontier, Hash};

use super::all_columns;
use crate::{
    catalog::{Extent, SegmentMeta},
    record::Record,
    segment::{
        Log, Row, SegmentError, SegmentFile, Segments, Written,
        schema::{Column, Effort, LOG_NAME_KEY},
        write::{Chunk, mark_removed, writer},
    },
};

/// A log under its new origin.
#[derive(Debug)]
pub struct Renewed<'a> {
    /// The event that stands at seq 0 from now on.
    pub genesis: Record<'a>,
    /// Names and the new origin.
    pub log: Log,
    /// Level-4 nodes of the new tree, from the first on.
    pub nodes: &'a [Hash],
}

/// Returns a copy of the segment `meta` with the new nodes and genesis events of `logs`, by slot.
///
/// Rows keep their places.
pub fn under_new_origins(
    segments: &Segments,
    meta: &SegmentMeta,
    logs: &HashMap<u64, Renewed<'_>>,
) -> Result<Written, SegmentError> {
    let file = segments.open_uncached(meta)?;
    let encode = |source| SegmentError::Encode { source };
    let effort = if meta.level == 0 { Effort::Seal } else { Effort::Merge };
    let log_name = file.value(LOG_NAME_KEY).unwrap_or_default();
    let mut writer = writer(log_name, file.sizes(), effort).map_err(encode)?;
    if file.has_removed() {
        mark_removed(&mut writer);
    }
    let rows = 0..u32::try_from(meta.events).unwrap_or(u32::MAX);
    for batch in file.batches_as_written(&all_columns(), std::slice::from_ref(&rows))? {
        let batch = with_nodes(&batch?, &file, logs)?;
        let batch = with_genesis(&batch, &file, logs)?.unwrap_or(batch);
        writer.write(&batch).map_err(encode)?;
    }
    let bytes = writer.into_inner().map_err(encode)?.into();
    let extents = meta.extents.iter().map(|extent| renewed_extent(extent, logs)).collect();
    Ok(Written { bytes, events: meta.events, extents })
}

/// The new genesis event has a time of its own.
fn renewed_extent(extent: &Extent, logs: &HashMap<u64, Renewed<'_>>) -> Extent {
    let genesis = logs.get(&extent.slot).filter(|_| extent.seq_first == 0);
    let Some(at) = genesis.map(|log| log.genesis.occurred_ms()) else { return *extent };
    Extent {
        occurred_min_ms: extent.occurred_min_ms.min(at),
        occurred_max_ms: extent.occurred_max_ms.max(at),
        ..*extent
    }
}

fn numbers<'a>(
    batch: &'a RecordBatch,
    file: &SegmentFile,
    column: Column,
) -> Result<&'a UInt64Array, SegmentError> {
    Ok(file.column(batch, column)?.as_primitive())
}

fn with_nodes(
    batch: &RecordBatch,
    file: &SegmentFile,
    logs: &HashMap<u64, Renewed<'_>>,
) -> Result<RecordBatch, SegmentError> {
    const WIDTH: &str = "a hash has the width of the column";
    let slots = numbers(batch, file, Column::Slot)?;
    let seqs = numbers(batch, file, Column::Seq)?;
    let before: &FixedSizeBinaryArray = file.column(batch, Column::Node16)?.as_fixed_size_binary();
    let mut nodes = FixedSizeBinaryBuilder::with_capacity(batch.num_rows(), 32);
    for row in 0..batch.num_rows() {
        let (log, seq) = (logs.get(&slots.value(row)), seqs.value(row));
        let node: Option<&[u8]> = match log {
            None => before.is_valid(row).then(|| before.value(row)),
            Some(log) => completed(seq).and_then(|index| log.nodes.get(index)).map(Hash::as_slice),
        };
        match node {
            Some(node) => nodes.append_value(node).expect(WIDTH),
            None => nodes.append_null(),
        }
    }
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns[Column::Node16.index()] = Arc::new(nodes.finish());
    RecordBatch::try_new(batch.schema(), columns)
        .map_err(|error| SegmentError::Encode { source: error.into() })
}

/// Returns the index of the level-4 node that an event completes.
fn completed(seq: u64) -> Option<usize> {
    let leaves = seq + 1;
    let width = 1 << Frontier::KEPT_LEVEL;
    leaves.is_multiple_of(width).then(|| (leaves / width - 1) as usize)
}

/// Returns the batch with the new genesis events, `None` when it holds none.
fn with_genesis(
    batch: &RecordBatch,
    file: &SegmentFile,
    logs: &HashMap<u64, Renewed<'_>>,
) -> Result<Option<RecordBatch>, SegmentError> {
    let slots = numbers(batch, file, Column::Slot)?;
    let seqs = numbers(batch, file, Column::Seq)?;
    let mut chunk = Chunk::default();
    let (mut replaced, mut places) = (0, Vec::with_capacity(batch.num_rows()));
    for row in 0..batch.num_rows() {
        match logs.get(&slots.value(row)).filter(|_| seqs.value(row) == 0) {
            Some(renewed) => {
                chunk.add(&Row { record: renewed.genesis, node16: None }, &renewed.log)?;
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
    let fresh = chunk.finish().map_err(encode)?;
    let mixed = interleave_record_batch(&[batch, &fresh], &places);
    mixed.map(Some).map_err(|error| encode(error.into()))
}

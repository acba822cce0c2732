//! Rewriting segments: without the rows of one tenant, for its deletion, or without what removal lists name.
//!
//! Rows are copied column by column; nothing is recomputed, so leaves and nodes stay as they are. A row that loses its
//! payload or some fields stays, with what its leaf hash still needs, so that row numbers and extents stay too.

mod origins;
mod removal;

pub use origins::{Renewed, under_new_origins};
pub use removal::{Lists, take_out};

use super::{
    Rows, SegmentError, Segments, Written,
    schema::{Column, Effort, LOG_NAME_KEY, SCHEMA},
    write::{mark_removed, writer},
};
use crate::{
    catalog::{Extent, SegmentMeta},
    record::TEXT_COLUMNS,
};

/// Returns a copy of the segment `meta` without the rows of `slot`, or `None` when nothing would be left.
///
/// The caller puts it under a new id and swaps the two in one commit.
pub fn without(
    segments: &Segments,
    meta: &SegmentMeta,
    slot: u64,
) -> Result<Option<Written>, SegmentError> {
    let kept = kept(meta, slot);
    if kept.is_empty() {
        return Ok(None);
    }
    let file = segments.open(meta)?;
    let encode = |source| SegmentError::Encode { source };
    let effort = if meta.level == 0 { Effort::Seal } else { Effort::Merge };
    let mut writer = writer(file.value(LOG_NAME_KEY).unwrap_or_default(), file.sizes(), effort)
        .map_err(encode)?;
    if file.has_removed() {
        mark_removed(&mut writer);
    }
    for batch in file.batches_as_written(&all_columns(), &kept)? {
        writer.write(&batch?).map_err(encode)?;
    }
    let bytes = writer.into_inner().map_err(encode)?.into();
    let events = kept.iter().map(|rows| u64::from(rows.end - rows.start)).sum();
    Ok(Some(Written { bytes, events, extents: shifted(meta, slot) }))
}

/// Returns the rows of all other tenants.
fn kept(meta: &SegmentMeta, slot: u64) -> Vec<Rows> {
    let mut kept: Vec<Rows> = Vec::new();
    for extent in meta.extents.iter().filter(|extent| extent.slot != slot) {
        let rows = extent.row_start..extent.row_start + extent.rows;
        match kept.last_mut() {
            Some(last) if last.end == rows.start => last.end = rows.end,
            _ => kept.push(rows),
        }
    }
    kept
}

/// Returns the other tenants' extents with their new row numbers.
fn shifted(meta: &SegmentMeta, slot: u64) -> Vec<Extent> {
    let mut row_start = 0;
    let others = meta.extents.iter().filter(|extent| extent.slot != slot);
    others
        .map(|extent| {
            let moved = Extent { row_start, ..*extent };
            row_start += extent.rows;
            moved
        })
        .collect()
}

/// Every column, in the order of the schema.
pub(super) fn all_columns() -> Vec<Column> {
    let mut columns = vec![
        Column::Slot,
        Column::Seq,
        Column::Id,
        Column::ReceivedAt,
        Column::OccurredAt,
        Column::Severity,
        Column::Flags,
        Column::NFields,
    ];
    columns.extend((0..TEXT_COLUMNS.len()).map(Column::Text));
    columns.extend([
        Column::TargetTypes,
        Column::TargetIds,
        Column::Tenant,
        Column::Environment,
        Column::Body,
        Column::Seed,
        Column::Digest,
        Column::Disclosures,
        Column::Node16,
        Column::ClientId,
    ]);
    debug_assert_eq!(columns.len(), SCHEMA.fields().len());
    columns
}

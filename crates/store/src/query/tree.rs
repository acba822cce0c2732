//! Reads for proofs: entries recomputed from sealed content, and the level-4 nodes that stand beside them.

use std::ops::Range;

use arrow_array::{Array as _, cast::AsArray as _, types::UInt64Type};
use attestary_ledger::{Entry, Hash};

use super::ReadView;
use crate::{
    catalog::Extent,
    segment::{EventRows, Rows, SegmentError, removed::Part, schema::Column},
};

/// Leaves under a kept node.
pub(crate) const NODE_LEAVES: u64 = 16;

/// An event as its leaf commits to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// What the leaf is the hash of.
    pub entry: Entry,
    /// What the entry's hash of all fields can be computed from.
    pub remains: Remains,
}

/// What is there of an event's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// Everything.
    Whole {
        /// Source of the salts.
        seed: [u8; 16],
        /// The committed members as compact JSON.
        body: Box<[u8]>,
    },
    /// Some fields were erased.
    Parts {
        /// Every committed field in the order of the pointers, those that went as their hashes.
        parts: Vec<Part>,
        /// The fields that stay as compact JSON, for people; nothing is hashed from it.
        body: Box<[u8]>,
    },
    /// The payload was removed: the hash in the entry is all there is.
    Nothing,
}

impl Remains {
    /// Returns what is left to show, as compact JSON.
    pub fn body(&self) -> Option<&[u8]> {
        match self {
            Self::Whole { body, .. } | Self::Parts { body, .. } => Some(body),
            Self::Nothing => None,
        }
    }
}

impl ReadView<'_> {
    /// Calls `f` with the sealed events of `slot` in `seqs`, in no particular order.
    pub(crate) fn committed(
        &self,
        slot: u64,
        seqs: &Range<u64>,
        f: &mut dyn FnMut(Committed),
    ) -> Result<(), SegmentError> {
        let log = self.log(slot)?;
        for (meta, extent) in self.places(slot, |extent| overlaps(extent, seqs)) {
            let file = self.segments.open(meta)?;
            for batch in file.batches(EventRows::COLUMNS, &[rows(extent, seqs)])? {
                let batch = batch?;
                let events = EventRows::of(&batch, file.path())?;
                for row in (0..events.len()).filter(|row| seqs.contains(&events.seq(*row))) {
                    f(match events.content(row, &log)? {
                        Some(content) => content.committed(),
                        None => Committed {
                            entry: events.removed_entry(row, &log)?,
                            remains: Remains::Nothing,
                        },
                    });
                }
            }
        }
        Ok(())
    }

    /// Calls `f` with the kept nodes that sealed rows of `slot` in `seqs` complete: the row's seq and the node.
    pub(crate) fn kept_nodes(
        &self,
        slot: u64,
        seqs: &Range<u64>,
        f: &mut dyn FnMut(u64, Hash),
    ) -> Result<(), SegmentError> {
        for (meta, extent) in self.places(slot, |extent| overlaps(extent, seqs)) {
            let file = self.segments.open(meta)?;
            for batch in file.batches(&[Column::Seq, Column::Node16], &[rows(extent, seqs)])? {
                let batch = batch?;
                let missing = || file.corrupt("it has no tree nodes");
                let seq = batch.column_by_name(Column::Seq.name()).ok_or_else(missing)?;
                let nodes = batch.column_by_name(Column::Node16.name()).ok_or_else(missing)?;
                let (seq, nodes) = (seq.as_primitive::<UInt64Type>(), nodes.as_fixed_size_binary());
                for row in (0..seq.len()).filter(|row| !nodes.is_null(*row)) {
                    if let (true, Ok(node)) =
                        (seqs.contains(&seq.value(row)), Hash::try_from(nodes.value(row)))
                    {
                        f(seq.value(row), node);
                    }
                }
            }
        }
        Ok(())
    }
}

fn overlaps(extent: &Extent, seqs: &Range<u64>) -> bool {
    extent.seq_first < seqs.end && extent.seq_last >= seqs.start
}

/// Returns the rows of `extent` that may have a seq in `seqs`: exactly those where no seq is missing.
fn rows(extent: &Extent, seqs: &Range<u64>) -> Rows {
    if !extent.is_dense() {
        return extent.row_start..extent.row_start + extent.rows;
    }
    let row = |seq: u64| extent.row_start + (seq - extent.seq_first) as u32;
    row(seqs.start.max(extent.seq_first))..row(seqs.end.min(extent.seq_last + 1))
}

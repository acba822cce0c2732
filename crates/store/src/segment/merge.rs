//! Merging segments into fewer rows apart: each log's rows of all inputs come to stand together.
//!
//! Rows are copied column by column; nothing is recomputed, so leaves and nodes stay as they are. The inputs are read
//! from front to back, a few thousand rows of each at a time, and an output ends when it is big enough, in the middle
//! of a log if need be: memory holds one output and one batch of every input, whatever their sizes.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::{
    RecordBatch,
    cast::AsArray as _,
    types::{TimestampMillisecondType, UInt64Type},
};
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;

use super::{
    SegmentError, Segments, Written,
    rewrite::all_columns,
    schema::{Column, Effort, LOG_NAME_KEY, SCHEMA},
    write::{mark_removed, writer},
};
use crate::catalog::{Extent, SegmentMeta};

/// Rows that are handed to the encoder at once, or a row group if that is fewer.
const CHUNK_ROWS: usize = 8_192;

/// What a merge tells as it goes.
pub(crate) enum Step {
    /// Some thousand rows at most are about to be taken.
    Rows,
    /// An output was encoded.
    Output(Written),
}

/// Merges `inputs`, whose rows of any one log must not interleave, and hands each output to `tell` as soon as it is
/// encoded. An output ends with the rows that bring it to `bytes_max` bytes.
///
/// # Errors
/// What reading and encoding say, [`SegmentError::Unsorted`] when the inputs' rows of a log interleave, and whatever
/// `tell` says, which ends the merge.
pub(crate) fn merge<E: From<SegmentError>>(
    segments: &Segments,
    inputs: &[Arc<SegmentMeta>],
    bytes_max: usize,
    mut tell: impl FnMut(Step) -> Result<(), E>,
) -> Result<(), E> {
    let mut readers =
        inputs.iter().map(|meta| Reader::open(segments, meta)).collect::<Result<Vec<_>, _>>()?;
    let log_name = readers.first().map_or_else(String::new, |reader| reader.log_name.clone());
    let removed = readers.iter().any(|reader| reader.removed);
    let mut output = Output::new(segments, &log_name, removed)?;
    for part in parts(inputs)? {
        let mut left = part.rows as usize;
        while left > 0 {
            tell(Step::Rows)?;
            let rows = readers[part.input].take(left)?;
            left -= rows.num_rows();
            output.add(part.slot, &rows)?;
            if output.bytes() >= bytes_max {
                let full =
                    std::mem::replace(&mut output, Output::new(segments, &log_name, removed)?);
                tell(Step::Output(full.finish()?))?;
            }
        }
    }
    if output.rows > 0 {
        tell(Step::Output(output.finish()?))?;
    }
    Ok(())
}

/// One input's rows of one log.
struct Part {
    slot: u64,
    input: usize,
    rows: u32,
}

/// Returns the order in which rows are taken: by log, then by seq. Within each input that is from front to back.
fn parts(inputs: &[Arc<SegmentMeta>]) -> Result<Vec<Part>, SegmentError> {
    let mut extents: Vec<(usize, &Extent)> = Vec::new();
    for (input, meta) in inputs.iter().enumerate() {
        extents.extend(meta.extents.iter().map(|extent| (input, extent)));
    }
    extents.sort_unstable_by_key(|(_, extent)| (extent.slot, extent.seq_first));
    for [(_, before), (_, after)] in extents.array_windows() {
        if before.slot == after.slot && before.seq_last >= after.seq_first {
            return Err(SegmentError::Unsorted { slot: after.slot, seq: after.seq_first });
        }
    }
    let part =
        |(input, extent): (usize, &Extent)| Part { slot: extent.slot, input, rows: extent.rows };
    Ok(extents.into_iter().map(part).collect())
}

/// An input, read from front to back.
struct Reader {
    path: String,
    log_name: String,
    /// Rows of it lost their payload.
    removed: bool,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, SegmentError>>>,
    /// What is left of the batch in hand.
    batch: RecordBatch,
    /// Rows that were not taken yet.
    left: usize,
}

impl Reader {
    /// Opens the segment beside the cache: a merge must not push out what queries use.
    fn open(segments: &Segments, meta: &SegmentMeta) -> Result<Self, SegmentError> {
        let file = segments.open_uncached(meta)?;
        let rows = 0..meta.events as u32;
        Ok(Self {
            path: meta.path.clone(),
            log_name: file.value(LOG_NAME_KEY).unwrap_or_default().to_owned(),
            removed: file.has_removed(),
            batches: Box::new(
                file.batches_as_written(&all_columns(), std::slice::from_ref(&rows))?,
            ),
            batch: RecordBatch::new_empty(Arc::clone(&SCHEMA)),
            left: meta.events as usize,
        })
    }

    /// Returns the next rows: at least one and at most `rows_max`. With the last ones, what reading them took is given
    /// back: a run has many segments, and one of them at a time is in use.
    fn take(&mut self, rows_max: usize) -> Result<RecordBatch, SegmentError> {
        while self.batch.num_rows() == 0 {
            self.batch = self.batches.next().unwrap_or_else(|| {
                Err(SegmentError::corrupt(&self.path, "rows that the manifest counts are missing"))
            })?;
        }
        let rows = rows_max.min(self.batch.num_rows());
        let taken = self.batch.slice(0, rows);
        self.batch = self.batch.slice(rows, self.batch.num_rows() - rows);
        self.left = self.left.saturating_sub(rows);
        if self.batch.num_rows() == 0 {
            self.batch = RecordBatch::new_empty(Arc::clone(&SCHEMA));
        }
        if self.left == 0 {
            self.batches = Box::new(std::iter::empty());
        }
        Ok(taken)
    }
}

/// A segment being written.
struct Output {
    writer: ArrowWriter<Vec<u8>>,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    chunk_rows: usize,
    extents: Vec<Extent>,
    rows: u32,
}

impl Output {
    fn new(segments: &Segments, log_name: &str, removed: bool) -> Result<Self, SegmentError> {
        let sizes = segments.sizes();
        let mut writer = writer(log_name, sizes, Effort::Merge).map_err(encode)?;
        if removed {
            mark_removed(&mut writer);
        }
        Ok(Self {
            writer,
            pending: vec![],
            pending_rows: 0,
            chunk_rows: CHUNK_ROWS.min(sizes.row_group_rows),
            extents: vec![],
            rows: 0,
        })
    }

    /// Adds rows of one log, which follow those before.
    fn add(&mut self, slot: u64, rows: &RecordBatch) -> Result<(), SegmentError> {
        let extent = extent_of(slot, self.rows, rows);
        match self.extents.last_mut() {
            Some(last) if last.slot == slot => last.join(&extent),
            _ => self.extents.push(extent),
        }
        self.rows += extent.rows;
        let (mut at, end) = (0, rows.num_rows());
        while at < end {
            // Chunks are whole pages: a page that ends early would shift all edges after it.
            let count = (self.chunk_rows - self.pending_rows).min(end - at);
            self.pending.push(rows.slice(at, count));
            self.pending_rows += count;
            at += count;
            if self.pending_rows == self.chunk_rows {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Many logs have few rows each: the encoder gets them together.
    fn flush(&mut self) -> Result<(), SegmentError> {
        self.pending_rows = 0;
        let rows = concat_batches(&SCHEMA, &std::mem::take(&mut self.pending));
        self.writer.write(&rows.map_err(|error| encode(error.into()))?).map_err(encode)
    }

    /// Returns the bytes that are encoded so far.
    fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    fn finish(mut self) -> Result<Written, SegmentError> {
        self.flush()?;
        let bytes = self.writer.into_inner().map_err(encode)?.into();
        Ok(Written { bytes, extents: self.extents, events: u64::from(self.rows) })
    }
}

fn encode(source: parquet::errors::ParquetError) -> SegmentError {
    SegmentError::Encode { source }
}

/// Reads where and when rows of one log are.
fn extent_of(slot: u64, row_start: u32, rows: &RecordBatch) -> Extent {
    let seqs = rows.column(Column::Seq.index()).as_primitive::<UInt64Type>().values();
    let times = |column: Column| {
        let times = rows.column(column.index()).as_primitive::<TimestampMillisecondType>().values();
        times.iter().fold((i64::MAX, i64::MIN), |(min, max), at| (min.min(*at), max.max(*at)))
    };
    let (occurred, received) = (times(Column::OccurredAt), times(Column::ReceivedAt));
    Extent {
        slot,
        row_start,
        rows: rows.num_rows() as u32,
        seq_first: seqs[0],
        seq_last: seqs[seqs.len() - 1],
        occurred_min_ms: occurred.0,
        occurred_max_ms: occurred.1,
        received_min_ms: received.0.cast_unsigned(),
        received_max_ms: received.1.cast_unsigned(),
    }
}

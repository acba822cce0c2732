//! An open segment: its footer, page index and bloom filters, and reads of some columns of some rows.

use std::{collections::HashMap, ops::Range, sync::Arc};

use arrow_array::{RecordBatch, cast::AsArray as _};
use attestary_event::EventId;
use parking_lot::Mutex;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder, RowSelection,
        },
    },
    bloom_filter::Sbbf,
    file::{metadata::PageIndexPolicy, statistics::Statistics},
};

use super::{
    FORMAT_VERSION, SegmentError,
    schema::{Column, MAGIC, MAGIC_KEY, READ_SCHEMA, REMOVED_KEY, SCHEMA, Sizes, VERSION_KEY},
    source::Source,
};
use crate::catalog::SegmentMeta;

/// Rows decoded at once.
const BATCH_ROWS: usize = 4_096;

/// Absolute row numbers in a segment.
pub(crate) type Rows = Range<u32>;

/// An open segment. Reads are independent of each other and may run on many threads.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    path: String,
    source: Source,
    metadata: ArrowReaderMetadata,
    /// First row of each row group, then the number of rows.
    bounds: Vec<u32>,
    blooms: Mutex<Blooms>,
    sizes: Sizes,
}

#[derive(Debug, Default)]
struct Blooms {
    loaded: HashMap<(usize, Column), Option<Arc<Sbbf>>>,
    bytes: usize,
}

impl SegmentFile {
    /// Reads footer and page index and compares them with the manifest.
    pub(super) fn open(
        source: Source,
        meta: &SegmentMeta,
        sizes: Sizes,
    ) -> Result<Self, SegmentError> {
        let path = meta.path.clone();
        let options = ArrowReaderOptions::new()
            .with_schema(Arc::clone(&READ_SCHEMA))
            .with_offset_index_policy(PageIndexPolicy::Required);
        let metadata = ArrowReaderMetadata::load(&source, options)
            .map_err(|source| SegmentError::of_parquet(&path, &source))?;
        check_version(&metadata, &path)?;
        let mut bounds = vec![0];
        for group in metadata.metadata().row_groups() {
            let rows = u32::try_from(group.num_rows())
                .map_err(|_| SegmentError::corrupt(&path, "row count"))?;
            bounds.push(bounds.last().expect("starts with 0") + rows);
        }
        let rows = *bounds.last().expect("starts with 0");
        if u64::from(rows) != meta.events {
            return Err(SegmentError::corrupt(
                &path,
                format!("{rows} rows; the manifest says {}", meta.events),
            ));
        }
        Ok(Self { path, source, metadata, bounds, blooms: Mutex::default(), sizes })
    }

    /// Returns the path, for messages.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns how many rows the writer kept together.
    pub(crate) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns a pair of the key-value metadata.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        value(&self.metadata, key)
    }

    /// Returns a column of a batch that was read with it.
    pub(crate) fn column<'b>(
        &self,
        batch: &'b RecordBatch,
        column: Column,
    ) -> Result<&'b arrow_array::ArrayRef, SegmentError> {
        let found = batch.column_by_name(column.name());
        found.ok_or_else(|| self.corrupt(format!("column {} is missing", column.name())))
    }

    /// Returns true when the payload of some rows was removed.
    pub(crate) fn has_removed(&self) -> bool {
        self.value(REMOVED_KEY).is_some()
    }

    /// Returns the error for bytes of this segment that do not fit.
    pub(crate) fn corrupt(&self, what: impl Into<String>) -> SegmentError {
        SegmentError::corrupt(&self.path, what)
    }

    /// Returns the bytes kept in memory for this segment.
    pub(super) fn cached_bytes(&self) -> usize {
        self.metadata.metadata().memory_size() + self.blooms.lock().bytes
    }

    /// Returns the row groups that `rows` touches, each with its share of `rows`.
    pub(crate) fn groups(&self, rows: &Rows) -> Vec<(usize, Rows)> {
        let shares =
            self.bounds.array_windows().enumerate().map(|(group, [start, end])| {
                (group, (*start).max(rows.start)..(*end).min(rows.end))
            });
        shares.filter(|(_, share)| share.start < share.end).collect()
    }

    /// Decodes `columns` of `rows`: ascending, disjoint ranges.
    pub(crate) fn batches(
        &self,
        columns: &[Column],
        rows: &[Rows],
    ) -> Result<impl Iterator<Item = Result<RecordBatch, SegmentError>> + use<>, SegmentError> {
        self.batches_of(self.metadata.clone(), columns, rows)
    }

    /// Like [`SegmentFile::batches`], with text in the arrays of the written schema.
    pub(crate) fn batches_as_written(
        &self,
        columns: &[Column],
        rows: &[Rows],
    ) -> Result<impl Iterator<Item = Result<RecordBatch, SegmentError>> + use<>, SegmentError> {
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(&SCHEMA));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(self.metadata.metadata()), options);
        self.batches_of(
            metadata.map_err(|source| SegmentError::of_parquet(&self.path, &source))?,
            columns,
            rows,
        )
    }

    fn batches_of(
        &self,
        metadata: ArrowReaderMetadata,
        columns: &[Column],
        rows: &[Rows],
    ) -> Result<impl Iterator<Item = Result<RecordBatch, SegmentError>> + use<>, SegmentError> {
        // The rows come from the catalog, which may be damaged in its turn.
        let count = self.bounds.last().copied().unwrap_or(0);
        if let Some(beyond) = rows.iter().find(|range| range.start > range.end || range.end > count)
        {
            return Err(self.corrupt(format!("rows {beyond:?} of {count} are asked for")));
        }
        let reader = self.reader(metadata, columns, rows);
        let reader = reader.map_err(|source| SegmentError::of_parquet(&self.path, &source))?;
        let path = self.path.clone();
        Ok(reader.map(move |batch| {
            batch.map_err(|source| SegmentError::of_parquet(&path, &source.into()))
        }))
    }

    fn reader(
        &self,
        metadata: ArrowReaderMetadata,
        columns: &[Column],
        rows: &[Rows],
    ) -> Result<ParquetRecordBatchReader, parquet::errors::ParquetError> {
        let whole =
            rows.first().map_or(0, |first| first.start)..rows.last().map_or(0, |last| last.end);
        let groups = self.groups(&whole);
        // Between the first and the last row group none is left out, so positions shift by one constant.
        let shift = groups.first().map_or(0, |(group, _)| self.bounds[*group]);
        let end = groups.last().map_or(0, |(group, _)| self.bounds[*group + 1]);
        let ranges =
            rows.iter().map(|range| (range.start - shift) as usize..(range.end - shift) as usize);
        let selection = RowSelection::from_consecutive_ranges(ranges, (end - shift) as usize);
        let roots = columns.iter().map(|column| column.index());
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.source.clone(), metadata)
            .with_projection(mask)
            .with_row_groups(groups.iter().map(|(group, _)| *group).collect())
            .with_row_selection(selection)
            .with_batch_size(BATCH_ROWS)
            .build()
    }

    /// Returns false when no row of the group holds any of `values` in `column`, by its bloom filter.
    pub(crate) fn may_hold<'v>(
        &self,
        group: usize,
        column: Column,
        mut values: impl Iterator<Item = &'v [u8]>,
    ) -> Result<bool, SegmentError> {
        match self.bloom(group, column)? {
            Some(bloom) => Ok(values.any(|value| bloom.check(value))),
            None => Ok(true),
        }
    }

    /// Returns those of `ids` that may be in the row group.
    pub(crate) fn possible_ids(
        &self,
        group: usize,
        ids: &[EventId],
    ) -> Result<Vec<EventId>, SegmentError> {
        let bloom = self.bloom(group, Column::Id)?;
        let possible =
            ids.iter().filter(|id| bloom.as_ref().is_none_or(|bloom| bloom.check(id.0.as_slice())));
        Ok(possible.copied().collect())
    }

    fn bloom(&self, group: usize, column: Column) -> Result<Option<Arc<Sbbf>>, SegmentError> {
        if let Some(bloom) = self.blooms.lock().loaded.get(&(group, column)) {
            return Ok(bloom.clone());
        }
        let chunk = self.metadata.metadata().row_group(group).column(column.index());
        let bloom = match Sbbf::read_from_column_chunk(chunk, &self.source) {
            Ok(bloom) => bloom.map(Arc::new),
            Err(source) => match SegmentError::of_parquet(&self.path, &source) {
                // A damaged filter costs speed, no event: without it every row is looked at.
                error @ SegmentError::Corrupt { .. } => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "a bloom filter is damaged and not used");
                    None
                }
                error => return Err(error),
            },
        };
        let mut blooms = self.blooms.lock();
        blooms.bytes += bloom.as_ref().map_or(0, |bloom| bloom.num_blocks() * 32);
        blooms.loaded.insert((group, column), bloom.clone());
        Ok(bloom)
    }

    /// Returns the ids of all rows, each with its row.
    pub(super) fn ids(&self) -> Result<Vec<(EventId, u32)>, SegmentError> {
        let rows = *self.bounds.last().expect("starts with 0");
        let mut ids = Vec::with_capacity(rows as usize);
        let mut first = 0;
        for batch in self.batches(&[Column::Id], std::slice::from_ref(&(0..rows)))? {
            let batch = batch?;
            let values = batch.column(0).as_fixed_size_binary();
            let found = (first..).zip(values.iter());
            ids.extend(found.filter_map(|(row, id)| Some((EventId(id?.try_into().ok()?), row))));
            first += batch.num_rows() as u32;
        }
        Ok(ids)
    }

    /// Returns the statistics of a column in a row group.
    pub(crate) fn statistics(&self, group: usize, column: Column) -> Option<&Statistics> {
        self.metadata.metadata().row_group(group).column(column.index()).statistics()
    }
}

/// Returns a pair of the file's key-value metadata.
fn value<'a>(metadata: &'a ArrowReaderMetadata, key: &str) -> Option<&'a str> {
    let pairs = metadata.metadata().file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
}

fn check_version(metadata: &ArrowReaderMetadata, path: &str) -> Result<(), SegmentError> {
    if value(metadata, MAGIC_KEY) != Some(MAGIC) {
        return Err(SegmentError::corrupt(path, "it is a Parquet file but not a segment"));
    }
    match value(metadata, VERSION_KEY).and_then(|text| text.parse::<u32>().ok()) {
        Some(found) if found > FORMAT_VERSION => {
            Err(SegmentError::Newer { path: path.to_owned(), found })
        }
        Some(_) => Ok(()),
        None => Err(SegmentError::corrupt(path, "it names no format version")),
    }
}

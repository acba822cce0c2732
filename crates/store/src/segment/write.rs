//! Writing a segment: records in, Parquet bytes and extents out. CPU only.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, RecordBatch, StringArray,
    builder::{
        BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, ListBuilder, StringBuilder,
        TimestampMillisecondBuilder, UInt8Builder, UInt16Builder, UInt64Builder,
    },
};
use attestary_ledger::Hash;
use bytes::Bytes;
use parquet::{arrow::ArrowWriter, errors::ParquetError, file::metadata::KeyValue};

use super::{
    BLOCK_BYTES, FORMAT_VERSION, Log, Logs, SegmentError, Segments,
    schema::{Effort, REMOVED_KEY, SCHEMA, Sizes, properties},
    sha256,
};
use crate::{
    catalog::{Extent, SegmentMeta},
    record::{RawTexts, Record, RecordError, TEXT_COLUMNS},
};

/// One event to be sealed.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The event.
    pub record: Record<'a>,
    /// Level-4 Merkle node, when this event completed one.
    pub node16: Option<Hash>,
}

/// An encoded segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The whole object.
    pub bytes: Bytes,
    /// One per tenant, by slot.
    pub extents: Vec<Extent>,
    /// Rows.
    pub events: u64,
}

impl Written {
    /// Returns the manifest's row for this object under `id`.
    pub fn meta(&self, id: &str, partition: u32, created_ms: u64) -> SegmentMeta {
        SegmentMeta {
            id: id.to_owned(),
            path: Segments::path(id),
            bytes: self.bytes.len() as u64,
            events: self.events,
            format_version: FORMAT_VERSION,
            sha256: sha256(&self.bytes),
            crcs: self.bytes.chunks(BLOCK_BYTES).map(crc32c::crc32c).collect(),
            partition,
            created_ms,
            level: 0,
            run: id.to_owned(),
            extents: self.extents.clone(),
        }
    }
}

/// Rows and body bytes that are turned into arrays at once: bounds memory whatever the size of events.
const CHUNK_ROWS: usize = 8_192;
const CHUNK_BODY_BYTES: usize = 8 << 20;

/// Encodes `rows`, which must be sorted by (slot, seq), as one segment.
///
/// `log_name` is the first part of the origin of every log; `logs` names the tenants.
pub fn write<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    log_name: &str,
    logs: &dyn Logs,
) -> Result<Written, SegmentError> {
    write_sized(rows, log_name, logs, Sizes::STANDARD)
}

/// [`write`] with other sizes, so that tests reach every edge with few rows.
pub(crate) fn write_sized<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    log_name: &str,
    logs: &dyn Logs,
    sizes: Sizes,
) -> Result<Written, SegmentError> {
    let encode = |source| SegmentError::Encode { source };
    let mut writer = writer(log_name, sizes, Effort::Seal).map_err(encode)?;
    let mut chunk = Chunk::default();
    let mut extents = Extents::default();
    for row in rows {
        let log = extents.add(&row.record, logs)?;
        chunk.add(&row, log)?;
        if chunk.is_full() {
            writer.write(&chunk.finish().map_err(encode)?).map_err(encode)?;
        }
    }
    writer.write(&chunk.finish().map_err(encode)?).map_err(encode)?;
    let bytes = writer.into_inner().map_err(encode)?;
    Ok(Written { bytes: bytes.into(), events: extents.rows(), extents: extents.done })
}

/// Opens a Parquet writer with this format's settings.
pub(super) fn writer(
    log_name: &str,
    sizes: Sizes,
    effort: Effort,
) -> Result<ArrowWriter<Vec<u8>>, ParquetError> {
    ArrowWriter::try_new(Vec::new(), Arc::clone(&SCHEMA), Some(properties(log_name, sizes, effort)))
}

/// The extents so far; the last one grows.
#[derive(Default)]
struct Extents {
    done: Vec<Extent>,
    log: Option<Log>,
}

impl Extents {
    /// Counts a row in and returns its log.
    fn add(&mut self, record: &Record<'_>, logs: &dyn Logs) -> Result<&Log, SegmentError> {
        let (slot, seq) = (record.slot(), record.seq());
        let row = extent_of(record, self.rows());
        match self.done.last_mut() {
            Some(last) if last.slot == slot && last.seq_last < seq => last.join(&row),
            Some(last) if last.slot >= slot => return Err(SegmentError::Unsorted { slot, seq }),
            _ => {
                self.log = Some(logs.log(slot).ok_or(SegmentError::UnknownLog { slot })?);
                self.done.push(row);
            }
        }
        Ok(self.log.as_ref().expect("set with the first row of every slot"))
    }

    fn rows(&self) -> u64 {
        self.done.last().map_or(0, |last| u64::from(last.row_start) + u64::from(last.rows))
    }
}

fn extent_of(record: &Record<'_>, row: u64) -> Extent {
    Extent {
        slot: record.slot(),
        row_start: u32::try_from(row).expect("a segment has far fewer than 2^32 rows"),
        rows: 1,
        seq_first: record.seq(),
        seq_last: record.seq(),
        occurred_min_ms: record.occurred_ms(),
        occurred_max_ms: record.occurred_ms(),
        received_min_ms: record.received_ms(),
        received_max_ms: record.received_ms(),
    }
}

/// Says in the file that rows of it lost their payload.
pub(super) fn mark_removed(writer: &mut ArrowWriter<Vec<u8>>) {
    let pair = KeyValue::new(REMOVED_KEY.to_owned(), "yes".to_owned());
    writer.append_key_value_metadata(pair);
}

/// A row of which something was removed.
pub(super) struct LeftRow<'a> {
    pub(super) slot: u64,
    pub(super) seq: u64,
    pub(super) id: &'a [u8],
    pub(super) received_ms: i64,
    pub(super) occurred_ms: i64,
    pub(super) severity: u8,
    pub(super) flags: u16,
    pub(super) n_fields: u16,
    pub(super) texts: &'a RawTexts<'a>,
    pub(super) tenant: &'a str,
    pub(super) environment: &'a str,
    pub(super) body: Option<&'a [u8]>,
    pub(super) disclosures: &'a [u8],
    pub(super) node16: Option<&'a [u8]>,
    pub(super) client_id: bool,
}

/// Column builders for a bounded number of rows, in the order of the schema.
pub(super) struct Chunk {
    rows: usize,
    body_bytes: usize,
    slot: UInt64Builder,
    seq: UInt64Builder,
    id: FixedSizeBinaryBuilder,
    received_at: TimestampMillisecondBuilder,
    occurred_at: TimestampMillisecondBuilder,
    severity: UInt8Builder,
    flags: UInt16Builder,
    n_fields: UInt16Builder,
    texts: [BinaryBuilder; TEXT_COLUMNS.len()],
    target_types: ListBuilder<StringBuilder>,
    target_ids: ListBuilder<StringBuilder>,
    tenant: StringBuilder,
    environment: StringBuilder,
    body: BinaryBuilder,
    seed: FixedSizeBinaryBuilder,
    digest: FixedSizeBinaryBuilder,
    disclosures: BinaryBuilder,
    node16: FixedSizeBinaryBuilder,
    client_id: BooleanBuilder,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            rows: 0,
            body_bytes: 0,
            slot: UInt64Builder::new(),
            seq: UInt64Builder::new(),
            id: FixedSizeBinaryBuilder::new(16),
            received_at: TimestampMillisecondBuilder::new().with_timezone("UTC"),
            occurred_at: TimestampMillisecondBuilder::new().with_timezone("UTC"),
            severity: UInt8Builder::new(),
            flags: UInt16Builder::new(),
            n_fields: UInt16Builder::new(),
            texts: std::array::from_fn(|_| BinaryBuilder::new()),
            target_types: ListBuilder::new(StringBuilder::new()),
            target_ids: ListBuilder::new(StringBuilder::new()),
            tenant: StringBuilder::new(),
            environment: StringBuilder::new(),
            body: BinaryBuilder::new(),
            seed: FixedSizeBinaryBuilder::new(16),
            digest: FixedSizeBinaryBuilder::new(16),
            disclosures: BinaryBuilder::new(),
            node16: FixedSizeBinaryBuilder::new(32),
            client_id: BooleanBuilder::new(),
        }
    }
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.rows >= CHUNK_ROWS || self.body_bytes >= CHUNK_BODY_BYTES
    }

    pub(super) fn add(&mut self, row: &Row<'_>, log: &Log) -> Result<(), SegmentError> {
        const WIDTH: &str = "an array has the width of its builder";
        let record = &row.record;
        let refused =
            |source| SegmentError::Record { slot: record.slot(), seq: record.seq(), source };
        let texts = record.raw_texts().ok_or_else(|| refused(RecordError::Malformed))?;
        let body = record.body();
        self.rows += 1;
        self.body_bytes += body.len();
        self.slot.append_value(record.slot());
        self.seq.append_value(record.seq());
        self.id.append_value(record.id().0).expect(WIDTH);
        self.received_at.append_value(record.received_ms().cast_signed());
        self.occurred_at.append_value(record.occurred_ms());
        self.severity.append_value(record.severity());
        self.flags.append_value(record.flags());
        self.n_fields.append_value(record.n_fields());
        self.add_texts(&texts).map_err(refused)?;
        self.tenant.append_value(log.tenant.as_str());
        self.environment.append_value(log.environment.as_str());
        self.body.append_value(body);
        self.seed.append_value(record.seed()).expect(WIDTH);
        self.digest.append_value(record.digest()).expect(WIDTH);
        self.disclosures.append_null();
        match row.node16 {
            Some(node) => self.node16.append_value(node).expect(WIDTH),
            None => self.node16.append_null(),
        }
        self.client_id.append_value(record.client_id());
        Ok(())
    }

    /// Adds a row of which something was removed: it has neither seed nor digest any more.
    pub(super) fn add_left(&mut self, row: &LeftRow<'_>) -> Result<(), ParquetError> {
        self.rows += 1;
        self.slot.append_value(row.slot);
        self.seq.append_value(row.seq);
        self.id.append_value(row.id)?;
        self.received_at.append_value(row.received_ms);
        self.occurred_at.append_value(row.occurred_ms);
        self.severity.append_value(row.severity);
        self.flags.append_value(row.flags);
        self.n_fields.append_value(row.n_fields);
        self.add_texts(row.texts).map_err(|error| ParquetError::External(Box::new(error)))?;
        self.tenant.append_value(row.tenant);
        self.environment.append_value(row.environment);
        self.body.append_option(row.body);
        self.seed.append_null();
        self.digest.append_null();
        self.disclosures.append_value(row.disclosures);
        match row.node16 {
            Some(node) => self.node16.append_value(node)?,
            None => self.node16.append_null(),
        }
        self.client_id.append_value(row.client_id);
        Ok(())
    }

    fn add_texts(&mut self, texts: &RawTexts<'_>) -> Result<(), RecordError> {
        for (builder, text) in self.texts.iter_mut().zip(texts.columns) {
            builder.append_option(text);
        }
        for (kind, id) in texts.targets() {
            self.target_types.values().append_option(utf8(kind)?);
            self.target_ids.values().append_option(utf8(id)?);
        }
        self.target_types.append(true);
        self.target_ids.append(true);
        Ok(())
    }

    /// Returns the rows as a batch and starts over.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, ParquetError> {
        self.rows = 0;
        self.body_bytes = 0;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.slot.finish()),
            Arc::new(self.seq.finish()),
            Arc::new(self.id.finish()),
            Arc::new(self.received_at.finish()),
            Arc::new(self.occurred_at.finish()),
            Arc::new(self.severity.finish()),
            Arc::new(self.flags.finish()),
            Arc::new(self.n_fields.finish()),
        ];
        for builder in &mut self.texts {
            columns.push(text_array(builder)?);
        }
        let rest: [ArrayRef; 10] = [
            Arc::new(self.target_types.finish()),
            Arc::new(self.target_ids.finish()),
            Arc::new(self.tenant.finish()),
            Arc::new(self.environment.finish()),
            text_array(&mut self.body)?,
            Arc::new(self.seed.finish()),
            Arc::new(self.digest.finish()),
            Arc::new(self.disclosures.finish()),
            Arc::new(self.node16.finish()),
            Arc::new(self.client_id.finish()),
        ];
        columns.extend(rest);
        Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)?)
    }
}

/// Text is checked to be UTF-8 a column at a time, which costs less than a value at a time.
fn text_array(builder: &mut BinaryBuilder) -> Result<ArrayRef, ParquetError> {
    Ok(Arc::new(StringArray::try_from_binary(builder.finish())?))
}

fn utf8(text: Option<&[u8]>) -> Result<Option<&str>, RecordError> {
    text.map(std::str::from_utf8).transpose().map_err(|_| RecordError::Malformed)
}

//! Turning decoded columns back into events, with leaf hashes recomputed from content.

use arrow_array::{
    Array as _, FixedSizeBinaryArray, RecordBatch, StringViewArray, TimestampMillisecondArray,
    UInt16Array, UInt64Array, cast::AsArray,
};
use attestary_event::{Event, EventId, Fields, Timestamp};
use attestary_ledger::Entry;

use super::{Log, SegmentError, schema::Column};

/// The columns that make an event.
const EVENT_COLUMNS: [Column; 7] = [
    Column::Seq,
    Column::Id,
    Column::ReceivedAt,
    Column::Flags,
    Column::NFields,
    Column::Body,
    Column::Seed,
];

/// The columns that make an answer to a repeated id.
pub(crate) fn key_columns() -> Vec<Column> {
    EVENT_COLUMNS.into_iter().chain([Column::Digest]).collect()
}

/// An event whose leaf hash is still to be computed.
#[derive(Debug)]
pub(crate) struct Content {
    /// The event; its leaf hash is zero before [`Content::hash`].
    pub(crate) event: Event,
    /// Its flattened body.
    pub(crate) fields: Fields,
    origin: [u8; 16],
    seed: [u8; 16],
    hashed: bool,
}

impl Content {
    /// Recomputes the leaf hash from the content.
    pub(crate) fn hash(&mut self) {
        if std::mem::replace(&mut self.hashed, true) {
            return;
        }
        self.event.leaf_hash = self.entry().leaf_hash();
    }

    /// Returns the entry, with the fields hashed again.
    pub(crate) fn entry(&self) -> Entry {
        let fields = self
            .fields
            .iter()
            .map(|field| (field.pointer, field.kind as u8, field.value.as_bytes()));
        Entry {
            origin: self.origin,
            seq: self.event.seq,
            received_ms: self.event.received_at.0.cast_unsigned(),
            event_id: self.event.id.0,
            n_fields: self.fields.len() as u16,
            flags: self.event.flags,
            fields_hash: attestary_ledger::fields_hash(&self.seed, fields),
        }
    }

    /// Returns the source of the salts.
    pub(crate) fn seed(&self) -> [u8; 16] {
        self.seed
    }
}

/// The event columns of one batch.
#[derive(Debug)]
pub(crate) struct EventRows<'a> {
    path: &'a str,
    seq: &'a UInt64Array,
    id: &'a FixedSizeBinaryArray,
    received_at: &'a TimestampMillisecondArray,
    flags: &'a UInt16Array,
    n_fields: &'a UInt16Array,
    body: &'a StringViewArray,
    seed: &'a FixedSizeBinaryArray,
    digest: Option<&'a FixedSizeBinaryArray>,
}

impl<'a> EventRows<'a> {
    /// The columns to read for [`EventRows::of`].
    pub(crate) const COLUMNS: &'static [Column] = &EVENT_COLUMNS;

    /// Takes the columns out of a batch that was read with them (or with [`key_columns`]).
    pub(crate) fn of(batch: &'a RecordBatch, path: &'a str) -> Result<Self, SegmentError> {
        let column = |column: Column| {
            let found = batch.column_by_name(column.name());
            found.ok_or_else(|| {
                SegmentError::corrupt(path, format!("column {} is missing", column.name()))
            })
        };
        Ok(Self {
            path,
            seq: column(Column::Seq)?.as_primitive(),
            id: column(Column::Id)?.as_fixed_size_binary(),
            received_at: column(Column::ReceivedAt)?.as_primitive(),
            flags: column(Column::Flags)?.as_primitive(),
            n_fields: column(Column::NFields)?.as_primitive(),
            body: column(Column::Body)?.as_string_view(),
            seed: column(Column::Seed)?.as_fixed_size_binary(),
            digest: batch.column_by_name(Column::Digest.name()).map(AsArray::as_fixed_size_binary),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.seq.len()
    }

    /// Returns the seq of a row.
    pub(crate) fn seq(&self, row: usize) -> u64 {
        self.seq.value(row)
    }

    /// Returns the content of `row`.
    pub(crate) fn content(&self, row: usize, log: &Log) -> Result<Content, SegmentError> {
        let seq = self.seq.value(row);
        if self.body.is_null(row) || self.seed.is_null(row) {
            return Err(SegmentError::corrupt(self.path, format!("seq {seq} has no content")));
        }
        let body = self.body.value(row).as_bytes();
        let fields = Fields::of_stored(body);
        if fields.len() != usize::from(self.n_fields.value(row)) {
            return Err(SegmentError::corrupt(
                self.path,
                format!("seq {seq} does not have its number of fields"),
            ));
        }
        let event = Event {
            id: EventId(array(self.id.value(row))),
            tenant: log.tenant.clone(),
            environment: log.environment.clone(),
            seq,
            received_at: Timestamp(self.received_at.value(row)),
            flags: self.flags.value(row),
            leaf_hash: [0; 32],
            body: body.into(),
        };
        Ok(Content {
            event,
            fields,
            origin: log.origin_id,
            seed: array(self.seed.value(row)),
            hashed: false,
        })
    }

    /// Returns the keyed digest of the submission; `None` after erasure, or when the column was not read.
    pub(crate) fn digest(&self, row: usize) -> Option<[u8; 16]> {
        let digest = self.digest.filter(|digest| !digest.is_null(row))?;
        Some(array(digest.value(row)))
    }
}

/// Fixed-size columns have their width by the schema, which was checked when the segment was opened.
pub(super) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}

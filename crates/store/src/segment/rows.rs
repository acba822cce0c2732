//! Turning decoded columns back into events, with leaf hashes recomputed from content.

use arrow_array::{
    Array as _, BinaryArray, FixedSizeBinaryArray, RecordBatch, StringViewArray,
    TimestampMillisecondArray, UInt16Array, UInt64Array, cast::AsArray,
};
use attestary_event::{Event, EventId, Fields, Timestamp};
use attestary_ledger::{Entry, Hash};

use super::{Log, SegmentError, removed::Left, schema::Column};
use crate::query::{Committed, Remains};

/// The columns that make an event.
const EVENT_COLUMNS: [Column; 8] = [
    Column::Seq,
    Column::Id,
    Column::ReceivedAt,
    Column::Flags,
    Column::NFields,
    Column::Body,
    Column::Seed,
    Column::Disclosures,
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
    entry: Entry,
    salts: Salts,
    hashed: bool,
}

/// Where the salts of an event come from.
#[derive(Debug)]
pub(crate) enum Salts {
    /// All of them from this.
    Seed([u8; 16]),
    /// Some fields were erased.
    Left(Left),
}

impl Content {
    /// Returns what is left of the event; `None` when it is whole.
    pub(crate) fn left(&self) -> Option<&Left> {
        match &self.salts {
            Salts::Left(left) => Some(left),
            Salts::Seed(_) => None,
        }
    }

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
        let fields_hash = match &self.salts {
            Salts::Seed(seed) => attestary_ledger::fields_hash(seed, fields),
            Salts::Left(left) => left.fields_hash(),
        };
        Entry { fields_hash, ..self.entry }
    }

    /// Returns the event as its leaf commits to it.
    pub(crate) fn committed(self) -> Committed {
        let entry = self.entry();
        let body = self.event.body;
        let remains = match self.salts {
            Salts::Seed(seed) => Remains::Whole { seed, body },
            Salts::Left(Left::Some(parts)) => Remains::Parts { parts, body },
            Salts::Left(Left::Nothing(_)) => Remains::Nothing,
        };
        Committed { entry, remains }
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
    disclosures: &'a BinaryArray,
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
            disclosures: column(Column::Disclosures)?.as_binary(),
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

    /// Returns the content of `row`; `None` when its payload was removed.
    pub(crate) fn content(&self, row: usize, log: &Log) -> Result<Option<Content>, SegmentError> {
        let seq = self.seq.value(row);
        let corrupt = |what: &str| SegmentError::corrupt(self.path, format!("seq {seq} {what}"));
        let left = self.left(row)?;
        if matches!(left, Some(Left::Nothing(_))) {
            return Ok(None);
        }
        if self.body.is_null(row) || (left.is_none() && self.seed.is_null(row)) {
            return Err(corrupt("has no content"));
        }
        let body = self.body.value(row).as_bytes();
        let fields = left.as_ref().map_or_else(|| Fields::of_stored(body), Left::fields);
        let committed = left.as_ref().and_then(Left::len).unwrap_or(fields.len());
        if committed != usize::from(self.n_fields.value(row)) {
            return Err(corrupt("does not have its number of fields"));
        }
        let salts = match left {
            Some(left) => Salts::Left(left),
            None => Salts::Seed(array(self.seed.value(row))),
        };
        let entry = self.entry(row, log, [0; 32]);
        let event = Event {
            id: EventId(entry.event_id),
            tenant: log.tenant.clone(),
            environment: log.environment.clone(),
            seq,
            received_at: Timestamp(self.received_at.value(row)),
            flags: entry.flags,
            leaf_hash: [0; 32],
            body: body.into(),
        };
        Ok(Some(Content { event, fields, entry, salts, hashed: false }))
    }

    /// Returns the leaf hash of `row`, whatever is left of its event.
    pub(crate) fn leaf_hash(&self, row: usize, log: &Log) -> Result<Hash, SegmentError> {
        if let Some(mut content) = self.content(row, log)? {
            content.hash();
            return Ok(content.event.leaf_hash);
        }
        Ok(self.removed_entry(row, log)?.leaf_hash())
    }

    /// Returns the entry of a row whose payload was removed.
    pub(crate) fn removed_entry(&self, row: usize, log: &Log) -> Result<Entry, SegmentError> {
        let left = self.left(row)?;
        let root = left.map_or([0; 32], |left| left.fields_hash());
        Ok(self.entry(row, log, root))
    }

    /// Returns the identity of a row.
    pub(crate) fn id(&self, row: usize) -> EventId {
        EventId(array(self.id.value(row)))
    }

    /// Returns when the event of a row was sequenced, in milliseconds since the epoch.
    pub(crate) fn received_ms(&self, row: usize) -> u64 {
        self.received_at.value(row).cast_unsigned()
    }

    /// Returns what is left of the event of a row; `None` when it is whole.
    pub(crate) fn left(&self, row: usize) -> Result<Option<Left>, SegmentError> {
        if self.disclosures.is_null(row) {
            return Ok(None);
        }
        let left = Left::decode(self.disclosures.value(row));
        let what = || format!("what is left of seq {} cannot be read", self.seq(row));
        left.map(Some).ok_or_else(|| SegmentError::corrupt(self.path, what()))
    }

    fn entry(&self, row: usize, log: &Log, fields_hash: Hash) -> Entry {
        Entry {
            origin: log.origin_id,
            seq: self.seq(row),
            received_ms: self.received_ms(row),
            event_id: array(self.id.value(row)),
            n_fields: self.n_fields.value(row),
            flags: self.flags.value(row),
            fields_hash,
        }
    }

    /// Returns the keyed digest of the submission; `None` after erasure, or when the column was not read.
    pub(crate) fn digest(&self, row: usize) -> Option<[u8; 16]> {
        let digest = self.digest.filter(|digest| !digest.is_null(row))?;
        Some(array(digest.value(row)))
    }
}

/// Fixed-size columns have their width by the schema, which was checked when the segment was opened.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}

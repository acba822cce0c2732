//! The columns of one event, from a segment's decoded batch or from a record in memory.

use arrow_array::{
    Array as _, FixedSizeBinaryArray, ListArray, RecordBatch, StringViewArray,
    TimestampMillisecondArray, UInt8Array, UInt64Array, cast::AsArray,
};
use attestary_event::{
    EventId,
    filter::{self, Row},
};

use crate::{
    query::plan::stored,
    record::{Record, TEXT_COLUMNS, Texts},
    segment::schema::Column,
};

/// The columns of a batch, as far as they were read.
pub(super) struct BatchRows<'a> {
    id: Option<&'a FixedSizeBinaryArray>,
    seq: Option<&'a UInt64Array>,
    severity: Option<&'a UInt8Array>,
    occurred_at: Option<&'a TimestampMillisecondArray>,
    received_at: Option<&'a TimestampMillisecondArray>,
    texts: [Option<&'a StringViewArray>; TEXT_COLUMNS.len()],
    target_types: Option<Lists<'a>>,
    target_ids: Option<Lists<'a>>,
}

/// A column of lists, and the texts of all of them.
#[derive(Clone, Copy)]
struct Lists<'a>(&'a ListArray, &'a StringViewArray);

impl<'a> BatchRows<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Self {
        let column = |column: Column| batch.column_by_name(column.name());
        let lists = |of: Column| {
            let lists = column(of)?.as_list::<i32>();
            Some(Lists(lists, lists.values().as_string_view()))
        };
        Self {
            id: column(Column::Id).map(AsArray::as_fixed_size_binary),
            seq: column(Column::Seq).map(AsArray::as_primitive),
            severity: column(Column::Severity).map(AsArray::as_primitive),
            occurred_at: column(Column::OccurredAt).map(AsArray::as_primitive),
            received_at: column(Column::ReceivedAt).map(AsArray::as_primitive),
            texts: std::array::from_fn(|text| {
                column(Column::Text(text)).map(AsArray::as_string_view)
            }),
            target_types: lists(Column::TargetTypes),
            target_ids: lists(Column::TargetIds),
        }
    }

    pub(super) fn at(&self, at: usize) -> BatchRow<'_> {
        BatchRow { rows: self, at }
    }
}

/// One row of a batch. Columns that were not read have no texts and zeros.
pub(super) struct BatchRow<'a> {
    rows: &'a BatchRows<'a>,
    at: usize,
}

impl Row for BatchRow<'_> {
    fn any_text(&self, column: filter::Column, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let mut any = |texts: &StringViewArray, at| texts.is_valid(at) && test(texts.value(at));
        let lists = match stored(column) {
            Some(Column::TargetTypes) => self.rows.target_types,
            Some(Column::TargetIds) => self.rows.target_ids,
            Some(Column::Text(text)) => {
                return self.rows.texts[text].is_some_and(|texts| any(texts, self.at));
            }
            _ => None,
        };
        let Some(Lists(lists, texts)) = lists else { return false };
        let offsets = lists.value_offsets();
        (offsets[self.at]..offsets[self.at + 1]).any(|at| any(texts, at as usize))
    }

    fn id(&self) -> EventId {
        let mut id = [0; 16];
        if let Some(ids) = self.rows.id {
            id.copy_from_slice(ids.value(self.at));
        }
        EventId(id)
    }

    fn seq(&self) -> u64 {
        self.rows.seq.map_or(0, |seqs| seqs.value(self.at))
    }

    fn severity(&self) -> u8 {
        self.rows.severity.map_or(0, |severities| severities.value(self.at))
    }

    fn occurred_ms(&self) -> i64 {
        self.rows.occurred_at.map_or(0, |times| times.value(self.at))
    }

    fn received_ms(&self) -> i64 {
        self.rows.received_at.map_or(0, |times| times.value(self.at))
    }
}

/// A record in memory.
pub(super) struct RecordRow<'a> {
    record: &'a Record<'a>,
    texts: Texts<'a>,
}

impl<'a> RecordRow<'a> {
    pub(super) fn of(record: &'a Record<'a>) -> Self {
        Self { record, texts: record.texts() }
    }
}

impl Row for RecordRow<'_> {
    fn any_text(&self, column: filter::Column, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let mut targets = self.texts.targets.iter();
        match stored(column) {
            Some(Column::TargetTypes) => targets.any(|(kind, _)| kind.is_some_and(&mut *test)),
            Some(Column::TargetIds) => targets.any(|(_, id)| id.is_some_and(&mut *test)),
            Some(Column::Text(text)) => self.texts.columns[text].is_some_and(test),
            _ => false,
        }
    }

    fn id(&self) -> EventId {
        self.record.id()
    }

    fn seq(&self) -> u64 {
        self.record.seq()
    }

    fn severity(&self) -> u8 {
        self.record.severity()
    }

    fn occurred_ms(&self) -> i64 {
        self.record.occurred_ms()
    }

    fn received_ms(&self) -> i64 {
        self.record.received_ms().cast_signed()
    }
}

//! Parquet files from rows of named cells: what exports are written with. The same rows give the same bytes.

use std::{io::Write, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{
        ArrayBuilder, ListBuilder, StringBuilder, TimestampMillisecondBuilder, UInt64Builder,
    },
};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

/// Rows of one row group.
const GROUP_ROWS: usize = 32 * 1024;
/// Bytes of text after which a row group ends early: what a writer holds in memory.
const GROUP_BYTES: usize = 32 << 20;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// UTF-8.
    Text,
    /// A list of UTF-8 texts.
    Texts,
    /// Whole numbers from 0 on.
    Number,
    /// Milliseconds since the epoch, UTC.
    Time,
}

/// One value of a row; must be of its column's kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// Of [`CellKind::Text`].
    Text(&'a str),
    /// Of [`CellKind::Texts`].
    Texts(Vec<&'a str>),
    /// Of [`CellKind::Number`].
    Number(u64),
    /// Of [`CellKind::Time`].
    Time(i64),
}

/// Why a table was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file cannot be written, or its source not read.
    #[error("the file cannot be written")]
    Io(#[from] std::io::Error),
    /// The encoder failed.
    #[error("the table cannot be encoded")]
    Parquet(#[from] ParquetError),
    /// A batch could not be made.
    #[error("the rows do not fit their columns")]
    Arrow(#[from] ArrowError),
    /// A cell is not of its column's kind, or a row has another number of cells.
    #[error("a row does not fit the columns")]
    Row,
}

enum Builder {
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Number(UInt64Builder),
    Time(TimestampMillisecondBuilder),
}

impl Builder {
    fn of(kind: CellKind) -> Self {
        match kind {
            CellKind::Text => Self::Text(StringBuilder::new()),
            CellKind::Texts => Self::Texts(ListBuilder::new(StringBuilder::new())),
            CellKind::Number => Self::Number(UInt64Builder::new()),
            CellKind::Time => Self::Time(TimestampMillisecondBuilder::new().with_timezone("UTC")),
        }
    }

    /// Appends a cell; returns its bytes of text.
    fn push(&mut self, cell: &Cell<'_>) -> Result<usize, TableError> {
        match (self, cell) {
            (Self::Text(builder), Cell::Null) => builder.append_null(),
            (Self::Texts(builder), Cell::Null) => builder.append_null(),
            (Self::Number(builder), Cell::Null) => builder.append_null(),
            (Self::Time(builder), Cell::Null) => builder.append_null(),
            (Self::Number(builder), Cell::Number(number)) => builder.append_value(*number),
            (Self::Time(builder), Cell::Time(ms)) => builder.append_value(*ms),
            (Self::Text(builder), Cell::Text(text)) => {
                builder.append_value(text);
                return Ok(text.len());
            }
            (Self::Texts(builder), Cell::Texts(texts)) => {
                texts.iter().for_each(|text| builder.values().append_value(text));
                builder.append(true);
                return Ok(texts.iter().map(|text| text.len()).sum());
            }
            _ => return Err(TableError::Row),
        }
        Ok(0)
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => ArrayBuilder::finish(builder),
            Self::Texts(builder) => ArrayBuilder::finish(builder),
            Self::Number(builder) => ArrayBuilder::finish(builder),
            Self::Time(builder) => ArrayBuilder::finish(builder),
        }
    }
}

/// Writes a table row by row; one row group is held in memory.
pub struct ParquetTable<W: Write + Send> {
    schema: Arc<Schema>,
    builders: Vec<Builder>,
    writer: ArrowWriter<W>,
    rows: usize,
    bytes: usize,
}

impl<W: Write + Send> ParquetTable<W> {
    /// Begins a table with these columns: name, kind, and whether a cell may be null.
    pub fn new(out: W, columns: &[(&str, CellKind, bool)]) -> Result<Self, TableError> {
        let fields: Vec<_> =
            columns.iter().map(|(name, kind, null)| field(name, *kind, *null)).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_created_by("attestary export v1".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .build();
        let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?;
        let builders = columns.iter().map(|(_, kind, _)| Builder::of(*kind)).collect();
        Ok(Self { schema, builders, writer, rows: 0, bytes: 0 })
    }

    /// Appends a row.
    pub fn push(&mut self, row: &[Cell<'_>]) -> Result<(), TableError> {
        if row.len() != self.builders.len() {
            return Err(TableError::Row);
        }
        for (builder, cell) in self.builders.iter_mut().zip(row) {
            self.bytes += builder.push(cell)?;
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what is left and the footer.
    pub fn finish(mut self) -> Result<(), TableError> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.writer.finish()?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TableError> {
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        self.writer.write(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)?;
        self.writer.flush()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl<W: Write + Send> std::fmt::Debug for ParquetTable<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetTable").field("rows", &self.rows).finish_non_exhaustive()
    }
}

fn field(name: &str, kind: CellKind, null: bool) -> Field {
    let kind = match kind {
        CellKind::Text => DataType::Utf8,
        CellKind::Texts => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
        CellKind::Number => DataType::UInt64,
        CellKind::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
    };
    Field::new(name, kind, null)
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array as _, cast::AsArray as _, types::UInt64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    const COLUMNS: [(&str, CellKind, bool); 4] = [
        ("number", CellKind::Number, false),
        ("text", CellKind::Text, true),
        ("texts", CellKind::Texts, true),
        ("time", CellKind::Time, true),
    ];

    fn written(rows: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut table = ParquetTable::new(&mut out, &COLUMNS).unwrap();
        for number in 0..rows {
            let text = format!("ä {number}");
            let row = [
                Cell::Number(number),
                if number % 3 == 0 { Cell::Null } else { Cell::Text(&text) },
                Cell::Texts(vec![&text; (number % 3) as usize]),
                Cell::Time(number as i64),
            ];
            table.push(&row).unwrap();
        }
        table.finish().unwrap();
        out
    }

    #[test]
    fn rows_are_read_back_and_give_the_same_bytes_each_time() {
        let rows = GROUP_ROWS as u64 + 10;
        let bytes = written(rows);
        assert_eq!(bytes, written(rows));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let mut number = 0;
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let (numbers, texts) = (batch.column(0).as_primitive::<UInt64Type>(), batch.column(1));
            for row in 0..batch.num_rows() {
                assert_eq!(numbers.value(row), number);
                assert_eq!(texts.is_null(row), number % 3 == 0);
                let list = batch.column(2).as_list::<i32>().value(row);
                assert_eq!(list.len() as u64, number % 3);
                number += 1;
            }
        }
        assert_eq!(number, rows);
    }

    #[test]
    fn a_row_that_does_not_fit_is_refused() {
        let mut out = Vec::new();
        let mut table = ParquetTable::new(&mut out, &COLUMNS).unwrap();
        assert!(matches!(table.push(&[Cell::Null]), Err(TableError::Row)));
        let wrong = [Cell::Text("x"), Cell::Null, Cell::Null, Cell::Null];
        assert!(matches!(table.push(&wrong), Err(TableError::Row)));
    }
}

//! JSON records as one Parquet file with nested columns.
//!
//! The columns are those of the records: an object becomes a group, an array a list, and each is optional. Members whose
//! names applications choose (metadata and its like) and values of which the type differs between records become
//! columns of JSON text, so that a file has no more columns than the format has members. The same records give the
//! same bytes. Nesting is written as levels: <https://parquet.apache.org/docs/file-format/nestedencoding/>

mod shape;

use std::sync::Arc;

use parquet::{
    basic::{Compression, ZstdLevel},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::{ParquetError, Result},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
};
use serde_json::Value;

use self::shape::Shape;

/// How records become a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Names of members that stay JSON text, at any depth.
    pub(crate) free: &'static [&'static str],
    /// Member with a number by which the rows are sorted; records come in the order of their seq.
    pub(crate) sorted_by: Option<&'static str>,
}

/// Returns the file of some records, one JSON object a line.
pub(crate) fn encode(lines: &[u8], rules: &Rules) -> Result<Vec<u8>> {
    let parsed = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let parsed = parsed.map(serde_json::from_slice::<Value>);
    let mut records = parsed
        .collect::<serde_json::Result<Vec<_>>>()
        .map_err(|error| ParquetError::General(format!("a record is no JSON: {error}")))?;
    if let Some(name) = rules.sorted_by {
        records.sort_by_key(|record| record[name].as_i64());
    }
    let shape = Shape::of(&records, rules.free);
    let schema = Arc::new(shape.schema()?);
    let mut columns = Columns::default();
    shape.leaves(&mut |leaf| columns.0.push(Column::new(leaf)));
    for record in &records {
        columns.row(&shape, record);
    }
    let properties = WriterProperties::builder()
        .set_created_by("attestary".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let mut columns = columns.0.into_iter();
    while let Some(mut open) = group.next_column()? {
        let column = columns.next().ok_or_else(|| ParquetError::General("no column".to_owned()))?;
        column.write(open.untyped())?;
        open.close()?;
    }
    group.close()?;
    writer.into_inner()
}

/// Values of one leaf, with the levels that place them.
struct Column {
    values: Values,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

enum Values {
    Flags(Vec<bool>),
    Integers(Vec<i64>),
    Doubles(Vec<f64>),
    Texts(Vec<ByteArray>),
}

impl Column {
    fn new(leaf: &Shape) -> Self {
        let values = match leaf {
            Shape::Flag => Values::Flags(Vec::new()),
            Shape::Integer => Values::Integers(Vec::new()),
            Shape::Double => Values::Doubles(Vec::new()),
            _ => Values::Texts(Vec::new()),
        };
        Self { values, definitions: Vec::new(), repetitions: Vec::new() }
    }

    /// Adds a value, or the lack of one; `definition` is the level that was reached without it.
    fn put(&mut self, value: Option<&Value>, definition: i16, repetition: i16) {
        let value = value.filter(|value| !value.is_null());
        self.definitions.push(definition + i16::from(value.is_some()));
        self.repetitions.push(repetition);
        let Some(value) = value else { return };
        match &mut self.values {
            Values::Flags(values) => values.push(value.as_bool().unwrap_or_default()),
            Values::Integers(values) => values.push(value.as_i64().unwrap_or_default()),
            Values::Doubles(values) => values.push(value.as_f64().unwrap_or_default()),
            Values::Texts(values) => values.push(match value {
                Value::String(text) => ByteArray::from(text.as_str()),
                other => ByteArray::from(other.to_string().into_bytes()),
            }),
        }
    }

    fn write(&self, writer: &mut ColumnWriter<'_>) -> Result<()> {
        let (definitions, repetitions) = (Some(&self.definitions[..]), Some(&self.repetitions[..]));
        match (&self.values, writer) {
            (Values::Flags(values), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(values, definitions, repetitions).map(drop)
            }
            (Values::Integers(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(values, definitions, repetitions).map(drop)
            }
            (Values::Doubles(values), ColumnWriter::DoubleColumnWriter(writer)) => {
                writer.write_batch(values, definitions, repetitions).map(drop)
            }
            (Values::Texts(values), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(values, definitions, repetitions).map(drop)
            }
            _ => Err(ParquetError::General("a column has another type".to_owned())),
        }
    }
}

#[derive(Default)]
struct Columns(Vec<Column>);

/// Where in a record the walk is.
#[derive(Clone, Copy)]
struct At {
    definition: i16,
    repetition: i16,
    /// Lists around it.
    lists: i16,
}

impl Columns {
    fn row(&mut self, shape: &Shape, record: &Value) {
        let Shape::Group(members) = shape else { return };
        let mut next = 0;
        let start = At { definition: 0, repetition: 0, lists: 0 };
        for (name, member) in members {
            self.put(member, record.get(name), start, &mut next);
        }
    }

    /// Puts a value into the columns of its shape, of which `next` is the first.
    fn put(&mut self, shape: &Shape, value: Option<&Value>, at: At, next: &mut usize) {
        match shape {
            Shape::Group(members) => {
                let object = value.and_then(Value::as_object);
                let inside = At { definition: at.definition + i16::from(object.is_some()), ..at };
                for (name, member) in members {
                    self.put(member, object.and_then(|object| object.get(name)), inside, next);
                }
            }
            Shape::List(element) => {
                let items = value.and_then(Value::as_array);
                let first = *next;
                let Some(items) = items.filter(|items| !items.is_empty()) else {
                    // An empty list reaches one level more than none.
                    let reached = at.definition + i16::from(items.is_some());
                    return self.put(element, None, At { definition: reached, ..at }, next);
                };
                for (index, item) in items.iter().enumerate() {
                    *next = first;
                    let repetition = if index == 0 { at.repetition } else { at.lists + 1 };
                    let inside =
                        At { definition: at.definition + 2, repetition, lists: at.lists + 1 };
                    self.put(element, Some(item), inside, next);
                }
            }
            _ => {
                if let Some(column) = self.0.get_mut(*next) {
                    column.put(value, at.definition, at.repetition);
                }
                *next += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;

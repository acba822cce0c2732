//! What columns some records have.

use std::{collections::BTreeMap, sync::Arc};

use parquet::{
    basic::{LogicalType, Repetition, Type as Physical},
    errors::Result,
    schema::types::{Type, TypePtr},
};
use serde_json::Value;

/// Objects with more members than this are JSON text: their names are data.
const MEMBERS_MAX: usize = 256;
/// Deeper values are JSON text.
const DEPTH_MAX: usize = 12;

/// The type of a member in all records.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Never anything but null.
    Null,
    Flag,
    Integer,
    Double,
    Text,
    /// JSON text.
    Free,
    Group(BTreeMap<String, Self>),
    List(Box<Self>),
}

impl Shape {
    /// Returns what holds all records: a group.
    pub(super) fn of(records: &[Value], free: &[&str]) -> Self {
        let mut shape = Self::Group(BTreeMap::new());
        for record in records {
            shape = shape.with(Self::one(record, free, 0));
        }
        match shape.settled() {
            group @ Self::Group(_) => group,
            // Not even one member, or too many: the records as they are would have no columns.
            _ => Self::Group(BTreeMap::from([("_".to_owned(), Self::Text)])),
        }
    }

    fn one(value: &Value, free: &[&str], depth: usize) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Flag,
            Value::Number(number) if number.is_i64() => Self::Integer,
            // Beyond 64 bits only the text is exact.
            Value::Number(number) if number.is_u64() => Self::Free,
            Value::Number(_) => Self::Double,
            Value::String(_) => Self::Text,
            _ if depth >= DEPTH_MAX => Self::Free,
            Value::Array(items) => {
                let shapes = items.iter().map(|item| Self::one(item, free, depth + 1));
                Self::List(Box::new(shapes.fold(Self::Null, Self::with)))
            }
            Value::Object(members) => Self::Group(
                members
                    .iter()
                    .map(|(name, value)| {
                        let shape = if free.contains(&name.as_str()) && !value.is_null() {
                            Self::Free
                        } else {
                            Self::one(value, free, depth + 1)
                        };
                        (name.clone(), shape)
                    })
                    .collect(),
            ),
        }
    }

    /// Returns what holds both.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, shape) | (shape, Self::Null) => shape,
            (Self::Integer, Self::Double) | (Self::Double, Self::Integer) => Self::Double,
            (Self::List(one), Self::List(other)) => Self::List(Box::new(one.with(*other))),
            (Self::Group(mut members), Self::Group(others)) => {
                for (name, other) in others {
                    let shape = members.remove(&name).unwrap_or(Self::Null).with(other);
                    members.insert(name, shape);
                }
                Self::Group(members)
            }
            (one, other) if one == other => one,
            _ => Self::Free,
        }
    }

    /// Gives what no column can be made of another form.
    fn settled(self) -> Self {
        match self {
            Self::Null => Self::Text,
            Self::List(element) => Self::List(Box::new(element.settled())),
            Self::Group(members) if members.is_empty() || members.len() > MEMBERS_MAX => Self::Free,
            Self::Group(members) => Self::Group(
                members.into_iter().map(|(name, shape)| (name, shape.settled())).collect(),
            ),
            other => other,
        }
    }

    /// Calls for every leaf, in the order of the columns.
    pub(super) fn leaves(&self, each: &mut impl FnMut(&Self)) {
        match self {
            Self::Group(members) => members.values().for_each(|member| member.leaves(each)),
            Self::List(element) => element.leaves(each),
            leaf => each(leaf),
        }
    }

    /// Returns the schema of a file.
    pub(super) fn schema(&self) -> Result<Type> {
        Type::group_type_builder("event").with_fields(self.fields()?).build()
    }

    fn fields(&self) -> Result<Vec<TypePtr>> {
        let Self::Group(members) = self else { return Ok(Vec::new()) };
        members.iter().map(|(name, member)| member.field(name)).collect()
    }

    fn field(&self, name: &str) -> Result<TypePtr> {
        let leaf = |physical, logical| {
            Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical)
                .build()
        };
        let built = match self {
            Self::Flag => leaf(Physical::BOOLEAN, None),
            Self::Integer => leaf(Physical::INT64, None),
            Self::Double => leaf(Physical::DOUBLE, None),
            Self::Null | Self::Text | Self::Free => {
                leaf(Physical::BYTE_ARRAY, Some(LogicalType::String))
            }
            Self::Group(_) => Type::group_type_builder(name)
                .with_repetition(Repetition::OPTIONAL)
                .with_fields(self.fields()?)
                .build(),
            Self::List(element) => {
                let inner = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![element.field("element")?])
                    .build()?;
                Type::group_type_builder(name)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_logical_type(Some(LogicalType::List))
                    .with_fields(vec![Arc::new(inner)])
                    .build()
            }
        };
        built.map(Arc::new)
    }
}

//! Filters on columns: many filters are decided by what storage keeps beside an event, without its body.
//!
//! [`Filter::row_columns`] tells whether a filter is of that kind; [`Filter::matches_row`] then gives the same answer
//! as [`Filter::matches`] gives on the whole event.

use super::{
    Column, Filter,
    column::Source,
    matcher::Scalar,
    plan::{IdText, Step},
};
use crate::EventId;

/// The columns of one event.
///
/// Only what was asked for through [`Filter::row_columns`] (or [`super::Field::column`]) needs to be there.
pub trait Row {
    /// Calls `test` with each text of a column until it returns true, and returns whether it did. Columns of
    /// targets have a text for each target that has one, the others at most one.
    fn any_text(&self, column: Column, test: &mut dyn FnMut(&str) -> bool) -> bool;
    /// Identity.
    fn id(&self) -> EventId;
    /// Position in the log.
    fn seq(&self) -> u64;
    /// 0–10.
    fn severity(&self) -> u8;
    /// When it happened, in milliseconds since the epoch.
    fn occurred_ms(&self) -> i64;
    /// When it was sequenced, in milliseconds since the epoch.
    fn received_ms(&self) -> i64;
}

impl Filter {
    /// Returns the columns that decide the filter, or `None` when it asks for what only bodies, hashes or the log's
    /// name hold.
    pub fn row_columns(&self) -> Option<Vec<Column>> {
        let mut columns = Vec::new();
        self.plan.add_columns(&mut columns)?;
        columns.sort_unstable();
        columns.dedup();
        Some(columns)
    }

    /// Returns true when the event with these columns is selected.
    ///
    /// Means something only for filters that have [`Filter::row_columns`]; clauses on anything else match nothing.
    pub fn matches_row(&self, row: &dyn Row) -> bool {
        self.plan.matches_row(row)
    }
}

impl Step {
    fn add_columns(&self, columns: &mut Vec<Column>) -> Option<()> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().try_for_each(|part| part.add_columns(columns))
            }
            Self::Not(part) => part.add_columns(columns),
            Self::Exists(source) | Self::Compare(source, _) => {
                columns.push(source.column()?);
                Some(())
            }
            Self::Word(_) => None,
            Self::Never => Some(()),
        }
    }

    fn matches_row(&self, row: &dyn Row) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches_row(row)),
            Self::Any(parts) => parts.iter().any(|part| part.matches_row(row)),
            Self::Not(part) => !part.matches_row(row),
            Self::Exists(source) => source.any_in_row(row, &mut |_| true),
            Self::Compare(source, matcher) => {
                source.any_in_row(row, &mut |scalar| matcher.matches(scalar))
            }
            Self::Word(_) | Self::Never => false,
        }
    }
}

impl Source {
    /// Returns the column that holds every value of this place, if there is one.
    pub(super) fn column(&self) -> Option<Column> {
        Some(match self {
            Self::Text(column, _) | Self::Target(Some(column), _) => *column,
            Self::Id => Column::Id,
            Self::Seq => Column::Seq,
            Self::Severity => Column::Severity,
            Self::OccurredAt => Column::OccurredAt,
            Self::ReceivedAt => Column::ReceivedAt,
            Self::Tenant
            | Self::Environment
            | Self::LeafHash
            | Self::Target(None, _)
            | Self::Scalar(_)
            | Self::Walk { .. } => return None,
        })
    }

    /// Returns true when `test` holds for some value at this place, for places that have a column.
    pub(super) fn any_in_row(
        &self,
        row: &dyn Row,
        test: &mut dyn FnMut(Scalar<'_>) -> bool,
    ) -> bool {
        let Some(column) = self.column() else { return false };
        match column {
            Column::Id => test(Scalar::Text(IdText::of(row.id()).as_str())),
            Column::Seq => test(Scalar::Number(itoa::Buffer::new().format(row.seq()))),
            Column::Severity => test(Scalar::Number(itoa::Buffer::new().format(row.severity()))),
            Column::OccurredAt => test(Scalar::Time(row.occurred_ms())),
            Column::ReceivedAt => test(Scalar::Time(row.received_ms())),
            text => row.any_text(text, &mut |text| test(Scalar::Text(text))),
        }
    }
}

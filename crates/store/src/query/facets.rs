//! The most frequent values of fields among the events that match.

use std::{cmp::Reverse, collections::HashMap};

use attestary_event::{
    Timestamp, View,
    filter::{Column, Field, Filter, Row},
};

use super::{
    ReadView,
    plan::Plan,
    tally::{self, Counter, Reach, Tally},
};
use crate::segment::SegmentError;

/// Bytes of a value that can be listed; longer ones are texts rather than values.
const VALUE_BYTES_MAX: usize = 256;

/// A count of values.
#[derive(Debug, Clone)]
pub struct FacetQuery {
    /// The log.
    pub slot: u64,
    /// Which events; relative times must be resolved.
    pub filter: Filter,
    /// Earliest `occurred_at`, included.
    pub from: Option<Timestamp>,
    /// Latest `occurred_at`, excluded.
    pub to: Option<Timestamp>,
    /// Whose values are counted.
    pub fields: Vec<Field>,
    /// Most values to list for each field.
    pub limit: usize,
    /// Most different values to tell apart for each field. Each takes up to 256 bytes and a few words.
    pub distinct_max: usize,
    /// How many events to read and evaluate at most; looking at columns alone costs a sixteenth.
    pub scan_budget: usize,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facets {
    /// Events that match.
    pub events: u64,
    /// In the order of the query's fields.
    pub fields: Vec<Facet>,
    /// How far the count came.
    pub reach: Reach,
}

/// The values of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// The most frequent first; of equally frequent ones, the lesser text.
    pub values: Vec<FacetValue>,
    /// Different values that were told apart.
    pub distinct: usize,
    /// Values that are not listed, once for each event that has them (values that were not told apart: once for each
    /// time they occur).
    pub other: u64,
    /// Events without a value.
    pub missing: u64,
    /// There were more values than were told apart, or values too long for it. The listed counts are exact
    /// nevertheless; a frequent value that was met late may be missing from the list.
    pub capped: bool,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetValue {
    /// Its text.
    pub value: Box<str>,
    /// Events that have it.
    pub events: u64,
}

impl ReadView<'_> {
    /// Returns the values of the query's fields among the events that it selects.
    ///
    /// Equal to a linear scan with the filter when [`Reach::from_seq`] is `None` and nothing is capped.
    pub fn facets(&self, query: &FacetQuery) -> Result<Facets, SegmentError> {
        let times = (query.from, query.to);
        let search = tally::query(query.slot, query.filter.clone(), times, query.scan_budget);
        self.facets_planned(query, &Plan::of(&search))
    }

    pub(super) fn facets_planned(
        &self,
        query: &FacetQuery,
        plan: &Plan,
    ) -> Result<Facets, SegmentError> {
        let tables = query.fields.iter().map(|field| Table::of(field, query.distinct_max));
        let mut counter = Values { events: 0, tables: tables.collect() };
        let reach = Tally::new(self, plan, query.scan_budget, &mut counter)?.run()?;
        let Values { events, tables } = counter;
        let fields = tables.into_iter().map(|table| table.into_facet(query.limit)).collect();
        Ok(Facets { events, fields, reach })
    }
}

struct Values<'a> {
    events: u64,
    tables: Vec<Table<'a>>,
}

impl Counter for Values<'_> {
    fn columns(&self) -> Option<Vec<Column>> {
        self.tables.iter().map(|table| table.field.column()).collect()
    }

    fn count(&mut self, row: &dyn Row, body: Option<&View<'_>>) {
        self.events += 1;
        for table in &mut self.tables {
            table.count(self.events, row, body);
        }
    }
}

/// The values of one field met so far.
struct Table<'a> {
    field: &'a Field,
    distinct_max: usize,
    /// Count, and the number of the event that was counted last: a value that an event has twice counts once.
    values: HashMap<Box<str>, (u64, u64)>,
    untold: u64,
    missing: u64,
}

impl<'a> Table<'a> {
    fn of(field: &'a Field, distinct_max: usize) -> Self {
        Self { field, distinct_max, values: HashMap::new(), untold: 0, missing: 0 }
    }

    /// Counts the values of the event with this number, from 1.
    fn count(&mut self, number: u64, row: &dyn Row, body: Option<&View<'_>>) {
        let field = self.field;
        let mut any = false;
        let mut add = |value: &str| {
            any = true;
            self.add(number, value);
        };
        match body {
            Some(body) => field.each(body, &mut add),
            None => field.each_in_row(row, &mut add),
        }
        self.missing += u64::from(!any);
    }

    fn add(&mut self, number: u64, value: &str) {
        if let Some((events, last)) = self.values.get_mut(value) {
            *events += u64::from(*last != number);
            *last = number;
        } else if self.values.len() < self.distinct_max && value.len() <= VALUE_BYTES_MAX {
            self.values.insert(value.into(), (1, number));
        } else {
            self.untold += 1;
        }
    }

    fn into_facet(self, limit: usize) -> Facet {
        let (distinct, all) = (self.values.len(), self.values.into_iter());
        let mut values: Vec<_> =
            all.map(|(value, (events, _))| FacetValue { value, events }).collect();
        values.sort_unstable_by(|a, b| {
            (Reverse(a.events), &a.value).cmp(&(Reverse(b.events), &b.value))
        });
        let unlisted: u64 = values.iter().skip(limit).map(|value| value.events).sum();
        values.truncate(limit);
        Facet {
            values,
            distinct,
            other: unlisted + self.untold,
            missing: self.missing,
            capped: self.untold > 0,
        }
    }
}

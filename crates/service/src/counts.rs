//! Counts over one tenant's log: how many events happened when, and the most frequent values of fields.
//!
//! They are reads like a search: the same filter, the same scan budget, the same event in `_audit` before the answer.
//! A count that spends its budget says from which event on it is complete. Few run at once, because each may keep
//! a processor busy for seconds; the others wait for a seat for a while.

use attestary_event::{
    Event, TenantId, Timestamp, Violation,
    filter::{Field, Path},
};
use attestary_store::{
    Counted, Division, Facet, Histogram as StoreHistogram, Reach, ReadError as StoreError,
};

use crate::{
    Caller, ReadError, Service,
    audit::{Act, action},
    error::cause,
    lens::{filter_for, hidden_of},
    search::SCAN_BUDGET,
};

/// Buckets of a histogram when the caller does not say.
pub const BUCKETS_DEFAULT: usize = 60;
/// Buckets of a histogram at most.
pub const BUCKETS_MAX: usize = 500;
/// Fields of one request at most.
pub const FIELDS_MAX: usize = 10;
/// Values listed for each field when the caller does not say.
pub const VALUES_DEFAULT: usize = 10;
/// Values listed for each field at most.
pub const VALUES_MAX: usize = 100;
/// Different values told apart for each field: of up to 256 bytes, ten fields take up to 35 MB.
const DISTINCT_MAX: usize = 10_000;

/// Which events are counted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Whose log; may be left out when the key sees only one tenant.
    pub tenant: Option<String>,
    /// Text in the filter language; empty selects everything.
    pub filter: String,
    /// Only events that happened at or after this time.
    pub from: Option<Timestamp>,
    /// Only events that happened before this time.
    pub to: Option<Timestamp>,
}

/// A field to count by: its path as the caller wrote it, and made ready.
#[derive(Debug, Clone)]
pub struct FacetField {
    /// As the caller wrote it.
    pub name: String,
    path: Path,
    field: Field,
}

impl FacetField {
    /// Reads the text form of a path.
    ///
    /// # Errors
    /// With one sentence, when the text is no path, or no path of values that can be counted.
    pub fn parse(name: &str) -> Result<Self, String> {
        let path = Path::parse(name).map_err(|error| error.to_string())?;
        let field = Field::of(&path).map_err(|error| error.to_string())?;
        Ok(Self { name: name.to_owned(), path, field })
    }

    /// Returns what reads the values.
    pub(crate) fn into_field(self) -> Field {
        self.field
    }
}

/// Where a count that spent its budget ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Every event from this seq on was looked at, and none before it.
    pub seq: u64,
    /// When that event was sequenced.
    pub received_at: Timestamp,
}

/// Counts over time.
#[derive(Debug)]
pub struct Histogram {
    /// Buckets and their counts.
    pub counts: StoreHistogram,
    /// Set when the budget was spent.
    pub edge: Option<Edge>,
}

/// The values of fields.
#[derive(Debug)]
pub struct Facets {
    /// Events that match.
    pub events: u64,
    /// Each field by its name, in the order asked for.
    pub fields: Vec<(String, Facet)>,
    /// Set when the budget was spent.
    pub edge: Option<Edge>,
}

impl Service {
    /// Returns how many of the selected events happened when.
    pub async fn histogram(
        &self,
        caller: &Caller,
        selection: Selection,
        division: Division,
    ) -> Result<Histogram, ReadError> {
        let (tenant, counted) = self.selected(caller, &selection, "events.histogram")?;
        let (store, name) = (self.store().clone(), (caller.environment()?.clone(), tenant.clone()));
        let of = name.clone();
        let count =
            async move { store.histogram(&of.0, &of.1, counted, division, BUCKETS_MAX).await };
        let counts = self.seated(self.counts(), name, count).await?.map_err(read_error)?;
        let edge = self.edge(caller, &tenant, counts.reach).await?;
        let events: u64 = counts.counts.iter().flatten().sum();
        let act = selection.act("events.histogram", &tenant).with("result_count", events);
        self.record_read(caller, &tenant, act).await.map_err(ReadError::Audit)?;
        Ok(Histogram { counts, edge })
    }

    /// Returns the `limit` most frequent values of each field among the selected events.
    pub async fn facets(
        &self,
        caller: &Caller,
        selection: Selection,
        fields: Vec<FacetField>,
        limit: usize,
    ) -> Result<Facets, ReadError> {
        let (tenant, counted) = self.selected(caller, &selection, "events.facets")?;
        if let Some(hidden) = hidden_of(caller)
            && let Some(field) = fields.iter().find(|field| hidden.touches(&field.path))
        {
            let detail = format!("names {:?}: the field is hidden from this session", field.name);
            return Err(ReadError::Invalid(vec![Violation::new("/fields", detail)]));
        }
        let (store, name) = (self.store().clone(), (caller.environment()?.clone(), tenant.clone()));
        let (names, paths): (Vec<_>, Vec<_>) =
            fields.into_iter().map(|field| (field.name, field.field)).unzip();
        let limit = limit.clamp(1, VALUES_MAX);
        let of = name.clone();
        let count =
            async move { store.facets(&of.0, &of.1, counted, paths, limit, DISTINCT_MAX).await };
        let facets = self.seated(self.counts(), name, count).await?.map_err(read_error)?;
        let edge = self.edge(caller, &tenant, facets.reach).await?;
        let act = selection
            .act("events.facets", &tenant)
            .with("fields", names.clone())
            .with("result_count", facets.events);
        self.record_read(caller, &tenant, act).await.map_err(ReadError::Audit)?;
        let fields = names.into_iter().zip(facets.fields).collect();
        Ok(Facets { events: facets.events, fields, edge })
    }

    fn selected(
        &self,
        caller: &Caller,
        selection: &Selection,
        operation: &'static str,
    ) -> Result<(TenantId, Counted), ReadError> {
        let tenant = self.readable(caller, selection.tenant.as_deref(), operation)?;
        let filter = filter_for(caller, &selection.filter).map_err(ReadError::Filter)?;
        let counted = Counted {
            filter: filter.resolve(Timestamp(self.clock().now_ms() as i64)),
            from: selection.from,
            to: selection.to,
            scan_budget: SCAN_BUDGET,
        };
        Ok((tenant, counted))
    }

    /// Times are what a histogram shows, so the place where it ends gets one.
    async fn edge(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        reach: Reach,
    ) -> Result<Option<Edge>, ReadError> {
        let Some(seq) = reach.from_seq else { return Ok(None) };
        let read = self.store().read(caller.environment()?, tenant, seq, 1, 1).await;
        let events: Vec<Event> = read.map_err(read_error)?;
        Ok(events.first().map(|event| Edge { seq, received_at: event.received_at }))
    }
}

impl Selection {
    fn act(&self, operation: &'static str, tenant: &TenantId) -> Act {
        Act::new(action::VIEW, operation)
            .on("tenant", tenant.as_str())
            .with("filter", self.filter.as_str())
            .with_some("from", self.from.map(|time| time.to_string()))
            .with_some("to", self.to.map(|time| time.to_string()))
    }
}

fn read_error(error: StoreError) -> ReadError {
    match error {
        StoreError::TooManyBuckets(error) => ReadError::Invalid(vec![Violation::new(
            "/interval",
            format!("is too short for the time: {error}"),
        )]),
        error => ReadError::Unavailable(cause(error)),
    }
}

//! Counts over one log: like reads, each takes one consistent state and runs on a blocking thread.

use attestary_event::{
    EnvironmentId, TenantId, Timestamp,
    filter::{Field, Filter},
};

use super::{ReadError, Store};
use crate::query::{Division, FacetQuery, Facets, Histogram, HistogramQuery};

/// Which events are counted.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Which events; relative times must be resolved.
    pub filter: Filter,
    /// Earliest `occurred_at`, included.
    pub from: Option<Timestamp>,
    /// Latest `occurred_at`, excluded.
    pub to: Option<Timestamp>,
    /// How many events to evaluate at most; looking at columns alone costs a sixteenth.
    pub scan_budget: usize,
}

impl Store {
    /// Returns how many events happened when.
    ///
    /// # Errors
    /// Also when a given length needs more than `buckets_max` buckets.
    pub async fn histogram(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        counted: Counted,
        division: Division,
        buckets_max: usize,
    ) -> Result<Histogram, ReadError> {
        let slot = self.slot(environment, tenant)?;
        let Counted { filter, from, to, scan_budget } = counted;
        let query = HistogramQuery { slot, filter, from, to, division, buckets_max, scan_budget };
        let histogram = self.blocking(slot, move |view| view.histogram(&query)).await?;
        histogram.map_err(ReadError::TooManyBuckets)
    }

    /// Returns the `limit` most frequent values of each field; up to `distinct_max` are told apart.
    pub async fn facets(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        counted: Counted,
        fields: Vec<Field>,
        limit: usize,
        distinct_max: usize,
    ) -> Result<Facets, ReadError> {
        let slot = self.slot(environment, tenant)?;
        let Counted { filter, from, to, scan_budget } = counted;
        let query = FacetQuery { slot, filter, from, to, fields, limit, distinct_max, scan_budget };
        self.blocking(slot, move |view| view.facets(&query)).await
    }
}

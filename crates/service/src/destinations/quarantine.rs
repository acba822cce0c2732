//! Events that a destination refused for good, as its tenant sees them.

use super::as_read;
use crate::{Caller, ReadError, Scope, Service, error::cause};

/// Events of one page.
const PAGE_MAX: usize = 1_000;

/// One event that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedEvent {
    /// Its position in the tenant's log.
    pub seq: u64,
    /// When it was set aside, in milliseconds since the epoch.
    pub at_ms: u64,
    /// Why, in one sentence.
    pub reason: String,
}

impl Service {
    /// Lists the events that a destination set aside, by seq, after `after`.
    pub async fn quarantined_events(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<QuarantinedEvent>, ReadError> {
        self.permit(caller, Scope::Destinations, "destination.quarantine")?;
        let tenant = self.visible(caller, tenant)?;
        self.own_row(caller, &tenant, id).await.map_err(as_read)?;
        let (id, limit) = (id.to_owned(), limit.clamp(1, PAGE_MAX));
        let rows = self.catalog(move |catalog| catalog.quarantined(&id, after, limit)).await;
        let rows = rows.map_err(|error| ReadError::Unavailable(cause(error)))?;
        self.recorded_view(caller, "destination.quarantine", &tenant, rows.len()).await?;
        let shown = rows.into_iter().map(|row| QuarantinedEvent {
            seq: row.seq,
            at_ms: row.quarantined_ms,
            reason: row.reason,
        });
        Ok(shown.collect())
    }
}

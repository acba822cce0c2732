//! What people see of a destination: settings without secrets, and how it fares.

use attestary_delivery::{Attempt, BatchLimits, SigningSecret, State, Status};
use attestary_event::TenantId;
use attestary_store::catalog::DestinationRow;
use serde_json::Value;

use crate::{ChangeError, Service, error::cause};

/// A destination as shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Destination {
    /// `dst_…`.
    pub id: String,
    /// Whose log.
    pub tenant: TenantId,
    /// For people.
    pub name: String,
    /// A type of docs/reference/destinations.md: `syslog`, `splunk` …
    pub kind: String,
    /// Settings of that type, without secrets.
    pub config: Value,
    /// `{"type": …}` with all options.
    pub format: Value,
    /// Text in the filter language; empty selects every event.
    pub filter: String,
    /// Limits of its batches as they hold: configured, or narrowed by its type and format.
    pub batch: BatchLimits,
    /// The least time between two checkpoints in its stream, in seconds; 0 for none.
    pub checkpoint_seconds: u64,
    /// `operator` or `tenant`.
    pub managed_by: &'static str,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
    /// When a person last changed it, in milliseconds since the epoch.
    pub changed_ms: u64,
    /// How it fares.
    pub status: Status,
    /// Public keys that verify its requests, newest first; empty where a shared secret does.
    pub public_keys: Vec<String>,
    /// What belongs into the trust policy of the role that it assumes; `None` where it assumes none.
    pub external_id: Option<String>,
}

/// One try to deliver a batch, as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationAttempt(pub Attempt);

impl Service {
    /// Returns a destination with the newest status: the task's, else the saved one.
    pub(super) fn shown_destination(
        &self,
        row: &DestinationRow,
    ) -> Result<Destination, ChangeError> {
        let status = match self.destinations().handle(&row.id) {
            Some(handle) => handle.status(),
            None => {
                let state = State::from_json(&row.state)
                    .map_err(|error| ChangeError::Unavailable(cause(error)))?;
                let size =
                    self.store().log(&row.environment, &row.tenant).map_or(0, |log| log.size);
                Status::of(&state, size)
            }
        };
        let (spec, secrets) = self.restored(row)?;
        let keys = secrets.signing.iter().filter_map(SigningSecret::public_key);
        // The stored form is `{"type": …, "config": {…}}`; the type stands beside it.
        let stored: Value = serde_json::from_str(&row.config).unwrap_or_default();
        Ok(Destination {
            id: row.id.clone(),
            tenant: row.tenant.clone(),
            name: row.name.clone(),
            kind: row.kind.clone(),
            config: stored.get("config").cloned().unwrap_or_default(),
            format: serde_json::from_str(&row.format).unwrap_or_default(),
            filter: row.filter.clone(),
            managed_by: row.managed_by.as_str(),
            created_ms: row.created_ms,
            changed_ms: row.changed_ms,
            status,
            batch: spec.limits(),
            checkpoint_seconds: spec.checkpoint_seconds,
            external_id: spec.destination.external_id(&spec.id),
            public_keys: spec.destination.signs().map_or_else(Vec::new, |_| keys.collect()),
        })
    }
}

//! A destination as configured: everything but its secrets and its state.

use attestary_event::{EnvironmentId, TenantId, filter::Filter};
use attestary_formats::Format;

use crate::{
    batch::BatchLimits,
    destination::{DestinationConfig, ManagedBy},
    guard::Owner,
    id::{DestinationId, ReplayId},
};

/// What a destination is. A change is a new value, handed to [`crate::Handle::change`].
#[derive(Debug, Clone)]
pub struct Spec {
    /// Identity.
    pub id: DestinationId,
    /// Namespace of the tenant.
    pub environment: EnvironmentId,
    /// Whose log is delivered.
    pub tenant: TenantId,
    /// Name given by people.
    pub name: String,
    /// Who answers for it.
    pub managed_by: ManagedBy,
    /// Type and configuration.
    pub destination: DestinationConfig,
    /// Form of the events.
    pub format: Format,
    /// Which events.
    pub filter: Filter,
    /// Limits of its batches.
    pub batch: BatchLimits,
    /// The least time between two checkpoints in its stream, in seconds; 0 for none.
    pub checkpoint_seconds: u64,
    /// Set for a replay: a second cursor of the same destination.
    pub replay: Option<ReplayId>,
}

impl Spec {
    /// Returns whose destination it is, for the outbound guard.
    pub fn owner(&self) -> Owner {
        Owner { environment: self.environment.clone(), tenant: self.tenant.clone() }
    }

    /// Returns the text that ids of batches begin with. A replay has its own: a receiver that knows the live batch
    /// must not take the replayed one for its repeat.
    pub(crate) fn label(&self) -> &str {
        self.replay.as_ref().map_or(self.id.as_str(), ReplayId::as_str)
    }

    /// Returns the limits of its batches in its type and format.
    pub fn limits(&self) -> BatchLimits {
        let limits = self.destination.own_limits().unwrap_or(self.batch);
        let events_max = limits.events_max.min(self.destination.events_ceiling(&self.format));
        let bytes_max = limits.bytes_max.min(self.destination.bytes_ceiling());
        let in_flight_max =
            if self.destination.keeps_order() { 1 } else { limits.in_flight_max.max(1) };
        BatchLimits { events_max, bytes_max, in_flight_max, ..limits }
    }
}

/// Returns a destination of the tenant "acme".
#[cfg(test)]
pub(crate) fn sample(destination: DestinationConfig) -> Spec {
    Spec {
        id: DestinationId::new(0, [7; 10]),
        environment: EnvironmentId::restored("production"),
        tenant: TenantId::restored("acme"),
        name: "sample".to_owned(),
        managed_by: ManagedBy::Operator,
        destination,
        format: Format::default(),
        filter: Filter::parse("").expect("the empty filter parses"),
        batch: BatchLimits::default(),
        checkpoint_seconds: 0,
        replay: None,
    }
}

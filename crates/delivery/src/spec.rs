//! A destination as configured: everything but its secrets and its state.

use attestary_event::{EnvironmentId, TenantId, filter::Filter};
use attestary_formats::Format;

use crate::{
    batch::BatchLimits,
    destination::{DestinationConfig, ManagedBy},
    guard::Owner,
    id::DestinationId,
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
}

impl Spec {
    /// Returns whose destination it is, for the outbound guard.
    pub fn owner(&self) -> Owner {
        Owner { environment: self.environment.clone(), tenant: self.tenant.clone() }
    }

    /// Returns the limits of its batches in its type and format.
    pub(crate) fn limits(&self) -> BatchLimits {
        let events_max = self.batch.events_max.min(self.destination.events_ceiling(&self.format));
        let bytes_max = self.batch.bytes_max.min(self.destination.bytes_ceiling());
        BatchLimits { events_max, bytes_max, ..self.batch }
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
    }
}

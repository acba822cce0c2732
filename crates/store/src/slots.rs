//! Which slot a tenant's present log has.

use attestary_event::{EnvironmentId, TenantId};
use hashbrown::{Equivalent, HashMap};

/// Slots by name. Looking one up copies nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Slots(HashMap<(EnvironmentId, TenantId), u64>);

/// A borrowed key; hashes as the owned one does.
#[derive(Hash)]
struct Name<'a>(&'a EnvironmentId, &'a TenantId);

impl Equivalent<(EnvironmentId, TenantId)> for Name<'_> {
    fn equivalent(&self, key: &(EnvironmentId, TenantId)) -> bool {
        *self.0 == key.0 && *self.1 == key.1
    }
}

impl Slots {
    /// Returns the slot of a tenant's log.
    pub(crate) fn get(&self, environment: &EnvironmentId, tenant: &TenantId) -> Option<u64> {
        self.0.get(&Name(environment, tenant)).copied()
    }

    /// Sets the slot of a tenant's log.
    pub(crate) fn insert(&mut self, environment: &EnvironmentId, tenant: &TenantId, slot: u64) {
        self.0.insert((environment.clone(), tenant.clone()), slot);
    }

    /// Frees a tenant's name.
    pub(crate) fn remove(&mut self, environment: &EnvironmentId, tenant: &TenantId) {
        self.0.remove(&Name(environment, tenant));
    }

    /// Returns the slots of an environment's logs, in no order.
    pub(crate) fn of(&self, environment: &EnvironmentId) -> Vec<u64> {
        let here = self.0.iter().filter(|((name, _), _)| name == environment);
        here.map(|(_, &slot)| slot).collect()
    }
}

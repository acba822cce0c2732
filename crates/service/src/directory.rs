//! Which environments there are and which tenants are closed: the part of the catalog that every event asks.
//!
//! It lives in memory and follows the catalog: changed only after the catalog was. Whether a tenant exists is not
//! kept here; its log tells. Only closed tenants are listed, because they are few.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use attestary_event::{EnvironmentId, TenantId};
use attestary_store::catalog::{EnvironmentRow, TenantRow, TenantState};
use parking_lot::RwLock;

/// A namespace of tenants and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentId,
    /// Events for unknown tenants are refused.
    pub closed: bool,
    /// Where it is closed, doors that may not refuse print such an event to standard output; else it is thrown away.
    pub print_unknown: bool,
    /// When it was created, in milliseconds since the epoch.
    pub created_ms: u64,
}

#[derive(Debug, Default)]
struct Entry {
    closed: bool,
    print_unknown: bool,
    created_ms: u64,
    closed_tenants: Arc<HashSet<TenantId>>,
}

impl Entry {
    fn shown(&self, name: &EnvironmentId) -> Environment {
        Environment {
            name: name.clone(),
            closed: self.closed,
            print_unknown: self.print_unknown,
            created_ms: self.created_ms,
        }
    }
}

/// What an environment takes at one moment: asked once for a body, then for each of its events.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    /// Events for unknown tenants are refused.
    pub(crate) closed: bool,
    /// Doors that may not refuse them print them.
    pub(crate) print_unknown: bool,
    closed_tenants: Arc<HashSet<TenantId>>,
}

impl Gate {
    /// Returns true when the tenant takes no events.
    pub(crate) fn is_tenant_closed(&self, tenant: &TenantId) -> bool {
        !self.closed_tenants.is_empty() && self.closed_tenants.contains(tenant)
    }
}

/// The directory.
#[derive(Debug, Default)]
pub(crate) struct Directory(RwLock<HashMap<EnvironmentId, Entry>>);

impl Directory {
    /// Builds the directory from the catalog's rows.
    pub(crate) fn restored(environments: Vec<EnvironmentRow>, tenants: Vec<TenantRow>) -> Self {
        let directory = Self::default();
        for row in environments {
            directory.insert(&Environment {
                name: row.name,
                closed: row.closed,
                print_unknown: row.print_unknown,
                created_ms: row.created_ms,
            });
        }
        for row in tenants {
            directory.set_tenant_closed(
                &row.environment,
                &row.id,
                row.state == TenantState::Closed,
            );
        }
        directory
    }

    /// Returns the environment's id when it exists.
    pub(crate) fn named(&self, name: &str) -> Option<EnvironmentId> {
        let id = EnvironmentId::parse(name).ok()?;
        self.0.read().contains_key(&id).then_some(id)
    }

    /// Returns one environment.
    pub(crate) fn environment(&self, name: &EnvironmentId) -> Option<Environment> {
        let entries = self.0.read();
        let entry = entries.get(name)?;
        Some(entry.shown(name))
    }

    /// Returns all environments by name.
    pub(crate) fn environments(&self) -> Vec<Environment> {
        let entries = self.0.read();
        let mut all: Vec<_> = entries.iter().map(|(name, entry)| entry.shown(name)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Adds an environment or changes what it takes.
    pub(crate) fn insert(&self, environment: &Environment) {
        let mut entries = self.0.write();
        let entry = entries.entry(environment.name.clone()).or_default();
        entry.closed = environment.closed;
        entry.print_unknown = environment.print_unknown;
        entry.created_ms = environment.created_ms;
    }

    /// Opens or closes a tenant.
    pub(crate) fn set_tenant_closed(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        closed: bool,
    ) {
        let mut entries = self.0.write();
        let Some(entry) = entries.get_mut(environment) else { return };
        let tenants = Arc::make_mut(&mut entry.closed_tenants);
        if closed {
            tenants.insert(tenant.clone());
        } else {
            tenants.remove(tenant);
        }
    }

    /// Returns what the environment takes now; an unknown one is closed.
    pub(crate) fn gate(&self, environment: &EnvironmentId) -> Gate {
        match self.0.read().get(environment) {
            Some(entry) => Gate {
                closed: entry.closed,
                print_unknown: entry.print_unknown,
                closed_tenants: Arc::clone(&entry.closed_tenants),
            },
            None => Gate { closed: true, print_unknown: false, closed_tenants: Arc::default() },
        }
    }
}

//! The tasks of destinations: started with the service, stopped with it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use attestary_delivery::{Components, DestinationConfig, Handle, Secrets, Spec, State, spawn};
use attestary_event::{EnvironmentId, TenantId, actions::KnownActions};
use attestary_store::catalog::{Catalog, DestinationRow};
use parking_lot::Mutex;
use tokio::sync::MutexGuard;

use super::ports::{CatalogMemory, Clock, LogFeed, Rng};
use crate::{
    AccessError, ChangeError, OpenError, Service, error::cause, keys::change_error,
    search::parse_filter,
};

/// The running destinations by id.
#[derive(Debug, Default)]
pub(crate) struct Running {
    handles: Mutex<HashMap<String, Arc<Handle>>>,
    /// Changes of destinations take turns: catalog and task then always say the same.
    turn: tokio::sync::Mutex<()>,
}

impl Running {
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub(super) fn handle(&self, id: &str) -> Option<Arc<Handle>> {
        self.handles.lock().get(id).cloned()
    }

    fn take(&self, id: &str) -> Option<Arc<Handle>> {
        self.handles.lock().remove(id)
    }

    fn take_all(&self) -> Vec<Arc<Handle>> {
        self.handles.lock().drain().map(|(_, handle)| handle).collect()
    }
}

impl Service {
    /// Starts every destination of the catalog. One that cannot be read is left out and logged: the others matter.
    pub(crate) async fn start_destinations(&self) -> Result<(), OpenError> {
        let rows = self.catalog(Catalog::destinations).await;
        for row in rows.map_err(|error| OpenError::Catalog(cause(error)))? {
            if let Err(error) = self.restart(&row) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(destination.id = %row.id, error, "a destination could not be started");
            }
        }
        Ok(())
    }

    fn restart(&self, row: &DestinationRow) -> Result<(), ChangeError> {
        let (spec, secrets) = self.restored(row)?;
        let state =
            State::from_json(&row.state).map_err(|error| ChangeError::Unavailable(cause(error)))?;
        self.run_destination(spec, secrets, state)
    }

    /// Stops every destination; each finishes or drops its attempt and saves.
    pub(crate) async fn stop_destinations(&self) {
        let stops = self.destinations().take_all().into_iter().map(stop);
        futures::future::join_all(stops).await;
    }

    /// Starts the task of one destination.
    pub(super) fn run_destination(
        &self,
        spec: Spec,
        secrets: Secrets,
        state: State,
    ) -> Result<(), ChangeError> {
        let feed = LogFeed::new(self.store(), &spec.environment, &spec.tenant)
            .ok_or(AccessError::NotFound)?;
        let parts = Components {
            log: Arc::new(feed),
            memory: Arc::new(CatalogMemory(self.store().catalog().clone())),
            clock: Arc::new(Clock(self.components().clock.clone())),
            rng: Arc::new(Rng(self.components().rng.clone())),
            guard: self.guard(),
            output: self.components().output.clone(),
            file_root: self.settings().file_root.clone(),
            actions: known_actions(),
        };
        let id = spec.id.to_string();
        let _runtime = self.runtime().enter();
        let handle = spawn(spec, secrets, state, parts);
        self.destinations().handles.lock().insert(id, Arc::new(handle));
        Ok(())
    }

    /// Stops one destination and removes it from the catalog.
    pub(super) async fn remove_destination(&self, id: &str) -> Result<(), ChangeError> {
        if let Some(handle) = self.destinations().take(id) {
            stop(handle).await;
        }
        let id = id.to_owned();
        self.catalog(move |catalog| catalog.delete_destination(&id)).await.map_err(change_error)
    }

    /// Removes all destinations of a tenant that is being deleted.
    pub(crate) async fn delete_destinations_of(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<(), ChangeError> {
        let _turn = self.destinations().turn().await;
        for row in self.rows_of_tenant(environment, tenant).await? {
            self.remove_destination(&row.id).await?;
        }
        Ok(())
    }

    /// Reads a destination back from its row.
    pub(super) fn restored(&self, row: &DestinationRow) -> Result<(Spec, Secrets), ChangeError> {
        let damaged = |what: &'static str| {
            ChangeError::Unavailable(cause(DamagedRow { id: row.id.clone(), what }))
        };
        let destination: DestinationConfig =
            serde_json::from_str(&row.config).map_err(|_| damaged("config"))?;
        let secrets = match &row.secrets {
            Some(sealed) => {
                let plain = self.vault().open_sealed(&sealed.0, &row.id);
                let plain = plain.map_err(|error| ChangeError::Unavailable(cause(error)))?;
                serde_json::from_slice(&plain).map_err(|_| damaged("secrets"))?
            }
            None => Secrets::default(),
        };
        let spec = Spec {
            id: attestary_delivery::DestinationId::parse(&row.id).ok_or_else(|| damaged("id"))?,
            environment: row.environment.clone(),
            tenant: row.tenant.clone(),
            name: row.name.clone(),
            managed_by: match row.managed_by {
                attestary_store::catalog::ManagedBy::Operator => {
                    attestary_delivery::ManagedBy::Operator
                }
                attestary_store::catalog::ManagedBy::Tenant => {
                    attestary_delivery::ManagedBy::Tenant
                }
            },
            destination,
            format: serde_json::from_str(&row.format).map_err(|_| damaged("format"))?,
            filter: parse_filter(&row.filter).map_err(|_| damaged("filter"))?,
            batch: attestary_delivery::BatchLimits::default(),
        };
        Ok((spec, secrets))
    }
}

/// Delivery shares ownership of the known actions, because an environment may have its own; today all have these.
fn known_actions() -> Arc<KnownActions> {
    static ACTIONS: LazyLock<Arc<KnownActions>> = LazyLock::new(|| {
        let families = [
            ("attestary", include_str!("../../../event/actions/attestary.toml")),
            ("saas", include_str!("../../../event/actions/saas.toml")),
            ("ironcore", include_str!("../../../event/actions/ironcore.toml")),
            ("formio", include_str!("../../../event/actions/formio.toml")),
            ("easysend", include_str!("../../../event/actions/easysend.toml")),
        ];
        Arc::new(
            KnownActions::from_families(&families)
                .expect("the event crate's tests read the same files"),
        )
    });
    ACTIONS.clone()
}

/// A handle that a running test still holds ends with it.
async fn stop(handle: Arc<Handle>) {
    if let Ok(handle) = Arc::try_unwrap(handle) {
        handle.stop().await;
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the stored {what} of destination {id} cannot be read")]
struct DamagedRow {
    id: String,
    what: &'static str,
}

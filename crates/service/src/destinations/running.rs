//! The tasks of destinations: started with the service, stopped with it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, OnceLock},
};

use attestary_delivery::{
    Components, DestinationConfig, Guard, Handle, Log, Memory, Secrets, Spec, State, Stretch, spawn,
};
use attestary_event::{EnvironmentId, TenantId, actions::KnownActions};
use attestary_store::catalog::{Catalog, DestinationRow, ReplayRow};
use parking_lot::Mutex;
use tokio::sync::{MutexGuard, Notify};

use super::{
    ports::{CatalogMemory, Clock, LogFeed, ReplayMemory, Rng},
    replays::Handles,
};
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
    replays: Mutex<Handles>,
    /// Called when destinations have something to say in their tenants' logs.
    nudge: Arc<Notify>,
    /// Called when tenants may lack what blueprints say.
    blueprints: Arc<Notify>,
    /// The outbound guard of all destinations.
    pub(super) guard: OnceLock<Guard>,
}

/// Which cursor of a destination a task moves.
pub(super) enum Cursor<'a> {
    Live,
    Replay(&'a ReplayRow),
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
        let mut all: Vec<_> = self.handles.lock().drain().map(|(_, handle)| handle).collect();
        all.extend(self.replays.lock().drain().map(|(_, handle)| handle));
        all
    }

    pub(super) fn nudge(&self) -> Arc<Notify> {
        self.nudge.clone()
    }

    pub(crate) fn blueprints(&self) -> Arc<Notify> {
        self.blueprints.clone()
    }

    pub(super) fn replay(&self, id: &str) -> Option<Arc<Handle>> {
        self.replays.lock().get(id).cloned()
    }

    pub(super) fn keep_replay(&self, id: &str, handle: Arc<Handle>) {
        self.replays.lock().insert(id.to_owned(), handle);
    }

    pub(super) async fn stop_replay(&self, id: &str) {
        let handle = self.replays.lock().remove(id);
        if let Some(handle) = handle {
            stop(handle).await;
        }
    }
}

impl Service {
    /// Starts every destination of the catalog. One that cannot be read is left out and logged: the others matter.
    pub(crate) async fn start_destinations(&self) -> Result<(), OpenError> {
        let rows = self.catalog(Catalog::destinations).await;
        let rows = rows.map_err(|error| OpenError::Catalog(cause(error)))?;
        for row in &rows {
            if let Err(error) = self.restart(row) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(destination.id = %row.id, error, "a destination could not be started");
            }
        }
        let replays = self.start_replays(&rows).await;
        replays.map_err(|error| OpenError::Catalog(cause(error)))?;
        self.start_notes();
        self.start_blueprints();
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
        let id = spec.id.to_string();
        let handle = self.spawn_cursor(spec, secrets, state, Cursor::Live)?;
        self.destinations().handles.lock().insert(id, Arc::new(handle));
        Ok(())
    }

    /// Starts a task that moves one cursor.
    pub(super) fn spawn_cursor(
        &self,
        spec: Spec,
        secrets: Secrets,
        state: State,
        cursor: Cursor<'_>,
    ) -> Result<Handle, ChangeError> {
        let feed =
            LogFeed::new(self, &spec.environment, &spec.tenant).ok_or(AccessError::NotFound)?;
        let (feed, catalog) = (Arc::new(feed), self.store().catalog().clone());
        let (log, memory): (Arc<dyn Log>, Arc<dyn Memory>) = match cursor {
            Cursor::Live => {
                let (clock, nudge) = (self.components().clock.clone(), self.destinations().nudge());
                (feed, Arc::new(CatalogMemory { catalog, clock, nudge }))
            }
            Cursor::Replay(row) => (
                Arc::new(Stretch::new(feed, row.next_seq)),
                Arc::new(ReplayMemory { catalog, replay: row.id.clone() }),
            ),
        };
        let parts = Components {
            log,
            memory,
            clock: Arc::new(Clock(self.components().clock.clone())),
            rng: Arc::new(Rng(self.components().rng.clone())),
            guard: self.guard(),
            output: self.components().output.clone(),
            file_root: self.settings().file_root.clone(),
            actions: known_actions(),
        };
        let _runtime = self.runtime().enter();
        Ok(spawn(spec, secrets, state, parts))
    }

    /// Hands changed settings over to the task of the live cursor; returns when they hold.
    pub(super) async fn hand_over(
        &self,
        id: &str,
        spec: Spec,
        secrets: Secrets,
    ) -> Result<(), ChangeError> {
        match self.destinations().handle(id) {
            Some(handle) => {
                let changed = handle.change(spec, secrets).await;
                changed.map_err(|error| ChangeError::Unavailable(cause(error)))
            }
            None => Ok(()),
        }
    }

    /// Stops one destination and removes it from the catalog.
    pub(super) async fn remove_destination(&self, id: &str) -> Result<(), ChangeError> {
        if let Some(handle) = self.destinations().take(id) {
            stop(handle).await;
        }
        self.drop_replays(id).await?;
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
        let (environment, tenant) = (environment.clone(), tenant.clone());
        self.catalog(move |catalog| catalog.delete_blueprint_copies_of(&environment, &tenant))
            .await
            .map_err(change_error)
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
            batch: match row.batch.as_str() {
                "" => attestary_delivery::BatchLimits::default(),
                text => serde_json::from_str(text).map_err(|_| damaged("batch"))?,
            },
            checkpoint_seconds: row.checkpoint_seconds,
            replay: None,
        };
        Ok((spec, secrets))
    }
}

/// The families of known actions.
pub(super) const FAMILIES: [(&str, &str); 5] = [
    ("attestary", include_str!("../../../event/actions/attestary.toml")),
    ("saas", include_str!("../../../event/actions/saas.toml")),
    ("ironcore", include_str!("../../../event/actions/ironcore.toml")),
    ("formio", include_str!("../../../event/actions/formio.toml")),
    ("easysend", include_str!("../../../event/actions/easysend.toml")),
];

/// Delivery shares ownership of the known actions, because an environment may have its own; today all have these.
pub(super) fn known_actions() -> Arc<KnownActions> {
    static ACTIONS: LazyLock<Arc<KnownActions>> = LazyLock::new(|| {
        Arc::new(
            KnownActions::from_families(&FAMILIES)
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

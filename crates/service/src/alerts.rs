//! Alerts: so many matching events within a window, counted as they arrive, for each value of a field apart.
//!
//! An alert that is raised is an event of the tenant's own log, durable and provable like any other. Who wants to be
//! told makes a destination whose filter selects these events ([`Alert::selects`]): webhook, mail, SIEM. For each
//! value an alert is raised at most once per window, across restarts and crashes too: the events of the log decide
//! alone, and the alert's event has an id that is made from them.

mod counts;
mod task;

use std::collections::HashMap;

use attestary_event::{EnvironmentId, TenantId};
use attestary_store::catalog::AlertRow;
use parking_lot::Mutex;
use tokio::{sync::MutexGuard, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::task::Task;
use crate::{
    AccessError, Caller, ChangeError, FacetField, OpenError, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
    ids::mint,
    keys::change_error,
    search::parse_filter,
};

/// Alerts of one tenant at most.
const ALERTS_MAX: usize = 50;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Most events that an alert waits for.
const THRESHOLD_MAX: u64 = 1_000;
/// Longest window: a week.
const WINDOW_SECONDS_MAX: u64 = 7 * 24 * 3_600;

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// `alr_` and a ULID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Text in the filter language.
    pub filter: String,
    /// Events that raise it, 1 to 1,000.
    pub threshold: u32,
    /// Length of the window in seconds, up to a week.
    pub window_seconds: u64,
    /// Path whose values are counted apart.
    pub group_by: Option<String>,
    /// It counts.
    pub enabled: bool,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
    /// When it was changed last.
    pub changed_ms: u64,
    /// When it was raised last.
    pub raised_ms: Option<u64>,
}

impl Alert {
    /// Returns the filter that selects the events of this alert.
    pub fn selects(&self) -> String {
        format!("action:{} targets.id:{}", action::ALERT, self.id)
    }
}

/// What an alert is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// What people call it.
    pub name: String,
    /// Text in the filter language.
    pub filter: String,
    /// Events that raise it.
    pub threshold: u64,
    /// Length of the window in seconds.
    pub window_seconds: u64,
    /// Path whose values are counted apart.
    pub group_by: Option<String>,
    /// It counts.
    pub enabled: bool,
}

/// What of an alert is to be changed.
#[derive(Debug, Clone, Default)]
pub struct AlertChange {
    /// New name.
    pub name: Option<String>,
    /// New filter.
    pub filter: Option<String>,
    /// New threshold.
    pub threshold: Option<u64>,
    /// New window.
    pub window_seconds: Option<u64>,
    /// New path; empty counts nothing apart.
    pub group_by: Option<String>,
    /// Whether it counts.
    pub enabled: Option<bool>,
}

/// The tasks of alerts by the alerts' ids.
#[derive(Debug, Default)]
pub(crate) struct Running {
    tasks: Mutex<HashMap<String, (CancellationToken, JoinHandle<()>)>>,
    /// Changes of alerts take turns: catalog and task then always say the same.
    turn: tokio::sync::Mutex<()>,
}

impl Running {
    async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Ends an alert's task; its count is saved when this returns.
    async fn stop(&self, id: &str) {
        let task = self.tasks.lock().remove(id);
        if let Some((stop, ended)) = task {
            stop.cancel();
            // A task that panicked has ended too.
            let _ = ended.await;
        }
    }
}

impl Service {
    /// Makes an alert; it counts what is received from now on.
    pub async fn create_alert(
        &self,
        caller: &Caller,
        tenant: &str,
        new: NewAlert,
    ) -> Result<Alert, ChangeError> {
        self.permit(caller, Scope::Destinations, "alert.create")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        check(&new)?;
        let _turn = self.alerts().turn().await;
        let (within, of) = (environment.clone(), tenant.clone());
        let existing = self.catalog(move |catalog| catalog.alerts_of(&within, &of)).await;
        if existing.map_err(change_error)?.len() >= ALERTS_MAX {
            let reason = format!("a tenant has at most {ALERTS_MAX} alerts; delete one first");
            return Err(ChangeError::Conflict { reason });
        }
        let now_ms = self.clock().now_ms();
        let row = AlertRow {
            id: mint("alr_", now_ms, self.rng()),
            next_seq: self.end_of(&environment, &tenant)?,
            environment,
            tenant,
            name: new.name,
            filter: new.filter,
            group_by: new.group_by,
            threshold: new.threshold as u32,
            window_ms: new.window_seconds * 1_000,
            enabled: new.enabled,
            created_ms: now_ms,
            created_by: caller.principal.id().to_owned(),
            changed_ms: now_ms,
            version: 0,
            counts: String::new(),
            raised_ms: None,
        };
        self.record(caller, act("alert.create", &row)).await.map_err(ChangeError::Audit)?;
        self.put_alert(&row).await?;
        self.run_alert(&row)?;
        Ok(shown(row))
    }

    /// Lists a tenant's alerts, oldest first.
    pub async fn list_alerts(
        &self,
        caller: &Caller,
        tenant: &str,
    ) -> Result<Vec<Alert>, ReadError> {
        self.permit(caller, Scope::Destinations, "alert.list")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let rows = self.catalog(move |catalog| catalog.alerts_of(&environment, &tenant)).await;
        let rows = rows.map_err(|error| ReadError::Unavailable(cause(error)))?;
        self.recorded_list(caller, "alert.list", rows.len()).await?;
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Returns one alert.
    pub async fn alert(&self, caller: &Caller, tenant: &str, id: &str) -> Result<Alert, ReadError> {
        self.permit(caller, Scope::Destinations, "alert.get")?;
        let tenant = self.visible(caller, tenant)?;
        let (environment, name) = (caller.environment()?.clone(), id.to_owned());
        let row = self.catalog(move |catalog| catalog.alert(&environment, &tenant, &name)).await;
        let row = row.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let row = row.ok_or(AccessError::NotFound)?;
        let act = Act::new(action::VIEW, "alert.get").on("alert", id);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(shown(row))
    }

    /// Changes an alert. Unless only its name changes, it counts anew from now on.
    pub async fn change_alert(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        change: AlertChange,
    ) -> Result<Alert, ChangeError> {
        self.permit(caller, Scope::Destinations, "alert.change")?;
        let _turn = self.alerts().turn().await;
        let old = self.own_alert(caller, tenant, id).await?;
        let new = changed(&old, change);
        check(&new)?;
        self.alerts().stop(id).await;
        // Only now do the saved counts not move any more.
        let old = self.own_alert(caller, tenant, id).await?;
        let changed = self.apply_change(caller, &old, new).await;
        self.run_alert(changed.as_ref().unwrap_or(&old))?;
        changed.map(shown)
    }

    async fn apply_change(
        &self,
        caller: &Caller,
        old: &AlertRow,
        new: NewAlert,
    ) -> Result<AlertRow, ChangeError> {
        let mut row =
            AlertRow { name: new.name.clone(), changed_ms: self.clock().now_ms(), ..old.clone() };
        if new != (NewAlert { name: new.name.clone(), ..as_new(old) }) {
            row.filter = new.filter;
            row.group_by = new.group_by;
            row.threshold = new.threshold as u32;
            row.window_ms = new.window_seconds * 1_000;
            row.enabled = new.enabled;
            row.version += 1;
            row.next_seq = self.end_of(&row.environment, &row.tenant)?;
            row.counts = String::new();
        }
        let act = act("alert.change", &row).changed("rule", rule(old), rule(&row));
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.put_alert(&row).await?;
        Ok(row)
    }

    /// Removes an alert; the events that it wrote stay.
    pub async fn delete_alert(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<(), ChangeError> {
        self.permit(caller, Scope::Destinations, "alert.delete")?;
        let _turn = self.alerts().turn().await;
        let row = self.own_alert(caller, tenant, id).await?;
        self.record(caller, act("alert.delete", &row)).await.map_err(ChangeError::Audit)?;
        self.remove_alert(row.id).await
    }

    /// Removes all alerts of a tenant that is being deleted.
    pub(crate) async fn delete_alerts_of(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<(), ChangeError> {
        let _turn = self.alerts().turn().await;
        let (within, of) = (environment.clone(), tenant.clone());
        let rows = self.catalog(move |catalog| catalog.alerts_of(&within, &of)).await;
        for row in rows.map_err(change_error)? {
            self.remove_alert(row.id).await?;
        }
        Ok(())
    }

    /// Starts every alert of the catalog. One that cannot be read is left out and logged: the others matter.
    pub(crate) async fn start_alerts(&self) -> Result<(), OpenError> {
        let rows = self.catalog(attestary_store::catalog::Catalog::alerts).await;
        for row in rows.map_err(|error| OpenError::Catalog(cause(error)))? {
            if let Err(error) = self.run_alert(&row) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(alert.id = %row.id, error, "an alert could not be started");
            }
        }
        Ok(())
    }

    fn run_alert(&self, row: &AlertRow) -> Result<(), ChangeError> {
        if !row.enabled {
            return Ok(());
        }
        let filter = parse_filter(&row.filter).map_err(ChangeError::Filter)?;
        let field = row.group_by.as_deref().map(FacetField::parse).transpose();
        let field = field.map_err(|detail| ChangeError::invalid("/group_by", detail))?;
        let size = self.store().watch(&row.environment, &row.tenant);
        let size = size.ok_or(AccessError::NotFound)?;
        let task =
            Task::new(self.clone(), row.clone(), filter, field.map(FacetField::into_field), size);
        let running = self.spawn_stoppable(|stopping| task.run(stopping));
        self.alerts().tasks.lock().insert(row.id.clone(), running);
        Ok(())
    }

    async fn remove_alert(&self, id: String) -> Result<(), ChangeError> {
        self.alerts().stop(&id).await;
        self.catalog(move |catalog| catalog.delete_alert(&id)).await.map_err(change_error)
    }

    async fn own_alert(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<AlertRow, ChangeError> {
        let tenant = self.visible(caller, tenant)?;
        let (environment, id) = (caller.environment()?.clone(), id.to_owned());
        let row = self.catalog(move |catalog| catalog.alert(&environment, &tenant, &id)).await;
        row.map_err(change_error)?.ok_or_else(|| AccessError::NotFound.into())
    }

    async fn put_alert(&self, row: &AlertRow) -> Result<(), ChangeError> {
        let row = row.clone();
        self.catalog(move |catalog| catalog.put_alert(&row)).await.map_err(change_error)
    }

    fn end_of(&self, environment: &EnvironmentId, tenant: &TenantId) -> Result<u64, AccessError> {
        self.store().log(environment, tenant).map(|log| log.size).ok_or(AccessError::NotFound)
    }
}

fn act(operation: &'static str, row: &AlertRow) -> Act {
    Act::new(action::POLICY, operation)
        .on("tenant", row.tenant.as_str())
        .on("alert", &row.id)
        .with("rule", rule(row))
}

/// The rule in one line, for the audit log.
fn rule(row: &AlertRow) -> String {
    let (threshold, seconds) = (row.threshold, row.window_ms / 1_000);
    let apart = row.group_by.as_deref().map(|path| format!(" by {path}")).unwrap_or_default();
    let off = if row.enabled { "" } else { " (off)" };
    format!("{threshold} within {seconds} s{apart}: {}{off}", row.filter)
}

fn as_new(row: &AlertRow) -> NewAlert {
    NewAlert {
        name: row.name.clone(),
        filter: row.filter.clone(),
        threshold: row.threshold.into(),
        window_seconds: row.window_ms / 1_000,
        group_by: row.group_by.clone(),
        enabled: row.enabled,
    }
}

fn changed(row: &AlertRow, change: AlertChange) -> NewAlert {
    let old = as_new(row);
    NewAlert {
        name: change.name.unwrap_or(old.name),
        filter: change.filter.unwrap_or(old.filter),
        threshold: change.threshold.unwrap_or(old.threshold),
        window_seconds: change.window_seconds.unwrap_or(old.window_seconds),
        group_by: match change.group_by {
            Some(path) if path.is_empty() => None,
            Some(path) => Some(path),
            None => old.group_by,
        },
        enabled: change.enabled.unwrap_or(old.enabled),
    }
}

fn check(new: &NewAlert) -> Result<(), ChangeError> {
    if !(1..=NAME_BYTES_MAX).contains(&new.name.len()) || new.name.contains(char::is_control) {
        let detail = format!("has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        return Err(ChangeError::invalid("/name", detail));
    }
    let filter = parse_filter(&new.filter).map_err(ChangeError::Filter)?;
    if filter.is_relative() {
        let detail = "names a time relative to now; how far back an alert looks is its window";
        return Err(ChangeError::invalid("/filter", detail));
    }
    for (name, value, max) in [
        ("/threshold", new.threshold, THRESHOLD_MAX),
        ("/window_seconds", new.window_seconds, WINDOW_SECONDS_MAX),
    ] {
        if !(1..=max).contains(&value) {
            let detail = format!("is a whole number from 1 to {max}; given: {value}");
            return Err(ChangeError::invalid(name, detail));
        }
    }
    if let Some(path) = &new.group_by {
        FacetField::parse(path).map_err(|detail| ChangeError::invalid("/group_by", detail))?;
    }
    Ok(())
}

fn shown(row: AlertRow) -> Alert {
    Alert {
        id: row.id,
        name: row.name,
        filter: row.filter,
        threshold: row.threshold,
        window_seconds: row.window_ms / 1_000,
        group_by: row.group_by,
        enabled: row.enabled,
        created_ms: row.created_ms,
        changed_ms: row.changed_ms,
        raised_ms: row.raised_ms,
    }
}

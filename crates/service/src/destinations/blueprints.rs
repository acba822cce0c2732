//! Blueprints: destinations that every tenant of an environment gets, the present ones and those to come.
//!
//! A blueprint is what a destination is made from, kept sealed. One task makes what is missing: after a change, after
//! a tenant appeared, and at the start of the service. A destination and the note that it came of a blueprint are
//! saved together, so none is made twice. Copies are managed by the operator: tenants see them and change nothing. A copy
//! that an operator deletes is not made again; a blueprint that is changed changes its copies, and one that is deleted
//! takes them with it.

mod revise;

use std::{collections::HashSet, time::Duration};

use attestary_delivery::{Secrets, Spec, State};
use attestary_event::{EnvironmentId, TenantId, Timestamp};
use attestary_store::catalog::{BlueprintRow, Catalog, Opaque, TenantState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::NewDestination;
use crate::{
    AccessError, Caller, ChangeError, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
    ids::mint,
    keys::change_error,
};

/// Blueprints of one environment at most.
const BLUEPRINTS_MAX: usize = 20;
/// How often it is looked whether something is missing, without a call.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// After what could not be made now.
const AGAIN: Duration = Duration::from_secs(2);
/// Tenants read at once.
const PAGE: usize = 1_000;

/// A blueprint as shown: without secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Blueprint {
    /// `bpr_…`.
    pub id: String,
    /// Name of the destinations.
    pub name: String,
    /// Their type.
    pub kind: String,
    /// Their settings, without secrets.
    pub config: Value,
    /// `{"type": …}`; null for the type's usual one.
    pub format: Value,
    /// Text in the filter language.
    pub filter: String,
    /// Tenants that have one.
    pub copies: usize,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Body {
    name: String,
    kind: String,
    config: Value,
    format: Option<Value>,
    filter: String,
    batch: Option<Value>,
    #[serde(default)]
    checkpoint_seconds: Option<u64>,
    start: Value,
    /// Settings as they are shown.
    shown: Value,
}

impl Body {
    fn new(new: &NewDestination) -> Self {
        let new = new.clone();
        Self {
            name: new.name,
            kind: new.kind,
            config: new.config,
            format: new.format,
            filter: new.filter,
            batch: new.batch,
            checkpoint_seconds: new.checkpoint_seconds,
            start: new.start,
            shown: Value::Null,
        }
    }

    /// Returns the blueprint with the settings that are shown of what comes of it.
    fn showing(self, spec: &Spec) -> Self {
        let settings = serde_json::to_value(&spec.destination).unwrap_or_default();
        Self { shown: settings.get("config").cloned().unwrap_or_default(), ..self }
    }

    fn destination(&self) -> NewDestination {
        NewDestination {
            name: self.name.clone(),
            kind: self.kind.clone(),
            config: self.config.clone(),
            format: self.format.clone(),
            filter: self.filter.clone(),
            batch: self.batch.clone(),
            checkpoint_seconds: self.checkpoint_seconds,
            start: self.start.clone(),
        }
    }
}

impl Service {
    /// Makes a blueprint; its destinations follow shortly.
    pub async fn create_blueprint(
        &self,
        caller: &Caller,
        new: NewDestination,
    ) -> Result<Blueprint, ChangeError> {
        self.permit(caller, Scope::Destinations, "blueprint.create")?;
        let environment = whole(caller)?;
        if matches!(new.start, Value::Number(_)) {
            let detail = "a seq is of one log: use now, beginning or a time";
            return Err(ChangeError::invalid("/start", detail));
        }
        // Everything but the tenant is checked as for a destination.
        let draft =
            self.check_new(caller, &environment, &TenantId::restored("_blueprint"), &new)?;
        if draft
            .spec
            .destination
            .signs()
            .is_some_and(|scheme| scheme == attestary_delivery::destination::webhook::Scheme::V1)
        {
            let detail = "must be v1a in a blueprint: a shared secret would be shown to nobody";
            return Err(ChangeError::invalid("/config/signature", detail));
        }
        let _turn = self.destinations().turn().await;
        let rows = self.blueprint_rows(&environment).await?;
        if rows.len() >= BLUEPRINTS_MAX {
            let reason = format!("an environment has at most {BLUEPRINTS_MAX} blueprints");
            return Err(ChangeError::Conflict { reason });
        }
        let id = mint("bpr_", self.clock().now_ms(), self.rng());
        let body = Body::new(&new).showing(&draft.spec);
        let act = Act::new(action::DESTINATION, "blueprint.create")
            .on("blueprint", id.as_str())
            .with("config", super::shown(&draft.spec));
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let plain = Zeroizing::new(serde_json::to_vec(&body).expect("a blueprint is JSON"));
        let sealed = self.vault().seal(&plain, &id, self.rng());
        let created_ms = self.clock().now_ms();
        let row = BlueprintRow { id, environment, body: Opaque(sealed), revision: 0, created_ms };
        let saved = row.clone();
        self.catalog(move |catalog| catalog.create_blueprint(&saved))
            .await
            .map_err(change_error)?;
        self.destinations().blueprints().notify_one();
        Ok(shown(&row, body, 0))
    }

    /// Lists the blueprints of an environment, oldest first.
    pub async fn list_blueprints(&self, caller: &Caller) -> Result<Vec<Blueprint>, ReadError> {
        self.permit(caller, Scope::Destinations, "blueprint.list")?;
        let environment = whole(caller)?;
        let rows = self.blueprint_rows(&environment).await.map_err(super::as_read)?;
        let mut found = Vec::new();
        for row in rows {
            let body = self.blueprint_body(&row).map_err(super::as_read)?;
            let id = row.id.clone();
            let copies = self.catalog(move |catalog| catalog.blueprint_copies(&id)).await;
            let copies = copies.map_err(|error| ReadError::Unavailable(cause(error)))?;
            found.push(shown(&row, body, copies.len()));
        }
        let act = Act::new(action::VIEW, "blueprint.list").with("result_count", found.len());
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(found)
    }

    /// Removes a blueprint and every destination that came of it.
    pub async fn delete_blueprint(&self, caller: &Caller, id: &str) -> Result<(), ChangeError> {
        self.permit(caller, Scope::Destinations, "blueprint.delete")?;
        let environment = whole(caller)?;
        let _turn = self.destinations().turn().await;
        let rows = self.blueprint_rows(&environment).await?;
        if !rows.iter().any(|row| row.id == id) {
            return Err(AccessError::NotFound.into());
        }
        let act = Act::new(action::DESTINATION, "blueprint.delete").on("blueprint", id);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let of = id.to_owned();
        let copies = self.catalog(move |catalog| catalog.blueprint_copies(&of)).await;
        for copy in copies.map_err(change_error)? {
            match self.remove_destination(&copy.destination).await {
                // An operator has deleted it before.
                Ok(()) | Err(ChangeError::Access(AccessError::NotFound)) => {}
                Err(error) => return Err(error),
            }
        }
        let id = id.to_owned();
        self.catalog(move |catalog| catalog.delete_blueprint(&id)).await.map_err(change_error)
    }

    /// Makes what is missing, for as long as the service runs.
    pub(super) fn start_blueprints(&self) {
        let service = self.clone();
        self.spawn(|stopping| async move {
            let nudged = service.destinations().blueprints();
            let mut wait = Duration::ZERO;
            loop {
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => return,
                    () = nudged.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
                wait = match service.make_copies().await {
                    Ok(true) => LOOK_EVERY,
                    Ok(false) => AGAIN,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "blueprints could not be carried out; tried again");
                        AGAIN
                    }
                };
            }
        });
    }

    /// Returns false when some tenant could not get its destination yet.
    async fn make_copies(&self) -> Result<bool, ChangeError> {
        let rows = self.catalog(Catalog::blueprints).await.map_err(change_error)?;
        let mut complete = true;
        for row in rows {
            let id = row.id.clone();
            let copies = self.catalog(move |catalog| catalog.blueprint_copies(&id)).await;
            let copies = copies.map_err(change_error)?;
            let body = self.blueprint_body(&row)?;
            for copy in copies.iter().filter(|copy| copy.revision != row.revision) {
                complete &= self.revise_copy(&row, &body, copy).await?;
            }
            let copies: HashSet<TenantId> = copies.into_iter().map(|copy| copy.tenant).collect();
            let mut after: Option<String> = None;
            loop {
                let (environment, from) = (row.environment.clone(), after.clone());
                let page = self
                    .catalog(move |catalog| catalog.tenants(&environment, from.as_deref(), PAGE));
                let page = page.await.map_err(change_error)?;
                for tenant in page.iter().filter(|tenant| {
                    tenant.state != TenantState::Deleted
                        && !tenant.id.is_system()
                        && !copies.contains(&tenant.id)
                }) {
                    // A tenant whose log is about to be made gets its copy a moment later.
                    complete &= self.store().log(&row.environment, &tenant.id).is_some()
                        && self.make_copy(&row, &body, &tenant.id).await?;
                }
                let Some(last) = page.last().filter(|_| page.len() == PAGE) else { break };
                after = Some(last.id.as_str().to_owned());
            }
        }
        Ok(complete)
    }

    async fn make_copy(
        &self,
        row: &BlueprintRow,
        body: &Body,
        tenant: &TenantId,
    ) -> Result<bool, ChangeError> {
        let _turn = self.destinations().turn().await;
        // It may have been deleted or changed since it was read.
        if !self.blueprint_rows(&row.environment).await?.contains(row) {
            return Ok(false);
        }
        let operator = attestary_delivery::ManagedBy::Operator;
        let made = self.check_as(operator, &row.environment, tenant, &body.destination());
        let draft = match made {
            Ok(draft) => draft,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(tenant.id = %tenant, blueprint.id = %row.id, error, "a blueprint does not fit a tenant");
                return Ok(false);
            }
        };
        let cursor = self.start_seq(&row.environment, tenant, draft.start).await?;
        let state = State::new(cursor, Timestamp(self.clock().now_ms() as i64));
        let (spec, secrets): (_, Secrets) = (draft.spec, draft.secrets);
        let saved = self.row(&spec, &secrets, &state, self.clock().now_ms());
        let (blueprint, revision) = (row.id.clone(), row.revision);
        self.catalog(move |catalog| catalog.create_blueprint_copy(&blueprint, revision, &saved))
            .await
            .map_err(change_error)?;
        self.run_destination(spec, secrets, state)?;
        Ok(true)
    }

    async fn blueprint_rows(
        &self,
        environment: &EnvironmentId,
    ) -> Result<Vec<BlueprintRow>, ChangeError> {
        let rows = self.catalog(Catalog::blueprints).await.map_err(change_error)?;
        Ok(rows.into_iter().filter(|row| row.environment == *environment).collect())
    }

    fn blueprint_body(&self, row: &BlueprintRow) -> Result<Body, ChangeError> {
        let plain = self.vault().open_sealed(&row.body.0, &row.id);
        let plain = plain.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        serde_json::from_slice(&plain).map_err(|error| ChangeError::Unavailable(cause(error)))
    }
}

/// Blueprints are of a whole environment: a key that is limited to tenants does not see them.
fn whole(caller: &Caller) -> Result<EnvironmentId, AccessError> {
    match caller.tenants() {
        None => caller.environment().cloned(),
        Some(_) => Err(AccessError::NotFound),
    }
}

fn shown(row: &BlueprintRow, body: Body, copies: usize) -> Blueprint {
    Blueprint {
        id: row.id.clone(),
        name: body.name,
        kind: body.kind,
        config: body.shown,
        format: body.format.unwrap_or_default(),
        filter: body.filter,
        copies,
        created_ms: row.created_ms,
    }
}

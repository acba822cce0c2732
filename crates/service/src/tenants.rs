//! Tenants: the customers of the application, each with a log of its own.
//!
//! A tenant comes into being when it is created here, or with its first event in an open environment. A closed one
//! keeps its events and takes no more. A deleted one is gone for every reader; events that come later start a new
//! log, whose origin differs, so that nobody can pass the new log off as the old one.

use attestary_event::{EnvironmentId, TenantId};
use attestary_store::catalog::{Catalog, CatalogError, TenantRow, TenantState};

use crate::{
    AccessError, Caller, ChangeError, IntakeError, ReadError, Scope, Service,
    audit::{Act, action},
    cursor::{decode_text, encode_text},
    error::cause,
    keys::{NAME_BYTES_MAX, change_error},
    submit::submit_error,
};

/// A tenant, with what its log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The application's own string.
    pub id: TenantId,
    /// Its environment.
    pub environment: EnvironmentId,
    /// For people.
    pub name: Option<String>,
    /// `open` or `closed`.
    pub state: &'static str,
    /// When it was created, in milliseconds since the epoch.
    pub created_ms: u64,
    /// Events in its log, the genesis event included.
    pub events: u64,
    /// The log's origin.
    pub origin: String,
}

/// What a new tenant is made from.
#[derive(Debug, Clone, Default)]
pub struct NewTenant {
    /// The application's own string.
    pub id: String,
    /// For people.
    pub name: Option<String>,
}

/// One page of tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPage {
    /// By id.
    pub tenants: Vec<Tenant>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

impl Service {
    /// Creates a tenant and its log.
    pub async fn create_tenant(
        &self,
        caller: &Caller,
        new: NewTenant,
    ) -> Result<Tenant, ChangeError> {
        self.permit(caller, Scope::Admin, "tenant.create")?;
        let environment = caller.environment()?.clone();
        let id = TenantId::parse(&new.id)
            .map_err(|violation| ChangeError::invalid("/id", violation.detail))?;
        check_name(new.name.as_deref())?;
        if !caller.covers(&id) {
            return Err(AccessError::NotFound.into());
        }
        if self.store().log(&environment, &id).is_some() {
            return Err(ChangeError::Exists { what: format!("tenant {id}") });
        }
        let act = Act::new(action::POLICY, "tenant.create").on("tenant", id.as_str());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.open_tenant(&environment, &id, new.name).await.map_err(ChangeError::Audit)?;
        self.tenant_row(&environment, &id).await.map_err(read_as_change)
    }

    /// Returns one page of tenants by id.
    pub async fn list_tenants(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<TenantPage, ReadError> {
        // Whoever reads logs must find them; a lens hides how large they are.
        if !caller.has(Scope::Read) || caller.lens().is_some() {
            self.permit(caller, Scope::Admin, "tenant.list")?;
        }
        let environment = caller.environment()?.clone();
        let list = format!("tenants {environment}");
        let after =
            cursor.map(|cursor| decode_text(&list, cursor, self.cursor_key())).transpose()?;
        let after = after.as_deref();
        let mut rows = match caller.tenants() {
            Some(own) => self.rows_of(&environment, own, after, limit + 1).await?,
            None => {
                let (environment, after) = (environment.clone(), after.map(str::to_owned));
                self.catalog(move |catalog| {
                    catalog.tenants(&environment, after.as_deref(), limit + 1)
                })
                .await
                .map_err(|error| ReadError::Unavailable(cause(error)))?
            }
        };
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next_cursor = last.map(|row| encode_text(&list, row.id.as_str(), self.cursor_key()));
        let tenants: Vec<_> = rows.into_iter().filter_map(|row| self.with_log(row)).collect();
        self.recorded_list(caller, "tenant.list", tenants.len()).await?;
        Ok(TenantPage { tenants, next_cursor })
    }

    /// Returns one tenant.
    pub async fn tenant(&self, caller: &Caller, id: &str) -> Result<Tenant, ReadError> {
        self.permit(caller, Scope::Admin, "tenant.get")?;
        let id = self.visible(caller, id)?;
        let act = Act::new(action::VIEW, "tenant.get").on("tenant", id.as_str());
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        self.tenant_row(caller.environment()?, &id).await
    }

    /// Closes a tenant for new events, or opens it again.
    pub async fn set_tenant_closed(
        &self,
        caller: &Caller,
        id: &str,
        closed: bool,
    ) -> Result<Tenant, ChangeError> {
        let (operation, state) = if closed {
            ("tenant.close", TenantState::Closed)
        } else {
            ("tenant.open", TenantState::Open)
        };
        self.permit(caller, Scope::Admin, operation)?;
        let id = self.visible(caller, id)?;
        let environment = caller.environment()?.clone();
        let before = self.tenant_row(&environment, &id).await.map_err(read_as_change)?;
        let act = Act::new(action::POLICY, operation).on("tenant", id.as_str()).changed(
            "state",
            before.state,
            state.as_str(),
        );
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.set_tenant_state(&environment, &id, state).await?;
        self.directory().set_tenant_closed(&environment, &id, closed);
        Ok(Tenant { state: state.as_str(), ..before })
    }

    /// Deletes a tenant with its events and destinations.
    pub async fn delete_tenant(&self, caller: &Caller, id: &str) -> Result<(), ChangeError> {
        self.permit(caller, Scope::Admin, "tenant.delete")?;
        let id = self.visible(caller, id)?;
        let environment = caller.environment()?.clone();
        let log = self.store().log(&environment, &id).ok_or(AccessError::NotFound)?;
        let _turn = self.govern().turn().await;
        self.refuse_when_kept(&environment, &id).await?;
        let act = Act::new(action::POLICY, "tenant.delete")
            .on("tenant", id.as_str())
            .with("events", log.size)
            .with("origin", log.origin);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.delete_destinations_of(&environment, &id).await?;
        self.delete_exports_of(&environment, &id).await?;
        self.delete_alerts_of(&environment, &id).await?;
        let (within, of) = (environment.clone(), id.clone());
        self.catalog(move |catalog| catalog.delete_views_of(&within, &of))
            .await
            .map_err(change_error)?;
        self.store()
            .delete_log(&environment, &id)
            .await
            .map_err(|error| ChangeError::Unavailable(cause(error)))?;
        // The log goes first: a crash in between leaves a row without a log, which nobody sees and a new event reuses.
        self.set_tenant_state(&environment, &id, TenantState::Deleted).await?;
        self.directory().set_tenant_closed(&environment, &id, false);
        Ok(())
    }

    /// Makes a tenant that may be new ready for events: its row first, then its log; both may be there already.
    pub(crate) async fn open_tenant(
        &self,
        environment: &EnvironmentId,
        id: &TenantId,
        name: Option<String>,
    ) -> Result<(), IntakeError> {
        let row = self.new_row(environment, id.clone(), name);
        self.catalog(move |catalog| put_row(catalog, &row))
            .await
            .map_err(|error| IntakeError::Unavailable(cause(error)))?;
        self.store().open_log(environment, id).await.map_err(submit_error)?;
        self.destinations().blueprints().notify_one();
        Ok(())
    }

    /// Enters several tenants at once, in one transaction where none of them was here before.
    pub(crate) async fn enter_tenants(
        &self,
        environment: &EnvironmentId,
        ids: Vec<TenantId>,
    ) -> Result<(), IntakeError> {
        let rows: Vec<_> = ids.into_iter().map(|id| self.new_row(environment, id, None)).collect();
        let entered = self.catalog(move |catalog| match catalog.create_tenants(&rows) {
            Err(CatalogError::Conflict { .. }) => {
                rows.iter().try_for_each(|row| put_row(catalog, row))
            }
            other => other,
        });
        entered.await.map_err(|error| IntakeError::Unavailable(cause(error)))?;
        self.destinations().blueprints().notify_one();
        Ok(())
    }

    fn new_row(
        &self,
        environment: &EnvironmentId,
        id: TenantId,
        name: Option<String>,
    ) -> TenantRow {
        let now_ms = self.clock().now_ms();
        TenantRow {
            environment: environment.clone(),
            id,
            name,
            state: TenantState::Open,
            created_ms: now_ms,
            changed_ms: now_ms,
        }
    }

    async fn tenant_row(
        &self,
        environment: &EnvironmentId,
        id: &TenantId,
    ) -> Result<Tenant, ReadError> {
        let (environment, id) = (environment.clone(), id.clone());
        let row = self
            .catalog(move |catalog| catalog.tenant(&environment, &id))
            .await
            .map_err(|error| ReadError::Unavailable(cause(error)))?;
        row.and_then(|row| self.with_log(row)).ok_or(AccessError::NotFound.into())
    }

    async fn rows_of(
        &self,
        environment: &EnvironmentId,
        own: &[TenantId],
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<TenantRow>, ReadError> {
        let mut ids: Vec<_> = own
            .iter()
            .filter(|id| after.is_none_or(|after| id.as_str() > after))
            .cloned()
            .collect();
        ids.sort();
        let environment = environment.clone();
        let read = move |catalog: &Catalog| {
            let rows = ids.iter().map(|id| catalog.tenant(&environment, id));
            let mut found = rows.collect::<Result<Vec<_>, _>>()?;
            found.retain(|row| row.as_ref().is_some_and(|row| row.state != TenantState::Deleted));
            Ok::<_, CatalogError>(found.into_iter().flatten().take(limit).collect())
        };
        self.catalog(read).await.map_err(|error| ReadError::Unavailable(cause(error)))
    }

    /// A row without a log is a tenant whose creation a crash cut short: its next event completes it.
    fn with_log(&self, row: TenantRow) -> Option<Tenant> {
        let log = self.store().log(&row.environment, &row.id)?;
        Some(Tenant {
            id: row.id,
            environment: row.environment,
            name: row.name,
            state: row.state.as_str(),
            created_ms: row.created_ms,
            events: log.size,
            origin: log.origin,
        })
    }

    async fn set_tenant_state(
        &self,
        environment: &EnvironmentId,
        id: &TenantId,
        state: TenantState,
    ) -> Result<(), ChangeError> {
        let (environment, id, now_ms) = (environment.clone(), id.clone(), self.clock().now_ms());
        let change =
            move |catalog: &Catalog| catalog.set_tenant_state(&environment, &id, state, now_ms);
        self.catalog(change).await.map_err(change_error)
    }
}

/// Adds the row, or takes up a deleted one again; an open one stays as it is.
fn put_row(catalog: &Catalog, row: &TenantRow) -> Result<(), CatalogError> {
    match catalog.tenant(&row.environment, &row.id)? {
        Some(found) if found.state == TenantState::Deleted => catalog.reopen_tenant(row),
        Some(_) => Ok(()),
        None => match catalog.create_tenant(row) {
            // Two first events at once: the other one made the row.
            Err(CatalogError::Conflict { .. }) => Ok(()),
            other => other,
        },
    }
}

pub(crate) fn check_name(name: Option<&str>) -> Result<(), ChangeError> {
    match name {
        Some(name) if name.len() > NAME_BYTES_MAX => Err(ChangeError::invalid(
            "/name",
            format!("a name has at most {NAME_BYTES_MAX} bytes; this one has {}", name.len()),
        )),
        _ => Ok(()),
    }
}

fn read_as_change(error: ReadError) -> ChangeError {
    match error {
        ReadError::Access(error) => error.into(),
        other => ChangeError::Unavailable(cause(other)),
    }
}

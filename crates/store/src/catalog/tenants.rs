//! Tenants as the service knows them. Their logs are in the heads ([`super::HeadRow`]).

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::{Row, params};

use super::{Catalog, CatalogError, Result, TenantRow, TenantState, keys::found, signed, unsigned};

impl Catalog {
    /// Adds a tenant; a repeated id is a conflict, also after deletion (see [`Catalog::reopen_tenant`]).
    pub fn create_tenant(&self, row: &TenantRow) -> Result<()> {
        self.create_tenants(std::slice::from_ref(row))
    }

    /// Adds tenants, all or none.
    pub fn create_tenants(&self, rows: &[TenantRow]) -> Result<()> {
        self.write(|transaction| {
            let text = "INSERT INTO tenants (environment, id, name, state, created_ms, changed_ms)
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let mut insert = transaction.prepare_cached(text)?;
            for row in rows {
                insert.execute(params![
                    row.environment.as_str(),
                    row.id.as_str(),
                    row.name,
                    row.state.as_str(),
                    signed(row.created_ms),
                    signed(row.changed_ms),
                ])?;
            }
            Ok(())
        })
    }

    /// Returns one tenant.
    pub fn tenant(&self, environment: &EnvironmentId, id: &TenantId) -> Result<Option<TenantRow>> {
        self.read(|connection| {
            let text = "SELECT environment, id, name, state, created_ms, changed_ms FROM tenants
                        WHERE environment = ?1 AND id = ?2";
            let mut select = connection.prepare_cached(text)?;
            let mut rows =
                select.query_map([environment.as_str(), id.as_str()], |row| Ok(tenant_row(row)))?;
            rows.next().map(|row| row?).transpose()
        })
    }

    /// Returns a page of an environment's tenants by id, starting after `after`; deleted ones are left out.
    pub fn tenants(
        &self,
        environment: &EnvironmentId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<TenantRow>> {
        self.read(|connection| {
            let text = "SELECT environment, id, name, state, created_ms, changed_ms FROM tenants
                        WHERE environment = ?1 AND id > ?2 AND state <> 'deleted' ORDER BY id LIMIT ?3";
            let mut select = connection.prepare_cached(text)?;
            // Tenant ids are never empty, so "" stands before all of them.
            let values = params![environment.as_str(), after.unwrap_or(""), limit as i64];
            let rows = select.query_map(values, |row| Ok(tenant_row(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// Returns every tenant of every environment, deleted ones included, for the service's start.
    pub fn all_tenants(&self) -> Result<Vec<TenantRow>> {
        self.read(|connection| {
            let text = "SELECT environment, id, name, state, created_ms, changed_ms FROM tenants ORDER BY environment, id";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([], |row| Ok(tenant_row(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// Names a tenant.
    pub fn set_tenant_name(
        &self,
        environment: &EnvironmentId,
        id: &TenantId,
        name: Option<&str>,
    ) -> Result<()> {
        let text = "UPDATE tenants SET name = ?3 WHERE environment = ?1 AND id = ?2 AND state <> 'deleted'";
        let values = params![environment.as_str(), id.as_str(), name];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("tenant {id}"))
    }

    /// Opens, closes or deletes a tenant. A deleted tenant stays deleted here; see [`Catalog::reopen_tenant`].
    pub fn set_tenant_state(
        &self,
        environment: &EnvironmentId,
        id: &TenantId,
        state: TenantState,
        now_ms: u64,
    ) -> Result<()> {
        let text = "UPDATE tenants SET state = ?3, changed_ms = ?4
                    WHERE environment = ?1 AND id = ?2 AND state <> 'deleted'";
        let values = params![environment.as_str(), id.as_str(), state.as_str(), signed(now_ms)];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("tenant {id}"))
    }

    /// Starts a deleted tenant's next incarnation; its log must be a new one.
    pub fn reopen_tenant(&self, row: &TenantRow) -> Result<()> {
        let text = "UPDATE tenants SET name = ?3, state = ?4, created_ms = ?5, changed_ms = ?6
                    WHERE environment = ?1 AND id = ?2 AND state = 'deleted'";
        let values = params![
            row.environment.as_str(),
            row.id.as_str(),
            row.name,
            row.state.as_str(),
            signed(row.created_ms),
            signed(row.changed_ms)
        ];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("deleted tenant {}", row.id))
    }
}

fn tenant_row(row: &Row<'_>) -> Result<TenantRow> {
    let state: String = row.get(3)?;
    Ok(TenantRow {
        environment: EnvironmentId::restored(&row.get::<_, String>(0)?),
        id: TenantId::restored(&row.get::<_, String>(1)?),
        name: row.get(2)?,
        state: TenantState::parse(&state)
            .ok_or_else(|| CatalogError::corrupt(format!("tenant state {state:?}")))?,
        created_ms: unsigned(row.get(4)?),
        changed_ms: unsigned(row.get(5)?),
    })
}

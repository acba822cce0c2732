//! Views that people saved for a tenant: a filter, and what to count by.

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::params;

use super::{Catalog, Result, keys::found, signed, unsigned};

/// The table.
pub(super) const VIEWS: &str = "
CREATE TABLE views (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, tenant TEXT NOT NULL, name TEXT NOT NULL, filter TEXT NOT NULL,
    group_by TEXT NOT NULL, min_count INTEGER NOT NULL, created_ms INTEGER NOT NULL, created_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX views_by_tenant ON views (environment, tenant, id);
";

/// One saved view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRow {
    /// `view_` and a ULID.
    pub id: String,
    /// Where.
    pub environment: EnvironmentId,
    /// Whose log it looks at.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// Text in the filter language.
    pub filter: String,
    /// Paths between commas; empty: nothing is counted.
    pub group_by: String,
    /// Least count that is shown.
    pub min_count: u64,
    /// When it was saved, in milliseconds since the epoch.
    pub created_ms: u64,
    /// Who saved it.
    pub created_by: String,
}

impl Catalog {
    /// Saves a view.
    pub fn create_view(&self, row: &ViewRow) -> Result<()> {
        let text = "INSERT INTO views (id, environment, tenant, name, filter, group_by, min_count, created_ms, created_by)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let values = params![
            row.id,
            row.environment.as_str(),
            row.tenant.as_str(),
            row.name,
            row.filter,
            row.group_by,
            signed(row.min_count),
            signed(row.created_ms),
            row.created_by,
        ];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }

    /// Returns a tenant's views, oldest first.
    pub fn views(&self, environment: &EnvironmentId, tenant: &TenantId) -> Result<Vec<ViewRow>> {
        self.read(|connection| {
            let text =
                "SELECT id, name, filter, group_by, min_count, created_ms, created_by FROM views
                        WHERE environment = ?1 AND tenant = ?2 ORDER BY id";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([environment.as_str(), tenant.as_str()], |row| {
                Ok(ViewRow {
                    id: row.get(0)?,
                    environment: environment.clone(),
                    tenant: tenant.clone(),
                    name: row.get(1)?,
                    filter: row.get(2)?,
                    group_by: row.get(3)?,
                    min_count: unsigned(row.get(4)?),
                    created_ms: unsigned(row.get(5)?),
                    created_by: row.get(6)?,
                })
            })?;
            rows.map(|row| Ok(row?)).collect()
        })
    }

    /// Gives a tenant's view another name, filter and count.
    pub fn change_view(&self, row: &ViewRow) -> Result<()> {
        let text = "UPDATE views SET name = ?4, filter = ?5, group_by = ?6, min_count = ?7
                    WHERE environment = ?1 AND tenant = ?2 AND id = ?3";
        let values = params![
            row.environment.as_str(),
            row.tenant.as_str(),
            row.id,
            row.name,
            row.filter,
            row.group_by,
            signed(row.min_count),
        ];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("view {}", row.id))
    }

    /// Removes a tenant's view.
    pub fn delete_view(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        id: &str,
    ) -> Result<()> {
        let text = "DELETE FROM views WHERE environment = ?1 AND tenant = ?2 AND id = ?3";
        let values = params![environment.as_str(), tenant.as_str(), id];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("view {id}"))
    }

    /// Removes every view of a tenant, for its deletion.
    pub fn delete_views_of(&self, environment: &EnvironmentId, tenant: &TenantId) -> Result<()> {
        let text = "DELETE FROM views WHERE environment = ?1 AND tenant = ?2";
        let values = params![environment.as_str(), tenant.as_str()];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }
}

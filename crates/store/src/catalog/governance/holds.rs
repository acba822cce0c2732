//! Legal holds.

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::{Row, params};

use crate::catalog::{Catalog, Result, keys::found, optional_unsigned, signed, unsigned};

/// A legal hold on a part of a tenant's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// `hold_` and a ULID.
    pub id: String,
    /// Namespace.
    pub environment: EnvironmentId,
    /// Whose log.
    pub tenant: TenantId,
    /// For people.
    pub name: String,
    /// Filter text; empty selects everything.
    pub filter: String,
    /// JSON array of ids of persons; empty means anybody.
    pub custodians: String,
    /// For people.
    pub reason: String,
    /// In milliseconds since the epoch.
    pub placed_ms: u64,
    /// Who placed it.
    pub placed_by: String,
    /// `None` while it is in force.
    pub released_ms: Option<u64>,
    /// Who released it.
    pub released_by: Option<String>,
}

const COLUMNS: &str =
    "id, environment, tenant, name, filter, custodians, reason, placed_ms, placed_by, released_ms,
                       released_by";

impl Catalog {
    /// Places a hold.
    pub fn create_hold(&self, row: &HoldRow) -> Result<()> {
        let text =
            format!("INSERT INTO holds ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,NULL,NULL)");
        let values = params![
            row.id,
            row.environment.as_str(),
            row.tenant.as_str(),
            row.name,
            row.filter,
            row.custodians,
            row.reason,
            signed(row.placed_ms),
            row.placed_by,
        ];
        self.write(|transaction| Ok(transaction.execute(&text, values).map(drop)?))
    }

    /// Releases a hold that is in force.
    pub fn release_hold(&self, id: &str, released_ms: u64, released_by: &str) -> Result<()> {
        let text = "UPDATE holds SET released_ms = ?2, released_by = ?3 WHERE id = ?1 AND released_ms IS NULL";
        let values = params![id, signed(released_ms), released_by];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("hold {id}"))
    }

    /// Replaces what a released hold says about persons: an erasure reaches it too.
    pub fn blank_hold(&self, id: &str) -> Result<()> {
        let text = "UPDATE holds SET name = '(erased)', filter = '', custodians = '[]', reason = '(erased)'
                    WHERE id = ?1 AND released_ms IS NOT NULL";
        self.write(|transaction| Ok(transaction.execute(text, [id]).map(drop)?))
    }

    /// Returns a tenant's holds above the id `after`, by id; `in_force` leaves released ones out.
    pub fn holds(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        in_force: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HoldRow>> {
        let text = format!(
            "SELECT {COLUMNS} FROM holds WHERE environment = ?1 AND tenant = ?2 AND id > ?3
             AND (released_ms IS NULL OR NOT ?4) ORDER BY id LIMIT ?5"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values =
            params![environment.as_str(), tenant.as_str(), after.unwrap_or(""), in_force, limit];
        self.read(|connection| {
            let mut select = connection.prepare_cached(&text)?;
            let rows = select.query_map(values, hold_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Returns one hold.
    pub fn hold(&self, id: &str) -> Result<Option<HoldRow>> {
        let text = format!("SELECT {COLUMNS} FROM holds WHERE id = ?1");
        self.read(|connection| {
            let mut select = connection.prepare_cached(&text)?;
            let mut rows = select.query_map([id], hold_row)?;
            Ok(rows.next().transpose()?)
        })
    }
}

fn hold_row(row: &Row<'_>) -> rusqlite::Result<HoldRow> {
    Ok(HoldRow {
        id: row.get(0)?,
        environment: EnvironmentId::restored(&row.get::<_, String>(1)?),
        tenant: TenantId::restored(&row.get::<_, String>(2)?),
        name: row.get(3)?,
        filter: row.get(4)?,
        custodians: row.get(5)?,
        reason: row.get(6)?,
        placed_ms: unsigned(row.get(7)?),
        placed_by: row.get(8)?,
        released_ms: optional_unsigned(row.get(9)?),
        released_by: row.get(10)?,
    })
}

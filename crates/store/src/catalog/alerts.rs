//! Alerts: what is counted in a tenant's log, and how far the count has come.

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Catalog, Result, keys::found, signed, unsigned};

/// The table.
pub(super) const ALERTS: &str = "
CREATE TABLE alerts (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, tenant TEXT NOT NULL, name TEXT NOT NULL, filter TEXT NOT NULL,
    group_by TEXT, threshold INTEGER NOT NULL, window_ms INTEGER NOT NULL, enabled INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, created_by TEXT NOT NULL, changed_ms INTEGER NOT NULL, version INTEGER NOT NULL,
    next_seq INTEGER NOT NULL, counts TEXT NOT NULL, raised_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_by_tenant ON alerts (environment, tenant, id);
";

const COLUMNS: &str =
    "id, environment, tenant, name, filter, group_by, threshold, window_ms, enabled, created_ms,
                       created_by, changed_ms, version, next_seq, counts, raised_ms";

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    /// `alr_` and a ULID.
    pub id: String,
    /// Where.
    pub environment: EnvironmentId,
    /// Whose log is counted.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// Text in the filter language.
    pub filter: String,
    /// Path whose values are counted apart.
    pub group_by: Option<String>,
    /// Events within the window that raise it.
    pub threshold: u32,
    /// Length of the window.
    pub window_ms: u64,
    /// It counts.
    pub enabled: bool,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
    /// Who made it.
    pub created_by: String,
    /// When it was changed last.
    pub changed_ms: u64,
    /// Grows when what is counted changes: the counts of another version are not its own.
    pub version: u64,
    /// The first seq that is not counted.
    pub next_seq: u64,
    /// The counts, in a form that belongs to whoever counts.
    pub counts: String,
    /// When it was raised last.
    pub raised_ms: Option<u64>,
}

impl Catalog {
    /// Adds an alert, or changes everything of one but who made it and when.
    pub fn put_alert(&self, row: &AlertRow) -> Result<()> {
        let text = format!(
            "INSERT INTO alerts ({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
             ON CONFLICT (id) DO UPDATE SET
                name = excluded.name, filter = excluded.filter, group_by = excluded.group_by,
                threshold = excluded.threshold, window_ms = excluded.window_ms, enabled = excluded.enabled,
                changed_ms = excluded.changed_ms, version = excluded.version, next_seq = excluded.next_seq,
                counts = excluded.counts, raised_ms = excluded.raised_ms"
        );
        let values = params![
            row.id,
            row.environment.as_str(),
            row.tenant.as_str(),
            row.name,
            row.filter,
            row.group_by,
            row.threshold,
            signed(row.window_ms),
            row.enabled,
            signed(row.created_ms),
            row.created_by,
            signed(row.changed_ms),
            signed(row.version),
            signed(row.next_seq),
            row.counts,
            row.raised_ms.map(signed),
        ];
        self.write(|transaction| Ok(transaction.execute(&text, values)?))?;
        Ok(())
    }

    /// Saves how far an alert's count has come, unless the alert is gone.
    pub fn save_alert_counts(
        &self,
        id: &str,
        next_seq: u64,
        counts: &str,
        raised_ms: Option<u64>,
    ) -> Result<()> {
        let text = "UPDATE alerts SET next_seq = ?2, counts = ?3, raised_ms = ?4 WHERE id = ?1";
        let values = params![id, signed(next_seq), counts, raised_ms.map(signed)];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }

    /// Returns every alert.
    pub fn alerts(&self) -> Result<Vec<AlertRow>> {
        self.read(|connection| {
            let mut select =
                connection.prepare_cached(&format!("SELECT {COLUMNS} FROM alerts ORDER BY id"))?;
            let rows = select.query_map([], read)?;
            rows.map(|row| Ok(row?)).collect()
        })
    }

    /// Returns a tenant's alerts, oldest first.
    pub fn alerts_of(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<Vec<AlertRow>> {
        self.read(|connection| {
            let text = format!(
                "SELECT {COLUMNS} FROM alerts WHERE environment = ?1 AND tenant = ?2 ORDER BY id"
            );
            let mut select = connection.prepare_cached(&text)?;
            let rows = select.query_map([environment.as_str(), tenant.as_str()], read)?;
            rows.map(|row| Ok(row?)).collect()
        })
    }

    /// Returns one of a tenant's alerts.
    pub fn alert(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<AlertRow>> {
        self.read(|connection| {
            let text = format!(
                "SELECT {COLUMNS} FROM alerts WHERE environment = ?1 AND tenant = ?2 AND id = ?3"
            );
            let mut select = connection.prepare_cached(&text)?;
            let names = [environment.as_str(), tenant.as_str(), id];
            Ok(select.query_row(names, read).optional()?)
        })
    }

    /// Removes an alert.
    pub fn delete_alert(&self, id: &str) -> Result<()> {
        let text = "DELETE FROM alerts WHERE id = ?1";
        let changed = self.write(|transaction| Ok(transaction.execute(text, [id])?))?;
        found(changed, || format!("alert {id}"))
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    let text = |index| row.get::<_, String>(index);
    let raised_ms: Option<i64> = row.get(15)?;
    Ok(AlertRow {
        id: text(0)?,
        environment: EnvironmentId::restored(&text(1)?),
        tenant: TenantId::restored(&text(2)?),
        name: text(3)?,
        filter: text(4)?,
        group_by: row.get(5)?,
        threshold: row.get(6)?,
        window_ms: unsigned(row.get(7)?),
        enabled: row.get(8)?,
        created_ms: unsigned(row.get(9)?),
        created_by: text(10)?,
        changed_ms: unsigned(row.get(11)?),
        version: unsigned(row.get(12)?),
        next_seq: unsigned(row.get(13)?),
        counts: text(14)?,
        raised_ms: raised_ms.map(unsigned),
    })
}

//! Switches of the doors through which events come in.

use attestary_event::EnvironmentId;
use rusqlite::params;

use super::{Catalog, Result, signed, unsigned};

/// The table.
pub(super) const SOURCES: &str = "
CREATE TABLE sources (
    environment TEXT NOT NULL, name TEXT NOT NULL, enabled INTEGER NOT NULL, changed_ms INTEGER NOT NULL,
    PRIMARY KEY (environment, name)
) STRICT, WITHOUT ROWID;
";

/// One switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// Where it applies.
    pub environment: EnvironmentId,
    /// The source: a system, or a system and an area of it.
    pub name: String,
    /// Events of it are taken.
    pub enabled: bool,
    /// When it was set last, in milliseconds since the epoch.
    pub changed_ms: u64,
}

impl Catalog {
    /// Sets a switch.
    pub fn put_source(&self, row: &SourceRow) -> Result<()> {
        let text =
            "INSERT INTO sources (environment, name, enabled, changed_ms) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (environment, name) DO UPDATE SET enabled = ?3, changed_ms = ?4";
        let values =
            params![row.environment.as_str(), row.name, row.enabled, signed(row.changed_ms)];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }

    /// Returns every switch that was ever set, by environment and name.
    pub fn sources(&self) -> Result<Vec<SourceRow>> {
        self.read(|connection| {
            let text = "SELECT environment, name, enabled, changed_ms FROM sources ORDER BY environment, name";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([], |row| {
                Ok(SourceRow {
                    environment: EnvironmentId::restored(&row.get::<_, String>(0)?),
                    name: row.get(1)?,
                    enabled: row.get(2)?,
                    changed_ms: unsigned(row.get(3)?),
                })
            })?;
            rows.map(|row| Ok(row?)).collect()
        })
    }
}

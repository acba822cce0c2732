//! Schemas of actions, which are only ever added, and how strictly an environment takes them.

use attestary_event::EnvironmentId;
use rusqlite::params;

use super::{Catalog, Result, signed, unsigned};

/// The tables.
pub(super) const ACTIONS: &str = "
CREATE TABLE action_schemas (
    environment TEXT NOT NULL, action TEXT NOT NULL, version INTEGER NOT NULL, schema TEXT NOT NULL,
    created_ms INTEGER NOT NULL, PRIMARY KEY (environment, action, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE action_modes (environment TEXT PRIMARY KEY, mode TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// One version of an action's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionSchemaRow {
    /// Where.
    pub environment: EnvironmentId,
    /// The action's name.
    pub action: String,
    /// From 1 on.
    pub version: u64,
    /// The schema as JSON.
    pub schema: String,
    /// When it was added, in milliseconds since the epoch.
    pub created_ms: u64,
}

impl Catalog {
    /// Adds a version; one that is there is a conflict.
    pub fn create_action_schema(&self, row: &ActionSchemaRow) -> Result<()> {
        let text = "INSERT INTO action_schemas (environment, action, version, schema, created_ms)
                    VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![
            row.environment.as_str(),
            row.action,
            signed(row.version),
            row.schema,
            signed(row.created_ms)
        ];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }

    /// Returns every version of every schema, oldest version first.
    pub fn action_schemas(&self) -> Result<Vec<ActionSchemaRow>> {
        self.read(|connection| {
            let text = "SELECT environment, action, version, schema, created_ms FROM action_schemas
                        ORDER BY environment, action, version";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([], |row| {
                Ok(ActionSchemaRow {
                    environment: EnvironmentId::restored(&row.get::<_, String>(0)?),
                    action: row.get(1)?,
                    version: unsigned(row.get(2)?),
                    schema: row.get(3)?,
                    created_ms: unsigned(row.get(4)?),
                })
            })?;
            rows.map(|row| Ok(row?)).collect()
        })
    }

    /// Sets how strictly an environment takes schemas.
    pub fn put_action_mode(&self, environment: &EnvironmentId, mode: &str) -> Result<()> {
        let text = "INSERT INTO action_modes (environment, mode) VALUES (?1, ?2)
                    ON CONFLICT (environment) DO UPDATE SET mode = ?2";
        let values = params![environment.as_str(), mode];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }

    /// Returns the mode of every environment that ever had one set.
    pub fn action_modes(&self) -> Result<Vec<(EnvironmentId, String)>> {
        self.read(|connection| {
            let text = "SELECT environment, mode FROM action_modes ORDER BY environment";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([], |row| {
                Ok((EnvironmentId::restored(&row.get::<_, String>(0)?), row.get(1)?))
            })?;
            rows.map(|row| Ok(row?)).collect()
        })
    }
}

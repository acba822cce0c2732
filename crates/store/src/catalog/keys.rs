//! Installation, environments and API keys.

use attestary_event::EnvironmentId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    Catalog, CatalogError, EnvironmentRow, Installation, KeyRow, Opaque, Result, optional_signed,
    optional_unsigned, signed, unsigned,
};

/// What becomes of events for unknown tenants that a closed environment may not refuse.
pub(super) const UNKNOWN_EVENTS: &str =
    "ALTER TABLE environments ADD COLUMN print_unknown INTEGER NOT NULL DEFAULT 0;";

impl Catalog {
    /// Fixes identity and log name, once; a second call is a conflict.
    pub fn install(&self, installation: &Installation) -> Result<()> {
        self.write(|transaction| {
            let mut insert =
                transaction.prepare_cached("INSERT INTO meta (name, value) VALUES (?1, ?2)")?;
            insert.execute(params!["installation", installation.id])?;
            insert.execute(params!["log_name", installation.log_name])?;
            insert.execute(params!["created_ms", signed(installation.created_ms)])?;
            Ok(())
        })
    }

    /// Returns what [`Catalog::install`] fixed, or `None` before it.
    pub fn installation(&self) -> Result<Option<Installation>> {
        self.read(installation)
    }

    /// Remembers the wall clock, so that a clock set back across a restart is noticed.
    pub fn set_wall_clock(&self, now_ms: u64) -> Result<()> {
        self.write(|transaction| {
            let text = "INSERT INTO meta (name, value) VALUES ('wall_clock_ms', ?1)
                        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            transaction.execute(text, [signed(now_ms)])?;
            Ok(())
        })
    }

    /// Returns the last remembered wall clock.
    pub fn wall_clock(&self) -> Result<Option<u64>> {
        self.read(|connection| Ok(optional_unsigned(meta(connection, "wall_clock_ms")?)))
    }

    /// Adds an environment; a repeated name is a conflict.
    pub fn create_environment(&self, row: &EnvironmentRow) -> Result<()> {
        self.write(|transaction| {
            let text = "INSERT INTO environments (name, closed, print_unknown, created_ms)
                        VALUES (?1, ?2, ?3, ?4)";
            let created_ms = signed(row.created_ms);
            let values = params![row.name.as_str(), row.closed, row.print_unknown, created_ms];
            transaction.execute(text, values)?;
            Ok(())
        })
    }

    /// Changes what an environment does with events for unknown tenants; the time of its creation stays.
    pub fn update_environment(&self, row: &EnvironmentRow) -> Result<()> {
        let text = "UPDATE environments SET closed = ?2, print_unknown = ?3 WHERE name = ?1";
        let values = params![row.name.as_str(), row.closed, row.print_unknown];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("environment {}", row.name))
    }

    /// Returns all environments by name.
    pub fn environments(&self) -> Result<Vec<EnvironmentRow>> {
        self.read(|connection| {
            let text =
                "SELECT name, closed, print_unknown, created_ms FROM environments ORDER BY name";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([], |row| {
                Ok(EnvironmentRow {
                    name: EnvironmentId::restored(&row.get::<_, String>(0)?),
                    closed: row.get(1)?,
                    print_unknown: row.get(2)?,
                    created_ms: unsigned(row.get(3)?),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Adds a key; a repeated id is a conflict.
    pub fn create_key(&self, row: &KeyRow) -> Result<()> {
        self.write(|transaction| {
            let text = "INSERT INTO keys (id, environment, name, scopes, tenants, secret_sha256, created_ms, created_by,
                        expires_ms, revoked_ms, last_used_ms) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)";
            transaction.execute(
                text,
                params![
                    row.id,
                    row.environment.as_str(),
                    row.name,
                    list_text(&row.scopes),
                    row.tenants.as_deref().map(list_text),
                    row.secret_sha256.0,
                    signed(row.created_ms),
                    row.created_by,
                    optional_signed(row.expires_ms),
                    optional_signed(row.revoked_ms),
                    optional_signed(row.last_used_ms),
                ],
            )?;
            Ok(())
        })
    }

    /// Returns every key, revoked ones included, oldest first.
    pub fn keys(&self) -> Result<Vec<KeyRow>> {
        self.read(|connection| select_keys(connection, "", []))
    }

    /// Returns an environment's keys, oldest first.
    pub fn keys_of(&self, environment: &EnvironmentId) -> Result<Vec<KeyRow>> {
        self.read(|connection| {
            select_keys(connection, "WHERE environment = ?1", [environment.as_str()])
        })
    }

    /// Returns one key.
    pub fn key(&self, id: &str) -> Result<Option<KeyRow>> {
        self.read(|connection| Ok(select_keys(connection, "WHERE id = ?1", [id])?.pop()))
    }

    /// Revokes a key; the first revocation's time stands.
    pub fn revoke_key(&self, id: &str, now_ms: u64) -> Result<()> {
        let text = "UPDATE keys SET revoked_ms = coalesce(revoked_ms, ?2) WHERE id = ?1";
        let changed =
            self.write(|transaction| Ok(transaction.execute(text, params![id, signed(now_ms)])?))?;
        found(changed, || format!("key {id}"))
    }

    /// Gives a key another name.
    pub fn rename_key(&self, id: &str, name: &str) -> Result<()> {
        let text = "UPDATE keys SET name = ?2 WHERE id = ?1";
        let changed =
            self.write(|transaction| Ok(transaction.execute(text, params![id, name])?))?;
        found(changed, || format!("key {id}"))
    }

    /// Notes the last uses of keys, gathered by the caller over some time.
    pub fn touch_keys(&self, uses: &[(String, u64)]) -> Result<()> {
        self.write(|transaction| {
            let text =
                "UPDATE keys SET last_used_ms = max(coalesce(last_used_ms, 0), ?2) WHERE id = ?1";
            let mut update = transaction.prepare_cached(text)?;
            for (id, used_ms) in uses {
                update.execute(params![id, signed(*used_ms)])?;
            }
            Ok(())
        })
    }
}

pub(super) fn installation(connection: &Connection) -> Result<Option<Installation>> {
    let Some(id) = meta(connection, "installation")? else { return Ok(None) };
    let missing = || CatalogError::corrupt("meta lacks log_name or created_ms");
    let log_name = meta(connection, "log_name")?.ok_or_else(missing)?;
    let created_ms = unsigned(meta(connection, "created_ms")?.ok_or_else(missing)?);
    Ok(Some(Installation { id, log_name, created_ms }))
}

pub(super) fn meta<T: rusqlite::types::FromSql>(
    connection: &Connection,
    name: &str,
) -> Result<Option<T>> {
    let mut select = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?)
}

/// Turns "no row changed" into [`CatalogError::NotFound`].
pub(super) fn found(changed: usize, what: impl FnOnce() -> String) -> Result<()> {
    if changed == 0 { Err(CatalogError::NotFound { what: what() }) } else { Ok(()) }
}

fn select_keys<const N: usize>(
    connection: &Connection,
    condition: &str,
    values: [&str; N],
) -> Result<Vec<KeyRow>> {
    let text = format!(
        "SELECT id, environment, name, scopes, tenants, secret_sha256, created_ms, created_by, expires_ms, revoked_ms,
         last_used_ms FROM keys {condition} ORDER BY created_ms, id"
    );
    let mut select = connection.prepare_cached(&text)?;
    let rows = select.query_map(rusqlite::params_from_iter(values), |row| Ok(key_row(row)))?;
    rows.map(|row| row?).collect()
}

fn key_row(row: &Row<'_>) -> Result<KeyRow> {
    Ok(KeyRow {
        id: row.get(0)?,
        environment: EnvironmentId::restored(&row.get::<_, String>(1)?),
        name: row.get(2)?,
        scopes: list(&row.get::<_, String>(3)?)?,
        tenants: row.get::<_, Option<String>>(4)?.as_deref().map(list).transpose()?,
        secret_sha256: Opaque(row.get(5)?),
        created_ms: unsigned(row.get(6)?),
        created_by: row.get(7)?,
        expires_ms: optional_unsigned(row.get(8)?),
        revoked_ms: optional_unsigned(row.get(9)?),
        last_used_ms: optional_unsigned(row.get(10)?),
    })
}

/// Lists of words are stored as JSON arrays.
fn list_text(words: &[String]) -> String {
    serde_json::to_string(words).expect("strings always serialise")
}

fn list(text: &str) -> Result<Vec<String>> {
    // A key that reads as unlimited because its list is damaged would be worse than no key.
    serde_json::from_str(text)
        .map_err(|source| CatalogError::corrupt(format!("a key's list: {source}")))
}

//! Tables of the catalog and the settings of its connection.
//!
//! `user_version` is the format version. A newer file is refused; an older one is brought up step by step, each step
//! in its own transaction.

use rusqlite::Connection;

use super::{CatalogError, Result, sums};

/// Version of the catalog's tables.
pub const FORMAT_VERSION: i64 = 2;

/// `STEPS[n]` brings version `n` to `n + 1`: the tables of each area, in order. A released step never changes.
const STEPS: [&[&str]; FORMAT_VERSION as usize] = [&[V1], V2];

/// What came after the first version, an area a line.
const V2: &[&str] = &[
    RUNS,
    super::keys::UNKNOWN_EVENTS,
    super::delivery::BATCHES,
    super::signed_heads::TABLES,
    super::replays::TABLES,
    super::exports::TABLES,
    super::sources::SOURCES,
    super::views::VIEWS,
    super::actions::ACTIONS,
    super::governance::TABLES,
    super::usage::USAGE,
    super::epochs::TABLES,
    super::alerts::ALERTS,
    super::blueprints::TABLES,
    super::incarnations::TABLES,
    sums::TABLES,
];

/// Segments say what merge wrote them.
const RUNS: &str = "
ALTER TABLE segments ADD COLUMN level INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segments ADD COLUMN run TEXT NOT NULL DEFAULT '';
UPDATE segments SET run = id;
";

const V1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE environments (
    name TEXT PRIMARY KEY, closed INTEGER NOT NULL, created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE keys (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL, tenants TEXT,
    secret_sha256 BLOB NOT NULL, created_ms INTEGER NOT NULL, created_by TEXT NOT NULL, expires_ms INTEGER,
    revoked_ms INTEGER, last_used_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_environment ON keys (environment, created_ms);
CREATE TABLE tenants (
    environment TEXT NOT NULL REFERENCES environments (name), id TEXT NOT NULL, name TEXT, state TEXT NOT NULL,
    created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, PRIMARY KEY (environment, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE heads (
    slot INTEGER PRIMARY KEY, environment TEXT NOT NULL, tenant TEXT NOT NULL, log_id TEXT NOT NULL,
    size INTEGER NOT NULL, last_received_ms INTEGER NOT NULL, frontier BLOB NOT NULL, deleted INTEGER NOT NULL
) STRICT;
CREATE TABLE segments (
    id TEXT PRIMARY KEY, path TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, events INTEGER NOT NULL,
    format_version INTEGER NOT NULL, sha256 BLOB NOT NULL, crcs BLOB NOT NULL, partition INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, extents BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE intents (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE tombstones (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE positions (
    partition INTEGER PRIMARY KEY, generation INTEGER NOT NULL, offset INTEGER NOT NULL, batch INTEGER NOT NULL,
    owner_epoch INTEGER NOT NULL
) STRICT;
CREATE TABLE destinations (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, tenant TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
    config TEXT NOT NULL, format TEXT NOT NULL, filter TEXT NOT NULL, secrets BLOB, managed_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, state TEXT NOT NULL, deleted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX destinations_by_tenant ON destinations (environment, tenant, id);
CREATE TABLE attempts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL REFERENCES destinations (id),
    id TEXT NOT NULL UNIQUE, started_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL, verdict TEXT NOT NULL,
    seq_first INTEGER NOT NULL, seq_last INTEGER NOT NULL, events INTEGER NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_by_destination ON attempts (destination, number);
CREATE TABLE quarantine (
    destination TEXT NOT NULL REFERENCES destinations (id), seq INTEGER NOT NULL, quarantined_ms INTEGER NOT NULL,
    reason TEXT NOT NULL, PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;
";

/// Sets the connection up and brings the tables to [`FORMAT_VERSION`].
pub(super) fn prepare(connection: &mut Connection) -> Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Before anything is written: a newer file must stay as it is.
    let found = version(connection)?;
    if found > FORMAT_VERSION {
        return Err(CatalogError::Newer { found, supported: FORMAT_VERSION });
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // A row that is replaced is deleted first: its trigger must run.
    connection.pragma_update(None, "recursive_triggers", "ON")?;
    sums::register(connection)?;
    let done =
        usize::try_from(found).map_err(|_| CatalogError::corrupt("format version below zero"))?;
    for (step, areas) in STEPS.iter().enumerate().skip(done) {
        let transaction = connection.transaction()?;
        for tables in *areas {
            transaction.execute_batch(tables)?;
        }
        transaction.pragma_update(None, "user_version", step as i64 + 1)?;
        transaction.commit()?;
    }
    sums::maintain(connection)
}

fn version(connection: &Connection) -> Result<i64> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

//! The life of data: retention policies and their runs, legal holds, erasures, and removal lists.
//!
//! Documents (policies, requests, results) are JSON that the service writes and reads; the catalog keeps them as text.
//! Removal lists are kept for ever: they are what proofs of a log with removed events rest on.

mod erasures;
mod holds;
mod policies;
mod removals;

pub use erasures::ErasureRow;
pub use holds::HoldRow;
pub use policies::{PolicyRow, RunRow};
pub use removals::{RemovalKind, RemovalRow, RemovalState};

/// Version 2.
pub(super) const TABLES: &str = "
CREATE TABLE policies (
    kind TEXT NOT NULL, environment TEXT NOT NULL, tenant TEXT NOT NULL, document TEXT NOT NULL,
    changed_ms INTEGER NOT NULL, changed_by TEXT NOT NULL, PRIMARY KEY (kind, environment, tenant)
) STRICT, WITHOUT ROWID;
CREATE TABLE retention_runs (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, tenant TEXT NOT NULL, started_ms INTEGER NOT NULL,
    ended_ms INTEGER, detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE removals (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, cause TEXT NOT NULL, slot INTEGER NOT NULL, environment TEXT NOT NULL,
    tenant TEXT NOT NULL, origin TEXT NOT NULL, event_id BLOB NOT NULL, cover_seq INTEGER, state TEXT NOT NULL,
    events INTEGER NOT NULL, sha256 BLOB NOT NULL, list BLOB NOT NULL, created_ms INTEGER NOT NULL, done_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX removals_by_slot ON removals (slot, id);
CREATE INDEX removals_unfinished ON removals (state) WHERE state <> 'done';
CREATE TABLE holds (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, tenant TEXT NOT NULL, name TEXT NOT NULL, filter TEXT NOT NULL,
    custodians TEXT NOT NULL, reason TEXT NOT NULL, placed_ms INTEGER NOT NULL, placed_by TEXT NOT NULL,
    released_ms INTEGER, released_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_by_tenant ON holds (environment, tenant, id);
CREATE TABLE erasures (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, tenant TEXT NOT NULL, state TEXT NOT NULL, legal_basis TEXT NOT NULL,
    request TEXT, result TEXT NOT NULL, created_ms INTEGER NOT NULL, created_by TEXT NOT NULL, done_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX erasures_by_tenant ON erasures (environment, tenant, id);
";

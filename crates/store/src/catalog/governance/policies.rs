//! Policies of environments and tenants, the history of retention runs, and what the clock guard remembers.

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::catalog::{
    Catalog, Result, keys::meta, manifest::set_meta, optional_signed, optional_unsigned, signed,
    unsigned,
};

/// A policy of a tenant, or of a whole environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// What it rules: `retention` or `redaction`.
    pub kind: String,
    /// Namespace.
    pub environment: EnvironmentId,
    /// `None` for the environment's own.
    pub tenant: Option<TenantId>,
    /// JSON.
    pub document: String,
    /// When it was set, in milliseconds since the epoch.
    pub changed_ms: u64,
    /// Who set it.
    pub changed_by: String,
}

/// One run of retention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// `ret_` and a ULID.
    pub id: String,
    /// Namespace.
    pub environment: EnvironmentId,
    /// `None` when it went over the whole environment.
    pub tenant: Option<TenantId>,
    /// In milliseconds since the epoch.
    pub started_ms: u64,
    /// `None` while it runs, and for ever when the process was killed in it.
    pub ended_ms: Option<u64>,
    /// JSON.
    pub detail: String,
}

impl Catalog {
    /// Sets a policy, replacing the one before.
    pub fn put_policy(&self, row: &PolicyRow) -> Result<()> {
        let text = "INSERT INTO policies (kind, environment, tenant, document, changed_ms, changed_by)
                    VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT (kind, environment, tenant) DO UPDATE SET
                    document = excluded.document, changed_ms = excluded.changed_ms, changed_by = excluded.changed_by";
        let values = params![
            row.kind,
            row.environment.as_str(),
            named(row.tenant.as_ref()),
            row.document,
            signed(row.changed_ms),
            row.changed_by,
        ];
        self.write(|transaction| Ok(transaction.execute(text, values).map(drop)?))
    }

    /// Removes a policy; returns false when there was none.
    pub fn delete_policy(
        &self,
        kind: &str,
        environment: &EnvironmentId,
        tenant: Option<&TenantId>,
    ) -> Result<bool> {
        let text = "DELETE FROM policies WHERE kind = ?1 AND environment = ?2 AND tenant = ?3";
        let values = params![kind, environment.as_str(), named(tenant)];
        self.write(|transaction| Ok(transaction.execute(text, values)? > 0))
    }

    /// Returns every policy.
    pub fn policies(&self) -> Result<Vec<PolicyRow>> {
        let text =
            "SELECT kind, environment, tenant, document, changed_ms, changed_by FROM policies";
        self.read(|connection| {
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([], policy_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Notes that a run began, or replaces what is known of it.
    pub fn put_retention_run(&self, row: &RunRow) -> Result<()> {
        let text = "INSERT INTO retention_runs (id, environment, tenant, started_ms, ended_ms, detail)
                    VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT (id) DO UPDATE SET ended_ms = excluded.ended_ms,
                    detail = excluded.detail";
        let values = params![
            row.id,
            row.environment.as_str(),
            named(row.tenant.as_ref()),
            signed(row.started_ms),
            optional_signed(row.ended_ms),
            row.detail,
        ];
        self.write(|transaction| Ok(transaction.execute(text, values).map(drop)?))
    }

    /// Returns one run.
    pub fn retention_run(&self, id: &str) -> Result<Option<RunRow>> {
        let text = "SELECT id, environment, tenant, started_ms, ended_ms, detail FROM retention_runs WHERE id = ?1";
        self.read(|connection| {
            let mut select = connection.prepare_cached(text)?;
            let mut rows = select.query_map([id], run_row)?;
            Ok(rows.next().transpose()?)
        })
    }

    /// Returns runs of an environment below the id `before`, newest first.
    pub fn retention_runs(
        &self,
        environment: &EnvironmentId,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RunRow>> {
        let text =
            "SELECT id, environment, tenant, started_ms, ended_ms, detail FROM retention_runs
                    WHERE environment = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
        let values = params![environment.as_str(), before.unwrap_or("~"), limit as i64];
        self.read(|connection| {
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map(values, run_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Returns a number that the clock guard remembers.
    pub fn guard_value(&self, name: &str) -> Result<Option<u64>> {
        self.read(|connection| Ok(meta(connection, name)?.map(unsigned)))
    }

    /// Remembers a number for the clock guard.
    pub fn set_guard_value(&self, name: &str, value: u64) -> Result<()> {
        self.write(|transaction| set_meta(transaction, name, value))
    }

    /// Returns the root and size of a log as of its last seal.
    pub fn sealed_head(&self, slot: u64) -> Result<Option<(u64, attestary_ledger::Hash)>> {
        let text = "SELECT size, frontier FROM heads WHERE slot = ?1";
        let row: Option<(i64, Vec<u8>)> = self.read(|connection| {
            let mut select = connection.prepare_cached(text)?;
            let row = select.query_row([signed(slot)], |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(row.optional()?)
        })?;
        Ok(row.and_then(|(size, frontier)| {
            let size = unsigned(size);
            let peaks = frontier.as_chunks::<32>().0.to_vec();
            Some((size, attestary_ledger::Frontier::restore(size, peaks)?.root()))
        }))
    }
}

/// The environment's own rows have an empty name, which no tenant has.
pub(super) fn named(tenant: Option<&TenantId>) -> &str {
    tenant.map_or("", TenantId::as_str)
}

pub(super) fn tenant_of(name: &str) -> Option<TenantId> {
    (!name.is_empty()).then(|| TenantId::restored(name))
}

fn policy_row(row: &Row<'_>) -> rusqlite::Result<PolicyRow> {
    Ok(PolicyRow {
        kind: row.get(0)?,
        environment: EnvironmentId::restored(&row.get::<_, String>(1)?),
        tenant: tenant_of(&row.get::<_, String>(2)?),
        document: row.get(3)?,
        changed_ms: unsigned(row.get(4)?),
        changed_by: row.get(5)?,
    })
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        environment: EnvironmentId::restored(&row.get::<_, String>(1)?),
        tenant: tenant_of(&row.get::<_, String>(2)?),
        started_ms: unsigned(row.get(3)?),
        ended_ms: optional_unsigned(row.get(4)?),
        detail: row.get(5)?,
    })
}

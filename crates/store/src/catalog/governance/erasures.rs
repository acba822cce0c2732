//! Requests for erasure and what became of them.

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::{Row, params};

use crate::catalog::{
    Catalog, Result, keys::found, optional_signed, optional_unsigned, signed, unsigned,
};

/// One request for erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureRow {
    /// `era_` and a ULID.
    pub id: String,
    /// Namespace.
    pub environment: EnvironmentId,
    /// Whose log.
    pub tenant: TenantId,
    /// `pending`, `running` or `done`.
    pub state: String,
    /// Why it is lawful, in the requester's words.
    pub legal_basis: String,
    /// JSON: what is to go. It names the person, so it is dropped when the erasure is done.
    pub request: Option<String>,
    /// JSON: what was done, without identities.
    pub result: String,
    /// In milliseconds since the epoch.
    pub created_ms: u64,
    /// Who asked.
    pub created_by: String,
    /// When everything was gone.
    pub done_ms: Option<u64>,
}

const COLUMNS: &str =
    "id, environment, tenant, state, legal_basis, request, result, created_ms, created_by, done_ms";

impl Catalog {
    /// Takes a request in.
    pub fn create_erasure(&self, row: &ErasureRow) -> Result<()> {
        let text =
            format!("INSERT INTO erasures ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,NULL)");
        let values = params![
            row.id,
            row.environment.as_str(),
            row.tenant.as_str(),
            row.state,
            row.legal_basis,
            row.request,
            row.result,
            signed(row.created_ms),
            row.created_by,
        ];
        self.write(|transaction| Ok(transaction.execute(&text, values).map(drop)?))
    }

    /// Replaces state, request, result and end of an erasure.
    pub fn update_erasure(&self, row: &ErasureRow) -> Result<()> {
        let text =
            "UPDATE erasures SET state = ?2, request = ?3, result = ?4, done_ms = ?5 WHERE id = ?1";
        let values =
            params![row.id, row.state, row.request, row.result, optional_signed(row.done_ms)];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("erasure {}", row.id))
    }

    /// Returns a tenant's erasures below the id `before`, newest first.
    pub fn erasures(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ErasureRow>> {
        let text = format!(
            "SELECT {COLUMNS} FROM erasures WHERE environment = ?1 AND tenant = ?2 AND id < ?3
             ORDER BY id DESC LIMIT ?4"
        );
        let values =
            params![environment.as_str(), tenant.as_str(), before.unwrap_or("~"), limit as i64];
        self.read(|connection| {
            let mut select = connection.prepare_cached(&text)?;
            let rows = select.query_map(values, erasure_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Returns the erasures that are not done, oldest first.
    pub fn unfinished_erasures(&self) -> Result<Vec<ErasureRow>> {
        let text = format!("SELECT {COLUMNS} FROM erasures WHERE state <> 'done' ORDER BY id");
        self.read(|connection| {
            let mut select = connection.prepare_cached(&text)?;
            let rows = select.query_map([], erasure_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Returns one erasure.
    pub fn erasure(&self, id: &str) -> Result<Option<ErasureRow>> {
        let text = format!("SELECT {COLUMNS} FROM erasures WHERE id = ?1");
        self.read(|connection| {
            let mut select = connection.prepare_cached(&text)?;
            let mut rows = select.query_map([id], erasure_row)?;
            Ok(rows.next().transpose()?)
        })
    }

    /// Drops what receivers answered to a tenant's deliveries of events at or behind `seq_first` and not behind
    /// `seq_last`, and why events of those were set aside: both may quote them.
    pub fn blank_answers(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        seqs: &[(u64, u64)],
    ) -> Result<u64> {
        const OF_TENANT: &str =
            "destination IN (SELECT id FROM destinations WHERE environment = ?1 AND tenant = ?2)";
        self.write(|transaction| {
            let mut changed = 0;
            let attempts = format!(
                "UPDATE attempts SET detail = json_set(detail, '$.excerpt', '', '$.reason', '')
                 WHERE {OF_TENANT} AND seq_first <= ?4 AND seq_last >= ?3 AND detail <> ''"
            );
            let quarantine = format!(
                "UPDATE quarantine SET reason = '(erased)' WHERE {OF_TENANT} AND seq BETWEEN ?3 AND ?4"
            );
            for text in [attempts, quarantine] {
                let mut update = transaction.prepare_cached(&text)?;
                for (first, last) in seqs {
                    let values =
                        params![environment.as_str(), tenant.as_str(), signed(*first), signed(*last)];
                    changed += update.execute(values)? as u64;
                }
            }
            Ok(changed)
        })
    }
}

fn erasure_row(row: &Row<'_>) -> rusqlite::Result<ErasureRow> {
    Ok(ErasureRow {
        id: row.get(0)?,
        environment: EnvironmentId::restored(&row.get::<_, String>(1)?),
        tenant: TenantId::restored(&row.get::<_, String>(2)?),
        state: row.get(3)?,
        legal_basis: row.get(4)?,
        request: row.get(5)?,
        result: row.get(6)?,
        created_ms: unsigned(row.get(7)?),
        created_by: row.get(8)?,
        done_ms: optional_unsigned(row.get(9)?),
    })
}

//! Exports: what was asked for, how far each has come, and who touched it.

use attestary_event::{EnvironmentId, TenantId};
use attestary_ledger::Hash;
use rusqlite::{Row, params};

use super::{
    Catalog, CatalogError, Result, keys::found, optional_signed, optional_unsigned, signed,
    unsigned,
};

pub(super) const TABLES: &str = "
CREATE TABLE exports (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, tenant TEXT NOT NULL, log_id TEXT NOT NULL,
    request TEXT NOT NULL, requested_by TEXT NOT NULL, created_ms INTEGER NOT NULL, size INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT, after_seq INTEGER, events INTEGER NOT NULL, seq_first INTEGER, seq_last INTEGER,
    part_bytes INTEGER NOT NULL, finished_ms INTEGER, expires_ms INTEGER, bytes INTEGER, sha256 BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX exports_by_tenant ON exports (environment, tenant, id);
CREATE TABLE export_custody (
    number INTEGER PRIMARY KEY AUTOINCREMENT, export TEXT NOT NULL REFERENCES exports (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL, actor TEXT NOT NULL, act TEXT NOT NULL
) STRICT;
CREATE INDEX export_custody_by_export ON export_custody (export, number);
";

/// Custody entries kept for each export; further ones stand in the audit log only.
pub const CUSTODY_KEPT: usize = 1_000;

/// Where an export is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportState {
    /// Waits for its turn.
    Queued,
    /// Reads the log.
    Running,
    /// Its file can be fetched.
    Complete,
    /// Ended without a file.
    Failed,
    /// Its file was deleted when its time was over.
    Expired,
}

impl ExportState {
    const ALL: [Self; 5] =
        [Self::Queued, Self::Running, Self::Complete, Self::Failed, Self::Expired];

    /// Returns the name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// Returns true while there is work to do.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// How far an export has come: what a restart goes on from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExportProgress {
    /// Everything up to this seq was looked at.
    pub after: Option<u64>,
    /// Events written.
    pub events: u64,
    /// Lowest seq written.
    pub seq_first: Option<u64>,
    /// Highest seq written.
    pub seq_last: Option<u64>,
    /// Synced bytes of the unfinished file.
    pub part_bytes: u64,
}

/// A finished file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportFile {
    /// When it was finished.
    pub finished_ms: u64,
    /// When it is deleted.
    pub expires_ms: u64,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Hash,
}

/// One export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRow {
    /// `exp_` and a ULID.
    pub id: String,
    /// Namespace.
    pub environment: EnvironmentId,
    /// Whose log.
    pub tenant: TenantId,
    /// Which incarnation of the tenant's log.
    pub log_id: String,
    /// What was asked for, as JSON; the service owns its shape.
    pub request: String,
    /// Key id of who asked.
    pub requested_by: String,
    /// When.
    pub created_ms: u64,
    /// Events of the log that are covered: seq 0 up to and without this number.
    pub size: u64,
    /// Where it is.
    pub state: ExportState,
    /// Why it failed.
    pub reason: Option<String>,
    /// How far it has come.
    pub progress: ExportProgress,
    /// Its file, also after that expired.
    pub file: Option<ExportFile>,
}

/// Who touched an export, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustodyRow {
    /// When.
    pub at_ms: u64,
    /// Key id.
    pub actor: String,
    /// `requested`, `completed`, `linked`, `downloaded`, `expired`.
    pub act: String,
}

const SELECT: &str = "SELECT id, environment, tenant, log_id, request, requested_by, created_ms, size, state, reason,
    after_seq, events, seq_first, seq_last, part_bytes, finished_ms, expires_ms, bytes, sha256 FROM exports";

impl Catalog {
    /// Adds an export and the first line of its custody.
    pub fn create_export(&self, row: &ExportRow) -> Result<()> {
        self.write(|transaction| {
            let text = "INSERT INTO exports (id, environment, tenant, log_id, request, requested_by, created_ms, size,
                        state, events, part_bytes) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,0,0)";
            transaction.execute(
                text,
                params![
                    row.id,
                    row.environment.as_str(),
                    row.tenant.as_str(),
                    row.log_id,
                    row.request,
                    row.requested_by,
                    signed(row.created_ms),
                    signed(row.size),
                    row.state.as_str(),
                ],
            )?;
            let text = "INSERT INTO export_custody (export, at_ms, actor, act) VALUES (?1,?2,?3,'requested')";
            transaction.execute(text, params![row.id, signed(row.created_ms), row.requested_by])?;
            Ok(())
        })
    }

    /// Returns one export of a tenant.
    pub fn export(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<ExportRow>> {
        let values = [environment.as_str(), tenant.as_str(), id];
        let rows =
            self.select_exports("WHERE environment = ?1 AND tenant = ?2 AND id = ?3", &values);
        Ok(rows?.pop())
    }

    /// Returns an export by its id alone: for links, which name nothing else.
    pub fn export_by_id(&self, id: &str) -> Result<Option<ExportRow>> {
        Ok(self.select_exports("WHERE id = ?1", &[id])?.pop())
    }

    /// Returns a tenant's exports, newest first.
    pub fn exports_of(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<Vec<ExportRow>> {
        let values = [environment.as_str(), tenant.as_str()];
        self.select_exports("WHERE environment = ?1 AND tenant = ?2 ORDER BY id DESC", &values)
    }

    /// Returns every export, oldest first.
    pub fn exports(&self) -> Result<Vec<ExportRow>> {
        self.select_exports("ORDER BY id", &[])
    }

    /// Sets state and reason.
    pub fn set_export_state(
        &self,
        id: &str,
        state: ExportState,
        reason: Option<&str>,
    ) -> Result<()> {
        let text = "UPDATE exports SET state = ?2, reason = ?3 WHERE id = ?1";
        let values = params![id, state.as_str(), reason];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("export {id}"))
    }

    /// Saves how far an export has come; the bytes it names must be synced.
    pub fn save_export_progress(&self, id: &str, progress: &ExportProgress) -> Result<()> {
        let changed = self.write(|transaction| set_progress(transaction, id, progress))?;
        found(changed, || format!("export {id}"))
    }

    /// Completes an export whose file is in place, and says so in its custody.
    pub fn finish_export(
        &self,
        id: &str,
        progress: &ExportProgress,
        file: &ExportFile,
    ) -> Result<()> {
        let changed = self.write(|transaction| {
            set_progress(transaction, id, progress)?;
            let text = "UPDATE exports SET state = 'complete', reason = NULL, finished_ms = ?2, expires_ms = ?3,
                        bytes = ?4, sha256 = ?5 WHERE id = ?1";
            let values = params![
                id,
                signed(file.finished_ms),
                signed(file.expires_ms),
                signed(file.bytes),
                file.sha256,
            ];
            let changed = transaction.execute(text, values)?;
            if changed > 0 {
                let text = "INSERT INTO export_custody (export, at_ms, actor, act)
                            VALUES (?1,?2,'installation','completed')";
                transaction.execute(text, params![id, signed(file.finished_ms)])?;
            }
            Ok(changed)
        })?;
        found(changed, || format!("export {id}"))
    }

    /// Removes an export with its custody. Returns false when there was none.
    pub fn delete_export(&self, id: &str) -> Result<bool> {
        let text = "DELETE FROM exports WHERE id = ?1";
        Ok(self.write(|transaction| Ok(transaction.execute(text, [id])?))? > 0)
    }

    /// Adds a line of custody; beyond [`CUSTODY_KEPT`] nothing is added.
    pub fn add_custody(&self, id: &str, row: &CustodyRow) -> Result<()> {
        let text = "INSERT INTO export_custody (export, at_ms, actor, act) SELECT ?1,?2,?3,?4
                    WHERE (SELECT count(*) FROM export_custody WHERE export = ?1) < ?5";
        let values = params![id, signed(row.at_ms), row.actor, row.act, CUSTODY_KEPT as i64];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }

    /// Returns the custody of an export, oldest first.
    pub fn custody(&self, id: &str) -> Result<Vec<CustodyRow>> {
        self.read(|connection| {
            let text =
                "SELECT at_ms, actor, act FROM export_custody WHERE export = ?1 ORDER BY number";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([id], |row| {
                Ok(CustodyRow {
                    at_ms: unsigned(row.get(0)?),
                    actor: row.get(1)?,
                    act: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn select_exports(&self, condition: &str, values: &[&str]) -> Result<Vec<ExportRow>> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(&format!("{SELECT} {condition}"))?;
            let rows =
                select.query_map(rusqlite::params_from_iter(values), |row| Ok(export_row(row)))?;
            rows.map(|row| row?).collect()
        })
    }
}

fn set_progress(
    transaction: &rusqlite::Transaction<'_>,
    id: &str,
    progress: &ExportProgress,
) -> Result<usize> {
    let text = "UPDATE exports SET after_seq = ?2, events = ?3, seq_first = ?4, seq_last = ?5, part_bytes = ?6
                WHERE id = ?1";
    let values = params![
        id,
        optional_signed(progress.after),
        signed(progress.events),
        optional_signed(progress.seq_first),
        optional_signed(progress.seq_last),
        signed(progress.part_bytes),
    ];
    Ok(transaction.execute(text, values)?)
}

fn export_row(row: &Row<'_>) -> Result<ExportRow> {
    let state: String = row.get(8)?;
    let finished: Option<i64> = row.get(15)?;
    let file = match finished {
        None => None,
        Some(finished_ms) => Some(ExportFile {
            finished_ms: unsigned(finished_ms),
            expires_ms: unsigned(row.get(16)?),
            bytes: unsigned(row.get(17)?),
            sha256: row.get(18)?,
        }),
    };
    Ok(ExportRow {
        id: row.get(0)?,
        environment: EnvironmentId::restored(&row.get::<_, String>(1)?),
        tenant: TenantId::restored(&row.get::<_, String>(2)?),
        log_id: row.get(3)?,
        request: row.get(4)?,
        requested_by: row.get(5)?,
        created_ms: unsigned(row.get(6)?),
        size: unsigned(row.get(7)?),
        state: ExportState::parse(&state)
            .ok_or_else(|| CatalogError::corrupt(format!("export state {state:?}")))?,
        reason: row.get(9)?,
        progress: ExportProgress {
            after: optional_unsigned(row.get(10)?),
            events: unsigned(row.get(11)?),
            seq_first: optional_unsigned(row.get(12)?),
            seq_last: optional_unsigned(row.get(13)?),
            part_bytes: unsigned(row.get(14)?),
        },
        file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> ExportRow {
        ExportRow {
            id: id.into(),
            environment: EnvironmentId::restored("production"),
            tenant: TenantId::restored("acme"),
            log_id: "LOG".into(),
            request: "{}".into(),
            requested_by: "key_1".into(),
            created_ms: 7,
            size: 3,
            state: ExportState::Queued,
            reason: None,
            progress: ExportProgress::default(),
            file: None,
        }
    }

    #[test]
    fn an_export_is_read_back_in_every_state() {
        let catalog = Catalog::in_memory().unwrap();
        let (environment, tenant) = (row("exp_1").environment, row("exp_1").tenant);
        catalog.create_export(&row("exp_1")).unwrap();
        catalog.create_export(&row("exp_2")).unwrap();
        assert!(matches!(catalog.create_export(&row("exp_1")), Err(CatalogError::Conflict { .. })));
        let progress = ExportProgress {
            after: Some(2),
            events: 2,
            seq_first: Some(1),
            seq_last: Some(2),
            part_bytes: 99,
        };
        catalog.save_export_progress("exp_1", &progress).unwrap();
        let file = ExportFile { finished_ms: 8, expires_ms: 9, bytes: 100, sha256: [5; 32] };
        catalog.finish_export("exp_1", &progress, &file).unwrap();
        let found = catalog.export(&environment, &tenant, "exp_1").unwrap().unwrap();
        let expected =
            ExportRow { state: ExportState::Complete, progress, file: Some(file), ..row("exp_1") };
        assert_eq!(found, expected);
        let other = TenantId::restored("other");
        assert_eq!(catalog.export(&environment, &other, "exp_1").unwrap(), None);
        catalog.set_export_state("exp_2", ExportState::Failed, Some("why")).unwrap();
        let ids: Vec<_> = catalog.exports_of(&environment, &tenant).unwrap();
        assert_eq!(ids.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["exp_2", "exp_1"]);
        assert_eq!(ids[0].reason.as_deref(), Some("why"));
        let acts: Vec<_> =
            catalog.custody("exp_1").unwrap().into_iter().map(|row| row.act).collect();
        assert_eq!(acts, ["requested", "completed"]);
        assert!(catalog.delete_export("exp_1").unwrap());
        assert!(!catalog.delete_export("exp_1").unwrap());
        assert_eq!(catalog.custody("exp_1").unwrap(), []);
        assert!(matches!(
            catalog.save_export_progress("exp_1", &progress),
            Err(CatalogError::NotFound { .. })
        ));
    }
}

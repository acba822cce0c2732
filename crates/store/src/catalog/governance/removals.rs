//! Removal lists and the state of their execution.

use attestary_event::{EnvironmentId, EventId, TenantId};
use attestary_ledger::Hash;
use rusqlite::{Connection, Row, params};

use crate::catalog::{
    Catalog, CatalogError, Result, keys::found, optional_signed, optional_unsigned, signed,
    unsigned,
};

/// Why something was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalKind {
    /// Its time was over.
    Retention,
    /// Somebody asked for it.
    Erasure,
}

impl RemovalKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Erasure => "erasure",
        }
    }
}

/// How far a removal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalState {
    /// Its list is durable; the log does not know of it yet.
    Listed,
    /// The event that covers it is in the log: from here on it is carried out, whatever happens.
    Covered,
    /// No segment holds what the list names.
    Done,
}

impl RemovalState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Covered => "covered",
            Self::Done => "done",
        }
    }
}

/// One removal list of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovalRow {
    /// `rem_` and a ULID.
    pub id: String,
    /// Why.
    pub kind: RemovalKind,
    /// Id of the run or the erasure.
    pub cause: String,
    /// The log.
    pub slot: u64,
    /// Its namespace.
    pub environment: EnvironmentId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub origin: String,
    /// Id of the event that covers it.
    pub event_id: EventId,
    /// Seq of that event.
    pub cover_seq: Option<u64>,
    /// How far it is.
    pub state: RemovalState,
    /// Events that the list names.
    pub events: u64,
    /// Of the list.
    pub sha256: Hash,
    /// The list ([`attestary_ledger::RemovalList`]).
    pub list: Vec<u8>,
    /// In milliseconds since the epoch.
    pub created_ms: u64,
    /// When everything was gone.
    pub done_ms: Option<u64>,
}

const COLUMNS: &str = "id, kind, cause, slot, environment, tenant, origin, event_id, cover_seq, state, events, sha256,
                       list, created_ms, done_ms";

impl Catalog {
    /// Keeps removal lists, all or none.
    pub fn create_removals(&self, rows: &[RemovalRow]) -> Result<()> {
        let text = format!(
            "INSERT INTO removals ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)"
        );
        self.write(|transaction| {
            let mut insert = transaction.prepare_cached(&text)?;
            for row in rows {
                insert.execute(params![
                    row.id,
                    row.kind.as_str(),
                    row.cause,
                    signed(row.slot),
                    row.environment.as_str(),
                    row.tenant.as_str(),
                    row.origin,
                    row.event_id.0,
                    optional_signed(row.cover_seq),
                    row.state.as_str(),
                    signed(row.events),
                    row.sha256,
                    row.list,
                    signed(row.created_ms),
                    optional_signed(row.done_ms),
                ])?;
            }
            Ok(())
        })
    }

    /// Notes the event that covers a removal.
    pub fn cover_removal(&self, id: &str, cover_seq: u64) -> Result<()> {
        let text = "UPDATE removals SET state = 'covered', cover_seq = ?2 WHERE id = ?1 AND state = 'listed'";
        let changed = self
            .write(|transaction| Ok(transaction.execute(text, params![id, signed(cover_seq)])?))?;
        found(changed, || format!("removal {id}"))
    }

    /// Notes that everything a removal names is gone.
    pub fn finish_removals(&self, ids: &[String], done_ms: u64) -> Result<()> {
        let text = "UPDATE removals SET state = 'done', done_ms = ?2 WHERE id = ?1";
        self.write(|transaction| {
            let mut update = transaction.prepare_cached(text)?;
            ids.iter().try_for_each(|id| update.execute(params![id, signed(done_ms)]).map(drop))?;
            Ok(())
        })
    }

    /// Forgets a removal that no log knows of.
    pub fn forget_removal(&self, id: &str) -> Result<()> {
        let text = "DELETE FROM removals WHERE id = ?1 AND state = 'listed'";
        self.write(|transaction| Ok(transaction.execute(text, [id]).map(drop)?))
    }

    /// Returns the removals that are not done, oldest first.
    pub fn unfinished_removals(&self) -> Result<Vec<RemovalRow>> {
        let condition = "state <> 'done' ORDER BY id";
        self.read(|connection| select(connection, condition, []))
    }

    /// Returns the removals of one log in the order of their ids, above the id `after`.
    pub fn removals(
        &self,
        slot: u64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RemovalRow>> {
        let condition = "slot = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let values = params![signed(slot), after.unwrap_or(""), limit as i64];
        self.read(|connection| select(connection, condition, values))
    }

    /// Returns the removals that a run or an erasure caused.
    pub fn removals_of(&self, cause: &str) -> Result<Vec<RemovalRow>> {
        self.read(|connection| select(connection, "cause = ?1 ORDER BY id", [cause]))
    }

    /// Returns one removal.
    pub fn removal(&self, id: &str) -> Result<Option<RemovalRow>> {
        self.read(|connection| Ok(select(connection, "id = ?1", [id])?.pop()))
    }
}

fn select(
    connection: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<RemovalRow>> {
    let text = format!("SELECT {COLUMNS} FROM removals WHERE {condition}");
    let mut select = connection.prepare_cached(&text)?;
    let rows = select.query_map(values, |row| Ok(removal_row(row)))?;
    rows.map(|row| row?).collect()
}

fn removal_row(row: &Row<'_>) -> Result<RemovalRow> {
    let id: String = row.get(0)?;
    let corrupt = |what: &str| CatalogError::corrupt(format!("{what} of removal {id}"));
    let kind = match row.get::<_, String>(1)?.as_str() {
        "retention" => RemovalKind::Retention,
        "erasure" => RemovalKind::Erasure,
        _ => return Err(corrupt("kind")),
    };
    let state = match row.get::<_, String>(9)?.as_str() {
        "listed" => RemovalState::Listed,
        "covered" => RemovalState::Covered,
        "done" => RemovalState::Done,
        _ => return Err(corrupt("state")),
    };
    Ok(RemovalRow {
        kind,
        cause: row.get(2)?,
        slot: unsigned(row.get(3)?),
        environment: EnvironmentId::restored(&row.get::<_, String>(4)?),
        tenant: TenantId::restored(&row.get::<_, String>(5)?),
        origin: row.get(6)?,
        event_id: EventId(row.get(7)?),
        cover_seq: optional_unsigned(row.get(8)?),
        state,
        events: unsigned(row.get(10)?),
        sha256: row.get(11)?,
        list: row.get(12)?,
        created_ms: unsigned(row.get(13)?),
        done_ms: optional_unsigned(row.get(14)?),
        id,
    })
}

//! Replays, and the outbox of deliveries: what destinations have to say in their tenant's log.
//!
//! A replay is a second cursor of a destination. A note is written in the transaction that saves the state it speaks
//! about, and stays until the event made of it is durable, so that none is lost between the two.

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::{Row, Transaction, params};

use super::{
    AttemptRow, Catalog, DeliveryUpdate, QuarantineRow, Result, delivery, keys::found, signed,
    unsigned,
};

/// Tables of this area.
pub(super) const TABLES: &str = "
CREATE TABLE replays (
    id TEXT PRIMARY KEY, destination TEXT NOT NULL REFERENCES destinations (id), from_seq INTEGER NOT NULL,
    next_seq INTEGER NOT NULL, filter TEXT NOT NULL, state TEXT NOT NULL, created_ms INTEGER NOT NULL, done_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX replays_by_destination ON replays (destination, id);
CREATE TABLE delivery_notes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, environment TEXT NOT NULL,
    tenant TEXT NOT NULL, made_ms INTEGER NOT NULL, note TEXT NOT NULL
) STRICT;
";

/// Replays of one destination that are kept when they are done; older ones make room.
const DONE_KEPT: i64 = 50;

/// A replay: a second cursor over `from_seq..next_seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRow {
    /// `rpl_…`.
    pub id: String,
    /// Of which destination.
    pub destination: String,
    /// First seq.
    pub from_seq: u64,
    /// The seq after the last one.
    pub next_seq: u64,
    /// Text in the filter language.
    pub filter: String,
    /// Delivery state, opaque here.
    pub state: String,
    /// When it was asked for.
    pub created_ms: u64,
    /// When it was done or stopped; absent while it runs.
    pub done_ms: Option<u64>,
}

/// Something that a destination has to say in its tenant's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteRow {
    /// Number, in the order in which notes were made.
    pub number: u64,
    /// Which destination.
    pub destination: String,
    /// Namespace of the tenant.
    pub environment: EnvironmentId,
    /// In whose log.
    pub tenant: TenantId,
    /// When it was made.
    pub made_ms: u64,
    /// What, opaque here.
    pub note: String,
}

impl Catalog {
    /// Adds a replay.
    pub fn create_replay(&self, row: &ReplayRow) -> Result<()> {
        self.write(|transaction| {
            let text =
                "INSERT INTO replays (id, destination, from_seq, next_seq, filter, state, created_ms, done_ms)
                 VALUES (?1,?2,?3,?4,?5,?6,?7,?8)";
            transaction.execute(
                text,
                params![
                    row.id,
                    row.destination,
                    signed(row.from_seq),
                    signed(row.next_seq),
                    row.filter,
                    row.state,
                    signed(row.created_ms),
                    row.done_ms.map(signed),
                ],
            )?;
            Ok(())
        })
    }

    /// Returns the replays of a destination, newest first.
    pub fn replays_of(&self, destination: &str) -> Result<Vec<ReplayRow>> {
        self.read(|connection| {
            let text = "SELECT id, destination, from_seq, next_seq, filter, state, created_ms, done_ms FROM replays
                        WHERE destination = ?1 ORDER BY id DESC";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([destination], replay_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Returns every replay that is not done, for the engine's start.
    pub fn open_replays(&self) -> Result<Vec<ReplayRow>> {
        self.read(|connection| {
            let text = "SELECT id, destination, from_seq, next_seq, filter, state, created_ms, done_ms FROM replays
                        WHERE done_ms IS NULL ORDER BY id";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([], replay_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Ends a replay; one that is done already stays as it is. Old ones of the destination make room.
    pub fn finish_replay(&self, id: &str, done_ms: u64) -> Result<()> {
        let known = self.write(|transaction| {
            let text = "UPDATE replays SET done_ms = coalesce(done_ms, ?2) WHERE id = ?1";
            let known = transaction.execute(text, params![id, signed(done_ms)])?;
            let text = "DELETE FROM replays WHERE done_ms IS NOT NULL
                        AND destination = (SELECT destination FROM replays WHERE id = ?1)
                        AND id < (SELECT id FROM replays WHERE destination =
                                  (SELECT destination FROM replays WHERE id = ?1)
                                  ORDER BY id DESC LIMIT 1 OFFSET ?2)";
            transaction.execute(text, params![id, DONE_KEPT - 1])?;
            Ok(known)
        })?;
        found(known, || format!("replay {id}"))
    }

    /// Saves the state of a replay with its attempts and the events it set aside, in one transaction.
    pub fn record_replay(
        &self,
        id: &str,
        state: &str,
        destination: &str,
        attempts: Vec<AttemptRow>,
        quarantined: Vec<QuarantineRow>,
    ) -> Result<()> {
        self.write(|transaction| {
            let text = "UPDATE replays SET state = ?2 WHERE id = ?1";
            if transaction.prepare_cached(text)?.execute(params![id, state])? == 0 {
                return Ok(());
            }
            let update = DeliveryUpdate {
                destination: destination.to_owned(),
                state: String::new(),
                attempts,
                quarantined,
                notes: Vec::new(),
            };
            delivery::insert_facts(transaction, &update)
        })
    }

    /// Returns the oldest notes.
    pub fn delivery_notes(&self, limit: usize) -> Result<Vec<NoteRow>> {
        self.read(|connection| {
            let text =
                "SELECT number, destination, environment, tenant, made_ms, note FROM delivery_notes
                        ORDER BY number LIMIT ?1";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([limit as i64], |row| {
                Ok(NoteRow {
                    number: unsigned(row.get(0)?),
                    destination: row.get(1)?,
                    environment: EnvironmentId::restored(&row.get::<_, String>(2)?),
                    tenant: TenantId::restored(&row.get::<_, String>(3)?),
                    made_ms: unsigned(row.get(4)?),
                    note: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Removes a note whose event is durable.
    pub fn remove_delivery_note(&self, number: u64) -> Result<()> {
        self.write(|transaction| {
            transaction
                .execute("DELETE FROM delivery_notes WHERE number = ?1", [signed(number)])?;
            Ok(())
        })
    }
}

/// Adds the notes of an update.
pub(super) fn insert_notes(transaction: &Transaction<'_>, update: &DeliveryUpdate) -> Result<()> {
    if update.notes.is_empty() {
        return Ok(());
    }
    let text = "INSERT INTO delivery_notes (destination, environment, tenant, made_ms, note)
                SELECT id, environment, tenant, ?2, ?3 FROM destinations WHERE id = ?1";
    let mut insert = transaction.prepare_cached(text)?;
    for (made_ms, note) in &update.notes {
        insert.execute(params![update.destination, signed(*made_ms), note])?;
    }
    Ok(())
}

fn replay_row(row: &Row<'_>) -> rusqlite::Result<ReplayRow> {
    Ok(ReplayRow {
        id: row.get(0)?,
        destination: row.get(1)?,
        from_seq: unsigned(row.get(2)?),
        next_seq: unsigned(row.get(3)?),
        filter: row.get(4)?,
        state: row.get(5)?,
        created_ms: unsigned(row.get(6)?),
        done_ms: row.get::<_, Option<i64>>(7)?.map(unsigned),
    })
}

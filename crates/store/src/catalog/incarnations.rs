//! New incarnations of logs and of the anchor log: what each began from when the data had gone back in time.
//!
//! A row says what an older incarnation was, so that its checkpoints, removal lists and erasures can still be related to
//! the log that goes on. Rows never go.

use attestary_ledger::Hash;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Catalog, Result, SwapCommit, manifest, signed, unsigned};
use crate::signing::Committed;

/// Tables of this area.
pub(super) const TABLES: &str = "
CREATE TABLE incarnations (
    slot INTEGER NOT NULL, number INTEGER NOT NULL, log_id TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
    genesis BLOB NOT NULL, made_ms INTEGER NOT NULL, event BLOB NOT NULL, announced INTEGER NOT NULL,
    PRIMARY KEY (slot, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE anchor_logs (
    number INTEGER PRIMARY KEY, log_id TEXT NOT NULL, epochs INTEGER NOT NULL, made_ms INTEGER NOT NULL,
    event BLOB NOT NULL, announced INTEGER NOT NULL
) STRICT;
";

/// An older incarnation of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncarnationRow {
    /// The log's place, which stays.
    pub slot: u64,
    /// Counts from 0 with the log's first incarnation.
    pub number: u32,
    /// ULID of the older incarnation.
    pub log_id: String,
    /// Its events that the next one goes on from.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Hash of its genesis leaf; all other leaves can be computed from the next incarnation's.
    pub genesis: Hash,
    /// When the next incarnation began, in milliseconds since the epoch.
    pub made_ms: u64,
    /// Id of the event that says so in the next incarnation.
    pub event: [u8; 16],
    /// That event is in the log.
    pub announced: bool,
}

/// A new incarnation of the anchor log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorLogRow {
    /// ULID in its origin.
    pub log_id: String,
    /// Epochs of the one before it that the data knew.
    pub epochs: u64,
    /// When it began, in milliseconds since the epoch.
    pub made_ms: u64,
    /// Id of the event that says so in the installation's audit log.
    pub event: [u8; 16],
    /// That event is in the log.
    pub announced: bool,
}

/// Everything that changes when incarnations begin; committed as one.
#[derive(Debug, Clone, Default)]
pub struct Renewal {
    /// Segments with the new leaves, and the logs' new heads.
    pub swap: SwapCommit,
    /// What the logs were before.
    pub logs: Vec<IncarnationRow>,
    /// Where the signing of logs goes on, by partition.
    pub signing: Option<(u32, Committed)>,
    /// The new anchor log and where its signing goes on, by its place among partitions.
    pub anchor: Option<(AnchorLogRow, u32, Committed)>,
}

impl Catalog {
    /// Commits new incarnations, all or nothing. Heads that were signed, key epochs and epochs of the older ones go: none of
    /// them speaks of the new ones.
    pub fn commit_renewal(&self, renewal: &Renewal) -> Result<()> {
        self.write(|transaction| {
            for row in &renewal.logs {
                let head = renewal.swap.heads.iter().find(|head| head.slot == row.slot);
                let log_id = head.map_or(row.log_id.as_str(), |head| &head.log_id);
                let values = params![signed(row.slot), row.log_id, log_id];
                let text = "UPDATE heads SET log_id = ?3 WHERE slot = ?1 AND log_id = ?2";
                transaction.prepare_cached(text)?.execute(values)?;
                for table in ["signed_heads", "log_keys"] {
                    let text = format!("DELETE FROM {table} WHERE slot = ?1");
                    transaction.prepare_cached(&text)?.execute([signed(row.slot)])?;
                }
                insert(transaction, row)?;
            }
            if let Some((partition, committed)) = &renewal.signing {
                set_mark(transaction, *partition, committed)?;
            }
            if let Some((row, partition, committed)) = &renewal.anchor {
                for table in ["epochs", "anchors", "anchor_witnesses"] {
                    transaction.execute(&format!("DELETE FROM {table}"), [])?;
                }
                // Its keys stand at the last of all slots.
                transaction.execute("DELETE FROM log_keys WHERE slot = ?1", [signed(u64::MAX)])?;
                set_mark(transaction, *partition, committed)?;
                let text = "INSERT INTO anchor_logs (log_id, epochs, made_ms, event, announced)
                            VALUES (?1, ?2, ?3, ?4, ?5)";
                let (epochs, made_ms) = (signed(row.epochs), signed(row.made_ms));
                let values = params![row.log_id, epochs, made_ms, row.event, row.announced];
                transaction.prepare_cached(text)?.execute(values)?;
            }
            manifest::swap(transaction, &renewal.swap).map(drop)
        })
    }

    /// Returns the older incarnations of a log, the first one first.
    pub fn incarnations(&self, slot: u64) -> Result<Vec<IncarnationRow>> {
        let clause = "WHERE slot = ?1";
        self.select_incarnations(clause, signed(slot))
    }

    /// Returns the older incarnation with this ULID.
    pub fn incarnation_called(&self, log_id: &str) -> Result<Option<IncarnationRow>> {
        Ok(self.select_incarnations("WHERE log_id = ?1", log_id.to_owned())?.pop())
    }

    /// Returns at most `limit` incarnations of which their logs do not know yet.
    pub fn unannounced_incarnations(&self, limit: usize) -> Result<Vec<IncarnationRow>> {
        self.select_incarnations("WHERE announced = 0 LIMIT ?1", limit as i64)
    }

    fn select_incarnations(
        &self,
        clause: &str,
        value: impl rusqlite::ToSql,
    ) -> Result<Vec<IncarnationRow>> {
        let text = format!(
            "SELECT slot, number, log_id, size, root, genesis, made_ms, event, announced FROM incarnations {clause}"
        );
        self.read(|connection| {
            let mut select = connection.prepare_cached(&text)?;
            let rows = select.query_map([&value], |row| {
                Ok(IncarnationRow {
                    slot: unsigned(row.get(0)?),
                    number: row.get(1)?,
                    log_id: row.get(2)?,
                    size: unsigned(row.get(3)?),
                    root: row.get(4)?,
                    genesis: row.get(5)?,
                    made_ms: unsigned(row.get(6)?),
                    event: row.get(7)?,
                    announced: row.get(8)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Notes that the logs of these incarnations know.
    pub fn announce_incarnations(&self, rows: &[IncarnationRow]) -> Result<()> {
        self.write(|transaction| {
            let text = "UPDATE incarnations SET announced = 1 WHERE slot = ?1 AND number = ?2";
            let mut update = transaction.prepare_cached(text)?;
            rows.iter().try_for_each(|row| {
                update.execute(params![signed(row.slot), row.number]).map(drop)
            })?;
            Ok(())
        })
    }

    /// Returns the present anchor log; `None` while it is the first one.
    pub fn anchor_log(&self) -> Result<Option<AnchorLogRow>> {
        self.read(|connection| {
            let text = "SELECT log_id, epochs, made_ms, event, announced FROM anchor_logs
                        ORDER BY number DESC LIMIT 1";
            let row = connection.prepare_cached(text)?.query_row([], |row| {
                Ok(AnchorLogRow {
                    log_id: row.get(0)?,
                    epochs: unsigned(row.get(1)?),
                    made_ms: unsigned(row.get(2)?),
                    event: row.get(3)?,
                    announced: row.get(4)?,
                })
            });
            Ok(row.optional()?)
        })
    }

    /// Notes that the audit log knows of the present anchor log.
    pub fn announce_anchor_log(&self) -> Result<()> {
        self.write(|transaction| {
            transaction.execute("UPDATE anchor_logs SET announced = 1", [])?;
            Ok(())
        })
    }
}

fn insert(transaction: &Transaction<'_>, row: &IncarnationRow) -> Result<()> {
    let text = "INSERT INTO incarnations (slot, number, log_id, size, root, genesis, made_ms, event, announced)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    transaction.prepare_cached(text)?.execute(params![
        signed(row.slot),
        row.number,
        row.log_id,
        signed(row.size),
        row.root,
        row.genesis,
        signed(row.made_ms),
        row.event,
        row.announced,
    ])?;
    Ok(())
}

/// Sets a partition's mark, wherever it stood: a person decided that.
fn set_mark(transaction: &Transaction<'_>, partition: u32, committed: &Committed) -> Result<()> {
    let text = "INSERT INTO signing (partition, batch, hash, previous) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (partition) DO UPDATE SET batch = excluded.batch, hash = excluded.hash,
                previous = excluded.previous";
    let mark = committed.mark;
    let values = params![partition, signed(mark.batch), mark.hash, committed.previous];
    transaction.prepare_cached(text)?.execute(values)?;
    Ok(())
}

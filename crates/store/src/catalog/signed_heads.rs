//! The newest head of every log that may be signed, the batch that fixed it, and the epochs of the logs' keys.
//!
//! See [`crate::signing`] for the rule; these tables are its local half.

use attestary_ledger::Hash;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Catalog, CatalogError, Result, optional_signed, optional_unsigned, signed, unsigned};
use crate::signing::{Committed, Head, Mark};

/// Tables of this area.
pub(super) const TABLES: &str = "
CREATE TABLE signed_heads (slot INTEGER PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL) STRICT;
CREATE TABLE signing (
    partition INTEGER PRIMARY KEY, batch INTEGER NOT NULL, hash BLOB NOT NULL, previous BLOB NOT NULL
) STRICT;
CREATE TABLE log_keys (
    slot INTEGER NOT NULL, epoch INTEGER NOT NULL, event BLOB NOT NULL, first_size INTEGER, PRIMARY KEY (slot, epoch)
) STRICT, WITHOUT ROWID;
";

/// A key epoch of a log after its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogKeyRow {
    /// The log.
    pub slot: u64,
    /// Counts from 1; epoch 0 is every log's first and has no row.
    pub epoch: u32,
    /// Id of the event that announces the epoch in the log.
    pub event: [u8; 16],
    /// Smallest tree that the key signs; `None` until the event is known to stand in the log.
    pub first_size: Option<u64>,
}

impl Catalog {
    /// Returns the last committed signing batch of a partition.
    pub fn signing_committed(&self, partition: u32) -> Result<Committed> {
        self.read(|connection| {
            let text = "SELECT batch, hash, previous FROM signing WHERE partition = ?1";
            let mut select = connection.prepare_cached(text)?;
            let row = select.query_row([partition], |row| {
                let mark = Mark { batch: unsigned(row.get(0)?), hash: row.get(1)? };
                Ok(Committed { mark, previous: row.get(2)? })
            });
            Ok(row.optional()?.unwrap_or_default())
        })
    }

    /// Returns the newest fixed head of every log.
    pub fn signed_heads(&self) -> Result<Vec<Head>> {
        self.read(|connection| {
            let mut select = connection
                .prepare_cached("SELECT slot, size, root FROM signed_heads ORDER BY slot")?;
            let rows = select.query_map([], |row| {
                let root: Hash = row.get(2)?;
                Ok(Head { slot: unsigned(row.get(0)?), size: unsigned(row.get(1)?), root })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Returns the highest slot that has a fixed head.
    pub fn last_signed_slot(&self) -> Result<Option<u64>> {
        self.read(|connection| {
            let text = "SELECT max(slot) FROM signed_heads";
            Ok(optional_unsigned(connection.prepare_cached(text)?.query_row([], |row| row.get(0))?))
        })
    }

    /// Commits a signing batch. Refused as a conflict: a batch that does not follow the last one, and a head that is not
    /// larger than the log's last one.
    pub fn commit_heads(
        &self,
        partition: u32,
        committed: &Committed,
        heads: &[Head],
    ) -> Result<()> {
        self.write(|transaction| {
            commit_mark(transaction, partition, committed)?;
            let text = "INSERT INTO signed_heads (slot, size, root) VALUES (?1, ?2, ?3)
                        ON CONFLICT (slot) DO UPDATE SET size = excluded.size, root = excluded.root
                        WHERE size < excluded.size";
            let mut put = transaction.prepare_cached(text)?;
            for head in heads {
                if put.execute(params![signed(head.slot), signed(head.size), head.root])? == 0 {
                    let what =
                        format!("slot {} has a head of {} or more already", head.slot, head.size);
                    return Err(CatalogError::Conflict { what });
                }
            }
            Ok(())
        })
    }

    /// Returns the key epochs of a log after its first, in order.
    pub fn log_keys(&self, slot: u64) -> Result<Vec<LogKeyRow>> {
        self.read(|connection| {
            let text =
                "SELECT epoch, event, first_size FROM log_keys WHERE slot = ?1 ORDER BY epoch";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([signed(slot)], |row| {
                let first_size = optional_unsigned(row.get(2)?);
                Ok(LogKeyRow { slot, epoch: row.get(0)?, event: row.get(1)?, first_size })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Adds a key epoch; a repeated one is a conflict.
    pub fn add_log_key(&self, row: &LogKeyRow) -> Result<()> {
        self.write(|transaction| {
            let text =
                "INSERT INTO log_keys (slot, epoch, event, first_size) VALUES (?1, ?2, ?3, ?4)";
            let first_size = optional_signed(row.first_size);
            let values = params![signed(row.slot), row.epoch, row.event, first_size];
            transaction.prepare_cached(text)?.execute(values)?;
            Ok(())
        })
    }

    /// Sets from which size on a key epoch signs; `None` removes an epoch whose event never came into the log.
    pub fn settle_log_key(&self, slot: u64, epoch: u32, first_size: Option<u64>) -> Result<()> {
        self.write(|transaction| {
            let values = params![signed(slot), epoch, optional_signed(first_size)];
            let text = match first_size {
                Some(_) => {
                    "UPDATE log_keys SET first_size = ?3 WHERE slot = ?1 AND epoch = ?2 AND first_size IS NULL"
                }
                None => {
                    "DELETE FROM log_keys WHERE slot = ?1 AND epoch = ?2 AND first_size IS NULL AND ?3 IS NULL"
                }
            };
            transaction.prepare_cached(text)?.execute(values)?;
            Ok(())
        })
    }
}

/// Moves a partition's mark on. Refused as a conflict: a batch that does not follow the last one.
pub(super) fn commit_mark(
    transaction: &Transaction<'_>,
    partition: u32,
    committed: &Committed,
) -> Result<()> {
    let text = "INSERT INTO signing (partition, batch, hash, previous) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (partition) DO UPDATE SET batch = excluded.batch, hash = excluded.hash,
                previous = excluded.previous
                WHERE hash = excluded.previous AND batch = excluded.batch - 1";
    let changed = transaction.prepare_cached(text)?.execute(params![
        partition,
        signed(committed.mark.batch),
        committed.mark.hash,
        committed.previous,
    ])?;
    if changed == 0 {
        let what = format!("signing batch {} does not follow the last one", committed.mark.batch);
        return Err(CatalogError::Conflict { what });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_follows_the_last_one_and_heads_only_grow() {
        let catalog = Catalog::in_memory().unwrap();
        let head = |slot, size| Head { slot, size, root: [size as u8; 32] };
        assert_eq!(catalog.signing_committed(0).unwrap(), Committed::default());
        let first = Mark::default().next(0, &[head(1, 5), head(2, 1)]);
        catalog.commit_heads(0, &first, &[head(1, 5), head(2, 1)]).unwrap();
        assert_eq!(catalog.signing_committed(0).unwrap(), first);
        assert!(catalog.commit_heads(0, &first, &[head(1, 6)]).is_err(), "the same batch again");
        let second = first.mark.next(0, &[head(1, 5)]);
        assert!(catalog.commit_heads(0, &second, &[head(1, 5)]).is_err(), "not larger");
        assert_eq!(
            catalog.signing_committed(0).unwrap(),
            first,
            "nothing of a refused batch stays"
        );
        let second = first.mark.next(0, &[head(1, 6)]);
        catalog.commit_heads(0, &second, &[head(1, 6)]).unwrap();
        assert_eq!(catalog.signed_heads().unwrap(), [head(1, 6), head(2, 1)]);
    }

    #[test]
    fn a_key_epoch_is_settled_once() {
        let catalog = Catalog::in_memory().unwrap();
        let row =
            |epoch, first_size| LogKeyRow { slot: 7, epoch, event: [epoch as u8; 16], first_size };
        catalog.add_log_key(&row(1, None)).unwrap();
        assert!(catalog.add_log_key(&row(1, None)).is_err());
        catalog.settle_log_key(7, 1, Some(10)).unwrap();
        catalog.settle_log_key(7, 1, Some(11)).unwrap();
        catalog.settle_log_key(7, 1, None).unwrap();
        assert_eq!(catalog.log_keys(7).unwrap(), [row(1, Some(10))]);
        catalog.add_log_key(&row(2, None)).unwrap();
        catalog.settle_log_key(7, 2, None).unwrap();
        assert_eq!(catalog.log_keys(7).unwrap(), [row(1, Some(10))]);
        assert_eq!(catalog.log_keys(8).unwrap(), []);
    }
}

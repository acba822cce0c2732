//! Epochs: their records, which are the leaves of the anchor log, the heads that changed in each, and the anchor
//! checkpoints that others signed.
//!
//! The heads of an epoch lie in one value: those that changed since the epoch kept before it, or all of them. So making
//! an epoch costs one row, and the leaves of any kept epoch are found by laying values over each other. Epochs are
//! thinned with age: the values of those that go are laid into the next one that stays. Records never go.

use std::collections::BTreeMap;

use attestary_ledger::{EpochRecord, Hash};
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Catalog, CatalogError, Result, signed, signed_heads, unsigned};
use crate::signing::Committed;

/// Tables of this area. The long value stands last, so that looking at a record does not read it.
pub(super) const TABLES: &str = "
CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY, unix_ms INTEGER NOT NULL, slots INTEGER NOT NULL, root BLOB NOT NULL,
    whole INTEGER NOT NULL, heads BLOB
) STRICT;
CREATE INDEX epochs_kept ON epochs (epoch) WHERE heads IS NOT NULL;
CREATE TABLE anchors (
    size INTEGER PRIMARY KEY, made_ms INTEGER NOT NULL, quorum INTEGER NOT NULL, note TEXT NOT NULL, stamp BLOB
) STRICT;
CREATE TABLE anchor_witnesses (key TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// Bytes of one head in a value: slot, size, leaf.
const HEAD_BYTES: usize = 48;

/// A head as it stood in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochHead {
    /// The log.
    pub slot: u64,
    /// Events under the head.
    pub size: u64,
    /// Its leaf in the epoch tree.
    pub leaf: Hash,
}

/// An epoch to be kept.
#[derive(Debug, Clone)]
pub struct EpochRow {
    /// The leaf of the anchor log.
    pub record: EpochRecord,
    /// `heads` are all there are, not only those that changed.
    pub whole: bool,
    /// In the order of slots.
    pub heads: Vec<EpochHead>,
}

/// A checkpoint of the anchor log, and what others said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorRow {
    /// Epochs under the checkpoint.
    pub size: u64,
    /// When it was signed, in milliseconds since the epoch.
    pub made_ms: u64,
    /// A quorum of witnesses cosigned it.
    pub quorum: bool,
    /// The signed note with all cosignatures.
    pub note: String,
    /// The reply of a time-stamping authority (RFC 3161, DER).
    pub stamp: Option<Vec<u8>>,
}

impl Catalog {
    /// Commits an epoch and the signing batch that fixes the anchor log's head, all or nothing. An epoch that does not
    /// follow the last one is a conflict.
    pub fn commit_epoch(
        &self,
        partition: u32,
        committed: &Committed,
        row: &EpochRow,
    ) -> Result<()> {
        self.write(|transaction| {
            signed_heads::commit_mark(transaction, partition, committed)?;
            let count: i64 =
                transaction.query_row("SELECT COALESCE(MAX(epoch) + 1, 0) FROM epochs", [], |row| row.get(0))?;
            let record = &row.record;
            if unsigned(count) != record.epoch {
                let what = format!("epoch {} does not follow the last one", record.epoch);
                return Err(CatalogError::Conflict { what });
            }
            let text = "INSERT INTO epochs (epoch, unix_ms, slots, root, whole, heads) VALUES (?1,?2,?3,?4,?5,?6)";
            transaction.prepare_cached(text)?.execute(params![
                signed(record.epoch),
                signed(record.unix_ms),
                signed(record.slots),
                record.root,
                row.whole,
                encode(&row.heads),
            ])?;
            Ok(())
        })
    }

    /// Returns the records of the epochs from `first` on, at most `count`.
    pub fn epoch_records(&self, first: u64, count: usize) -> Result<Vec<EpochRecord>> {
        self.read(|connection| {
            let text =
                "SELECT epoch, unix_ms, slots, root FROM epochs WHERE epoch >= ?1 ORDER BY epoch LIMIT ?2";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map(params![signed(first), count as i64], record)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Returns the record of the last epoch.
    pub fn last_epoch(&self) -> Result<Option<EpochRecord>> {
        self.read(|connection| {
            let text = "SELECT epoch, unix_ms, slots, root FROM epochs ORDER BY epoch DESC LIMIT 1";
            Ok(connection.prepare_cached(text)?.query_row([], record).optional()?)
        })
    }

    /// Returns when the last epoch whose heads are all kept in one value was made.
    pub fn last_whole_epoch_ms(&self) -> Result<Option<u64>> {
        self.read(|connection| {
            let text = "SELECT unix_ms FROM epochs INDEXED BY epochs_kept
                        WHERE heads IS NOT NULL AND whole ORDER BY epoch DESC LIMIT 1";
            let found = connection.prepare_cached(text)?.query_row([], |row| row.get(0));
            Ok(found.optional()?.map(unsigned))
        })
    }

    /// Returns every head of an epoch in the order of slots; `None` when the epoch was thinned out or never was.
    pub fn epoch_heads(&self, epoch: u64) -> Result<Option<Vec<EpochHead>>> {
        self.read(|connection| {
            let text = "SELECT whole, heads FROM epochs INDEXED BY epochs_kept
                        WHERE epoch <= ?1 AND heads IS NOT NULL ORDER BY epoch DESC";
            let kept = "SELECT heads IS NOT NULL FROM epochs WHERE epoch = ?1";
            let kept: Option<bool> = connection
                .prepare_cached(kept)?
                .query_row([signed(epoch)], |row| row.get(0))
                .optional()?;
            if kept != Some(true) {
                return Ok(None);
            }
            let mut select = connection.prepare_cached(text)?;
            let mut rows = select.query([signed(epoch)])?;
            let mut values = Vec::new();
            while let Some(row) = rows.next()? {
                values.push(decode(&row.get::<_, Vec<u8>>(1)?)?);
                if row.get(0)? {
                    break;
                }
            }
            Ok(Some(lay(values.into_iter().rev())))
        })
    }

    /// Returns number and time of the epochs whose heads are kept, the oldest first.
    pub fn kept_epochs(&self) -> Result<Vec<(u64, u64)>> {
        self.read(|connection| {
            let text = "SELECT epoch, unix_ms FROM epochs INDEXED BY epochs_kept
                        WHERE heads IS NOT NULL ORDER BY epoch";
            let mut select = connection.prepare_cached(text)?;
            let rows =
                select.query_map([], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Lays the heads of neighbouring kept epochs into the last one of them; the others keep their record only, and
    /// their anchor checkpoints go.
    pub fn thin_epochs(&self, epochs: &[u64]) -> Result<()> {
        let Some((last, others)) = epochs.split_last().filter(|(_, others)| !others.is_empty())
        else {
            return Ok(());
        };
        self.write(|transaction| {
            let mut values: Vec<Vec<EpochHead>> = Vec::with_capacity(epochs.len());
            let mut whole = false;
            for epoch in epochs {
                let text = "SELECT whole, heads FROM epochs WHERE epoch = ?1 AND heads IS NOT NULL";
                let (is_whole, heads): (bool, Vec<u8>) = transaction
                    .prepare_cached(text)?
                    .query_row([signed(*epoch)], |row| Ok((row.get(0)?, row.get(1)?)))?;
                if is_whole {
                    values.clear();
                    whole = true;
                }
                values.push(decode(&heads)?);
            }
            let laid = encode(&lay(values.into_iter()));
            let text = "UPDATE epochs SET heads = ?2, whole = ?3 WHERE epoch = ?1";
            transaction.prepare_cached(text)?.execute(params![signed(*last), laid, whole])?;
            let newest = "SELECT COALESCE(MAX(size), 0) FROM anchors WHERE quorum";
            let newest: i64 = transaction.query_row(newest, [], |row| row.get(0))?;
            for epoch in others {
                let text = "UPDATE epochs SET heads = NULL, whole = 0 WHERE epoch = ?1";
                transaction.prepare_cached(text)?.execute([signed(*epoch)])?;
                let text = "DELETE FROM anchors WHERE size = ?1 AND size <> ?2 AND stamp IS NULL";
                transaction.prepare_cached(text)?.execute([signed(*epoch + 1), newest])?;
            }
            Ok(())
        })
    }

    /// Keeps a checkpoint of the anchor log, instead of what was known of the same size.
    pub fn put_anchor(&self, row: &AnchorRow) -> Result<()> {
        self.write(|transaction| {
            let text = "INSERT INTO anchors (size, made_ms, quorum, note, stamp) VALUES (?1,?2,?3,?4,?5)
                        ON CONFLICT (size) DO UPDATE SET quorum = ?3, note = ?4, stamp = COALESCE(?5, stamp)";
            transaction.prepare_cached(text)?.execute(params![
                signed(row.size),
                signed(row.made_ms),
                row.quorum,
                row.note,
                row.stamp,
            ])?;
            Ok(())
        })
    }

    /// Returns the newest kept checkpoint of the anchor log: of any, of those with a quorum, or of those with a time-stamp.
    pub fn newest_anchor(&self, which: AnchorWith) -> Result<Option<AnchorRow>> {
        let clause = match which {
            AnchorWith::Nothing => "",
            AnchorWith::Quorum => "WHERE quorum",
            AnchorWith::Stamp => "WHERE stamp IS NOT NULL",
        };
        let text = format!(
            "SELECT size, made_ms, quorum, note, stamp FROM anchors {clause} ORDER BY size DESC LIMIT 1"
        );
        self.read(|connection| {
            let found = connection.prepare_cached(&text)?.query_row([], anchor);
            Ok(found.optional()?)
        })
    }

    /// Returns the smallest kept checkpoint with a quorum that covers an epoch.
    pub fn anchor_of(&self, epoch: u64) -> Result<Option<AnchorRow>> {
        self.read(|connection| {
            let text = "SELECT size, made_ms, quorum, note, stamp FROM anchors
                        WHERE quorum AND size > ?1 ORDER BY size LIMIT 1";
            Ok(connection.prepare_cached(text)?.query_row([signed(epoch)], anchor).optional()?)
        })
    }

    /// Returns for each witness key how much of the anchor log it cosigned last.
    pub fn witness_sizes(&self) -> Result<Vec<(String, u64)>> {
        self.read(|connection| {
            let mut select = connection.prepare_cached("SELECT key, size FROM anchor_witnesses")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Notes how much of the anchor log a witness cosigned last.
    pub fn set_witness_size(&self, key: &str, size: u64) -> Result<()> {
        self.write(|transaction| {
            let text = "INSERT INTO anchor_witnesses (key, size) VALUES (?1, ?2)
                        ON CONFLICT (key) DO UPDATE SET size = excluded.size";
            transaction.prepare_cached(text)?.execute(params![key, signed(size)])?;
            Ok(())
        })
    }
}

/// Which anchor checkpoints are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorWith {
    /// All of them.
    Nothing,
    /// Those that a quorum of witnesses cosigned.
    Quorum,
    /// Those with a time-stamp.
    Stamp,
}

fn record(row: &Row<'_>) -> rusqlite::Result<EpochRecord> {
    Ok(EpochRecord {
        epoch: unsigned(row.get(0)?),
        unix_ms: unsigned(row.get(1)?),
        slots: unsigned(row.get(2)?),
        root: row.get(3)?,
    })
}

fn anchor(row: &Row<'_>) -> rusqlite::Result<AnchorRow> {
    Ok(AnchorRow {
        size: unsigned(row.get(0)?),
        made_ms: unsigned(row.get(1)?),
        quorum: row.get(2)?,
        note: row.get(3)?,
        stamp: row.get(4)?,
    })
}

fn encode(heads: &[EpochHead]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(heads.len() * HEAD_BYTES);
    for head in heads {
        bytes.extend_from_slice(&head.slot.to_be_bytes());
        bytes.extend_from_slice(&head.size.to_be_bytes());
        bytes.extend_from_slice(&head.leaf);
    }
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<EpochHead>> {
    let (heads, rest) = bytes.as_chunks::<HEAD_BYTES>();
    if !rest.is_empty() {
        return Err(CatalogError::corrupt("the heads of an epoch are cut"));
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let heads = heads.iter().map(|bytes| {
        let mut leaf = [0; 32];
        leaf.copy_from_slice(&bytes[16..]);
        EpochHead { slot: number(&bytes[..8]), size: number(&bytes[8..16]), leaf }
    });
    Ok(heads.collect())
}

/// Lays lists of heads over each other, the oldest first.
fn lay(values: impl Iterator<Item = Vec<EpochHead>>) -> Vec<EpochHead> {
    let mut heads = BTreeMap::new();
    for value in values {
        heads.extend(value.into_iter().map(|head| (head.slot, head)));
    }
    heads.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::Mark;

    fn head(slot: u64, size: u64) -> EpochHead {
        EpochHead { slot, size, leaf: [(slot * 16 + size) as u8; 32] }
    }

    fn commit(catalog: &Catalog, epoch: u64, whole: bool, heads: &[EpochHead]) -> Result<()> {
        let committed = catalog.signing_committed(9).unwrap();
        let record = EpochRecord { epoch, unix_ms: 1_000 * epoch, slots: 4, root: [7; 32] };
        let head = crate::signing::Head { slot: 0, size: epoch + 1, root: [1; 32] };
        let next = committed.mark.next(9, &[head]);
        catalog.commit_epoch(9, &next, &EpochRow { record, whole, heads: heads.to_vec() })
    }

    fn filled() -> Catalog {
        let catalog = Catalog::in_memory().unwrap();
        assert_eq!(catalog.last_epoch().unwrap(), None);
        commit(&catalog, 0, true, &[head(0, 1), head(2, 1)]).unwrap();
        commit(&catalog, 1, false, &[head(2, 2)]).unwrap();
        commit(&catalog, 2, false, &[]).unwrap();
        commit(&catalog, 3, true, &[head(0, 1), head(1, 1), head(2, 3)]).unwrap();
        commit(&catalog, 4, false, &[head(0, 5)]).unwrap();
        catalog
    }

    #[test]
    fn an_epoch_has_the_heads_of_those_before_it() {
        let catalog = filled();
        assert_eq!(catalog.epoch_heads(0).unwrap().unwrap(), [head(0, 1), head(2, 1)]);
        assert_eq!(catalog.epoch_heads(2).unwrap().unwrap(), [head(0, 1), head(2, 2)]);
        let last = [head(0, 5), head(1, 1), head(2, 3)];
        assert_eq!(catalog.epoch_heads(4).unwrap().unwrap(), last);
        assert_eq!(catalog.epoch_heads(5).unwrap(), None);
        assert_eq!(catalog.last_epoch().unwrap().unwrap().epoch, 4);
        assert_eq!(catalog.last_whole_epoch_ms().unwrap(), Some(3_000));
        assert_eq!(catalog.epoch_records(3, 10).unwrap().len(), 2);
    }

    #[test]
    fn epochs_follow_each_other_and_failed_ones_leave_nothing() {
        let catalog = filled();
        let before = catalog.signing_committed(9).unwrap();
        assert!(commit(&catalog, 4, false, &[]).is_err(), "the same again");
        assert!(commit(&catalog, 6, false, &[]).is_err(), "one is skipped");
        assert_eq!(catalog.signing_committed(9).unwrap(), before);
        let other = Mark::default().next(9, &[]);
        let record = EpochRecord { epoch: 5, unix_ms: 5, slots: 4, root: [7; 32] };
        let row = EpochRow { record, whole: false, heads: vec![] };
        assert!(catalog.commit_epoch(9, &other, &row).is_err(), "another batch");
        assert_eq!(catalog.last_epoch().unwrap().unwrap().epoch, 4);
    }

    #[test]
    fn thinning_keeps_the_heads_of_what_stays() {
        for group in [&[0, 1, 2][..], &[1, 2], &[2, 3], &[1, 2, 3, 4], &[0, 1, 2, 3, 4]] {
            let catalog = filled();
            let stays = |epoch: &u64| *epoch > group[group.len() - 1] || *epoch < group[0];
            let outside: Vec<u64> = (0..5).filter(stays).collect();
            let kept: Vec<u64> = outside.iter().copied().chain(group.last().copied()).collect();
            let expected: Vec<_> =
                kept.iter().map(|epoch| catalog.epoch_heads(*epoch).unwrap().unwrap()).collect();
            catalog.thin_epochs(group).unwrap();
            for (epoch, heads) in kept.iter().zip(expected) {
                assert_eq!(catalog.epoch_heads(*epoch).unwrap(), Some(heads), "{group:?} {epoch}");
            }
            let left: Vec<u64> = catalog.kept_epochs().unwrap().iter().map(|kept| kept.0).collect();
            assert_eq!(left.len(), kept.len());
            assert_eq!(catalog.epoch_records(0, 9).unwrap().len(), 5, "records never go");
        }
    }

    #[test]
    fn anchors_are_found_by_what_was_said_of_them() {
        let catalog = Catalog::in_memory().unwrap();
        let row = |size, quorum, stamp: Option<&[u8]>| AnchorRow {
            size,
            made_ms: 5,
            quorum,
            note: format!("note {size}"),
            stamp: stamp.map(<[u8]>::to_vec),
        };
        for one in [row(3, true, Some(b"x")), row(4, true, None), row(5, false, None)] {
            catalog.put_anchor(&one).unwrap();
        }
        let newest = |which| catalog.newest_anchor(which).unwrap().unwrap().size;
        assert_eq!(newest(AnchorWith::Nothing), 5);
        assert_eq!(newest(AnchorWith::Quorum), 4);
        assert_eq!(newest(AnchorWith::Stamp), 3);
        assert_eq!(catalog.anchor_of(1).unwrap().unwrap().size, 3);
        assert_eq!(catalog.anchor_of(3).unwrap().unwrap().size, 4);
        assert_eq!(catalog.anchor_of(4).unwrap(), None);
        catalog.put_anchor(&row(3, true, None)).unwrap();
        assert_eq!(catalog.anchor_of(1).unwrap().unwrap().stamp.as_deref(), Some(&b"x"[..]));
        catalog.set_witness_size("w", 3).unwrap();
        catalog.set_witness_size("w", 4).unwrap();
        assert_eq!(catalog.witness_sizes().unwrap(), [("w".to_owned(), 4)]);
    }
}

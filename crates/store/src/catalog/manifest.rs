//! What sealing commits: the manifest of segments, heads of logs, journal positions and the slot allocator.
//!
//! A seal is one transaction ([`Catalog::commit_seal`]): either the new segments, the position up to which the journal
//! is no longer needed and the heads at that position are all there, or none is. A rewrite of segments without a move
//! of the journal is [`Catalog::commit_swap`]. Object files follow the same rule from outside: a path is announced
//! ([`Catalog::intend`]) before its file is written and buried ([`Catalog::tombstones`]) when its segment is removed,
//! so that whatever a crash leaves behind is known by name and nothing is deleted for being unlisted.

mod extent;

use std::{collections::BTreeMap, sync::Arc};

use attestary_event::{EnvironmentId, TenantId};
use attestary_ledger::Hash;
use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::{
    Catalog, CatalogError, Installation, Result,
    keys::{installation, meta},
    signed, unsigned,
};
use crate::journal::Position;

pub use extent::Extent;

/// A sealed segment and where each tenant's rows are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentMeta {
    /// Identity, never reused.
    pub id: String,
    /// Path in the object store.
    pub path: String,
    /// Size of the object.
    pub bytes: u64,
    /// Rows.
    pub events: u64,
    /// Version of the segment format.
    pub format_version: u32,
    /// Of the whole object.
    pub sha256: Hash,
    /// CRC32C of every [`crate::segment::BLOCK_BYTES`] of the object: each read is checked against them.
    pub crcs: Vec<u32>,
    /// Which partition sealed it.
    pub partition: u32,
    /// When, in milliseconds since the epoch; of a merged segment, when the newest of its inputs was sealed.
    pub created_ms: u64,
    /// How often its rows were merged: 0 as sealed.
    pub level: u32,
    /// What a merge wrote together has one run: each row stands in one of its segments. A sealed segment is its own.
    pub run: String,
    /// One per tenant, by slot.
    pub extents: Vec<Extent>,
}

impl SegmentMeta {
    /// Returns the rows of `slot`, if there are any.
    pub fn extent(&self, slot: u64) -> Option<&Extent> {
        self.extents
            .binary_search_by_key(&slot, |extent| extent.slot)
            .ok()
            .map(|index| &self.extents[index])
    }
}

/// Which segments make up the sealed part of all logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Grows by one with every commit.
    pub version: u64,
    /// In no particular order.
    pub segments: Vec<Arc<SegmentMeta>>,
}

impl Manifest {
    /// Returns the first seq of `slot` that is in no segment: 0, or one past the last sealed seq.
    pub fn next_seq(&self, slot: u64) -> u64 {
        let extents = self.segments.iter().filter_map(|segment| segment.extent(slot));
        extents.map(|extent| extent.seq_last + 1).max().unwrap_or(0)
    }
}

/// A tenant's log as of the last seal that touched it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRow {
    /// Fixed number of the log, never reused.
    pub slot: u64,
    /// Namespace.
    pub environment: EnvironmentId,
    /// Whose log.
    pub tenant: TenantId,
    /// ULID of this incarnation.
    pub log_id: String,
    /// Number of events = the next seq.
    pub size: u64,
    /// `received_at` of the last event in milliseconds.
    pub last_received_ms: u64,
    /// Peaks of the Merkle tree, largest first.
    pub frontier: Vec<Hash>,
    /// The tenant was deleted; the log takes no more events.
    pub deleted: bool,
}

/// How far into its journal a partition is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalPosition {
    /// Journal file generation.
    pub generation: u64,
    /// Bytes into that file.
    pub offset: u64,
    /// Next batch number.
    pub batch: u64,
    /// Epoch of the owner that wrote it.
    pub owner_epoch: u64,
}

/// One seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealCommit {
    /// Which partition.
    pub partition: u32,
    /// The journal before it is no longer needed.
    pub position: JournalPosition,
    /// Lowest slot that no log has; never goes down.
    pub next_slot: u64,
    /// Segments whose objects are written and synced.
    pub new_segments: Vec<SegmentMeta>,
    /// Ids of segments that the new ones replace.
    pub removed_segments: Vec<String>,
    /// Heads of the logs that changed.
    pub heads: Vec<HeadRow>,
}

/// One rewrite of segments (compaction, tenant deletion), which leaves the journal where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SwapCommit {
    /// Segments whose objects are written and synced.
    pub new_segments: Vec<SegmentMeta>,
    /// Ids of the segments that go.
    pub removed_segments: Vec<String>,
    /// Heads that change with it.
    pub heads: Vec<HeadRow>,
}

/// Everything that recovery needs, read in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// `None` before [`Catalog::install`].
    pub installation: Option<Installation>,
    /// How many partitions the logs are spread over.
    pub partitions: u32,
    /// Journals of partitions from that number up to this one may still be there and hold nothing.
    pub journals: u32,
    /// By partition; a partition that never sealed has none.
    pub positions: BTreeMap<u32, JournalPosition>,
    /// Lowest slot that no sealed log has.
    pub next_slot: u64,
    /// By slot.
    pub heads: Vec<HeadRow>,
    /// The segments.
    pub manifest: Manifest,
    /// Paths that were announced and never committed: their objects, if any, are to be deleted.
    pub intents: Vec<String>,
}

impl Loaded {
    /// Returns where a partition's unsealed events begin.
    pub(crate) fn position(&self, partition: u32) -> Position {
        self.positions.get(&partition).map_or(Position::default(), |at| Position {
            generation: at.generation,
            offset: at.offset,
            batch: at.batch,
            owner_epoch: at.owner_epoch,
        })
    }
}

impl Catalog {
    /// Announces object paths that are about to be written. Committing a segment with that path settles it.
    pub fn intend(&self, paths: &[String]) -> Result<()> {
        self.write(|transaction| {
            let mut insert =
                transaction.prepare_cached("INSERT INTO intents (path) VALUES (?1)")?;
            paths.iter().try_for_each(|path| insert.execute([path]).map(drop))?;
            Ok(())
        })
    }

    /// Forgets paths whose objects are gone: announced ones and tombstones alike.
    pub fn forget_paths(&self, paths: &[String]) -> Result<()> {
        self.write(|transaction| {
            for table in ["intents", "tombstones"] {
                let text = format!("DELETE FROM {table} WHERE path = ?1");
                let mut delete = transaction.prepare_cached(&text)?;
                paths.iter().try_for_each(|path| delete.execute([path]).map(drop))?;
            }
            Ok(())
        })
    }

    /// Returns the paths of removed segments whose objects may still be there.
    pub fn tombstones(&self) -> Result<Vec<String>> {
        self.read(|connection| paths(connection, "tombstones"))
    }

    /// Commits a seal, all or nothing, and returns the new manifest version.
    ///
    /// Refused as a conflict: a position behind the committed one, an older owner epoch, removal of a segment that is
    /// no longer there, a repeated segment id or path.
    pub fn commit_seal(&self, commit: &SealCommit) -> Result<u64> {
        self.write(|transaction| {
            advance_position(transaction, commit.partition, &commit.position)?;
            let next_slot = commit.next_slot.max(next_slot(transaction)?);
            set_meta(transaction, "next_slot", next_slot)?;
            let (new, removed) = (&commit.new_segments, &commit.removed_segments);
            replace(transaction, new, removed, &commit.heads)
        })
    }

    /// Spreads the logs over another number of partitions from the next start on. The caller has sealed everything;
    /// new partitions begin under a later owner epoch than any before.
    pub fn set_partitions(&self, partitions: u32) -> Result<()> {
        self.write(|transaction| {
            let journals = count(transaction, "journals")?.max(count(transaction, "partitions")?);
            set_meta(transaction, "journals", u64::from(journals))?;
            set_meta(transaction, "partitions", u64::from(partitions))?;
            let text = "DELETE FROM positions WHERE partition >= ?1";
            transaction.prepare_cached(text)?.execute([partitions])?;
            // The first partition is in every start, so its epoch is the highest.
            let text = "INSERT INTO positions (partition, generation, offset, batch, owner_epoch)
                        SELECT ?1, 0, 0, 0, owner_epoch FROM positions WHERE partition = 0
                        ON CONFLICT (partition) DO NOTHING";
            let mut insert = transaction.prepare_cached(text)?;
            (1..partitions).try_for_each(|partition| insert.execute([partition]).map(drop))?;
            Ok(())
        })
    }

    /// Notes that the journals of partitions that are no more are gone.
    pub fn forget_journals(&self) -> Result<()> {
        self.write(|transaction| {
            let partitions = count(transaction, "partitions")?;
            set_meta(transaction, "journals", u64::from(partitions))
        })
    }

    /// Commits a rewrite of segments, all or nothing, and returns the new manifest version.
    pub fn commit_swap(&self, commit: &SwapCommit) -> Result<u64> {
        self.write(|transaction| swap(transaction, commit))
    }

    /// Returns the manifest. Segments that `known` has are taken from there: a row never changes.
    pub fn manifest(&self, known: &Manifest) -> Result<Manifest> {
        self.write(|transaction| select_manifest(transaction, known))
    }

    /// Returns everything that recovery needs.
    pub fn load(&self) -> Result<Loaded> {
        self.write(|transaction| {
            Ok(Loaded {
                installation: installation(transaction)?,
                partitions: count(transaction, "partitions")?,
                journals: count(transaction, "journals")?,
                positions: select_positions(transaction)?,
                next_slot: next_slot(transaction)?,
                heads: select_heads(transaction)?,
                manifest: select_manifest(transaction, &Manifest::default())?,
                intents: paths(transaction, "intents")?,
            })
        })
    }
}

/// Returns a number that directories without it have as 1.
fn count(connection: &Connection, name: &str) -> Result<u32> {
    let number = meta(connection, name)?.map_or(1, unsigned);
    u32::try_from(number).map_err(|_| CatalogError::corrupt(format!("meta {name}: {number}")))
}

pub(super) fn set_meta(transaction: &Transaction<'_>, name: &str, value: u64) -> Result<()> {
    let text = "INSERT INTO meta (name, value) VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    transaction.prepare_cached(text)?.execute(params![name, signed(value)])?;
    Ok(())
}

fn next_slot(connection: &Connection) -> Result<u64> {
    Ok(meta(connection, "next_slot")?.map_or(0, unsigned))
}

fn advance_position(
    transaction: &Transaction<'_>,
    partition: u32,
    position: &JournalPosition,
) -> Result<()> {
    let text = "SELECT partition, generation, offset, batch, owner_epoch FROM positions WHERE partition = ?1";
    let mut select = transaction.prepare_cached(text)?;
    let committed =
        select.query_row([partition], position_row).optional()?.map(|(_, position)| position);
    if let Some(committed) = committed {
        let behind = (position.generation, position.offset)
            < (committed.generation, committed.offset)
            || position.batch < committed.batch;
        if behind || position.owner_epoch < committed.owner_epoch {
            let what = format!(
                "partition {partition} is sealed up to {committed:?}; {position:?} lies behind it"
            );
            return Err(CatalogError::Conflict { what });
        }
    }
    let text = "INSERT INTO positions (partition, generation, offset, batch, owner_epoch) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (partition) DO UPDATE SET generation = excluded.generation, offset = excluded.offset,
                batch = excluded.batch, owner_epoch = excluded.owner_epoch";
    transaction.prepare_cached(text)?.execute(params![
        partition,
        signed(position.generation),
        signed(position.offset),
        signed(position.batch),
        signed(position.owner_epoch),
    ])?;
    Ok(())
}

/// Replaces segments and heads within a transaction; returns the new manifest version.
pub(super) fn swap(transaction: &Transaction<'_>, commit: &SwapCommit) -> Result<u64> {
    replace(transaction, &commit.new_segments, &commit.removed_segments, &commit.heads)
}

fn replace(
    transaction: &Transaction<'_>,
    new: &[SegmentMeta],
    removed: &[String],
    heads: &[HeadRow],
) -> Result<u64> {
    removed.iter().try_for_each(|id| bury(transaction, id))?;
    new.iter().try_for_each(|segment| insert_segment(transaction, segment))?;
    heads.iter().try_for_each(|head| put_head(transaction, head))?;
    let version = meta(transaction, "manifest_version")?.map_or(0, unsigned) + 1;
    set_meta(transaction, "manifest_version", version)?;
    Ok(version)
}

fn bury(transaction: &Transaction<'_>, id: &str) -> Result<()> {
    let mut delete =
        transaction.prepare_cached("DELETE FROM segments WHERE id = ?1 RETURNING path")?;
    let path: Option<String> = delete.query_row([id], |row| row.get(0)).optional()?;
    let Some(path) = path else {
        return Err(CatalogError::Conflict {
            what: format!("segment {id} is not in the manifest"),
        });
    };
    transaction.prepare_cached("INSERT INTO tombstones (path) VALUES (?1)")?.execute([path])?;
    Ok(())
}

fn insert_segment(transaction: &Transaction<'_>, segment: &SegmentMeta) -> Result<()> {
    let text =
        "INSERT INTO segments (id, path, bytes, events, format_version, sha256, crcs, partition,
                created_ms, extents, level, run) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)";
    transaction.prepare_cached(text)?.execute(params![
        segment.id,
        segment.path,
        signed(segment.bytes),
        signed(segment.events),
        segment.format_version,
        segment.sha256,
        segment.crcs.iter().flat_map(|crc| crc.to_le_bytes()).collect::<Vec<u8>>(),
        segment.partition,
        signed(segment.created_ms),
        extent::encode(&segment.extents),
        segment.level,
        segment.run,
    ])?;
    transaction.prepare_cached("DELETE FROM intents WHERE path = ?1")?.execute([&segment.path])?;
    Ok(())
}

fn put_head(transaction: &Transaction<'_>, head: &HeadRow) -> Result<()> {
    let text = "INSERT INTO heads (slot, environment, tenant, log_id, size, last_received_ms, frontier, deleted)
                VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT (slot) DO UPDATE SET size = excluded.size,
                last_received_ms = excluded.last_received_ms, frontier = excluded.frontier, deleted = excluded.deleted
                WHERE log_id = excluded.log_id";
    let changed = transaction.prepare_cached(text)?.execute(params![
        signed(head.slot),
        head.environment.as_str(),
        head.tenant.as_str(),
        head.log_id,
        signed(head.size),
        signed(head.last_received_ms),
        head.frontier.concat(),
        head.deleted,
    ])?;
    if changed == 0 {
        return Err(CatalogError::Conflict {
            what: format!("slot {} belongs to another log", head.slot),
        });
    }
    Ok(())
}

/// With a thousand logs in each of hundreds of segments, the extents are most of a manifest: those that are known are
/// neither read nor held twice.
fn select_manifest(connection: &Connection, known: &Manifest) -> Result<Manifest> {
    let known: HashMap<&str, &Arc<SegmentMeta>> =
        known.segments.iter().map(|meta| (meta.id.as_str(), meta)).collect();
    let mut ids = connection.prepare_cached("SELECT id FROM segments ORDER BY created_ms, id")?;
    let text = "SELECT id, path, bytes, events, format_version, sha256, crcs, partition, created_ms, extents, level, run
                FROM segments WHERE id = ?1";
    let mut select = connection.prepare_cached(text)?;
    let mut segments = Vec::new();
    let mut rows = ids.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        segments.push(match known.get(id) {
            Some(meta) => Arc::clone(meta),
            None => Arc::new(select.query_row([id], |row| Ok(segment_row(row)))??),
        });
    }
    Ok(Manifest { version: meta(connection, "manifest_version")?.map_or(0, unsigned), segments })
}

fn segment_row(row: &Row<'_>) -> Result<SegmentMeta> {
    let id: String = row.get(0)?;
    let crcs: Vec<u8> = row.get(6)?;
    let events = unsigned(row.get(3)?);
    let extents = extent::decode(&row.get::<_, Vec<u8>>(9)?, events)
        .ok_or_else(|| CatalogError::corrupt(format!("extents of segment {id}")))?;
    Ok(SegmentMeta {
        id,
        path: row.get(1)?,
        bytes: unsigned(row.get(2)?),
        events,
        format_version: row.get(4)?,
        sha256: row.get(5)?,
        crcs: crcs.as_chunks().0.iter().map(|crc| u32::from_le_bytes(*crc)).collect(),
        partition: row.get(7)?,
        created_ms: unsigned(row.get(8)?),
        level: row.get(10)?,
        run: row.get(11)?,
        extents,
    })
}

fn select_heads(connection: &Connection) -> Result<Vec<HeadRow>> {
    let text = "SELECT slot, environment, tenant, log_id, size, last_received_ms, frontier, deleted FROM heads
                ORDER BY slot";
    let mut select = connection.prepare_cached(text)?;
    let mut environments = HashSet::new();
    let rows = select.query_map([], |row| Ok(head_row(row, &mut environments)))?;
    rows.map(|row| row?).collect()
}

/// `environments` are those of earlier rows: logs of one environment share its name.
fn head_row(row: &Row<'_>, environments: &mut HashSet<EnvironmentId>) -> Result<HeadRow> {
    let frontier: Vec<u8> = row.get(6)?;
    let environment = EnvironmentId::restored(&row.get::<_, String>(1)?);
    let head = HeadRow {
        slot: unsigned(row.get(0)?),
        environment: environments.get_or_insert_with(&environment, EnvironmentId::clone).clone(),
        tenant: TenantId::restored(&row.get::<_, String>(2)?),
        log_id: row.get(3)?,
        size: unsigned(row.get(4)?),
        last_received_ms: unsigned(row.get(5)?),
        frontier: frontier.as_chunks::<32>().0.to_vec(),
        deleted: row.get(7)?,
    };
    if frontier.len() != head.size.count_ones() as usize * 32 {
        return Err(CatalogError::corrupt(format!(
            "the frontier of slot {} does not fit its size",
            head.slot
        )));
    }
    Ok(head)
}

fn select_positions(connection: &Connection) -> Result<BTreeMap<u32, JournalPosition>> {
    let text = "SELECT partition, generation, offset, batch, owner_epoch FROM positions";
    let mut select = connection.prepare_cached(text)?;
    let rows = select.query_map([], position_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn position_row(row: &Row<'_>) -> rusqlite::Result<(u32, JournalPosition)> {
    let position = JournalPosition {
        generation: unsigned(row.get(1)?),
        offset: unsigned(row.get(2)?),
        batch: unsigned(row.get(3)?),
        owner_epoch: unsigned(row.get(4)?),
    };
    Ok((row.get(0)?, position))
}

fn paths(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let mut select =
        connection.prepare_cached(&format!("SELECT path FROM {table} ORDER BY path"))?;
    let rows = select.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

//! Copying a journal that is being written, and replaying the copy.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use attestary_ledger::Hash;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{BackupError, failed, files};
use crate::{
    catalog::Loaded,
    disk::RealDisk,
    journal::{
        Damage, Position, Replay,
        format::{FILE_HEADER_BYTES, FileHeader, HeaderRead, ROW_BYTES},
        inspect,
    },
    record::Record,
    state::State,
};

/// Bytes read at once: a page. The system copies a larger piece from front to back, and a batch that is written and
/// synced meanwhile would be seen from its middle on, which reads as damage.
const CHUNK_BYTES: u64 = 4 << 10;

/// A partition's unsealed files, copied.
pub(super) struct Copied {
    /// File name and bytes.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// False when a file was written anew meanwhile: the catalog's copy is too old for this journal.
    pub(super) whole: bool,
}

/// Copies the files of `directory` that hold batches from `from` on.
///
/// Later bytes are read before earlier ones, in each file and over all files. A batch that was copied whole was
/// written before everything in front of it was read; so what is copied is a prefix of the journal and a torn end.
pub(super) fn copy(directory: &Path, from: Position) -> Result<Copied, BackupError> {
    let mut found = Vec::new();
    for name in files::names(directory)? {
        if !name.ends_with(".journal") {
            continue;
        }
        let path = directory.join(&name);
        let file = File::open(&path).map_err(failed("open", &path))?;
        let head = head(&file, &path)?;
        if let HeaderRead::Valid(header) = FileHeader::decode(&head)
            && header.generation >= from.generation
        {
            found.push((header.generation, name, path, file, head));
        }
    }
    found.sort_by_key(|(generation, ..)| std::cmp::Reverse(*generation));
    let mut copied = Copied { files: Vec::new(), whole: true };
    for (_, name, path, file, before) in &found {
        let mut bytes = backwards(file, path)?;
        // The header is the first thing that changes when a file is written anew.
        copied.whole &= head(file, path)? == *before && bytes.starts_with(before);
        bytes.truncate(used(&bytes));
        copied.files.push((name.clone(), bytes));
    }
    copied.files.reverse();
    let first = found.last().map(|(generation, ..)| *generation);
    copied.whole &= from.generation == 0 || first == Some(from.generation);
    Ok(copied)
}

/// Returns the highest generation of the files in `directory`, 0 when none was begun.
pub(super) fn newest(directory: &Path) -> Result<u64, BackupError> {
    let mut newest = 0;
    for name in files::names(directory)? {
        if !name.ends_with(".journal") {
            continue;
        }
        let path = directory.join(&name);
        let file = File::open(&path).map_err(failed("open", &path))?;
        if let HeaderRead::Valid(header) = FileHeader::decode(&head(&file, &path)?) {
            newest = newest.max(header.generation);
        }
    }
    Ok(newest)
}

/// Returns how much of a file to keep: what is written, and the zeros with which a batch may end. Its last row begins
/// with an offset, which is not zero, so less than a row and its padding are.
fn used(bytes: &[u8]) -> usize {
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    (written + ROW_BYTES + 8).next_multiple_of(8).min(bytes.len())
}

/// Returns the header of a file.
pub(super) fn head(file: &File, path: &Path) -> Result<Vec<u8>, BackupError> {
    let mut head = vec![0; FILE_HEADER_BYTES as usize];
    let count = read_at(file, path, 0, &mut head)?;
    head.truncate(count);
    Ok(head)
}

fn backwards(file: &File, path: &Path) -> Result<Vec<u8>, BackupError> {
    let length = file.metadata().map_err(failed("measure", path))?.len();
    let mut bytes = vec![0; length as usize];
    let mut end = length;
    while end > 0 {
        let start = (end - 1) / CHUNK_BYTES * CHUNK_BYTES;
        read_at(file, path, start, &mut bytes[start as usize..end as usize])?;
        end = start;
    }
    Ok(bytes)
}

/// Reads at `offset` until `out` is full or the file ends.
pub(super) fn read_at(
    file: &File,
    path: &Path,
    offset: u64,
    out: &mut [u8],
) -> Result<usize, BackupError> {
    let mut done = 0;
    while done < out.len() {
        let read = file.read_at(&mut out[done..], offset + done as u64);
        match read.map_err(failed("read", path))? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

/// Returns the partitions that have a directory under `journal`, each with it.
pub(super) fn partitions(
    loaded: &Loaded,
    journal: &Path,
) -> Result<Vec<(u32, PathBuf)>, BackupError> {
    let mut found = Vec::new();
    for number in 0..loaded.partitions {
        let path = journal.join(format!("{number:04}"));
        if path.try_exists().map_err(failed("look for", &path))? {
            found.push((number, path));
        }
    }
    Ok(found)
}

/// What all logs come to: their number, their events, and one hash over the root of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) logs: u64,
    pub(super) events: u64,
    pub(super) roots: Hash,
    /// Batches or records in the copy are not what was written.
    pub(super) damaged: bool,
}

/// Replays the journals under `journal` on top of the catalog's heads.
pub(super) fn summary(loaded: &Loaded, journal: &Path) -> Result<Summary, BackupError> {
    let log_name = loaded.installation.as_ref().map_or("", |installation| &installation.log_name);
    let mut fold = Fold(State::restore(log_name, loaded.next_slot, loaded.heads.clone()));
    for (partition, path) in partitions(loaded, journal)? {
        let mut disk = RealDisk::new(path.clone()).map_err(failed("open", &path))?;
        inspect(&mut disk, partition, loaded.position(partition), &mut fold)
            .map_err(BackupError::Journal)?;
    }
    let mut summary = Summary { logs: 0, events: 0, roots: [0; 32], damaged: fold.0.read_only() };
    let mut logs: Vec<_> = fold.0.logs().filter(|(_, log)| !log.deleted).collect();
    logs.sort_unstable_by_key(|(slot, _)| *slot);
    let mut digest = Sha256::new();
    for (slot, log) in logs {
        summary.logs += 1;
        summary.damaged |= !log.damaged.is_empty();
        summary.events += log.size();
        digest.update(slot.to_be_bytes());
        digest.update(log.origin_id);
        digest.update(log.size().to_be_bytes());
        digest.update(log.frontier.root());
    }
    summary.roots = digest.finalize().into();
    Ok(summary)
}

struct Fold(State);

impl Replay for Fold {
    fn batch(&mut self, bytes: Bytes, places: Vec<(u32, u32)>) {
        for (start, length) in places {
            if let Ok(record) = Record::decode(&bytes[start as usize..(start + length) as usize]) {
                self.0.apply(&record);
            }
        }
    }

    fn damage(&mut self, damage: Damage) {
        self.0.damage(damage);
    }
}

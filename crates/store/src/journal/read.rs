//! Finding the end of a journal: what was acknowledged, what was torn, what is damaged.
//!
//! A bad batch with a later intact batch behind it was acknowledged before it went bad: that is damage, it is
//! named, and reading goes on behind it. A bad batch with nothing behind it was never acknowledged: it is cut.

use std::ops::Range;

use bytes::Bytes;

use super::{
    Current, Journal, JournalError, Position,
    format::{self, Batch, FILE_HEADER_BYTES, FileHeader, HeaderRead},
};
use crate::{
    disk::{Disk, DiskFile},
    planted::{Bug, planted},
};

/// Acknowledged bytes that cannot be read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// One record; its neighbours are intact.
    Record {
        /// Its log.
        slot: u64,
        /// Its position in it.
        seq: u64,
    },
    /// Whole batches; what they held is unknown, so the partition must not write.
    Batches {
        /// The first batch that is gone.
        first: u64,
        /// The first batch that is intact again.
        next: u64,
    },
}

/// Receives what a journal holds, in order.
pub trait Replay {
    /// One batch: the bytes that hold its records, and where each lies in them.
    fn batch(&mut self, bytes: Bytes, places: Vec<(u32, u32)>);
    /// Something acknowledged is gone.
    fn damage(&mut self, damage: Damage);
}

pub(super) struct JournalFile<F> {
    pub(super) name: String,
    pub(super) file: F,
    pub(super) header: FileHeader,
    /// By offset in the file; what lies before the first unsealed batch may be zeros.
    pub(super) bytes: Bytes,
}

impl<F> JournalFile<F> {
    fn batch(&self, offset: u64) -> Option<Batch> {
        let bytes = self.bytes.get(offset as usize..)?;
        // Behind the last batch every eighth byte is tried: the seed of each would be most of a start's time.
        if !bytes.starts_with(format::BATCH_MAGIC) {
            return None;
        }
        let batch = format::read_batch(bytes, self.header.seed(offset))?;
        (batch.header.generation == self.header.generation).then_some(batch)
    }
}

pub(super) fn recover<D: Disk>(
    journal: &mut Journal<D>,
    from: Position,
    replay: &mut dyn Replay,
) -> Result<(), JournalError> {
    let mut files = load(journal, from)?;
    let Walked { walk, end, last } = walk(&files, from, replay);
    journal.next_batch = walk.batch;
    journal.synced = walk.batch;
    journal.owner_epoch = walk.owner_epoch;
    if let Some((index, bytes)) = last
        && !planted(Bug::NoRecoverySync)
    {
        harden(&mut files[index], bytes)?;
    }
    adopt(journal, files, end);
    Ok(())
}

/// Where a walk through the files ended.
pub(super) struct Walked {
    pub(super) walk: Walk,
    /// The end of the intact part: everything behind it is written anew.
    pub(super) end: Option<(usize, u64)>,
    /// The last whole batch.
    last: Option<(usize, Range<u64>)>,
}

/// Delivers every batch from `from` on. Changes nothing.
pub(super) fn walk<F>(files: &[JournalFile<F>], from: Position, replay: &mut dyn Replay) -> Walked {
    let mut walk = Walk { batch: from.batch, owner_epoch: from.owner_epoch };
    let (mut index, mut offset) =
        (0, if from.offset == 0 { FILE_HEADER_BYTES } else { from.offset });
    let mut end = None;
    let mut last = None;
    while let Some(file) = files.get(index) {
        end = Some((index, offset));
        match file.batch(offset).filter(|batch| walk.follows(batch)) {
            Some(batch) if batch.bad.is_empty() => {
                walk.deliver(file, offset, &batch, replay);
                last = Some((index, offset..offset + batch.bytes));
                offset += batch.bytes;
            }
            read => match later(files, index, offset, &walk) {
                // Only some records of an acknowledged batch are bad: the others are served.
                Some(_) if read.is_some() => {
                    let batch = read.expect("just checked");
                    walk.deliver(file, offset, &batch, replay);
                    offset += batch.bytes;
                }
                Some((at_index, at_offset, next)) => {
                    if next != walk.batch {
                        replay.damage(Damage::Batches { first: walk.batch, next });
                        walk.batch = next;
                    }
                    (index, offset) = (at_index, at_offset);
                }
                None => break,
            },
        }
    }
    Walked { walk, end, last }
}

/// Writes the last batch and the header of its file once more and syncs them.
///
/// After a kill the batch may still be in the page cache only. After a failed sync it may be *nowhere but* there,
/// with its pages marked clean: syncing alone would say `Ok` and move nothing. Batches before it were synced.
fn harden<F: DiskFile>(file: &mut JournalFile<F>, bytes: Range<u64>) -> Result<(), JournalError> {
    let failed = |doing| {
        let file = file.name.clone();
        move |source| JournalError::Io { doing, file, source }
    };
    let (write_failed, sync_failed) = (failed("write"), failed("sync"));
    let batch = &file.bytes[bytes.start as usize..bytes.end as usize];
    let header = file.header.encode();
    let written =
        file.file.write_all(bytes.start, batch).and_then(|()| file.file.write_all(0, &header));
    written.map_err(write_failed)?;
    file.file.sync().map_err(sync_failed)
}

/// Returns the number in the name of a journal file.
pub(super) fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".journal")?.parse().ok()
}

/// Reads every file that may hold batches after `from`; all others become spares.
fn load<D: Disk>(
    journal: &mut Journal<D>,
    from: Position,
) -> Result<Vec<JournalFile<D::File>>, JournalError> {
    let failed = |doing, file: &str| {
        let file = file.to_owned();
        move |source| JournalError::Io { doing, file, source }
    };
    let mut files = Vec::new();
    for name in journal.disk.list().map_err(failed("list", "directory"))? {
        if name.ends_with(".journal.new") {
            journal.disk.remove(&name).map_err(failed("remove", &name))?;
            continue;
        }
        let Some(number) = number(&name) else { continue };
        journal.next_file = journal.next_file.max(number + 1);
        let mut file = journal.disk.open(&name).map_err(failed("open", &name))?;
        let length = file.bytes().map_err(failed("measure", &name))?;
        let mut head = vec![0; FILE_HEADER_BYTES.min(length) as usize];
        file.read_exact(0, &mut head).map_err(failed("read", &name))?;
        match FileHeader::decode(&head) {
            HeaderRead::Newer(version) => {
                return Err(JournalError::Version { file: name, version });
            }
            HeaderRead::Valid(header) => {
                journal.next_generation = journal.next_generation.max(header.generation + 1);
                if header.generation < from.generation || header.partition != journal.partition {
                    journal.spare.push(name);
                    continue;
                }
                // What lies before the position is sealed: it is not read, and takes no memory.
                let sealed = if header.generation == from.generation { from.offset } else { 0 };
                let mut bytes = vec![0; length as usize];
                let unsealed = bytes.get_mut(sealed as usize..).unwrap_or_default();
                file.read_exact(sealed, unsealed).map_err(failed("read", &name))?;
                files.push(JournalFile { name, file, header, bytes: bytes.into() });
            }
            // A file that is shorter than it was made was never finished: its name must not be used again.
            HeaderRead::None if length == journal.file_bytes => journal.spare.push(name),
            HeaderRead::None => journal.disk.remove(&name).map_err(failed("remove", &name))?,
        }
    }
    // A name may be here only because the process was killed between making and syncing it: a file that is about to
    // be trusted with events must not vanish with the power.
    if !planted(Bug::NoDirectorySync) {
        journal.disk.sync_directory().map_err(failed("sync", "directory"))?;
    }
    files.sort_by_key(|file| file.header.generation);
    if from.generation > 0 && files.first().map(|f| f.header.generation) != Some(from.generation) {
        return Err(JournalError::Missing { generation: from.generation });
    }
    Ok(files)
}

pub(super) struct Walk {
    /// Number of the batch that must come next.
    pub(super) batch: u64,
    owner_epoch: u64,
}

impl Walk {
    fn follows(&self, batch: &Batch) -> bool {
        batch.header.batch == self.batch && batch.header.owner_epoch >= self.owner_epoch
    }

    fn deliver<F>(
        &mut self,
        file: &JournalFile<F>,
        offset: u64,
        batch: &Batch,
        replay: &mut dyn Replay,
    ) {
        let start = offset as usize;
        let bytes = file.bytes.slice(start..start + batch.bytes as usize);
        let intact = batch.table.iter().enumerate().filter(|(index, _)| !batch.bad.contains(index));
        let places = intact.map(|(_, row)| (row.start, row.bytes)).collect();
        replay.batch(bytes, places);
        for &index in &batch.bad {
            let row = &batch.table[index];
            replay.damage(Damage::Record { slot: row.slot, seq: row.seq });
        }
        self.batch = batch.header.batch + 1;
        self.owner_epoch = batch.header.owner_epoch;
    }
}

/// Finds the first intact batch behind (index, offset) whose mark or number says that what lies before it was
/// on stable storage. Returns where it is and its number.
fn later<F>(
    files: &[JournalFile<F>],
    index: usize,
    offset: u64,
    walk: &Walk,
) -> Option<(usize, u64, u64)> {
    if planted(Bug::TruncateAtFirstBad) {
        let next =
            files.get(index + 1)?.batch(FILE_HEADER_BYTES).filter(|batch| walk.follows(batch))?;
        return Some((index + 1, FILE_HEADER_BYTES, next.header.batch));
    }
    for (at, file) in files.iter().enumerate().skip(index) {
        let mut place = if at == index { offset + 8 } else { FILE_HEADER_BYTES };
        while place + (format::BATCH_HEADER_BYTES as u64) <= file.bytes.len() as u64 {
            if let Some(batch) = file.batch(place)
                && batch.header.batch >= walk.batch
                && batch.header.owner_epoch >= walk.owner_epoch
            {
                return Some((at, place, batch.header.batch));
            }
            place += 8;
        }
    }
    None
}

/// Takes the files over: the one where the intact part ends is written on, earlier ones wait to be sealed, later
/// ones hold nothing.
fn adopt<D: Disk>(
    journal: &mut Journal<D>,
    files: Vec<JournalFile<D::File>>,
    end: Option<(usize, u64)>,
) {
    let Some((end, offset)) = end else { return };
    for (index, file) in files.into_iter().enumerate() {
        if index < end {
            journal.full.push_back((file.header.generation, file.name));
        } else if index == end {
            journal.current =
                Some(Current { name: file.name, file: file.file, header: file.header, offset });
        } else {
            journal.spare.push(file.name);
        }
    }
}

//! The journal: a partition's write-ahead log in preallocated, recycled files.
//!
//! Promises: when [`Journal::append`] returns `Ok` the batch is on stable storage; batches are read back in
//! order, dense and once; a torn tail (never acknowledged) and damaged bytes (acknowledged before) are told
//! apart by the high-water mark that every batch carries. After the first failed write or sync the journal is
//! poisoned: it refuses everything until it is opened anew, because nobody knows what the disk holds.
//!
//! Files are `<number>.journal`. A file is written front to back under one *generation*; when all of it has been
//! sealed it is written again under a higher one, so appends overwrite allocated blocks and a sync moves data only.

pub mod format;
mod inspect;
mod read;
mod scrub;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, io};

use format::{BATCH_HEADER_BYTES, BatchHeader, FILE_HEADER_BYTES, FileHeader};
pub use inspect::{End, Inspection, end_of, inspect};
pub use read::{Damage, Replay};
pub use scrub::{Scrub, Scrubbed};

use crate::{
    disk::{Disk, DiskFile as _},
    planted::{Bug, planted},
};

/// A place between two batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Generation of the file that the next batch is read from; 0 means the first there is.
    pub generation: u64,
    /// Byte offset of the next batch in it.
    pub offset: u64,
    /// Number of the next batch.
    pub batch: u64,
    /// Owner epoch of the batch before.
    pub owner_epoch: u64,
}

/// Why a batch was not appended, or why the journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A write, sync, or directory operation failed; the journal is poisoned.
    #[error("cannot {doing} journal file {file}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file's name.
        file: String,
        /// The cause.
        source: io::Error,
    },
    /// There is no room for another file. Nothing of the batch was written: the journal goes on when there is room.
    #[error("there is no room for journal file {file}")]
    Full {
        /// The file's name.
        file: String,
        /// The cause.
        source: io::Error,
    },
    /// An earlier failure poisoned the journal.
    #[error("the journal stopped at an earlier failure and must be opened anew")]
    Poisoned,
    /// One batch does not fit into a file.
    #[error("a batch of {bytes} bytes does not fit into a journal file of {limit}")]
    TooLarge {
        /// Bytes of the batch.
        bytes: u64,
        /// Bytes of a file.
        limit: u64,
    },
    /// Written by a newer version.
    #[error(
        "journal file {file} has format version {version}; this program reads up to {}",
        format::VERSION
    )]
    Version {
        /// The file's name.
        file: String,
        /// Its version.
        version: u16,
    },
    /// A file that holds acknowledged events is gone or unreadable.
    #[error("journal generation {generation} is missing")]
    Missing {
        /// The generation that was expected.
        generation: u64,
    },
}

impl JournalError {
    /// Returns true when only room is missing.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

/// Records on their way into the journal, in the layout of a batch: header, records, table.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    table: Vec<format::TableRow>,
}

impl BatchBuilder {
    /// Returns an empty batch with room for `records` records of `bytes` bytes together.
    pub fn with_capacity(records: usize, bytes: usize) -> Self {
        // Room for the table too: the buffer stays in memory until it is sealed and must not double for it.
        let mut buffer = Vec::with_capacity(format::batch_bytes(bytes, records) as usize);
        buffer.resize(BATCH_HEADER_BYTES, 0);
        Self { bytes: buffer, table: Vec::with_capacity(records) }
    }

    /// Appends one record written by `encode`; slot and seq stand in the batch's table as well, so that a
    /// damaged record can still be named.
    pub fn push(&mut self, slot: u64, seq: u64, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        encode(&mut self.bytes);
        self.table.push(format::TableRow {
            start: start as u32,
            bytes: (self.bytes.len() - start) as u32,
            crc: 0,
            slot,
            seq,
        });
    }

    /// Returns the number of records.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns true when there is no record.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Returns the bytes the batch will take in a file.
    pub fn file_bytes(&self) -> u64 {
        format::batch_bytes(self.bytes.len() - BATCH_HEADER_BYTES, self.table.len())
    }

    /// Returns the records' bytes and where each lies in them.
    pub fn into_records(self) -> (Vec<u8>, Vec<(u32, u32)>) {
        let places = self.table.iter().map(|row| (row.start, row.bytes)).collect();
        (self.bytes, places)
    }
}

struct Current<F> {
    name: String,
    file: F,
    header: FileHeader,
    offset: u64,
}

/// The writing side of a partition's journal.
pub struct Journal<D: Disk> {
    disk: D,
    partition: u32,
    file_bytes: u64,
    current: Option<Current<D::File>>,
    /// Files that still hold unsealed batches, by generation, oldest first; the current one is not among them.
    full: VecDeque<(u64, String)>,
    spare: Vec<String>,
    next_file: u64,
    next_generation: u64,
    next_batch: u64,
    owner_epoch: u64,
    /// Number of batches known to be on stable storage: the high-water mark.
    synced: u64,
    poisoned: bool,
    /// Everything before it is sealed.
    trimmed: Position,
}

impl<D: Disk> std::fmt::Debug for Journal<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("partition", &self.partition)
            .field("next_batch", &self.next_batch)
            .finish()
    }
}

impl<D: Disk> Journal<D> {
    /// Opens the journal of `partition` in `disk`, replays every batch from `from` on into `replay`, and
    /// takes ownership under a new epoch. The epoch's own empty batch is durable when this returns.
    ///
    /// `nonce` is random: it keeps bytes inside events from ever passing for a batch.
    pub fn open(
        disk: D,
        partition: u32,
        file_bytes: u64,
        from: Position,
        nonce: u64,
        replay: &mut dyn Replay,
    ) -> Result<Self, JournalError> {
        let mut journal = Self {
            disk,
            partition,
            file_bytes,
            current: None,
            full: VecDeque::new(),
            spare: Vec::new(),
            next_file: 0,
            next_generation: from.generation.max(1),
            next_batch: from.batch,
            owner_epoch: from.owner_epoch,
            synced: from.batch,
            poisoned: false,
            trimmed: from,
        };
        read::recover(&mut journal, from, replay)?;
        journal.owner_epoch += 1;
        journal.append_with_nonce(&mut BatchBuilder::with_capacity(0, 0), nonce)?;
        Ok(journal)
    }

    /// Returns the place after the last batch.
    pub fn position(&self) -> Position {
        Position {
            generation: self.current.as_ref().map_or(self.next_generation, |c| c.header.generation),
            offset: self.current.as_ref().map_or(FILE_HEADER_BYTES, |c| c.offset),
            batch: self.next_batch,
            owner_epoch: self.owner_epoch,
        }
    }

    /// Returns the bytes of records, each with its row of the table, that one file is sure to hold.
    pub fn records_bytes_max(&self) -> u64 {
        // Eight bytes: a batch is filled up to a multiple of that.
        self.file_bytes - FILE_HEADER_BYTES - BATCH_HEADER_BYTES as u64 - 8
    }

    /// Refuses everything from now on, as after a failed write.
    pub fn poison(&mut self) {
        self.poisoned = true;
    }

    /// Returns true when the newest batch is not yet covered by the mark of a later one.
    pub fn mark_lags(&self) -> bool {
        self.current.as_ref().is_some_and(|c| c.offset > FILE_HEADER_BYTES)
            && self.synced == self.next_batch
    }

    /// Writes `batch` and syncs it. `Ok` means: on stable storage. `nonce` is random and used when a file begins.
    pub fn append(&mut self, batch: &mut BatchBuilder, nonce: u64) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        self.append_with_nonce(batch, nonce)
    }

    fn append_with_nonce(
        &mut self,
        batch: &mut BatchBuilder,
        nonce: u64,
    ) -> Result<(), JournalError> {
        let bytes = batch.file_bytes();
        let limit = self.file_bytes - FILE_HEADER_BYTES;
        if bytes > limit {
            return Err(JournalError::TooLarge { bytes, limit });
        }
        self.poisoned = true;
        let fits = self.current.as_ref().is_some_and(|c| c.offset + bytes <= self.file_bytes);
        if !fits {
            self.have_spare()?;
            self.begin_file(nonce)?;
        }
        let current = self.current.as_mut().expect("a file was begun when there was none");
        let header = BatchHeader {
            generation: current.header.generation,
            batch: self.next_batch,
            owner_epoch: self.owner_epoch,
            synced: self.synced,
            records: batch.table.len() as u32,
            records_bytes: (batch.bytes.len() - BATCH_HEADER_BYTES) as u32,
        };
        format::finish_batch(
            &header,
            current.header.seed(current.offset),
            &mut batch.bytes,
            &mut batch.table,
        );
        let failed = |doing, source| JournalError::Io { doing, file: current.name.clone(), source };
        current.file.write_all(current.offset, &batch.bytes).map_err(|e| failed("write", e))?;
        if !planted(Bug::AckBeforeSync) {
            let synced = current.file.sync();
            if synced.is_err() && planted(Bug::RetryFailedSync) {
                current.file.sync().map_err(|e| failed("sync", e))?;
            } else {
                synced.map_err(|e| failed("sync", e))?;
            }
        }
        current.offset += bytes;
        self.next_batch += 1;
        self.synced = self.next_batch;
        self.poisoned = false;
        Ok(())
    }

    /// Lets files go whose every batch lies before `position`: they are written again later.
    pub fn trim(&mut self, position: Position) {
        self.trimmed = position;
        while self.full.front().is_some_and(|(generation, _)| *generation < position.generation) {
            self.spare.extend(self.full.pop_front().map(|(_, name)| name));
        }
    }

    /// Makes sure that one spare file is ready, so that the next switch of files allocates nothing.
    pub fn prepare_spare(&mut self) -> Result<(), JournalError> {
        if self.spare.is_empty() && !self.poisoned {
            self.poisoned = true;
            self.have_spare()?;
            self.poisoned = false;
        }
        Ok(())
    }

    /// Makes a spare file unless there is one. A file that found no room goes away again, and nothing else is touched.
    fn have_spare(&mut self) -> Result<(), JournalError> {
        if !self.spare.is_empty() {
            return Ok(());
        }
        match self.allocate() {
            Ok(name) => self.spare.push(name),
            Err(JournalError::Io { file, source, .. })
                if matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                // The next start removes it when this cannot.
                let _ = self.disk.remove(&format!("{file}.new"));
                self.poisoned = false;
                return Err(JournalError::Full { file, source });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn begin_file(&mut self, nonce: u64) -> Result<(), JournalError> {
        let name = self.spare.pop().expect("the caller made one");
        let failed = |doing, source| JournalError::Io { doing, file: name.clone(), source };
        let mut file = self.disk.open(&name).map_err(|e| failed("open", e))?;
        let header =
            FileHeader { partition: self.partition, generation: self.next_generation, nonce };
        // The header needs no sync of its own: the first batch's sync covers it, and before that nothing was acked.
        file.write_all(0, &header.encode()).map_err(|e| failed("write", e))?;
        self.next_generation += 1;
        if let Some(old) =
            self.current.replace(Current { name, file, header, offset: FILE_HEADER_BYTES })
        {
            self.full.push_back((old.header.generation, old.name));
        }
        Ok(())
    }

    /// Creates a zero-filled file under a temporary name, syncs it, names it, and syncs the name.
    fn allocate(&mut self) -> Result<String, JournalError> {
        let name = format!("{:08}.journal", self.next_file);
        let temporary = format!("{name}.new");
        let failed = |doing, source| JournalError::Io { doing, file: name.clone(), source };
        let mut file = self.disk.create(&temporary).map_err(|e| failed("create", e))?;
        let zeros = vec![0; self.file_bytes.min(1 << 20) as usize];
        let mut offset = 0;
        while offset < self.file_bytes {
            let count = (self.file_bytes - offset).min(zeros.len() as u64);
            file.write_all(offset, &zeros[..count as usize]).map_err(|e| failed("fill", e))?;
            offset += count;
        }
        file.sync().map_err(|e| failed("sync", e))?;
        self.disk.rename(&temporary, &name).map_err(|e| failed("rename", e))?;
        if !planted(Bug::NoDirectorySync) {
            self.disk.sync_directory().map_err(|e| failed("sync the directory of", e))?;
        }
        self.next_file += 1;
        Ok(name)
    }
}

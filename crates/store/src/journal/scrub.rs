//! Overwriting what lies in journal files and is sealed: after an erasure, no old batch may hold what was erased.
//!
//! Files are recycled, so bytes of batches that were sealed long ago stay in them until something else is written
//! over. A scrub overwrites all of them with zeros: spare files behind their headers, and the current file outside its
//! unsealed batches. It is done in steps, so that the partition can append between them.

use std::io;

use super::{Journal, JournalError, format::FILE_HEADER_BYTES};
use crate::{
    disk::{Disk, DiskFile as _},
    planted::{Bug, planted},
};

/// Where a scrub stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scrubbed {
    /// There is more to do: call again.
    More,
    /// No file holds a batch that was sealed when the scrub began.
    Done,
    /// A whole file waits to be sealed first: seal and begin again.
    Blocked,
}

/// A scrub under way: the files to do, and the next byte in each.
#[derive(Debug, Default)]
pub struct Scrub(Option<Vec<(String, u64)>>);

impl<D: Disk> Journal<D> {
    /// Overwrites at most `bytes_max` bytes that hold nothing unsealed, and syncs them.
    ///
    /// Like an append, a failed write or sync poisons the journal: the current file may have lost pages with it.
    pub fn scrub(&mut self, scrub: &mut Scrub, bytes_max: u64) -> Result<Scrubbed, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if planted(Bug::KeepJournal) {
            return Ok(Scrubbed::Done);
        }
        if !self.full.is_empty() {
            return Ok(Scrubbed::Blocked);
        }
        let files = scrub.0.get_or_insert_with(|| {
            let current = self.current.as_ref().map(|current| current.name.clone());
            let names = self.spare.iter().cloned().chain(current);
            names.map(|name| (name, FILE_HEADER_BYTES)).collect()
        });
        let Some((name, at)) = files.last_mut() else { return Ok(Scrubbed::Done) };
        self.poisoned = true;
        let next = self.scrub_file(&name.clone(), *at, bytes_max)?;
        self.poisoned = false;
        match next {
            Some(next) => *at = next,
            None => drop(files.pop()),
        }
        Ok(if files.is_empty() { Scrubbed::Done } else { Scrubbed::More })
    }

    /// Overwrites `bytes_max` bytes of a file from `at` on. Returns where to go on, `None` at its end.
    fn scrub_file(
        &mut self,
        name: &str,
        at: u64,
        bytes_max: u64,
    ) -> Result<Option<u64>, JournalError> {
        let failed = |doing: &'static str| {
            move |source: io::Error| JournalError::Io { doing, file: name.to_owned(), source }
        };
        // A spare may have become the current file since; what is unsealed in that one stays.
        let current = self.current.as_ref().filter(|current| current.name == name);
        let unsealed = current.map(|current| {
            let sealed = self.trimmed.generation == current.header.generation;
            let start = if sealed { self.trimmed.offset } else { FILE_HEADER_BYTES };
            start.max(FILE_HEADER_BYTES)..current.offset
        });
        let mut file = self.disk.open(name).map_err(failed("open"))?;
        let end = file.bytes().map_err(failed("measure"))?;
        let (from, to) = match unsealed {
            Some(kept) if at < kept.start => (at, kept.start.min(at + bytes_max)),
            Some(kept) if at < kept.end => (kept.end, end.min(kept.end + bytes_max)),
            _ => (at, end.min(at + bytes_max)),
        };
        if from < to {
            let zeros = vec![0; (to - from) as usize];
            file.write_all(from, &zeros).map_err(failed("overwrite"))?;
            file.sync().map_err(failed("sync"))?;
        }
        Ok((to < end).then_some(to))
    }
}

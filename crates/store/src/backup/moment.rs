//! The journals of several partitions as of one moment.
//!
//! Each journal is copied as of a moment of its own. The copies are then read on, round by round, until a round finds no
//! further whole batch in any of them: when that round began, the copies held everything that was written. Otherwise a
//! snapshot could hold what the service did and lack the record that it would, because that is in another journal.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    BackupError, failed,
    journal::{Copied, copy, head, newest, read_at},
};
use crate::journal::{End, Position, end_of};

/// A round takes microseconds, a batch of one partition about a sync: more rounds than this are not bad luck.
const ROUNDS_MAX: usize = 10_000;
/// Bytes that are read at first where the next batch would be.
const PEEK_BYTES: usize = 64 << 10;

/// A partition's journal and its copy so far.
struct Following {
    directory: PathBuf,
    from: Position,
    copied: Copied,
    end: Option<End>,
}

/// Copies journals, each from its position on, as of one moment. `None` means that the catalog's copy is too old for one
/// of them, or that they did not come to rest.
pub(super) fn copy_all(
    journals: Vec<(PathBuf, Position)>,
) -> Result<Option<Vec<Copied>>, BackupError> {
    if let [(directory, from)] = journals.as_slice() {
        let copied = copy(directory, *from)?;
        return Ok(copied.whole.then(|| vec![copied]));
    }
    let mut all = Vec::with_capacity(journals.len());
    for (directory, from) in journals {
        let Some(following) = Following::begin(directory, from)? else { return Ok(None) };
        all.push(following);
    }
    for _ in 0..ROUNDS_MAX {
        let mut grown = false;
        for following in &mut all {
            match following.read_on()? {
                Some(more) => grown |= more,
                None => return Ok(None),
            }
        }
        if !grown {
            return Ok(Some(all.into_iter().map(Following::cut).collect()));
        }
    }
    Ok(None)
}

impl Following {
    fn begin(directory: PathBuf, from: Position) -> Result<Option<Self>, BackupError> {
        let mut copied = copy(&directory, from)?;
        if !copied.whole {
            return Ok(None);
        }
        let end = end_of(&mut copied.files, from);
        Ok(Some(Self { directory, from, copied, end }))
    }

    /// Takes what was written since. Returns whether that was anything; `None` when the copy must begin anew.
    fn read_on(&mut self) -> Result<Option<bool>, BackupError> {
        let mut grown = false;
        if let Some(end) = &mut self.end {
            let (name, bytes) = &mut self.copied.files[end.file];
            let path = self.directory.join(&*name);
            let file = File::open(&path).map_err(failed("open", &path))?;
            while let Some(batch) = next_batch(&file, &path, end)? {
                bytes.truncate(end.offset as usize);
                bytes.extend_from_slice(&batch);
                end.pass(batch.len() as u64);
                grown = true;
            }
            // What was read is the file's only while it is not written anew.
            if !bytes.starts_with(&head(&file, &path)?) {
                return Ok(None);
            }
        }
        let generation = self.end.as_ref().map_or(0, End::generation);
        if newest(&self.directory)? == generation {
            return Ok(Some(grown));
        }
        // The journal goes on in another file.
        let before = (generation, self.end.as_ref().map(|end| end.offset));
        let Some(again) = Self::begin(self.directory.clone(), self.from)? else { return Ok(None) };
        *self = again;
        let after = self.end.as_ref().map(|end| (end.generation(), Some(end.offset)));
        Ok(Some(grown || after.is_some_and(|after| after != before)))
    }

    /// Returns the copy up to its last whole batch.
    fn cut(mut self) -> Copied {
        if let Some(end) = self.end {
            self.copied.files.truncate(end.file + 1);
            self.copied.files[end.file].1.truncate(end.offset as usize);
        }
        self.copied
    }
}

/// Returns the whole batch at the end of a copy, if the file has one there by now.
fn next_batch(file: &File, path: &Path, end: &End) -> Result<Option<Vec<u8>>, BackupError> {
    let length = file.metadata().map_err(failed("measure", path))?.len();
    let rest = length.saturating_sub(end.offset) as usize;
    let mut bytes = vec![0; PEEK_BYTES.min(rest)];
    loop {
        let count = read_at(file, path, end.offset, &mut bytes)?;
        if let Some(length) = end.follows(&bytes[..count]) {
            bytes.truncate(length);
            return Ok(Some(bytes));
        }
        if bytes.len() == rest || !end.begins(&bytes) {
            return Ok(None);
        }
        bytes.resize(rest.min(bytes.len() * 8), 0);
    }
}

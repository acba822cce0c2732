//! The witness's book: the checkpoint of every log that it signed last, and notes that prove a fork.
//!
//! A folder with `logs/<SHA-256 of the origin>` (a note with the log's and the witness's signature) and `forks/…`. A file is
//! replaced whole: written beside, synced, renamed, and the folder synced. Whoever restores an old copy of this folder makes
//! the witness sign a fork; keep it out of backups.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use attestary_ledger::{Checkpoint, Hash, Note, note::NOTE_BYTES_MAX};
use sha2::{Digest as _, Sha256};

/// Notes kept as evidence of forks; a log that forks for ever must not fill the disk.
const FORKS_MAX: usize = 1_000;

/// An open book; nobody else has it.
#[derive(Debug)]
pub struct Book {
    folder: PathBuf,
    /// Locked as long as the book is open.
    _lock: File,
}

/// Why the book cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// Another process has it.
    #[error("another witness uses {0}")]
    InUse(PathBuf),
    /// What was signed last cannot be told, so nothing is signed.
    #[error("{0} is damaged: what was signed last cannot be told")]
    Damaged(PathBuf),
    /// The disk failed.
    #[error("cannot use {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Book {
    /// Opens the book in a folder, and makes it when it is not there.
    ///
    /// # Errors
    /// When it is in use, or the disk fails.
    pub fn open(folder: &Path) -> Result<Self, BookError> {
        for part in ["logs", "forks"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(|source| BookError::Io { path, source })?;
        }
        let path = folder.join("lock");
        let failed = |source| BookError::Io { path: path.clone(), source };
        let lock = File::create(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(BookError::InUse(folder.to_owned())),
            Err(fs::TryLockError::Error(source)) => Err(BookError::Io { path, source }),
        }
    }

    /// Returns the note of a log that was signed last.
    ///
    /// # Errors
    /// When it cannot be read: that must not look like a log that was never seen.
    pub fn last(&self, origin: &str) -> Result<Option<Note>, BookError> {
        self.by_digest(&digest(origin))
            .map(|note| note.filter(|note| origin_of(note) == Some(origin.to_owned())))
    }

    /// Returns the note of the log whose origin has this SHA-256.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn by_digest(&self, digest: &Hash) -> Result<Option<Note>, BookError> {
        let path = self.folder.join("logs").join(hex(digest));
        let mut bytes = Vec::new();
        let read = match File::open(&path) {
            Ok(file) => file.take(NOTE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        read.map_err(|source| BookError::Io { path: path.clone(), source })?;
        let note = Note::parse(&bytes).ok().filter(|note| Checkpoint::parse(note.text()).is_ok());
        note.map(Some).ok_or(BookError::Damaged(path))
    }

    /// Replaces what was signed last of a log; it is durable when this returns.
    ///
    /// # Errors
    /// When the disk fails; the signature must not leave then.
    pub fn sign_off(&self, origin: &str, note: &Note) -> Result<(), BookError> {
        self.put("logs", &hex(&digest(origin)), note.to_string().as_bytes())
    }

    /// Keeps a note that proves a fork.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep_fork(&self, note: &Note) -> Result<(), BookError> {
        let path = self.folder.join("forks");
        let failed = |source| BookError::Io { path: path.clone(), source };
        if fs::read_dir(&path).map_err(failed)?.count() >= FORKS_MAX {
            return Ok(());
        }
        let text = note.to_string();
        self.put("forks", &hex(&digest(note.text())), text.as_bytes())
    }

    fn put(&self, part: &str, name: &str, bytes: &[u8]) -> Result<(), BookError> {
        let folder = self.folder.join(part);
        let (path, beside) = (folder.join(name), self.folder.join("new"));
        let put = || {
            let mut file = File::create(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&folder)?.sync_all()
        };
        put().map_err(|source| BookError::Io { path: path.clone(), source })
    }
}

fn origin_of(note: &Note) -> Option<String> {
    Checkpoint::parse(note.text()).ok().map(|checkpoint| checkpoint.origin)
}

fn digest(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use attestary_ledger::NoteSigner;

    use super::*;

    fn note(origin: &str, size: u64) -> Note {
        let signer = NoteSigner::new(origin, &[3; 32]).unwrap();
        let mut note = Note::new(Checkpoint::new(origin, size, [7; 32]).to_string()).unwrap();
        note.push(signer.sign(note.text())).unwrap();
        note
    }

    #[test]
    fn what_was_signed_last_is_there_after_a_restart_and_only_one_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let book = Book::open(dir.path()).unwrap();
        assert_eq!(book.last("a").unwrap(), None);
        for (origin, size) in [("a", 5), ("b", 9), ("a", 6)] {
            book.sign_off(origin, &note(origin, size)).unwrap();
        }
        assert!(matches!(Book::open(dir.path()), Err(BookError::InUse(_))));
        drop(book);
        let book = Book::open(dir.path()).unwrap();
        assert_eq!(book.last("a").unwrap(), Some(note("a", 6)));
        assert_eq!(book.last("b").unwrap(), Some(note("b", 9)));
    }

    #[test]
    fn a_damaged_book_is_no_book_of_a_log_never_seen() {
        let dir = tempfile::tempdir().unwrap();
        let book = Book::open(dir.path()).unwrap();
        book.sign_off("a", &note("a", 5)).unwrap();
        let path = dir.path().join("logs").join(hex(&digest("a")));
        let good = fs::read(&path).unwrap();
        for bad in [&good[..20], b"", &[0xff; 300]] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(book.last("a"), Err(BookError::Damaged(_))));
        }
    }

    #[test]
    fn forks_are_kept_within_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let book = Book::open(dir.path()).unwrap();
        for size in 0..3 {
            book.keep_fork(&note("a", size)).unwrap();
        }
        book.keep_fork(&note("a", 2)).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("forks")).unwrap().count(), 3);
    }
}

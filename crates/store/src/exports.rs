//! Files of exports: written beside, visible under their name only when they are complete.
//!
//! `exports/<id>.part` grows while the log is read and is cut to what the catalog knows after a restart;
//! `exports/<id>.file` appears by a rename, after its bytes are synced, and the directory is synced after it.
//! Everything here is synchronous: call it from blocking threads.

mod table;

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufReader, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use attestary_ledger::Hash;
use sha2::{Digest as _, Sha256};

pub use table::{Cell, CellKind, ParquetTable, TableError};

/// The directory of exports.
#[derive(Debug, Clone)]
pub struct ExportFiles {
    directory: PathBuf,
}

/// An unfinished file that takes bytes at its end.
#[derive(Debug)]
pub struct ExportPart {
    file: File,
    bytes: u64,
}

/// A finished file, open for reading at any place; clones share it.
#[derive(Debug, Clone)]
pub struct FinishedExport {
    file: Arc<File>,
    bytes: u64,
}

impl ExportFiles {
    /// Opens the directory, creating it when it is missing.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let directory = data_dir.join("exports");
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    /// Opens the unfinished file of an export and cuts it to `bytes`, which were synced before. `None` when fewer are
    /// there: the export must begin again.
    pub fn resume(&self, id: &str, bytes: u64) -> io::Result<Option<ExportPart>> {
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        private(&mut options);
        let file = options.open(self.part(id))?;
        if file.metadata()?.len() < bytes {
            return Ok(None);
        }
        file.set_len(bytes)?;
        Ok(Some(ExportPart { file, bytes }))
    }

    /// Makes the unfinished file the finished one.
    pub fn finish(&self, id: &str, part: ExportPart) -> io::Result<()> {
        part.file.sync_all()?;
        fs::rename(self.part(id), self.finished(id))?;
        self.sync()
    }

    /// Makes a second file from the unfinished one, and that the finished one; the unfinished one stays until
    /// [`Self::remove_part`].
    pub fn convert<E: From<io::Error>>(
        &self,
        id: &str,
        write: impl FnOnce(BufReader<File>, &mut File) -> Result<(), E>,
    ) -> Result<(), E> {
        let source = BufReader::with_capacity(1 << 20, File::open(self.part(id))?);
        let path = self.directory.join(format!("{id}.tmp"));
        let mut options = File::options();
        options.create(true).truncate(true).read(true).write(true);
        private(&mut options);
        let mut target = options.open(&path)?;
        write(source, &mut target)?;
        target.sync_all()?;
        fs::rename(path, self.finished(id))?;
        Ok(self.sync()?)
    }

    /// Returns length and SHA-256 of a finished file, read from the disk.
    pub fn digest(&self, id: &str) -> io::Result<(u64, Hash)> {
        let mut file = File::open(self.finished(id))?;
        let (mut digest, mut buffer, mut bytes) = (Sha256::new(), vec![0; 1 << 20], 0);
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok((bytes, digest.finalize().into()));
            }
            digest.update(&buffer[..count]);
            bytes += count as u64;
        }
    }

    /// Opens a finished file.
    pub fn open_finished(&self, id: &str) -> io::Result<FinishedExport> {
        let file = File::open(self.finished(id))?;
        let bytes = file.metadata()?.len();
        Ok(FinishedExport { file: Arc::new(file), bytes })
    }

    /// Removes the unfinished file of an export whose finished one is in place.
    pub fn remove_part(&self, id: &str) -> io::Result<()> {
        remove(&self.part(id))
    }

    /// Removes every file of an export.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        for path in [self.part(id), self.directory.join(format!("{id}.tmp")), self.finished(id)] {
            remove(&path)?;
        }
        self.sync()
    }

    /// Removes the files of exports that are not in `known`: a crash left them.
    pub fn sweep(&self, known: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.rsplit_once('.')).map(|(id, _)| id);
            if id.is_none_or(|id| !known.contains(id)) {
                remove(&self.directory.join(&name))?;
            }
        }
        Ok(())
    }

    /// Returns the bytes of all files.
    pub fn bytes(&self) -> io::Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(&self.directory)? {
            match entry?.metadata() {
                Ok(metadata) => bytes += metadata.len(),
                // Deleted since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    fn part(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.part"))
    }

    fn finished(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.file"))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Exports hold what the log holds: nobody but the owner reads them.
fn private(options: &mut fs::OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

impl ExportPart {
    /// Appends bytes; they are durable after [`Self::sync`].
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes everything appended durable.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.sync_data()
    }

    /// Returns the length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl FinishedExport {
    /// Returns the length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads up to `length` bytes at `offset`; fewer only at the end.
    pub fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let length = self.bytes.saturating_sub(offset).min(length as u64) as usize;
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, offset)?;
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_visible_when_it_is_complete_and_resumes_where_it_was_synced() {
        let dir = tempfile::tempdir().unwrap();
        let files = ExportFiles::open(dir.path()).unwrap();
        let mut part = files.resume("exp_1", 0).unwrap().unwrap();
        part.append(b"one two").unwrap();
        part.sync().unwrap();
        part.append(b" lost").unwrap();
        drop(part);
        assert!(files.open_finished("exp_1").is_err(), "not complete");
        let mut part = files.resume("exp_1", 7).unwrap().unwrap();
        part.append(b" three").unwrap();
        assert_eq!(part.bytes(), 13);
        files.finish("exp_1", part).unwrap();
        let finished = files.open_finished("exp_1").unwrap();
        assert_eq!(finished.read(4, 3).unwrap(), b"two");
        assert_eq!(finished.read(8, 100).unwrap(), b"three");
        assert_eq!(finished.read(100, 100).unwrap(), b"");
        let expected: Hash = Sha256::digest(b"one two three").into();
        assert_eq!(files.digest("exp_1").unwrap(), (13, expected));
        assert!(files.resume("exp_1", 7).unwrap().is_none(), "the part is gone");
    }

    #[test]
    fn files_nobody_knows_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let files = ExportFiles::open(dir.path()).unwrap();
        for id in ["exp_1", "exp_2"] {
            files.resume(id, 0).unwrap().unwrap().append(b"12345").unwrap();
        }
        assert_eq!(files.bytes().unwrap(), 10);
        files.sweep(&["exp_2".to_owned()].into()).unwrap();
        assert_eq!(files.bytes().unwrap(), 5);
        files.remove("exp_2").unwrap();
        assert_eq!(files.bytes().unwrap(), 0);
    }
}

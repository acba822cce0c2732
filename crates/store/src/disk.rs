//! The disk seam: one directory of journal files, as little of it as the journal needs.
//!
//! The contract is that of POSIX with nothing hoped for: a write is durable after [`DiskFile::sync`] returned
//! `Ok`, a name after [`Disk::sync_directory`] did, and a failed sync means that the data may be gone although
//! the next sync says `Ok`. Callers never retry a failed sync.

use std::{fs, io, os::unix::fs::FileExt as _, path::PathBuf};

/// A directory.
pub trait Disk: Send + 'static {
    /// An open file of it.
    type File: DiskFile;

    /// Returns the names in the directory, in no order.
    fn list(&mut self) -> io::Result<Vec<String>>;
    /// Creates a file that must not exist.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;
    /// Opens a file for reading and writing.
    fn open(&mut self, name: &str) -> io::Result<Self::File>;
    /// Renames a file, replacing the target.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_directory(&mut self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + 'static {
    /// Returns the length in bytes.
    fn bytes(&mut self) -> io::Result<u64>;
    /// Reads up to `out.len()` bytes at `offset`; fewer only at the end of the file or on interruption.
    fn read(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize>;
    /// Writes up to `data.len()` bytes at `offset`, extending the file as needed.
    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<usize>;
    /// Makes the file's data and length durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Fills `out` from `offset` on. Returns false when the file ends before.
    fn read_exact(&mut self, mut offset: u64, mut out: &mut [u8]) -> io::Result<bool> {
        while !out.is_empty() {
            match self.read(offset, out) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    offset += count as u64;
                    out = &mut out[count..];
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Writes all of `data` at `offset`; short writes and interruptions are continued, every other error ends it.
    fn write_all(&mut self, mut offset: u64, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match self.write(offset, data) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    offset += count as u64;
                    data = &data[count..];
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// A directory of the machine.
#[derive(Debug)]
pub struct RealDisk {
    directory: PathBuf,
}

impl RealDisk {
    /// Opens `directory`, creating it when it is missing.
    pub fn new(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }
}

impl Disk for RealDisk {
    type File = fs::File;

    fn list(&mut self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.directory)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&mut self, name: &str) -> io::Result<fs::File> {
        fs::File::options().read(true).write(true).create_new(true).open(self.directory.join(name))
    }

    fn open(&mut self, name: &str) -> io::Result<fs::File> {
        fs::File::options().read(true).write(true).open(self.directory.join(name))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.directory.join(from), self.directory.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.directory.join(name))
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        fs::File::open(&self.directory)?.sync_all()
    }
}

impl DiskFile for fs::File {
    fn bytes(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.read_at(out, offset)
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<usize> {
        self.write_at(data, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

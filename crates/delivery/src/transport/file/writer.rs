//! The blocking half of the file transport: open, append, sync, rotate.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use super::Place;
use crate::{health::Cause, verdict::Failure};

/// Digits of a rotated file's number.
const NUMBER_DIGITS: usize = 6;
/// How far back the last line end is looked for; longer than any batch.
const TAIL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Appends to one file.
#[derive(Debug)]
pub(super) struct Writer {
    place: Place,
    rotate_bytes: u64,
    files_max: Option<u32>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Writer {
    pub(super) fn new(place: Place, rotate_bytes: u64, files_max: Option<u32>) -> Self {
        Self { place, rotate_bytes, files_max, open: None }
    }

    /// Appends whole lines and syncs them.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), Failure> {
        let mut open = match self.open.take().filter(Open::is_current) {
            Some(open) => open,
            None => self.open()?,
        };
        if open.bytes > 0 && open.bytes + lines.len() as u64 > self.rotate_bytes {
            open = self.rotate(open)?;
        }
        // On failure the file is closed: what reached it is judged anew when it is opened again.
        open.append(lines).map_err(|error| storage(&error))?;
        self.open = Some(open);
        Ok(())
    }

    fn open(&self) -> Result<Open, Failure> {
        let directory = self.directory()?;
        let path = directory.join(&self.place.file);
        refuse_link(&path)?;
        let existed = path.try_exists().map_err(|error| storage(&error))?;
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let mut file = file.map_err(|error| storage(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::new(
                    Cause::Configuration,
                    "another destination writes the same file",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(storage(&error)),
        }
        if !is_at(&file, &path) {
            return Err(link(&path));
        }
        let bytes = cut_torn_line(&mut file).map_err(|error| storage(&error))?;
        if !existed {
            sync_directory(&directory)?;
        }
        Ok(Open { file, path, bytes })
    }

    /// Returns the tenant's directory, made if need be; no part below the root is a link.
    fn directory(&self) -> Result<PathBuf, Failure> {
        let Some(root) = &self.place.root else {
            return Err(Failure::new(
                Cause::Configuration,
                "no directory for file destinations is configured",
            ));
        };
        fs::create_dir_all(root).map_err(|error| storage(&error))?;
        let mut directory = root.clone();
        for name in &self.place.directories {
            let parent = directory.clone();
            directory.push(name);
            match fs::create_dir(&directory) {
                Ok(()) => sync_directory(&parent)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(storage(&error)),
            }
            refuse_link(&directory)?;
        }
        Ok(directory)
    }

    /// Renames the full file to the next number and begins a new one.
    fn rotate(&self, open: Open) -> Result<Open, Failure> {
        let directory = open.path.parent().expect("the file stands in a directory").to_owned();
        let numbers = self.numbers(&directory).map_err(|error| storage(&error))?;
        let next = numbers.last().map_or(1, |last| last + 1);
        fs::rename(&open.path, self.numbered(&directory, next)).map_err(|error| storage(&error))?;
        sync_directory(&directory)?;
        if let Some(files_max) = self.files_max {
            let surplus = (numbers.len() + 1).saturating_sub(files_max as usize);
            for number in &numbers[..surplus.min(numbers.len())] {
                fs::remove_file(self.numbered(&directory, *number))
                    .map_err(|error| storage(&error))?;
            }
        }
        drop(open);
        self.open()
    }

    fn numbered(&self, directory: &Path, number: u64) -> PathBuf {
        directory.join(format!("{}.{number:0NUMBER_DIGITS$}", self.place.file))
    }

    /// Returns the numbers of the rotated files in ascending order.
    fn numbers(&self, directory: &Path) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix(&self.place.file)?.strip_prefix('.'));
            numbers.extend(
                number
                    .filter(|digits| digits.len() >= NUMBER_DIGITS)
                    .and_then(|digits| digits.parse::<u64>().ok()),
            );
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

impl Open {
    /// Returns false when somebody moved or removed the file, or put a link in its place.
    fn is_current(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines)?;
        self.file.sync_data()?;
        self.bytes += lines.len() as u64;
        Ok(())
    }
}

/// Cuts off what follows the last line end, and returns the length.
fn cut_torn_line(file: &mut File) -> io::Result<u64> {
    let bytes = file.metadata()?.len();
    let mut end = bytes;
    let mut chunk = [0; 8192];
    while end > 0 {
        if bytes - end > TAIL_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file does not hold lines"));
        }
        let start = end.saturating_sub(chunk.len() as u64);
        let part = &mut chunk[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < bytes {
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(end)
}

/// Returns true when the path names the opened file itself, not a link to it or another file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(opened), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    named.is_file() && opened.dev() == named.dev() && opened.ino() == named.ino()
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|named| named.is_file())
}

fn refuse_link(path: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(link(path)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage(&error)),
        _ => Ok(()),
    }
}

fn link(path: &Path) -> Failure {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Failure::new(
        Cause::Configuration,
        format!("{name} is a symbolic link, or was replaced while it was opened"),
    )
}

fn sync_directory(directory: &Path) -> Result<(), Failure> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| storage(&error))
}

fn storage(error: &io::Error) -> Failure {
    Failure::new(Cause::Storage, format!("cannot write the file: {error}"))
}

//! A local cache of what was read from an object store: one sparse file per object, filled block by block.
//!
//! Nothing says which blocks are there: a block whose bytes do not have its CRC was never read, or is damaged, and is
//! read anew. So a crash can leave nothing wrong behind. Beyond the budget, the files that were used longest ago go.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

/// The cache. A failing disk makes it forget, never fail.
#[derive(Debug)]
pub(super) struct BlockCache {
    directory: PathBuf,
    bytes_max: u64,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    clock: u64,
    bytes: u64,
    used: HashMap<String, Used>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Used {
    bytes: u64,
    at: u64,
}

impl BlockCache {
    /// Takes over what an earlier process left, oldest first.
    pub(super) fn open(directory: &Path, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push((metadata.mtime(), name, metadata.blocks() * 512));
        }
        found.sort();
        let cache = Self { directory: directory.to_owned(), bytes_max, files: Mutex::default() };
        for (_, name, bytes) in found {
            cache.add(&name, bytes);
        }
        Ok(cache)
    }

    /// Reads what the file has from `start` on into `out` and returns how many bytes that were. Holes are zeros.
    pub(super) fn read(&self, name: &str, start: u64, out: &mut [u8]) -> usize {
        let mut files = self.files.lock();
        files.clock += 1;
        let clock = files.clock;
        match files.used.get_mut(name) {
            Some(used) => used.at = clock,
            None => return 0,
        }
        drop(files);
        let Ok(file) = File::open(self.directory.join(name)) else { return 0 };
        let mut done = 0;
        while done < out.len() {
            match file.read_at(&mut out[done..], start + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        done
    }

    /// Keeps bytes that were read, if the disk takes them.
    pub(super) fn write(&self, name: &str, start: u64, bytes: &[u8]) {
        if bytes.len() as u64 > self.bytes_max {
            return;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.directory.join(name));
        if file.and_then(|file| file.write_all_at(bytes, start)).is_ok() {
            self.add(name, bytes.len() as u64);
        }
    }

    /// Forgets an object.
    pub(super) fn remove(&self, name: &str) {
        let mut files = self.files.lock();
        if let Some(used) = files.used.remove(name) {
            files.bytes -= used.bytes;
        }
        let _ = fs::remove_file(self.directory.join(name));
    }

    /// Counts bytes in and drops the files that were used longest ago until the budget holds.
    fn add(&self, name: &str, bytes: u64) {
        let mut files = self.files.lock();
        files.clock += 1;
        let clock = files.clock;
        let used = files.used.entry(name.to_owned()).or_default();
        *used = Used { bytes: used.bytes + bytes, at: clock };
        files.bytes += bytes;
        while files.bytes > self.bytes_max {
            let oldest = files.used.iter().min_by_key(|(_, used)| used.at);
            let Some((oldest, gone)) = oldest.map(|(name, used)| (name.clone(), *used)) else {
                return;
            };
            files.used.remove(&oldest);
            files.bytes -= gone.bytes;
            let _ = fs::remove_file(self.directory.join(oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_holds_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BlockCache::open(dir.path(), 3_000).unwrap();
        for name in ["a", "b", "c"] {
            cache.write(name, 0, &[1; 1_000]);
        }
        let mut out = [0; 1_000];
        assert_eq!(cache.read("a", 0, &mut out), 1_000);
        cache.write("d", 0, &[1; 1_000]);
        let there = |name: &str| dir.path().join(name).try_exists().unwrap();
        assert_eq!(["a", "b", "c", "d"].map(there), [true, false, true, true]);
        cache.remove("a");
        assert_eq!(cache.read("a", 0, &mut out), 0);
        cache.write("e", 0, &[1; 4_000]);
        assert!(!there("e"), "larger than the whole budget");
    }

    #[test]
    fn what_was_cached_stays_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        BlockCache::open(dir.path(), 1 << 20).unwrap().write("a", 4_096, &[7; 4_096]);
        let cache = BlockCache::open(dir.path(), 1 << 20).unwrap();
        let mut out = [9; 8_192];
        assert_eq!(cache.read("a", 0, &mut out), 8_192);
        assert_eq!((out[0], out[4_096]), (0, 7));
    }
}

//! Which ids are in which segment: a run of sorted hashes beside each segment ([`run`]), on the local disk also when
//! the segments are in an object store.
//!
//! Runs hold nothing that the segments do not. They are written without a sync and are no part of any commit: one that
//! is missing, damaged or of another segment is made again from the segment, and until then the segment answers itself.
//! A run says where an id may be; the id in the segment's row decides.

mod run;

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use attestary_event::EventId;
use parking_lot::Mutex;
use siphasher::sip::SipHasher13;

use crate::catalog::SegmentMeta;
use run::{Run, Source};

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 16;
const EXTENSION: &str = "ids";
/// Runs that stay open between look-ups: each holds a file descriptor.
const OPEN_MAX: usize = 128;

/// Hashes ids under the directory's own key, so that nobody can choose ids that hash alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdHasher(SipHasher13);

impl IdHasher {
    /// Returns the hasher with this key.
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(SipHasher13::new_with_key(key))
    }

    /// Returns the hash of an id.
    pub(crate) fn hash(&self, id: EventId) -> u64 {
        self.0.hash(&id.0)
    }

    /// Returns what tells this key from others.
    fn check(&self) -> u64 {
        self.0.hash(b"key check")
    }
}

/// The runs of one data directory.
#[derive(Debug)]
pub(crate) struct IdRuns {
    dir: PathBuf,
    hasher: IdHasher,
    present: Mutex<Present>,
}

/// The segments that have a run, by id, so that the others cost no system call; with the run while it is open.
#[derive(Debug, Default)]
struct Present {
    runs: HashMap<String, Option<Arc<Run>>>,
    open: usize,
}

impl Present {
    fn set(&mut self, id: &str, run: Option<Arc<Run>>) {
        if self.open >= OPEN_MAX {
            // Which one does not matter much: opening costs a few microseconds.
            self.runs.values_mut().find_map(Option::take);
            self.open -= 1;
        }
        self.open += usize::from(run.is_some());
        let before = self.runs.insert(id.to_owned(), run);
        self.open -= usize::from(before.flatten().is_some());
    }

    /// Returns false when there was none.
    fn remove(&mut self, id: &str) -> bool {
        let removed = self.runs.remove(id);
        self.open -= usize::from(matches!(removed, Some(Some(_))));
        removed.is_some()
    }
}

impl IdRuns {
    /// Opens the runs in `dir`, which is made when it is missing. `fresh_key` becomes the key when there is none.
    pub(crate) fn open(dir: &Path, fresh_key: [u8; KEY_BYTES]) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let path = dir.join(KEY_FILE);
        let key = match fs::read(&path).ok().and_then(|bytes| bytes.try_into().ok()) {
            Some(key) => key,
            None => {
                fs::write(&path, fresh_key)?;
                fresh_key
            }
        };
        let mut present = Present::default();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
            {
                present.set(id, None);
            }
        }
        Ok(Self { dir: dir.to_owned(), hasher: IdHasher::new(&key), present: Mutex::new(present) })
    }

    /// Returns the hasher of this directory.
    pub(crate) fn hasher(&self) -> IdHasher {
        self.hasher
    }

    /// Writes the run of a segment. Failing costs speed only, so it is reported and no error.
    pub(super) fn write(&self, meta: &SegmentMeta, ids: impl Iterator<Item = (EventId, u32)>) {
        let mut entries: Vec<_> = ids.map(|(id, row)| (self.hasher.hash(id), row)).collect();
        let bytes = run::encode(&mut entries, &self.source(meta));
        match fs::write(self.path(&meta.id), bytes) {
            Ok(()) => self.present.lock().set(&meta.id, None),
            Err(error) => {
                tracing::warn!(segment = meta.id, %error, "the ids of a segment are not kept apart");
                self.remove(&meta.id);
            }
        }
    }

    /// Returns the rows within `rows` of a segment that may hold one of `ids`, ascending. `None`: the segment has no
    /// run, and has to be asked itself.
    pub(super) fn find(
        &self,
        meta: &SegmentMeta,
        rows: &Range<u32>,
        ids: &[EventId],
    ) -> Option<Vec<u32>> {
        let hashes: Vec<u64> = ids.iter().map(|id| self.hasher.hash(*id)).collect();
        self.read(meta, |run| run.find(&hashes, rows))
    }

    /// Returns the hashes of all ids of a segment. `None`: it has no run.
    pub(super) fn hashes(&self, meta: &SegmentMeta) -> Option<Vec<u64>> {
        self.read(meta, Run::hashes)
    }

    fn read<T>(&self, meta: &SegmentMeta, read: impl FnOnce(&Run) -> io::Result<T>) -> Option<T> {
        let open = self.present.lock().runs.get(&meta.id)?.clone();
        let answer = match open {
            Some(run) => read(&run),
            None => self.open_run(meta).and_then(|run| read(&run)),
        };
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                // Gone: its segment was replaced meanwhile.
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(segment = meta.id, %error, "an id run is damaged and not used");
                }
                self.remove(&meta.id);
                None
            }
        }
    }

    fn open_run(&self, meta: &SegmentMeta) -> io::Result<Arc<Run>> {
        let run = Arc::new(Run::open(&self.path(&meta.id), &self.source(meta))?);
        let mut present = self.present.lock();
        // Unless it was removed meanwhile.
        if present.runs.contains_key(&meta.id) {
            present.set(&meta.id, Some(Arc::clone(&run)));
        }
        Ok(run)
    }

    /// Deletes the run of the segment called `id`, if there is one.
    pub(super) fn remove(&self, id: &str) {
        if self.present.lock().remove(id)
            && let Err(error) = fs::remove_file(self.path(id))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(segment = id, %error, "an id run is left behind");
        }
    }

    /// Deletes the runs of all segments but those called `ids`.
    pub(crate) fn keep<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let kept: HashSet<&str> = ids.collect();
        let present: Vec<_> = self.present.lock().runs.keys().cloned().collect();
        present.iter().filter(|id| !kept.contains(id.as_str())).for_each(|id| self.remove(id));
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.{EXTENSION}"))
    }

    fn source(&self, meta: &SegmentMeta) -> Source {
        Source { segment: meta.sha256, key_check: self.hasher.check() }
    }
}

//! Segments: the sealed, immutable part of all logs, as sorted Parquet objects in an object store.
//!
//! A segment holds rows of many tenants, sorted by (slot, seq). The catalog's manifest says which rows belong to
//! which tenant ([`crate::catalog::Extent`]), so a tenant's rows are read without decoding its neighbours'. Columns,
//! encodings and page sizes are in [`schema`]; any Parquet reader can use the files. Leaf hashes are not stored: they
//! are recomputed from the content on every read, which needs the log's origin ([`Logs`]). Where retention or an erasure
//! took content away, the row stays with what its leaf hash still needs ([`removed`]).
//!
//! Every byte that is read was checked against the CRCs in the manifest first, so damaged bytes are an error and
//! never reach a decoder.
//!
//! Writing is CPU only ([`write`]); [`Segments`] does the I/O. Its methods are **synchronous**: call them from
//! blocking threads, never from an async worker. An object is durable when [`Segments::put`] returns, and it is part
//! of the logs only when the catalog committed it.

mod blocks;
mod cache;
mod file;
pub(crate) mod id_runs;
pub(crate) mod merge;
mod remote;
pub(crate) mod removed;
pub mod rewrite;
mod rows;
pub mod schema;
mod source;
#[cfg(test)]
pub(crate) mod tests;
mod whole;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use attestary_event::{EnvironmentId, ErrorKind, EventId, TenantId};
use attestary_ledger::Hash;
use bytes::Bytes;
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, local::LocalFileSystem,
    path::Path as ObjectPath,
};
use parking_lot::Mutex;
use parquet::errors::ParquetError;

use crate::{catalog::SegmentMeta, record::RecordError};

pub(crate) use file::{Rows, SegmentFile};
pub use remote::Objects;
pub(crate) use rows::{EventRows, array, key_columns};
pub use schema::FORMAT_VERSION;
pub use source::BLOCK_BYTES;
#[cfg(test)]
pub(crate) use write::write_sized;
pub use write::{Row, Written, write};

/// What segments need to know about a log to name its rows and to recompute its leaf hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Namespace.
    pub environment: EnvironmentId,
    /// Whose log.
    pub tenant: TenantId,
    /// [`attestary_ledger::origin_id`] of the log's origin.
    pub origin_id: [u8; 16],
}

/// Looks logs up by slot.
pub trait Logs {
    /// Returns the log at `slot`.
    fn log(&self, slot: u64) -> Option<Log>;
}

impl<F: Fn(u64) -> Option<Log>> Logs for F {
    fn log(&self, slot: u64) -> Option<Log> {
        self(slot)
    }
}

/// Why a segment cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// Rows did not come in the order of (slot, seq).
    #[error("row (slot {slot}, seq {seq}) is out of order")]
    Unsorted {
        /// Slot of the offending row.
        slot: u64,
        /// Seq of the offending row.
        seq: u64,
    },
    /// No log is known at the slot of a row.
    #[error("no log is known at slot {slot}")]
    UnknownLog {
        /// The slot.
        slot: u64,
    },
    /// A tree node cannot be read or recomputed.
    #[error(
        "the node {index} of level {level} at slot {slot} is neither in memory nor in a segment"
    )]
    NoNode {
        /// The log.
        slot: u64,
        /// Level of the node; 0 is the leaves.
        level: u32,
        /// Position in its level.
        index: u64,
    },
    /// A record cannot be turned into a row.
    #[error("the record at slot {slot}, seq {seq} cannot be sealed")]
    Record {
        /// Slot of the record.
        slot: u64,
        /// Seq of the record.
        seq: u64,
        /// What is wrong with it.
        source: RecordError,
    },
    /// The Parquet encoder failed.
    #[error("cannot encode a segment")]
    Encode {
        /// What it said.
        source: ParquetError,
    },
    /// The object is not there: the manifest in hand is outdated, or data is lost.
    #[error("segment {path} is missing")]
    Missing {
        /// Its path.
        path: String,
    },
    /// The object store cannot be used as it is configured.
    #[error("the object store cannot be used: {what}")]
    Objects {
        /// What is wrong.
        what: String,
    },
    /// The object store failed.
    #[error("cannot access segment {path}")]
    Store {
        /// Its path.
        path: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// A file could not be read.
    #[error("cannot read segment {path}")]
    Read {
        /// Its path.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Written by a newer release.
    #[error("segment {path} has format {found}; this release reads up to {FORMAT_VERSION}")]
    Newer {
        /// Its path.
        path: String,
        /// Version in the file.
        found: u32,
    },
    /// The bytes are not what was written.
    #[error("segment {path} is damaged: {what}")]
    Corrupt {
        /// Its path.
        path: String,
        /// What does not fit.
        what: String,
    },
}

impl SegmentError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unsorted { .. } | Self::UnknownLog { .. } | Self::Encode { .. } => {
                ErrorKind::Internal
            }
            Self::Missing { .. } | Self::Store { .. } | Self::Read { .. } => ErrorKind::Unavailable,
            Self::Objects { .. } => ErrorKind::Invalid,
            Self::Record { .. }
            | Self::NoNode { .. }
            | Self::Newer { .. }
            | Self::Corrupt { .. } => ErrorKind::Corrupt,
        }
    }

    fn corrupt(path: &str, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), what: what.into() }
    }

    /// Sorts what the Parquet reader says into failed reads and damaged bytes.
    fn of_parquet(path: &str, source: &ParquetError) -> Self {
        let inner =
            std::error::Error::source(source).and_then(|inner| inner.downcast_ref::<io::Error>());
        match inner {
            Some(io)
                if matches!(
                    io.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Self::corrupt(path, io.to_string())
            }
            Some(io) if io.kind() == io::ErrorKind::NotFound => {
                Self::Missing { path: path.to_owned() }
            }
            Some(io) => Self::Read {
                path: path.to_owned(),
                source: io::Error::new(io.kind(), io.to_string()),
            },
            None => Self::corrupt(path, source.to_string()),
        }
    }
}

/// Bounds of what stays in memory and open between reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Open segments: each holds a file descriptor.
    pub segments_max: usize,
    /// Bytes of footers, page indexes and bloom filters.
    pub bytes_max: usize,
}

impl Default for CacheLimits {
    /// 256 descriptors of the usual 1,024; 64 MiB hold the indexes of about 60 million events (see the benchmark).
    fn default() -> Self {
        Self { segments_max: 256, bytes_max: 64 << 20 }
    }
}

/// The segments of one installation in their object store.
#[derive(Debug)]
pub struct Segments {
    store: Arc<dyn ObjectStore>,
    /// Set when the store is a local directory: reads then go to the files directly.
    root: Option<PathBuf>,
    /// Set when the store is a cloud's: requests then run on its runtime, and reads go through its cache.
    remote: Option<Arc<remote::Remote>>,
    cache: Mutex<cache::Cache>,
    /// Set where repeated ids are looked up.
    id_runs: Option<id_runs::IdRuns>,
    sizes: schema::Sizes,
}

/// Runs store I/O to its end on this (blocking) thread.
fn wait<F: Future>(future: F) -> F::Output {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.block_on(future),
        Err(_) => futures::executor::block_on(future),
    }
}

impl Segments {
    /// Uses any object store.
    pub fn new(store: Arc<dyn ObjectStore>, limits: CacheLimits) -> Self {
        let sizes = schema::Sizes::STANDARD;
        let cache = Mutex::new(cache::Cache::new(limits));
        Self { store, root: None, remote: None, cache, id_runs: None, sizes }
    }

    /// Uses an existing local directory; every write is synced with its directory.
    pub fn local(root: PathBuf, limits: CacheLimits) -> Result<Self, SegmentError> {
        let path = root.display().to_string();
        let store = LocalFileSystem::new_with_prefix(&root)
            .map_err(|source| SegmentError::Store { path, source })?;
        Ok(Self { root: Some(root), ..Self::new(Arc::new(store.with_fsync(true)), limits) })
    }

    /// Uses the object store that is configured, or the data directory `dir` itself when none is.
    pub fn configured(
        dir: &Path,
        objects: Option<&Objects>,
        limits: CacheLimits,
    ) -> Result<Self, SegmentError> {
        let Some(objects) = objects else { return Self::local(dir.to_owned(), limits) };
        let remote = Arc::new(remote::Remote::new(objects, dir)?);
        let store = Arc::clone(remote.store());
        Ok(Self { remote: Some(remote), ..Self::new(store, limits) })
    }

    /// Keeps the ids of every segment apart, in `runs`.
    pub(crate) fn with_id_runs(self, runs: id_runs::IdRuns) -> Self {
        Self { id_runs: Some(runs), ..self }
    }

    /// Runs store I/O to its end on this (blocking) thread.
    fn wait<F: Future>(&self, future: F) -> F::Output {
        match &self.remote {
            Some(remote) => remote.wait(future),
            None => wait(future),
        }
    }

    /// Returns how many rows writers keep together.
    pub(crate) fn sizes(&self) -> schema::Sizes {
        self.sizes
    }

    /// Reads segments that were written with other sizes.
    #[cfg(test)]
    pub(crate) fn with_sizes(self, sizes: schema::Sizes) -> Self {
        Self { sizes, ..self }
    }

    /// Returns the path of the segment called `id`.
    pub fn path(id: &str) -> String {
        format!("segments/{id}.parquet")
    }

    /// Returns the id in a segment's path.
    fn id_of(path: &str) -> Option<&str> {
        path.strip_prefix("segments/")?.strip_suffix(".parquet")
    }

    /// Writes a new object for `written`; it is durable when this returns. Refuses to replace an object.
    pub fn put(
        &self,
        id: &str,
        partition: u32,
        created_ms: u64,
        written: Written,
    ) -> Result<SegmentMeta, SegmentError> {
        let meta = written.meta(id, partition, created_ms);
        if let Some(runs) = &self.id_runs {
            let source = source::Source::memory(written.bytes.clone(), &meta);
            let file = SegmentFile::open(source, &meta, self.sizes)?;
            runs.write(&meta, file.ids()?.into_iter());
        }
        self.put_whole(&meta, written.bytes)?;
        Ok(meta)
    }

    /// Writes the object of `meta`, whose bytes are `bytes`.
    pub(crate) fn put_whole(&self, meta: &SegmentMeta, bytes: Bytes) -> Result<(), SegmentError> {
        if let Some(remote) = &self.remote {
            return remote.put(meta, bytes);
        }
        let payload = PutPayload::from_bytes(bytes);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put =
            wait(self.store.put_opts(&ObjectPath::from(meta.path.as_str()), payload, options));
        put.map_err(|source| SegmentError::Store { path: meta.path.clone(), source })?;
        Ok(())
    }

    /// [`Self::put`] for a copy of the segment `old` with fewer rows or less in them, which takes its place among
    /// the runs.
    pub fn put_in_place_of(
        &self,
        old: &SegmentMeta,
        id: &str,
        written: Written,
    ) -> Result<SegmentMeta, SegmentError> {
        let put = self.put(id, old.partition, old.created_ms, written)?;
        Ok(SegmentMeta { level: old.level, run: old.run.clone(), ..put })
    }

    /// Deletes an object, which may be gone already. Call it for tombstones and abandoned intents only.
    pub fn delete(&self, path: &str) -> Result<(), SegmentError> {
        self.cache.lock().remove(path);
        if let Some((runs, id)) = self.id_runs.as_ref().zip(Self::id_of(path)) {
            runs.remove(id);
        }
        if let Some(remote) = &self.remote {
            remote.forget(path);
        }
        match self.wait(self.store.delete(&ObjectPath::from(path))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(SegmentError::Store { path: path.to_owned(), source }),
        }
    }

    /// Deletes what writes that a crash cut short left in a local directory: the object store writes to
    /// `<name>#<number>` before it renames. Call it while nothing is being written.
    pub fn sweep(&self) -> io::Result<()> {
        let Some(root) = &self.root else { return Ok(()) };
        for entry in std::fs::read_dir(root.join("segments"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().contains(".parquet#") {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns the paths of all objects, in no order, unfinished ones included.
    pub fn list(&self) -> Result<Vec<String>, SegmentError> {
        use futures::TryStreamExt as _;
        let prefix = ObjectPath::from("segments");
        let found = self.store.list(Some(&prefix)).map_ok(|object| object.location.to_string());
        self.wait(found.try_collect())
            .map_err(|source| SegmentError::Store { path: prefix.to_string(), source })
    }

    /// Reads a whole object and compares it with the manifest.
    pub fn verify(&self, meta: &SegmentMeta) -> Result<(), SegmentError> {
        let source = self.source(meta)?;
        let found =
            source.sha256().map_err(|source| SegmentError::of_parquet(&meta.path, &source))?;
        if found != meta.sha256 {
            return Err(SegmentError::corrupt(
                &meta.path,
                "its SHA-256 is not the one in the manifest",
            ));
        }
        Ok(())
    }

    /// Returns the bytes of footers, indexes and bloom filters in memory.
    pub fn cached_bytes(&self) -> usize {
        self.cache.lock().bytes()
    }

    /// Opens a segment, or returns it from the cache.
    pub(crate) fn open(&self, meta: &SegmentMeta) -> Result<Arc<SegmentFile>, SegmentError> {
        if let Some(file) = self.cache.lock().get(&meta.path) {
            return Ok(file);
        }
        // Two readers may open the same segment at once; the second insert wins and both work.
        let file = Arc::new(SegmentFile::open(self.source(meta)?, meta, self.sizes)?);
        self.cache.lock().insert(&meta.path, &file);
        Ok(file)
    }

    /// Opens a segment for one pass over it, without leaving it in the cache.
    pub(crate) fn open_uncached(&self, meta: &SegmentMeta) -> Result<SegmentFile, SegmentError> {
        SegmentFile::open(self.source(meta)?, meta, self.sizes)
    }

    /// Returns the hashes of all ids of a segment, from its run; a run that is missing is made.
    pub(crate) fn id_hashes(&self, meta: &SegmentMeta) -> Result<Vec<u64>, SegmentError> {
        let Some(runs) = &self.id_runs else { return Ok(vec![]) };
        if let Some(hashes) = runs.hashes(meta) {
            return Ok(hashes);
        }
        let ids = self.open_uncached(meta)?.ids()?;
        runs.write(meta, ids.iter().copied());
        Ok(ids.iter().map(|(id, _)| runs.hasher().hash(*id)).collect())
    }

    /// Returns the rows within `rows` that may hold one of `ids`, ascending. `None`: that is not known without reading
    /// the segment.
    pub(crate) fn rows_of_ids(
        &self,
        meta: &SegmentMeta,
        rows: &Rows,
        ids: &[EventId],
    ) -> Option<Vec<u32>> {
        self.id_runs.as_ref()?.find(meta, rows, ids)
    }

    /// Gives up what is kept apart of the ids of a segment.
    pub(crate) fn drop_id_run(&self, meta: &SegmentMeta) {
        if let Some(runs) = &self.id_runs {
            runs.remove(&meta.id);
        }
    }

    /// Returns what hashes ids as the runs do.
    pub(crate) fn id_hasher(&self) -> id_runs::IdHasher {
        let without = || id_runs::IdHasher::new(&[0; 16]);
        self.id_runs.as_ref().map_or_else(without, id_runs::IdRuns::hasher)
    }

    fn source(&self, meta: &SegmentMeta) -> Result<source::Source, SegmentError> {
        if let Some(root) = &self.root {
            return source::Source::file(&root.join(&meta.path), meta);
        }
        if let Some(remote) = &self.remote {
            return Ok(source::Source::remote(Arc::clone(remote), meta));
        }
        Ok(source::Source::object(Arc::clone(&self.store), meta))
    }
}

/// SHA-256 of a whole object.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

//! The check of a data directory: reads every byte that counts and names every damage.
//!
//! Nothing is changed and nothing is repaired. The directory must not be in use. Segments are compared with the CRCs
//! and hashes of the manifest, every event's leaf hash is recomputed from its content and seed, the Merkle trees are
//! built anew and compared with the heads, the journal is replayed as recovery would, and the catalog is held against
//! its own sums. A damage names the environment, the tenant and the range of seqs that it costs.

mod catalog;
mod events;
mod findings;
mod journal;
mod logs;
mod places;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

pub use findings::{Finding, Report, Severity};

use crate::{
    catalog::{CatalogError, Loaded, SegmentMeta},
    segment::{CacheLimits, Objects, SegmentError, Segments},
};
use logs::Logs;

/// Why a directory could not be checked at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// There is no data directory at that place.
    #[error("{path} is not a data directory: it has no file called {missing}")]
    NotThere {
        /// The place.
        path: PathBuf,
        /// What every data directory has.
        missing: &'static str,
    },
    /// A process has the directory open.
    #[error("the data directory {path} is in use: stop the server first")]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Written by a newer release.
    #[error(transparent)]
    Newer(CatalogError),
    /// The segments cannot be reached.
    #[error("cannot reach the segments")]
    Segments(#[source] SegmentError),
}

/// How far a check is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read so far.
    pub bytes: u64,
    /// Bytes to read in all.
    pub bytes_total: u64,
}

/// Takes the lock of an existing data directory that no process uses.
pub fn lock(dir: &Path) -> Result<File, CheckError> {
    for missing in ["catalog.sqlite", "lock"] {
        if !dir.join(missing).is_file() {
            return Err(CheckError::NotThere { path: dir.to_owned(), missing });
        }
    }
    let path = dir.join("lock");
    let failed = |source| CheckError::Read { path: path.clone(), source };
    let file = File::options().write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(CheckError::Locked { path: dir.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Checks one segment, whose events may be of any log that `loaded` knows. Only the segment is judged.
pub(crate) fn segment(segments: &Segments, meta: &SegmentMeta, loaded: &Loaded) -> Vec<Finding> {
    let log_name = loaded.installation.as_ref().map_or("", |installation| &installation.log_name);
    let heads: Vec<_> =
        loaded.heads.iter().filter(|head| meta.extent(head.slot).is_some()).cloned().collect();
    let mut logs = Logs::new(log_name, &heads);
    let mut report = Report::default();
    events::check(segments, meta, &mut logs, &mut report);
    report.sort();
    report.findings
}

/// Checks the data directory `dir`, whose segments lie in it or in `objects`. Blocks.
pub fn check(
    dir: &Path,
    objects: Option<&Objects>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, CheckError> {
    let _lock = lock(dir)?;
    let limits = CacheLimits { segments_max: 4, ..CacheLimits::default() };
    let segments = Segments::configured(dir, objects, limits).map_err(CheckError::Segments)?;
    check_with(dir, &segments, progress)
}

/// Checks a directory that the caller has locked, with its segments in `segments`.
pub fn check_with(
    dir: &Path,
    segments: &Segments,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, CheckError> {
    let mut report = Report::default();
    let Some(loaded) = catalog::check(&dir.join("catalog.sqlite"), &mut report)? else {
        return Ok(report);
    };
    let log_name = loaded.installation.as_ref().map_or("", |installation| &installation.log_name);
    let mut logs = Logs::new(log_name, &loaded.heads);
    let sealed: u64 = loaded.manifest.segments.iter().map(|segment| segment.bytes).sum();
    let journal = journal::bytes(dir);
    let mut at = Progress { bytes: 0, bytes_total: sealed + journal };
    progress(at);
    for meta in events::in_order(&loaded.manifest) {
        events::check(segments, &meta, &mut logs, &mut report);
        at.bytes += meta.bytes;
        progress(at);
    }
    logs.finish(&mut report);
    places::check(dir, segments, &loaded, &mut report)?;
    journal::check(dir, &loaded, &mut report)?;
    at.bytes = at.bytes_total;
    progress(at);
    report.sort();
    Ok(report)
}

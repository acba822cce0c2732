//! Backups: a repository of snapshots that share their segments.
//!
//! ```text
//! <repository>/segments/<id>.parquet             every sealed segment that a snapshot needs, once
//! <repository>/snapshots/<name>/snapshot.json    what the snapshot holds, with hashes; written last
//! <repository>/snapshots/<name>/catalog.sqlite   the catalog as of one moment
//! <repository>/snapshots/<name>/journal/<n>/…    the unsealed events of that moment and after it
//! <repository>/snapshots/<name>/files/…          keys
//! ```
//!
//! A backup is taken while the server runs, by any process that can read the data directory: the catalog is copied
//! through SQLite, sealed segments never change, and the journal is read backwards, so that what is copied is a prefix
//! of what was written. Only segments that the repository does not have are copied. A snapshot without its
//! `snapshot.json` was not finished and does not count.

mod files;
mod journal;
mod moment;
mod restore;
mod snapshot;
mod take;

use std::{io, path::PathBuf};

pub use restore::{Restored, restore};
pub use snapshot::{Snapshot, snapshots};
pub use take::{Options, take};

use crate::{
    catalog::CatalogError,
    check::{CheckError, Report},
    journal::JournalError,
    segment::SegmentError,
};

/// Version of the repository's layout.
pub const FORMAT_VERSION: u32 = 1;

/// Why a backup was not taken or not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("cannot {doing} {path}")]
    File {
        /// What was attempted.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The catalog cannot be copied or read.
    #[error("cannot copy the catalog")]
    Catalog(#[source] CatalogError),
    /// A segment cannot be read or written.
    #[error("cannot copy a segment")]
    Segment(#[source] SegmentError),
    /// The journal cannot be read.
    #[error("cannot copy the journal")]
    Journal(#[source] JournalError),
    /// Segments or journal files were replaced during every try.
    #[error(
        "the data changed during each of {tries} tries, or its journal is damaged: check it, or try again at a quieter time"
    )]
    Restless {
        /// How often it was tried.
        tries: u32,
    },
    /// Nothing to back up, or nothing to restore from.
    #[error("{0}")]
    NotThere(String),
    /// The place to restore to is taken.
    #[error("{path} exists: a restore never writes over anything")]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// Written by a newer release.
    #[error("the snapshot has format {found}; this release reads up to {FORMAT_VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// The snapshot's description is damaged.
    #[error("{path} cannot be understood")]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file of the snapshot is not what was written.
    #[error("{path} is not what was backed up: its SHA-256 differs")]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// What was restored cannot be checked.
    #[error("what was restored cannot be checked")]
    Check(#[source] CheckError),
    /// What was restored is damaged.
    #[error("what was restored is damaged in {} places; it was not put in place", .0.damages())]
    Damaged(Box<Report>),
    /// What was restored is not what was backed up.
    #[error(
        "the roots of the restored logs are not those of the snapshot; it was not put in place"
    )]
    Roots,
}

fn failed(doing: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { doing, path, source }
}

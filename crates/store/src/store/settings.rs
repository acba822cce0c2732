//! Settings of the engine: values only.

use std::{path::PathBuf, time::Duration};

use crate::segment::Objects;

/// How a data directory is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The data directory.
    pub dir: PathBuf,
    /// The installation's part of every log's origin; used when the directory is initialised, ignored after.
    pub log_name: String,
    /// How many partitions the logs are spread over, each with a journal and a thread of its own: 1 to
    /// [`PARTITIONS_MAX`](crate::PARTITIONS_MAX). `None` means as many as the directory has, 1 in a new one.
    pub partitions: Option<u32>,
    /// Bytes of one journal file. 64 MiB: a seal's worth, written again and again. It must hold any one event; what
    /// more a group of events takes is spread over several batches.
    pub journal_file_bytes: u64,
    /// Unsealed events of all partitions that start a seal.
    pub seal_events_max: usize,
    /// Unsealed bytes of all partitions that start a seal.
    pub seal_bytes_max: usize,
    /// Age of the oldest unsealed event that starts a seal.
    pub seal_age: Duration,
    /// Unsealed bytes at which intake is pushed back: sealing does not keep up.
    pub unsealed_bytes_max: usize,
    /// Bytes of submitted events that may wait for the partitions; beyond, intake is pushed back.
    pub queue_bytes_max: usize,
    /// Sealed ids that are recognised when they come again: 3 bytes of memory each, the oldest go first.
    pub dedupe_ids_max: usize,
    /// Runs of segments that are merged into one; below 2 nothing is merged.
    pub merge_runs: usize,
    /// Where the head register lies; `None` means `register` in the data directory. It must not be backed up or
    /// restored together with the data.
    pub register_dir: Option<PathBuf>,
    /// How often heads of logs that grew are fixed for signing when nobody asks.
    pub signing_every: Duration,
    /// Where segments are when they are not in the data directory.
    pub objects: Option<Objects>,
    /// Free bytes below which submitted events are refused, so that everything else goes on.
    pub reserve_bytes: u64,
    /// Rate at which sealed segments are read to find damage; 0 reads none.
    pub scrub_bytes_per_second: u64,
    /// Least time between the starts of two such rounds.
    pub scrub_every: Duration,
}

impl Settings {
    /// Returns the defaults for `dir`.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            log_name: "attestary.local".to_owned(),
            partitions: Some(1),
            journal_file_bytes: 64 << 20,
            seal_events_max: 128 * 1024,
            seal_bytes_max: 80 << 20,
            seal_age: Duration::from_mins(10),
            unsealed_bytes_max: 160 << 20,
            queue_bytes_max: 32 << 20,
            dedupe_ids_max: 64 << 20,
            merge_runs: 8,
            register_dir: None,
            signing_every: Duration::from_secs(10),
            objects: None,
            reserve_bytes: 256 << 20,
            scrub_bytes_per_second: 8 << 20,
            scrub_every: Duration::from_hours(24),
        }
    }

    /// Returns where the head register lies.
    pub(super) fn register(&self) -> PathBuf {
        self.register_dir.clone().unwrap_or_else(|| self.dir.join("register"))
    }
}

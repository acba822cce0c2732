//! The merging thread: takes the next merge from the manifest, writes the new run and swaps it in.
//!
//! It runs at the lowest priority: under full load intake keeps its processor time and merging waits. Nothing else
//! waits for a merge. When another rewrite (a deletion) replaced an input meanwhile, the commit is refused, the new
//! objects are deleted, and the next merge begins from the new manifest.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use attestary_event::{ErrorKind, id::ulid};

use super::{
    compaction::{self, Job},
    view::View,
    world::World,
};
use crate::{
    catalog::{Catalog, CatalogError, SegmentMeta, SwapCommit},
    priority,
    segment::{
        SegmentError, Segments, Written,
        merge::{Step, merge},
    },
};

/// Bytes at which a merged segment ends. It lies in memory while it is encoded, in a buffer that grows by doubling: this
/// stays below 32 MiB.
const SEGMENT_BYTES: usize = 30 << 20;
/// How long a failed merge waits before it is tried again.
const RETRY_DELAY: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
enum CompactError {
    #[error("cannot merge segments")]
    Segment(#[from] SegmentError),
    #[error("cannot commit merged segments")]
    Catalog(#[from] CatalogError),
    #[error("the store is being closed")]
    Stopped,
}

pub(super) struct Compactor {
    pub(super) world: World,
    pub(super) catalog: Arc<Catalog>,
    pub(super) segments: Arc<Segments>,
    pub(super) view: Arc<View>,
    /// Serialises everything that replaces the manifest.
    pub(super) manifest: Arc<parking_lot::Mutex<()>>,
    pub(super) stop: Arc<AtomicBool>,
    /// Runs that are merged at once; below 2 nothing is merged.
    pub(super) fan_in: usize,
}

impl Compactor {
    /// Merges whenever a seal was committed, until the store is closed or the sealer is gone.
    pub(super) fn run(self, seals: &Receiver<()>) {
        if self.fan_in < 2 {
            return;
        }
        priority::lower(priority::LOWEST);
        loop {
            let wait = match self.merge_all() {
                Ok(()) => None,
                Err(CompactError::Stopped) => return,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "merging segments failed and is tried again"
                    );
                    Some(RETRY_DELAY)
                }
            };
            let woken = match wait {
                None => seals.recv().map_err(RecvTimeoutError::from),
                Some(delay) => seals.recv_timeout(delay),
            };
            if woken == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    fn merge_all(&self) -> Result<(), CompactError> {
        while let Some(job) = compaction::next(&self.view.manifest(), self.fan_in) {
            let mut written = Vec::new();
            let merged = self.write(&job, &mut written).and_then(|()| self.commit(&job, &written));
            match merged {
                Ok(()) => {}
                // Nobody knows what a failed commit left: the next start finds out which objects are announced only.
                Err(CompactError::Catalog(error)) if error.kind() != ErrorKind::Conflict => {
                    return Err(error.into());
                }
                Err(error) => {
                    let paths: Vec<_> = written.iter().map(|meta| meta.path.clone()).collect();
                    self.clean_up(&paths);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Writes the new run. `written` holds what is there also when it fails.
    fn write(&self, job: &Job, written: &mut Vec<SegmentMeta>) -> Result<(), CompactError> {
        let run = ulid(self.world.clock.now_ms(), self.world.random());
        merge(&self.segments, &job.inputs, SEGMENT_BYTES, |step| {
            // Between rows too: at the lowest priority, an output can take minutes beside other work, and who closes
            // the store waits for this thread.
            if self.stop.load(Ordering::Relaxed) {
                return Err(CompactError::Stopped);
            }
            if let Step::Output(output) = step {
                written.push(self.put(job, &run, output)?);
            }
            Ok(())
        })
    }

    fn put(&self, job: &Job, run: &str, output: Written) -> Result<SegmentMeta, CompactError> {
        let id = ulid(self.world.clock.now_ms(), self.world.random());
        self.catalog.intend(&[Segments::path(&id)])?;
        let newest = job.inputs.iter().max_by_key(|meta| meta.created_ms);
        let (partition, created_ms) =
            newest.map_or((0, 0), |meta| (meta.partition, meta.created_ms));
        let meta = self.segments.put(&id, partition, created_ms, output)?;
        Ok(SegmentMeta { level: job.level, run: run.to_owned(), ..meta })
    }

    fn commit(&self, job: &Job, written: &[SegmentMeta]) -> Result<(), CompactError> {
        let commit = SwapCommit {
            new_segments: written.to_vec(),
            removed_segments: job.inputs.iter().map(|meta| meta.id.clone()).collect(),
            heads: vec![],
        };
        {
            let _one_at_a_time = self.manifest.lock();
            self.catalog.commit_swap(&commit)?;
            self.view.set_manifest(self.catalog.manifest(&self.view.manifest())?, None);
        }
        // Readers that still hold the manifest before find the objects gone and take the new one.
        let replaced: Vec<_> = job.inputs.iter().map(|meta| meta.path.clone()).collect();
        self.clean_up(&replaced);
        Ok(())
    }

    /// Deletes objects that no manifest names. What cannot be deleted now is known by name and goes at the next start.
    fn clean_up(&self, paths: &[String]) {
        let gone: Vec<_> =
            paths.iter().filter(|path| self.segments.delete(path).is_ok()).cloned().collect();
        if let Err(error) = self.catalog.forget_paths(&gone) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "replaced segments were not forgotten"
            );
        }
    }
}

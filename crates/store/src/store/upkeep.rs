//! What runs beside intake all the time: watching the room on the disk, and reading sealed segments for damage.
//!
//! While less than the reserve is free, submitted events are refused, so that what must go on still can: seals,
//! deletions, the service's own events, configuration. When room comes back, intake goes on by itself.
//!
//! Scrubbing reads every segment once a round at a bounded rate and compares each block with its CRC. Damage is
//! logged and kept for the metrics; it is named by tenant and seq as a check of the whole directory would name it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{settings::Settings, view::View};
use crate::{
    catalog::{Catalog, SegmentMeta},
    check::{self, Finding},
    seam::Clock,
    segment::{BLOCK_BYTES, SegmentError, Segments},
};

/// How often a part of the work is done.
const TICK: Duration = Duration::from_millis(250);
const TICKS_PER_SECOND: u64 = 4;
/// Findings that are kept; more say nothing new.
const FINDINGS_MAX: usize = 1_000;

/// What upkeep found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Less than the reserve is free.
    pub(super) full: AtomicBool,
    free_bytes: AtomicU64,
    scrubbed_bytes: AtomicU64,
    round: Mutex<Round>,
}

#[derive(Debug, Default)]
struct Round {
    finished_ms: Option<u64>,
    findings: Vec<Finding>,
}

/// How the sealed data and the disk are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upkeep {
    /// Less than the reserve is free: submitted events are refused.
    pub disk_full: bool,
    /// Free bytes on the disk of the data directory; 0 when unknown.
    pub free_bytes: u64,
    /// Bytes of segments read since the start.
    pub scrubbed_bytes: u64,
    /// When the last whole round ended, in milliseconds since the epoch.
    pub scrub_finished_ms: Option<u64>,
    /// Damage that is known and still in the manifest.
    pub findings: Vec<Finding>,
}

impl Found {
    pub(super) fn report(&self) -> Upkeep {
        let round = self.round.lock();
        Upkeep {
            disk_full: self.full.load(Ordering::Acquire),
            free_bytes: self.free_bytes.load(Ordering::Relaxed),
            scrubbed_bytes: self.scrubbed_bytes.load(Ordering::Relaxed),
            scrub_finished_ms: round.finished_ms,
            findings: round.findings.clone(),
        }
    }
}

pub(super) struct Keeper {
    pub(super) settings: Settings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) segments: Arc<Segments>,
    pub(super) view: Arc<View>,
    pub(super) found: Arc<Found>,
    pub(super) stop: Arc<AtomicBool>,
}

/// A round under way.
#[derive(Default)]
struct Scrub {
    waiting: Vec<Arc<SegmentMeta>>,
    current: Option<(Arc<SegmentMeta>, u64)>,
    started: Option<Duration>,
}

impl Keeper {
    pub(super) fn run(self) {
        let mut scrub = Scrub::default();
        let mut tick = 0u64;
        while !self.stop.load(Ordering::Relaxed) {
            if tick.is_multiple_of(TICKS_PER_SECOND) {
                self.watch_room();
            }
            if self.settings.scrub_bytes_per_second > 0 {
                self.scrub(&mut scrub, self.settings.scrub_bytes_per_second / TICKS_PER_SECOND);
            }
            tick += 1;
            std::thread::park_timeout(TICK);
        }
    }

    fn watch_room(&self) {
        let Ok(stat) = rustix::fs::statvfs(&self.settings.dir) else { return };
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        self.found.free_bytes.store(free, Ordering::Relaxed);
        let full = free < self.settings.reserve_bytes;
        if self.found.full.swap(full, Ordering::AcqRel) == full {
            return;
        }
        let reserve_bytes = self.settings.reserve_bytes;
        if full {
            tracing::error!(
                free,
                reserve_bytes,
                "the disk is nearly full: events are refused until there is room again"
            );
        } else {
            tracing::info!(free, reserve_bytes, "there is room on the disk again: intake goes on");
        }
    }

    /// Reads up to `budget` bytes further.
    fn scrub(&self, scrub: &mut Scrub, budget: u64) {
        let mut left = budget.max(BLOCK_BYTES as u64);
        while left >= BLOCK_BYTES as u64 && !self.stop.load(Ordering::Relaxed) {
            let Some((meta, at)) = scrub.current.take().or_else(|| self.next(scrub)) else {
                return;
            };
            // Whole blocks, so that none is read twice.
            let block = BLOCK_BYTES as u64;
            let length = (left / block * block).min(meta.bytes - at);
            match self.segments.check_range(&meta, at, length) {
                Ok(()) => {
                    left -= length.min(left);
                    self.found.scrubbed_bytes.fetch_add(length, Ordering::Relaxed);
                    if at + length < meta.bytes {
                        scrub.current = Some((meta, at + length));
                    }
                }
                Err(error) => self.damaged(&meta, &error),
            }
        }
    }

    /// Returns the next segment to read from its start; ends a round and begins the next one when it is due.
    fn next(&self, scrub: &mut Scrub) -> Option<(Arc<SegmentMeta>, u64)> {
        let now = self.clock.monotonic();
        if scrub.waiting.is_empty() {
            match scrub.started {
                Some(started) if now.saturating_sub(started) < self.settings.scrub_every => {
                    return None;
                }
                _ => {}
            }
            let manifest = self.view.manifest();
            scrub.started = Some(now);
            scrub.waiting.clone_from(&manifest.segments);
            // Popped from the end: the oldest first.
            scrub.waiting.reverse();
        }
        let next = scrub.waiting.pop();
        if scrub.waiting.is_empty() {
            self.end_of_round();
        }
        next.map(|meta| (meta, 0))
    }

    fn end_of_round(&self) {
        let manifest = self.view.manifest();
        let mut round = self.found.round.lock();
        round.finished_ms = Some(self.clock.now_ms());
        // What was replaced is damaged no more.
        round.findings.retain(|finding| {
            manifest.segments.iter().any(|segment| segment.path == finding.place)
        });
    }

    fn damaged(&self, meta: &SegmentMeta, error: &SegmentError) {
        let listed = |meta: &SegmentMeta| {
            self.view.manifest().segments.iter().any(|segment| segment.id == meta.id)
        };
        match error {
            SegmentError::Corrupt { .. } => {}
            // It was replaced while it was being read.
            SegmentError::Missing { .. } if !listed(meta) => return,
            SegmentError::Missing { .. } => {}
            // The disk or the object store does not answer: that is no damage.
            error => {
                let error = error as &dyn std::error::Error;
                return tracing::warn!(error, segment = meta.id, "a segment cannot be read now");
            }
        }
        let known = |finding: &Finding| finding.place == meta.path;
        if self.found.round.lock().findings.iter().any(known) {
            return;
        }
        let Ok(loaded) = self.catalog.load() else { return };
        let findings = check::segment(&self.segments, meta, &loaded);
        for finding in &findings {
            tracing::error!(%finding, "sealed data is damaged; everything else is served");
        }
        let mut round = self.found.round.lock();
        round.findings.extend(findings);
        round.findings.truncate(FINDINGS_MAX);
    }
}

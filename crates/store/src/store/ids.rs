//! After a start: reading the ids of the segments, newest first, into the filter.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::view::View;
use crate::{
    id_filter::IdFilter,
    segment::{SegmentError, Segments},
};

/// Fills the filter with what was sealed before the start.
pub(super) struct Restorer {
    pub(super) view: Arc<View>,
    pub(super) segments: Arc<Segments>,
    pub(super) ids: Arc<IdFilter>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Restorer {
    /// Reads the ids of all segments, or of the newest ones that the filter has room for. When one cannot be read,
    /// the filter stays incomplete and every id is looked up, which is slower and as exact.
    pub(super) fn run(self) {
        loop {
            let seen = self.view.manifest().version;
            match self.restore() {
                Ok(true) => return self.ids.set_complete(),
                Ok(false) => return,
                // A segment was replaced meanwhile: its ids are in the one that came after it.
                Err(SegmentError::Missing { .. }) if self.view.manifest().version != seen => {}
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the ids of a segment cannot be read: every id is looked up in the segments"
                    );
                    return;
                }
            }
        }
    }

    /// Returns false when the store is being closed.
    fn restore(&self) -> Result<bool, SegmentError> {
        let manifest = self.view.manifest();
        let mut segments: Vec<_> = manifest.segments.iter().collect();
        segments.sort_unstable_by_key(|meta| std::cmp::Reverse(meta.created_ms));
        for meta in segments {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if !self.ids.restore(self.segments.ids(meta)?.into_iter()) {
                break;
            }
        }
        Ok(true)
    }
}

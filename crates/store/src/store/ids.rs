//! After a start: reading the id runs of the segments, newest first, into the filter; missing ones are made.

use std::{
    cmp::Reverse,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::view::View;
use crate::{
    catalog::{Manifest, SegmentMeta},
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
    /// Reads the ids of all segments, or of the newest ones up to the number of ids that are kept. When one cannot be read,
    /// the filter stays incomplete and every id is looked up, which is slower and as exact.
    pub(super) fn run(self) {
        loop {
            let seen = self.view.manifest().version;
            match self.restore() {
                Ok(Some(all)) => return self.ids.set_complete(all),
                Ok(None) => return,
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

    /// Returns whether there was room for all ids, and `None` when the store is being closed.
    fn restore(&self) -> Result<Option<bool>, SegmentError> {
        let manifest = self.view.manifest();
        let (recognised, given_up) = window(&manifest, self.ids.ids_max());
        for meta in recognised {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            self.ids.restore(&self.segments.id_hashes(meta)?, meta.created_ms);
        }
        given_up.iter().for_each(|meta| self.segments.drop_id_run(meta));
        Ok(Some(given_up.is_empty()))
    }
}

/// Parts the segments into the newest ones, which hold `ids_max` events or a little more, and the rest.
pub(super) fn window(
    manifest: &Manifest,
    ids_max: usize,
) -> (Vec<&SegmentMeta>, Vec<&SegmentMeta>) {
    let mut segments: Vec<_> = manifest.segments.iter().map(|meta| &**meta).collect();
    segments.sort_unstable_by_key(|meta| Reverse(meta.created_ms));
    let mut events = 0;
    segments.into_iter().partition(|meta| {
        let has_room = events < ids_max as u64;
        events += meta.events;
        has_room
    })
}

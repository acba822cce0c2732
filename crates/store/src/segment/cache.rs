//! Which segments stay open: the least recently used ones go first.

use std::{collections::HashMap, sync::Arc};

use super::{CacheLimits, SegmentFile};

#[derive(Debug)]
pub(super) struct Cache {
    limits: CacheLimits,
    entries: HashMap<String, Entry>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    file: Arc<SegmentFile>,
    used: u64,
}

impl Cache {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self { limits, entries: HashMap::new(), clock: 0 }
    }

    pub(super) fn get(&mut self, path: &str) -> Option<Arc<SegmentFile>> {
        self.clock += 1;
        let entry = self.entries.get_mut(path)?;
        entry.used = self.clock;
        Some(Arc::clone(&entry.file))
    }

    /// Adds an entry, then drops the oldest ones until the limits hold. Readers keep what they have in hand.
    pub(super) fn insert(&mut self, path: &str, file: &Arc<SegmentFile>) {
        self.clock += 1;
        self.entries.insert(path.to_owned(), Entry { file: Arc::clone(file), used: self.clock });
        while self.entries.len() > 1 && self.is_over() {
            let oldest = self
                .entries
                .iter()
                .min_by_key(|(_, entry)| entry.used)
                .map(|(path, _)| path.clone());
            let Some(oldest) = oldest else { return };
            self.entries.remove(&oldest);
        }
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.entries.remove(path);
    }

    /// Bloom filters are loaded on first use, so an entry grows after it was added.
    pub(super) fn bytes(&self) -> usize {
        self.entries.values().map(|entry| entry.file.cached_bytes()).sum()
    }

    fn is_over(&self) -> bool {
        self.entries.len() > self.limits.segments_max || self.bytes() > self.limits.bytes_max
    }
}

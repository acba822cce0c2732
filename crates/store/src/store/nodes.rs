//! The tree of one log as a [`NodeSource`]: leaves recomputed from content, level-4 nodes beside the events, and the tile
//! levels above them computed once and remembered.
//!
//! Nodes never change once they are full, so no read needs one consistent state of the log: each takes what is unsealed
//! and the manifest under one lock.

use std::sync::Arc;

use attestary_ledger::{Frontier, Hash, NodeSource, node_hash};
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::view::View;
use crate::{
    query::{ReadView, tree::NODE_LEAVES},
    segment::{SegmentError, Segments},
};

/// Bytes of nodes that stay in memory: the upper levels of about 200 million events, or of fewer with their leaves.
const CACHE_BYTES_MAX: usize = 32 << 20;
/// What an entry of the cache costs beside its hashes.
const ENTRY_BYTES: usize = 96;
/// Nodes that are looked for under one lock of the view.
const NODES_MAX: usize = 4_096;

/// The nodes of one level that are read and remembered together.
type Key = (u64, u32, u64);

/// Groups of nodes, the recently used ones. Entries are prefixes of their groups and may grow.
#[derive(Debug, Default)]
pub(super) struct NodeCache(Mutex<Generations>);

/// What was used since the last turn, and what was used in the turn before.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Arc<[Hash]>>,
    young_bytes: usize,
    old: HashMap<Key, Arc<[Hash]>>,
}

impl NodeCache {
    fn get(&self, key: &Key) -> Option<Arc<[Hash]>> {
        let mut generations = self.0.lock();
        if let Some(group) = generations.young.get(key) {
            return Some(Arc::clone(group));
        }
        let group = generations.old.remove(key)?;
        generations.insert(*key, Arc::clone(&group));
        Some(group)
    }

    fn put(&self, key: Key, group: &Arc<[Hash]>) {
        self.0.lock().insert(key, Arc::clone(group));
    }
}

impl Generations {
    fn insert(&mut self, key: Key, group: Arc<[Hash]>) {
        self.young_bytes += group.len() * 32 + ENTRY_BYTES;
        if let Some(before) = self.young.insert(key, group) {
            self.young_bytes -= before.len() * 32 + ENTRY_BYTES;
        }
        if self.young_bytes > CACHE_BYTES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

/// The nodes of one log of at least `size` events. Reads files: use it on a blocking thread.
pub(super) struct Nodes<'a> {
    pub(super) view: &'a View,
    pub(super) segments: &'a Segments,
    pub(super) cache: &'a NodeCache,
    pub(super) slot: u64,
    pub(super) size: u64,
}

impl NodeSource for Nodes<'_> {
    type Error = SegmentError;

    fn kept_level(&self, level: u32) -> u32 {
        match level {
            0..Frontier::KEPT_LEVEL => 0,
            Frontier::KEPT_LEVEL..8 => Frontier::KEPT_LEVEL,
            _ => level / 8 * 8,
        }
    }

    fn read(&self, level: u32, first: u64, nodes: &mut [Hash]) -> Result<(), SegmentError> {
        let width = group_width(level);
        let (mut position, mut rest) = (first, nodes);
        while !rest.is_empty() {
            let offset = (position % width) as usize;
            let count = rest.len().min(width as usize - offset);
            let group = self.group(level, position / width, offset + count)?;
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&group[offset..offset + count]);
            position += count as u64;
            rest = later;
        }
        Ok(())
    }
}

/// Stored levels are read in pieces of one node of the level that is kept next, computed ones as tiles.
fn group_width(level: u32) -> u64 {
    if level < 8 { NODE_LEAVES } else { 256 }
}

impl Nodes<'_> {
    /// Returns at least the first `needed` nodes of a group.
    fn group(&self, level: u32, group: u64, needed: usize) -> Result<Arc<[Hash]>, SegmentError> {
        let key = (self.slot, level, group);
        let known = self.cache.get(&key);
        if let Some(known) = known.as_ref().filter(|known| known.len() >= needed) {
            return Ok(Arc::clone(known));
        }
        let first = group * group_width(level);
        let there = (self.size >> level).saturating_sub(first).min(group_width(level)) as usize;
        if there < needed {
            return Err(self.absent(level, first + needed as u64 - 1));
        }
        // Upper levels are taken as far as they go, so that a growing log is not read again and again.
        let mut hashes = known.map_or_else(Vec::new, |known| known.to_vec());
        let done = hashes.len();
        hashes.resize(there, [0; 32]);
        self.compute(level, first + done as u64, &mut hashes[done..])?;
        let hashes: Arc<[Hash]> = hashes.into();
        self.cache.put(key, &hashes);
        Ok(hashes)
    }

    fn compute(&self, level: u32, first: u64, out: &mut [Hash]) -> Result<(), SegmentError> {
        match level {
            0..8 => self.stored(level, first, out),
            8 => {
                let mut below = vec![[0; 32]; out.len() * 16];
                self.stored(Frontier::KEPT_LEVEL, first * 16, &mut below)?;
                for (node, below) in out.iter_mut().zip(below.chunks_mut(16)) {
                    *node = fold(below);
                }
                Ok(())
            }
            _ => {
                for (node, index) in out.iter_mut().zip(first..) {
                    *node = fold(&mut self.group(level - 8, index, 256)?.to_vec());
                }
                Ok(())
            }
        }
    }

    /// Reads leaves (level 0) or level-4 nodes from memory and segments.
    fn stored(&self, level: u32, first: u64, out: &mut [Hash]) -> Result<(), SegmentError> {
        let mut position = first;
        for out in out.chunks_mut(NODES_MAX) {
            while !self.stored_once(level, position, out)? {}
            position += out.len() as u64;
        }
        Ok(())
    }

    /// Returns false when the manifest changed under the read: the next try sees its successor.
    fn stored_once(&self, level: u32, first: u64, out: &mut [Hash]) -> Result<bool, SegmentError> {
        // A node stands beside the last of its leaves.
        let last_leaf = |node: u64| ((node + 1) << level) - 1;
        let seqs = last_leaf(first)..last_leaf(first + out.len() as u64 - 1) + 1;
        let mut found = vec![false; out.len()];
        let mut note = |seq: u64, node: Hash| {
            let at = (((seq + 1) >> level) - 1 - first) as usize;
            if let (Some(place), Some(found)) = (out.get_mut(at), found.get_mut(at)) {
                *place = node;
                *found = true;
            }
        };
        let manifest = self.view.visit_unsealed(self.slot, seqs.clone(), 1 << level, |unsealed| {
            let record = unsealed.record();
            let node = if level == 0 { Some(record.leaf_hash()) } else { unsealed.node() };
            if let Some(node) = node {
                note(record.seq(), node);
            }
        });
        let sealed_end = seqs.end.min(manifest.next_seq(self.slot));
        if seqs.start < sealed_end {
            let view = ReadView {
                manifest: &manifest,
                segments: self.segments,
                unsealed: &(),
                logs: self.view,
            };
            let seqs = seqs.start..sealed_end;
            let read = if level == 0 {
                view.committed(self.slot, &seqs, &mut |event| {
                    note(event.entry.seq, event.entry.leaf_hash());
                })
            } else {
                view.kept_nodes(self.slot, &seqs, &mut note)
            };
            match read {
                Err(SegmentError::Missing { .. })
                    if self.view.manifest().version != manifest.version =>
                {
                    return Ok(false);
                }
                read => read?,
            }
        }
        match found.iter().position(|found| !found) {
            None => Ok(true),
            Some(at) => Err(self.absent(level, first + at as u64)),
        }
    }

    fn absent(&self, level: u32, index: u64) -> SegmentError {
        SegmentError::NoNode { slot: self.slot, level, index }
    }
}

/// Returns the hash over a power of two of neighbouring nodes; overwrites them.
fn fold(nodes: &mut [Hash]) -> Hash {
    let mut width = nodes.len();
    while width > 1 {
        width /= 2;
        for at in 0..width {
            nodes[at] = node_hash(&nodes[2 * at], &nodes[2 * at + 1]);
        }
    }
    nodes[0]
}

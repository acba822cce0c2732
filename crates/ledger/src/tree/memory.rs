//! A tree held in memory: every perfect node of every level. For small trees, the epoch tree and tests.

use std::convert::Infallible;

use super::{NodeSource, empty_root, subtree};
use crate::{Hash, node_hash};

/// All perfect nodes of a tree; two hashes (64 bytes) of memory for each leaf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryTree {
    /// `levels[l][i]` is the node `(l, i)`; a level exists when it has a node.
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Appends a leaf hash and the nodes that it completes.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(node);
            let [.., left, right] = nodes.as_slice() else { return };
            if !nodes.len().is_multiple_of(2) {
                return;
            }
            node = node_hash(left, right);
        }
    }

    /// Replaces the leaf hash at `index` and the nodes above it; panics when there is no such leaf.
    ///
    /// For trees whose leaves may change, such as the epoch tree. A log's leaves never do.
    pub fn replace(&mut self, index: u64, leaf: Hash) {
        let mut index = index as usize;
        self.levels[0][index] = leaf;
        for level in 1..self.levels.len() {
            index /= 2;
            let Some((left, right)) = pair(&self.levels[level - 1], index) else { return };
            self.levels[level][index] = node_hash(left, right);
        }
    }

    /// Replaces many leaf hashes, in the order of their indexes, each named once, and hashes every node above them once;
    /// panics when there is no such leaf.
    pub fn replace_all(&mut self, leaves: &[(u64, Hash)]) {
        let mut indexes: Vec<usize> = Vec::with_capacity(leaves.len());
        for (index, leaf) in leaves {
            self.levels[0][*index as usize] = *leaf;
            indexes.push(*index as usize);
        }
        for level in 1..self.levels.len() {
            indexes.iter_mut().for_each(|index| *index /= 2);
            indexes.dedup();
            let (below, above) = self.levels.split_at_mut(level);
            // Only the last one can lack its right child.
            indexes.retain(|index| {
                let Some((left, right)) = pair(&below[level - 1], *index) else { return false };
                above[0][*index] = node_hash(left, right);
                true
            });
        }
    }

    /// Returns the root.
    pub fn root(&self) -> Hash {
        match self.size() {
            0 => empty_root(),
            size => match subtree(self, 0, size) {
                Ok(root) => root,
                Err(never) => match never {},
            },
        }
    }
}

fn pair(nodes: &[Hash], index: usize) -> Option<(&Hash, &Hash)> {
    Some((nodes.get(2 * index)?, nodes.get(2 * index + 1)?))
}

impl Extend<Hash> for MemoryTree {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.append(leaf));
    }
}

impl FromIterator<Hash> for MemoryTree {
    fn from_iter<T: IntoIterator<Item = Hash>>(leaves: T) -> Self {
        let mut tree = Self::default();
        tree.extend(leaves);
        tree
    }
}

/// Panics beyond the tree: callers check sizes before they ask for nodes.
impl NodeSource for MemoryTree {
    type Error = Infallible;

    fn kept_level(&self, level: u32) -> u32 {
        level
    }

    fn read(&self, level: u32, first: u64, nodes: &mut [Hash]) -> Result<(), Infallible> {
        let first = first as usize;
        nodes.copy_from_slice(&self.levels[level as usize][first..first + nodes.len()]);
        Ok(())
    }
}

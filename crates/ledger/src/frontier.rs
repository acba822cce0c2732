//! The frontier: the right edge of an append-only Merkle tree, all that appending and the root need.

use sha2::{Digest as _, Sha256};

use crate::{Hash, NodeSource, node_hash, tree};

/// The roots of the perfect subtrees that make up a tree, largest first.
///
/// Its length is the number of one bits in `size`; at most 64 hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Level of the nodes that are kept beside events: one hash for every 16 leaves.
    pub const KEPT_LEVEL: u32 = 4;

    /// Restores a frontier from its size and peaks; `None` when they do not fit together.
    pub fn restore(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Reads the frontier of the first `size` leaves.
    pub fn generate<S: NodeSource + ?Sized>(source: &S, size: u64) -> Result<Self, S::Error> {
        let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        // The subtree of a bit stands behind those of the larger bits.
        let peaks = levels.map(|level| tree::node(source, level, (size >> level) - 1));
        Ok(Self { size, peaks: peaks.collect::<Result<_, _>>()? })
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the subtree roots, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf. Returns the level-4 node when this leaf completes one (every 16th leaf).
    pub fn append(&mut self, leaf: Hash) -> Option<Hash> {
        let mut node = leaf;
        let mut kept = None;
        for level in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak per one bit of the size");
            node = node_hash(&left, &node);
            if level + 1 == Self::KEPT_LEVEL {
                kept = Some(node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
        kept
    }

    /// Returns the RFC 6962 root: `SHA-256("")` for the empty tree.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(&last) = peaks.next() else {
            return Sha256::digest([]).into();
        };
        peaks.fold(last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in RFC 6962 section 2.1, as it stands there.
    fn defined_root(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => Sha256::digest([]).into(),
            1 => leaves[0],
            n => {
                let k = n.next_power_of_two() / 2;
                node_hash(&defined_root(&leaves[..k]), &defined_root(&leaves[k..]))
            }
        }
    }

    #[test]
    fn the_root_is_the_defined_one_at_every_size() {
        let leaves: Vec<Hash> = (0..130u8).map(|i| crate::leaf_hash(&[i])).collect();
        let mut frontier = Frontier::default();
        assert_eq!(frontier.root(), defined_root(&[]));
        for (i, leaf) in leaves.iter().enumerate() {
            let kept = frontier.append(*leaf);
            assert_eq!(frontier.root(), defined_root(&leaves[..=i]));
            let expected = (i % 16 == 15).then(|| defined_root(&leaves[i - 15..=i]));
            assert_eq!(kept, expected);
        }
        let restored = Frontier::restore(frontier.size(), frontier.peaks().to_vec()).unwrap();
        assert_eq!(restored, frontier);
        assert_eq!(Frontier::restore(3, vec![]), None);
    }

    #[test]
    fn the_frontier_of_every_size_is_read_from_the_tree() {
        let leaves = (0..=255u8).map(|i| crate::leaf_hash(&[i]));
        let tree: crate::MemoryTree = leaves.clone().collect();
        let mut appended = Frontier::default();
        for (size, leaf) in (0..).zip(leaves) {
            assert_eq!(Frontier::generate(&tree, size).unwrap(), appended);
            appended.append(leaf);
        }
    }
}

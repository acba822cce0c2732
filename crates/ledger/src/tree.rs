//! The RFC 6962 tree over any source of nodes: subtree hashes, roots, inclusion and consistency proofs.
//!
//! A tree of `size` leaves is cut into perfect subtrees. The node `(level, index)` is the hash over the leaves
//! `index << level .. (index + 1) << level`; level 0 is the leaves. Perfect nodes never change once they are full, so
//! a [`NodeSource`] may keep any levels that suit it and proofs for every earlier size remain possible.

pub mod consistency;
pub mod inclusion;
pub mod memory;

use sha2::{Digest as _, Sha256};

use crate::{Hash, node_hash};

/// How many nodes are read at once; more are read in parts.
const READ_NODES_MAX: usize = 256;

/// Where the nodes of perfect subtrees come from: memory, tiles, or kept nodes and recomputed leaves.
///
/// A store that keeps level 4 and the tile levels answers 0 to `kept_level(0..=3)`, 4 to `4..=7`, 8 to `8..=15` and so
/// on. [`node`] hashes what lies between, so that a node costs at most `1 << (level - kept_level)` reads.
pub trait NodeSource {
    /// Why a node could not be read.
    type Error;

    /// Returns the highest level not above `level` that [`Self::read`] serves.
    fn kept_level(&self, level: u32) -> u32;

    /// Writes the nodes `first ..` of a kept level into `nodes`; they are full subtrees of the tree, never partial
    /// ones, and at most 256 at once.
    fn read(&self, level: u32, first: u64, nodes: &mut [Hash]) -> Result<(), Self::Error>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    type Error = S::Error;

    fn kept_level(&self, level: u32) -> u32 {
        (**self).kept_level(level)
    }

    fn read(&self, level: u32, first: u64, nodes: &mut [Hash]) -> Result<(), Self::Error> {
        (**self).read(level, first, nodes)
    }
}

/// Returns the hash of the empty tree: `SHA-256("")`.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Returns the root of the first `size` leaves: MTH of RFC 6962 section 2.1.
pub fn root<S: NodeSource + ?Sized>(source: &S, size: u64) -> Result<Hash, S::Error> {
    if size == 0 { Ok(empty_root()) } else { subtree(source, 0, size) }
}

/// Returns the hash of a perfect subtree, from the nearest kept level below it.
pub fn node<S: NodeSource + ?Sized>(source: &S, level: u32, index: u64) -> Result<Hash, S::Error> {
    let kept = source.kept_level(level).min(level);
    let height = level - kept;
    if 1_u64 << height > READ_NODES_MAX as u64 {
        let left = node(source, level - 1, index << 1)?;
        let right = node(source, level - 1, (index << 1) + 1)?;
        return Ok(node_hash(&left, &right));
    }
    gather(source, kept, index << height, 1 << height)
}

/// Reads `count` kept nodes, at most [`READ_NODES_MAX`], and returns the hash over them.
fn gather<S: NodeSource + ?Sized>(
    source: &S,
    level: u32,
    first: u64,
    count: usize,
) -> Result<Hash, S::Error> {
    let mut nodes = [[0; 32]; READ_NODES_MAX];
    let nodes = &mut nodes[..count];
    source.read(level, first, nodes)?;
    Ok(fold(nodes))
}

/// Returns the hash over a power of two of neighbouring nodes; overwrites them.
fn fold(nodes: &mut [Hash]) -> Hash {
    let mut width = nodes.len();
    while width > 1 {
        width /= 2;
        for i in 0..width {
            nodes[i] = node_hash(&nodes[2 * i], &nodes[2 * i + 1]);
        }
    }
    nodes[0]
}

/// Returns MTH(D[start : start + count]) for `count ≥ 1`, where `start` is a multiple of every power of two in `count`
/// (as in all the ranges that RFC 6962 section 2.1 forms).
pub(crate) fn subtree<S: NodeSource + ?Sized>(
    source: &S,
    start: u64,
    count: u64,
) -> Result<Hash, S::Error> {
    let mut end = start + count;
    let mut rest = count;
    let mut hash = None;
    // From the right: the smallest perfect subtree first, each larger one to the left of it.
    while rest > 0 {
        let level = rest.trailing_zeros();
        end -= 1 << level;
        rest &= rest - 1;
        let left = node(source, level, end >> level)?;
        hash = Some(hash.map_or(left, |right| node_hash(&left, &right)));
    }
    Ok(hash.expect("a subtree has at least one leaf"))
}

/// Returns the largest power of two below `count`, for `count ≥ 2`: where RFC 6962 splits a tree.
pub(crate) fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// Why a proof does not show what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The index is not in the tree.
    #[error("index {index} is not in a tree of {size} leaves")]
    Index { index: u64, size: u64 },
    /// The sizes are not in order.
    #[error("a tree of {old} leaves does not come before one of {new}")]
    Order { old: u64, new: u64 },
    /// Too few or too many hashes for these sizes.
    #[error("a proof of {hashes} hashes does not fit the tree")]
    Length { hashes: usize },
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
    /// The hashes lead to another root for the older tree, or that root is not the empty tree's.
    #[error("the proof leads to another root of the older tree")]
    OldRoot,
}

/// Why a proof could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError<E> {
    /// The index is not in the tree.
    #[error("index {index} is not in a tree of {size} leaves")]
    Index { index: u64, size: u64 },
    /// The sizes are not in order.
    #[error("a tree of {old} leaves does not come before one of {new}")]
    Order { old: u64, new: u64 },
    /// The source failed.
    #[error("cannot read a tree node")]
    Read {
        /// What the source said.
        source: E,
    },
}

#[cfg(test)]
mod tests;

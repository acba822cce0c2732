//! Inclusion proofs: this leaf is in that tree.

use super::{NodeSource, ProofError, ProveError, split, subtree};
use crate::{Hash, node_hash};

/// The hashes that lead from one leaf to the root, the leaf's sibling first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Position of the leaf.
    pub index: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// At most 64 hashes.
    pub hashes: Vec<Hash>,
}

impl InclusionProof {
    /// Returns the proof that leaf `index` is in the first `size` leaves: PATH of RFC 6962 section 2.1.1.
    pub fn generate<S: NodeSource + ?Sized>(
        source: &S,
        index: u64,
        size: u64,
    ) -> Result<Self, ProveError<S::Error>> {
        if index >= size {
            return Err(ProveError::Index { index, size });
        }
        let mut hashes = path(source, index, size).map_err(|source| ProveError::Read { source })?;
        hashes.reverse();
        Ok(Self { index, size, hashes })
    }

    /// Returns the root to which the proof leads from `leaf`: RFC 9162 section 2.1.3.2.
    pub fn root(&self, leaf: &Hash) -> Result<Hash, ProofError> {
        let (index, size) = (self.index, self.size);
        if index >= size {
            return Err(ProofError::Index { index, size });
        }
        let wrong_length = ProofError::Length { hashes: self.hashes.len() };
        let (mut position, mut last) = (index, size - 1);
        let mut root = *leaf;
        for sibling in &self.hashes {
            if last == 0 {
                return Err(wrong_length);
            }
            if position & 1 == 1 || position == last {
                root = node_hash(sibling, &root);
                // At the right edge there are levels at which the node has no sibling.
                let skipped = position.trailing_zeros();
                position >>= skipped;
                last >>= skipped;
            } else {
                root = node_hash(&root, sibling);
            }
            position >>= 1;
            last >>= 1;
        }
        if last == 0 { Ok(root) } else { Err(wrong_length) }
    }

    /// Checks that the proof leads from `leaf` to `root`.
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> Result<(), ProofError> {
        if self.root(leaf)? == *root { Ok(()) } else { Err(ProofError::Root) }
    }
}

/// Collects the siblings from the root down.
fn path<S: NodeSource + ?Sized>(source: &S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let (mut start, mut count) = (0, size);
    let mut hashes = Vec::new();
    while count > 1 {
        let left = split(count);
        if index - start < left {
            hashes.push(subtree(source, start + left, count - left)?);
            count = left;
        } else {
            hashes.push(subtree(source, start, left)?);
            start += left;
            count -= left;
        }
    }
    Ok(hashes)
}

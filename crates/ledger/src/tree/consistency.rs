//! Consistency proofs: the newer tree begins with all leaves of the older one.

use super::{NodeSource, ProofError, ProveError, empty_root, split, subtree};
use crate::{Hash, node_hash};

/// The hashes from which both the older and the newer root follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Leaves of the older tree.
    pub old: u64,
    /// Leaves of the newer tree.
    pub new: u64,
    /// At most 65 hashes; none when the sizes are equal or the older tree is empty.
    pub hashes: Vec<Hash>,
}

impl ConsistencyProof {
    /// Returns the proof from `old` to `new` leaves: PROOF of RFC 6962 section 2.1.2, empty for an empty older tree.
    pub fn generate<S: NodeSource + ?Sized>(
        source: &S,
        old: u64,
        new: u64,
    ) -> Result<Self, ProveError<S::Error>> {
        if old > new {
            return Err(ProveError::Order { old, new });
        }
        if old == 0 || old == new {
            return Ok(Self { old, new, hashes: Vec::new() });
        }
        let mut hashes = steps(source, old, new).map_err(|source| ProveError::Read { source })?;
        hashes.reverse();
        Ok(Self { old, new, hashes })
    }

    /// Checks that the tree with `new_root` grew out of the one with `old_root`: RFC 9162 section 2.1.4.2.
    ///
    /// Every tree grew out of the empty tree, whose root must be `SHA-256("")`.
    pub fn verify(&self, old_root: &Hash, new_root: &Hash) -> Result<(), ProofError> {
        let (old, new) = (self.old, self.new);
        if old > new {
            return Err(ProofError::Order { old, new });
        }
        if old != 0 && old != new {
            return self.verify_growth(old_root, new_root);
        }
        if !self.hashes.is_empty() {
            return Err(ProofError::Length { hashes: self.hashes.len() });
        }
        if old == 0 && *old_root != empty_root() {
            return Err(ProofError::OldRoot);
        }
        if old == new && old_root != new_root {
            return Err(ProofError::Root);
        }
        Ok(())
    }

    /// The case 0 < old < new.
    fn verify_growth(&self, old_root: &Hash, new_root: &Hash) -> Result<(), ProofError> {
        let wrong_length = ProofError::Length { hashes: self.hashes.len() };
        // A perfect older tree is itself the first node.
        let (first, rest) = match self.hashes.split_first() {
            _ if self.old.is_power_of_two() => (old_root, self.hashes.as_slice()),
            Some((first, rest)) => (first, rest),
            None => return Err(wrong_length),
        };
        let skipped = (self.old - 1).trailing_ones();
        let (mut position, mut last) = ((self.old - 1) >> skipped, (self.new - 1) >> skipped);
        let (mut old_hash, mut new_hash) = (*first, *first);
        for hash in rest {
            if last == 0 {
                return Err(wrong_length);
            }
            if position & 1 == 1 || position == last {
                old_hash = node_hash(hash, &old_hash);
                new_hash = node_hash(hash, &new_hash);
                let skipped = position.trailing_zeros();
                position >>= skipped;
                last >>= skipped;
            } else {
                new_hash = node_hash(&new_hash, hash);
            }
            position >>= 1;
            last >>= 1;
        }
        match last {
            0 if old_hash != *old_root => Err(ProofError::OldRoot),
            0 if new_hash != *new_root => Err(ProofError::Root),
            0 => Ok(()),
            _ => Err(wrong_length),
        }
    }
}

/// Collects the hashes of SUBPROOF from the root down.
fn steps<S: NodeSource + ?Sized>(source: &S, old: u64, new: u64) -> Result<Vec<Hash>, S::Error> {
    let (mut start, mut old, mut count) = (0, old, new);
    let mut hashes = Vec::new();
    while old < count {
        let left = split(count);
        if old <= left {
            hashes.push(subtree(source, start + left, count - left)?);
            count = left;
        } else {
            hashes.push(subtree(source, start, left)?);
            start += left;
            old -= left;
            count -= left;
        }
    }
    // The verifier has this node already when it is the whole older tree.
    if start > 0 {
        hashes.push(subtree(source, start, count)?);
    }
    Ok(hashes)
}

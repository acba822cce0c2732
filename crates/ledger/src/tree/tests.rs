use std::{cell::Cell, convert::Infallible};

use proptest::prelude::*;

use super::{consistency::ConsistencyProof, inclusion::InclusionProof, memory::MemoryTree, *};
use crate::{Frontier, leaf_hash};

const SIZE_MAX: u64 = 130;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// RFC 6962 section 2.1, as it stands there.
fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&defined_root(left), &defined_root(right))
        }
    }
}

/// RFC 6962 section 2.1.1, as it stands there.
fn defined_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    if index < k {
        [defined_path(index, left), vec![defined_root(right)]].concat()
    } else {
        [defined_path(index - k, right), vec![defined_root(left)]].concat()
    }
}

/// RFC 6962 section 2.1.2, as it stands there.
fn defined_subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![defined_root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    if old <= k {
        [defined_subproof(old, left, whole), vec![defined_root(right)]].concat()
    } else {
        [defined_subproof(old - k, right, false), vec![defined_root(left)]].concat()
    }
}

/// Level 4 and the tile levels are kept; leaves are recomputed, 16 at a time.
struct Kept {
    tree: MemoryTree,
    levels: Vec<u32>,
    read: Cell<usize>,
}

impl Kept {
    fn new(leaves: &[Hash], levels: &[u32]) -> Self {
        Self { tree: leaves.iter().copied().collect(), levels: levels.into(), read: Cell::new(0) }
    }
}

impl NodeSource for Kept {
    type Error = Infallible;

    fn kept_level(&self, level: u32) -> u32 {
        *self.levels.iter().rfind(|&&kept| kept <= level).unwrap()
    }

    fn read(&self, level: u32, first: u64, nodes: &mut [Hash]) -> Result<(), Infallible> {
        assert!(self.levels.contains(&level));
        self.read.update(|read| read + nodes.len());
        self.tree.read(level, first, nodes)
    }
}

#[test]
fn roots_and_proofs_are_the_defined_ones_at_every_size() {
    let all = leaves(SIZE_MAX);
    let source = Kept::new(&all, &[0, 4, 8]);
    let mut frontier = Frontier::default();
    for size in 1..=SIZE_MAX {
        let some = &all[..size as usize];
        frontier.append(some[some.len() - 1]);
        let new_root = root(&source, size).unwrap();
        assert_eq!(new_root, defined_root(some));
        assert_eq!(new_root, frontier.root());
        for index in 0..size {
            let proof = InclusionProof::generate(&source, index, size).unwrap();
            assert_eq!(proof.hashes, defined_path(index as usize, some));
            proof.verify(&some[index as usize], &new_root).unwrap();
            let proof = ConsistencyProof::generate(&source, index + 1, size).unwrap();
            assert_eq!(proof.hashes, defined_subproof(index as usize + 1, some, true));
            proof.verify(&defined_root(&some[..=index as usize]), &new_root).unwrap();
        }
    }
}

#[test]
fn the_empty_tree_comes_before_every_tree() {
    let tree: MemoryTree = leaves(5).into_iter().collect();
    for (old, new) in [(0, 0), (0, 5), (5, 5)] {
        let proof = ConsistencyProof::generate(&tree, old, new).unwrap();
        assert!(proof.hashes.is_empty());
        let (old_root, new_root) = (root(&tree, old).unwrap(), root(&tree, new).unwrap());
        assert_eq!(proof.verify(&old_root, &new_root), Ok(()));
        assert!(proof.verify(&[1; 32], &new_root).is_err());
        let longer = ConsistencyProof { hashes: vec![new_root], ..proof };
        assert_eq!(longer.verify(&old_root, &new_root), Err(ProofError::Length { hashes: 1 }));
    }
}

#[test]
fn sizes_and_indexes_outside_the_tree_are_refused() {
    let tree: MemoryTree = leaves(5).into_iter().collect();
    let proof = InclusionProof::generate(&tree, 5, 5);
    assert!(matches!(proof, Err(ProveError::Index { index: 5, size: 5 })));
    let proof = ConsistencyProof::generate(&tree, 5, 4);
    assert!(matches!(proof, Err(ProveError::Order { old: 5, new: 4 })));
    let proof = InclusionProof { index: 5, size: 5, hashes: vec![] };
    assert_eq!(proof.root(&[0; 32]), Err(ProofError::Index { index: 5, size: 5 }));
    let proof = ConsistencyProof { old: 5, new: 4, hashes: vec![] };
    assert_eq!(proof.verify(&[0; 32], &[0; 32]), Err(ProofError::Order { old: 5, new: 4 }));
}

#[test]
fn kept_levels_bound_what_is_read() {
    let all = leaves(4_096 + 300);
    let source = Kept::new(&all, &[0, 4, 8]);
    InclusionProof::generate(&source, 4_095, all.len() as u64).unwrap();
    // 15 leaves beside the leaf, level 4 up to the tile, 15 tiles of level 8, then the right edge: 256 + 32 + 8 + 4.
    assert!(source.read.get() <= 15 + 15 + 16 + 20, "{} nodes", source.read.get());
    let source = Kept::new(&all, &[0]);
    assert_eq!(root(&source, 4_396).unwrap(), defined_root(&all));
    assert_eq!(source.read.get(), 4_396);
}

// seeds: WO-09
#[test]
fn replacing_a_leaf_changes_the_tree_as_building_it_anew_does() {
    for size in 1..70 {
        let mut some = leaves(size);
        let mut tree: MemoryTree = some.iter().copied().collect();
        for index in 0..size {
            some[index as usize] = [index as u8; 32];
            tree.replace(index, [index as u8; 32]);
            assert_eq!(tree, some.iter().copied().collect());
        }
        assert_eq!(tree.root(), defined_root(&some));
    }
}

#[test]
fn verifiers_end_on_the_largest_sizes() {
    for (index, size) in [(0, u64::MAX), (u64::MAX - 1, u64::MAX), (1 << 63, u64::MAX)] {
        for count in 0..70 {
            let hashes = vec![[7; 32]; count];
            let proof = InclusionProof { index, size, hashes: hashes.clone() };
            let fits = proof.root(&[1; 32]).is_ok();
            assert_eq!(fits, count == fitting(index, size), "{index} {count}");
            let _ = ConsistencyProof { old: index, new: size, hashes }.verify(&[0; 32], &[0; 32]);
        }
    }
}

/// Length of an inclusion proof by the shape alone: inner levels, then one hash per set bit on the way up.
fn fitting(index: u64, size: u64) -> usize {
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize
}

proptest! {
    #[test]
    fn a_changed_proof_never_verifies(
        size in 2..300_u64, pick in any::<u64>(), place in any::<usize>(), bit in 0..8_u32,
    ) {
        let tree: MemoryTree = leaves(size).into_iter().collect();
        let (index, new_root) = (pick % size, root(&tree, size).unwrap());
        let leaf = leaf_hash(&index.to_be_bytes());
        let proof = InclusionProof::generate(&tree, index, size).unwrap();
        let mut flipped = proof.clone();
        let place = place % (proof.hashes.len() * 32);
        flipped.hashes.as_flattened_mut()[place] ^= 1 << bit;
        prop_assert_eq!(flipped.verify(&leaf, &new_root), Err(ProofError::Root));
        for other in [index.wrapping_sub(1), index + 1] {
            let moved = InclusionProof { index: other, ..proof.clone() };
            prop_assert!(moved.verify(&leaf, &new_root).is_err());
        }
        let mut shorter = proof;
        shorter.hashes.pop();
        prop_assert!(shorter.verify(&leaf, &new_root).is_err());
    }

    #[test]
    fn a_changed_history_never_verifies(size in 3..300_u64, pick in any::<u64>(), place in any::<usize>()) {
        let tree: MemoryTree = leaves(size).into_iter().collect();
        let old = 1 + pick % (size - 1);
        let (old_root, new_root) = (root(&tree, old).unwrap(), root(&tree, size).unwrap());
        let proof = ConsistencyProof::generate(&tree, old, size).unwrap();
        prop_assert_eq!(proof.verify(&old_root, &new_root), Ok(()));
        let mut flipped = proof.clone();
        let place = place % (proof.hashes.len() * 32);
        flipped.hashes.as_flattened_mut()[place] ^= 1;
        prop_assert!(flipped.verify(&old_root, &new_root).is_err());
        let mut forked = tree;
        forked.replace(pick % old, [0; 32]);
        let forked_root = root(&forked, old).unwrap();
        prop_assert_eq!(proof.verify(&forked_root, &new_root).is_err(), forked_root != old_root);
        let mut longer = proof;
        longer.hashes.push(new_root);
        prop_assert!(longer.verify(&old_root, &new_root).is_err());
    }
}

//! Trees and proofs against an implementation that is not ours: `ct-merkle`.
//!
//! Notes, cosignatures, tiles, proof files and policies are judged by Go programs in `tests/oracles/go-ledger`.

use attestary_ledger::{ConsistencyProof, InclusionProof, MemoryTree, leaf_hash, tree};
use ct_merkle::{ConsistencyProof as TheirConsistency, InclusionProof as TheirInclusion};
use ct_merkle::{RootHash, mem_backed_tree::MemoryBackedTree};
use sha2::Sha256;

const SIZE_MAX: u64 = 130;

fn entry(index: u64) -> Vec<u8> {
    index.to_be_bytes().to_vec()
}

#[test]
fn every_proof_is_also_theirs() {
    let ours: MemoryTree = (0..SIZE_MAX).map(|i| leaf_hash(&entry(i))).collect();
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 1..=SIZE_MAX {
        theirs.push(entry(size - 1));
        let root = tree::root(&ours, size).unwrap();
        let their_root = theirs.root();
        assert_eq!(their_root.as_bytes().as_slice(), root, "root of {size}");
        for index in 0..size {
            let proof = InclusionProof::generate(&ours, index, size).unwrap();
            let made = theirs.prove_inclusion(index as usize);
            assert_eq!(made.as_bytes(), proof.hashes.as_flattened(), "{index} in {size}");
            let read = TheirInclusion::from_bytes(proof.hashes.as_flattened().to_vec());
            their_root.verify_inclusion(&entry(index), index, &read).unwrap();
        }
        // They know no proof from an equal or an empty tree.
        for old in 1..size {
            let proof = ConsistencyProof::generate(&ours, old, size).unwrap();
            let made = theirs.prove_consistency((size - old) as usize);
            assert_eq!(made.as_bytes(), proof.hashes.as_flattened(), "{old} to {size}");
            let old_root = tree::root(&ours, old).unwrap();
            let old_root = RootHash::<Sha256>::new(old_root.into(), old);
            let read = proof.hashes.as_flattened().to_vec();
            let read = TheirConsistency::try_from_bytes(read).unwrap();
            their_root.verify_consistency(&old_root, &read).unwrap();
        }
    }
}

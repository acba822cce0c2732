use super::*;
use crate::{Checkpoint, Entry, MemoryTree, NoteSigner, leaf_hash, note::VerifyError};

fn entry(seq: u64) -> Entry {
    let fields_hash = [seq as u8; 32];
    let (origin, event_id) = (crate::origin_id("log"), [3; 16]);
    Entry { origin, seq, received_ms: 5, event_id, n_fields: 1, flags: 0, fields_hash }
}

fn made(size: u64, index: u64) -> (ProofFile, Policy) {
    let tree: MemoryTree = (0..size).map(|seq| entry(seq).leaf_hash()).collect();
    let signer = NoteSigner::new("log", &[1; 32]).unwrap();
    let mut checkpoint = Note::new(Checkpoint::new("log", size, tree.root()).to_string()).unwrap();
    checkpoint.push(signer.sign(checkpoint.text())).unwrap();
    let hashes = InclusionProof::generate(&tree, index, size).unwrap().hashes;
    let extra = Some(entry(index).encode().to_vec());
    let policy = format!("log {}\nquorum none\n", signer.verifier());
    (ProofFile { extra, index, hashes, checkpoint }, Policy::parse(policy.as_bytes()).unwrap())
}

#[test]
fn a_file_comes_back_and_verifies() {
    for (size, index) in [(1, 0), (7, 6), (300, 17)] {
        let (file, policy) = made(size, index);
        let parsed = ProofFile::parse(file.to_string().as_bytes()).unwrap();
        assert_eq!(parsed, file);
        let leaf = leaf_hash(parsed.extra.as_ref().unwrap());
        let accepted = parsed.verify(&leaf, &policy).unwrap();
        assert_eq!(accepted.checkpoint.size, size);
        let without = ProofFile { extra: None, ..file };
        assert_eq!(ProofFile::parse(without.to_string().as_bytes()), Ok(without));
    }
}

#[test]
fn a_file_proves_nothing_else() {
    let (file, policy) = made(300, 17);
    let refused = |file: ProofFile, leaf: Hash| file.verify(&leaf, &policy).unwrap_err();
    let leaf = entry(17).leaf_hash();
    let other_root = ProofFileError::Inclusion { source: ProofError::Root };
    assert_eq!(refused(file.clone(), entry(18).leaf_hash()), other_root);
    assert_eq!(refused(ProofFile { index: 16, ..file.clone() }, leaf), other_root);
    let outside = ProofError::Index { index: 300, size: 300 };
    let outside = ProofFileError::Inclusion { source: outside };
    assert_eq!(refused(ProofFile { index: 300, ..file.clone() }, leaf), outside);
    let text = file.to_string().replace("log\n300\n", "log\n301\n");
    let source = VerifyError::BadSignature { name: "log".into() };
    let source = RefusedNote::Signatures { source };
    let resized = ProofFile::parse(text.as_bytes()).unwrap();
    assert_eq!(refused(resized, leaf), ProofFileError::Refused { source });
}

#[track_caller]
fn check(text: &str, expected: ProofFileError) {
    assert_eq!(ProofFile::parse(text.as_bytes()), Err(expected), "{text}");
}

#[test]
fn other_texts_are_refused() {
    let (file, _) = made(2, 0);
    let text = file.to_string();
    check("", ProofFileError::Magic);
    check(&text.replace("@v1", "@v2"), ProofFileError::Magic);
    check(&text.replace("extra ", "extra  "), ProofFileError::Extra { limit: EXTRA_BYTES_MAX });
    check(&text.replace("extra ", "Extra "), ProofFileError::Index);
    check(&text.replace("index 0", "index 00"), ProofFileError::Index);
    check(&text.replace("index 0\n", "index 0"), ProofFileError::Index);
    let source = LineError::Hash { index: 0 };
    check(&text.replace("index 0\n", "index 0\nx\n"), ProofFileError::Hashes { source });
    let checkpoint = file.checkpoint.to_string();
    let source = LineError::End;
    check(
        text.strip_suffix(&format!("\n{checkpoint}")).unwrap(),
        ProofFileError::Hashes { source },
    );
    let source = NoteError::Text;
    check(text.strip_suffix(&checkpoint).unwrap(), ProofFileError::Checkpoint { source });
    let long = ProofFile { hashes: vec![[0; 32]; 65], ..file.clone() }.to_string();
    let source = LineError::TooMany { limit: 64 };
    check(&long, ProofFileError::Hashes { source });
    let long = ProofFile { extra: Some(vec![0; EXTRA_BYTES_MAX + 1]), ..file }.to_string();
    check(&long, ProofFileError::Extra { limit: EXTRA_BYTES_MAX });
    let bytes = PROOF_BYTES_MAX + 1;
    check(&"x".repeat(bytes), ProofFileError::TooLong { bytes, limit: PROOF_BYTES_MAX });
}

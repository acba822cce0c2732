use super::*;
use crate::{Checkpoint, Cosigner, MemoryTree, Note, NoteSigner, epoch::EpochTree};

const EPOCH_MS: u64 = 1_795_308_960_000;

fn head(slot: u64) -> String {
    Checkpoint::new(&format!("log/t/{slot}"), 10 + slot, [slot as u8; 32]).to_string()
}

fn trust(slot: u64) -> TrustFile {
    let tenant = NoteSigner::derive(&[7; 32], &format!("log/t/{slot}"), 0).unwrap();
    let text = format!(
        "#attestary trust v1\n#attestary tenant log/t/{slot} {slot}\n#attestary anchor log/anchor\n\
         log {}\nlog {}\nwitness W {}\nquorum W\n",
        tenant.verifier(),
        anchor().verifier(),
        witness().verifier(),
    );
    TrustFile::parse(text.as_bytes()).unwrap()
}

fn anchor() -> NoteSigner {
    NoteSigner::derive(&[7; 32], "log/anchor", 0).unwrap()
}

fn witness() -> Cosigner {
    Cosigner::new("w", &[3; 32]).unwrap()
}

/// Five epochs of six slots, of which slot 2 is vacant; the proof is for epoch 3.
fn made(slot: u64, cosigned_s: u64) -> SlotProof {
    let mut tree = EpochTree::default();
    [0, 1, 3, 4, 5].into_iter().for_each(|slot| tree.set_head(slot, &head(slot)));
    let records: Vec<_> =
        (0..5).map(|epoch| tree.record(epoch, EPOCH_MS + epoch * 60_000)).collect();
    let log: MemoryTree = records.iter().map(EpochRecord::leaf_hash).collect();
    let mut checkpoint =
        Note::new(Checkpoint::new("log/anchor", log.size(), log.root()).to_string()).unwrap();
    checkpoint.push(anchor().sign(checkpoint.text())).unwrap();
    checkpoint.push(witness().cosign(checkpoint.text(), cosigned_s).unwrap()).unwrap();
    let record = ProofFile {
        extra: Some(records[3].to_string().into_bytes()),
        index: 3,
        hashes: InclusionProof::generate(&log, 3, log.size()).unwrap().hashes,
        checkpoint,
    };
    SlotProof { epoch: 3, slot, slots: 6, hashes: tree.prove(slot).unwrap().hashes, record }
}

#[test]
fn a_slot_proof_comes_back_and_verifies() {
    let proof = made(4, EPOCH_MS / 1_000 + 300);
    let parsed = SlotProof::parse(proof.to_string().as_bytes()).unwrap();
    assert_eq!(parsed, proof);
    let anchored = parsed.verify(&head(4), &trust(4)).unwrap();
    assert_eq!((anchored.record.epoch, anchored.anchor.checkpoint.size), (3, 5));
}

#[test]
fn a_slot_proof_proves_nothing_else() {
    let proof = made(4, EPOCH_MS / 1_000 + 300);
    let refused =
        |proof: &SlotProof, slot, head: &str| proof.verify(head, &trust(slot)).unwrap_err();
    let other = SlotProofError::Head { source: ProofError::Root };
    assert_eq!(refused(&proof, 4, &head(3)), other);
    assert_eq!(refused(&proof, 3, &head(4)), SlotProofError::Slot { slot: 4, expected: 3 });
    // The same head one slot further: its leaf is another one.
    assert_eq!(refused(&SlotProof { slot: 5, ..proof.clone() }, 5, &head(4)), other);
    assert_eq!(
        refused(&SlotProof { slots: 7, ..proof.clone() }, 4, &head(4)),
        SlotProofError::Record
    );
    assert_eq!(
        refused(&SlotProof { epoch: 2, ..proof.clone() }, 4, &head(4)),
        SlotProofError::Record
    );
    let mut forged = proof.clone();
    forged.record.extra = None;
    assert_eq!(refused(&forged, 4, &head(4)), SlotProofError::Record);
    let mut forged = proof.clone();
    let record = EpochRecord::parse(forged.record.extra.as_ref().unwrap()).unwrap();
    let later = EpochRecord { unix_ms: record.unix_ms + 1, ..record };
    forged.record.extra = Some(later.to_string().into_bytes());
    let source = ProofFileError::Inclusion { source: ProofError::Root };
    assert_eq!(refused(&forged, 4, &head(4)), SlotProofError::RecordProof { source });
    assert_eq!(refused(&made(4, EPOCH_MS / 1_000 - 400), 4, &head(4)), SlotProofError::Time);
    let vacant = made(2, EPOCH_MS / 1_000 + 300);
    assert_eq!(refused(&vacant, 2, &head(2)), other);
}

#[track_caller]
fn check(text: &str, expected: SlotProofError) {
    assert_eq!(SlotProof::parse(text.as_bytes()), Err(expected), "{text}");
}

#[test]
fn other_texts_are_refused() {
    let text = made(4, EPOCH_MS / 1_000).to_string();
    check("", SlotProofError::Magic);
    check(&text.replace("slot-proof@v1", "slot-proof@v2"), SlotProofError::Magic);
    check(&text.replace("epoch 3", "epoch 03"), SlotProofError::Line { line: "epoch" });
    check(&text.replace("slot 4", "slot +4"), SlotProofError::Line { line: "slot" });
    check(&text.replace("slots 6", "slot 6"), SlotProofError::Line { line: "slots" });
    let source = LineError::Hash { index: 0 };
    check(&text.replace("slots 6\n", "slots 6\nx\n"), SlotProofError::Hashes { source });
    let source = ProofFileError::Magic;
    check(&text.replace("c2sp.org", "c2sp"), SlotProofError::RecordProof { source });
    let bytes = SLOT_PROOF_BYTES_MAX + 1;
    check(&"x".repeat(bytes), SlotProofError::TooLong { bytes, limit: SLOT_PROOF_BYTES_MAX });
}

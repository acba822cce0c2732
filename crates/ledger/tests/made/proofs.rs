//! Proof files, witness requests, epochs and trust files.

use attestary_ledger::{
    AddCheckpoint, Checkpoint, ConsistencyProof, Entry, EpochRecord, EpochTree, InclusionProof,
    MemoryTree, Policy, ProofFile, SlotProof, TrustFile, epoch as epochs, origin_id,
};
use serde_json::{Value, json};

use super::{
    hex,
    notes::{ANCHOR, COSIGNED_S, TENANT, signed, signer, witness},
};

const SIZE: u64 = 300;
const SLOT: u64 = 4;

fn entry(seq: u64) -> Entry {
    Entry {
        origin: origin_id(TENANT),
        seq,
        received_ms: 1_795_308_919_123 + seq,
        event_id: u128::from(seq).to_be_bytes(),
        n_fields: 9,
        flags: u16::from(seq == 0),
        fields_hash: [seq as u8; 32],
    }
}

fn tenant_log() -> MemoryTree {
    (0..SIZE).map(|seq| entry(seq).leaf_hash()).collect()
}

fn head() -> Checkpoint {
    Checkpoint::new(TENANT, SIZE, tenant_log().root())
}

pub(crate) fn proofs() -> Value {
    let log = tenant_log();
    let policy = format!("log {}\nquorum none\n", signer(TENANT, 0).verifier());
    let files = [0, 17, 255, 256, 299].map(|index| {
        let hashes = InclusionProof::generate(&log, index, SIZE).unwrap().hashes;
        let extra = Some(entry(index).encode().to_vec());
        let file = ProofFile { extra, index, hashes, checkpoint: signed(&head(), &[]) };
        let leaf = entry(index).leaf_hash();
        file.verify(&leaf, &Policy::parse(policy.as_bytes()).unwrap()).unwrap();
        json!({ "index": index, "leaf_hash": hex(&leaf), "file": file.to_string() })
    });
    let old = 200;
    let hashes = ConsistencyProof::generate(&log, old, SIZE).unwrap().hashes;
    let request = AddCheckpoint { old, hashes, checkpoint: signed(&head(), &[]) };
    assert_eq!(AddCheckpoint::parse(request.to_string().as_bytes()), Ok(request.clone()));
    let old_root = attestary_ledger::tree::root(&log, old).unwrap();
    json!({
        "about": "Proof files of a log of 300 entries, and a request to a witness that saw 200 of them.",
        "policy": policy, "vkey": signer(TENANT, 0).verifier().to_string(), "files": files,
        "add_checkpoint": { "old_root": hex(&old_root), "body": request.to_string() },
    })
}

pub(crate) fn epoch() -> Value {
    let mut tree = EpochTree::default();
    let body = |slot| Checkpoint::new(&format!("log/t/{slot}"), slot, [slot as u8; 32]).to_string();
    [0, 1, 3, 5].into_iter().for_each(|slot| tree.set_head(slot, &body(slot)));
    tree.set_head(SLOT, &head().to_string());
    let made_ms = COSIGNED_S * 1_000 - 240_000;
    let records: Vec<_> =
        (0..5).map(|epoch| tree.record(epoch, made_ms + epoch * 60_000)).collect();
    let log: MemoryTree = records.iter().map(EpochRecord::leaf_hash).collect();
    let checkpoint = signed(&Checkpoint::new(ANCHOR, log.size(), log.root()), &[1, 2]);
    let record = ProofFile {
        extra: Some(records[3].to_string().into_bytes()),
        index: 3,
        hashes: InclusionProof::generate(&log, 3, log.size()).unwrap().hashes,
        checkpoint,
    };
    let hashes = tree.prove(SLOT).unwrap().hashes;
    let proof = SlotProof { epoch: 3, slot: SLOT, slots: tree.slots(), hashes, record };
    let trust = trust();
    let parsed = TrustFile::parse(trust.as_bytes()).unwrap();
    proof.verify(&head().to_string(), &parsed).unwrap();
    json!({
        "about": "The epoch tree of six slots, slot 2 vacant; the record of epoch 3; the proof of slot 4.",
        "head": { "slot": SLOT, "text": head().to_string(),
            "leaf_hash": hex(&epochs::head_leaf(SLOT, &head().to_string())) },
        "other_heads": [json!(body(0)), json!(body(1)), Value::Null, json!(body(3)), Value::Null, json!(body(5))],
        "vacant": { "slot": 2, "leaf_hash": hex(&epochs::vacant_leaf(2)) },
        "record": { "text": records[3].to_string(), "leaf_hash": hex(&records[3].leaf_hash()),
            "root": hex(&records[3].root) },
        "anchor_vkey": signer(ANCHOR, 0).verifier().to_string(),
        "trust_file": trust, "slot_proof": proof.to_string(),
    })
}

fn trust() -> String {
    let (first, second) = (signer(TENANT, 0), signer(TENANT, 1));
    let (first, second) = (first.verifier(), second.verifier());
    format!(
        "#attestary trust v1\n#attestary tenant {TENANT} {SLOT}\n#attestary anchor {ANCHOR}\n\
         #attestary key {first} 0 0\n#attestary key {second} 1 1000\n#attestary age 600\n\
         log {first}\nlog {second}\nlog {}\n\
         witness W1 {} https://w1.example/\nwitness W2 {} https://w2.example/\n\
         group both all W1 W2\nquorum both\n",
        signer(ANCHOR, 0).verifier(),
        witness(1).verifier(),
        witness(2).verifier(),
    )
}

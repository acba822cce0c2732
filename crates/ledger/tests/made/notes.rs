//! Keys, signed notes and policies.

use std::collections::HashSet;

use attestary_ledger::{Checkpoint, Cosigner, Note, NoteSigner, Policy, Verified, VerifierKey};
use serde_json::{Value, json};

use super::hex;

pub(crate) const MASTER: [u8; 32] = [0x2a; 32];
pub(crate) const TENANT: &str = "audit.example.com/t/01JDA3WT9Z8Q4V6N2M0K5R7B1C";
pub(crate) const ANCHOR: &str = "audit.example.com/anchor";
pub(crate) const COSIGNED_S: u64 = 1_795_309_000;

pub(crate) fn signer(origin: &str, key_epoch: u32) -> NoteSigner {
    NoteSigner::derive(&MASTER, origin, key_epoch).unwrap()
}

pub(crate) fn witness(number: u8) -> Cosigner {
    Cosigner::new(&format!("w{number}.example"), &[number; 32]).unwrap()
}

/// A checkpoint that its log signed and the witnesses with these numbers cosigned.
pub(crate) fn signed(checkpoint: &Checkpoint, witnesses: &[u8]) -> Note {
    let mut note = Note::new(checkpoint.to_string()).unwrap();
    note.push(signer(&checkpoint.origin, 0).sign(note.text())).unwrap();
    for number in witnesses {
        let time_s = COSIGNED_S + u64::from(*number);
        note.push(witness(*number).cosign(note.text(), time_s).unwrap()).unwrap();
    }
    note
}

pub(crate) fn keys() -> Value {
    let derived =
        [(TENANT, 0), (TENANT, 1), (ANCHOR, 0), ("a", u32::MAX)].map(|(origin, epoch)| {
            let vkey = signer(origin, epoch).verifier().to_string();
            json!({ "origin": origin, "key_epoch": epoch, "vkey": vkey })
        });
    let parsed = VerifierKey::parse(derived[0]["vkey"].as_str().unwrap()).unwrap();
    json!({
        "about": "Keys of logs, derived from one master secret by HKDF-SHA256; Ed25519 seeds are the 32 bytes of output.",
        "master": hex(&MASTER), "derived": derived,
        "first": { "name": parsed.name(), "id": hex(&parsed.id()), "public": hex(parsed.public()) },
        "cosigner": { "seed": hex(&[1; 32]), "vkey": witness(1).verifier().to_string() },
    })
}

pub(crate) fn notes() -> Value {
    let note = signed(&Checkpoint::new(TENANT, 70_000, [7; 32]), &[1, 2]);
    let good = note.to_string();
    let stranger = witness(9).cosign(note.text(), 1).unwrap().to_string();
    let keys = [signer(TENANT, 0).verifier().clone(), witness(1).verifier().clone()];
    let changed = |from: &str, to: &str| good.replacen(from, to, 1);
    let second = good.lines().nth(5).unwrap().to_owned() + "\n";
    let cases = [
        ("as signed", good.clone(), Ok(2)),
        ("a stranger's signature is ignored", format!("{good}{stranger}"), Ok(2)),
        ("another size", changed("70000", "70001"), Err("verify")),
        ("another origin", changed("5R7B1C\n", "5R7B1D\n"), Err("verify")),
        (
            "no known key",
            changed("— audit", "— other").replace("w1.example", "w3.example"),
            Err("verify"),
        ),
        ("no signature", good.split("— ").next().unwrap().to_owned(), Err("parse")),
        ("carriage return", good.replace('\n', "\r\n"), Err("parse")),
        ("no final newline", good.trim_end().to_owned(), Err("parse")),
        ("text after the signatures", format!("{good}x\n"), Err("parse")),
        ("a cosignature twice", format!("{good}{second}"), Ok(2)),
    ];
    let cases = cases.map(|(name, text, expected)| {
        let result = match Note::parse(text.as_bytes()) {
            Err(_) => Err("parse"),
            Ok(note) => note.verify(&keys).map(distinct).map_err(|_| "verify"),
        };
        assert_eq!(result, expected, "{name}");
        let (verified, error) = (expected.ok(), expected.err());
        json!({ "name": name, "note": text, "verified": verified, "error": error })
    });
    json!({
        "about": "Signed checkpoints: by how many of the keys a signature holds, or where the note is refused.",
        "vkeys": keys.map(|key| key.to_string()), "text": note.text(), "cases": cases,
    })
}

fn distinct(verified: Vec<Verified>) -> usize {
    verified.into_iter().map(|signature| signature.key).collect::<HashSet<_>>().len()
}

pub(crate) fn policies() -> Value {
    let log = signer(ANCHOR, 0).verifier().to_string();
    let witnesses: String = (1..=5)
        .map(|n| format!("witness W{n} {} https://w{n}.example/\n", witness(n).verifier()))
        .collect();
    let head = format!("# members\nlog {log}\n{witnesses}");
    let nested = "group X 2 W1 W2 W3\ngroup Y any W4 W5\ngroup Z all X Y\nquorum Z\n";
    let cases = [
        ("quorum none\n", &[][..], true),
        ("quorum W1\n", &[1], true),
        ("quorum W1\n", &[2, 3], false),
        ("group g all W1 W2\nquorum g\n", &[1, 2], true),
        ("group g all W1 W2\nquorum g\n", &[1], false),
        ("group g any W1 W2\nquorum g\n", &[2], true),
        ("group g 2 W1 W2 W3\nquorum g\n", &[1, 3], true),
        ("group g 2 W1 W2 W3\nquorum g\n", &[3], false),
        (nested, &[1, 2, 5], true),
        (nested, &[1, 2, 3], false),
        (nested, &[1, 4, 5], false),
    ];
    let cases = cases.map(|(tail, numbers, accepted)| {
        let note = signed(&Checkpoint::new(ANCHOR, 3, [9; 32]), numbers);
        let policy = format!("{head}{tail}");
        assert_eq!(Policy::parse(policy.as_bytes()).unwrap().check(&note).is_ok(), accepted);
        json!({ "policy": policy, "note": note.to_string(), "accepted": accepted })
    });
    let refused = [
        "",
        "quorum none\nquorum none\n",
        "quorum W6\n",
        "group g any W6\nquorum g\n",
        "group g 3 W1 W2\nquorum g\n",
        "group g 0 W1\nquorum g\n",
        "group W1 any W2\nquorum W1\n",
        "group none any W2\nquorum none\n",
        "group g any g\nquorum g\n",
        "logs\nquorum none\n",
    ];
    let refused = refused.map(|tail| {
        let policy = format!("{head}{tail}");
        assert!(Policy::parse(policy.as_bytes()).is_err(), "{tail}");
        policy
    });
    json!({
        "about": "Policies with a note each and whether it is accepted; texts that are no policies.",
        "cases": cases, "refused": refused,
    })
}

use super::*;
use crate::{Cosigner, NoteSigner, VerifyError};

const TENANT: &str = "log/t/1";
const ANCHOR: &str = "log/anchor";

fn key(origin: &str, epoch: u32) -> NoteSigner {
    NoteSigner::derive(&[7; 32], origin, epoch).unwrap()
}

fn witness() -> Cosigner {
    Cosigner::new("w", &[3; 32]).unwrap()
}

/// Two key epochs of the tenant's log: 0 from size 0, 1 from size 100.
fn file() -> String {
    let (old, new) = (key(TENANT, 0), key(TENANT, 1));
    let (old, new) = (old.verifier(), new.verifier());
    format!(
        "#attestary trust v1\n#attestary tenant {TENANT} 7\n#attestary anchor {ANCHOR}\n\
         #attestary key {new} 1 100\n#attestary key {old} 0 0\n#attestary age 600\n\
         log {old}\nlog {new}\nlog {}\nwitness W {}\nquorum W\n",
        key(ANCHOR, 0).verifier(),
        witness().verifier(),
    )
}

fn note(origin: &str, size: u64, epochs: &[u32], cosigned: bool) -> Note {
    let text = Checkpoint::new(origin, size, [1; 32]).to_string();
    let mut note = Note::new(text.clone()).unwrap();
    for epoch in epochs {
        note.push(key(origin, *epoch).sign(&text)).unwrap();
    }
    if cosigned {
        note.push(witness().cosign(&text, 5).unwrap()).unwrap();
    }
    note
}

#[test]
fn a_key_counts_in_its_epoch_only() {
    let trust = TrustFile::parse(file().as_bytes()).unwrap();
    assert_eq!((trust.origin(), trust.slot()), (TENANT, 7));
    assert_eq!((trust.anchor(), trust.age_s_max()), (Some(ANCHOR), Some(600)));
    let accepts =
        |size, epochs: &[u32]| trust.check_tenant(&note(TENANT, size, epochs, false)).is_ok();
    for (size, epochs, expected) in [
        (0, &[0][..], true),
        (99, &[0], true),
        (99, &[1], false),
        (99, &[0, 1], true),
        (100, &[0], false),
        (100, &[1], true),
        (u64::MAX, &[1], true),
        (100, &[2], false),
    ] {
        assert_eq!(accepts(size, epochs), expected, "{size} {epochs:?}");
    }
}

#[test]
fn the_quorum_is_the_anchors_when_there_is_one() {
    let trust = TrustFile::parse(file().as_bytes()).unwrap();
    let refused = |note| trust.check_anchor(&note).unwrap_err();
    assert!(trust.check_anchor(&note(ANCHOR, 5, &[0], true)).is_ok());
    assert_eq!(refused(note(ANCHOR, 5, &[0], false)), RefusedNote::Quorum);
    assert_eq!(
        refused(note(TENANT, 5, &[0], true)),
        RefusedNote::OtherLog { origin: TENANT.into() }
    );
    let no_log = RefusedNote::Log { origin: ANCHOR.into() };
    assert_eq!(refused(note(ANCHOR, 5, &[9], true)), no_log);
    let unknown = RefusedNote::Signatures { source: VerifyError::NoKnownKey };
    assert_eq!(refused(note(ANCHOR, 5, &[9], false)), unknown);

    let alone = file()
        .replace(&format!("#attestary anchor {ANCHOR}\n"), "")
        .replace("#attestary age 600\n", "");
    let trust = TrustFile::parse(alone.as_bytes()).unwrap();
    assert_eq!(trust.check_tenant(&note(TENANT, 5, &[0], false)), Err(RefusedNote::Quorum));
    assert!(trust.check_tenant(&note(TENANT, 5, &[0], true)).is_ok());
    assert_eq!(trust.check_anchor(&note(ANCHOR, 5, &[0], true)), Err(RefusedNote::NoAnchor));
}

#[test]
fn sizes_before_the_first_key_epoch_are_refused() {
    let later = file().replace(" 0 0\n", " 0 50\n");
    let trust = TrustFile::parse(later.as_bytes()).unwrap();
    let refused = trust.check_tenant(&note(TENANT, 49, &[0], false));
    assert_eq!(refused, Err(RefusedNote::KeyEpoch { size: 49 }));
    assert!(trust.check_tenant(&note(TENANT, 50, &[0], false)).is_ok());
}

#[track_caller]
fn check(text: &str, line: usize, reason: TrustReason) {
    assert_eq!(TrustFile::parse(text.as_bytes()), Err(TrustError { line, reason }), "{text}");
}

#[test]
fn malformed_trust_files_are_refused_with_their_line() {
    use TrustReason as R;
    let file = file();
    check(&file.replace("trust v1", "trust v2"), 1, R::Version);
    check(&file.replace("#attestary trust v1\n", ""), 1, R::Version);
    check(&file.replace("#attestary age", "#attestary-age"), 6, R::Line);
    check(&file.replace("age 600", "age 060"), 6, R::Line);
    check(&file.replace("age 600", "age 600 s"), 6, R::Line);
    check(&file.replace(" 1 100", " 4294967296 100"), 4, R::Line);
    check(&file.replace("age 600", &format!("anchor {ANCHOR}")), 6, R::Twice);
    check(
        &file.replace("age 600", &format!("key {} 2 200", key(TENANT, 0).verifier())),
        6,
        R::Twice,
    );
    check(
        &file.replace("age 600", &format!("key {} 2 200", key(TENANT, 2).verifier())),
        6,
        R::NoKey,
    );
    check(&file.replace("attestary tenant", "tenant"), 0, R::Tenant);
    check(&file.replace(&format!("#attestary anchor {ANCHOR}\n"), ""), 0, R::Age);
    check(&file.replace("anchor log/anchor", "anchor log"), 0, R::NoLog { origin: "log".into() });
    let origin = TENANT.to_owned();
    check(&file.replace(" 0 0\n", " 1 0\n"), 0, R::EpochOrder { origin: origin.clone() });
    check(&file.replace(" 0 0\n", " 0 100\n"), 0, R::EpochOrder { origin: origin.clone() });
    let line = format!("#attestary key {} 0 0\n", key(TENANT, 0).verifier());
    check(&file.replace(&line, ""), 0, R::NoEpoch { origin });
    let source = Policy::parse(b"quorum x\n").unwrap_err();
    check("quorum x\n", 0, R::Policy { source });
}

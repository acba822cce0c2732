use proptest::prelude::*;

use super::*;
use crate::{
    key::{KeyError, KeyKind, NAME_BYTES_MAX},
    signer::{Cosigner, NoteSigner},
};

const TEXT: &str = "example.com/log\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";

fn signer(name: &str) -> NoteSigner {
    NoteSigner::new(name, &[1; 32]).unwrap()
}

fn signed() -> (Note, NoteSigner, Cosigner) {
    let (log, witness) = (signer("example.com/log"), Cosigner::new("witness", &[2; 32]).unwrap());
    let mut note = Note::new(TEXT.into()).unwrap();
    note.push(log.sign(TEXT)).unwrap();
    note.push(witness.cosign(TEXT, 1_679_315_147).unwrap()).unwrap();
    (note, log, witness)
}

#[test]
fn a_note_comes_back_and_verifies() {
    let (note, log, witness) = signed();
    let parsed = Note::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(parsed, note);
    let keys = [witness.verifier().clone(), log.verifier().clone()];
    let verified = parsed.verify(&keys).unwrap();
    let expected =
        [Verified { key: 1, time_s: None }, Verified { key: 0, time_s: Some(1_679_315_147) }];
    assert_eq!(verified, expected);
}

#[test]
fn unknown_signatures_are_ignored_and_bad_ones_of_known_keys_are_not() {
    let (mut note, log, witness) = signed();
    let stranger = NoteSigner::new("example.com/log", &[9; 32]).unwrap();
    note.push(Signature { bytes: vec![0; 64], ..stranger.sign(TEXT) }).unwrap();
    note.push(Signature { name: "other".into(), ..log.sign(TEXT) }).unwrap();
    assert_eq!(note.verify(&[log.verifier().clone()]).unwrap().len(), 1);
    let unknown = NoteSigner::new("nobody", &[3; 32]).unwrap();
    assert_eq!(note.verify(&[unknown.verifier().clone()]), Err(VerifyError::NoKnownKey));
    assert_eq!(note.verify(&[]), Err(VerifyError::NoKnownKey));
    let keys = [log.verifier().clone(), stranger.verifier().clone()];
    let bad = VerifyError::BadSignature { name: "example.com/log".into() };
    assert_eq!(note.verify(&keys), Err(bad));
    note.push(witness.cosign("other text\n", 5).unwrap()).unwrap();
    let bad = VerifyError::BadSignature { name: "witness".into() };
    assert_eq!(note.verify(&[witness.verifier().clone()]), Err(bad));
}

#[test]
fn a_signature_of_another_kind_or_time_does_not_hold() {
    let (_, log, witness) = signed();
    let cosigned = witness.cosign(TEXT, 7).unwrap();
    for bytes in [
        cosigned.bytes[8..].to_vec(),
        [&8_u64.to_be_bytes(), &cosigned.bytes[8..]].concat(),
        [cosigned.bytes.as_slice(), &[0]].concat(),
        vec![0; 72],
        vec![0xff; 72],
        vec![1],
    ] {
        let mut note = Note::new(TEXT.into()).unwrap();
        note.push(Signature { bytes, ..cosigned.clone() }).unwrap();
        let verified = note.verify(&[witness.verifier().clone()]);
        assert_eq!(verified, Err(VerifyError::BadSignature { name: "witness".into() }));
    }
    assert_eq!(witness.cosign(TEXT, 1 << 63), None);
    assert_ne!(log.sign(TEXT).bytes, log.sign("x\n").bytes);
}

#[test]
fn every_flipped_bit_of_a_note_is_noticed() {
    let (note, log, witness) = signed();
    let keys = [log.verifier().clone(), witness.verifier().clone()];
    let bytes = note.to_string().into_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // A flipped name or id makes one signature unknown; the other one must still be there and hold.
        let verified = Note::parse(&flipped).map(|note| note.verify(&keys));
        assert!(!matches!(verified, Ok(Ok(verified)) if verified.len() == 2), "bit {bit}");
    }
}

#[track_caller]
fn check(note: &[u8], expected: NoteError) {
    assert_eq!(Note::parse(note), Err(expected), "{:?}", String::from_utf8_lossy(note));
}

#[test]
fn other_bytes_are_refused() {
    let line = signer("a").sign("t\n").to_string();
    assert!(Note::parse(format!("t\n\n{line}").as_bytes()).is_ok());
    assert!(Note::parse(format!("t\n\nu\n\n{line}").as_bytes()).is_ok());
    check(b"", NoteError::Text);
    check(format!("t\n{line}").as_bytes(), NoteError::Text);
    check(b"t\n\n", NoteError::Unsigned);
    check(b"t\r\n\n\xe2\x80\x94 a AAAAAAA=\n", NoteError::Characters);
    check(b"t\xff\n\n", NoteError::Characters);
    let lines = [
        "— a AAAAAA==\n",
        "— a AAAAAAA=",
        "— a  AAAAAAA=\n",
        "— a AAAAAAA= \n",
        "—  AAAAAAA=\n",
        "— a+b AAAAAAA=\n",
        "— a\u{a0}b AAAAAAA=\n",
        "- a AAAAAAA=\n",
        "— a AAAAAAB=\n",
    ];
    for line in lines {
        check(format!("t\n\n{line}").as_bytes(), NoteError::Line { line: 1 });
    }
    assert!(Note::parse(format!("t\n\n{}", line.repeat(SIGNATURES_MAX)).as_bytes()).is_ok());
    let many = format!("t\n\n{}", line.repeat(SIGNATURES_MAX + 1));
    check(many.as_bytes(), NoteError::Signatures { limit: SIGNATURES_MAX });
    let long = vec![b'x'; NOTE_BYTES_MAX + 1];
    check(&long, NoteError::TooLong { bytes: long.len(), limit: NOTE_BYTES_MAX });
    assert_eq!(Note::new("no newline".into()), Err(NoteError::Text));
    assert_eq!(Note::new("tab\t\n".into()), Err(NoteError::Characters));
}

#[test]
fn verifier_keys_have_a_text_form() {
    let key = signer("example.com/log").verifier().clone();
    let vkey = key.to_string();
    assert_eq!(VerifierKey::parse(&vkey), Ok(key.clone()));
    for (vkey, expected) in [
        ("", KeyError::Form),
        ("a+00000000", KeyError::Form),
        (&vkey.replace("log+", "lo+"), KeyError::Id),
        (&vkey.replacen('+', "+0", 1), KeyError::Id),
        (&vkey[..vkey.len() - 4], KeyError::Form),
        ("+1+AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", KeyError::Form),
        ("a+00000000+Ag==", KeyError::Kind { kind: 2 }),
    ] {
        assert_eq!(VerifierKey::parse(vkey), Err(expected), "{vkey}");
    }
    let public = key.public();
    let longest = "n".repeat(NAME_BYTES_MAX);
    assert!(VerifierKey::new(&longest, KeyKind::Note, public).is_ok());
    for name in ["", "a b", "a+b", "a\nb", "a\u{2028}b", "a\u{1}", &(longest + "n")] {
        assert_eq!(VerifierKey::new(name, KeyKind::Note, public), Err(KeyError::Name), "{name:?}");
    }
    let no_point = std::array::from_fn(|i| if i == 0 { 2 } else { 0 });
    assert_eq!(VerifierKey::new("a", KeyKind::Note, &no_point), Err(KeyError::Point));
    // Points of small order verify anything; they are no keys.
    assert_eq!(VerifierKey::new("a", KeyKind::Note, &[0; 32]), Err(KeyError::Point));
}

#[test]
fn a_derived_key_depends_on_master_origin_and_epoch() {
    let key = |master: u8, origin, epoch| {
        *NoteSigner::derive(&[master; 32], origin, epoch).unwrap().verifier().public()
    };
    let keys = [key(1, "a", 0), key(2, "a", 0), key(1, "b", 0), key(1, "a", 1)];
    for (i, one) in keys.iter().enumerate() {
        assert!(keys[i + 1..].iter().all(|other| other != one));
    }
    assert_eq!(keys[0], key(1, "a", 0));
    let debug = format!("{:?}", NoteSigner::new("a", &[1; 32]).unwrap());
    assert!(!debug.contains("secret"), "{debug}");
}

proptest! {
    #[test]
    fn accepted_bytes_print_as_they_came(text in "[ -~\n]{0,40}\n", tail in "(— [a-z]{1,3} [A-Za-z0-9]{7}=\n){0,3}") {
        let bytes = format!("{text}\n{tail}");
        if let Ok(note) = Note::parse(bytes.as_bytes()) {
            prop_assert_eq!(note.to_string(), bytes);
        }
    }
}

use std::fmt::Write as _;

use super::*;
use crate::{Cosigner, KeyError, NoteSigner};

fn log(seed: u8) -> NoteSigner {
    NoteSigner::new("log", &[seed; 32]).unwrap()
}

fn witness(seed: u8) -> Cosigner {
    Cosigner::new(&format!("w{seed}.example"), &[seed; 32]).unwrap()
}

fn witness_lines(count: u8) -> String {
    let line = |seed| format!("witness W{seed} {}\n", witness(seed).verifier());
    (1..=count).map(line).collect()
}

fn note(witnesses: &[u8]) -> Note {
    let text = Checkpoint::new("log", 3, [7; 32]).to_string();
    let mut note = Note::new(text.clone()).unwrap();
    note.push(log(0).sign(&text)).unwrap();
    for seed in witnesses {
        note.push(witness(*seed).cosign(&text, 1_000 + u64::from(*seed)).unwrap()).unwrap();
    }
    note
}

/// The tail of a policy with one log and five witnesses, cosigners, and whether they are enough.
#[track_caller]
fn check(tail: &str, witnesses: &[u8], expected: bool) {
    let text = format!("log {}\n{}{tail}", log(0).verifier(), witness_lines(5));
    let accepted = Policy::parse(text.as_bytes()).unwrap().check(&note(witnesses));
    match accepted {
        Ok(accepted) => {
            assert!(expected, "{tail} accepts {witnesses:?}");
            assert_eq!((accepted.logs, accepted.cosignatures.len()), (vec![0], witnesses.len()));
        }
        Err(refused) => assert_eq!((refused, expected), (RefusedNote::Quorum, false), "{tail}"),
    }
}

#[test]
fn quorums_count_members() {
    check("quorum none\n", &[], true);
    check("quorum W1\n", &[1], true);
    check("quorum W1\n", &[2, 3, 4, 5], false);
    check("group g all W1 W2\nquorum g\n", &[1, 2], true);
    check("group g all W1 W2\nquorum g\n", &[1, 1, 3], false);
    check("group g any W1 W2\nquorum g\n", &[2], true);
    check("group g any W1 W2\nquorum g\n", &[3], false);
    check("group g 2 W1 W2 W3\nquorum g\n", &[1, 3], true);
    check("group g 2 W1 W2 W3\nquorum g\n", &[3, 3], false);
    let nested = "group X 2 W1 W2 W3\ngroup Y any W4 W5\ngroup Z all X Y\nquorum Z\n";
    check(nested, &[1, 2, 5], true);
    check(nested, &[1, 4, 5], false);
    check(nested, &[1, 2, 3], false);
    check("\t# comment \u{e9}\n  \n group\tg  any W1 \nquorum g\n", &[1], true);
}

#[test]
fn a_note_that_no_listed_log_signed_is_refused() {
    let text = format!("log {}\nquorum none\n", log(9).verifier());
    let unknown = RefusedNote::Signatures { source: VerifyError::NoKnownKey };
    assert_eq!(Policy::parse(text.as_bytes()).unwrap().check(&note(&[])), Err(unknown.clone()));
    // The key is right, the origin is another log's.
    let other = VerifierKey::new("other", crate::KeyKind::Note, log(0).verifier().public());
    let text = format!("log {}\nquorum none\n", other.unwrap());
    assert_eq!(Policy::parse(text.as_bytes()).unwrap().check(&note(&[])), Err(unknown));
    let text = format!("{}quorum none\n", witness_lines(1));
    let no_log = RefusedNote::Log { origin: "log".into() };
    assert_eq!(Policy::parse(text.as_bytes()).unwrap().check(&note(&[1])), Err(no_log));
}

#[track_caller]
fn check_refused(text: &str, line: usize, reason: PolicyReason) {
    let error = PolicyError { line, reason };
    assert_eq!(Policy::parse(text.as_bytes()), Err(error), "{text}");
}

#[test]
fn malformed_policies_are_refused_with_their_line() {
    use PolicyReason as R;
    let (log, w) = (format!("log {}\n", log(0).verifier()), witness_lines(2));
    check_refused("", 1, R::NoQuorum);
    check_refused(&log, 2, R::NoQuorum);
    check_refused("quorum none", 1, R::Newline);
    check_refused("quorum none\nquorum none\n", 2, R::SecondQuorum);
    check_refused("quorum none none\n", 1, R::Words);
    check_refused("log\n", 1, R::Words);
    check_refused(&log.replace('\n', " u u\n"), 1, R::Words);
    check_refused("logs x\n", 1, R::Keyword);
    check_refused("quorum none\r\n", 1, R::Control);
    check_refused("log x\n", 1, R::Key { source: KeyError::Form });
    check_refused("log a+00000000+Bg==\n", 1, R::Key { source: KeyError::Kind { kind: 6 } });
    check_refused(&log.replace("log ", "witness a "), 1, R::Kind);
    check_refused(&format!("{log}{log}"), 2, R::SameKey);
    let renamed =
        VerifierKey::new("b", crate::KeyKind::Cosignature, witness(1).verifier().public());
    check_refused(&format!("{w}witness other {}\n", renamed.unwrap()), 3, R::SameKey);
    check_refused(&w.replace("W2", "W1"), 2, R::Name);
    check_refused(&w.replace("W1", "none"), 1, R::Name);
    check_refused(&format!("{w}group W1 any W2\n"), 3, R::Name);
    check_refused(&format!("{w}group g any W3\n"), 3, R::Unknown);
    check_refused(&format!("{w}group g any g\n"), 3, R::Unknown);
    check_refused(&format!("{w}group g any none\n"), 3, R::Unknown);
    check_refused(&format!("{w}quorum W3\n"), 3, R::Unknown);
    check_refused(&format!("{w}group g any W1 W1\n"), 3, R::Member);
    check_refused(&format!("{w}group g any W1\ngroup h any W2 W1\n"), 4, R::Member);
    for threshold in ["0", "3", "02", "+1", "most", "18446744073709551616"] {
        check_refused(&format!("{w}group g {threshold} W1 W2\n"), 3, R::Threshold);
    }
    check_refused(&format!("{w}group g any\n"), 3, R::Threshold);
    let long = "#".repeat(POLICY_BYTES_MAX + 1);
    check_refused(&long, 1, R::TooLong { limit: POLICY_BYTES_MAX });
}

#[test]
fn the_number_of_members_is_limited() {
    let mut text = witness_lines(1);
    let mut last = "W1".to_owned();
    for group in 0..=MEMBERS_MAX {
        writeln!(text, "group g{group} any {last}").unwrap();
        last = format!("g{group}");
    }
    check_refused(&text, MEMBERS_MAX + 2, PolicyReason::TooMany { limit: MEMBERS_MAX });
}

use attestary_event::Event;
use proptest::prelude::*;

use super::*;
use crate::{
    golden::{self, check_golden},
    json::tests::{event, hostile_event, with_view},
};

fn line(event: &Event) -> String {
    let mut out = Vec::new();
    with_view(event, |view| encode(view, KnownActions::builtin(), &Options::default(), &mut out));
    String::from_utf8(out).unwrap()
}

/// Reads a line as the guide says: six pipes, then pairs; the first occurrence of a key counts.
fn parse(line: &str) -> (Vec<&str>, Vec<(&str, &str)>) {
    let mut header: Vec<&str> = line.splitn(7, '|').collect();
    let attributes = header.pop().unwrap();
    let pairs = attributes.split('\t').map(|pair| pair.split_once('=').unwrap()).collect();
    (header, pairs)
}

fn value<'a>(pairs: &[(&str, &'a str)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_lines() {
    check_golden(
        r#"{"type":"leef","vendor":"Example","product":"App","product_version":"1.0"}"#,
        "leef",
    );
}

#[track_caller]
fn check(members: &str, key: &str, expected: Option<&str>) {
    let line = line(&event(members));
    let (header, pairs) = parse(&line);
    assert_eq!(header.len(), 6, "{line}");
    assert_eq!(value(&pairs, key), expected, "{line}");
}

#[test]
fn what_leef_cannot_hold_becomes_a_space() {
    let hostile = r#""action":"a|b\tc","reason":"x\ty|z\n\u0000w=v\u2028 ","metadata":{"k":"a|b"}"#;
    check(hostile, "reason", Some("x y z  w=v"));
    check(hostile, "metadata", Some(r#"{"k":"a b"}"#));
    assert_eq!(parse(&line(&event(hostile))).0[4], "a b c");
    check(r#""action":"a","reason":" |\t ""#, "reason", None);
    check(r#""action":"a","reason":null"#, "reason", None);
    check(r#""action":"a","metadata":{}"#, "metadata", None);
}

#[test]
fn limits_count_characters() {
    for (count, expected) in [(254, 254), (255, 255), (256, 255)] {
        let long = format!(r#""action":"a","actor":{{"id":"{}"}}"#, "é".repeat(count));
        check(&long, "usrName", Some(&"é".repeat(expected)));
    }
}

#[test]
fn severity_and_address_are_in_range() {
    check(r#""action":"a","severity":0"#, "sev", Some("1"));
    check(r#""action":"a","severity":10"#, "sev", Some("10"));
    check(r#""action":"a","context":{"ip":"::ffff:192.0.2.7"}"#, "src", Some("192.0.2.7"));
    check(r#""action":"a","context":{"ip":"2001:DB8::9"}"#, "src", Some("2001:db8::9"));
    check(r#""action":"a","context":{"ip":"office"}"#, "src", None);
    check(r#""action":"a","context":{"ip":"office"}"#, "sourceAddress", Some("office"));
    check(r#""action":"a","context":{"attempted_identity":"root"}"#, "usrName", Some("root"));
}

#[test]
fn what_went_by_one_name_is_not_written_twice() {
    check(r#""action":"a","actor":{"id":"u1"}"#, "actorId", None);
    check(
        r#""action":"a","actor":{"id":"u1","name":"N","email":"e@x"}"#,
        "actorEmail",
        Some("e@x"),
    );
    check(
        r#""action":"a","targets":[{"type":"t","id":"1"},{"id":"2"}]"#,
        "targets",
        Some("t:1,:2"),
    );
    check(r#""action":"a","targets":[{"type":"t","id":"1"}]"#, "targets", None);
}

proptest! {
    #[test]
    fn every_event_is_one_line_with_each_key_once(event in hostile_event()) {
        let line = line(&event);
        prop_assert!(!line.contains(|c: char| c != '\t' && c.is_control()), "{line}");
        let (header, pairs) = parse(&line);
        prop_assert_eq!((header.len(), header[0], header[5]), (6, "LEEF:2.0", "x09"));
        let mut keys: Vec<_> = pairs.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        prop_assert!(keys.windows(2).all(|two| two[0] != two[1]));
        prop_assert!(keys.iter().all(|key| key.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        prop_assert!(keys.iter().all(|key| !RESERVED.contains(key)));
        golden::check_integrity(&event, value(&pairs, "eventUid"), value(&pairs, "logSeq"), value(&pairs, "leafHash"));
    }
}

const RESERVED: [&str; 6] = [
    "isLoginEvent",
    "isLogoutEvent",
    "identMAC",
    "identSecondlp",
    "calLanguage",
    "calCountryOrRegion",
];

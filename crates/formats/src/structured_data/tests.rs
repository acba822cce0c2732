use attestary_event::Event;
use proptest::prelude::*;

use super::*;
use crate::{
    golden::{check_golden, check_integrity, record},
    json::tests::{event, hostile_event},
};

const FORMAT: &str = r#"{"type":"structured-data"}"#;

/// Reads elements as RFC 5424 says; returns each with its parameters.
fn parse(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut elements = Vec::new();
    let mut rest = text;
    while let Some(after) = rest.strip_prefix('[') {
        let end = after.find([' ', ']']).unwrap();
        let (name, mut tail) = after.split_at(end);
        let mut parameters = Vec::new();
        while let Some(parameter) = tail.strip_prefix(' ') {
            let (key, value) = parameter.split_once("=\"").unwrap();
            let mut characters = value.char_indices();
            let mut unescaped = String::new();
            let close = loop {
                match characters.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => unescaped.push(characters.next().unwrap().1),
                    (_, ']') => panic!("a bracket without an escape in {text}"),
                    (_, c) => unescaped.push(c),
                }
            };
            parameters.push((key.to_owned(), unescaped));
            tail = &value[close + 1..];
        }
        elements.push((name.to_owned(), parameters));
        rest = tail.strip_prefix(']').unwrap();
    }
    assert_eq!(rest, "");
    elements
}

fn value(event: &Event, name: &str) -> Option<String> {
    let elements = parse(&record(event, FORMAT));
    assert_eq!(elements.len(), 2);
    let mut parameters = elements.into_iter().flat_map(|(_, parameters)| parameters);
    parameters.find(|(key, _)| key == name).map(|(_, value)| value)
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_elements() {
    check_golden(FORMAT, "structured-data");
}

#[track_caller]
fn check_value(text: &str, expected: &str) {
    let mut out = Vec::new();
    write_value(text, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn values_escape_three_characters_and_nothing_else() {
    check_value(r#"a"b\c]d[e=f"#, r#"a\"b\\c\]d[e=f"#);
    check_value("ключ\n\0\u{2028}", "ключ\u{fffd}\u{fffd}\u{2028}");
}

#[test]
fn parameters_are_what_the_event_has() {
    let event = event(
        r#""action":"user.login","actor":{"id":"u]\"1"},"metadata":{"a":[1.50,"]"]},"reason":null"#,
    );
    assert_eq!(value(&event, "actorId").as_deref(), Some("u]\"1"));
    assert_eq!(value(&event, "metadata").as_deref(), Some(r#"{"a":[1.50,"]"]}"#));
    assert_eq!(value(&event, "name").as_deref(), Some("User login"));
    assert_eq!(value(&event, "reason"), None);
    let event = self::event("\"action\":\"a\",\"metadata\":{\"k\":\"\u{2028}\u{85}\"}");
    assert_eq!(value(&event, "metadata").as_deref(), Some(r#"{"k":"\u2028\u0085"}"#));
}

proptest! {
    #[test]
    fn every_event_is_two_sound_elements(event in hostile_event()) {
        let line = record(&event, FORMAT);
        prop_assert!(!line.contains(char::is_control));
        let elements = parse(&line);
        prop_assert!(elements.iter().all(|(name, _)| name.len() <= 32));
        let names: Vec<_> = elements.iter().flat_map(|(_, list)| list).map(|(key, _)| key).collect();
        prop_assert!(names.iter().all(|name| name.len() <= 32));
        let text = |name: &str| elements[0].1.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        check_integrity(&event, text("id"), text("seq"), text("leaf"));
    }
}

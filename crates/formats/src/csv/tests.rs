use attestary_event::Event;
use proptest::prelude::*;

use super::*;
use crate::{
    golden::{check_golden, check_integrity, record},
    json::tests::{event, hostile_event},
};

fn row(event: &Event) -> String {
    record(event, r#"{"type":"csv"}"#)
}

/// Reads one record as RFC 4180 says.
fn parse(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    assert!(!quoted, "{line}");
    cells.push(cell);
    cells
}

fn cell(event: &Event, column: &str) -> String {
    let at = COLUMNS.iter().position(|name| *name == column).unwrap();
    parse(&row(event)).swap_remove(at)
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_rows() {
    check_golden(r#"{"type":"csv"}"#, "csv");
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let mut out = Vec::new();
    write_cell(text, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
}

#[test]
fn cells_are_quoted_where_the_rfc_wants_it() {
    check("", "");
    check("plain text", "plain text");
    check("a,b", "\"a,b\"");
    check("a\"b", "\"a\"\"b\"");
    check(" a", "\" a\"");
    check("a;b'c", "a;b'c");
}

#[test]
fn formulas_are_defused() {
    for first in ["=", "+", "-", "@", "\u{ff1d}", "\u{ff0b}", "\u{ff0d}", "\u{ff20}"] {
        check(&format!("{first}1"), &format!("'{first}1"));
    }
    check("\t=1", "'\\t=1");
    check("\r=1", "'\\r=1");
    check("\n=1", "'\\n=1");
    check("\0=1", "'\\u0000=1");
    check("=cmd|' /C calc'!A0,1", "\"'=cmd|' /C calc'!A0,1\"");
    check("a=1", "a=1");
    check("'=1", "'=1");
}

#[test]
fn what_is_not_seen_is_shown() {
    check("a\r\nb\tc", "a\\r\\nb\\tc");
    check("a\u{1b}[31m\u{85}", "a\\u001b[31m\\u0085");
    check("\u{202e}\u{2066}\u{feff}\u{2028}", "\\u202e\\u2066\\ufeff\\u2028");
    check("ключ 😀", "ключ 😀");
}

#[test]
fn absent_null_and_empty_are_empty_cells() {
    let event = event(r#""action":"a","reason":null,"metadata":{},"labels":[],"changes":[]"#);
    for column in ["reason", "metadata", "labels", "changes", "ip", "truncated"] {
        assert_eq!(cell(&event, column), "", "{column}");
    }
    assert_eq!((cell(&event, "action"), cell(&event, "seq")), ("a".to_owned(), "7".to_owned()));
}

#[test]
fn the_header_has_the_columns() {
    let mut out = Vec::new();
    header(&mut out);
    assert_eq!(parse(std::str::from_utf8(&out).unwrap()), COLUMNS);
}

proptest! {
    #[test]
    fn every_event_is_one_row_of_all_columns(event in hostile_event()) {
        let line = row(&event);
        prop_assert!(!line.contains(is_shown_escaped), "{line}");
        let cells = parse(&line);
        prop_assert_eq!(cells.len(), COLUMNS.len());
        prop_assert!(cells.iter().all(|cell| !cell.starts_with(starts_formula)));
        check_integrity(&event, Some(&cells[0]), Some(&cells[3]), cells.last().map(String::as_str));
    }
}

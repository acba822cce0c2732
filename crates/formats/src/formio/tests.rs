use attestary_event::Event;
use proptest::prelude::*;

use super::*;
use crate::{
    Format,
    golden::check_golden,
    intake::formio::{Item, Reader},
    json::tests::{event, hostile_event, with_view},
};

const FORMIO: &str = r#"{"type":"formio"}"#;
const DOCUMENTED: &str = include_str!("../../fixtures/formio/documented.log");

fn line(event: &Event) -> Vec<u8> {
    let format: Format = serde_json::from_str(FORMIO).unwrap();
    let mut out = Vec::new();
    with_view(event, |view| format.encode(view, KnownActions::builtin(), &mut out));
    out
}

/// Reads lines as the adapter does and returns the items.
fn read(lines: &[u8]) -> Vec<Item> {
    let mut reader = Reader::default();
    let mut items: Vec<_> =
        lines.split(|byte| *byte == b'\n').filter_map(|line| reader.push_line(line)).collect();
    items.extend(std::iter::from_fn(|| reader.finish()));
    items
}

/// The event of an item, as it is once stored.
fn stored(item: &Item) -> Event {
    let json = std::str::from_utf8(&item.json).unwrap();
    event(&json[1..json.len() - 1])
}

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_lines() {
    check_golden(FORMIO, "formio");
}

#[test]
fn documented_lines_come_back_byte_for_byte() {
    let items = read(DOCUMENTED.as_bytes());
    let lines: Vec<_> = items.iter().map(|item| line(&stored(item))).collect();
    assert!(items.len() >= 26);
    assert_eq!(lines, items.iter().map(|item| item.raw.clone()).collect::<Vec<_>>());
}

#[track_caller]
fn check_emitted(read_lines: &[u8], expected: &[u8]) {
    let items = read(read_lines);
    assert_eq!(items.len(), 1);
    let emitted = line(&stored(&items[0]));
    assert_eq!(emitted, expected, "{}", String::from_utf8_lossy(&emitted));
}

const HEAD: &str = "2024-04-25T14:50:03.172Z EAUTH_TOKENEXPIRED 27759aa2-085b-4719-9193-5bad3fad74a2 NoProject NoSession NoUser";

#[test]
fn colours_and_wrong_bytes_come_back_and_line_ends_do_not() {
    let coloured = format!("{HEAD} \x1b[33mx\x1b[39m");
    check_emitted(coloured.as_bytes(), coloured.as_bytes());
    let wrong = [HEAD.as_bytes(), b" a\xff\xfeb"].concat();
    check_emitted(&wrong, &wrong);
    check_emitted(b"no audit line", b"no audit line");
    let stack = format!("{HEAD} Error: jwt expired\n    at verify (a.js:1:2)");
    check_emitted(stack.as_bytes(), stack.replace('\n', "\\n").as_bytes());
}

#[track_caller]
fn check(members: &str, expected: &str) {
    let emitted = String::from_utf8(line(&event(members))).unwrap();
    assert_eq!(emitted, expected);
    let items = read(emitted.as_bytes());
    assert!(items.len() == 1 && items[0].parsed, "{emitted}");
}

#[test]
fn events_from_elsewhere_are_spelt_out() {
    const START: &str = "2026-11-22T00:55:19.123Z";
    const ID: &str = "01930b5e-5a53-709e-8f3c-0123456789ab";
    check(r#""action":"a""#, &format!("{START} CUSTOM_EVENT {ID} NoProject NoSession No User"));
    check(
        r#""action":"report.sent-now","actor":{"id":"u 1\n"},"targets":[{"type":"project","id":"p{}"},{"id":"t"}]"#,
        &format!("{START} REPORT_SENT_NOW {ID} p__ NoSession u_1_ t"),
    );
    check(
        r#""action":"FORM_READ","context":{"session_id":"659d83632824949f20a882e1","request_id":"27759aa2-085b-4719-9193-5bad3fad74a2"}"#,
        &format!(
            "{START} FORM_READ 27759aa2-085b-4719-9193-5bad3fad74a2 NoProject new ObjectId('659d83632824949f20a882e1') No User"
        ),
    );
}

#[test]
fn a_redacted_line_is_not_given_back() {
    let redacted = r#""action":"FORM_READ","source":{"system":"formio"}"#;
    check(
        redacted,
        "2026-11-22T00:55:19.123Z FORM_READ 01930b5e-5a53-709e-8f3c-0123456789ab NoProject NoSession No User",
    );
    let cut = r#""action":"FORM_READ","source":{"system":"formio","raw":"2026","raw_bytes":99999}"#;
    check(
        cut,
        "2026-11-22T00:55:19.123Z FORM_READ 01930b5e-5a53-709e-8f3c-0123456789ab NoProject NoSession No User",
    );
    let foreign =
        r#""action":"FORM_READ","metadata":{"raw":"forged"},"source":{"system":"ironcore"}"#;
    check(
        foreign,
        "2026-11-22T00:55:19.123Z FORM_READ 01930b5e-5a53-709e-8f3c-0123456789ab NoProject NoSession No User",
    );
}

proptest! {
    #[test]
    fn every_event_is_one_line_that_its_own_reader_takes(event in hostile_event()) {
        let line = line(&event);
        let items = read(&line);
        prop_assert_eq!(items.len(), 1);
        prop_assert!(items[0].parsed, "{}", String::from_utf8_lossy(&line));
    }

    #[test]
    fn any_line_comes_back(text in "[^\\n\\r\\x00]{1,200}", parsed in any::<bool>()) {
        let line_in = if parsed { format!("{HEAD} {text}") } else { text };
        let items = read(line_in.as_bytes());
        prop_assume!(items.len() == 1 && items[0].raw == line_in.as_bytes());
        prop_assert_eq!(line(&stored(&items[0])), line_in.into_bytes());
    }
}

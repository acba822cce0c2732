use attestary_event::Fields;
use proptest::prelude::*;

use super::*;
use crate::format::{CORE_BYTES_MAX, Format};

pub(crate) const WORKED: &str = include_str!("../golden/worked.json");
pub(crate) const FULL: &str = include_str!("../golden/full.json");

/// Returns an event of tenant `acme` with seq 7 and these members.
pub(crate) fn event(members: &str) -> Event {
    let line = format!(
        r#"{{"id":"01930b5e-5a53-709e-8f3c-0123456789ab","tenant":"acme","environment":"production","seq":7,"received_at":"2026-11-22T00:55:19.123Z",{members},"leaf_hash":"{}"}}"#,
        "ab".repeat(32)
    );
    decode(line.as_bytes()).unwrap()
}

pub(crate) fn with_view<T>(event: &Event, act: impl FnOnce(&View<'_>) -> T) -> T {
    let fields = event.fields();
    act(&View { event, fields: &fields })
}

fn encoded(event: &Event) -> String {
    let mut out = Vec::new();
    with_view(event, |view| encode(view, &mut out));
    String::from_utf8(out).unwrap()
}

#[test]
fn records_are_the_golden_lines_byte_for_byte() {
    for golden in [WORKED, FULL] {
        // The file holds U+0085 and U+2028 raw, as a body may; the record does not.
        let expected = golden
            .trim_end_matches('\n')
            .replace('\u{85}', "\\u0085")
            .replace('\u{2028}', "\\u2028");
        assert_eq!(encoded(&decode(golden.trim_end().as_bytes()).unwrap()), expected);
    }
}

#[track_caller]
fn check_round_trip(members: &str) {
    let event = event(members);
    let line = encoded(&event);
    assert!(
        !line.contains(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}'),
        "{line}"
    );
    let back = decode(line.as_bytes()).unwrap();
    let escaped_back = Event { body: event.body.clone(), ..back.clone() };
    assert_eq!(escaped_back, event);
    assert_eq!(back.fields(), event.fields());
}

#[test]
fn hostile_text_comes_back_equal_and_on_one_line() {
    check_round_trip(r#""action":"a\n\r\u0000\t\"\\/b""#);
    check_round_trip("\"action\":\"a\u{7f}\u{85}\u{9b}\u{2028}\u{2029}\u{feff}\u{202e}😀\"");
    check_round_trip(
        "\"action\":\"a\",\"metadata\":{\"k\u{2028},\\\"}{\":[1.0,-0,1E+5,9007199254740993,[],{},null]}",
    );
}

#[track_caller]
fn check_refused(line: &str, expected: &str) {
    assert!(decode(line.as_bytes()).unwrap_err().to_string().contains(expected));
}

#[test]
fn lines_without_the_facts_are_refused() {
    check_refused("{}", "/id: is missing");
    check_refused(&WORKED.replace("01930b5e", "x1930b5e"), "/id: is malformed");
    check_refused(&WORKED.replace(":69000", ":-1"), "/seq: is malformed");
    check_refused(&WORKED.replace("56131a", "zz131a"), "/leaf_hash: is malformed");
    check_refused(&WORKED.replace("2822\"", "28\""), "/leaf_hash: is malformed");
    check_refused("[1]", "a JSON object");
}

#[track_caller]
fn check_parts(json: &str, expected: &[&str]) {
    let parts: Vec<_> =
        members(json.as_bytes()).chain(elements(json.as_bytes())).map(|part| part.text).collect();
    let parts: Vec<_> = parts.into_iter().map(|text| std::str::from_utf8(text).unwrap()).collect();
    assert_eq!(parts, expected);
}

#[test]
fn containers_split_at_their_own_commas_only() {
    check_parts(
        r#"{"a":1,"b":[1,2],"c":{"d":3,"e":4}}"#,
        &[r#""a":1"#, r#""b":[1,2]"#, r#""c":{"d":3,"e":4}"#],
    );
    check_parts(r#"[",",{"]":"}"},"\",\\"]"#, &[r#"",""#, r#"{"]":"}"}"#, r#""\",\\""#]);
    check_parts("{}", &[]);
    check_parts("[]", &[]);
    check_parts("7", &[]);
    let key = members(br#"{"a\"b":{"x":1}}"#).next().unwrap();
    assert_eq!(key.value, br#"{"x":1}"#);
}

fn within(event: &Event, format: &Format, bytes_max: usize) -> (Truncation, String) {
    let mut out = Vec::new();
    let actions = attestary_event::actions::KnownActions::builtin();
    let truncation =
        with_view(event, |view| format.encode_within(view, actions, bytes_max, &mut out));
    (truncation, String::from_utf8(out).unwrap())
}

#[test]
fn metadata_goes_first_and_from_its_end() {
    let filler = "x".repeat(900);
    let event = event(&format!(
        r#""action":"a","metadata":{{"one":9007199254740993,"two":"{filler}","three":"{filler}","four":4}},"description":"d""#
    ));
    let (truncation, line) = within(&event, &Format::default(), 2000);
    assert_eq!(truncation, Truncation::Shortened);
    let (kept, rest) = line.split_once(&filler).unwrap();
    assert!(kept.contains(r#""action":"a","metadata":{"one":9007199254740993,"two":""#), "{line}");
    assert_eq!(
        rest,
        format!(r#""}},"description":"d","leaf_hash":"{}","truncated":true}}"#, "ab".repeat(32))
    );
    let (_, without) = within(&event, &Format::default(), CORE_BYTES_MAX);
    assert!(
        without.contains("\"description\"")
            && without.contains(r#""metadata":{"one":9007199254740993}"#),
        "{without}"
    );
    assert_eq!(within(&event, &Format::default(), usize::MAX).0, Truncation::Whole);
}

/// A character, then the text made of it: escapes, wide characters, separators.
fn hostile() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        Just('|'),
        Just('='),
        Just('\\'),
        Just('\n'),
        Just('\r'),
        Just('\0'),
        Just('\t'),
        Just('"'),
        Just(']'),
        Just(' '),
        Just('\u{2028}'),
        Just('\u{85}'),
        Just('😀'),
        Just(','),
        any::<char>()
    ];
    prop_oneof![
        proptest::collection::vec(character.clone(), 0..40).prop_map(String::from_iter),
        (character, 1_usize..5_000)
            .prop_map(|(character, count)| String::from(character).repeat(count)),
    ]
}

/// An event whose texts are all hostile, the tenant included (within its own rules).
pub(crate) fn hostile_event() -> impl Strategy<Value = Event> {
    let texts = proptest::collection::vec(hostile(), 14);
    (texts, "[^\\p{C}]{1,32}", 0_u64..).prop_map(|(texts, tenant, seq)| {
        let quoted: Vec<String> = texts.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
        let [action, id, name, email, kind, target, agent, request, reason, label, description, key, value, http] =
            &quoted[..]
        else {
            unreachable!()
        };
        let line = format!(
            r#"{{"id":"01930b5e-5a53-709e-8f3c-0123456789ab","tenant":{tenant},"environment":"e","seq":{seq},"received_at":"2026-11-22T00:55:19.123Z","action":{action},"occurred_at":"2026-11-22T00:39:11.123Z","actor":{{"type":"user","id":{id},"name":{name},"email":{email}}},"targets":[{{"type":{kind},"id":{target}}}],"context":{{"user_agent":{agent},"request_id":{request},"http":{{"url":{http}}}}},"outcome":"success","reason":{reason},"labels":[{label}],"description":{description},"metadata":{{"k":{value},"l":1.50,"m":{key}}},"leaf_hash":"{}"}}"#,
            "ab".repeat(32),
            tenant = serde_json::to_string(&tenant).unwrap(),
        );
        decode(line.as_bytes()).unwrap()
    })
}

proptest! {
    #[test]
    fn every_format_keeps_within_its_limit_and_on_its_line(event in hostile_event(), bytes_max in CORE_BYTES_MAX..9_000) {
        for format in [r#"{"type":"json"}"#, r#"{"type":"cef"}"#, r#"{"type":"ironcore"}"#] {
            let format: Format = serde_json::from_str(format).unwrap();
            let (truncation, line) = within(&event, &format, bytes_max);
            prop_assert!(line.len() <= bytes_max, "{} > {bytes_max}: {line}", line.len());
            prop_assert!(!line.contains(['\n', '\r', '\0']));
            prop_assert_eq!(line.contains("truncated"), truncation == Truncation::Shortened);
        }
    }

    #[test]
    fn shortened_json_still_says_which_event_it_is(event in hostile_event(), bytes_max in CORE_BYTES_MAX..3_000) {
        let (_, line) = within(&event, &Format::default(), bytes_max);
        let back = decode(line.as_bytes()).unwrap();
        prop_assert_eq!(
            (back.id, &back.tenant, back.seq, back.leaf_hash, back.received_at),
            (event.id, &event.tenant, event.seq, event.leaf_hash, event.received_at)
        );
        // What was kept is what was there, but for the cut texts of the smallest form.
        let (fields, whole) = (back.fields(), event.fields());
        for field in fields.iter().filter(|field| !["/truncated", "/action", "/actor/id"].contains(&field.pointer)) {
            prop_assert_eq!(whole.get(field.pointer), Some(field));
        }
    }

    #[test]
    fn shortened_ironcore_is_json_with_its_event(event in hostile_event(), bytes_max in CORE_BYTES_MAX..3_000) {
        let (_, line) = within(&event, &serde_json::from_str(r#"{"type":"ironcore"}"#).unwrap(), bytes_max);
        let fields = Fields::parse(line.as_bytes(), &Limits::default()).unwrap();
        let text = |pointer: &str| fields.get(pointer).map(|field| field.value.to_owned());
        prop_assert_eq!(text("/tenantId"), Some(event.tenant.as_str().to_owned()));
        prop_assert_eq!(text("/iclFields/tspRayId"), Some(event.id.to_string()));
    }
}

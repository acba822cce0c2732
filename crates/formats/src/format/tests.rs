use attestary_event::{Event, TenantId};
use proptest::prelude::*;

use super::*;
use crate::json::tests::{event, hostile_event, with_view};

/// Every format, with the longest names where it takes some.
fn formats() -> Vec<Format> {
    let long = "é".repeat(31);
    let names = format!(r#""vendor":"{long}","product":"{long}""#);
    let types = ["cloudevents", "csv", "ironcore", "formio", "structured-data", "easysend", "json"];
    let mut configurations: Vec<String> =
        types.iter().map(|name| format!(r#"{{"type":"{name}"}}"#)).collect();
    for named in ["cef", "leef", "ecs", "ocsf", "asim", "udm"] {
        configurations.push(format!(r#"{{"type":"{named}",{names}}}"#));
    }
    configurations.push(format!(r#"{{"type":"ocsf","schema":"1.1.0",{names}}}"#));
    configurations.push(format!(r#"{{"type":"otlp","service":"{long}"}}"#));
    configurations.push(r#"{"type":"easysend","payload":"b"}"#.to_owned());
    configurations.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn within(event: &Event, format: &Format, bytes_max: usize) -> (Truncation, String) {
    let mut out = b"before".to_vec();
    let actions = KnownActions::builtin();
    let truncation =
        with_view(event, |view| format.encode_within(view, actions, bytes_max, &mut out));
    (truncation, String::from_utf8(out.split_off(6)).unwrap())
}

#[track_caller]
fn check(configuration: &str, expected: Result<&str, &str>) {
    let format: Result<Format, _> = serde_json::from_str(configuration);
    match (format, expected) {
        (Ok(format), Ok(expected)) => {
            assert_eq!(serde_json::to_string(&format).unwrap(), expected);
        }
        (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
        (format, _) => panic!("{configuration} gave {format:?}"),
    }
}

#[test]
fn defaults_are_filled_in_and_shown() {
    check(r#"{"type":"json"}"#, Ok(r#"{"type":"json","version":1}"#));
    check(r#"{"type":"ironcore","version":1}"#, Ok(r#"{"type":"ironcore","version":1}"#));
    check(
        r#"{"type":"cef","vendor":"Acme"}"#,
        Ok(
            r#"{"type":"cef","version":1,"vendor":"Acme","product":"AuditLog","device_version":"1","space_before_extension":false}"#,
        ),
    );
}

#[test]
fn mistakes_in_the_configuration_are_named() {
    let names = "unknown variant `xml`, expected one of `json`, `cef`, `leef`, `ecs`, `ocsf`, `structured-data`, `cloudevents`, `otlp`, `asim`, `udm`, `csv`, `ironcore`, `easysend`, `formio`, `template`";
    check(r#"{"type":"xml"}"#, Err(names));
    check(r#"{"type":"json","vendor":"Acme"}"#, Err("unknown field `vendor`"));
    check(r#"{"type":"cef","vendr":"Acme"}"#, Err("unknown field `vendr`"));
    check(r#"{"type":"ironcore","pretty":true}"#, Err("unknown field `pretty`"));
    check(r#"{"type":"cef","version":2}"#, Err("format version 2 does not exist"));
    check(r#"{"vendor":"Acme"}"#, Err("missing field `type`"));
    let long = format!(r#"{{"type":"cef","vendor":"{}"}}"#, "é".repeat(64));
    check(&long, Err("at most 63 characters; this one has 64"));
    check(r#"{"type":"cef","product":" "}"#, Err("must not be blank"));
    check(r#"{"type":"cef","device_version":"1\n2"}"#, Err("must not contain control characters"));
}

#[test]
fn a_raw_line_end_never_leaves() {
    let mut record = *b"a\r\nb\0c";
    keep_one_line(&mut record);
    assert_eq!(&record, b"a  b c");
}

#[test]
fn every_format_has_defaults_that_it_accepts_again() {
    for format in formats() {
        let text = serde_json::to_string(&format).unwrap();
        assert_eq!(serde_json::from_str::<Format>(&text).unwrap(), format);
    }
}

#[test]
fn media_types_say_what_a_record_is() {
    let of = |name: &str| -> Format {
        serde_json::from_str(&format!(r#"{{"type":"{name}"}}"#)).unwrap()
    };
    assert_eq!(of("cloudevents").content_type(), "application/cloudevents+json");
    assert_eq!(of("cloudevents").array_content_type(), "application/cloudevents-batch+json");
    assert_eq!(of("ecs").content_type(), "application/json");
    assert_eq!(of("csv").content_type(), "text/csv; charset=utf-8");
    assert_eq!(of("leef").content_type(), "text/plain; charset=utf-8");
    assert_eq!(of("leef").array_content_type(), "application/json");
    let beside = ["ironcore", "easysend", "formio"];
    assert!(beside.into_iter().all(|name| !of(name).holds_leaf_hash()));
    assert!(of("udm").holds_leaf_hash() && of("csv").holds_leaf_hash());
}

/// True when the record says that it was shortened; CSV does so in a column of its own.
fn is_marked(format: &Format, record: &str) -> bool {
    let mark = if matches!(format, Format::Csv(_)) { ",true," } else { "truncated" };
    record.contains(mark)
}

/// The longest of everything that stays in the smallest form.
#[test]
fn every_event_fits_into_the_core() {
    let text = r"\\".repeat(2_000) + &r"\u0001".repeat(2_000);
    let mut event = event(&format!(
        r#""action":"{text}","occurred_at":"2026-11-22T00:39:11.123Z","actor":{{"type":"{text}","id":"{text}"}},"outcome":"failure","severity":10,"category":"{text}","metadata":{{"k":"{text}"}},"context":{{"request_id":"{text}","session_id":"{text}"}},"targets":[{{"type":"user","id":"{text}"}}]"#
    ));
    event.seq = u64::MAX;
    for tenant in ["\"".repeat(128), "é".repeat(64), "]".repeat(128)] {
        event.tenant = TenantId::parse(&tenant).unwrap();
        for format in formats() {
            let (truncation, record) = within(&event, &format, CORE_BYTES_MAX);
            assert_eq!(truncation, Truncation::Shortened);
            assert!(record.len() <= CORE_BYTES_MAX, "{} {format:?} {record}", record.len());
            assert!(is_marked(&format, &record), "{record}");
            if format.holds_leaf_hash() {
                assert!(record.contains(&event.id.to_string()), "{record}");
                assert!(record.contains(&"ab".repeat(32)), "{record}");
                assert!(record.contains(&u64::MAX.to_string()), "{record}");
            }
        }
    }
}

#[test]
fn as_much_is_kept_as_fits() {
    let filler = "x".repeat(900);
    let event = event(&format!(
        r#""action":"a","metadata":{{"one":1.50,"two":"{filler}","three":"{filler}","four":"{filler}"}}"#
    ));
    for format in formats().iter().filter(|format| format.holds_leaf_hash()) {
        let (_, record) = within(&event, format, 3_000);
        assert!(record.contains(&filler) && record.contains("1.50"), "{record}");
        assert_eq!(within(&event, format, usize::MAX).0, Truncation::Whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_format_keeps_its_limit_its_line_and_its_word(event in hostile_event(), bytes_max in CORE_BYTES_MAX..9_000) {
        for format in formats() {
            let (truncation, record) = within(&event, &format, bytes_max);
            prop_assert!(record.len() <= bytes_max, "{} > {bytes_max}: {record}", record.len());
            prop_assert!(!record.contains(['\n', '\r', '\0']));
            prop_assert_eq!(is_marked(&format, &record), truncation == Truncation::Shortened);
            if format.is_json() {
                let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(&record);
                prop_assert!(object.is_ok(), "{record}");
                let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
                prop_assert!(!record.contains(breaks));
            }
            let again = within(&event, &format, bytes_max);
            prop_assert_eq!(again, (truncation, record));
        }
    }
}

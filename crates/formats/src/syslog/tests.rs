use attestary_event::Event;
use proptest::prelude::*;

use super::*;
use crate::json::{
    decode,
    tests::{WORKED, event, hostile_event, with_view},
};

fn framed(event: &Event, format: &str, options: &Options) -> (Truncation, Vec<u8>) {
    let format: Format = serde_json::from_str(format).unwrap();
    let mut out = Vec::new();
    let truncation =
        with_view(event, |view| frame(view, KnownActions::builtin(), &format, options, &mut out));
    (truncation, out)
}

#[test]
fn the_worked_event_gives_the_published_frame() {
    let worked = decode(WORKED.as_bytes()).unwrap();
    let options =
        Options { hostname: "{tenant}.audit.example.com".to_owned(), ..Options::default() };
    let mut message = Vec::new();
    with_view(&worked, |view| header::write(view, KnownActions::builtin(), &options, &mut message));
    let mut out = Vec::new();
    put_frame(&message, Framing::OctetCounting, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), include_str!("../golden/worked.syslog").trim_end());
}

#[test]
fn the_message_follows_one_space_after_the_structured_data() {
    let event = event(r#""action":"a b","occurred_at":"2026-11-22T00:39:11.123Z""#);
    let (truncation, cef) = framed(
        &event,
        r#"{"type":"cef"}"#,
        &Options { framing: Framing::Lf, ..Options::default() },
    );
    let cef = String::from_utf8(cef).unwrap();
    assert!(
        cef.starts_with(
            "<110>1 2026-11-22T00:39:11.123Z acme attestary - a-b [attestary@32473 id="
        ),
        "{cef}"
    );
    assert!(
        cef.contains("\"] CEF:0|Attestary|AuditLog|1|a b|A b|3|rt=") && cef.ends_with("leafHash\n"),
        "{cef}"
    );
    assert_eq!(truncation, Truncation::Whole);
}

#[test]
fn a_structured_record_is_the_messages_structured_data() {
    let event = event(r#""action":"a","actor":{"id":"u]1"}"#);
    let options = Options { framing: Framing::Lf, enterprise_id: 4711, ..Options::default() };
    let format = r#"{"type":"structured-data","enterprise_id":1}"#;
    let text = String::from_utf8(framed(&event, format, &options).1).unwrap();
    let (_, elements) = text.split_once(" attestary - a ").unwrap();
    assert!(elements.starts_with("[attestary@4711 id=") && elements.ends_with("\"]\n"), "{text}");
    assert!(elements.contains(r#"][event@4711 action="a""#), "{text}");
    assert!(elements.contains(r#" actorId="u\]1""#), "{text}");
    assert_eq!(text.matches("[attestary@").count(), 1, "{text}");
}

#[test]
fn years_that_cannot_be_written_are_nil() {
    // In UTC this is still the year before 0000.
    let event = event(r#""action":"a","occurred_at":"0000-01-01T00:00:00+01:00""#);
    let (_, out) = framed(
        &event,
        r#"{"type":"json"}"#,
        &Options { framing: Framing::Lf, ..Options::default() },
    );
    assert!(out.starts_with(b"<110>1 - acme attestary - a ["), "{}", String::from_utf8_lossy(&out));
}

#[track_caller]
fn check_options(options: &str, expected: &str) {
    match serde_json::from_str::<Options>(options) {
        Ok(options) => assert_eq!(serde_json::to_string(&options).unwrap(), expected),
        Err(error) => assert!(error.to_string().contains(expected), "{error}"),
    }
}

#[test]
fn options_have_defaults_and_bounds() {
    check_options(
        r#"{"framing":"lf"}"#,
        r#"{"facility":13,"framing":"lf","hostname":"{tenant}","app_name":"attestary","enterprise_id":32473,"frame_bytes_max":8000}"#,
    );
    check_options(r#"{"facility":24}"#, "0 to 23; this one is 24");
    check_options(r#"{"frame_bytes_max":1000}"#, "2048 to 1048576 bytes; this one is 1000");
    check_options(r#"{"hostname":"a b"}"#, "a syslog host name is 1 to 255 characters");
    check_options(r#"{"app_name":""}"#, "a syslog application name is 1 to 48 characters");
    check_options(r#"{"framing":"octets"}"#, "unknown variant `octets`");
    check_options(r#"{"host":"x"}"#, "unknown field `host`");
}

/// The longest header there can be stays within what the floor of the cap was computed with.
#[test]
fn the_smallest_cap_holds_every_event() {
    let mut event = event(&format!(
        r#""action":"{}","severity":10,"reason":"{}""#,
        "x".repeat(5000),
        "=".repeat(1000)
    ));
    event.tenant = attestary_event::TenantId::parse(&"]".repeat(128)).unwrap();
    event.seq = u64::MAX;
    let options = Options {
        facility: 23,
        hostname: "h".repeat(255),
        app_name: "p".repeat(48),
        enterprise_id: u32::MAX,
        frame_bytes_max: FRAME_BYTES_FLOOR,
        ..Options::default()
    };
    let mut header = Vec::new();
    with_view(&event, |view| header::write(view, KnownActions::builtin(), &options, &mut header));
    assert!((750..HEADER_BYTES_MAX).contains(&header.len()), "{}", header.len());
    let names = ["cef", "json", "ironcore", "leef", "ocsf", "asim", "structured-data"];
    for name in names {
        let format = &format!(r#"{{"type":"{name}"}}"#);
        let (truncation, out) = framed(&event, format, &options);
        assert!(out.len() <= FRAME_BYTES_FLOOR, "{}", out.len());
        assert_eq!(truncation, Truncation::Shortened);
    }
}

proptest! {
    #[test]
    fn frames_keep_to_the_cap_and_their_length_is_exact(event in hostile_event(), cap in FRAME_BYTES_FLOOR..9_000) {
        let options = Options { frame_bytes_max: cap, ..Options::default() };
        for format in [r#"{"type":"cef"}"#, r#"{"type":"json"}"#] {
            let (_, out) = framed(&event, format, &options);
            prop_assert!(out.len() <= cap);
            let text = String::from_utf8(out).unwrap();
            let (length, message) = text.split_once(' ').unwrap();
            prop_assert_eq!(length.parse(), Ok(message.len()));
            prop_assert!(message.starts_with("<1") && !message.contains(['\n', '\r', '\0']));
        }
    }
}

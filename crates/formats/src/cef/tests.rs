use attestary_event::{Event, Timestamp};
use attestary_testkit::cef::{Record, parse};
use proptest::prelude::*;

use super::*;
use crate::json::{
    decode,
    tests::{FULL, WORKED, event, hostile_event, with_view},
};

fn line(event: &Event, actions: &KnownActions, options: &Options) -> (Truncation, String) {
    let mut out = Vec::new();
    let truncation = with_view(event, |view| encode(view, actions, options, &mut out));
    (truncation, String::from_utf8(out).unwrap())
}

fn record(event: &Event) -> Record {
    parse(&line(event, KnownActions::builtin(), &Options::default()).1).unwrap()
}

fn published_options() -> Options {
    let (vendor, product, device_version) =
        ("Example".to_owned(), "App".to_owned(), "1.0".to_owned());
    Options { vendor, product, device_version, ..Options::default() }
}

// seeds: WO-08
#[test]
fn the_worked_event_gives_the_published_line() {
    let family = r#"
        [[action]]
        name = "user.login.failed"
        category = "authentication"
        severity = 5
        outcome = "failure"
        display = "User login failed"
        sentence = ""
    "#;
    let actions = KnownActions::from_families(&[("test", family)]).unwrap();
    let worked = decode(WORKED.as_bytes()).unwrap();
    let golden = include_str!("../golden/worked.cef").trim_end();
    assert_eq!(
        line(&worked, &actions, &published_options()),
        (Truncation::Whole, golden.to_owned())
    );
    let spaced = Options { space_before_extension: true, ..published_options() };
    assert_eq!(line(&worked, &actions, &spaced).1, golden.replace("|rt=", "| rt="));
}

#[test]
fn an_event_with_every_member_gives_the_golden_line() {
    let full = decode(FULL.as_bytes()).unwrap();
    let golden = include_str!("../golden/full.cef").trim_end_matches('\n');
    assert_eq!(
        line(&full, KnownActions::builtin(), &Options::default()),
        (Truncation::Whole, golden.to_owned())
    );
}

// seeds: WO-08
#[test]
fn the_seed_vector_is_escaped_as_published() {
    let options = Options {
        vendor: "Acme|Co".to_owned(),
        product: "audit\\log".to_owned(),
        space_before_extension: false,
        ..Options::default()
    };
    let event = event(
        r#""action":"USER_LOGIN","actor":{"id":"serviceOrUserId"},"description":"a=b\\c\nd|e","severity":3"#,
    );
    let (_, line) = line(&event, &KnownActions::default(), &options);
    assert!(line.starts_with(r"CEF:0|Acme\|Co|audit\\log|1|USER_LOGIN|User login|3|rt="), "{line}");
    assert!(line.contains(r" suid=serviceOrUserId msg=a\=b\\c\nd|e cs1="), "{line}");
}

#[track_caller]
fn check(members: &str, expected: &[(&str, Option<&str>)]) {
    let record = record(&event(members));
    for (key, value) in expected {
        assert_eq!(record.get(key), *value, "{key} of {record:?}");
    }
}

// seeds: WO-08
#[test]
fn addresses_go_where_their_kind_belongs() {
    let ip = |ip: &str| format!(r#""action":"a","context":{{"ip":"{ip}"}}"#);
    let none = ("AttestarySourceAddress", None);
    check(&ip("203.0.113.9"), &[("src", Some("203.0.113.9")), ("c6a2", None), none]);
    check(
        &ip("2001:DB8::1"),
        &[
            ("c6a2", Some("2001:db8::1")),
            ("c6a2Label", Some("Source IPv6 Address")),
            ("src", None),
            none,
        ],
    );
    check(&ip("::ffff:10.0.0.1"), &[("src", Some("10.0.0.1")), ("c6a2", None), none]);
    check(
        &ip("10.0.0.1:8080"),
        &[("src", None), ("c6a2", None), ("AttestarySourceAddress", Some("10.0.0.1:8080"))],
    );
    check(&ip(""), &[("src", None), ("c6a2", None), none]);
    // The name of a host is the dictionary's sourceHostName; what only looks like one is not.
    for host in ["leumi-player-web-8895dbd5d-mqz5b", "WS-7.corp.example.com", "a.b."] {
        check(&ip(host), &[("shost", Some(host)), ("src", None), none]);
    }
    for other in ["10.0.0.256", "-a.example", "a..b", "unknown host", "a_b.example"] {
        check(&ip(other), &[("shost", None), ("AttestarySourceAddress", Some(other))]);
    }
}

#[test]
fn values_cannot_pass_for_keys() {
    check(
        r#""action":"a","description":"x src=6.6.6.6 cs1=other\nCEF:0|a","actor":{"id":"cn1=9"}"#,
        &[
            ("msg", Some("x src=6.6.6.6 cs1=other\nCEF:0|a")),
            ("src", None),
            ("cs1", Some("acme")),
            ("cn1", Some("7")),
            ("suid", Some("cn1=9")),
        ],
    );
}

#[test]
fn lists_can_be_split_again() {
    let targets = r#""targets":[{"type":"a:b","id":"1:2,3%"},{"id":"x"},{"type":"user","id":"u"}]"#;
    check(
        &format!(r#""action":"a",{targets},"labels":["p,q","r"]"#),
        &[("cs2", Some("a%3Ab:1:2%2C3%25,:x,user:u")), ("cs3", Some("p%2Cq,r")), ("duid", None)],
    );
    check(
        r#""action":"a","targets":[{"type":"user","id":"u_7","name":"Bob"}]"#,
        &[("duid", Some("u_7")), ("duser", Some("Bob")), ("cs2", Some("user:u_7"))],
    );
}

#[test]
fn messages_are_descriptions_or_sentences() {
    let login = r#""action":"user.login""#;
    check(
        &format!(r#"{login},"actor":{{"email":"a@b.c"}}"#),
        &[("msg", Some("a@b.c signed in")), ("suser", Some("a@b.c"))],
    );
    check(&format!(r#"{login},"description":"By card""#), &[("msg", Some("By card"))]);
    check(login, &[("msg", None)]);
}

#[test]
fn text_is_cut_at_the_limits_of_the_standard_and_marked() {
    let reason = |count| format!(r#""action":"a","reason":"{}""#, "😀".repeat(count));
    check(&reason(1022), &[("reason", Some("😀".repeat(1022).as_str())), ("truncated", None)]);
    check(&reason(1023), &[("reason", Some("😀".repeat(1023).as_str())), ("truncated", None)]);
    check(
        &reason(1024),
        &[("reason", Some("😀".repeat(1023).as_str())), ("truncated", Some("true"))],
    );
    // The class id has room for the whole action, so a shorter `act` loses nothing.
    let action = format!("{}.x", "é".repeat(70));
    let long = record(&event(&format!(r#""action":"{action}""#)));
    assert_eq!(
        (long.header[3].as_str(), long.get("act"), long.get("truncated")),
        (action.as_str(), Some("é".repeat(63).as_str()), None)
    );
}

#[test]
fn metadata_over_the_limit_loses_whole_members() {
    let metadata = |count| {
        format!(r#""action":"a","metadata":{{"n":1.0,"text":"{}","last":2}}"#, "=".repeat(count))
    };
    // {"n":1.0,"text":"","last":2} has 28 characters.
    check(
        &metadata(3972),
        &[
            ("cs6", Some(&metadata(3972)[r#""action":"a","metadata":"#.len()..])),
            ("truncated", None),
        ],
    );
    let without_last = format!(r#"{{"n":1.0,"text":"{}"}}"#, "=".repeat(3973));
    check(&metadata(3973), &[("cs6", Some(&without_last)), ("truncated", Some("true"))]);
    check(&metadata(4000), &[("cs6", Some(r#"{"n":1.0}"#)), ("truncated", Some("true"))]);
    let only = format!(r#""action":"a","metadata":{{"text":"{}"}}"#, "x".repeat(4000));
    check(&only, &[("cs6", None), ("cs6Label", None), ("truncated", Some("true"))]);
    check(r#""action":"a","metadata":{}"#, &[("cs6", None), ("truncated", None)]);
}

#[test]
fn changes_stay_json_when_they_are_cut() {
    let change = format!(r#"{{"field":"f","old":1e2,"new":"{}"}}"#, "x".repeat(1500));
    let changes = format!(r#""action":"a","changes":[{change},{change},{change}]"#);
    check(
        &changes,
        &[
            ("AttestaryChanges", Some(format!("[{change},{change}]").as_str())),
            ("truncated", Some("true")),
        ],
    );
}

#[test]
fn what_is_left_out_follows_one_order() {
    let long = |count: usize| "x".repeat(count);
    let event = event(&format!(
        r#""action":"a","actor":{{"id":"u"}},"reason":"{}","description":"{}","context":{{"trace_id":"{}"}},"metadata":{{"a":1,"b":"{}"}}"#,
        long(900),
        long(900),
        long(100),
        long(3000)
    ));
    let kept = |bytes_max| {
        let mut out = Vec::new();
        with_view(&event, |view| {
            encode_within(view, KnownActions::builtin(), &Options::default(), bytes_max, &mut out)
        });
        assert!(out.len() <= bytes_max);
        let record = parse(std::str::from_utf8(&out).unwrap()).unwrap();
        ["cs6", "AttestaryTraceId", "msg", "reason", "suid"]
            .map(|key| record.get(key).map(str::len))
    };
    let metadata = r#"{"a":1}"#.len();
    assert_eq!(kept(6000), [Some(3014), Some(100), Some(900), Some(900), Some(1)]);
    assert_eq!(kept(5000), [Some(metadata), Some(100), Some(900), Some(900), Some(1)]);
    assert_eq!(kept(2250), [Some(metadata), None, Some(900), Some(900), Some(1)]);
    assert_eq!(kept(2150), [Some(metadata), None, None, Some(900), Some(1)]);
    assert_eq!(kept(1200), [Some(metadata), None, None, None, Some(1)]);
}

/// What a value looks like after a trip through CEF.
fn carried(text: &str, chars_max: usize) -> String {
    let kept =
        |c: char| if c.is_control() && !matches!(c, '\n' | '\r' | '\t') { '\u{fffd}' } else { c };
    let text: String = text.trim_matches(' ').chars().take(chars_max).map(kept).collect();
    text.trim_end_matches(' ').to_owned()
}

proptest! {
    #[test]
    fn an_independent_parser_reads_the_event_back(event in hostile_event()) {
        let record = record(&event);
        let expected = [
            ("suid", "/actor/id"), ("suser", "/actor/name"), ("reason", "/reason"), ("msg", "/description"),
            ("requestClientApplication", "/context/user_agent"), ("request", "/context/http/url"),
        ];
        with_view(&event, |view| {
            for (key, pointer) in expected {
                let text = carried(view.text(pointer).unwrap(), 1023);
                // An empty name falls back to the e-mail address.
                let fallback = key == "suser" && view.text(pointer) == Some("");
                if !fallback {
                    prop_assert_eq!(record.get(key).unwrap_or_default(), text, "{}", key);
                }
            }
            prop_assert_eq!(record.get("cs4").unwrap_or_default(), carried(view.text("/context/request_id").unwrap(), 4000));
            Ok(())
        })?;
        prop_assert_eq!(record.get("cs1").unwrap(), carried(event.tenant.as_str(), 4000));
        prop_assert_eq!(record.get("cn1").unwrap(), event.seq.to_string());
        prop_assert_eq!(record.get("deviceCustomDate1").unwrap().parse().map(Timestamp), Ok(event.received_at));
        if let Some(metadata) = record.get("cs6") {
            let whole = event.fields();
            let fields = attestary_event::Fields::parse(metadata.as_bytes(), &attestary_event::Limits::default()).unwrap();
            for field in fields.iter() {
                let stored = whole.get(&format!("/metadata{}", field.pointer)).unwrap();
                prop_assert_eq!((stored.kind, stored.value), (field.kind, field.value));
            }
        }
    }
}

//! The fixtures shared with other implementations of the language, and properties.

mod fixtures;
mod properties;

use super::*;
use crate::{EnvironmentId, Event, EventId, Fields, Limits, TenantId};

/// Returns the event of a native JSON form, as readers get it.
pub(super) fn event(native: &serde_json::Value) -> Event {
    let mut body = native.as_object().expect("an event is an object").clone();
    let mut take = |name: &str| body.remove(name).expect(name);
    let text = |value: serde_json::Value| value.as_str().expect("a string").to_owned();
    let hex = text(take("leaf_hash"));
    let mut leaf_hash = [0; 32];
    for (byte, at) in leaf_hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    }
    Event {
        id: EventId::parse(&text(take("id"))).unwrap(),
        tenant: TenantId::parse(&text(take("tenant"))).unwrap(),
        environment: EnvironmentId::parse(&text(take("environment"))).unwrap(),
        seq: take("seq").as_u64().unwrap(),
        received_at: Timestamp::parse(&text(take("received_at"))).unwrap(),
        flags: 0,
        leaf_hash,
        body: serde_json::to_vec(&body).unwrap().into(),
    }
}

/// Returns the fields of an event whose body must scan.
pub(super) fn fields(event: &Event) -> Fields {
    Fields::parse(&event.body, &Limits::default()).expect("a body inside the limits")
}

#[test]
fn hostile_nesting_costs_an_error_on_a_small_stack() {
    let parse = || {
        for open in ["(", "-", "NOT ", "(-", "exists("] {
            let text = open.repeat(TEXT_BYTES_MAX / open.len());
            assert!(Filter::parse(&text).is_err(), "{open}");
        }
        let json = r#"{"not":"#.repeat(9_000);
        assert!(Filter::from_json_slice(json.as_bytes()).is_err());
        // The deepest filter there is: parse, print, evaluate and drop it.
        let text = "-(a OR ".repeat(16) + "b" + &")".repeat(16);
        let deep = Filter::parse(&text).expect("32 levels");
        assert_eq!(Filter::from_json(&deep.to_json()), Ok(deep.clone()));
        assert_eq!(deep.node().nesting(), NESTING_MAX);
        assert_eq!(deep.to_string(), text);
        assert!(!deep.bounds().is_never());
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(parse);
    thread.unwrap().join().expect("no overflow");
}

#[test]
fn each_limit_is_reached_and_not_passed_by_one() {
    let nested = |levels: usize| Filter::parse(&("-".repeat(levels) + "a")).is_ok();
    assert!(nested(NESTING_MAX) && !nested(NESTING_MAX + 1));
    let listed = |words: usize| Filter::parse(&"a ".repeat(words)).is_ok();
    assert!(listed(NODES_MAX - 1) && !listed(NODES_MAX));
    let long = |bytes: usize| Filter::parse(&"a".repeat(bytes)).is_ok();
    assert!(long(TEXT_BYTES_MAX) && !long(TEXT_BYTES_MAX + 1));
    // The canonical text counts too: it has one space more than this one.
    let joined = |bytes: usize| {
        let text = format!("(a OR b)({} OR c)", "d".repeat(bytes - "(a OR b)( OR c)".len()));
        Filter::parse(&text).map_err(|error| (error.offset, error.length, error.reason))
    };
    assert!(joined(TEXT_BYTES_MAX - 1).is_ok());
    let bytes = TEXT_BYTES_MAX + 1;
    assert_eq!(joined(TEXT_BYTES_MAX), Err((0, TEXT_BYTES_MAX, Reason::TooLong { bytes })));
}

#[test]
fn repeated_members_of_the_json_form_are_refused() {
    let twice = br#"{"and":[{"text":"a"}],"and":[{"text":"b"}]}"#;
    assert!(Filter::from_json_slice(twice).is_err());
    assert!(Filter::from_json_slice(br#"{"and":[{"text":"a"}]}"#).is_ok());
}

#[test]
fn what_a_filter_reads_is_known() {
    let filter =
        Filter::parse(r#"a:1 OR -exists(metadata.x.y) target.type:z outcom:f severity>"now""#)
            .unwrap();
    let paths: Vec<_> = filter.paths().iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["a", "metadata.x.y", "target.type", "outcom", "severity"]);
    let unknown: Vec<_> = filter.unknown_paths().iter().map(ToString::to_string).collect();
    assert_eq!(unknown, ["a", "outcom"]);
    assert!(!filter.reads_every_value() && !filter.is_relative());
    assert!(Filter::parse("-(a:1 OR x)").unwrap().reads_every_value());
    assert!(Filter::parse("-(a:1 OR a<now)").unwrap().is_relative());
    assert!(!Filter::parse("a<now-1d").unwrap().resolve(Timestamp(0)).is_relative());
}

#[test]
fn every_member_of_the_event_is_known_and_similar_names_are_not() {
    for member in crate::spec::MEMBERS.iter().filter(|member| !member.pointer.is_empty()) {
        let path = member.pointer[1..].replace("/*", "").replace('/', ".");
        assert!(
            Filter::parse(&format!("exists({path})")).unwrap().unknown_paths().is_empty(),
            "{path}"
        );
    }
    for path in
        ["actor.ids", "context.http.code", "targets.0.kind", "labels.x", "actor.id.x", "meta.x"]
    {
        assert!(
            !Filter::parse(&format!("exists({path})")).unwrap().unknown_paths().is_empty(),
            "{path}"
        );
    }
    for path in [
        "targets.0.id",
        "target.metadata.a",
        "labels.3",
        "changes.new.a.b",
        "source.x",
        "actor.metadata.a",
    ] {
        assert!(
            Filter::parse(&format!("exists({path})")).unwrap().unknown_paths().is_empty(),
            "{path}"
        );
    }
}

#[test]
fn a_restriction_narrows_whatever_it_is_joined_to() {
    #[track_caller]
    fn check(one: &str, two: &str, expected: &str) {
        let joined = Filter::parse(one).unwrap().and(Filter::parse(two).unwrap());
        assert_eq!(joined.to_string(), expected);
        assert_eq!(Filter::parse(expected).unwrap(), joined);
    }
    check("", "", "");
    check("", "target.id:doc_7", "target.id:doc_7");
    check("a:1 OR b:2", "target.id:doc_7", "(a:1 OR b:2) target.id:doc_7");
    check("a:1 b:2", "c:3 OR d:4", "a:1 b:2 (c:3 OR d:4)");
    let path = Path::parse("actor.id").unwrap();
    assert_eq!(Filter::equals(path, "a b*").to_string(), r#"actor.id="a b*""#);
}

#[test]
fn now_is_held_within_the_years_that_can_be_written() {
    for (text, expected) in [
        ("a<now", "a<2026-11-22T00:00:00.000Z"),
        ("a<now-36h", "a<2026-11-20T12:00:00.000Z"),
        ("a<now-999999999w", "a<0000-01-01T00:00:00.000Z"),
        ("a<now+999999999w", "a<9998-12-31T23:59:59.999Z"),
    ] {
        let now = Timestamp::parse("2026-11-22T00:00:00Z").unwrap();
        assert_eq!(Filter::parse(text).unwrap().resolve(now).to_string(), expected);
    }
}

#[test]
fn bounds_say_what_storage_can_use() {
    #[track_caller]
    fn check(text: &str, column: Column, expected: &[&str]) {
        let bounds = Filter::parse(text).unwrap().bounds();
        let found = bounds.equals(column).unwrap_or_default();
        assert_eq!(found.iter().map(|text| &**text).collect::<Vec<_>>(), expected, "{text}");
    }
    check("actor.id:u_1 alice", Column::ActorId, &["u_1"]);
    check("action:b OR action=a OR action:b", Column::Action, &["a", "b"]);
    check("(action:a outcome:x) OR (outcome:y action:c)", Column::Action, &["a", "c"]);
    check("action:a OR outcome:x", Column::Action, &[]);
    check("action:a OR severity>high", Column::Action, &["a"]);
    check("action:a*", Column::Action, &[]);
    check(r"action:a\*", Column::Action, &["a*"]);
    check("-action:a", Column::Action, &[]);
    check("--action:a", Column::Action, &["a"]);
    check("action!=a", Column::Action, &[]);
    check("target.id:t", Column::TargetId, &["t"]);
    check("context.ip:10.0.0.1", Column::Ip, &["10.0.0.1"]);
    check("context.ip:10.0.0.0/8", Column::Ip, &[]);
    check(
        "id:01930B5E-5A53-709E-8F3C-0123456789AB",
        Column::Id,
        &["01930b5e-5a53-709e-8f3c-0123456789ab"],
    );
}

#[test]
fn ranges_cover_what_the_operators_mean() {
    const ALL: Range = Range::ALL;
    #[track_caller]
    fn check(text: &str, column: Column, min: i64, max: i64) {
        assert_eq!(
            Filter::parse(text).unwrap().bounds().range(column),
            Range { min, max },
            "{text}"
        );
    }
    check("severity>=5", Column::Severity, 5, 10);
    check("severity>4.5 severity<7", Column::Severity, 5, 6);
    check("severity:3 OR severity:9", Column::Severity, 3, 9);
    check("severity!=0", Column::Severity, 1, 10);
    check("seq>5 seq<=9", Column::Seq, 6, 9);
    check("seq:1e3", Column::Seq, ALL.min, ALL.max);
    check("occurred_at:1970-01-02", Column::OccurredAt, 86_400_000, 172_799_999);
    check("occurred_at>1970-01-01", Column::OccurredAt, 86_400_000, ALL.max);
    check("occurred_at<1970-01-01T00:00:01Z", Column::OccurredAt, ALL.min, 999);
    check("-occurred_at<1970-01-02", Column::OccurredAt, ALL.min, ALL.max);
    check("action:a", Column::Severity, ALL.min, ALL.max);
    for text in ["severity>high", "severity>5 severity<5", "received_at>x", "seq:x", "a<now"] {
        assert!(Filter::parse(text).unwrap().bounds().is_never(), "{text}");
    }
}

#[test]
fn prefixes_overlap_the_statistics_that_may_hold_them() {
    let bounds = Filter::parse("action:user.*").unwrap().bounds();
    let [(Column::Action, bound)] = bounds.texts() else { panic!("{bounds:?}") };
    for (min, max, expected) in [
        ("user.login", "user.logout", true),
        ("a", "z", true),
        ("user", "user.", true),
        ("user.z", "zzz", true),
        ("userz", "zzz", false),
        ("a", "user", false),
        ("zzz", "zzzz", false),
    ] {
        assert_eq!(bound.overlaps(min.as_bytes(), max.as_bytes()), expected, "{min} {max}");
    }
}

use attestary_event::{View, actions::KnownActions};
use attestary_formats::Format;

use super::*;
use crate::{
    DestinationConfig, ManagedBy,
    health::{Cause, Reason},
    spec,
    verdict::RetryAfter,
};

const EVERY: u64 = 60;

fn at(cursor: u64, mark: Option<Mark>) -> State {
    State { checkpoint: mark, ..State::new(cursor, Timestamp(0)) }
}

fn done(size: u64, at_ms: i64) -> Mark {
    Mark { size, at_ms, failures: 0, again_ms: None }
}

fn signed() -> Signed {
    let note = "log.example/t/1\n7\nAAAA\n\n— log.example/t/1 c2lnbmF0dXJl\n";
    Signed {
        origin: "log.example/t/1".into(),
        size: 7,
        root: [9; 32],
        subtrees: vec![[1; 32], [2; 32], [3; 32]],
        note: note.into(),
    }
}

#[test]
fn the_next_one_is_due_when_the_cursor_has_moved_and_the_pause_is_over() {
    #[track_caller]
    fn check(state: &State, now: i64, expected: Due) {
        assert_eq!(due(state, EVERY, Timestamp(now)), expected);
    }
    let fresh = |size, at_ms| Due::Now(Mark { size, at_ms, failures: 0, again_ms: Some(at_ms) });
    check(&at(0, None), 5, Due::Never);
    check(&at(3, None), 5, fresh(3, 5));
    check(&at(3, Some(done(3, 5))), 999_999, Due::Never);
    check(&at(4, Some(done(3, 5))), 1_005, Due::In(Duration::from_secs(59)));
    check(&at(4, Some(done(3, 5))), 60_005, fresh(4, 60_005));
    // The clock was set back.
    check(&at(4, Some(done(3, 9_000_000))), 60_005, fresh(4, 60_005));
    // One that was not confirmed stays what it was, wherever the cursor is.
    let open = Mark { failures: 2, again_ms: Some(90_000), ..done(3, 5) };
    check(&at(9, Some(open)), 80_000, Due::In(Duration::from_secs(10)));
    check(&at(9, Some(open)), 90_000, Due::Now(open));
    assert_eq!(due(&at(3, None), 0, Timestamp(5)), Due::Never);
}

#[test]
fn while_events_cannot_be_delivered_there_is_none() {
    let mut state = at(3, None);
    state.failures = 1;
    assert_eq!(due(&state, EVERY, Timestamp(5)), Due::Never);
    let mut state = at(3, None);
    state.health.become_(Phase::Paused, Reason::new(Cause::User, "by a person"), Timestamp(1));
    assert_eq!(due(&state, EVERY, Timestamp(5)), Due::Never);
}

#[test]
fn what_is_refused_is_left_out_and_what_failed_is_tried_again() {
    let mark = done(3, 5);
    let reason = Reason::new(Cause::Unavailable, "down");
    let after = |verdict: &Verdict| mark.after(verdict, Timestamp(1_000), u64::MAX);
    assert_eq!(after(&Verdict::Delivered), mark);
    assert_eq!(after(&Verdict::Reject { reason: reason.clone() }).again_ms, None);
    assert_eq!(after(&Verdict::Split { reason: reason.clone() }).again_ms, None);
    let later = after(&Verdict::Retry { after: None, reason: reason.clone() });
    assert_eq!((later.failures, later.again_ms), (1, Some(2_000)));
    let wish = Some(RetryAfter::Delay(Duration::from_secs(30)));
    let later = after(&Verdict::Retry { after: wish, reason: reason.clone() });
    assert_eq!(later.again_ms, Some(31_000));
    assert!(after(&Verdict::Pause { reason }).again_ms.is_some());
}

#[test]
fn the_same_checkpoint_is_the_same_event_and_another_one_is_not() {
    let config = serde_json::json!({ "path": "acme.log" });
    let config = DestinationConfig::validate("file", &config, ManagedBy::Operator).unwrap().0;
    let spec = spec::sample(config);
    let (first, again) =
        (event(&spec, &signed(), Timestamp(5)), event(&spec, &signed(), Timestamp(5)));
    assert_eq!(first, again);
    let larger = Signed { note: signed().note.replace("\n7\n", "\n8\n"), size: 8, ..signed() };
    assert_ne!(event(&spec, &larger, Timestamp(5)).id, first.id);
    assert_eq!((first.seq, first.leaf_hash), (7, [0; 32]));
}

/// Every format carries the whole note, or is refused.
#[test]
fn the_note_stands_in_every_format() {
    let config = serde_json::json!({ "path": "acme.log" });
    let config = DestinationConfig::validate("file", &config, ManagedBy::Operator).unwrap().0;
    let spec = spec::sample(config);
    let event = event(&spec, &signed(), Timestamp(5));
    let fields = event.fields();
    let view = View { event: &event, fields: &fields };
    let mut without = Vec::new();
    for name in [
        "json",
        "cef",
        "leef",
        "ecs",
        "ocsf",
        "structured-data",
        "cloudevents",
        "otlp",
        "asim",
        "udm",
        "csv",
        "ironcore",
        "easysend",
        "formio",
    ] {
        let format: Format = serde_json::from_value(serde_json::json!({ "type": name })).unwrap();
        let mut bytes = Vec::new();
        spec.destination.encode_whole(&view, &format, &KnownActions::default(), &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let whole = text.contains("c2lnbmF0dXJl") && text.contains("log.example/t/1");
        if !whole || !text.contains(&hex(&[3; 32])) {
            without.push((format, text));
        }
    }
    let refused =
        without.iter().all(|(format, _)| spec.destination.refuses_checkpoints(format).is_some());
    assert!(refused && without.len() == 2, "{without:?}");
}

#[test]
fn a_pause_is_none_or_between_10_seconds_and_a_day() {
    for (seconds, fine) in [(0, true), (9, false), (10, true), (86_400, true), (86_401, false)] {
        assert_eq!(violation(seconds).is_none(), fine, "{seconds}");
    }
}

use std::collections::BTreeSet;

use attestary_event::{EnvironmentId, Event, EventId, TenantId};
use proptest::prelude::*;

use super::*;
use crate::{
    batch::{Cut, Offered},
    verdict::RetryAfter,
};

pub(super) const NOW: Timestamp = Timestamp(1_000_000);
pub(super) const LIMITS: BatchLimits =
    BatchLimits { events_max: 8, bytes_max: 1_000_000, linger_ms: 0, in_flight_max: 1 };

pub(super) fn engine(cursor: u64) -> Engine {
    Engine::new(LIMITS, State::new(cursor, NOW))
}

fn event(seq: u64) -> Event {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&seq.to_be_bytes());
    Event {
        id: EventId(id),
        tenant: TenantId::restored("acme"),
        environment: EnvironmentId::restored("production"),
        seq,
        received_at: NOW,
        flags: 0,
        leaf_hash: [0; 32],
        body: Box::from(*b"{}"),
    }
}

/// Cuts the engine's next batch from a log of `size` events of ten bytes each.
pub(super) fn cut(engine: &Engine, size: u64) -> Batch {
    cut_where(engine, size, |_| true)
}

fn cut_where(engine: &Engine, size: u64, selects: impl Fn(u64) -> bool) -> Batch {
    let window = engine.window();
    let mut cut = Cut::new(window);
    for seq in window.from_seq..size {
        let encode = |event: &Event, out: &mut Vec<u8>| {
            out.extend_from_slice(&[b'x'; 10]);
            selects(event.seq) && !engine.is_settled(event.seq)
        };
        if cut.offer(&event(seq), encode) == Offered::Complete {
            break;
        }
    }
    cut.finish()
}

pub(super) fn seqs(batch: &Batch) -> Vec<u64> {
    batch.records.iter().map(|record| record.seq).collect()
}

pub(super) fn reason(code: Cause) -> Reason {
    Reason::new(code, "because")
}

fn retry() -> Verdict {
    Verdict::Retry { after: None, reason: reason(Cause::Unavailable) }
}

fn reject() -> Verdict {
    Verdict::Reject { reason: reason(Cause::Refused) }
}

fn pause() -> Verdict {
    Verdict::Pause { reason: reason(Cause::Refused) }
}

fn split() -> Verdict {
    Verdict::Split { reason: reason(Cause::Refused) }
}

/// Cuts and settles one batch.
pub(super) fn attempt(engine: &mut Engine, size: u64, verdict: &Verdict) -> (Vec<u64>, Settled) {
    let batch = cut(engine, size);
    engine.fix(&batch);
    let settled = engine.settle(&batch, verdict, "answer", NOW, 0);
    (seqs(&batch), settled)
}

/// One attempt per verdict over a log of `size` events; compares the ranges attempted and the final cursor.
#[track_caller]
fn check(size: u64, verdicts: &[Verdict], ranges: &[(u64, u64)], cursor: u64) {
    let mut engine = engine(0);
    let attempted: Vec<(u64, u64)> = verdicts
        .iter()
        .map(|verdict| {
            let (seqs, _) = attempt(&mut engine, size, verdict);
            (seqs[0], *seqs.last().unwrap())
        })
        .collect();
    assert_eq!((attempted.as_slice(), engine.state().cursor), (ranges, cursor));
}

#[test]
fn the_cursor_passes_what_was_confirmed() {
    check(20, &[Verdict::Delivered, Verdict::Delivered], &[(0, 7), (8, 15)], 16);
}

#[test]
fn a_failed_batch_is_tried_again_with_the_same_range() {
    check(20, &[retry(), retry(), pause(), retry(), Verdict::Delivered], &[(0, 7); 5], 8);
}

#[test]
fn the_range_stays_fixed_when_the_log_grows_and_across_a_restart() {
    let mut engine = engine(0);
    let (first, _) = attempt(&mut engine, 3, &retry());
    let mut restarted = Engine::new(LIMITS, State::from_json(&engine.state().to_json()).unwrap());
    let (again, _) = attempt(&mut restarted, 100, &retry());
    assert_eq!((first, again), (vec![0, 1, 2], vec![0, 1, 2]));
    let mut smaller =
        Engine::new(BatchLimits { events_max: 1, ..LIMITS }, restarted.state().clone());
    assert_eq!(attempt(&mut smaller, 100, &retry()).0, [0, 1, 2]);
}

#[test]
fn a_batch_that_is_too_large_is_halved_until_it_fits() {
    check(
        20,
        &[split(), split(), split(), Verdict::Delivered],
        &[(0, 7), (0, 3), (0, 1), (0, 0)],
        1,
    );
}

#[test]
fn an_event_that_is_too_large_alone_is_set_aside() {
    let mut engine = engine(0);
    let facts: Vec<Facts> = (0..4).map(|_| attempt(&mut engine, 20, &split()).1.facts).collect();
    assert_eq!(facts[3].quarantined.iter().map(|set| set.seq).collect::<Vec<_>>(), [0]);
    assert_eq!(engine.state().cursor, 1);
}

#[test]
fn the_batch_size_grows_back_after_many_confirmations() {
    let mut engine = engine(0);
    attempt(&mut engine, 10_000, &split());
    assert_eq!(attempt(&mut engine, 10_000, &Verdict::Delivered).0.len(), 4);
    for _ in 1..CONFIRMED_UNTIL_GROWTH {
        attempt(&mut engine, 10_000, &Verdict::Delivered);
    }
    assert_eq!(attempt(&mut engine, 10_000, &Verdict::Delivered).0.len(), 8);
}

/// Delivers a log to a receiver that refuses batches holding a poisoned event; returns delivered, set aside, attempts.
fn bisect(size: u64, poison: &BTreeSet<u64>) -> (Vec<u64>, Vec<u64>, usize) {
    let mut engine = engine(0);
    let (mut delivered, mut aside, mut attempts) = (Vec::new(), Vec::new(), 0);
    while engine.state().cursor < size {
        let batch = cut(&engine, size);
        engine.fix(&batch);
        let refused = seqs(&batch).iter().any(|seq| poison.contains(seq));
        let verdict = if refused { reject() } else { Verdict::Delivered };
        let settled = engine.settle(&batch, &verdict, "answer", NOW, 0);
        assert_eq!(settled.wait, None, "bisection does not wait");
        if !refused {
            delivered.extend(seqs(&batch));
        }
        aside.extend(settled.facts.quarantined.iter().map(|set| set.seq));
        attempts += 1;
        assert!(attempts < 10_000, "bisection ends");
    }
    (delivered, aside, attempts)
}

#[test]
fn bisection_finds_the_refused_events_and_delivers_the_rest() {
    #[track_caller]
    fn check(poison: &[u64], attempts_max: usize) {
        let poison: BTreeSet<u64> = poison.iter().copied().collect();
        let (delivered, aside, attempts) = bisect(24, &poison);
        assert_eq!(delivered, (0..24).filter(|seq| !poison.contains(seq)).collect::<Vec<_>>());
        assert_eq!(aside, poison.iter().copied().collect::<Vec<_>>());
        assert!(attempts <= attempts_max, "{poison:?} took {attempts} attempts");
    }
    check(&[], 3);
    check(&[0], 8);
    check(&[3], 9);
    check(&[7], 9);
    check(&[8], 9);
    check(&[23], 9);
    check(&[2, 5], 14);
    check(&[0, 23], 14);
    check(&(0..24).collect::<Vec<_>>(), 90);
}

proptest! {
    #[test]
    fn bisection_loses_and_repeats_nothing(size in 1_u64..80, poison in prop::collection::btree_set(0_u64..80, 0..20)) {
        let (delivered, aside, _) = bisect(size, &poison);
        let mut all = [delivered.clone(), aside.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..size).collect::<Vec<_>>());
        prop_assert!(aside.iter().all(|seq| poison.contains(seq)));
        prop_assert!(delivered.is_sorted());
    }
}

#[test]
fn the_record_of_a_set_aside_event_says_which_and_why() {
    let mut engine = engine(7);
    let (_, settled) = attempt(&mut engine, 8, &reject());
    let [set] = settled.facts.quarantined.as_slice() else { panic!("one event is set aside") };
    assert_eq!((set.seq, set.event.as_str()), (7, "00000000-0000-0000-0000-000000000007"));
    assert_eq!(
        (set.reason.as_str(), set.excerpt.as_str(), set.at_ms),
        ("because", "answer", NOW.0)
    );
}

#[test]
fn a_receiver_that_refuses_everything_is_paused_and_asked_again_without_losing_more() {
    let mut engine = engine(0);
    let mut aside = 0;
    while engine.state().health.phase == Phase::Active {
        aside += attempt(&mut engine, 1_000, &reject()).1.facts.quarantined.len();
    }
    assert_eq!((aside, engine.state().cursor), (100, 100));
    assert_eq!(engine.state().health.reason.code, Cause::RefusesEverything);
    for _ in 0..5 {
        let (_, settled) = attempt(&mut engine, 1_000, &reject());
        assert_eq!((settled.wait, settled.facts.quarantined.len()), (Some(schedule::PROBE.0), 0));
    }
    assert_eq!(engine.state().cursor, 100);
    attempt(&mut engine, 1_000, &Verdict::Delivered);
    assert_eq!(engine.state().health.phase, Phase::Active);
    assert!(engine.state().cursor > 100);
}

#[test]
fn excluded_events_count_as_confirmed() {
    let mut engine = engine(0);
    let batch = cut_where(&engine, 5, |_| false);
    engine.pass(&batch);
    assert_eq!(engine.state().cursor, 5);
    let batch = cut_where(&engine, 9, |seq| seq == 6);
    engine.fix(&batch);
    engine.settle(&batch, &Verdict::Delivered, "", NOW, 0);
    assert_eq!((engine.state().cursor, engine.state().totals.delivered), (9, 1));
}

#[test]
fn delays_follow_the_schedule_and_the_receiver() {
    #[track_caller]
    fn check(failures: u32, verdict: &Verdict, random: u64, seconds: u64) {
        let mut engine = engine(0);
        engine.state.failures = failures;
        let batch = cut(&engine, 1);
        engine.fix(&batch);
        let settled = engine.settle(&batch, verdict, "", NOW, random);
        assert_eq!(settled.wait, Some(Duration::from_secs(seconds)));
    }
    let after = |after| Verdict::Retry { after: Some(after), reason: reason(Cause::Throttled) };
    let date = |ms| RetryAfter::Date(Timestamp(NOW.0 + ms));
    check(0, &retry(), u64::MAX, 1);
    check(3, &retry(), u64::MAX, 8);
    check(1_000_000, &retry(), u64::MAX, 300);
    check(u32::MAX, &retry(), 0, 0);
    check(9, &after(RetryAfter::Delay(Duration::from_secs(7))), u64::MAX, 7);
    check(9, &after(RetryAfter::Delay(Duration::ZERO)), u64::MAX, 1);
    check(9, &after(RetryAfter::Delay(Duration::from_hours(9))), u64::MAX, 3_600);
    check(9, &after(date(30_000)), u64::MAX, 30);
    check(9, &after(date(-30_000)), u64::MAX, 1);
    check(0, &pause(), 0, 300);
    check(0, &pause(), u64::MAX, 900);
}

#[test]
fn a_verdict_leads_to_a_state() {
    #[track_caller]
    fn check(verdict: &Verdict, phase: Phase, code: Cause, rests: bool) {
        let mut engine = engine(0);
        attempt(&mut engine, 1, verdict);
        let health = &engine.state().health;
        assert_eq!((health.phase, health.reason.code, engine.rests()), (phase, code, rests));
    }
    check(&Verdict::Delivered, Phase::Active, Cause::Ok, false);
    check(&retry(), Phase::Failing, Cause::Unavailable, false);
    check(&pause(), Phase::Paused, Cause::Refused, false);
    check(&Verdict::Disable { reason: reason(Cause::Gone) }, Phase::Paused, Cause::Gone, true);
    check(&reject(), Phase::Active, Cause::Ok, false);
}

#[test]
fn pausing_resuming_and_changing_never_move_the_cursor() {
    let mut engine = engine(5);
    attempt(&mut engine, 20, &retry());
    let acts: [fn(&mut Engine); 4] = [
        |engine| engine.pause("holiday", NOW),
        |engine| engine.change(BatchLimits { events_max: 3, ..LIMITS }, NOW),
        |engine| engine.resume(NOW),
        |engine| engine.change(LIMITS, NOW),
    ];
    for act in acts {
        act(&mut engine);
        assert_eq!(engine.state().cursor, 5);
    }
    assert_eq!(attempt(&mut engine, 20, &Verdict::Delivered).0, (5..13).collect::<Vec<_>>());
}

#[test]
fn a_person_who_paused_outranks_what_comes_back() {
    for verdict in [
        Verdict::Delivered,
        retry(),
        pause(),
        reject(),
        Verdict::Disable { reason: reason(Cause::Gone) },
    ] {
        let mut engine = engine(0);
        let batch = cut(&engine, 1);
        engine.fix(&batch);
        engine.pause("holiday", NOW);
        engine.settle(&batch, &verdict, "", NOW, 0);
        engine.change(LIMITS, NOW);
        assert_eq!(
            (engine.rests(), engine.state().health.reason.code),
            (true, Cause::User),
            "{verdict:?}"
        );
        engine.resume(NOW);
        assert_eq!(engine.state().health.phase, Phase::Active);
    }
}

#[test]
fn notices_are_given_once_each_and_taken_back_once() {
    let mut engine = engine(0);
    let mut given = Vec::new();
    // One failed attempt every ten minutes for two days, then a confirmation.
    for step in 0..288 {
        let now = Timestamp(NOW.0 + step * 600_000);
        let batch = cut(&engine, 1);
        engine.fix(&batch);
        let notices = engine.settle(&batch, &retry(), "", now, 0).facts.notices;
        given.extend(notices.into_iter().map(|notice| (step, notice)));
    }
    assert_eq!(given.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [3, 6, 144]);
    let (_, settled) = attempt(&mut engine, 1, &Verdict::Delivered);
    assert_eq!(settled.facts.notices, [Notice::Recovered { since_ms: NOW.0 }]);
    assert_eq!(attempt(&mut engine, 2, &Verdict::Delivered).1.facts.notices, []);
}

#[test]
fn throttling_is_no_reason_for_a_notice_until_it_lasts_an_hour() {
    let throttled = Verdict::Retry { after: None, reason: reason(Cause::Throttled) };
    let mut engine = engine(0);
    for _ in 0..50 {
        assert_eq!(attempt(&mut engine, 1, &throttled).1.facts.notices, []);
    }
    let batch = cut(&engine, 1);
    let later = Timestamp(NOW.0 + 3_600_000);
    assert_eq!(engine.settle(&batch, &throttled, "", later, 0).facts.notices.len(), 1);
}

#[test]
fn a_pause_is_noticed_at_once_and_only_once() {
    let mut engine = engine(0);
    let given: Vec<usize> =
        (0..5).map(|_| attempt(&mut engine, 1, &pause()).1.facts.notices.len()).collect();
    assert_eq!(given, [1, 0, 0, 0, 0]);
}

#[test]
fn what_retention_removed_is_recorded_and_passed() {
    let mut engine = engine(10);
    attempt(&mut engine, 20, &retry());
    assert_eq!(engine.lose(10), None);
    assert_eq!(engine.lose(14), Some(Gap { first_seq: 10, last_seq: 13 }));
    assert_eq!((engine.state().cursor, engine.state().totals.lost_to_retention), (14, 4));
    assert_eq!(attempt(&mut engine, 20, &Verdict::Delivered).0, [14, 15, 16, 17]);
    assert_eq!(engine.lose(40), Some(Gap { first_seq: 18, last_seq: 39 }));
    assert_eq!(engine.state().pending, None);
}

#[test]
fn a_broken_stream_goes_back_and_never_forward() {
    let mut engine = engine(10);
    attempt(&mut engine, 30, &Verdict::Delivered);
    engine.rewind(25);
    assert_eq!(engine.state().cursor, 18);
    engine.rewind(12);
    assert_eq!(attempt(&mut engine, 30, &Verdict::Delivered).0, (12..20).collect::<Vec<_>>());
}

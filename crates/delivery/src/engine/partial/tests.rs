use crate::{
    engine::tests::{NOW, attempt, cut, engine, reason, seqs},
    health::{Cause, Phase},
    verdict::{Item, Partial, Verdict},
};

fn partial(code: Cause, rejected: &[usize], retry: &[usize]) -> Verdict {
    let rejected = rejected
        .iter()
        .map(|&index| Item { index, reason: reason(Cause::Refused), excerpt: None })
        .collect();
    let retry = retry.to_vec();
    Verdict::Partial(Partial {
        rejected,
        retry,
        after: None,
        reason: reason(code),
        doubtful: false,
    })
}

#[test]
fn refused_events_are_set_aside_and_the_rest_is_confirmed() {
    let mut engine = engine(0);
    let (sent, settled) = attempt(&mut engine, 20, &partial(Cause::Refused, &[1, 3], &[]));
    assert_eq!(sent, [0, 1, 2, 3, 4, 5, 6, 7]);
    let aside: Vec<u64> = settled.facts.quarantined.iter().map(|event| event.seq).collect();
    assert_eq!((aside, engine.state().cursor, settled.wait), (vec![1, 3], 8, None));
    assert_eq!((engine.state().totals.delivered, engine.state().totals.quarantined), (6, 2));
    assert_eq!(engine.state().health.phase, Phase::Active);
}

#[test]
fn only_what_was_not_taken_is_sent_again() {
    let mut engine = engine(0);
    let (_, settled) = attempt(&mut engine, 20, &partial(Cause::Throttled, &[1], &[2, 5]));
    // The cursor stands before the first open event; what is behind it and done is remembered.
    assert_eq!((engine.state().cursor, &engine.state().settled), (2, &vec![3, 4, 6, 7]));
    assert!(settled.wait.is_some() && engine.state().health.phase == Phase::Failing);
    let (again, settled) = attempt(&mut engine, 20, &partial(Cause::Throttled, &[], &[1]));
    assert_eq!((again, engine.state().cursor), (vec![2, 5], 5));
    assert_eq!(settled.facts.quarantined, []);
    let (last, _) = attempt(&mut engine, 20, &Verdict::Delivered);
    assert_eq!((last, engine.state().cursor), (vec![5], 8));
    assert!(engine.state().settled.is_empty());
    assert_eq!((engine.state().totals.delivered, engine.state().totals.quarantined), (7, 1));
}

#[test]
fn a_restart_remembers_what_was_taken() {
    let mut engine = engine(0);
    attempt(&mut engine, 20, &partial(Cause::Throttled, &[], &[0, 4]));
    let state = crate::State::from_json(&engine.state().to_json()).unwrap();
    let engine = crate::engine::Engine::new(crate::engine::tests::LIMITS, state);
    assert_eq!(seqs(&cut(&engine, 20)), [0, 4]);
}

#[test]
fn another_receiver_gets_all_of_it() {
    let mut engine = engine(0);
    attempt(&mut engine, 20, &partial(Cause::Throttled, &[], &[0, 4]));
    engine.change(crate::engine::tests::LIMITS, NOW);
    assert_eq!(seqs(&cut(&engine, 20)), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_refused_event_that_stood_in_the_way_costs_no_wait() {
    // The collector names the event and takes none of the others.
    let mut engine = engine(0);
    let (_, settled) =
        attempt(&mut engine, 20, &partial(Cause::Refused, &[2], &[0, 1, 3, 4, 5, 6, 7]));
    assert_eq!((settled.wait, engine.state().cursor), (None, 0));
    assert_eq!(engine.state().health.phase, Phase::Active);
    let (again, _) = attempt(&mut engine, 20, &Verdict::Delivered);
    assert_eq!((again, engine.state().cursor), (vec![0, 1, 3, 4, 5, 6, 7], 8));
}

#[test]
fn a_receiver_that_refuses_everything_does_not_empty_the_log_into_quarantine() {
    let mut engine = engine(0);
    let mut aside = 0;
    for _ in 0..100 {
        let everything: Vec<usize> = (0..cut(&engine, 1_000).records.len()).collect();
        let (_, settled) = attempt(&mut engine, 1_000, &partial(Cause::Refused, &everything, &[]));
        aside += settled.facts.quarantined.len();
        if engine.state().health.phase == Phase::Paused {
            break;
        }
    }
    assert_eq!(aside, 100);
    assert_eq!(engine.state().health.reason.code, Cause::RefusesEverything);
    assert_eq!(engine.state().cursor, 100, "nothing is passed that was not set aside");
    // A person resumes it: it goes on where it was.
    engine.resume(NOW);
    let (next, _) = attempt(&mut engine, 1_000, &Verdict::Delivered);
    assert_eq!(next[0], 100);
}

#[test]
fn a_doubtful_refusal_sets_everything_aside_but_counts_as_progress() {
    let mut engine = engine(0);
    let Verdict::Partial(mut some) = partial(Cause::Refused, &[0, 1, 2, 3, 4, 5, 6, 7], &[]) else {
        unreachable!("partial makes a partial verdict")
    };
    some.doubtful = true;
    for _ in 0..20 {
        attempt(&mut engine, 1_000, &Verdict::Partial(some.clone()));
    }
    assert_eq!((engine.state().cursor, engine.state().health.phase), (160, Phase::Active));
}

proptest::proptest! {
    /// Whatever a receiver answers, every event is confirmed or set aside exactly once, and the cursor passes none
    /// before that.
    #[test]
    fn every_event_is_accounted_for_exactly_once(
        answers in proptest::collection::vec((0_u8..3, proptest::collection::vec(0_u8..4, 8)), 1..60),
    ) {
        let mut engine = engine(0);
        let mut fate = std::collections::BTreeMap::<u64, u32>::new();
        for (kind, choices) in answers {
            let batch = cut(&engine, 40);
            if batch.records.is_empty() {
                break;
            }
            let verdict = match kind {
                0 => Verdict::Retry { after: None, reason: reason(Cause::Unavailable) },
                _ => {
                    let of = |wanted: u8| -> Vec<usize> {
                        (0..batch.records.len()).filter(|&index| choices[index] == wanted).collect()
                    };
                    let code = if kind == 1 { Cause::Throttled } else { Cause::Refused };
                    partial(code, &of(1), &of(2))
                }
            };
            engine.fix(&batch);
            let settled = engine.settle(&batch, &verdict, "", NOW, 0);
            for event in &settled.facts.quarantined {
                *fate.entry(event.seq).or_default() += 1;
            }
            if let Verdict::Partial(partial) = &verdict {
                for (index, record) in batch.records.iter().enumerate() {
                    let named = partial.retry.contains(&index)
                        || partial.rejected.iter().any(|item| item.index == index);
                    if !named {
                        *fate.entry(record.seq).or_default() += 1;
                    }
                }
            }
            for seq in 0..engine.state().cursor {
                proptest::prop_assert_eq!(fate.get(&seq), Some(&1), "{}", seq);
            }
            proptest::prop_assert!(fate.values().all(|count| *count == 1));
        }
    }
}

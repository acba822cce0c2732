use attestary_event::{EnvironmentId, TenantId};
use proptest::prelude::*;

use super::*;

fn event(seq: u64) -> Event {
    Event {
        id: EventId([seq as u8; 16]),
        tenant: TenantId::restored("acme"),
        environment: EnvironmentId::restored("production"),
        seq,
        received_at: Timestamp(0),
        flags: 0,
        leaf_hash: [0; 32],
        body: Box::from(*b"{}"),
    }
}

fn window(from_seq: u64, last_seq: Option<u64>, events_max: usize, bytes_max: usize) -> Window {
    Window { from_seq, last_seq, events_max, bytes_max }
}

/// Cuts from events whose records have the given sizes; size 0 is excluded by the filter.
fn cut(window: Window, sizes: &[usize]) -> Batch {
    let mut cut = Cut::new(window);
    for seq in window.from_seq.. {
        let Some(&size) = sizes.get(seq as usize) else { break };
        let encode = |_: &Event, out: &mut Vec<u8>| {
            out.resize(out.len() + size, b'x');
            size > 0
        };
        if cut.offer(&event(seq), encode) == Offered::Complete {
            break;
        }
    }
    cut.finish()
}

#[track_caller]
fn check(window: Window, sizes: &[usize], seqs: &[u64], next_seq: u64) {
    let batch = cut(window, sizes);
    assert_eq!(batch.records.iter().map(|record| record.seq).collect::<Vec<_>>(), seqs);
    assert_eq!(batch.next_seq, next_seq);
}

#[test]
fn a_batch_ends_at_its_limits() {
    check(window(0, None, 10, 100), &[10; 5], &[0, 1, 2, 3, 4], 5);
    check(window(0, None, 3, 100), &[10; 5], &[0, 1, 2], 3);
    check(window(0, None, 10, 30), &[10; 5], &[0, 1, 2], 3);
    check(window(0, None, 10, 29), &[10; 5], &[0, 1], 2);
    check(window(2, Some(3), 10, 100), &[10; 5], &[2, 3], 4);
    check(window(5, None, 10, 100), &[10; 5], &[], 5);
}

#[test]
fn an_event_larger_than_a_batch_goes_alone() {
    check(window(0, None, 10, 30), &[99, 10], &[0], 1);
    check(window(0, None, 10, 30), &[10, 99, 10], &[0], 1);
}

#[test]
fn excluded_events_are_passed() {
    check(window(0, None, 10, 100), &[0, 10, 0, 0], &[1], 4);
    check(window(0, None, 10, 100), &[0, 0], &[], 2);
    check(window(0, Some(2), 10, 100), &[10, 0, 0, 10], &[0], 3);
    // A full batch does not reach past its last event.
    check(window(0, None, 1, 100), &[10, 0, 10], &[0], 1);
}

#[test]
fn limits_have_limits() {
    assert_eq!(BatchLimits::default().violations(), []);
    let wrong = BatchLimits { events_max: 0, bytes_max: 1, linger_ms: 60_001, in_flight_max: 17 };
    let pointers: Vec<String> =
        wrong.violations().into_iter().map(|violation| violation.pointer).collect();
    assert_eq!(
        pointers,
        ["/batch/events_max", "/batch/bytes_max", "/batch/linger_ms", "/batch/in_flight_max"]
    );
    assert_eq!(BatchLimits { events_max: 1_000, ..BatchLimits::default() }.violations(), []);
}

proptest! {
    #[test]
    fn batches_follow_each_other_without_gap_or_overlap(
        sizes in prop::collection::vec(0_usize..50, 1..200),
        events_max in 1_usize..20,
        bytes_max in 1_usize..200,
    ) {
        let mut seen = Vec::new();
        let mut cursor = 0;
        while cursor < sizes.len() as u64 {
            let batch = cut(window(cursor, None, events_max, bytes_max), &sizes);
            prop_assert!(batch.next_seq > cursor);
            prop_assert!(batch.records.len() <= events_max);
            prop_assert!(batch.bytes.len() <= bytes_max || batch.records.len() == 1);
            seen.extend(batch.records.iter().map(|record| record.seq));
            cursor = batch.next_seq;
        }
        let expected: Vec<u64> = (0..sizes.len() as u64).filter(|seq| sizes[*seq as usize] > 0).collect();
        prop_assert_eq!(seen, expected);
    }
}

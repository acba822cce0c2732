//! Search against a linear scan, over logs that are split into segments in every way.

mod counts;

use attestary_event::{EventId, View, filter::TextBound};
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::segment::{
    id_runs::IdRuns,
    merge::{Step, merge},
    schema,
    tests::{Sample, log, memory_segments, plain_log, sample_log, seal},
};

const SLOT: u64 = 5;

/// Unsealed records of several logs.
struct Memory(Vec<Sample>);

impl Unsealed for Memory {
    fn visit(
        &self,
        slot: u64,
        seqs: Range<u64>,
        order: Order,
        f: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) {
        let records = self.0.iter().map(Sample::record);
        let mut records: Vec<_> = records
            .filter(|record| record.slot() == slot && seqs.contains(&record.seq()))
            .collect();
        if order == Order::Descending {
            records.reverse();
        }
        let _ = records.into_iter().try_for_each(f);
    }
}

/// A log and where its events are: `places[seq]` is a segment, or unsealed past the last of them.
#[derive(Debug, Clone)]
struct Case {
    samples: Vec<Sample>,
    places: Vec<usize>,
    filter: String,
    from: Option<i64>,
    to: Option<i64>,
    order: Order,
    limit: usize,
    bytes_max: usize,
    scan_budget: usize,
    /// Bytes of the segments that all of them were merged to; not merged when 0.
    merged_bytes: usize,
}

struct World {
    manifest: Manifest,
    segments: Segments,
    unsealed: Memory,
}

impl World {
    /// Seals the samples as their places say, each segment with neighbours before and after.
    fn of(samples: &[Sample], places: &[usize], segments_count: usize) -> Self {
        Self::in_segments(memory_segments(), samples, places, segments_count)
    }

    fn in_segments(
        segments: Segments,
        samples: &[Sample],
        places: &[usize],
        segments_count: usize,
    ) -> Self {
        let (before, after) = (plain_log(SLOT - 1, 28), plain_log(SLOT + 1, 28));
        let mut manifest = Manifest { version: 1, segments: vec![] };
        for place in 0..segments_count {
            let mine = samples
                .iter()
                .zip(places)
                .filter(|(_, at)| **at == place)
                .map(|(sample, _)| sample.clone());
            let mine: Vec<_> = mine.collect();
            if !mine.is_empty() {
                let share = place * 7..place * 7 + 7;
                let rows = [&before[share.clone()], &mine, &after[share]].concat();
                let meta = seal(&segments, &format!("s{place}"), &rows);
                manifest.segments.push(meta.into());
            }
        }
        let rest = samples.iter().zip(places).filter(|(_, at)| **at >= segments_count);
        Self {
            manifest,
            segments,
            unsealed: Memory(rest.map(|(sample, _)| sample.clone()).collect()),
        }
    }

    /// Merges all segments, unless rows of theirs interleave.
    fn merge(&mut self, bytes_max: usize) {
        let (mut metas, segments) = (Vec::new(), &self.segments);
        let merged = merge(segments, &self.manifest.segments, bytes_max, |step| {
            let Step::Output(written) = step else { return Ok(()) };
            metas.push(segments.put(&format!("m{}", metas.len()), 0, 7, written)?.into());
            Ok::<_, SegmentError>(())
        });
        match merged {
            Ok(()) => self.manifest.segments = metas,
            Err(SegmentError::Unsorted { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn view(&self) -> ReadView<'_> {
        ReadView {
            manifest: &self.manifest,
            segments: &self.segments,
            unsealed: &self.unsealed,
            logs: &log,
        }
    }
}

impl Case {
    fn query(&self, after: Option<u64>) -> Query {
        Query {
            slot: SLOT,
            filter: Filter::parse(&self.filter).unwrap(),
            from: self.from.map(Timestamp),
            to: self.to.map(Timestamp),
            order: self.order,
            limit: self.limit,
            bytes_max: self.bytes_max,
            after,
            scan_budget: self.scan_budget,
        }
    }

    /// What a linear scan finds.
    fn expected(&self) -> Vec<Event> {
        let filter = Filter::parse(&self.filter).unwrap();
        let selected = self.samples.iter().filter(|sample| {
            let (event, occurred_ms) = (sample.event(), sample.record().occurred_ms());
            self.from.is_none_or(|from| from <= occurred_ms)
                && self.to.is_none_or(|to| occurred_ms < to)
                && filter.matches(&View { event: &event, fields: &event.fields() })
        });
        let mut events: Vec<_> = selected.map(Sample::event).collect();
        if self.order == Order::Descending {
            events.reverse();
        }
        events
    }

    /// Pages through the whole search; `plant` may spoil the plan of each page.
    fn found(&self, world: &World, plant: &dyn Fn(&mut Plan)) -> Vec<Event> {
        let mut found = Vec::new();
        let mut after = None;
        for page_number in 0.. {
            let query = self.query(after);
            let mut plan = Plan::of(&query);
            plant(&mut plan);
            let page = world.view().search_planned(&plan, Progress::new(&query)).unwrap();
            assert!(page.events.len() <= self.limit);
            let all_but_last = page.events.iter().rev().skip(1).map(|event| event.body.len());
            assert!(all_but_last.sum::<usize>() <= self.bytes_max.saturating_mul(4));
            assert!(page_number <= self.samples.len() + 1, "the cursor does not get on");
            let is_end = match self.order {
                Order::Ascending => {
                    page.next == after || (page.events.is_empty() && page.scanned == 0)
                }
                Order::Descending => page.next.is_none(),
            };
            assert!(is_end || page.next != after);
            found.extend(page.events);
            if is_end {
                break;
            }
            after = page.next;
        }
        found
    }

    fn world(&self) -> World {
        let mut world = World::of(&self.samples, &self.places, 4);
        if self.merged_bytes > 0 {
            world.merge(self.merged_bytes);
        }
        world
    }
}

fn arbitrary_samples() -> impl Strategy<Value = Vec<Sample>> {
    let event = (
        any::<u64>(),
        0..200i64,
        0..=10u8,
        0..4u8,
        0..3u8,
        0..3u8,
        0..6u8,
        prop::bool::weighted(0.1),
    );
    vec(event, 1..70).prop_map(|events| {
        let mut ids: Vec<u128> = Vec::new();
        sample_log(
            SLOT,
            events.into_iter().enumerate().map(|(n, (id, late, severity, actor, action, outcome, target, repeat))| {
                // Ids repeat now and then, times are out of order now and then.
                let id = if repeat && !ids.is_empty() { ids[n % ids.len()] } else { u128::from(id) };
                ids.push(id);
                let action = ["user.login", "user.logout", "document.read"][usize::from(action)];
                let outcome = ["success", "failure", "denied"][usize::from(outcome)];
                let mut members = format!(",\"action\":\"{action}\",\"outcome\":\"{outcome}\"");
                members += &format!(",\"actor\":{{\"type\":\"user\",\"id\":\"u{actor}\",\"name\":\"Älva {actor}\"}}");
                if target < 4 {
                    members += &format!(
                        ",\"targets\":[{{\"type\":\"doc\",\"id\":\"t{target}\"}},{{\"id\":\"t{}\"}}]",
                        target / 2
                    );
                }
                if actor < 3 {
                    members += &format!(",\"context\":{{\"ip\":\"10.0.{actor}.{target}\",\"request_id\":\"r-{n}\"}}");
                }
                members += &format!(",\"metadata\":{{\"note\":\"blue {target}\",\"n\":{target}}}");
                (id, 10_000 + n as i64 * 20 - late, severity, members)
            }),
        )
    })
}

fn arbitrary_filter() -> impl Strategy<Value = String> {
    let clause = prop_oneof![
        (0..5u8).prop_map(|n| format!("actor.id:u{n}")),
        (0..5u8).prop_map(|n| format!("actor.id!=u{n}")),
        (0..5u8).prop_map(|n| format!("target.id:t{n}")),
        (0..70u8).prop_map(|n| format!("context.request_id:r-{n}")),
        (0..70u8).prop_map(|n| format!("seq>={n}")),
        (0..70u8).prop_map(|n| format!("seq<{n}")),
        (0..70u64)
            .prop_map(|n| format!("received_at<\"{}\"", Timestamp((1_000_000 + n * 10) as i64))),
        (0..70i64).prop_map(|n| format!("occurred_at>=\"{}\"", Timestamp(10_000 + n * 20))),
        (0..11u8).prop_map(|n| format!("severity>={n}")),
        select(vec![
            "action:user.*",
            "action:*read",
            "action:user.login",
            "outcome:failure",
            "(outcome:failure OR outcome:denied)",
            "(actor.id:u1 OR target.id:t0)",
            "actor.type:user",
            "target.type:doc",
            "context.ip:10.0.1.0/24",
            "exists(context.ip)",
            "metadata.note:blue*",
            "metadata.n>2",
            "actor.name:\"Älva 2\"",
            "blue",
            "\"BLUE 2\"",
            "blue*3 älva",
            "metadata.note:\"blue 1\"",
            "leaf_hash:0*",
            "id:0000*",
            "action:nothing",
        ])
        .prop_map(str::to_owned),
    ];
    let signed = (clause, prop::bool::weighted(0.15))
        .prop_map(|(clause, not)| if not { format!("-{clause}") } else { clause });
    vec(signed, 0..4).prop_map(|clauses| clauses.join(" "))
}

/// Seals in order, or (as retention will) several segments whose seqs interleave.
fn arbitrary_places() -> impl Strategy<Value = Vec<usize>> {
    let in_order = vec(0..70usize, 4).prop_map(|mut cuts| {
        cuts.sort_unstable();
        (0..70).map(|seq| cuts.iter().filter(|cut| **cut <= seq).count()).collect()
    });
    let interleaved = (vec(0..4usize, 70), 0..70usize).prop_map(|(places, cut)| {
        places.into_iter().enumerate().map(|(seq, at)| if seq < cut { at } else { 4 }).collect()
    });
    prop_oneof![3 => in_order, 1 => interleaved]
}

fn arbitrary_case() -> impl Strategy<Value = Case> {
    (
        (arbitrary_samples(), arbitrary_places(), arbitrary_filter()),
        (prop::option::of(9_800..11_500i64), prop::option::of(9_800..11_500i64)),
        (
            select(vec![Order::Ascending, Order::Descending]),
            select(vec![1, 2, 7, 50, 1_000]),
            select(vec![0, 700, 4_000, usize::MAX]),
            select(vec![1, 3, 20, 10_000]),
            select(vec![0, 1, 4_000, usize::MAX]),
        ),
    )
        .prop_map(
            |(
                (samples, places, filter),
                (from, to),
                (order, limit, bytes_max, scan_budget, merged_bytes),
            )| {
                Case {
                    places: places[..samples.len()].to_vec(),
                    samples,
                    filter,
                    from,
                    to,
                    order,
                    limit,
                    bytes_max,
                    scan_budget,
                    merged_bytes,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn search_equals_a_linear_scan(case in arbitrary_case()) {
        prop_assert_eq!(case.found(&case.world(), &|_| ()), case.expected());
    }

    #[test]
    fn reading_by_seq_loses_and_repeats_nothing(
        samples in arbitrary_samples(),
        places in arbitrary_places(),
        events_max in 1..40usize,
        bytes_max in 1..4_000usize,
    ) {
        let world = World::of(&samples, &places[..samples.len()], 4);
        let mut read = Vec::new();
        loop {
            let part = world.view().read(SLOT, read.len() as u64, events_max, bytes_max).unwrap();
            prop_assert!(part.len() <= events_max);
            let all_but_last: usize = part.iter().rev().skip(1).map(|event| event.body.len()).sum();
            prop_assert!(all_but_last < bytes_max);
            if part.is_empty() {
                break;
            }
            read.extend(part);
        }
        prop_assert_eq!(read, samples.iter().map(Sample::event).collect::<Vec<_>>());
    }

    #[test]
    fn ids_are_found_at_their_lowest_seq(samples in arbitrary_samples(), places in arbitrary_places(), other: u64) {
        let places = &places[..samples.len()];
        let world = World::of(&samples, places, 4);
        let mut ids: Vec<_> = samples.iter().map(|sample| sample.record().id()).collect();
        ids.push(EventId((u128::from(other) << 64).to_be_bytes()));
        let sealed = |id: EventId| {
            let mut sealed = samples.iter().zip(places).filter(|(_, at)| **at < 4).map(|(sample, _)| sample.record());
            sealed.find(|record| record.id() == id)
        };
        let expected: Vec<_> = ids.iter().map(|id| sealed(*id).map(|record| Found {
            seq: record.seq(),
            received_ms: record.received_ms(),
            digest: Some(record.digest()),
            leaf_hash: record.leaf_hash(),
        })).collect();
        // From the columns of the segments, and from their runs.
        let dir = tempfile::tempdir().unwrap();
        let runs = IdRuns::open(dir.path(), [3; 16]).unwrap();
        let with_runs = World::in_segments(memory_segments().with_id_runs(runs), &samples, places, 4);
        for world in [world, with_runs] {
            let found = find_ids(&world.manifest, &world.segments, &log, SLOT, &ids).unwrap();
            prop_assert_eq!(&found, &expected);
            for &id in &ids {
                let expected = samples.iter().find(|sample| sample.record().id() == id).map(Sample::event);
                prop_assert_eq!(world.view().event_by_id(SLOT, id).unwrap(), expected);
            }
        }
    }
}

/// Sixty events over three segments and the unsealed part.
fn fixed_case(filter: &str, order: Order) -> Case {
    let samples = plain_log(SLOT, 60);
    let places =
        (0..60).map(|seq| seq / 17).map(|place| if place == 3 { 4 } else { place }).collect();
    Case {
        samples,
        places,
        filter: filter.to_owned(),
        from: None,
        to: None,
        order,
        limit: 10,
        bytes_max: usize::MAX,
        scan_budget: 10_000,
        merged_bytes: 0,
    }
}

#[test]
fn a_wrong_prune_is_caught() {
    #[track_caller]
    fn check(filter: &str, plant: &dyn Fn(&mut Plan)) {
        for order in [Order::Ascending, Order::Descending] {
            let case = fixed_case(filter, order);
            assert_eq!(case.found(&case.world(), &|_| ()), case.expected());
            assert_ne!(case.found(&case.world(), plant), case.expected(), "{filter}");
        }
    }
    check("actor.id:u1", &|plan| {
        plan.texts =
            vec![(schema::text_column("actor_id").unwrap(), TextBound::Equals(vec!["u2".into()]))];
    });
    check("action:user.*", &|plan| {
        plan.texts =
            vec![(schema::text_column("action").unwrap(), TextBound::Prefixes(vec!["v".into()]))];
    });
    check("severity>=5", &|plan| plan.severity.min += 1);
    check("", &|plan| plan.occurred.max = 5_058);
    check("", &|plan| plan.received.min = 1_000_001);
    check("", &|plan| plan.ids = Some(vec![EventId([0; 16])]));
}

#[test]
fn an_ascending_cursor_stays_valid_at_the_end() {
    let case = fixed_case("actor.id:u1", Order::Ascending);
    let mut world = case.world();
    let more = plain_log(SLOT, 70);
    let mut query = case.query(Some(57));
    query.limit = 100;
    let page = world.view().search(&query).unwrap();
    assert_eq!(page.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [58]);
    assert_eq!(page.next, Some(59), "everything up to the end was looked at");
    query.after = page.next;
    let page = world.view().search(&query).unwrap();
    assert_eq!((page.events, page.next), (vec![], Some(59)));
    world.unsealed.0.extend_from_slice(&more[60..]);
    let page = world.view().search(&query).unwrap();
    assert_eq!(page.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [61, 64, 67]);
}

#[test]
fn a_spent_budget_yields_an_empty_page_with_a_cursor() {
    let case = Case { scan_budget: 5, ..fixed_case("metadata.none:x", Order::Descending) };
    let page = case.world().view().search(&case.query(None)).unwrap();
    assert_eq!((page.events.len(), page.next, page.scanned), (0, Some(55), 6));
}

#[test]
fn events_that_are_both_sealed_and_unsealed_are_read_once() {
    let case = fixed_case("", Order::Ascending);
    let mut world = case.world();
    world.unsealed = Memory(case.samples.clone());
    assert_eq!(case.found(&world, &|_| ()), case.expected());
    let case = Case { order: Order::Descending, ..case };
    assert_eq!(case.found(&world, &|_| ()), case.expected());
}

#[test]
fn a_page_of_recent_events_reads_little() {
    let case = fixed_case("", Order::Descending);
    let page = case.world().view().search(&case.query(None)).unwrap();
    assert_eq!((page.events.len(), page.scanned), (10, 11));
}

#[test]
fn an_unknown_log_is_an_error() {
    let case = fixed_case("", Order::Ascending);
    let world = case.world();
    let nothing = |_: u64| None::<Log>;
    let view = ReadView { logs: &nothing, ..world.view() };
    assert!(matches!(view.search(&case.query(None)), Err(SegmentError::UnknownLog { slot: SLOT })));
}

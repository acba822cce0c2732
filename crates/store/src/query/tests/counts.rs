//! Counts against a linear scan, over the same split logs as searches.

use std::collections::{BTreeMap, BTreeSet};

use attestary_event::{
    filter::{Field, Path},
    spec::OUTCOMES,
};

use super::*;

const FIELDS: [&str; 7] =
    ["action", "actor.id", "target.id", "target.type", "severity", "metadata.note", "actor.name"];

fn fields(names: &[&str]) -> Vec<Field> {
    names.iter().map(|name| Field::of(&Path::parse(name).unwrap()).unwrap()).collect()
}

impl Case {
    fn histogram_query(&self, division: Division) -> HistogramQuery {
        HistogramQuery {
            slot: SLOT,
            filter: Filter::parse(&self.filter).unwrap(),
            from: self.from.map(Timestamp),
            to: self.to.map(Timestamp),
            division,
            buckets_max: 500,
            scan_budget: self.scan_budget,
        }
    }

    fn facet_query(&self, names: &[&str], limit: usize, distinct_max: usize) -> FacetQuery {
        FacetQuery {
            slot: SLOT,
            filter: Filter::parse(&self.filter).unwrap(),
            from: self.from.map(Timestamp),
            to: self.to.map(Timestamp),
            fields: fields(names),
            limit,
            distinct_max,
            scan_budget: self.scan_budget,
        }
    }

    /// The events that a linear scan counts when the count came as far as `reach`.
    fn counted(&self, reach: Reach) -> Vec<Event> {
        let from_seq = reach.from_seq.unwrap_or(0);
        self.expected().into_iter().filter(|event| event.seq >= from_seq).collect()
    }

    /// What a linear scan counts on this axis.
    fn expected_counts(&self, histogram: &Histogram) -> Vec<[u64; OUTCOMES.len()]> {
        let events = self.counted(histogram.reach);
        let Some(axis) = histogram.axis else {
            assert_eq!(events, vec![], "there is something to show");
            return vec![];
        };
        let mut counts = vec![[0; OUTCOMES.len()]; axis.buckets];
        for event in events {
            let fields = event.fields();
            let occurred_at = fields.get("/occurred_at").unwrap().value.to_owned();
            let outcome = fields.get("/outcome").map_or("unknown", |field| field.value);
            let outcome = OUTCOMES.iter().position(|known| *known == outcome).unwrap();
            let bucket = axis.bucket(Timestamp::parse(&occurred_at).unwrap().0);
            counts[bucket.expect("every event has a bucket")][outcome] += 1;
        }
        counts
    }

    /// What a linear scan counts: each value with its events, and the events without one.
    fn expected_values(&self, field: &Field, reach: Reach) -> (BTreeMap<String, u64>, u64) {
        let (mut counts, mut missing) = (BTreeMap::new(), 0);
        for event in self.counted(reach) {
            let fields = event.fields();
            let mut values = BTreeSet::new();
            field.each(&View { event: &event, fields: &fields }, &mut |value| {
                values.insert(value.to_owned());
            });
            missing += u64::from(values.is_empty());
            values.into_iter().for_each(|value| *counts.entry(value).or_default() += 1);
        }
        (counts, missing)
    }

    fn histogram(&self, division: Division, plant: &dyn Fn(&mut Plan)) -> Histogram {
        let query = self.histogram_query(division);
        let mut plan = Plan::of(&self.planned(query.scan_budget));
        plant(&mut plan);
        self.world().view().histogram_planned(&query, &plan).unwrap().unwrap()
    }

    fn facets(&self, query: &FacetQuery, plant: &dyn Fn(&mut Plan)) -> Facets {
        let mut plan = Plan::of(&self.planned(query.scan_budget));
        plant(&mut plan);
        self.world().view().facets_planned(query, &plan).unwrap()
    }

    fn planned(&self, scan_budget: usize) -> Query {
        let times = (self.from.map(Timestamp), self.to.map(Timestamp));
        tally::query(SLOT, Filter::parse(&self.filter).unwrap(), times, scan_budget)
    }
}

fn listed(facet: &Facet) -> BTreeMap<String, u64> {
    facet.values.iter().map(|value| (value.value.to_string(), value.events)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_histogram_equals_a_linear_scan(case in arbitrary_case(), buckets in 2..90usize) {
        let histogram = case.histogram(Division::Buckets(buckets), &|_| ());
        prop_assert!(histogram.counts.len() <= buckets);
        prop_assert_eq!(&histogram.counts, &case.expected_counts(&histogram));
        prop_assert!(histogram.reach.from_seq.is_none() || case.scan_budget < 100);
    }

    #[test]
    fn facets_equal_a_linear_scan(
        case in arbitrary_case(),
        names in prop::sample::subsequence(&FIELDS[..], 1..4),
        limit in 1..6usize,
    ) {
        let query = case.facet_query(&names, limit, 1_000);
        let facets = case.facets(&query, &|_| ());
        prop_assert_eq!(facets.events, case.counted(facets.reach).len() as u64);
        for (field, facet) in query.fields.iter().zip(&facets.fields) {
            let (counts, missing) = case.expected_values(field, facets.reach);
            prop_assert_eq!((facet.missing, facet.distinct, facet.capped), (missing, counts.len(), false));
            prop_assert!(facet.values.is_sorted_by_key(|value| std::cmp::Reverse(value.events)));
            prop_assert_eq!(facet.values.len(), counts.len().min(limit));
            for (value, events) in listed(facet) {
                prop_assert_eq!(counts[&value], events, "{}", value);
            }
            let total: u64 = counts.values().sum();
            prop_assert_eq!(facet.other + listed(facet).values().sum::<u64>(), total);
            let least = facet.values.last().map_or(0, |value| value.events);
            prop_assert!(counts.iter().all(|(value, n)| *n <= least || listed(facet).contains_key(value)));
        }
    }

    #[test]
    fn capped_facets_count_what_they_list_exactly(case in arbitrary_case(), distinct_max in 0..4usize) {
        let query = case.facet_query(&FIELDS, 10, distinct_max);
        let facets = case.facets(&query, &|_| ());
        for (field, facet) in query.fields.iter().zip(&facets.fields) {
            let (counts, _) = case.expected_values(field, facets.reach);
            prop_assert!(facet.distinct <= distinct_max);
            prop_assert_eq!(facet.capped, counts.len() > distinct_max);
            prop_assert!(listed(facet).iter().all(|(value, events)| counts[value] == *events));
        }
    }
}

#[test]
fn a_wrong_prune_is_caught() {
    #[track_caller]
    fn check(filter: &str, plant: &dyn Fn(&mut Plan)) {
        let case = fixed_case(filter, Order::Ascending);
        let counts = |plant| {
            let histogram = case.histogram(Division::Every(10), plant);
            histogram.counts == case.expected_counts(&histogram)
        };
        assert!(counts(&|_| ()));
        let query = case.facet_query(&["severity", "actor.id"], 20, 100);
        let facets = case.facets(&query, &|_| ());
        assert_ne!(facets, case.facets(&query, plant), "{filter}");
        // The axis follows the plan: what is left out of it is missing from the sum.
        let planted = case.histogram(Division::Every(10), plant);
        let sum = planted.counts.iter().flatten().sum::<u64>();
        assert_ne!(sum, case.expected().len() as u64, "{filter}");
    }
    let column = |name| schema::text_column(name).unwrap();
    for body_too in ["", " -metadata.none:x"] {
        check(&format!("actor.id:u1{body_too}"), &|plan| {
            plan.texts = vec![(column("actor_id"), TextBound::Equals(vec!["u2".into()]))];
        });
        check(&format!("action:user.*{body_too}"), &|plan| {
            plan.texts = vec![(column("action"), TextBound::Prefixes(vec!["v".into()]))];
        });
        check(&format!("severity>=5{body_too}"), &|plan| plan.severity.min += 1);
        check(body_too, &|plan| plan.occurred.max = 5_058);
        check(body_too, &|plan| plan.received.min = 1_000_001);
        check(body_too, &|plan| plan.seqs.end = 59);
        check(body_too, &|plan| plan.ids = Some(vec![EventId([0; 16])]));
    }
}

#[test]
fn bodies_are_read_only_where_columns_do_not_decide() {
    #[track_caller]
    fn check(filter: &str, fields: &[&str], scanned: usize) {
        let case = fixed_case(filter, Order::Ascending);
        let facets = case.facets(&case.facet_query(fields, 10, 10), &|_| ());
        assert_eq!((facets.reach.from_seq, facets.reach.scanned), (None, scanned), "{filter}");
    }
    // Sixty rows of columns cost as much as four events.
    check("", &["action", "actor.id"], 4);
    check("-(actor.id:u1 OR severity>3) exists(action)", &["action"], 4);
    check("", &["metadata.note"], 61);
    check("action:user.* user", &["action"], 64);
}

#[test]
fn a_spent_budget_says_how_far_the_count_came() {
    #[track_caller]
    fn check(filter: &str, scan_budget: usize, from_seq: u64, events: u64) {
        let case = Case { scan_budget, ..fixed_case(filter, Order::Ascending) };
        let facets = case.facets(&case.facet_query(&["action"], 10, 10), &|_| ());
        assert_eq!((facets.reach.from_seq, facets.events), (Some(from_seq), events));
        let histogram = case.histogram(Division::Buckets(60), &|_| ());
        assert_eq!(histogram.reach.from_seq, Some(from_seq));
        assert_eq!(histogram.counts.iter().flatten().sum::<u64>(), events);
    }
    check("", 1, 44, 16);
    check("", 3, 12, 48);
    check("-metadata.none:x", 1, 59, 1);
    // The last slice is a page of bodies, whatever is left.
    check("-metadata.none:x", 20, 38, 22);
}

#[test]
fn long_values_are_not_told_apart() {
    let samples = sample_log(
        SLOT,
        (0..4).map(|seq| {
            let text = "x".repeat(if seq == 0 { 257 } else { 256 });
            (seq, 5_000, 1, format!(",\"action\":\"a\",\"reason\":\"{text}\""))
        }),
    );
    let case = Case { places: vec![0; 4], samples, ..fixed_case("", Order::Ascending) };
    let facets = case.facets(&case.facet_query(&["reason"], 10, 10), &|_| ());
    let facet = &facets.fields[0];
    assert_eq!((facet.values[0].events, facet.other, facet.capped), (3, 1, true));
}

#[test]
fn a_time_that_was_asked_for_is_shown_without_events() {
    let case =
        Case { from: Some(0), to: Some(60_000), ..fixed_case("action:none", Order::Ascending) };
    let histogram = case.histogram(Division::Every(1_000), &|_| ());
    assert_eq!(histogram.counts, vec![[0; 4]; 60]);
    let nothing = fixed_case("severity:11", Order::Ascending);
    assert_eq!(nothing.histogram(Division::Buckets(60), &|_| ()).axis, None);
    let query = case.histogram_query(Division::Every(1));
    let refused = case.world().view().histogram(&query).unwrap();
    assert_eq!(refused, Err(TooManyBuckets { wanted: 60_000, limit: 500 }));
}

//! Measures sealing and queries: `cargo run --release -p attestary-store --example query_bench [events] [per segment]`.
//!
//! 1,000 tenants (Zipf 1.0), 40 actions, a thousand actors per tenant (Zipf 1.0), bodies of about 650 bytes. Prints
//! one figure per line. Latencies are with a warm page cache.
#![expect(clippy::print_stdout, reason = "this program prints figures")]

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use attestary_event::{
    EnvironmentId, EventId, Fields, Limits, TenantId, Timestamp, filter::Filter,
};
use attestary_ledger::{Entry, Frontier, origin_id};
use attestary_store::{
    catalog::Manifest,
    query::{Order, Query, ReadView, find_ids},
    record::{Decision, Parts, Prepared, Record, encode},
    segment::{CacheLimits, Log, Row, Segments, write},
};

const TENANTS: usize = 1_000;
const ACTORS: usize = 1_000;
const ACTIONS: usize = 40;
const QUERIES: usize = 1_000;
const START_MS: i64 = 1_795_000_000_000;

/// xorshift64*: the same events in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Zipf with exponent 1 over `0..n`, by its cumulative weights.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(n: usize) -> Self {
        let mut sum = 0.0;
        Self(
            (1..=n)
                .map(|rank| {
                    sum += 1.0 / rank as f64;
                    sum
                })
                .collect(),
        )
    }

    fn pick(&self, random: &mut Random) -> usize {
        let at = random.unit() * self.0.last().expect("n is not zero");
        self.0.partition_point(|sum| *sum < at)
    }
}

#[derive(Default)]
struct LogState {
    frontier: Frontier,
    last_ms: u64,
}

struct Generator {
    random: Random,
    tenants: Zipf,
    actors: Zipf,
    logs: HashMap<u64, LogState>,
    now_ms: i64,
}

/// A record, and what later queries ask for.
struct Made {
    record: Vec<u8>,
    node16: Option<[u8; 32]>,
}

#[derive(Clone)]
struct Sample {
    slot: u64,
    actor: usize,
    request: String,
    id: EventId,
}

impl Generator {
    fn event(&mut self) -> (Made, Sample) {
        let slot = self.tenants.pick(&mut self.random) as u64;
        let actor = self.actors.pick(&mut self.random);
        self.now_ms += (self.random.below(4)) as i64;
        let (action, target) = (self.random.below(ACTIONS), self.random.below(5_000));
        let request = format!("req-{:016x}", self.random.next());
        let (host, session) = (self.random.below(250), self.random.below(20));
        let ids: [u8; 10] = std::array::from_fn(|_| self.random.next() as u8);
        let body = format!(
            "{{\"action\":\"document.action{action}\",\"actor\":{{\"type\":\"user\",\"id\":\"usr_{slot}_{actor}\",\
             \"name\":\"Person Number {actor}\",\"email\":\"person.{actor}@tenant-{slot}.example.com\"}},\
             \"targets\":[{{\"type\":\"document\",\"id\":\"doc_{target}\",\"name\":\"Quarterly report {target}\"}}],\
             \"context\":{{\"ip\":\"10.{}.{}.{host}\",\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\
             \",\"session_id\":\"ses-{slot}-{actor}-{session}\",\"request_id\":\"{request}\"}},\"outcome\":\"{}\",\
             \"severity\":{},\"category\":\"document\",\"occurred_at\":\"{}\",\
             \"metadata\":{{\"plan\":\"enterprise\",\"bytes\":{},\"region\":\"eu-central\",\"folder\":\"/shared/team-{}\"}}}}",
            slot % 250,
            actor % 250,
            if action.is_multiple_of(7) { "failure" } else { "success" },
            action % 11,
            Timestamp(self.now_ms),
            self.random.below(1 << 24),
            self.random.below(300),
        );
        let id = EventId::v7(self.now_ms as u64, ids);
        (self.record(slot, id, &body, (action % 11) as u8), Sample { slot, actor, request, id })
    }

    fn record(&mut self, slot: u64, id: EventId, body: &str, severity: u8) -> Made {
        let fields = Fields::parse(body.as_bytes(), &Limits::default())
            .expect("the body is inside the limits");
        let seed = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        let digest = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        let log = log(slot).expect("every slot has a log");
        let prepared = Prepared::new(Parts {
            environment: log.environment,
            tenant: log.tenant,
            id,
            client_id: true,
            service: false,
            seed: seed.to_be_bytes(),
            digest: digest.to_be_bytes(),
            occurred_ms: self.now_ms,
            severity,
            fields: &fields,
            body: body.as_bytes(),
        });
        let state = self.logs.entry(slot).or_default();
        state.last_ms = state.last_ms.max(self.now_ms as u64);
        let (seq, received_ms) = (state.frontier.size(), state.last_ms);
        let leaf_hash = Entry {
            origin: log.origin_id,
            seq,
            received_ms,
            event_id: id.0,
            n_fields: prepared.n_fields,
            flags: 0,
            fields_hash: prepared.fields_hash,
        }
        .leaf_hash();
        let mut record = Vec::new();
        encode(&prepared, &Decision { slot, seq, received_ms, leaf_hash }, None, &mut record);
        Made { record, node16: state.frontier.append(leaf_hash) }
    }
}

fn log(slot: u64) -> Option<Log> {
    Some(Log {
        environment: EnvironmentId::restored("production"),
        tenant: TenantId::restored(&format!("tenant-{slot}")),
        origin_id: origin_id(&format!("audit.example.com/t/{slot}")),
    })
}

struct Sealing {
    events: u64,
    bytes: u64,
    body_bytes: u64,
    encoding: Duration,
    writing: Duration,
}

fn main() {
    let mut arguments =
        std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let events = arguments.next().unwrap_or(2_000_000);
    let per_segment = arguments.next().unwrap_or(262_144);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let segments = Segments::local(directory.path().to_owned(), CacheLimits::default())
        .expect("it is a directory");
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (manifest, samples) = seal_all(events, per_segment, &segments, &mut random);
    let view = ReadView { manifest: &manifest, segments: &segments, unsealed: &(), logs: &log };
    println!("cached bytes, footers and page indexes: {}", open_all(&view, &manifest));
    searches(&view, &samples, &mut random);
    lookups(&view, &manifest, &segments, &samples);
    println!("cached bytes, with bloom filters: {}", segments.cached_bytes());
}

fn seal_all(
    events: usize,
    per_segment: usize,
    segments: &Segments,
    random: &mut Random,
) -> (Manifest, Vec<Sample>) {
    let mut generator = Generator {
        random: Random(random.next()),
        tenants: Zipf::new(TENANTS),
        actors: Zipf::new(ACTORS),
        logs: HashMap::new(),
        now_ms: START_MS,
    };
    let mut sealing = Sealing {
        events: 0,
        bytes: 0,
        body_bytes: 0,
        encoding: Duration::ZERO,
        writing: Duration::ZERO,
    };
    let mut manifest = Manifest { version: 1, segments: Vec::new() };
    let mut samples = Vec::new();
    while (sealing.events as usize) < events {
        let count = per_segment.min(events - sealing.events as usize);
        let mut made = Vec::with_capacity(count);
        for number in 0..count {
            let (event, sample) = generator.event();
            made.push(event);
            if number.is_multiple_of(events.div_ceil(QUERIES * 2)) {
                samples.push(sample);
            }
        }
        let name = format!("s{}", manifest.segments.len());
        manifest.segments.push(Arc::new(seal(made, &name, segments, &mut sealing)));
    }
    let Sealing { events, bytes, body_bytes, encoding, writing } = sealing;
    println!("events: {events} in {} segments of {per_segment}", manifest.segments.len());
    println!("body bytes/event: {:.0}", body_bytes as f64 / events as f64);
    println!("segment bytes/event: {:.1}", bytes as f64 / events as f64);
    println!("seal, encoding: {:.0} events/s", events as f64 / encoding.as_secs_f64());
    println!(
        "seal, hash, CRC, write and fsync: {:.0} events/s",
        events as f64 / writing.as_secs_f64()
    );
    (manifest, samples)
}

fn seal(
    made: Vec<Made>,
    name: &str,
    segments: &Segments,
    sealing: &mut Sealing,
) -> attestary_store::catalog::SegmentMeta {
    let mut rows: Vec<_> = made
        .iter()
        .map(|made| Row {
            record: Record::decode(&made.record).expect("just encoded"),
            node16: made.node16,
        })
        .collect();
    rows.sort_unstable_by_key(|row| (row.record.slot(), row.record.seq()));
    sealing.body_bytes += rows.iter().map(|row| row.record.body().len() as u64).sum::<u64>();
    sealing.events += rows.len() as u64;
    let start = Instant::now();
    let written = write(rows.into_iter(), "audit.example.com", &log).expect("the rows are sorted");
    sealing.encoding += start.elapsed();
    let start = Instant::now();
    let meta = segments.put(name, 0, 0, written).expect("the disk takes it");
    sealing.writing += start.elapsed();
    sealing.bytes += meta.bytes;
    meta
}

/// A page of recent events of the busiest tenant opens the newest segment; asking for a missing id opens all.
fn open_all(view: &ReadView<'_>, manifest: &Manifest) -> usize {
    for slot in 0..TENANTS as u64 {
        let end = manifest.next_seq(slot);
        for meta in manifest.segments.iter().filter_map(|meta| meta.extent(slot)) {
            if slot == 0 && meta.seq_first < end {
                view.read(slot, meta.seq_first, 1, 1).expect("the segment is intact");
            }
        }
    }
    view.segments.cached_bytes()
}

fn searches(view: &ReadView<'_>, samples: &[Sample], random: &mut Random) {
    let query = |slot, filter: &str| Query {
        slot,
        filter: Filter::parse(filter).expect("the filter is well formed"),
        from: None,
        to: None,
        order: Order::Descending,
        limit: 50,
        bytes_max: usize::MAX,
        after: None,
        scan_budget: 1_000_000,
    };
    let search = |name: &str, queries: Vec<Query>| {
        let times = queries.iter().map(|query| {
            let start = Instant::now();
            let page = view.search(query).expect("the segments are intact");
            (start.elapsed(), page.events.len(), page.scanned)
        });
        report(name, times.collect());
    };
    let some = &samples[..samples.len().min(QUERIES)];
    let by_actor = |sample: &Sample| {
        query(sample.slot, &format!("actor.id:usr_{}_{}", sample.slot, sample.actor))
    };
    search("newest 50 by actor, as events are", some.iter().map(by_actor).collect());
    let uniform = some
        .iter()
        .map(|sample| by_actor(&Sample { actor: random.below(ACTORS), ..sample.clone() }));
    search("newest 50 by actor, all alike", uniform.collect());
    search("newest 50 of a tenant", some.iter().map(|sample| query(sample.slot, "")).collect());
    let failures = |sample: &Sample| query(sample.slot, "outcome:failure severity>=5");
    search("newest 50 failures", some.iter().map(failures).collect());
    let by_request =
        |sample: &Sample| query(sample.slot, &format!("context.request_id:{}", sample.request));
    search("one by request id", some.iter().map(by_request).collect());
    let target = |sample: &Sample| query(sample.slot, &format!("target.id:doc_{}", sample.actor));
    search("newest 50 by target", some.iter().map(target).collect());
    let mut scan = query(0, "nowhere-to-be-found");
    scan.scan_budget = usize::MAX;
    search("scan of the busiest tenant for a word", vec![scan]);
}

fn lookups(view: &ReadView<'_>, manifest: &Manifest, segments: &Segments, samples: &[Sample]) {
    let some = &samples[..samples.len().min(QUERIES)];
    let by_id = some.iter().map(|sample| {
        let start = Instant::now();
        let found = view.event_by_id(sample.slot, sample.id).expect("the segments are intact");
        (start.elapsed(), usize::from(found.is_some()), 0)
    });
    report("one by id", by_id.collect());
    let new_ids: Vec<_> =
        (0..1_000u64).map(|n| EventId::v7(START_MS as u64 + n, [n as u8; 10])).collect();
    let new = (0..50).map(|_| {
        let start = Instant::now();
        let found =
            find_ids(manifest, segments, &log, 0, &new_ids).expect("the segments are intact");
        (start.elapsed(), found.iter().flatten().count(), 0)
    });
    report("look-up of 1,000 new ids of the busiest tenant", new.collect());
    let start = Instant::now();
    let (mut read, mut seq) = (0, 0);
    while read < 200_000 {
        let events = view.read(0, seq, 1_000, 1 << 20).expect("the segments are intact");
        let Some(last) = events.last() else { break };
        read += events.len();
        seq = last.seq + 1;
    }
    println!("read in order by 1,000: {:.0} events/s", read as f64 / start.elapsed().as_secs_f64());
}

fn report(name: &str, mut times: Vec<(Duration, usize, usize)>) {
    let count = times.len();
    let found = times.iter().map(|(_, found, _)| found).sum::<usize>() as f64 / count as f64;
    let scanned = times.iter().map(|(_, _, scanned)| scanned).sum::<usize>() as f64 / count as f64;
    times.sort_unstable();
    let at = |percent: usize| times[(count - 1) * percent / 100].0.as_secs_f64() * 1_000.0;
    println!(
        "{name}: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms ({count} runs, {found:.1} found, {scanned:.0} of the budget)",
        at(50),
        at(99),
        at(100)
    );
}

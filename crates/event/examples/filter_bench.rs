//! What one evaluation of a filter costs: `cargo run --release -p attestary-event --example filter_bench`.

use std::{hint::black_box, time::Instant};

use attestary_event::{
    EnvironmentId, Event, EventId, Fields, Limits, TenantId, Timestamp, View, filter::Filter,
};

/// About 650 bytes, as in the storage benchmarks.
const BODY: &str = r#"{"action":"user.login","occurred_at":"2026-11-22T00:39:11.123Z","actor":{"type":"user","id":"u_123","name":"Alice Example","email":"alice@example.com"},"targets":[{"type":"document","id":"doc_42","name":"Contract"}],"context":{"ip":"10.20.30.40","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)","session_id":"ses_5","request_id":"req_0123456789"},"outcome":"failure","severity":5,"category":"authentication","labels":["pii","eu"],"metadata":{"attempt":3,"plan":"enterprise","region":"eu-central-1","reason":"wrong password","device":"laptop-4711"}}"#;

const FILTERS: [&str; 6] = [
    "action:user.* outcome:failure (actor.type:user OR actor.type:api_key) severity>=5",
    "action:user.* outcome:failure (actor.type:user OR actor.type:api_key) severity>=5 context.ip:10.0.0.0/8 -target.type:test occurred_at>now-24h",
    "actor.id:u_123",
    "actor.id:u_999",
    "metadata.region:eu-*",
    "nowhere",
];

const ROUNDS: u32 = 5_000;
const RUNS: u32 = 400;

fn main() {
    let event = Event {
        id: EventId([7; 16]),
        tenant: TenantId::restored("acme"),
        environment: EnvironmentId::restored("production"),
        seq: 69_000,
        received_at: Timestamp(1_795_307_951_127),
        flags: 0,
        leaf_hash: [0; 32],
        body: BODY.as_bytes().into(),
    };
    let fields = Fields::parse(BODY.as_bytes(), &Limits::default()).expect("the body is valid");
    let view = View { event: &event, fields: &fields };
    for text in FILTERS {
        let filter = Filter::parse(text).expect("the filter is valid").resolve(event.received_at);
        let mut fastest = f64::MAX;
        let mut matched = 0;
        // The fastest of many short runs is the one that was disturbed least.
        for _ in 0..RUNS {
            let start = Instant::now();
            matched = (0..ROUNDS).filter(|_| black_box(&filter).matches(black_box(&view))).count();
            fastest = fastest.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS));
        }
        report(&format!("{fastest:8.1} ns  {:5}  {text}\n", matched > 0));
    }
}

fn report(line: &str) {
    use std::io::Write as _;
    std::io::stdout().write_all(line.as_bytes()).expect("standard output is open");
}

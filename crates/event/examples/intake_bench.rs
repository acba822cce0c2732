//! Prints what taking one event of about 650 bytes in costs: `cargo run --release -p attestary-event --example intake_bench`.

use std::{hint::black_box, time::Instant};

use attestary_event::{
    Limits, Timestamp,
    actions::KnownActions,
    intake::{Context, DigestKey, Door, accept},
    scan::scan,
};

/// Short rounds, many of them: the best one is the one that nothing else on the machine disturbed.
const ROUNDS: u32 = 1_000;
const CALLS: u32 = 500;

/// A typical event; `{id}` is replaced.
const EVENT: &str = r#"{{id}"tenant":"tenant-0042","action":"document.shared","occurred_at":"2026-11-22T00:39:11.123Z","actor":{"type":"user","id":"usr_01HY5T8Z4N","name":"Alice Example","email":"alice@example.com"},"targets":[{"type":"document","id":"doc_01HY5T8Z4P","name":"Quarterly report"}],"context":{"ip":"203.0.113.9","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36","request_id":"req_01HY5T8Z4QJ8W","session_id":"ses_01HY5T8Z4R"},"outcome":"success","metadata":{"plan":"enterprise","attempt":3,"region":"eu-west-1","exact":9007199254740993}}"#;

#[expect(clippy::print_stdout, reason = "printing the figures is what this example is for")]
fn main() {
    let plain = EVENT.replace("{id}", "");
    let with_id = EVENT.replace("{id}", r#""id":"01930b5e-5a53-709e-8f3c-0123456789ab","#);
    let limits = Limits::default();
    let context = Context {
        now: Timestamp(1_795_308_919_123),
        actions: KnownActions::builtin(),
        limits: &limits,
        default_tenant: None,
    };
    let key = DigestKey::new(&[7; 32]);
    let take = |json: &str| accept(json.as_bytes(), Door::Native, &context, &key).is_ok();
    println!("event: {} bytes, {} with an id", plain.len(), with_id.len());
    let scanned = measure(|| scan(plain.as_bytes(), &limits).is_ok());
    let accepted = measure(|| take(&plain));
    let digested = measure(|| take(&with_id));
    println!("scan                 {scanned:>7.0} ns/event");
    println!(
        "accept               {accepted:>7.0} ns/event ({:.0} beyond the scan)",
        accepted - scanned
    );
    println!(
        "accept, client's id  {digested:>7.0} ns/event ({:.0} beyond the scan)",
        digested - scanned
    );
}

/// Returns the best round's nanoseconds for each call.
fn measure(mut call: impl FnMut() -> bool) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            assert!(black_box(call()), "the event is good");
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    best
}

//! Measures proofs in one tenant's log: `cargo run --release -p attestary-store --example proof_bench [events] [directory]`.
//!
//! Fills a log through the store as the service does, seals it, opens the directory anew and proves random events. Prints
//! one figure per line. A directory that is named is kept, and used as it is when it holds enough events.
#![expect(clippy::print_stdout, reason = "this program prints figures")]

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use attestary_event::{EnvironmentId, EventId, Fields, TenantId};
use attestary_store::{
    Settings, Store, SystemClock, SystemRng,
    record::{Parts, Prepared},
};

const PROOFS: usize = 2_000;
const BATCH: u64 = 1_000;

/// xorshift64*: the same events in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % end
    }
}

fn names() -> (EnvironmentId, TenantId) {
    (EnvironmentId::restored("bench"), TenantId::restored("acme"))
}

fn event(number: u64, random: &mut Random) -> Prepared {
    let (environment, tenant) = names();
    let (actor, target) = (random.below(1_000), random.below(5_000));
    let body = format!(
        "{{\"action\":\"document.opened\",\"actor\":{{\"type\":\"user\",\"id\":\"usr_{actor}\",\"name\":\"Person {actor}\",\
         \"email\":\"person.{actor}@example.com\"}},\"targets\":[{{\"type\":\"document\",\"id\":\"doc_{target}\"}}],\
         \"context\":{{\"ip\":\"10.1.2.{}\",\"session_id\":\"ses-{actor}\",\"request_id\":\"req-{number}\"}},\
         \"outcome\":\"success\",\"severity\":1,\"category\":\"document\",\"occurred_at\":\"2026-11-22T00:39:11.123Z\",\
         \"metadata\":{{\"number\":{number},\"plan\":\"enterprise\",\"region\":\"eu-central\"}}}}",
        actor % 250,
    );
    Prepared::new(Parts {
        environment,
        tenant,
        id: EventId(u128::from(number + 1).to_be_bytes()),
        client_id: false,
        service: false,
        seed: [7; 16],
        digest: [0; 16],
        occurred_ms: 1_795_000_000_000 + number as i64,
        severity: 1,
        fields: &Fields::of_stored(body.as_bytes()),
        body: body.as_bytes(),
    })
}

fn open(dir: &std::path::Path) -> Store {
    let settings = Settings::new(dir.to_owned());
    Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default()))
        .expect("the directory can be opened")
}

fn percentile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let events = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000_u64);
    let kept = arguments.next().map(PathBuf::from);
    let temporary = std::env::temp_dir().join(format!("proof-bench-{}", std::process::id()));
    let dir = kept.clone().unwrap_or_else(|| temporary.clone());
    let (environment, tenant) = names();
    let mut random = Random(88_172_645_463_325_252);

    let store = open(&dir);
    let began = Instant::now();
    let mut size = store.log(&environment, &tenant).map_or(0, |log| log.size);
    while size < events {
        let batch = (size..size + BATCH).map(|number| event(number, &mut random)).collect();
        if store.submit(batch).await.is_ok() {
            size += BATCH;
        }
    }
    store.seal().await;
    store.head(&environment, &tenant).await.expect("the log has a head");
    println!("filled to {size} events in {:.1} s", began.elapsed().as_secs_f64());
    store.close().await;
    drop(store);

    let store = open(&dir);
    let head = store.head(&environment, &tenant).await.expect("the log has a head");
    let began = Instant::now();
    let first = store.inclusion(&environment, &tenant, 0, head.size).await;
    first.expect("the first event is proved");
    println!("first proof after opening {:.2} ms", began.elapsed().as_secs_f64() * 1e3);
    for round in ["cold", "warm"] {
        let mut times = Vec::with_capacity(PROOFS);
        for _ in 0..PROOFS {
            let index = random.below(head.size);
            let began = Instant::now();
            let proof = store.inclusion(&environment, &tenant, index, head.size).await;
            proof.expect("every event is proved");
            times.push(began.elapsed());
        }
        println!(
            "inclusion at {} events, {round}: p50 {:.3} ms, p99 {:.3} ms",
            head.size,
            percentile(&mut times, 0.5),
            percentile(&mut times, 0.99)
        );
    }
    let mut times = Vec::new();
    for _ in 0..200 {
        let old = random.below(head.size) + 1;
        let began = Instant::now();
        let proof = store.consistency(&environment, &tenant, old, head.size).await;
        proof.expect("every growth is proved");
        times.push(began.elapsed());
    }
    println!("consistency: p50 {:.3} ms", percentile(&mut times, 0.5));
    store.close().await;
    if kept.is_none() {
        let _ = std::fs::remove_dir_all(&temporary);
    }
}

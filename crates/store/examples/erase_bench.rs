//! Measures an erasure beside ingest: `cargo run --release -p attestary-store --example erase_bench EVENTS DIRECTORY`.
//!
//! Uses a directory that `proof_bench` filled (it has 1,000 actors, so that every segment holds events of each). Submits a
//! hundred events every 20 ms, first alone and then while the payloads of one actor are found, taken out and wiped. Prints one
//! figure per line.
#![expect(clippy::print_stdout, reason = "this program prints figures")]

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use attestary_event::{EnvironmentId, EventId, Fields, TenantId};
use attestary_store::{
    Pick, Picker, Pickers, Sealed, Settings, Store, SystemClock, SystemRng,
    record::{Parts, Prepared},
};

const SUBJECT: &str = "usr_7";
const BATCH: u64 = 100;
const PAUSE: Duration = Duration::from_millis(20);
const ALONE: Duration = Duration::from_secs(10);

fn names() -> (EnvironmentId, TenantId) {
    (EnvironmentId::restored("bench"), TenantId::restored("acme"))
}

fn event(number: u64) -> Prepared {
    let (environment, tenant) = names();
    let body = format!(
        "{{\"action\":\"document.opened\",\"actor\":{{\"type\":\"user\",\"id\":\"usr_x{number}\"}},\"outcome\":\"success\",\
         \"severity\":1,\"category\":\"document\",\"occurred_at\":\"2026-11-22T00:39:11.123Z\"}}"
    );
    Prepared::new(Parts {
        environment,
        tenant,
        id: EventId((1_u128 << 100 | u128::from(number)).to_be_bytes()),
        client_id: false,
        service: false,
        seed: [7; 16],
        digest: [0; 16],
        occurred_ms: 1_795_000_000_000,
        severity: 1,
        fields: &Fields::of_stored(body.as_bytes()),
        body: body.as_bytes(),
    })
}

/// Picks the payloads of one actor.
struct Subject;

impl Picker for Subject {
    fn needs_content(&self) -> bool {
        true
    }

    fn pick(&mut self, event: &Sealed<'_>) -> Pick {
        let id = event.view.as_ref().and_then(|view| view.text("/actor/id"));
        if id == Some(SUBJECT) { Pick::Payload } else { Pick::Keep }
    }
}

/// Submits until told to stop; returns how long each batch took.
async fn load(store: Store, stop: Arc<AtomicBool>, mut number: u64) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut next = tokio::time::interval(PAUSE);
    while !stop.load(Ordering::Relaxed) {
        next.tick().await;
        let batch = (number..number + BATCH).map(event).collect();
        let began = Instant::now();
        if store.submit(batch).await.is_ok() {
            times.push(began.elapsed());
        }
        number += BATCH;
    }
    times
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "ingest {what}: {} batches of {BATCH}, p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let events: u64 =
        arguments.next().and_then(|text| text.parse().ok()).expect("EVENTS DIRECTORY");
    let dir = PathBuf::from(arguments.next().expect("EVENTS DIRECTORY"));
    let settings = Settings::new(dir);
    let store =
        Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default()))
            .expect("the directory can be opened");
    let (environment, tenant) = names();
    let log = store.log(&environment, &tenant).expect("proof_bench filled the directory");
    assert!(log.size >= events, "the log has {} events only", log.size);
    println!("{} events in {} segments", log.size, store.health().segments);

    let alone = Arc::new(AtomicBool::new(false));
    let running = tokio::spawn(load(store.clone(), Arc::clone(&alone), 1 << 40));
    tokio::time::sleep(ALONE).await;
    alone.store(true, Ordering::Relaxed);
    show("alone", &mut running.await.expect("the load ends"));

    let stop = Arc::new(AtomicBool::new(false));
    let running = tokio::spawn(load(store.clone(), Arc::clone(&stop), 2 << 40));
    let began = Instant::now();
    let pickers: Pickers = [(log.slot, Box::new(Subject) as Box<dyn Picker>)].into();
    let (lists, _) = store.pick(None, pickers).await.expect("the log can be read");
    let found: u64 = lists.values().map(attestary_ledger::RemovalList::events).sum();
    println!("found {found} events in {:.1} s", began.elapsed().as_secs_f64());
    let took = Instant::now();
    let lists: HashMap<_, _> = lists.into_iter().collect();
    let done = store.take_out(lists).await.expect("the segments can be rewritten");
    println!(
        "rewrote {} segments in {:.1} s: {} MB before, {} MB after",
        done.segments,
        took.elapsed().as_secs_f64(),
        done.bytes_before / 1_000_000,
        done.bytes_after / 1_000_000
    );
    let wiped = Instant::now();
    store.wipe().await.expect("the journal can be wiped");
    println!(
        "wiped in {:.1} s, all in {:.1} s",
        wiped.elapsed().as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    stop.store(true, Ordering::Relaxed);
    show("beside the erasure", &mut running.await.expect("the load ends"));
    store.close().await;
}

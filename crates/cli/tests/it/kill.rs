//! Kill -9 under load: after every restart, what was acknowledged is there, once, at its place.
//!
//! Several clients send single events and batches for several tenants, and resend what was not acknowledged, as the
//! SDKs would. The server is killed at a random moment of each cycle. The page cache survives a kill, so this finds
//! faults in recovery and in the order of acknowledgements; a missing fsync is the simulated disk's business.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::{journal::Journal, process::Server};

/// Cycles without `ATTESTARY_KILL_CYCLES`; `./test` runs 300 more against the program as it is released.
const CYCLES: u64 = 15;

/// Longest time under load before a kill, in milliseconds, without `ATTESTARY_KILL_WITHIN_MS`.
const WITHIN_MS: u64 = 400;

/// The whole oracle runs this often, and at the end.
const CHECK_EVERY: u64 = 25;

/// How many cycles have one number of partitions, without `ATTESTARY_KILL_PARTITIONS`.
const SAME_PARTITIONS: u64 = 5;

const CLIENTS: u64 = 6;

const TENANTS: [&str; 5] = ["acme", "globex", "initech", "tenant/ä", "umbrella"];

/// Time within which a restarted server must be ready, on a busy machine.
const READY_TIME_MAX: Duration = Duration::from_secs(30);

struct Load {
    url: String,
    key: String,
    journal: Arc<Mutex<Journal>>,
    numbers: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

#[test]
fn no_acknowledged_event_is_lost_to_kills() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let cycles = number("ATTESTARY_KILL_CYCLES").unwrap_or(CYCLES);
    let within_ms = number("ATTESTARY_KILL_WITHIN_MS").unwrap_or(WITHIN_MS).max(21);
    let partitions = number("ATTESTARY_KILL_PARTITIONS");
    let seed = number("ATTESTARY_KILL_SEED").unwrap_or(u64::from(std::process::id()));
    let _ = rustls::crypto::ring::default_provider().install_default();
    eprintln!("{cycles} cycles, ATTESTARY_KILL_SEED={seed}");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let data = tempfile::tempdir().unwrap();
    let (journal, numbers) =
        (Arc::new(Mutex::new(Journal::default())), Arc::new(AtomicU64::new(0)));
    let mut random = seed;
    let mut slowest = Duration::ZERO;
    let mut unacknowledged: Vec<Vec<Value>> = vec![Vec::new(); CLIENTS as usize];
    for cycle in 1..=cycles {
        let started = Instant::now();
        // One and two in turn: the first kills of each turn come soon after the number changed.
        let partitions = partitions.unwrap_or(1 + (cycle - 1) / SAME_PARTITIONS % 2);
        let mut server =
            Server::start_with(data.path(), &["--partitions", &partitions.to_string()]);
        runtime.block_on(wait_until_ready(server.fact("url")));
        slowest = slowest.max(started.elapsed());
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = std::mem::take(&mut unacknowledged)
            .into_iter()
            .enumerate()
            .map(|(number, left)| {
                let load = Load {
                    url: server.fact("url").to_owned(),
                    key: server.fact("ingest_key").to_owned(),
                    journal: Arc::clone(&journal),
                    numbers: Arc::clone(&numbers),
                    stop: Arc::clone(&stop),
                };
                runtime.spawn(load.run(number as u64, left, next(&mut random)))
            })
            .collect();
        std::thread::sleep(Duration::from_micros(
            20_000 + next(&mut random) % (1_000 * (within_ms - 20)),
        ));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        unacknowledged =
            clients.into_iter().map(|client| runtime.block_on(client).unwrap()).collect();
        if cycle.is_multiple_of(CHECK_EVERY) || cycle == cycles {
            check(data.path(), &runtime, &journal);
        }
    }
    let journal = journal.lock().unwrap();
    eprintln!(
        "{cycles} kills: {} events acknowledged, {} retries answered with the first receipt, slowest start {slowest:?}",
        journal.acknowledged(),
        journal.retried,
    );
    // A run that acknowledged next to nothing would have shown nothing.
    assert!(
        journal.acknowledged() as u64 > cycles * 20,
        "too little load: {}",
        journal.acknowledged()
    );
}

/// Moves the data directory aside, so that a fault can be looked into.
fn keep(data: &std::path::Path) -> String {
    let kept = std::env::temp_dir().join(format!("attestary-kill-{}", std::process::id()));
    let moved = std::fs::rename(data, &kept);
    moved.map_or_else(|error| format!("(lost: {error})"), |()| kept.display().to_string())
}

/// Restarts the server and compares every log with the clients' journal.
fn check(data: &std::path::Path, runtime: &tokio::runtime::Runtime, journal: &Mutex<Journal>) {
    let server = Server::start(data);
    runtime.block_on(wait_until_ready(server.fact("url")));
    for tenant in TENANTS {
        let events =
            runtime.block_on(whole_log(server.fact("url"), server.fact("read_key"), tenant));
        if let Err(fault) = journal.lock().unwrap().check(tenant, &events) {
            panic!("{tenant}: {fault}; the data directory is kept at {}", keep(data));
        }
    }
}

async fn wait_until_ready(url: &str) {
    let (http, deadline) = (Client::new(), Instant::now() + READY_TIME_MAX);
    while !http
        .get(format!("{url}/health/ready"))
        .send()
        .await
        .is_ok_and(|reply| reply.status() == StatusCode::OK)
    {
        assert!(Instant::now() < deadline, "the server did not get ready");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn whole_log(url: &str, key: &str, tenant: &str) -> Vec<Value> {
    let (http, mut events, mut cursor) = (Client::new(), Vec::new(), None::<String>);
    loop {
        let mut query = vec![("tenant", tenant), ("order", "asc"), ("limit", "1000")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let reply = http
            .get(format!("{url}/v1/events"))
            .query(&query)
            .bearer_auth(key)
            .send()
            .await
            .unwrap();
        if reply.status() == StatusCode::NOT_FOUND {
            return events;
        }
        assert_eq!(reply.status(), StatusCode::OK);
        let mut page: Value = reply.json().await.unwrap();
        let Value::Array(data) = page["data"].take() else { panic!("a page without data") };
        let ended = data.is_empty();
        events.extend(data);
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if ended || cursor.is_none() {
            return events;
        }
    }
}

impl Load {
    /// Sends until told to stop; returns what was sent and not acknowledged.
    async fn run(self, client: u64, mut pending: Vec<Value>, mut random: u64) -> Vec<Value> {
        let http = Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        while !self.stop.load(Ordering::Relaxed) {
            if pending.is_empty() {
                let count = if client.is_multiple_of(2) { 1 } else { 1 + next(&mut random) % 60 };
                pending = (0..count).map(|_| self.event(&mut random)).collect();
            }
            let body =
                if pending.len() == 1 { pending[0].clone() } else { Value::Array(pending.clone()) };
            let sent = http
                .post(format!("{}/v1/events", self.url))
                .bearer_auth(&self.key)
                .json(&body)
                .send()
                .await;
            let Ok(reply) = sent else { continue };
            let status = reply.status();
            let Ok(reply) = reply.json::<Value>().await else { continue };
            match status {
                StatusCode::CREATED | StatusCode::OK => {
                    let mut journal = self.journal.lock().unwrap();
                    match &reply["data"] {
                        Value::Array(receipts) => {
                            receipts.iter().for_each(|receipt| journal.acknowledge(receipt));
                        }
                        _ => journal.acknowledge(&reply),
                    }
                    pending.clear();
                }
                StatusCode::SERVICE_UNAVAILABLE => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                other => panic!("{other}: {reply}"),
            }
        }
        pending
    }

    fn event(&self, random: &mut u64) -> Value {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let tenant = TENANTS[next(random) as usize % TENANTS.len()];
        let id = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{number:012x}",
            next(random) as u32,
            next(random) as u16,
            next(random) % 4096,
            next(random) % 4096
        );
        self.journal.lock().unwrap().send(tenant, &id, number);
        let padding = "x".repeat(next(random) as usize % 600);
        json!({
            "id": id, "tenant": tenant, "action": "load.sent",
            "actor": {"type": "user", "id": format!("u{}", number % 100)},
            "metadata": {"number": number, "padding": padding},
        })
    }
}

/// SplitMix64: the moments and sizes of a run follow from its seed.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

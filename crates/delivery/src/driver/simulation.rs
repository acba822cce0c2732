//! Destination-days in virtual time: the real driver and engine against a log that grows, a memory that fails, and a
//! receiver that is down, throttles, hangs, refuses, loses its answers, while the process is killed and restarted.
//!
//! One seed is one day. The world watches every accepted batch and every saved state and knows what may be sent twice
//! and what may not. Planted bugs at the seams must be caught, or the watching proves nothing.

mod counts;
mod items;
mod receiver;
mod world;

use super::*;
use crate::{
    DestinationConfig, DestinationId, ManagedBy, batch::BatchLimits, guard::Policy,
    secret::SigningSecret,
};
use attestary_event::{EnvironmentId, TenantId, filter::Filter};
use counts::{Chance, Counts};
use world::World;

/// A bug planted at a seam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutant {
    /// The state is saved as if the batch in flight were confirmed.
    CursorSavedBeforeConfirmation,
    /// A failed batch counts as delivered.
    CursorPassesFailedBatch,
    /// A refused batch counts as delivered.
    RefusedEventsDropped,
    /// The range of the batch in flight is not saved.
    RangeForgotten,
    /// Saving reports success and keeps nothing.
    SavesLost,
    /// A restart begins after the saved cursor.
    RestartSkips,
    /// A restart begins before the saved cursor.
    RestartRepeats,
    /// Any object that stands where the batch belongs counts as the batch.
    AnyObjectCounts,
    /// The cursor is saved behind a batch that is under way behind an open one.
    CursorPassesOpenBatch,
    /// The ranges of the batches behind the first one are not saved.
    RangesBehindForgotten,
    /// The receipt of an earlier state is saved with the new one.
    ReceiptStale,
}

const MUTANTS: [Mutant; 11] = [
    Mutant::CursorSavedBeforeConfirmation,
    Mutant::CursorPassesFailedBatch,
    Mutant::RefusedEventsDropped,
    Mutant::RangeForgotten,
    Mutant::SavesLost,
    Mutant::RestartSkips,
    Mutant::RestartRepeats,
    Mutant::AnyObjectCounts,
    Mutant::CursorPassesOpenBatch,
    Mutant::RangesBehindForgotten,
    Mutant::ReceiptStale,
];

const DAY: Duration = Duration::from_hours(24);

/// Batches that may be under way at the same time: on every other day of an object store several.
fn in_flight_max(seed: u64) -> u64 {
    if seed % 6 == 1 { 2 + seed % 4 } else { 1 }
}

/// What the destination of a day is: every third day it is an object store.
fn destination(seed: u64, limits: &BatchLimits) -> DestinationConfig {
    let (kind, config) = if seed % 3 == 1 {
        let config = serde_json::json!({
            "bucket": "audit", "region": "eu-central-1", "access_key_id": "a", "secret_access_key": "b",
            "events_max": limits.events_max, "bytes_max": limits.bytes_max, "age_seconds": 1 + seed % 400, "in_flight_max": in_flight_max(seed),
        });
        ("s3", config)
    } else {
        ("webhook", serde_json::json!({ "url": "https://siem.example.com/in" }))
    };
    DestinationConfig::validate(kind, &config, ManagedBy::Tenant).unwrap().0
}

fn spec(seed: u64, limits: BatchLimits) -> Spec {
    Spec {
        id: DestinationId::new(0, [7; 10]),
        environment: EnvironmentId::restored("production"),
        tenant: TenantId::restored("acme"),
        name: "siem".to_owned(),
        managed_by: ManagedBy::Tenant,
        destination: destination(seed, &limits),
        format: attestary_formats::Format::default(),
        filter: Filter::parse("-action:excluded").unwrap(),
        batch: limits,
        checkpoint_seconds: 0,
        replay: None,
    }
}

fn secrets() -> Secrets {
    Secrets { signing: vec![SigningSecret::new([1; 32])], ..Secrets::default() }
}

fn components(world: &Arc<World>) -> Components {
    Components {
        log: world.clone(),
        memory: world.clone(),
        clock: world.clone(),
        rng: world.clone(),
        guard: Guard::system(Policy::default()),
        output: Arc::new(crate::LineWriter::new(tokio::io::sink())),
        file_root: None,
        actions: Arc::new(KnownActions::default()),
    }
}

fn start(world: &Arc<World>, seed: u64, limits: BatchLimits) -> Handle {
    let opener = world.clone();
    let opener: Opener = Box::new(move |_, _, _| Box::new(receiver::Receiver::new(opener.clone())));
    spawn_with(spec(seed, limits), secrets(), world.restored(), components(world), opener)
}

/// Runs one day and the quiet evening after it.
async fn day(seed: u64, mutant: Option<Mutant>) -> Result<Counts, String> {
    let world = World::new(seed, mutant, in_flight_max(seed) > 1);
    let mut chance = Chance::new(seed ^ 0x5eed);
    let limits = BatchLimits {
        events_max: 1 + chance.below(40) as usize,
        bytes_max: 20_000,
        linger_ms: 200,
        in_flight_max: 1,
    };
    let mut handle = start(&world, seed, limits);
    let begun = Instant::now();
    while begun.elapsed() < DAY {
        // Mostly minutes pass; sometimes so little that what was begun is still under way.
        let pause = if chance.below(3) == 0 { chance.below(1_500) } else { chance.below(900_000) };
        sleep(Duration::from_millis(pause)).await;
        match chance.below(12) {
            0..=6 => world.append(1 + chance.below(15)),
            7 => world.change_weather(&mut chance),
            8 => {
                drop(handle);
                // The aborted tasks must have gone before the next ones start, as a killed process has.
                for _ in 0..4 {
                    tokio::task::yield_now().await;
                }
                world.crashed();
                handle = start(&world, seed, limits);
            }
            9 => drop(handle.pause("by a person").await),
            10 => drop(handle.resume().await),
            _ => drop(handle.test().await),
        }
    }
    world.clear_weather();
    let _ = handle.resume().await;
    let evening = Instant::now();
    while world.unsettled(handle.status().cursor) && evening.elapsed() < DAY {
        sleep(Duration::from_secs(60)).await;
        if handle.status().state == crate::Phase::Paused {
            let _ = handle.resume().await;
        }
    }
    // A save that failed is tried again within half a minute; a stop would not wait for it.
    sleep(Duration::from_secs(120)).await;
    handle.stop().await;
    world.verdict()
}

fn run(seed: u64, mutant: Option<Mutant>) -> Result<Counts, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(day(seed, mutant))
}

/// Runs one day without planted bugs.
fn certain(seed: u64) -> Counts {
    run(seed, None).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"))
}

/// Days of the short form; `ATTESTARY_DELIVERY_DAYS` asks for more.
const DAYS: u64 = 1_000;

#[test]
#[expect(clippy::disallowed_methods, reason = "a harness is told its extent")]
fn destination_days_lose_and_reorder_nothing() {
    let given = std::env::var("ATTESTARY_DELIVERY_DAYS").ok();
    let total = given.map_or(DAYS, |given| given.parse().expect("a number of days"));
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let counts = std::thread::scope(|scope| {
        let days =
            |first: u64| (first..total).step_by(threads as usize).map(certain).sum::<Counts>();
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(move || days(first))).collect();
        running.into_iter().map(|days| days.join().expect("no day fails")).sum::<Counts>()
    });
    // A generator that never produces a situation proves nothing about it.
    assert!(counts.is_plenty(), "{counts:?}");
    println!("{total} destination-days: {counts:?}");
}

#[test]
fn every_planted_bug_is_caught() {
    for mutant in MUTANTS {
        let caught = (0..200).find_map(|seed| run(seed, Some(mutant)).err());
        assert!(caught.is_some(), "{mutant:?} was not caught in 200 days");
    }
}

#[test]
fn the_same_seed_gives_the_same_day() {
    assert_eq!(run(42, None), run(42, None));
}

//! `bench library`: what the engine takes in without HTTP, sealing included, beside what the disk alone takes.
//!
//! The engine runs in this process with the settings of a server. Threads cut, check, hash and submit batches as requests
//! do, and wait for each batch to be durable.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use attestary_event::{EnvironmentId, intake::Scratch as Buffers};
use attestary_store::{Outcome, Settings, Store, SystemClock, SystemRng};
use clap::Args;
use tokio::{runtime::Handle, task::JoinSet};

use super::{
    Scratch, ceiling,
    figure::Figure,
    ingest::{BATCH_EVENTS, Reached},
    intake,
    load::{Dice, Prepared},
};

const SEED: u64 = 20_261_125;

/// Options of `bench library`.
#[derive(Debug, Args)]
pub(crate) struct Library {
    /// Length of the load in seconds
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u64,
    /// Threads that submit batches of 1,000
    #[arg(long, value_name = "N", default_value_t = 4)]
    threads: usize,
    /// Directory for the temporary data (default: the system's)
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Print one line of JSON per figure
    #[arg(long)]
    pub(crate) json: bool,
}

/// Loads the engine, then the disk alone.
pub(crate) async fn measure(options: &Library) -> anyhow::Result<Vec<Figure>> {
    let scratch = Scratch::new(options.scratch.clone())?;
    let settings = Settings::new(scratch.0.join("library"));
    let (clock, rng) = (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    let store = tokio::task::spawn_blocking(move || Store::open(settings, clock, rng)).await??;
    let time = Duration::from_secs(options.seconds);
    let started = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..options.threads as u64 {
        let (store, handle) = (store.clone(), Handle::current());
        running.spawn_blocking(move || submit(&store, &handle, SEED + number, started + time));
    }
    let mut events = 0;
    while let Some(ended) = running.join_next().await {
        events += ended.context("a thread of the load failed")??;
    }
    let reached = Reached { events, elapsed: started.elapsed() };
    store.close().await;
    let directory = scratch.0.clone();
    let raw = tokio::task::spawn_blocking(move || ceiling::journal(&directory, time / 4)).await??;
    Ok(vec![
        Figure::new("library.batches", reached.per_second(), "events/s")
            .beside("raw journal", raw.per_second()),
    ])
}

/// Submits batches until `end`; returns how many events are durable.
fn submit(store: &Store, handle: &Handle, seed: u64, end: Instant) -> anyhow::Result<u64> {
    let mut dice = Dice::new(seed);
    let environment =
        EnvironmentId::parse("bench").ok().context("\"bench\" names an environment")?;
    let mut load = Prepared::new(BATCH_EVENTS, "", &mut dice);
    let (mut buffers, mut events) = (Buffers::default(), 0);
    while Instant::now() < end {
        load.renew(&mut dice);
        let records = intake::records(load.body(), &environment, &mut buffers)?;
        let outcomes = handle.block_on(store.submit(records))?;
        let stored = |outcome: &Outcome| matches!(outcome, Outcome::Accepted(_));
        ensure!(outcomes.iter().all(stored), "an event of the load was not accepted");
        events += outcomes.len() as u64;
    }
    Ok(events)
}

//! `bench recovery`: how long a start takes after a kill, beside the size of the journal that it reads.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use attestary_store::check;
use clap::Args;

use super::{
    Scratch, UNBOUNDED_EVENTS,
    child::Server,
    figure::{Figure, percentile},
    ingest::{self, BATCH_EVENTS, Load, Span},
    phase,
};

const SEED: u64 = 20_261_124;
/// Connections that fill the journal.
const CONNECTIONS: usize = 8;
const GIB: f64 = (1u64 << 30) as f64;

/// Options of `bench recovery`.
#[derive(Debug, Args)]
pub(crate) struct Recovery {
    /// How often the server is killed
    #[arg(long, value_name = "N", default_value_t = 5)]
    kills: usize,
    /// Seconds of full load before each kill
    #[arg(long, value_name = "N", default_value_t = 3)]
    seconds: u64,
    /// Directory for the temporary data (default: the system's)
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Print one line of JSON per figure
    #[arg(long)]
    pub(crate) json: bool,
}

/// Loads, kills and starts; the journal keeps what was not sealed.
pub(crate) async fn measure(options: &Recovery) -> anyhow::Result<Vec<Figure>> {
    let scratch = Scratch::new(options.scratch.clone())?;
    let data = scratch.0.join("attestary");
    // What a start takes that reads no journal: making the store is the slower first one.
    Server::start(&data).await?.stop().await;
    let started = Instant::now();
    let mut server = Server::start(&data).await?;
    let empty = started.elapsed().as_secs_f64();
    let (mut seconds, mut bytes, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for kill in 0..options.kills as u64 {
        let span = Span { time: Duration::from_secs(options.seconds), events: UNBOUNDED_EVENTS };
        let bar = phase("load before a kill", span);
        let key = &server.credentials.ingest_key;
        // Connections count on from the seed; no event is sent again.
        let seed = SEED + kill * 1_000;
        let load = Load { connections: CONNECTIONS, batch: BATCH_EVENTS, span, seed };
        ingest::load(server.address, key, load, &bar).await?;
        bar.finish_and_clear();
        server.stop().await;
        let journal = unsealed_bytes(data.clone()).await?;
        let started = Instant::now();
        server = Server::start(&data).await?;
        let taken = started.elapsed().as_secs_f64();
        seconds.push(taken);
        bytes.push(journal);
        rates.push((taken - empty).max(0.0) / (journal / GIB));
    }
    server.stop().await;
    for values in [&mut seconds, &mut bytes, &mut rates] {
        values.sort_by(f64::total_cmp);
    }
    Ok(vec![
        Figure::new("recovery.start.empty", empty, "s"),
        Figure::new("recovery.start.p50", percentile(&seconds, 0.5), "s"),
        Figure::new("recovery.start.max", percentile(&seconds, 1.0), "s"),
        Figure::new("recovery.journal.p50", percentile(&bytes, 0.5) / 1e6, "MB"),
        Figure::new("recovery.journal.max", percentile(&bytes, 1.0) / 1e6, "MB"),
        Figure::new("recovery.journal_time.p50", percentile(&rates, 0.5), "s/GiB"),
    ])
}

/// Returns the bytes of the journal that are not sealed.
async fn unsealed_bytes(data: PathBuf) -> anyhow::Result<f64> {
    let report = tokio::task::spawn_blocking(move || check::check(&data, None, &mut |_| {}));
    let report = report.await?.context("cannot check the data directory")?;
    ensure!(report.is_clean(), "the data directory is damaged");
    Ok(report.unsealed_bytes as f64)
}

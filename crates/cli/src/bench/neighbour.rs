//! `bench neighbour`: what one key's flood costs another key.
//!
//! A victim submits single events at a steady rate, alone and then beside a neighbour that floods with batches over many
//! connections and does not heed the server's answers. Rounds alternate, so that what else the machine does meets both.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::Args;
use tokio::task::JoinSet;

use super::{
    Scratch,
    child::Server,
    figure::{Figure, percentile},
    ingest::BATCH_EVENTS,
    load::{Dice, Prepared},
    pace::Pace,
    wire::Connection,
};

const SEED: u64 = 20_261_123;
/// Connections of the victim: enough that none waits for a connection at the usual rates.
const VICTIMS: usize = 32;
/// How long a flood goes on before the victim is measured beside it.
const WARM_UP: Duration = Duration::from_secs(1);

/// Options of `bench neighbour`.
#[derive(Debug, Args)]
pub(crate) struct Neighbour {
    /// Events a second of the victim
    #[arg(long, value_name = "N", default_value_t = 500)]
    rate: u32,
    /// Connections of the neighbour, each with batches of 1,000 without a pause
    #[arg(long, value_name = "N", default_value_t = 32)]
    flood: usize,
    /// Length of each round in seconds
    #[arg(long, value_name = "N", default_value_t = 5)]
    seconds: u32,
    /// Rounds alone, and as many beside the neighbour
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Directory for the temporary data (default: the system's)
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Print one line of JSON per figure
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the victim got in one round.
struct Round {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures the victim alone and beside the flood.
pub(crate) async fn measure(options: &Neighbour) -> anyhow::Result<Vec<Figure>> {
    let scratch = Scratch::new(options.scratch.clone())?;
    let server = Server::start(&scratch.0.join("attestary")).await?;
    let neighbour = new_key(&server).await.context("cannot make the neighbour's key")?;
    let (mut alone, mut beside, mut floods) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds as u64 {
        alone.push(victim(options, &server, SEED + 2 * round).await?);
        // Ids of an earlier round would be answered as repeats, which is another load.
        let flood =
            Flood::start(options.flood, server.address, &neighbour, SEED + 1_000 * (round + 1));
        tokio::time::sleep(WARM_UP).await;
        beside.push(victim(options, &server, SEED + 2 * round + 1).await?);
        floods.push(flood.stop().await?);
    }
    server.stop().await;
    let median = |rounds: &[Round], of: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        percentile(&values, 0.5)
    };
    let mut figures = Vec::new();
    let mut figure = |name: &'static str, unit, of: fn(&Round) -> f64| {
        let (with, without) = (median(&beside, of), median(&alone, of));
        figures.push(Figure::new(name, with, unit).beside("alone", without));
    };
    figure("neighbour.victim", "events/s", |round| round.per_second);
    figure("neighbour.victim.p50", "ms", |round| round.p50_ms);
    figure("neighbour.victim.p99", "ms", |round| round.p99_ms);
    floods.sort_by(f64::total_cmp);
    figures.push(Figure::new("neighbour.flood", percentile(&floods, 0.5), "events/s"));
    Ok(figures)
}

/// Makes a key for the neighbour: fairness is between keys.
async fn new_key(server: &Server) -> anyhow::Result<String> {
    #[derive(serde::Deserialize)]
    struct Made {
        secret: String,
    }
    let body = r#"{"name":"neighbour","scopes":["ingest"]}"#;
    let request = format!(
        "POST /v1/keys HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        server.credentials.admin_key,
        body.len()
    );
    let mut connection = Connection::open(server.address).await?;
    let reply = connection.exchange(request.as_bytes()).await?;
    ensure!(reply.status == 201, "the server answered {}", reply.status);
    Ok(serde_json::from_slice::<Made>(reply.body)?.secret)
}

/// Submits single events at their times; what is not taken does not count.
async fn victim(options: &Neighbour, server: &Server, seed: u64) -> anyhow::Result<Round> {
    let count = (options.rate * options.seconds) as usize;
    let pace = Arc::new(Pace::start(count, options.rate));
    let mut running = JoinSet::new();
    for number in 0..VICTIMS as u64 {
        let pace = Arc::clone(&pace);
        let mut dice = Dice::new(seed.wrapping_mul(1_000).wrapping_add(number));
        let mut request = Prepared::new(1, &server.credentials.ingest_key, &mut dice);
        let mut connection = Connection::open(server.address).await?;
        running.spawn(async move {
            let mut times = Vec::new();
            while let Some((_, due)) = pace.turn().await {
                if connection.exchange(request.renew(&mut dice)).await?.status == 201 {
                    times.push(due.elapsed().as_secs_f64() * 1_000.0);
                }
            }
            Ok::<_, anyhow::Error>(times)
        });
    }
    let mut times = Vec::with_capacity(count);
    while let Some(ended) = running.join_next().await {
        times.extend(ended.context("a connection's task failed")??);
    }
    let per_second = times.len() as f64 / pace.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    Ok(Round { per_second, p50_ms: percentile(&times, 0.5), p99_ms: percentile(&times, 0.99) })
}

/// The neighbour.
struct Flood {
    running: JoinSet<anyhow::Result<()>>,
    stop: Arc<AtomicBool>,
    taken: Arc<AtomicU64>,
    started: Instant,
}

impl Flood {
    fn start(connections: usize, address: SocketAddr, key: &str, seed: u64) -> Self {
        let (stop, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut running = JoinSet::new();
        for number in 0..connections as u64 {
            let (stop, taken) = (Arc::clone(&stop), Arc::clone(&taken));
            let mut dice = Dice::new(seed + number);
            let mut request = Prepared::new(BATCH_EVENTS, key, &mut dice);
            running.spawn(async move {
                let mut connection = Connection::open(address).await?;
                while !stop.load(Ordering::Relaxed) {
                    // Refusals are what a neighbour that floods is meant to get; it goes on at once.
                    if connection.exchange(request.renew(&mut dice)).await?.status == 201 {
                        taken.fetch_add(BATCH_EVENTS as u64, Ordering::Relaxed);
                    }
                }
                Ok(())
            });
        }
        Self { running, stop, taken, started: Instant::now() }
    }

    /// Returns how many of its events a second were taken.
    async fn stop(mut self) -> anyhow::Result<f64> {
        self.stop.store(true, Ordering::Relaxed);
        let per_second =
            self.taken.load(Ordering::Relaxed) as f64 / self.started.elapsed().as_secs_f64();
        while let Some(ended) = self.running.join_next().await {
            ended.context("a connection's task failed")??;
        }
        Ok(per_second)
    }
}

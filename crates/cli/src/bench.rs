//! `attestary bench`: how fast events become durable and how fast they are found, on this machine.
//!
//! Server and load generator share the machine's cores, as they do in no installation: the figures are a floor.
//! The server is this same program, started by `dev` on a temporary directory, with every default a user gets.
//! With `--against postgres` the same batches and queries go to PostgreSQL afterwards, never at the same time.

mod ceiling;
mod child;
mod delivery;
mod figure;
mod ingest;
mod intake;
mod library;
mod load;
mod neighbour;
mod pace;
mod postgres;
mod query;
mod recovery;
mod tenants;
mod wire;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::ProgressBar;

use self::{
    child::Server,
    figure::Figure,
    ingest::{BATCH_EVENTS, Load, Reached, Span},
    intake::Intake,
    postgres::Postgres,
};
use crate::{output, progress};

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Events per second into the journal, and how fast the newest events of an actor are found
    Ingest(Ingest),
    /// What one event costs on one core before the journal
    Intake(Intake),
    /// Events per second into the engine without HTTP, sealing included
    Library(library::Library),
    /// How fast a full log answers: pages, actors, targets, free text, histograms
    Query(query::Query),
    /// What one key's flood costs another key
    Neighbour(neighbour::Neighbour),
    /// How long a start takes after a kill under load
    Recovery(recovery::Recovery),
    /// What tenants cost that wait: memory and time of a start
    Tenants(tenants::Tenants),
    /// How fast events reach receivers, and what destinations that wait cost
    Delivery(delivery::Delivery),
}

/// Options of `bench ingest`.
#[derive(Debug, Args)]
pub(crate) struct Ingest {
    /// Events to fill up to before the queries
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    events: u64,
    /// Length of each timed phase in seconds
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u64,
    /// Connections that send batches of 1,000
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// Connections that send single events; 0 leaves that phase out
    #[arg(long, value_name = "N", default_value_t = 256)]
    single_connections: usize,
    /// Measure a peer in the same run
    #[arg(long, value_enum, value_name = "PEER")]
    against: Option<PeerName>,
    /// PostgreSQL to compare with, as a psql connection string; without it a throw-away server is started
    #[arg(
        long,
        env = "ATTESTARY_BENCH_POSTGRES",
        hide_env_values = true,
        value_name = "CONNECTION"
    )]
    postgres: Option<String>,
    /// Directory for the temporary data (default: the system's)
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Print one line of JSON per figure
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PeerName {
    Postgres,
}

/// What the machine does without us changes little with time.
const CEILING_TIME_MAX: Duration = Duration::from_secs(10);

/// Queries of each kind.
const QUERIES: usize = 500;

const SEED: u64 = 20_260_115;
const SEED_FILL: u64 = SEED + 1_000;
const SEED_SINGLES: u64 = SEED + 2_000;
const SEED_QUERIES: u64 = SEED + 3_000;

/// No bound on the number of events, or on the time.
const UNBOUNDED_EVENTS: u64 = u64::MAX / 2;
const UNBOUNDED_TIME: Duration = Duration::from_hours(1);

/// What one system reached.
struct Results {
    batches: Reached,
    singles: Option<Reached>,
    queries_ms: Vec<f64>,
    /// Of the sealed store, proofs and indexes included.
    bytes_per_event: f64,
    /// Our server's memory at its highest, after each phase.
    resident_bytes_max: u64,
    /// Of our phases: times of requests, processor and memory.
    details: Vec<Figure>,
}

/// Runs the benchmark and prints its figures.
pub(crate) async fn run(bench: Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Ingest(options) => ingest(&options).await,
        Bench::Library(options) => print(&library::measure(&options).await?, options.json),
        Bench::Delivery(options) => delivery::measure(&options).await,
        Bench::Query(options) => print(&query::measure(&options).await?, options.json),
        Bench::Neighbour(options) => print(&neighbour::measure(&options).await?, options.json),
        Bench::Tenants(options) => print(&tenants::measure(&options).await?, options.json),
        Bench::Recovery(options) => print(&recovery::measure(&options).await?, options.json),
        Bench::Intake(options) => print(&intake::measure(&options)?, options.json),
    }
}

async fn ingest(options: &Ingest) -> anyhow::Result<()> {
    let scratch = Scratch::new(options.scratch.clone())?;
    let ours = measure_ours(options, &scratch.0).await?;
    let ceilings = measure_ceilings(options, &scratch.0).await?;
    let peer = match options.against {
        Some(PeerName::Postgres) => Some(measure_postgres(options, &scratch.0).await?),
        None => None,
    };
    let mut all = figures(&ours, peer.as_ref());
    all.extend(ceilings.figures(&ours));
    all.extend(ours.details);
    print(&all, options.json)
}

/// What the machine does without our work.
struct Ceilings {
    /// Events of the same size into one file.
    journal: Reached,
    /// Single events into the HTTP library.
    echo: Reached,
}

impl Ceilings {
    /// Returns the ceilings, with the share of each that ours reached.
    fn figures(&self, ours: &Results) -> [Figure; 2] {
        let beside = |name, unit, ceiling: Reached, ours: Reached| {
            Figure::new(name, ours.per_second(), unit).beside("without us", ceiling.per_second())
        };
        [
            beside("ceiling.journal", "events/s", self.journal, ours.batches),
            beside("ceiling.http", "requests/s", self.echo, ours.singles.unwrap_or(self.echo)),
        ]
    }
}

async fn measure_ceilings(options: &Ingest, scratch: &std::path::Path) -> anyhow::Result<Ceilings> {
    let time = Duration::from_secs(options.seconds).min(CEILING_TIME_MAX);
    let directory = scratch.to_owned();
    let journal = tokio::task::spawn_blocking(move || ceiling::journal(&directory, time)).await??;
    let span = Span { time, events: UNBOUNDED_EVENTS };
    let bar = phase("single events without us", span);
    let connections = options.single_connections.max(1);
    let echo = ceiling::echo(connections, span, SEED_SINGLES, &bar).await?;
    bar.finish_and_clear();
    Ok(Ceilings { journal, echo })
}

fn print(figures: &[Figure], json: bool) -> anyhow::Result<()> {
    for figure in figures {
        let line = if json { serde_json::to_string(figure)? } else { figure.line() };
        output::line(line);
    }
    Ok(())
}

async fn measure_ours(options: &Ingest, scratch: &std::path::Path) -> anyhow::Result<Results> {
    let mut server = Server::start(&scratch.join("attestary")).await?;
    let measured = phases(options, &server).await;
    // A connection that broke is explained best by how the server ended.
    let measured = match (measured, server.ended()) {
        (Err(error), Some(status)) => {
            Err(error.context(format!("the server under test ended: {status}")))
        }
        (measured, _) => measured,
    };
    server.stop().await;
    measured
}

async fn phases(options: &Ingest, server: &Server) -> anyhow::Result<Results> {
    let (ingest_key, read_key) = (&server.credentials.ingest_key, &server.credentials.read_key);
    let mut details = Vec::new();
    let mut send = async |name: &str, figures: &'static str, connections, batch, span, seed| {
        let bar = phase(name, span);
        let before = server.processor_time()?;
        let load = Load { connections, batch, span, seed };
        let loaded = ingest::load(server.address, ingest_key, load, &bar).await;
        let (reached, times) = loaded.with_context(|| format!("phase \"{name}\""))?;
        bar.finish_and_clear();
        let processor = server.processor_time()? - before;
        let resident = server.resident_bytes_max()?;
        details.extend(phase_details(figures, reached, &times, processor, resident));
        anyhow::Ok(reached)
    };
    let time = Duration::from_secs(options.seconds);
    let timed = Span { time, events: UNBOUNDED_EVENTS };
    // First: batches leave segments to be merged, which would go on beside the single events.
    let singles = match options.single_connections {
        0 => None,
        many => Some(send("single events", "singles", many, 1, timed, SEED_SINGLES).await?),
    };
    let (many, batch) = (options.connections, BATCH_EVENTS);
    let batches = send("batches of 1,000", "batches", many, batch, timed, SEED).await?;
    let left = Span { time: UNBOUNDED_TIME, events: options.events.saturating_sub(batches.events) };
    send("filling up", "filling", many, batch, left, SEED_FILL).await?;
    let queries_ms = ingest::newest_by_actor(server.address, read_key, QUERIES, SEED_QUERIES)
        .await
        .context("phase \"queries\"")?;
    let bytes_per_event =
        ingest::sealed_bytes_per_event(server.address).await.context("phase \"size\"")?;
    let resident_bytes_max = server.resident_bytes_max()?;
    Ok(Results { batches, singles, queries_ms, bytes_per_event, resident_bytes_max, details })
}

/// Times of requests, processor time of an event and memory; nothing of a phase that sent nothing.
fn phase_details(
    name: &str,
    reached: Reached,
    times: &ingest::Times,
    processor: Duration,
    resident_bytes_max: u64,
) -> Vec<Figure> {
    if reached.events == 0 {
        return vec![];
    }
    let figure = |what, value, unit| Figure::new(format!("ingest.{name}.{what}"), value, unit);
    let time = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    let processor = processor.as_secs_f64() * 1e6 / reached.events as f64;
    vec![
        figure("p50", time(0.5), "ms"),
        figure("p99", time(0.99), "ms"),
        figure("processor", processor, "us/event"),
        figure("memory", resident_bytes_max as f64 / 1e6, "MB"),
    ]
}

async fn measure_postgres(options: &Ingest, scratch: &std::path::Path) -> anyhow::Result<Results> {
    output::talk("PostgreSQL: batches, filling up, queries");
    let server = Postgres::open(options.postgres.clone(), scratch).await?;
    let time = Duration::from_secs(options.seconds);
    let measured = async {
        let batches =
            server.copy(options.connections, BATCH_EVENTS, time, UNBOUNDED_EVENTS, SEED).await?;
        let left = options.events.saturating_sub(batches.events);
        server.copy(options.connections, BATCH_EVENTS, UNBOUNDED_TIME, left, SEED_FILL).await?;
        let queries_ms = server.newest_by_actor(QUERIES, SEED_QUERIES).await?;
        let bytes_per_event = server.bytes_per_event().await?;
        Ok(Results {
            batches,
            singles: None,
            queries_ms,
            bytes_per_event,
            resident_bytes_max: 0,
            details: vec![],
        })
    };
    let measured: anyhow::Result<Results> = measured.await;
    server.close().await?;
    measured
}

fn figures(ours: &Results, peer: Option<&Results>) -> Vec<Figure> {
    let beside =
        |figure: Figure, value: &dyn Fn(&Results) -> Option<f64>| match peer.and_then(value) {
            Some(value) => figure.beside(postgres::NAME, value),
            None => figure,
        };
    let figure = |name, unit, value: &dyn Fn(&Results) -> Option<f64>| {
        value(ours).map(|ours| beside(Figure::new(name, ours, unit), value))
    };
    let memory = Figure::new("memory.resident_max", ours.resident_bytes_max as f64 / 1e6, "MB");
    [
        figure("ingest.batches", "events/s", &|results| Some(results.batches.per_second())),
        figure("ingest.singles", "requests/s", &|results| {
            results.singles.map(|singles| singles.per_second())
        }),
        figure("query.newest_by_actor.p50", "ms", &|results| {
            Some(ingest::median_and_tail(&results.queries_ms).0)
        }),
        figure("query.newest_by_actor.p99", "ms", &|results| {
            Some(ingest::median_and_tail(&results.queries_ms).1)
        }),
        figure("store.bytes_per_event", "bytes", &|results| Some(results.bytes_per_event)),
        Some(memory),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn phase(name: &str, span: Span) -> ProgressBar {
    match span.events {
        UNBOUNDED_EVENTS => progress::counter(name),
        events => progress::bar(name, events),
    }
}

/// A directory that is removed at the end, whatever the end is.
struct Scratch(PathBuf);

impl Scratch {
    /// Makes it below `parent`, or where the system keeps what is temporary.
    fn new(parent: Option<PathBuf>) -> anyhow::Result<Self> {
        let parent = parent.unwrap_or_else(std::env::temp_dir);
        let path = parent.join(format!("attestary-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

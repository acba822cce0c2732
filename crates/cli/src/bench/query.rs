//! `bench query`: how fast a log that is full answers what people ask.
//!
//! The log is filled as `bench ingest` fills it, and left alone until its segments are merged. Then each kind of question
//! is asked once, where every answer is checked, and then at a steady rate ([`Pace`]), where its time is taken.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::{
    Scratch, UNBOUNDED_TIME,
    child::{PROCESSOR_TICK, Server},
    figure::{Figure, percentile},
    ingest::{self, BATCH_EVENTS, Load, Span, asked},
    load::Facts,
    pace::Pace,
    phase,
    wire::Connection,
};
use crate::client::encode;

/// Of the log and of the questions: what is asked for is there.
const SEED: u64 = 20_261_122;
/// Connections that fill the log.
const FILLERS: usize = 8;
/// Events of a page.
const PAGE: usize = 50;
/// No event has this text.
const NO_TEXT: &str = "zzqq-nowhere-zzqq";
const EVENTS: &str = "/v1/events";
const COUNTS: &str = "/v1/events/histogram";

/// Options of `bench query`.
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// Events in the log
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    events: u64,
    /// Questions of each kind, at most 1,000
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    questions: u16,
    /// Questions a second
    #[arg(long, value_name = "N", default_value_t = 50)]
    rate: u32,
    /// Connections that the questions take turns on
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// Directory for the temporary data (default: the system's)
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Print one line of JSON per figure
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is asked.
struct Kind {
    /// In the names of its figures.
    name: &'static str,
    path: &'static str,
    /// The query behind the tenant.
    rest: fn(&Facts) -> String,
    /// Whether an event of the tenant belongs into the answer.
    fits: fn(&Seen, &Facts) -> bool,
}

const KINDS: [Kind; 4] = [
    Kind { name: "page", path: EVENTS, rest: |_| format!("&limit={PAGE}"), fits: |_, _| true },
    Kind {
        name: "by_actor",
        path: EVENTS,
        rest: |facts| filtered(&format!("actor.id=\"{}\"", facts.actor)),
        fits: |event, facts| event.actor.id == facts.actor,
    },
    Kind {
        name: "by_target",
        path: EVENTS,
        rest: |facts| filtered(&format!("target.id=\"{}\"", facts.target)),
        fits: |event, facts| event.targets.iter().any(|target| target.id == facts.target),
    },
    Kind {
        name: "text",
        path: EVENTS,
        rest: |facts| filtered(&format!("\"{}\"", facts.actor)),
        fits: |event, facts| event.actor.id == facts.actor,
    },
];
const HISTOGRAM: Kind =
    Kind { name: "histogram", path: COUNTS, rest: |_| String::new(), fits: |_, _| true };
const NOWHERE: Kind =
    Kind { name: "text_scan", path: EVENTS, rest: |_| filtered(NO_TEXT), fits: |_, _| false };

fn filtered(filter: &str) -> String {
    format!("&limit={PAGE}&filter={}", encode(filter))
}

/// Fills a log and asks.
pub(crate) async fn measure(options: &Query) -> anyhow::Result<Vec<Figure>> {
    let scratch = Scratch::new(options.scratch.clone())?;
    let server = Server::start(&scratch.0.join("attestary")).await?;
    let span = Span { time: UNBOUNDED_TIME, events: options.events };
    let bar = phase("filling up", span);
    let key = &server.credentials.ingest_key;
    let load = Load { connections: FILLERS, batch: BATCH_EVENTS, span, seed: SEED };
    ingest::load(server.address, key, load, &bar).await?;
    bar.finish_and_clear();
    // A log is asked long after it was filled: what waits to be merged is merged first.
    let settled = ingest::settle(server.address).await?;
    let bytes_per_event = ingest::sealed_bytes_per_event(server.address).await?;
    let mut figures = vec![
        Figure::new("store.merged_after", settled.as_secs_f64(), "s"),
        Figure::new("store.bytes_per_event", bytes_per_event, "bytes"),
    ];
    for kind in KINDS.iter().chain([&HISTOGRAM]) {
        figures.extend(ask(kind, options, &server).await.with_context(|| kind.name)?);
    }
    figures.push(scan(&server).await?);
    figures.push(Figure::new(
        "memory.resident_max",
        server.resident_bytes_max()? as f64 / 1e6,
        "MB",
    ));
    server.stop().await;
    Ok(figures)
}

/// Asks one kind of question: first each once, unmeasured, then all at their times.
async fn ask(kind: &Kind, options: &Query, server: &Server) -> anyhow::Result<[Figure; 3]> {
    let facts: Arc<Vec<Facts>> = Arc::new(asked(options.questions.into(), SEED));
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(
        facts.iter().map(|facts| request(kind, facts, &server.credentials.read_key)).collect(),
    );
    let mut connection = Connection::open(server.address).await?;
    for (facts, request) in facts.iter().zip(requests.iter()) {
        check(kind, connection.exchange(request).await?.body, facts)?;
    }
    let before = server.processor_time()?;
    let pace = Arc::new(Pace::start(requests.len(), options.rate));
    let mut running = JoinSet::new();
    for _ in 0..options.connections {
        running.spawn(turns(server.address, Arc::clone(&pace), Arc::clone(&requests)));
    }
    let mut times = Vec::with_capacity(requests.len());
    while let Some(ended) = running.join_next().await {
        times.extend(ended.context("a connection's task failed")??);
    }
    times.sort_by(f64::total_cmp);
    let busy = server.processor_time()? - before;
    let figure = |what, value| Figure::new(format!("query.{}.{what}", kind.name), value, "ms");
    Ok([
        figure("p50", percentile(&times, 0.5)),
        figure("p99", percentile(&times, 0.99)),
        figure("processor", busy.as_secs_f64() * 1e3 / requests.len() as f64),
    ])
}

/// Takes questions in turn and asks each at its time; returns the times in milliseconds.
async fn turns(
    address: SocketAddr,
    pace: Arc<Pace>,
    requests: Arc<Vec<Vec<u8>>>,
) -> anyhow::Result<Vec<f64>> {
    let mut connection = Connection::open(address).await?;
    let mut times = Vec::new();
    while let Some((turn, due)) = pace.turn().await {
        let reply = connection.exchange(&requests[turn]).await?;
        ensure!(reply.status == 200, "the server answered {}", reply.status);
        times.push(due.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}

/// Looks for a text that no event of the busiest tenant has: every event is looked at.
async fn scan(server: &Server) -> anyhow::Result<Figure> {
    let mut facts = asked(1, SEED).swap_remove(0);
    facts.tenant = "tenant-0000".into();
    let key = &server.credentials.read_key;
    let mut connection = Connection::open(server.address).await?;
    let events = counted(connection.exchange(&request(&HISTOGRAM, &facts, key)).await?.body)?;
    let request = request(&NOWHERE, &facts, key);
    let before = server.processor_time()?;
    check(&NOWHERE, connection.exchange(&request).await?.body, &facts)?;
    let busy = (server.processor_time()? - before).max(PROCESSOR_TICK);
    let rate = events as f64 / busy.as_secs_f64();
    Ok(Figure::new("query.text_scan", rate, "events/s of one core"))
}

fn request(kind: &Kind, facts: &Facts, key: &str) -> Vec<u8> {
    format!(
        "GET {}?tenant={}{} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\r\n",
        kind.path,
        encode(&facts.tenant),
        (kind.rest)(facts)
    )
    .into_bytes()
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Seen>,
}

#[derive(Deserialize)]
struct Seen {
    tenant: String,
    seq: u64,
    actor: Named,
    #[serde(default)]
    targets: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// Checks that an answer holds something, and only what was asked for, newest first.
fn check(kind: &Kind, body: &[u8], facts: &Facts) -> anyhow::Result<()> {
    if kind.path == COUNTS {
        ensure!(counted(body)? > 0, "the histogram counts nothing");
        return Ok(());
    }
    let page: Page = serde_json::from_slice(body).context("the page is not JSON")?;
    ensure!(page.data.len() <= PAGE, "the page has {} events", page.data.len());
    let fits = |event: &Seen| event.tenant == facts.tenant && (kind.fits)(event, facts);
    ensure!(page.data.iter().all(fits), "the page holds a foreign event");
    ensure!(kind.name == NOWHERE.name || !page.data.is_empty(), "what is in the log was not found");
    let newest_first = page.data.iter().map(|event| std::cmp::Reverse(event.seq)).is_sorted();
    ensure!(newest_first, "the page is not newest first");
    Ok(())
}

/// Returns how many events a histogram counts.
fn counted(body: &[u8]) -> anyhow::Result<u64> {
    #[derive(Deserialize)]
    struct Histogram {
        events: u64,
    }
    let histogram: Histogram =
        serde_json::from_slice(body).context("the histogram is not as expected")?;
    Ok(histogram.events)
}

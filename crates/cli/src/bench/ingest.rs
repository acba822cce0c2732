//! The phases against our own server: batches, filling up, the newest events of an actor, single events.
//!
//! Each connection is a task with prepared requests of its own; a phase ends at a time or at a number of events,
//! and its figure counts only what the server acknowledged with 201.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use tokio::task::JoinSet;

use super::{
    figure::percentile,
    load::{Dice, Facts, Prepared},
    wire::Connection,
};
use crate::client::encode;

/// Events in one batch: the API's limit.
pub(crate) const BATCH_EVENTS: usize = 1_000;

/// Prepared batches per connection: enough to vary, few enough to stay beside the server in memory
/// (8 connections × 8 × 650 KB = 42 MB).
const BATCHES_PER_CONNECTION: usize = 8;

/// How often a server is asked whether it still merges, and how often it must say no: between a seal and its merge it
/// may say so too early.
const SETTLE_POLL: Duration = Duration::from_millis(500);
const QUIET_POLLS: u32 = 4;

const TIMES_DIGITS: u8 = 3;

/// A phase's size: it ends at whichever comes first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// No request is started after this time.
    pub(crate) time: Duration,
    /// No request is started once this many events were taken on.
    pub(crate) events: u64,
}

/// What a phase of load reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    /// Acknowledged events.
    pub(crate) events: u64,
    /// From the first request to the last reply.
    pub(crate) elapsed: Duration,
}

impl Reached {
    /// Returns acknowledged events per second.
    pub(crate) fn per_second(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }
}

/// Times of requests in microseconds, three digits exact. Every connection sends its next request when the last one is
/// answered, so these are times at full load, where a queue is always full.
pub(crate) type Times = Histogram<u64>;

fn times() -> Times {
    Histogram::new(TIMES_DIGITS).expect("as many digits as the library keeps")
}

/// What a phase sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Connections, each with one request at a time.
    pub(crate) connections: usize,
    /// Events in a request.
    pub(crate) batch: usize,
    /// When it ends.
    pub(crate) span: Span,
    /// Decides the events; connections count on from it.
    pub(crate) seed: u64,
}

/// Sends events; returns what was acknowledged and the time of every request.
pub(crate) async fn load(
    address: SocketAddr,
    key: &str,
    load: Load,
    progress: &ProgressBar,
) -> anyhow::Result<(Reached, Times)> {
    let Load { connections, batch, span, seed } = load;
    let prepared = if batch == 1 { 1 } else { BATCHES_PER_CONNECTION };
    let mut senders = Vec::with_capacity(connections);
    for number in 0..connections {
        let mut dice = Dice::new(seed.wrapping_add(number as u64));
        let requests = (0..prepared).map(|_| Prepared::new(batch, key, &mut dice)).collect();
        let connection =
            Connection::open(address).await.context("cannot connect to the server under test")?;
        senders.push(Sender { connection, requests, dice });
    }
    let taken = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut running = JoinSet::new();
    for sender in senders {
        running.spawn(sender.run(span, started, Arc::clone(&taken), progress.clone()));
    }
    let (mut events, mut all) = (0, times());
    while let Some(ended) = running.join_next().await {
        let (acknowledged, times) = ended.context("a connection's task failed")??;
        events += acknowledged;
        all.add(times).expect("histograms of one kind");
    }
    Ok((Reached { events, elapsed: started.elapsed() }, all))
}

struct Sender {
    connection: Connection,
    requests: Vec<Prepared>,
    dice: Dice,
}

impl Sender {
    async fn run(
        mut self,
        span: Span,
        started: Instant,
        taken: Arc<AtomicU64>,
        progress: ProgressBar,
    ) -> anyhow::Result<(u64, Times)> {
        let (mut acknowledged, mut times, count) = (0, times(), self.requests.len());
        for turn in 0.. {
            let request = &mut self.requests[turn % count];
            let events = request.events() as u64;
            if started.elapsed() >= span.time
                || taken.fetch_add(events, Ordering::Relaxed) >= span.events
            {
                break;
            }
            let request = request.renew(&mut self.dice);
            let sent = Instant::now();
            let reply = self.connection.exchange(request).await?;
            let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
            times.record(micros).context("a time that no histogram holds")?;
            if reply.status != 201 {
                bail!(
                    "the server answered {}: {}",
                    reply.status,
                    String::from_utf8_lossy(&reply.body[..reply.body.len().min(500)])
                );
            }
            acknowledged += events;
            progress.inc(events);
        }
        Ok((acknowledged, times))
    }
}

/// Asks `count` times for the newest 50 events of an actor; returns the sorted times in milliseconds.
///
/// Tenants and actors are drawn as the events were, so busy ones are asked for more often. Each answer is checked:
/// every event belongs to that tenant and actor, newest first.
pub(crate) async fn newest_by_actor(
    address: SocketAddr,
    key: &str,
    count: usize,
    seed: u64,
) -> anyhow::Result<Vec<f64>> {
    let mut connection = Connection::open(address).await?;
    let mut times = Vec::with_capacity(count);
    for facts in asked(count, seed) {
        let filter = encode(&format!("actor.id=\"{}\"", facts.actor));
        let request = format!(
            "GET /v1/events?tenant={}&filter={filter}&limit=50 HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\r\n",
            encode(&facts.tenant)
        );
        let started = Instant::now();
        let reply = connection.exchange(request.as_bytes()).await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        ensure!(
            reply.status == 200,
            "the server answered {}: {}",
            reply.status,
            String::from_utf8_lossy(reply.body)
        );
        check_page(reply.body, &facts)?;
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Asks the server's metrics how many bytes a sealed event takes, proofs and indexes included.
pub(crate) async fn sealed_bytes_per_event(address: SocketAddr) -> anyhow::Result<f64> {
    let [bytes, events] =
        gauges(address, ["attestary_store_sealed_bytes", "attestary_store_sealed_events"]).await?;
    Ok(bytes / events.max(1.0))
}

/// Waits until no segments wait to be merged; returns how long that took.
pub(crate) async fn settle(address: SocketAddr) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let (mut quiet, mut last) = (0, started);
    while quiet < QUIET_POLLS {
        tokio::time::sleep(SETTLE_POLL).await;
        let [merging] = gauges(address, ["attestary_store_merging"]).await?;
        quiet = if merging == 0.0 { quiet + 1 } else { 0 };
        if quiet == 0 {
            last = Instant::now();
        }
    }
    Ok(last - started)
}

async fn gauges<const N: usize>(address: SocketAddr, names: [&str; N]) -> anyhow::Result<[f64; N]> {
    let mut connection = Connection::open(address).await?;
    let reply = connection.exchange(b"GET /metrics HTTP/1.1\r\nhost: bench\r\n\r\n").await?;
    let text = str::from_utf8(reply.body).context("the metrics are not text")?;
    let mut values = [0.0; N];
    for (value, name) in values.iter_mut().zip(names) {
        *value = gauge(text, name).with_context(|| format!("no metric {name}"))?;
    }
    Ok(values)
}

fn gauge(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Returns whom the queries ask for.
pub(crate) fn asked(count: usize, seed: u64) -> Vec<Facts> {
    let mut dice = Dice::new(seed);
    Prepared::new(count.max(2), "", &mut dice).facts
}

fn check_page(body: &[u8], facts: &Facts) -> anyhow::Result<()> {
    #[derive(serde::Deserialize)]
    struct Page {
        data: Vec<Seen>,
    }
    #[derive(serde::Deserialize)]
    struct Seen {
        tenant: String,
        seq: u64,
        actor: Actor,
    }
    #[derive(serde::Deserialize)]
    struct Actor {
        id: String,
    }
    let page: Page = serde_json::from_slice(body).context("the page is not JSON")?;
    ensure!(page.data.len() <= 50, "the page has {} events", page.data.len());
    ensure!(
        page.data.iter().all(|event| event.tenant == facts.tenant && event.actor.id == facts.actor),
        "the page holds a foreign event"
    );
    ensure!(
        page.data.iter().map(|event| std::cmp::Reverse(event.seq)).is_sorted(),
        "the page is not newest first"
    );
    Ok(())
}

/// Returns the share of a page's times, median and 99th percentile.
pub(crate) fn median_and_tail(sorted: &[f64]) -> (f64, f64) {
    (percentile(sorted, 0.5), percentile(sorted, 0.99))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts { tenant: "t".into(), actor: "a".into(), action: "x", target: "d".into() }
    }

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        let error = check_page(body.as_bytes(), &facts()).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), expected);
    }

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let text = "# HELP a b\na_bytes 7\na 12.5\n";
        assert_eq!((gauge(text, "a"), gauge(text, "b")), (Some(12.5), None));
    }

    #[test]
    fn wrong_pages_are_noticed() {
        let event = |tenant: &str, seq: u64, actor: &str| {
            format!(r#"{{"tenant":"{tenant}","seq":{seq},"actor":{{"id":"{actor}"}}}}"#)
        };
        check(&format!(r#"{{"data":[{},{}]}}"#, event("t", 2, "a"), event("t", 1, "a")), None);
        check(r#"{"data":[]}"#, None);
        check(
            &format!(r#"{{"data":[{}]}}"#, event("u", 2, "a")),
            Some("the page holds a foreign event"),
        );
        check(
            &format!(r#"{{"data":[{}]}}"#, event("t", 2, "b")),
            Some("the page holds a foreign event"),
        );
        check(
            &format!(r#"{{"data":[{},{}]}}"#, event("t", 1, "a"), event("t", 2, "a")),
            Some("the page is not newest first"),
        );
        check("{", Some("the page is not JSON"));
    }
}

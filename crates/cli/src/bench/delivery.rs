//! `attestary bench delivery`: how fast events reach receivers, what waiting destinations cost, and what a record costs.
//!
//! Server, submitters and receivers share the machine's cores. Receivers read a request and answer it at once; what
//! they count is what they read. Latency is the time from the answer that acknowledged an event to the arrival of the
//! request that carries it; both are seen by this process.

mod receiver;

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use attestary_event::{
    EnvironmentId, Event, EventId, TenantId, Timestamp, View, actions::KnownActions,
};
use attestary_formats::Format;
use clap::Args;
use serde_json::{Value, json};

use self::receiver::{Arrivals, Receiver};
use super::{
    Scratch,
    child::Server,
    figure::Figure,
    ingest::median_and_tail,
    load::{Dice, Prepared},
    wire::Connection,
};
use crate::progress;

/// Options of `bench delivery`.
#[derive(Debug, Args)]
pub(crate) struct Delivery {
    /// Events that are caught up with
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: u64,
    /// Events per second while latency is measured
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    rate: u64,
    /// Length of the latency phases in seconds
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u64,
    /// Rounds of the latency phases, alone and beside neighbours in turn
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u64,
    /// Destinations that are sent to at the same time
    #[arg(long, value_name = "N", default_value_t = 100)]
    fleet: u64,
    /// Destinations that wait
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    idle: u64,
    /// Print one line of JSON per figure
    #[arg(long)]
    pub(crate) json: bool,
}

/// Events of one request while latency is measured.
const SMALL_BATCH: u64 = 25;
const SEED: u64 = 20_261_122;

/// Measures everything, each on a fresh server.
pub(crate) async fn measure(options: &Delivery) -> anyhow::Result<Vec<Figure>> {
    let mut figures = encoding()?;
    let scratch = std::env::temp_dir().join(format!("attestary-bench-{}", std::process::id()));
    let scratch = Scratch::new(scratch)?;
    let fresh = |name: &str| scratch.0.join(name);
    figures.extend(
        neighbours(options, &Server::start(&fresh("live")).await?).await.context("latency")?,
    );
    figures.extend(
        catch_up(options, &Server::start(&fresh("caught")).await?).await.context("catching up")?,
    );
    figures.extend(fleet(options, &Server::start(&fresh("fleet")).await?).await.context("fleet")?);
    figures.extend(waiting(options, &Server::start(&fresh("idle")).await?).await.context("idle")?);
    Ok(figures)
}

/// Records per second of one core, without batches and sockets.
fn encoding() -> anyhow::Result<Vec<Figure>> {
    let events = stored_events()?;
    let actions = KnownActions::builtin();
    let names = [
        ("encode.cef", r#"{"type":"cef"}"#),
        ("encode.ocsf", r#"{"type":"ocsf"}"#),
        ("encode.json", r#"{"type":"json"}"#),
    ];
    let mut figures = Vec::new();
    for (name, format) in names {
        let format: Format = serde_json::from_str(format)?;
        // Time on the processor: what else the machine does would count as ours.
        let (mut out, mut count, begun) = (Vec::new(), 0_u64, processor_time()?);
        while processor_time()? - begun < Duration::from_secs(2) {
            for event in &events {
                let fields = event.fields();
                out.clear();
                format.encode(&View { event, fields: &fields }, actions, &mut out);
                black_box(&out);
            }
            count += events.len() as u64;
        }
        figures.push(Figure::new(
            name,
            count as f64 / (processor_time()? - begun).as_secs_f64(),
            "events/s",
        ));
    }
    Ok(figures)
}

/// Returns how long this thread has been on a processor.
fn processor_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split(' ').next().context("no time on the processor")?;
    Ok(Duration::from_nanos(first.parse()?))
}

/// The benchmark's events as they are stored.
fn stored_events() -> anyhow::Result<Vec<Event>> {
    let mut dice = Dice::new(SEED);
    let prepared = Prepared::new(1_000, "k", &mut dice);
    let mut events = Vec::new();
    for (index, (_, text, facts)) in prepared.each().enumerate() {
        let mut value: Value = serde_json::from_str(text)?;
        let object = value.as_object_mut().context("an event is an object")?;
        object.retain(|name, _| name != "id" && name != "tenant");
        object.insert("category".to_owned(), "access".into());
        object.insert("severity".to_owned(), 3.into());
        events.push(Event {
            id: EventId::v7(1_790_000_000_000, [index as u8; 10]),
            tenant: TenantId::restored(&facts.tenant),
            environment: EnvironmentId::restored("production"),
            seq: index as u64,
            received_at: Timestamp(1_790_000_000_000),
            flags: 0,
            leaf_hash: [7; 32],
            body: value.to_string().into_bytes().into(),
        });
    }
    Ok(events)
}

/// Latency of a destination alone, and beside one that hangs, one that refuses and one that is slow.
///
/// Rounds alone and beside the three take turns, so that what else the machine does meets both. The pairs of rounds
/// give the ratios of which the median is shown; the spread of the rounds alone says what a ratio may be by chance.
async fn neighbours(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
    let api = Api::new(server);
    let healthy = Receiver::start(Duration::ZERO, 204).await?;
    api.tenant("live").await?;
    api.destination("live", "webhook", healthy.url(), json!({})).await?;
    let hanging = Receiver::start(Duration::from_hours(1), 204).await?;
    let slow = Receiver::start(Duration::from_secs(1), 204).await?;
    let refusing = Receiver::start(Duration::ZERO, 503).await?;
    let mut others = Vec::new();
    for other in [&hanging, &slow, &refusing] {
        others.push(api.destination("live", "webhook", other.url(), json!({})).await?);
    }
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..=options.rounds {
        api.set("live", &others, "pause").await?;
        let first = live(options, server, &healthy, "alone").await?;
        api.set("live", &others, "resume").await?;
        let second = live(options, server, &healthy, "beside three").await?;
        // The first round warms everything up.
        if round > 0 {
            alone.push(first);
            beside.push(second);
        }
    }
    ensure!(
        slow.requests() > 0 && refusing.requests() > 0 && hanging.requests() > 0,
        "a neighbour was not asked"
    );
    let of =
        |rounds: &[Latency], pick: fn(&Latency) -> f64| median(rounds.iter().map(pick).collect());
    let ratio = |pick: fn(&Latency) -> f64| {
        median(
            beside.iter().zip(&alone).map(|(beside, alone)| pick(beside) / pick(alone)).collect(),
        )
    };
    // What the same comparison gives where there is no difference: one round alone against the next.
    let chance =
        median(alone.windows(2).map(|two| (two[1].p50 / two[0].p50 - 1.0).abs()).collect());
    Ok(vec![
        Figure::new("live.alone.p50", of(&alone, |l| l.p50), "ms"),
        Figure::new("live.alone.p99", of(&alone, |l| l.p99), "ms"),
        Figure::new("live.beside_three.p50", of(&beside, |l| l.p50), "ms"),
        Figure::new("live.beside_three.p99", of(&beside, |l| l.p99), "ms"),
        Figure::new("live.beside_to_alone.p50", ratio(|l| l.p50), "times"),
        Figure::new("live.beside_to_alone.p99", ratio(|l| l.p99), "times"),
        Figure::new("live.alone_to_alone.spread", chance, "share"),
    ])
}

/// Latencies of one round in milliseconds.
struct Latency {
    p50: f64,
    p99: f64,
}

/// Returns the middle of some figures; 0 of none.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

async fn live(
    options: &Delivery,
    server: &Server,
    receiver: &Receiver,
    name: &'static str,
) -> anyhow::Result<Latency> {
    let bar = progress::counter(name);
    receiver.forget();
    let batches = options.rate * options.seconds / SMALL_BATCH;
    let pace = Duration::from_secs(options.seconds) / batches as u32;
    // Four connections: one alone would wait for its own acknowledgement.
    let begun = Instant::now();
    let senders = (0..4_u64).map(|lane| {
        let (address, key) = (server.address, server.credentials.ingest_key.clone());
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut acknowledged = Vec::new();
            for number in (lane..batches).step_by(4) {
                let due = begun + pace * number as u32;
                tokio::time::sleep_until(due.into()).await;
                let events: Vec<Value> = (0..SMALL_BATCH).map(|_| event("live")).collect();
                let request = post("/v1/events", &key, &Value::Array(events));
                let reply = connection.exchange(&request).await?;
                let at = Instant::now();
                ensure!(reply.status == 201, "the server answered {}", reply.status);
                let receipts: Value = serde_json::from_slice(reply.body)?;
                for receipt in
                    receipts["data"].as_array().or(receipts.as_array()).context("receipts")?
                {
                    acknowledged
                        .push((receipt["seq"].as_u64().context("a receipt has a seq")?, at));
                }
            }
            anyhow::Ok(acknowledged)
        })
    });
    let mut acknowledged = Vec::new();
    for sender in senders.collect::<Vec<_>>() {
        acknowledged.extend(sender.await??);
    }
    let last = acknowledged.iter().map(|(seq, _)| *seq).max().context("nothing was sent")?;
    receiver.wait_for(last).await?;
    let arrivals: Arrivals = receiver.arrivals();
    let mut latencies: Vec<f64> = Vec::with_capacity(acknowledged.len());
    for (seq, at) in &acknowledged {
        let arrived = arrivals.of(*seq).with_context(|| format!("seq {seq} did not arrive"))?;
        latencies.push(arrived.saturating_duration_since(*at).as_secs_f64() * 1e3);
    }
    latencies.sort_by(f64::total_cmp);
    bar.finish_and_clear();
    let (p50, p99) = median_and_tail(&latencies);
    Ok(Latency { p50, p99 })
}

/// One destination that begins at the beginning of a long log: first mostly from segments.
async fn catch_up(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
    let api = Api::new(server);
    api.tenant("full").await?;
    let size = fill(server, &["full".to_owned()], options.events).await?;
    let mut figures = Vec::new();
    let kinds: [(&str, &'static str, Value); 2] = [
        ("splunk", "throughput.hec", json!({"events_max": 1_000, "bytes_max": 950_000})),
        ("webhook", "throughput.webhook", json!({"events_max": 1_000, "bytes_max": 1_000_000})),
    ];
    for (kind, name, batch) in kinds {
        let receiver = Receiver::start(Duration::ZERO, 200).await?;
        let begun = Instant::now();
        let made = api.destination_from("full", kind, receiver.url(), batch, "beginning").await?;
        api.caught_up("full", &made, size).await?;
        figures.push(Figure::new(name, size as f64 / begun.elapsed().as_secs_f64(), "events/s"));
    }
    Ok(figures)
}

/// Many destinations, each of a tenant of its own, that all begin at the beginning.
async fn fleet(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
    let api = Api::new(server);
    let tenants: Vec<String> =
        (0..options.fleet).map(|number| format!("fleet-{number:04}")).collect();
    let size = fill(server, &tenants, options.events).await?;
    let receiver = Receiver::start(Duration::ZERO, 200).await?;
    let (begun, mut made) = (Instant::now(), Vec::new());
    for tenant in &tenants {
        let batch = json!({"events_max": 1_000, "bytes_max": 950_000});
        made.push(
            api.destination_from(tenant, "splunk", receiver.url(), batch, "beginning").await?,
        );
    }
    for (tenant, id) in tenants.iter().zip(&made) {
        api.caught_up(tenant, id, size / options.fleet).await?;
    }
    Ok(vec![Figure::new(
        "throughput.fleet",
        size as f64 / begun.elapsed().as_secs_f64(),
        "events/s",
    )])
}

/// What destinations cost that have nothing to do.
async fn waiting(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
    let api = Api::new(server);
    let receiver = Receiver::start(Duration::ZERO, 200).await?;
    let per_tenant = 20;
    for number in 0..options.idle.div_ceil(per_tenant) {
        api.tenant(&format!("idle-{number:05}")).await?;
    }
    let before = server.resident_bytes()?;
    let bar = progress::bar("idle destinations", options.idle);
    for number in 0..options.idle {
        let tenant = format!("idle-{:05}", number / per_tenant);
        api.destination(&tenant, "webhook", receiver.url(), json!({})).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (after, ticks) = (server.resident_bytes()?, server.processor_ticks()?);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let busy = (server.processor_ticks()? - ticks) as f64 / 5.0;
    Ok(vec![
        Figure::new("idle.memory", after.saturating_sub(before) as f64 / 1e6, "MB"),
        // A tick of the kernel's is a hundredth of a second, so this is the share of one core in per cent.
        Figure::new("idle.processor", busy, "%"),
    ])
}

fn event(tenant: &str) -> Value {
    json!({"tenant": tenant, "action": "document.read", "actor": {"type": "user", "id": "u1"}, "outcome": "success"})
}

/// Submits events of the usual size, the same number to each tenant; returns how many that are altogether.
async fn fill(server: &Server, tenants: &[String], events: u64) -> anyhow::Result<u64> {
    let batches = (events / tenants.len() as u64).div_ceil(1_000).max(1);
    let total = batches * 1_000 * tenants.len() as u64;
    let bar = progress::bar("filling up", total);
    let mut dice = Dice::new(SEED);
    let prepared = Prepared::new(1_000, "k", &mut dice);
    let mut connection = Connection::open(server.address).await?;
    for tenant in tenants {
        let mut batch = Vec::with_capacity(1_000);
        for (_, text, _) in prepared.each() {
            let mut value: Value = serde_json::from_str(text)?;
            value["tenant"] = tenant.as_str().into();
            // Without ids of its own a batch can be sent again: the server makes new ones.
            value.as_object_mut().context("an event is an object")?.remove("id");
            batch.push(value);
        }
        let request = post("/v1/events", &server.credentials.ingest_key, &Value::Array(batch));
        for _ in 0..batches {
            let reply = connection.exchange(&request).await?;
            ensure!(reply.status == 201, "the server answered {}", reply.status);
            bar.inc(1_000);
        }
    }
    bar.finish_and_clear();
    Ok(total)
}

fn post(path: &str, key: &str, body: &Value) -> Vec<u8> {
    request("POST", path, key, &body.to_string())
}

fn request(method: &str, path: &str, key: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// The calls that the benchmark makes as an administrator.
struct Api {
    address: std::net::SocketAddr,
    key: String,
    connection: Arc<tokio::sync::Mutex<Option<Connection>>>,
}

impl Api {
    fn new(server: &Server) -> Self {
        let key = server.credentials.admin_key.clone();
        Self { address: server.address, key, connection: Arc::default() }
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, Value)> {
        let mut kept = self.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let reply = connection.exchange(&request(method, path, &self.key, body)).await?;
        let answer = (reply.status, serde_json::from_slice(reply.body).unwrap_or_default());
        *kept = Some(connection);
        Ok(answer)
    }

    async fn tenant(&self, id: &str) -> anyhow::Result<()> {
        let (status, answer) =
            self.call("POST", "/v1/tenants", &json!({"id": id}).to_string()).await?;
        ensure!(status == 201, "making a tenant: {status} {answer}");
        Ok(())
    }

    async fn destination(
        &self,
        tenant: &str,
        kind: &str,
        url: String,
        batch: Value,
    ) -> anyhow::Result<String> {
        self.destination_from(tenant, kind, url, batch, "now").await
    }

    async fn destination_from(
        &self,
        tenant: &str,
        kind: &str,
        url: String,
        batch: Value,
        start: &str,
    ) -> anyhow::Result<String> {
        let config = match kind {
            "splunk" => json!({"url": url, "token": "bench", "acknowledgement": "off"}),
            _ => json!({"url": url}),
        };
        let body = json!({"name": "bench", "type": kind, "start": start, "config": config, "batch": batch});
        let path = format!("/v1/tenants/{tenant}/destinations");
        let (status, answer) = self.call("POST", &path, &body.to_string()).await?;
        ensure!(status == 201, "making a destination: {status} {answer}");
        Ok(answer["id"].as_str().context("a destination has an id")?.to_owned())
    }

    /// Pauses or resumes destinations.
    async fn set(&self, tenant: &str, ids: &[String], what: &str) -> anyhow::Result<()> {
        for id in ids {
            let path = format!("/v1/tenants/{tenant}/destinations/{id}/{what}");
            let (status, answer) = self.call("POST", &path, "").await?;
            ensure!(status == 200, "to {what} a destination: {status} {answer}");
        }
        Ok(())
    }

    /// Waits until the cursor of a destination has reached a seq.
    async fn caught_up(&self, tenant: &str, id: &str, size: u64) -> anyhow::Result<()> {
        let path = format!("/v1/tenants/{tenant}/destinations/{id}");
        let bar = progress::bar("catching up", size);
        loop {
            let (status, answer) = self.call("GET", &path, "").await?;
            ensure!(status == 200, "reading a destination: {status} {answer}");
            let cursor = answer["cursor"].as_u64().context("a destination has a cursor")?;
            bar.set_position(cursor);
            if cursor >= size {
                bar.finish_and_clear();
                return Ok(());
            }
            if answer["state"] != "active" {
                bail!("the destination is {}: {}", answer["state"], answer["reason_detail"]);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

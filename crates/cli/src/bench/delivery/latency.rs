//! From acknowledgement to arrival: at a steady rate, and beside neighbours that misbehave.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant as Moment};

use super::super::{
    child::Server, figure::Figure, ingest::median_and_tail, load::Dice, pace::Pace,
    wire::Connection,
};
use super::{
    Delivery, SEED,
    api::{Api, event, post},
    ratio::Ratios,
    receiver::{Arrivals, Receiver},
};
use crate::progress;

/// Connections that submit; one alone would wait for its own acknowledgement.
const SUBMITTERS: usize = 4;

/// A steady stream of submissions.
struct Load {
    /// Events a second.
    rate: u64,
    /// Events of one request.
    batch: u64,
    time: Duration,
}

/// Latencies of one round in milliseconds.
struct Latency {
    p50: f64,
    p99: f64,
}

/// One of a round's figures.
type Pick = fn(&Latency) -> f64;

/// Latency at the rate of the aims.
pub(super) async fn live(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
    let api = Api::new(server);
    let receiver = Receiver::start(Duration::ZERO, 204).await?;
    api.tenant("live").await?;
    api.destination("live", "webhook", receiver.url(), json!({})).await?;
    let load = |seconds| Load { rate: options.rate, batch: 25, time: Duration::from_secs(seconds) };
    // The first seconds warm everything up.
    round(&load(2), server, &receiver, "warming up").await?;
    let Latency { p50, p99 } = round(&load(options.seconds), server, &receiver, "live").await?;
    Ok(vec![Figure::new("live.p50", p50, "ms"), Figure::new("live.p99", p99, "ms")])
}

/// Latency of a destination alone, and beside one that hangs, one that refuses and one that is slow.
///
/// Short rounds alone and beside the three make pairs, in an order that is drawn, so that what else the machine does
/// meets both. The pairs' ratios give the median that is shown with its interval; rounds alone against the next
/// round alone say what a ratio may be by chance.
pub(super) async fn isolation(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
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
    api.set("live", &others, "pause").await?;
    let load = Load { rate: options.isolation_rate, batch: 5, time: options.round() };
    round(&load, server, &healthy, "warming up").await?;
    let (mut dice, mut alone, mut beside) = (Dice::new(SEED), Vec::new(), Vec::new());
    for _ in 0..options.pairs {
        let first = dice.below(2);
        for turn in [first, 1 - first] {
            if turn == 0 {
                alone.push(round(&load, server, &healthy, "alone").await?);
                continue;
            }
            api.set("live", &others, "resume").await?;
            beside.push(round(&load, server, &healthy, "beside three").await?);
            api.set("live", &others, "pause").await?;
        }
    }
    ensure!(
        slow.requests() > 0 && refusing.requests() > 0 && hanging.requests() > 0,
        "a neighbour was not asked"
    );
    let mut figures = Vec::new();
    let picks: [(&str, Pick); 2] = [("p50", |round| round.p50), ("p99", |round| round.p99)];
    for (name, pick) in picks {
        let of = |rounds: &[Latency]| rounds.iter().map(pick).collect::<Vec<_>>();
        let (alone, beside) = (of(&alone), of(&beside));
        let chance = Ratios::new(alone.windows(2).map(|two| (two[1], two[0])));
        let ratios = Ratios::new(beside.iter().copied().zip(alone.iter().copied()));
        let (low, high) = ratios.interval();
        let mut add = |what: &str, value, unit| {
            figures.push(Figure::new(format!("isolation.{name}.{what}"), value, unit));
        };
        add("alone", super::ratio::median(&alone), "ms");
        add("beside_three", super::ratio::median(&beside), "ms");
        add("ratio", ratios.median(), "times");
        add("ratio.low", low, "times");
        add("ratio.high", high, "times");
        add("chance.low", chance.interval().0, "times");
        add("chance.high", chance.interval().1, "times");
    }
    Ok(figures)
}

async fn round(
    load: &Load,
    server: &Server,
    receiver: &Receiver,
    name: &'static str,
) -> anyhow::Result<Latency> {
    let bar = progress::counter(name);
    receiver.forget();
    let per_second = (load.rate / load.batch).max(1);
    let requests = per_second as f64 * load.time.as_secs_f64();
    let pace = Arc::new(Pace::start(requests as usize, per_second as u32));
    let mut senders = JoinSet::new();
    for _ in 0..SUBMITTERS {
        let (pace, batch) = (pace.clone(), load.batch);
        let (address, key) = (server.address, server.credentials.ingest_key.clone());
        senders.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut acknowledged = Vec::new();
            while pace.turn().await.is_some() {
                let events: Vec<Value> = (0..batch).map(|_| event("live")).collect();
                let request = post("/v1/events", &key, &Value::Array(events));
                let reply = connection.exchange(&request).await?;
                let at = Moment::now();
                ensure!(reply.status == 201, "the server answered {}", reply.status);
                let receipts: Value = serde_json::from_slice(reply.body)?;
                let receipts =
                    receipts["data"].as_array().or(receipts.as_array()).context("receipts")?;
                for receipt in receipts {
                    let seq = receipt["seq"].as_u64().context("a receipt has a seq")?;
                    acknowledged.push((seq, at));
                }
            }
            anyhow::Ok(acknowledged)
        });
    }
    let mut acknowledged = Vec::new();
    while let Some(sender) = senders.join_next().await {
        acknowledged.extend(sender??);
    }
    let last = acknowledged.iter().map(|(seq, _)| *seq).max().context("nothing was sent")?;
    receiver.wait_for(last).await?;
    let arrivals: Arrivals = receiver.arrivals();
    let mut latencies: Vec<f64> = Vec::with_capacity(acknowledged.len());
    for (seq, at) in &acknowledged {
        let arrived = arrivals.of(*seq).with_context(|| format!("seq {seq} did not arrive"))?;
        let latency = arrived.saturating_duration_since((*at).into_std());
        latencies.push(latency.as_secs_f64() * 1e3);
    }
    latencies.sort_by(f64::total_cmp);
    bar.finish_and_clear();
    let (p50, p99) = median_and_tail(&latencies);
    Ok(Latency { p50, p99 })
}

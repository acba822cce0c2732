//! How fast a destination catches up with a long log, alone and beside ninety-nine others; and what waiting ones cost.
//!
//! Each measurement ends after a set time: the rate is that of the events behind the cursors by then.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::super::{child::Server, figure::Figure};
use super::{
    Delivery,
    api::{Api, fill},
    receiver::Receiver,
};
use crate::progress;

/// How long one destination, or the fleet, may catch up.
const CATCH_UP_MAX: Duration = Duration::from_secs(20);
/// How long destinations without events are watched.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// One destination that begins at the beginning of a long log: first mostly from segments.
pub(super) async fn catch_up(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
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
        let until = begun + CATCH_UP_MAX;
        let made = api.destination_from("full", kind, receiver.url(), batch, "beginning").await?;
        let cursor = api.caught_up("full", &made, size, until).await?;
        figures.push(rate(name, cursor, begun));
        api.set("full", &[made], "pause").await?;
    }
    Ok(figures)
}

/// Many destinations, each of a tenant of its own, that all begin at the beginning.
pub(super) async fn fleet(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
    let api = Api::new(server);
    let tenants: Vec<String> =
        (0..options.fleet).map(|number| format!("fleet-{number:04}")).collect();
    let size = fill(server, &tenants, options.events).await?;
    let receiver = Receiver::start(Duration::ZERO, 200).await?;
    let mut made = Vec::new();
    for tenant in &tenants {
        let batch = json!({"events_max": 1_000, "bytes_max": 950_000});
        let id = api.destination_from(tenant, "splunk", receiver.url(), batch, "beginning").await?;
        made.push(id);
        // Making a hundred destinations is not what is measured: each begins when it is resumed.
        api.set(tenant, &made[made.len() - 1..], "pause").await?;
    }
    let mut before = 0;
    for (tenant, id) in tenants.iter().zip(&made) {
        before += api.caught_up(tenant, id, 0, Instant::now()).await?;
    }
    let begun = Instant::now();
    for (tenant, id) in tenants.iter().zip(&made) {
        api.set(tenant, std::slice::from_ref(id), "resume").await?;
    }
    let until = begun + CATCH_UP_MAX;
    let mut done = 0;
    for (tenant, id) in tenants.iter().zip(&made) {
        done += api.caught_up(tenant, id, size / options.fleet, until).await?;
    }
    Ok(vec![rate("throughput.fleet", done.saturating_sub(before), begun)])
}

fn rate(name: &'static str, events: u64, begun: Instant) -> Figure {
    Figure::new(name, events as f64 / begun.elapsed().as_secs_f64(), "events/s")
}

/// What destinations cost that have nothing to do.
pub(super) async fn waiting(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
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
    let (after, before_idling) = (server.resident_bytes()?, server.processor_time()?);
    tokio::time::sleep(IDLE_TIME).await;
    let busy = (server.processor_time()? - before_idling).as_secs_f64() / IDLE_TIME.as_secs_f64();
    ensure!(receiver.requests() == 0, "a destination that waits has sent");
    Ok(vec![
        Figure::new("idle.memory", after.saturating_sub(before) as f64 / 1e6, "MB"),
        Figure::new("idle.processor", busy * 100.0, "% of one core"),
    ])
}

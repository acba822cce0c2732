//! What dead destinations cost ingest: the rate with fifty of them beside the rate without, in pairs of short rounds.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::super::{
    UNBOUNDED_EVENTS,
    child::Server,
    figure::Figure,
    ingest::{self, BATCH_EVENTS, Load, Span},
    load::Dice,
};
use super::{
    Delivery, SEED,
    api::Api,
    ratio::{Ratios, median},
    receiver::Receiver,
};
use crate::progress;

/// Connections that submit batches.
const SUBMITTERS: usize = 8;
/// Of how many tenants the dead destinations are; they are those that most of the events belong to.
const TENANTS: u64 = 10;

/// A third of the destinations hangs, a third answers 503, behind the others nobody listens.
pub(super) async fn dead(options: &Delivery, server: &Server) -> anyhow::Result<Vec<Figure>> {
    let api = Api::new(server);
    let hanging = Receiver::start(Duration::from_hours(1), 204).await?;
    let refusing = Receiver::start(Duration::ZERO, 503).await?;
    let gone = Receiver::start(Duration::ZERO, 204).await?.url();
    ingest(options, server, SEED).await?;
    let mut made = Vec::new();
    for number in 0..options.dead {
        let tenant = format!("tenant-{:04}", number % TENANTS);
        let url = [hanging.url(), refusing.url(), gone.clone()][number as usize % 3].clone();
        made.push((tenant.clone(), api.destination(&tenant, "webhook", url, json!({})).await?));
    }
    let set = async |what: &str| {
        for (tenant, id) in &made {
            api.set(tenant, std::slice::from_ref(id), what).await?;
        }
        anyhow::Ok(())
    };
    set("pause").await?;
    let (mut dice, mut without, mut with) = (Dice::new(SEED), Vec::new(), Vec::new());
    for pair in 0..options.pairs {
        let first = dice.below(2);
        for turn in [first, 1 - first] {
            // Connections count on from the seed: no event is sent again.
            let seed = SEED + 1_000 * (2 * pair + turn + 1);
            if turn == 0 {
                without.push(ingest(options, server, seed).await?);
                continue;
            }
            set("resume").await?;
            with.push(ingest(options, server, seed).await?);
            set("pause").await?;
        }
    }
    ensure!(
        hanging.requests() > 0 && refusing.requests() > 0,
        "the dead destinations were not asked"
    );
    let ratios = Ratios::new(with.iter().copied().zip(without.iter().copied()));
    let chance = Ratios::new(without.windows(2).map(|two| (two[1], two[0])));
    let (low, high) = ratios.interval();
    Ok(vec![
        Figure::new("dead.ingest", median(&with), "events/s").beside("none", median(&without)),
        Figure::new("dead.ratio", ratios.median(), "times"),
        Figure::new("dead.ratio.low", low, "times"),
        Figure::new("dead.ratio.high", high, "times"),
        Figure::new("dead.chance.low", chance.interval().0, "times"),
        Figure::new("dead.chance.high", chance.interval().1, "times"),
    ])
}

/// Submits batches for one round; returns events a second.
async fn ingest(options: &Delivery, server: &Server, seed: u64) -> anyhow::Result<f64> {
    let bar = progress::counter("ingest");
    let span = Span { time: options.round(), events: UNBOUNDED_EVENTS };
    let key = &server.credentials.ingest_key;
    let load = Load { connections: SUBMITTERS, batch: BATCH_EVENTS, span, seed };
    let (reached, _) = ingest::load(server.address, key, load, &bar).await?;
    bar.finish_and_clear();
    Ok(reached.per_second())
}

//! `bench tenants`: what tenants cost that wait: memory of the server, and time of its start.
//!
//! The engine takes one event of each tenant in this process, without the quota that HTTP puts on new tenants; then a server
//! starts on the directory. A server on an empty directory is what both are compared with.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use attestary_event::{EnvironmentId, EventId, Fields, TenantId, event::hex};
use attestary_store::{
    Outcome, Settings, Store, SystemClock, SystemRng,
    record::{Parts, Prepared},
};
use clap::Args;
use indicatif::ProgressBar;

use super::{
    Scratch, UNBOUNDED_TIME,
    child::Server,
    figure::Figure,
    ingest::{BATCH_EVENTS, Span},
    load::Dice,
    phase,
    wire::Connection,
};

const SEED: u64 = 20_261_126;
const BODY: &str = r#"{"action":"user.login","actor":{"id":"u_1","type":"user"},"occurred_at":"2026-11-22T00:00:00.000Z"}"#;
/// Tenants that are asked for after the start, to see that they are there.
const ASKED: u64 = 20;

/// Options of `bench tenants`.
#[derive(Debug, Args)]
pub(crate) struct Tenants {
    /// Tenants with one event each
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(ASKED..))]
    tenants: u64,
    /// Directory for the temporary data (default: the system's)
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Print one line of JSON per figure
    #[arg(long)]
    pub(crate) json: bool,
}

/// Fills a directory, then starts servers on it and on an empty one.
pub(crate) async fn measure(options: &Tenants) -> anyhow::Result<Vec<Figure>> {
    let scratch = Scratch::new(options.scratch.clone())?;
    let (empty, full) = (scratch.0.join("empty"), scratch.0.join("full"));
    let (_, without, environment) = start(&empty, 0).await?;
    let bar = phase("tenants", Span { time: UNBOUNDED_TIME, events: options.tenants });
    fill(&full, &environment, options.tenants, &bar).await?;
    bar.finish_and_clear();
    let (seconds, with, _) = start(&full, options.tenants).await?;
    let each = with.saturating_sub(without) as f64 / options.tenants as f64;
    Ok(vec![
        Figure::new("tenants.start", seconds, "s"),
        Figure::new("tenants.resident", with as f64 / 1e6, "MB")
            .beside("empty server", without as f64 / 1e6),
        Figure::new("tenants.resident_each", each, "bytes"),
    ])
}

async fn fill(
    directory: &Path,
    environment: &EnvironmentId,
    tenants: u64,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let settings = Settings::new(directory.to_owned());
    let (clock, rng) = (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    let store = tokio::task::spawn_blocking(move || Store::open(settings, clock, rng)).await??;
    for first in (0..tenants).step_by(BATCH_EVENTS) {
        let last = tenants.min(first + BATCH_EVENTS as u64);
        let events: Vec<_> = (first..last).map(|tenant| event(environment, tenant)).collect();
        let outcomes = store.submit(events).await?;
        ensure!(
            outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted(_))),
            "an event was not accepted"
        );
        bar.inc(outcomes.len() as u64);
    }
    store.close().await;
    Ok(())
}

fn event(environment: &EnvironmentId, tenant: u64) -> Prepared {
    Prepared::new(Parts {
        environment: environment.clone(),
        tenant: TenantId::restored(&name(tenant)),
        id: EventId(u128::from(tenant + 1).to_be_bytes()),
        client_id: false,
        service: false,
        seed: [7; 16],
        digest: [0; 16],
        occurred_ms: 1_795_305_600_000,
        severity: 1,
        fields: &Fields::of_stored(BODY.as_bytes()),
        body: BODY.as_bytes(),
    })
}

/// As long as the identifiers that applications give their customers.
fn name(tenant: u64) -> String {
    format!("org_{}", hex(&(u128::from(tenant) * 0x9e37_79b9_7f4a_7c15).to_be_bytes()[4..]))
}

/// Starts a server; returns how long that took, in seconds, the memory it then holds, in bytes, and the environment that
/// its keys belong to.
async fn start(data: &Path, tenants: u64) -> anyhow::Result<(f64, u64, EnvironmentId)> {
    let started = Instant::now();
    let server = Server::start(data).await?;
    let seconds = started.elapsed().as_secs_f64();
    let resident = server.resident_bytes()?;
    let (mut dice, mut connection) = (Dice::new(SEED), Connection::open(server.address).await?);
    for _ in 0..ASKED.min(tenants) {
        let tenant = name(dice.below(tenants));
        let request = format!(
            "GET /v1/events?tenant={tenant}&filter=action%3Auser.login HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\n\r\n",
            server.credentials.read_key
        );
        let reply = connection.exchange(request.as_bytes()).await?;
        let text = str::from_utf8(reply.body).context("the answer is not text")?;
        ensure!(
            reply.status == 200 && text.contains("\"u_1\""),
            "tenant {tenant} was not found: {} {text}",
            reply.status
        );
    }
    let environment = EnvironmentId::restored(&server.credentials.environment);
    server.stop().await;
    Ok((seconds, resident, environment))
}

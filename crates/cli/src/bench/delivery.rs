//! `attestary bench delivery`: how fast events reach receivers, what waiting destinations cost, and what a record costs.
//!
//! Server, submitters and receivers share the machine's cores. Receivers read a request and answer it at once; what
//! they count is what they read. Latency is the time from the answer that acknowledged an event to the arrival of the
//! request that carries it; both are seen by this process. Each part runs on a fresh server and ends within a set time.

mod api;
mod dead;
mod encode;
mod latency;
mod ratio;
mod receiver;
mod throughput;

use std::{path::Path, time::Duration};

use anyhow::{anyhow, ensure};
use clap::{Args, ValueEnum};

use super::{Scratch, child::Server, figure::Figure};

/// Options of `bench delivery`.
#[derive(Debug, Args)]
pub(crate) struct Delivery {
    /// Measure these parts only; may be given several times
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Events that are caught up with
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: u64,
    /// Events per second while latency is measured
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    rate: u64,
    /// Length of the latency phase in seconds
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u64,
    /// Pairs of rounds, with and without neighbours, of `isolation` and `dead`
    #[arg(long, value_name = "N", default_value_t = 15)]
    pairs: u64,
    /// Length of such a round in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1_500)]
    round_ms: u64,
    /// Events per second beside neighbours that misbehave
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    isolation_rate: u64,
    /// Destinations that are sent to at the same time
    #[arg(long, value_name = "N", default_value_t = 100)]
    fleet: u64,
    /// Destinations that are dead
    #[arg(long, value_name = "N", default_value_t = 50)]
    dead: u64,
    /// Destinations that wait
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    idle: u64,
    /// Print one line of JSON per figure
    #[arg(long)]
    json: bool,
}

impl Delivery {
    fn round(&self) -> Duration {
        Duration::from_millis(self.round_ms)
    }
}

/// What can be measured on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Records per second of one core
    Encode,
    /// From acknowledgement to arrival
    Live,
    /// One destination beside three that misbehave
    Isolation,
    /// One destination with a long log before it
    CatchUp,
    /// Many destinations at once
    Fleet,
    /// Ingest beside dead destinations
    Dead,
    /// Destinations that have nothing to do
    Idle,
}

const SEED: u64 = 20_261_122;
/// How long a part may take at the defaults; more rounds, seconds or events may take longer.
const PART_MAX: Duration = Duration::from_mins(3);

/// Measures the parts that were asked for, each on a fresh server, and prints what each found when it ends. One that
/// fails does not keep the others from it.
pub(crate) async fn measure(options: &Delivery) -> anyhow::Result<()> {
    let scratch = Scratch::new(None)?;
    let mut failed = Vec::new();
    for part in Part::value_variants() {
        if !options.only.is_empty() && !options.only.contains(part) {
            continue;
        }
        let directory = scratch.0.join(format!("{part:?}"));
        let limit = options.part_max();
        let measured = tokio::time::timeout(limit, part.measure(options, &directory)).await;
        let measured = measured
            .unwrap_or_else(|_| Err(anyhow!("it did not end within {} s", limit.as_secs())));
        match measured {
            Ok(figures) => super::print(&figures, options.json)?,
            Err(error) => failed.push(format!("part \"{}\": {error:#}", part.name())),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

impl Delivery {
    fn part_max(&self) -> Duration {
        PART_MAX + self.round() * 2 * self.pairs as u32 + Duration::from_secs(self.seconds)
    }
}

impl Part {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    async fn measure(self, options: &Delivery, data: &Path) -> anyhow::Result<Vec<Figure>> {
        if self == Self::Encode {
            return tokio::task::spawn_blocking(encode::encoding).await?;
        }
        let mut server = Server::start(data).await?;
        let measured = match self {
            Self::Encode => Ok(Vec::new()),
            Self::Live => latency::live(options, &server).await,
            Self::Isolation => latency::isolation(options, &server).await,
            Self::CatchUp => throughput::catch_up(options, &server).await,
            Self::Fleet => throughput::fleet(options, &server).await,
            Self::Dead => dead::dead(options, &server).await,
            Self::Idle => throughput::waiting(options, &server).await,
        };
        match (measured, server.ended()) {
            (Err(error), Some(status)) => {
                Err(error.context(format!("the server under test ended: {status}")))
            }
            (measured, _) => measured,
        }
    }
}

//! What stands above a figure on this machine: the disk alone, and HTTP alone.
//!
//! A rate says little by itself on a shared machine. Beside what the same disk and the same HTTP library do in the same
//! run without any of our work, it says how much of the machine is left to us.

use std::{
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::{Router, body::Bytes, http::StatusCode};
use indicatif::ProgressBar;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    ingest::{self, Load, Reached, Span},
    load::EVENT_BYTES,
};

/// Events of one write: what eight connections have on their way at once.
const GROUP_EVENTS: u64 = 8_000;
/// Size of the file that is written again and again, as the journal's files are.
const FILE_BYTES: u64 = 64 << 20;
/// What the echo answers: as long as a receipt.
const RECEIPT: &[u8] = &[b' '; 200];

/// Returns the rate at which events of the load's size reach the disk when nothing else is done with them: groups are
/// written into a file that has its length already, each followed by `fdatasync`.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn journal(directory: &Path, time: Duration) -> anyhow::Result<Reached> {
    let path = directory.join("ceiling");
    let file = std::fs::File::create(&path).context("cannot make the file of the raw journal")?;
    let group: Vec<u8> =
        (0..GROUP_EVENTS as usize * EVENT_BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let places = FILE_BYTES / group.len() as u64;
    for place in 0..places {
        file.write_all_at(&group, place * group.len() as u64)?;
    }
    file.sync_all()?;
    let (started, mut events) = (Instant::now(), 0);
    for turn in 0.. {
        if started.elapsed() >= time {
            break;
        }
        file.write_all_at(&group, turn % places * group.len() as u64)?;
        file.sync_data()?;
        events += GROUP_EVENTS;
    }
    let elapsed = started.elapsed();
    drop(file);
    std::fs::remove_file(path)?;
    Ok(Reached { events, elapsed })
}

/// Returns the rate of single events over `connections` connections when the server is the HTTP library alone: it reads
/// the body and answers 201.
///
/// # Errors
/// When it cannot listen, or answers anything else.
pub(crate) async fn echo(
    connections: usize,
    span: Span,
    seed: u64,
    bar: &ProgressBar,
) -> anyhow::Result<Reached> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("the echo cannot listen")?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(async |_: Bytes| (StatusCode::CREATED, RECEIPT));
    let serving: JoinHandle<_> = tokio::spawn(async { axum::serve(listener, router).await });
    let load = Load { connections, batch: 1, span, seed };
    let loaded = ingest::load(address, "", load, bar).await;
    serving.abort();
    Ok(loaded.context("the echo")?.0)
}

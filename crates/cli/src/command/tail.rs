//! `attestary tail`: events as they are accepted, oldest first, for ever.
//!
//! It follows `/v1/events/tail`. Every frame says up to where the server has looked, so after a break it goes on from
//! there: nothing is missed and nothing is shown twice. A server that does not answer for a while is waited for.

use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::query::row;
use crate::{
    client::{Client, Role, Target},
    exit::{Exit, Failure, code_of},
    frames::{Frame, Frames},
    output, table,
};

/// Pause before the connection is made again.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// The server sends something every two seconds.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Options of `tail`.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Filter; without one, every event
    filter: Option<String>,
    /// Tenant to follow
    #[arg(long, short, value_name = "ID")]
    tenant: Option<String>,
    /// Begin at the start of the log instead of at its end
    #[arg(long)]
    beginning: bool,
    /// Print one event a line, as JSON
    #[arg(long)]
    json: bool,
}

/// Prints events until the process is told to stop.
pub(crate) async fn run(tail: Tail, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Read)?;
    let mut last: Option<String> = None;
    loop {
        let ended = tokio::select! {
            ended = follow(&client, &tail, &mut last) => ended,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match ended {
            Ok(()) => output::talk("the server ended the tail; going on in a moment"),
            Err(error) if is_passing(&error) && last.is_some() => {
                output::talk(format!("{error:#}"));
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY_INTERVAL) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Returns true for failures that end by themselves: the server is away or busy.
fn is_passing(error: &anyhow::Error) -> bool {
    let code = code_of(error);
    code == Exit::Unreachable as u8 || code == Exit::Unavailable as u8
}

/// Follows one connection to its end; `last` is where the next one goes on.
async fn follow(client: &Client, tail: &Tail, last: &mut Option<String>) -> anyhow::Result<()> {
    let mut reply = client.open(request(client, tail, last.as_deref())).await?;
    let mut frames = Frames::default();
    while let Some(piece) = client.piece(&mut reply, SILENCE_MAX).await? {
        for frame in frames.take(&piece)? {
            take(&frame, tail.json)?;
            *last = frame.id.or(last.take());
        }
    }
    Ok(())
}

fn request(client: &Client, tail: &Tail, last: Option<&str>) -> reqwest::RequestBuilder {
    let mut parameters: Vec<(&str, &str)> = Vec::new();
    parameters.extend(tail.tenant.as_deref().map(|tenant| ("tenant", tenant)));
    parameters.extend(tail.filter.as_deref().map(|filter| ("filter", filter)));
    parameters.extend(tail.beginning.then_some(("from_seq", "0")));
    let request = client.request(Method::GET, "/v1/events/tail").query(&parameters);
    match last {
        Some(last) => request.header("last-event-id", last),
        None => request,
    }
}

fn take(frame: &Frame, json: bool) -> anyhow::Result<()> {
    match frame.kind.as_str() {
        "event" if json => output::line(&frame.data),
        "event" => {
            let event: Value = serde_json::from_str(&frame.data)?;
            output::line(row(&event).map(|cell| table::shown(&cell)).join("  "));
        }
        "end" if frame.data.contains("\"log-deleted\"") => {
            return Err(Failure::new(Exit::Refused, "the tenant's log was deleted").into());
        }
        _ => {}
    }
    Ok(())
}

//! `attestary tail`: events as they are accepted, oldest first, for ever.
//!
//! It pulls with an ascending cursor, which stays valid at the end of the log: nothing is missed between two pulls,
//! and nothing is shown twice. A server that does not answer for a while is waited for.

use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::{Page, query::row};
use crate::{
    client::{Client, Role, Target},
    exit::{Exit, code_of},
    output, table,
};

/// Pause between two pulls that found nothing.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Pause after a pull that failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Events pulled at once.
const PAGE_EVENTS: usize = 500;

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
    let after = if tail.beginning { None } else { newest_seq(&client, &tail).await? };
    let filter = starting_after(tail.filter.as_deref(), after);
    let mut cursor: Option<String> = None;
    loop {
        let page = tokio::select! {
            page = pull(&client, &tail, filter.as_deref(), cursor.as_deref()) => page,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let wait = match page {
            Ok(page) => {
                let empty = page.data.is_empty();
                print(&page, tail.json)?;
                cursor = page.next_cursor.or(cursor);
                empty.then_some(POLL_INTERVAL)
            }
            Err(error) if is_passing(&error) && cursor.is_some() => {
                output::talk(format!("{error:#}"));
                Some(RETRY_INTERVAL)
            }
            Err(error) => return Err(error),
        };
        if let Some(wait) = wait {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    }
}

/// Returns true for failures that end by themselves: the server is away or busy.
fn is_passing(error: &anyhow::Error) -> bool {
    let code = code_of(error);
    code == Exit::Unreachable as u8 || code == Exit::Unavailable as u8
}

/// Returns the seq of the newest event, `None` when the log is empty.
async fn newest_seq(client: &Client, tail: &Tail) -> anyhow::Result<Option<u64>> {
    let mut parameters = vec![("limit", "1".to_owned())];
    parameters.extend(tail.tenant.clone().map(|tenant| ("tenant", tenant)));
    let page: Page =
        client.json(client.request(Method::GET, "/v1/events").query(&parameters)).await?;
    let Some(event) = page.data.first() else { return Ok(None) };
    let event: Value = serde_json::from_str(event.get())?;
    Ok(event.get("seq").and_then(Value::as_u64))
}

/// Returns the filter for events after `seq` that match `filter` too.
fn starting_after(filter: Option<&str>, seq: Option<u64>) -> Option<String> {
    match (filter, seq) {
        (filter, None) => filter.map(str::to_owned),
        (None, Some(seq)) => Some(format!("seq>{seq}")),
        (Some(filter), Some(seq)) => Some(format!("seq>{seq} ({filter})")),
    }
}

async fn pull(
    client: &Client,
    tail: &Tail,
    filter: Option<&str>,
    cursor: Option<&str>,
) -> anyhow::Result<Page> {
    let mut parameters = vec![("order", "asc".to_owned()), ("limit", PAGE_EVENTS.to_string())];
    parameters.extend(tail.tenant.clone().map(|tenant| ("tenant", tenant)));
    parameters.extend(filter.map(|filter| ("filter", filter.to_owned())));
    parameters.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
    client.json(client.request(Method::GET, "/v1/events").query(&parameters)).await
}

fn print(page: &Page, json: bool) -> anyhow::Result<()> {
    for event in &page.data {
        if json {
            output::line(event.get());
        } else {
            let event: Value = serde_json::from_str(event.get())?;
            output::line(row(&event).map(|cell| table::shown(&cell)).join("  "));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: Option<&str>, seq: Option<u64>, expected: Option<&str>) {
        assert_eq!(starting_after(filter, seq).as_deref(), expected);
    }

    #[test]
    fn the_filter_begins_at_the_end_of_the_log() {
        check(None, None, None);
        check(Some("a:b"), None, Some("a:b"));
        check(None, Some(4), Some("seq>4"));
        check(Some("a:b OR c:d"), Some(4), Some("seq>4 (a:b OR c:d)"));
    }
}

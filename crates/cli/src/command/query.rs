//! `attestary query`: events of a tenant that match a filter, newest first.

mod timeline;
mod views;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, value::RawValue};

use super::{Page, text};
use crate::{
    client::{Client, Role, Target},
    output, table,
};

/// Events asked for at once: the API's limit.
const PAGE_EVENTS_MAX: usize = 1_000;

/// Options of `query`.
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// Filter, for example 'action:user.* outcome:failure'; without one, every event
    filter: Option<String>,
    /// Everything that one request did, in its order, by the request's id
    #[arg(long, value_name = "REQUEST", conflicts_with_all = ["filter", "view", "oldest"])]
    timeline: Option<String>,
    /// Answer a saved view, such as failed-logins, personal-data or object-access
    #[arg(long, value_name = "VIEW", conflicts_with_all = ["filter", "from", "to", "oldest"], requires = "tenant")]
    view: Option<String>,
    /// Id of the object that the saved view asks about
    #[arg(long, value_name = "ID", requires = "view")]
    target: Option<String>,
    /// Tenant whose log is searched; may be left out when the key sees only one
    #[arg(long, short, value_name = "ID")]
    tenant: Option<String>,
    /// Events that happened at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Events that happened before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Most events to print
    #[arg(long, short, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Oldest first
    #[arg(long)]
    oldest: bool,
    /// Print one event a line, as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the events.
pub(crate) async fn run(mut query: Query, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Read)?;
    if let Some(view) = &query.view {
        return views::run(&query, view, &client).await;
    }
    if let Some(request) = &query.timeline {
        query.filter = Some(timeline::filter(request));
        query.oldest = true;
        query.limit = query.limit.max(timeline::EVENTS_MIN);
    }
    let mut found: Vec<Box<RawValue>> = Vec::new();
    let mut cursor: Option<String> = None;
    while found.len() < query.limit {
        let wanted = (query.limit - found.len()).min(PAGE_EVENTS_MAX);
        let page: Page = client.json(query.request(&client, wanted, cursor.as_deref())).await?;
        let ended = page.next_cursor.is_none() || (query.oldest && page.data.is_empty());
        found.extend(page.data);
        cursor = page.next_cursor;
        if ended {
            break;
        }
    }
    if query.json {
        found.iter().for_each(|event| output::line(event.get()));
        return Ok(());
    }
    let events: Vec<Value> =
        found.iter().map(|event| serde_json::from_str(event.get())).collect::<Result<_, _>>()?;
    if query.timeline.is_some() {
        output::line(timeline::render(&events));
        return Ok(());
    }
    let rows: Vec<[String; 7]> = events.iter().map(row).collect();
    output::line(table::render(HEADER, &rows));
    Ok(())
}

impl Query {
    fn request(
        &self,
        client: &Client,
        limit: usize,
        cursor: Option<&str>,
    ) -> reqwest::RequestBuilder {
        let mut parameters = vec![
            ("limit", limit.to_string()),
            ("order", if self.oldest { "asc" } else { "desc" }.to_owned()),
        ];
        let given = [
            ("tenant", &self.tenant),
            ("filter", &self.filter),
            ("from", &self.from),
            ("to", &self.to),
        ];
        parameters
            .extend(given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        parameters.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        client.request(Method::GET, "/v1/events").query(&parameters)
    }
}

/// Column titles of an event's row.
pub(crate) const HEADER: [&str; 7] =
    ["seq", "occurred at", "action", "actor", "target", "outcome", "ip"];

/// Returns an event's row.
pub(crate) fn row(event: &Value) -> [String; 7] {
    let at = |pointer: &str| event.pointer(pointer).map_or_else(String::new, text);
    [
        at("/seq"),
        at("/occurred_at"),
        at("/action"),
        party(event.get("actor")),
        targets(event.get("targets")),
        at("/outcome"),
        at("/context/ip"),
    ]
}

/// Returns `type:id`, or what of it there is.
fn party(party: Option<&Value>) -> String {
    let member =
        |name: &str| party.and_then(|party| party.get(name)).and_then(Value::as_str).unwrap_or("");
    match (member("type"), member("id")) {
        (kind, "") => kind.to_owned(),
        ("", id) => id.to_owned(),
        (kind, id) => format!("{kind}:{id}"),
    }
}

/// Returns the first target, and how many more there are.
fn targets(targets: Option<&Value>) -> String {
    let targets = targets.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match targets {
        [] => String::new(),
        [only] => party(Some(only)),
        [first, rest @ ..] => format!("{} +{}", party(Some(first)), rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(event: &str, expected: &str) {
        assert_eq!(row(&serde_json::from_str(event).unwrap()).join("|"), expected);
    }

    #[test]
    fn a_row_shows_what_the_event_has() {
        check(
            r#"{"seq":7,"occurred_at":"T","action":"a.b","actor":{"type":"user","id":"u"},"targets":[{"type":"doc","id":"d"},{"id":"e"}],"outcome":"success","context":{"ip":"::1"}}"#,
            "7|T|a.b|user:u|doc:d +1|success|::1",
        );
        check(r#"{"action":"a","actor":{"type":"anonymous"},"targets":[]}"#, "||a|anonymous|||");
    }
}

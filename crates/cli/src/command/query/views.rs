//! `attestary query --view`: the answer of a saved view.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{HEADER, Query, row};
use crate::{
    client::{Client, encode},
    output, table,
};

/// What the server answers.
#[derive(Debug, Deserialize)]
struct Answer {
    view: View,
    filter: String,
    groups: Vec<Group>,
    count: Option<u64>,
    events: Vec<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct View {
    name: String,
    min_count: u64,
}

#[derive(Debug, Deserialize)]
struct Group {
    field: String,
    values: Vec<Counted>,
}

#[derive(Debug, Deserialize)]
struct Counted {
    value: String,
    count: u64,
}

/// Asks and prints.
pub(super) async fn run(query: &Query, view: &str, client: &Client) -> anyhow::Result<()> {
    let tenant = encode(query.tenant.as_deref().unwrap_or_default());
    let path = format!("/v1/tenants/{tenant}/saved-views/{}/results", encode(view));
    let mut parameters = vec![("limit", query.limit.clamp(1, super::PAGE_EVENTS_MAX).to_string())];
    parameters.extend(query.target.clone().map(|target| ("target", target)));
    let request = client.request(Method::GET, &path).query(&parameters);
    if query.json {
        output::line(String::from_utf8_lossy(&client.send(request).await?).trim_end());
        return Ok(());
    }
    let answer: Answer = client.json(request).await?;
    output::line(format!("{}\n  {}", table::escaped(&answer.view.name), answer.filter));
    for group in answer.groups.iter().filter(|group| !group.values.is_empty()) {
        let rows: Vec<[String; 2]> = group
            .values
            .iter()
            .map(|counted| [counted.value.clone(), counted.count.to_string()])
            .collect();
        output::line(format!("\n{}", table::render([group.field.as_str(), "events"], &rows)));
    }
    if answer.groups.iter().all(|group| group.values.is_empty()) && !answer.groups.is_empty() {
        output::line(format!("nothing occurs {} times or more", answer.view.min_count));
    }
    let events: Vec<Value> = answer
        .events
        .iter()
        .map(|event| serde_json::from_str(event.get()))
        .collect::<Result<_, _>>()?;
    let rows: Vec<[String; 7]> = events.iter().map(row).collect();
    let count = answer.count.map_or_else(String::new, |count| format!(" of {count}"));
    output::line(format!(
        "\nthe newest {}{count} events\n{}",
        rows.len(),
        table::render(HEADER, &rows)
    ));
    Ok(())
}

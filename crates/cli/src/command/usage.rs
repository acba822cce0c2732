//! `attestary usage`: what keys and tenants used, and what is left of their quotas.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, value::to_raw_value};

use super::show_list;
use crate::{
    client::{Client, Role, Target, encode},
    output,
};

/// Options of `usage`.
#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// First day (UTC), such as 2026-11-01; the first of this month without it
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The day after the last one; tomorrow without it
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// What is added up: tenant, key or day
    #[arg(long, value_name = "WHAT", default_value = "tenant", value_parser = ["tenant", "key", "day"])]
    by: String,
    /// Only this tenant
    #[arg(long, short, value_name = "ID")]
    tenant: Option<String>,
    /// Only this key, by its id
    #[arg(long = "key-id", value_name = "ID")]
    key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(usage: Usage, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Admin)?;
    let mut path = format!("/v1/usage?by={}", usage.by);
    for (name, value) in
        [("from", &usage.from), ("to", &usage.to), ("tenant", &usage.tenant), ("key", &usage.key)]
    {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    let report: Value = client.json(client.request(Method::GET, &path)).await?;
    if usage.json {
        output::line(report.to_string());
        return Ok(());
    }
    let lines = report["data"].as_array().into_iter().flatten();
    let lines: Vec<_> = lines.map(to_raw_value).collect::<Result<_, _>>()?;
    let columns = [
        ("name", "/name"),
        ("events", "/accepted/events"),
        ("bytes", "/accepted/bytes"),
        ("stored", "/stored_events"),
        ("events left", "/quota/events_left"),
        ("bytes left", "/quota/bytes_left"),
    ];
    show_list(&lines, columns, false)?;
    output::talk(format!(
        "{} to {}: {} events, {} bytes",
        report["from"].as_str().unwrap_or_default(),
        report["to"].as_str().unwrap_or_default(),
        report["total"]["events"],
        report["total"]["bytes"],
    ));
    Ok(())
}

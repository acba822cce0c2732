//! `attestary renew`: lets a restored data directory go on under new names, where signing its logs would fork them.

use std::sync::Arc;

use anyhow::Context as _;
use attestary_event::event::hex;
use attestary_store::{OpenError, RenewError, Renewals, Store, SystemClock, SystemRng};
use clap::Args;
use serde_json::json;

use crate::{
    exit::{Exit, Failure},
    output, table,
};

/// Options of `renew`.
#[derive(Debug, Args)]
pub(crate) struct Renew {
    #[command(flatten)]
    place: super::DataPlace,
    /// Print JSON: one object
    #[arg(long)]
    json: bool,
}

/// Opens new incarnations where the head register says that the data is older than what was signed.
pub(crate) async fn run(renew: Renew) -> anyhow::Result<()> {
    let settings = renew.place.settings()?;
    if !settings.dir.join("catalog.sqlite").is_file() {
        let why = format!("{} is no data directory", settings.dir.display());
        return Err(Failure::new(Exit::Usage, why)
            .hint("name the data directory, or the configuration file with --config")
            .into());
    }
    let opened = tokio::task::spawn_blocking(move || {
        Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default()))
    });
    let store = opened.await.context("the data directory was not opened")?.map_err(refused)?;
    let renewed = store.renew().await;
    store.close().await;
    show(&renewed.map_err(damaged)?, renew.json);
    Ok(())
}

fn refused(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Locked { .. } => Failure::new(Exit::Usage, error.to_string())
            .hint("stop the server first: nothing may be served meanwhile")
            .into(),
        error => error.into(),
    }
}

fn damaged(error: RenewError) -> anyhow::Error {
    match error {
        RenewError::Damaged { .. } => Failure::new(Exit::Damaged, error.to_string()).into(),
        error => error.into(),
    }
}

fn show(renewals: &Renewals, json: bool) {
    if json {
        let logs: Vec<_> = renewals.logs.iter().map(log).collect();
        let found = json!({
            "logs_refused": renewals.logs_refused,
            "anchor_refused": renewals.anchor_refused,
            "logs": logs,
            "anchor": renewals.anchor,
        });
        return output::line(found.to_string());
    }
    let rows: Vec<_> = renewals
        .logs
        .iter()
        .map(|log| {
            [&log.environment, &log.tenant, &log.previous, &log.size.to_string(), &log.origin]
                .map(|cell| table::escaped(cell))
        })
        .collect();
    if !rows.is_empty() {
        output::line(table::render(["ENVIRONMENT", "TENANT", "BEFORE", "EVENTS", "NOW"], &rows));
    }
    if let Some(anchor) = &renewals.anchor {
        output::line(format!("the anchor log is {anchor}"));
    }
    output::talk(match (&renewals.logs_refused, &renewals.anchor_refused) {
        (None, None) => "data and head register agree: nothing had to begin anew".to_owned(),
        (Some(why), _) => format!(
            "{} logs began anew ({why}): give out their new trust files, and the anchor log's new name to witnesses",
            renewals.logs.len()
        ),
        (None, Some(why)) => format!(
            "the anchor log began anew ({why}): give its new name and key to witnesses and new trust files to verifiers"
        ),
    });
}

fn log(log: &attestary_store::Incarnation) -> serde_json::Value {
    json!({
        "environment": log.environment,
        "tenant": log.tenant,
        "previous": log.previous,
        "size": log.size,
        "root": hex(&log.root),
        "origin": log.origin,
    })
}

//! The commands: two run a server, the others ask a running one over its public API and print what it answered.

pub(crate) mod anchor;
pub(crate) mod backup;
pub(crate) mod certificate;
pub(crate) mod config;
pub(crate) mod destinations;
pub(crate) mod dev;
pub(crate) mod export;
pub(crate) mod fsck;
pub(crate) mod governance;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod openapi;
pub(crate) mod query;
pub(crate) mod receipt;
pub(crate) mod redaction;
pub(crate) mod renew;
pub(crate) mod serve;
pub(crate) mod sign_in;
pub(crate) mod tail;
pub(crate) mod tenants;
pub(crate) mod usage;
pub(crate) mod verify;
pub(crate) mod witness;

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{output, settings::Settings, table, variables};

/// Where the data directory is: named, or as the configuration says.
#[derive(Debug, Args)]
struct DataPlace {
    /// Data directory; without it, the one in the configuration
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file (TOML); without one, defaults and ATTESTARY__… variables
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl DataPlace {
    /// Returns the settings of the store.
    fn settings(&self) -> anyhow::Result<attestary_store::Settings> {
        let mut settings = Settings::read(self.config.as_deref(), variables())?.service.store;
        // How data is spread is the server's to change.
        settings.partitions = None;
        if let Some(data) = &self.data {
            settings.dir.clone_from(data);
        }
        Ok(settings)
    }
}

/// A page of any list. Items are kept as the server wrote them: their number tokens stay exact.
#[derive(Debug, Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// Prints a reply as JSON when asked to, else one `name: value` line per member.
fn show(reply: &[u8], json: bool) -> anyhow::Result<()> {
    if json {
        output::line(String::from_utf8_lossy(reply).trim_end());
        return Ok(());
    }
    let members: serde_json::Map<String, Value> = serde_json::from_slice(reply)?;
    for (name, value) in &members {
        output::line(format!("{name}: {}", table::escaped(&text(value))));
    }
    Ok(())
}

/// Prints a list as JSON lines when asked to, else as a table of the named columns (JSON pointers).
fn show_list<const N: usize>(
    items: &[Box<RawValue>],
    columns: [(&str, &str); N],
    json: bool,
) -> anyhow::Result<()> {
    if json {
        items.iter().for_each(|item| output::line(item.get()));
        return Ok(());
    }
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let item: Value = serde_json::from_str(item.get())?;
        rows.push(columns.map(|(_, pointer)| item.pointer(pointer).map_or_else(String::new, text)));
    }
    output::line(table::render(columns.map(|(title, _)| title), &rows));
    Ok(())
}

/// Returns a value as a cell shows it: strings bare, lists joined, the rest as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

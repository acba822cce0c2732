//! `attestary redaction`: what is taken out of events before they are stored.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{show, verify::read_limited};
use crate::{
    client::{Client, Role, Target, encode},
    exit::{Exit, Failure},
    output,
};

/// Longest file of rules or of an event.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What can be done with redaction.
#[derive(Debug, Subcommand)]
pub(crate) enum Redaction {
    /// Show the rules of the environment or of a tenant
    Show {
        /// The tenant's id
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Set the rules from a JSON file, whole: {"rules":[{"name","pointers","label","action"}],"secrets":"mask"}
    Set {
        /// The file
        file: PathBuf,
        /// The tenant's id
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Remove the rules; what was redacted stays so
    Unset {
        /// The tenant's id
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Show what rules would do, and change nothing: to an event, or to the tenant's newest thousand
    Preview {
        /// The tenant's id
        tenant: String,
        /// A file with proposed rules; without it, those in force
        #[arg(long, value_name = "FILE")]
        rules: Option<PathBuf>,
        /// A file with an event
        #[arg(long, value_name = "FILE")]
        event: Option<PathBuf>,
    },
    /// Print the token that stands for a value, which is read from standard input so that no history keeps it
    Lookup {
        /// The tenant's id
        tenant: String,
    },
}

/// Runs the command.
pub(crate) async fn run(redaction: Redaction, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Admin)?;
    let path = |tenant: &Option<String>| match tenant {
        Some(tenant) => format!("/v1/tenants/{}/redaction", encode(tenant)),
        None => "/v1/redaction".to_owned(),
    };
    let of_tenant =
        |tenant: &str, rest: &str| format!("/v1/tenants/{}/redaction/{rest}", encode(tenant));
    let request = match redaction {
        Redaction::Show { tenant } => client.request(Method::GET, &path(&tenant)),
        Redaction::Set { file, tenant } => {
            client.request(Method::PUT, &path(&tenant)).json(&read(&file)?)
        }
        Redaction::Unset { tenant } => {
            client.send(client.request(Method::DELETE, &path(&tenant))).await?;
            output::talk("no rules any more");
            return Ok(());
        }
        Redaction::Preview { tenant, rules, event } => {
            let mut body = Map::new();
            for (name, file) in [("redaction", rules), ("event", event)] {
                if let Some(file) = file {
                    body.insert(name.into(), read(&file)?);
                }
            }
            client.request(Method::POST, &of_tenant(&tenant, "preview")).json(&body)
        }
        Redaction::Lookup { tenant } => {
            let mut value = String::new();
            std::io::stdin().read_line(&mut value)?;
            let body = json!({ "value": value.trim_end_matches(['\n', '\r']) });
            client.request(Method::POST, &of_tenant(&tenant, "lookup")).json(&body)
        }
    };
    show(&client.send(request).await?, true)
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let bytes = read_limited(path, FILE_BYTES_MAX)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::new(Exit::Usage, format!("{} is not JSON: {error}", path.display())).into()
    })
}

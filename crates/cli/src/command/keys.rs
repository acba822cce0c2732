//! `attestary keys`: API keys of an environment.

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::{Page, show, show_list};
use crate::{
    client::{Client, Role, Target, encode},
    output,
};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key; it is shown once
    Create {
        /// What it is for
        name: String,
        /// Rights, several separated by commas: ingest, read, export, destinations, portal, admin, operator
        #[arg(long, value_delimiter = ',', required = true, value_name = "SCOPE")]
        scopes: Vec<String>,
        /// Only these tenants, several separated by commas
        #[arg(long, value_delimiter = ',', value_name = "ID")]
        tenants: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List keys, without their secrets
    List {
        /// Print one key a line, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Refuse a key from now on
    Revoke {
        /// The key's id
        id: String,
    },
}

/// Runs the command.
pub(crate) async fn run(keys: Keys, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Admin)?;
    match keys {
        Keys::Create { name, scopes, tenants, json } => {
            let mut body = json!({ "name": name, "scopes": scopes });
            if !tenants.is_empty() {
                body["tenants"] = json!(tenants);
            }
            let reply = client.send(client.request(Method::POST, "/v1/keys").json(&body)).await?;
            show(&reply, json)
        }
        Keys::List { json } => {
            let page: Page = client.json(client.request(Method::GET, "/v1/keys")).await?;
            let columns = [
                ("id", "/id"),
                ("name", "/name"),
                ("scopes", "/scopes"),
                ("tenants", "/tenants"),
                ("created at", "/created_at"),
                ("expires at", "/expires_at"),
                ("last used at", "/last_used_at"),
            ];
            show_list(&page.data, columns, json)
        }
        Keys::Revoke { id } => {
            client
                .send(client.request(Method::DELETE, &format!("/v1/keys/{}", encode(&id))))
                .await?;
            output::talk(format!("{id} is revoked"));
            Ok(())
        }
    }
}

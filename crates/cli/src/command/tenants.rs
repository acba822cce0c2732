//! `attestary tenants`: the tenants of an environment.

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::{Page, show, show_list};
use crate::{
    client::{Client, Role, Target, encode},
    exit::{Exit, Failure},
    output,
};

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum Tenants {
    /// Make a tenant
    Create {
        /// The application's own id of it
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List tenants
    List {
        /// Print one tenant a line, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Accept no more events for a tenant; what it has stays readable
    Close {
        /// The tenant's id
        id: String,
    },
    /// Delete a tenant and its events, for ever
    Delete {
        /// The tenant's id
        id: String,
        /// Confirm that its events are to be deleted
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(tenants: Tenants, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Admin)?;
    match tenants {
        Tenants::Create { id, json } => {
            let reply = client
                .send(client.request(Method::POST, "/v1/tenants").json(&json!({ "id": id })))
                .await?;
            show(&reply, json)
        }
        Tenants::List { json } => {
            let mut cursor: Option<String> = None;
            let mut found = Vec::new();
            loop {
                let mut request = client.request(Method::GET, "/v1/tenants");
                if let Some(cursor) = &cursor {
                    request = request.query(&[("cursor", cursor)]);
                }
                let page: Page = client.json(request).await?;
                found.extend(page.data);
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            let columns = [
                ("id", "/id"),
                ("state", "/state"),
                ("created at", "/created_at"),
                ("events", "/events"),
            ];
            show_list(&found, columns, json)
        }
        Tenants::Close { id } => {
            client
                .send(client.request(Method::POST, &format!("/v1/tenants/{}/close", encode(&id))))
                .await?;
            output::talk(format!("tenant {id} takes no more events"));
            Ok(())
        }
        Tenants::Delete { id, yes: false } => {
            let message =
                format!("this deletes tenant {id} with all its events; nothing brings them back");
            Err(Failure::new(Exit::Usage, message)
                .hint("pass --yes if that is what you want")
                .into())
        }
        Tenants::Delete { id, yes: true } => {
            client
                .send(client.request(Method::DELETE, &format!("/v1/tenants/{}", encode(&id))))
                .await?;
            output::talk(format!("tenant {id} is deleted"));
            Ok(())
        }
    }
}

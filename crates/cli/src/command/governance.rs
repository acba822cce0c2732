//! `attestary retention`, `holds`, `erasures`: the life of data.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{Page, show, show_list};
use crate::{
    client::{Client, Role, Target, encode},
    exit::{Exit, Failure},
    output,
};

/// What can be done with retention.
#[derive(Debug, Subcommand)]
pub(crate) enum Retention {
    /// Show the policy of the environment, or the one that rules a tenant
    Show {
        /// The tenant's id
        #[arg(long)]
        tenant: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set the policy of the environment or of a tenant
    Set {
        /// The tenant's id
        #[arg(long)]
        tenant: Option<String>,
        /// How long events are kept: 90d, 7y, unlimited
        keep: String,
        /// A kind of event with a period of its own: NAME=PERIOD=FILTER; the first that matches decides
        #[arg(long = "class", value_name = "NAME=PERIOD=FILTER")]
        classes: Vec<String>,
        /// Never let it be shortened again
        #[arg(long)]
        lock: bool,
    },
    /// Show what a run would remove from a tenant's log, and remove nothing
    Preview {
        /// The tenant's id
        tenant: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove now what is over
    Run {
        /// Only in this tenant's log
        #[arg(long)]
        tenant: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List runs, newest first
    Runs {
        /// Print one run a line, as JSON
        #[arg(long)]
        json: bool,
    },
}

/// What can be done with legal holds.
#[derive(Debug, Subcommand)]
pub(crate) enum Holds {
    /// Keep what a filter selects until the hold is released
    Place {
        /// The tenant's id
        tenant: String,
        /// What it is about
        name: String,
        /// Only these events
        #[arg(long, default_value = "")]
        filter: String,
        /// Only events with these persons, by id or e-mail address
        #[arg(long, value_delimiter = ',', value_name = "ID")]
        custodians: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List a tenant's holds
    List {
        /// The tenant's id
        tenant: String,
        /// Print one hold a line, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Let retention and erasures go on
    Release {
        /// The tenant's id
        tenant: String,
        /// The hold's id
        id: String,
    },
}

/// What can be done with erasures.
#[derive(Debug, Subcommand)]
pub(crate) enum Erasures {
    /// Erase a person, events, or fields, for ever
    Request {
        /// The tenant's id
        tenant: String,
        /// Why it is lawful; must not name anybody
        #[arg(long)]
        legal_basis: String,
        /// Values that name a person: ids, e-mail addresses, names
        #[arg(long, value_delimiter = ',', value_name = "VALUE")]
        subject: Vec<String>,
        /// Ids of events
        #[arg(long, value_delimiter = ',', value_name = "ID")]
        events: Vec<String>,
        /// Events that a filter selects
        #[arg(long)]
        filter: Option<String>,
        /// JSON pointers: only these fields
        #[arg(long, value_delimiter = ',', value_name = "POINTER")]
        fields: Vec<String>,
        /// Confirm that it is to be erased
        #[arg(long)]
        yes: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List a tenant's erasures, newest first
    List {
        /// The tenant's id
        tenant: String,
        /// Print one erasure a line, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the deletion certificate of an erasure that is done
    Certificate {
        /// The tenant's id
        tenant: String,
        /// The erasure's id
        id: String,
    },
}

/// Runs `attestary retention`.
pub(crate) async fn retention(retention: Retention, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Admin)?;
    let path = |tenant: &Option<String>, rest: &str| match tenant {
        Some(tenant) => format!("/v1/tenants/{}/retention{rest}", encode(tenant)),
        None => format!("/v1/retention{rest}"),
    };
    match retention {
        Retention::Show { tenant, json } => {
            let request = client.request(Method::GET, &path(&tenant, ""));
            show(&client.send(request).await?, json)
        }
        Retention::Set { tenant, keep, classes, lock } => {
            let classes =
                classes.iter().map(|text| class(text)).collect::<anyhow::Result<Vec<_>>>()?;
            let body = json!({ "keep": keep, "classes": classes, "lock": lock });
            let request = client.request(Method::PUT, &path(&tenant, "")).json(&body);
            show(&client.send(request).await?, true)
        }
        Retention::Preview { tenant, json } => {
            let request = client.request(Method::POST, &path(&Some(tenant), "/preview"));
            show(&client.send(request).await?, json)
        }
        Retention::Run { tenant, json } => {
            let request = client.request(Method::POST, &path(&tenant, "/runs"));
            show(&client.send(request).await?, json)
        }
        Retention::Runs { json } => {
            let page: Page = client.json(client.request(Method::GET, "/v1/retention/runs")).await?;
            let columns = [
                ("id", "/id"),
                ("tenant", "/tenant"),
                ("state", "/state"),
                ("started at", "/started_at"),
                ("events", "/events"),
                ("held", "/held"),
                ("error", "/error"),
            ];
            show_list(&page.data, columns, json)
        }
    }
}

fn class(text: &str) -> anyhow::Result<Value> {
    let mut parts = text.splitn(3, '=');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(keep), Some(filter)) => {
            Ok(json!({ "name": name, "keep": keep, "filter": filter }))
        }
        _ => Err(Failure::new(Exit::Usage, format!("\"{text}\" is not NAME=PERIOD=FILTER"))
            .hint("for example --class logins=90d=action:user.login")
            .into()),
    }
}

/// Runs `attestary holds`.
pub(crate) async fn holds(holds: Holds, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Admin)?;
    let path = |tenant: &str, rest: &str| format!("/v1/tenants/{}/holds{rest}", encode(tenant));
    match holds {
        Holds::Place { tenant, name, filter, custodians, json } => {
            let body = json!({ "name": name, "filter": filter, "custodians": custodians });
            let request = client.request(Method::POST, &path(&tenant, "")).json(&body);
            show(&client.send(request).await?, json)
        }
        Holds::List { tenant, json } => {
            let page: Page = client.json(client.request(Method::GET, &path(&tenant, ""))).await?;
            let columns = [
                ("id", "/id"),
                ("name", "/name"),
                ("state", "/state"),
                ("filter", "/filter"),
                ("custodians", "/custodians"),
                ("placed at", "/placed_at"),
            ];
            show_list(&page.data, columns, json)
        }
        Holds::Release { tenant, id } => {
            let rest = format!("/{}/release", encode(&id));
            client.send(client.request(Method::POST, &path(&tenant, &rest))).await?;
            output::talk(format!("{id} is released"));
            Ok(())
        }
    }
}

/// Runs `attestary erasures`.
pub(crate) async fn erasures(erasures: Erasures, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Admin)?;
    let path = |tenant: &str, rest: &str| format!("/v1/tenants/{}/erasures{rest}", encode(tenant));
    match erasures {
        Erasures::Request { yes: false, .. } => {
            Err(Failure::new(Exit::Usage, "this erases content for ever; nothing brings it back")
                .hint("pass --yes if that is what you want")
                .into())
        }
        Erasures::Request {
            tenant, legal_basis, subject, events, filter, fields, json, ..
        } => {
            let mut body = Map::new();
            body.insert("legal_basis".into(), legal_basis.into());
            for (name, values) in [("subject", subject), ("events", events), ("fields", fields)] {
                if !values.is_empty() {
                    body.insert(name.into(), values.into());
                }
            }
            if let Some(filter) = filter {
                body.insert("filter".into(), filter.into());
            }
            let request = client.request(Method::POST, &path(&tenant, "")).json(&body);
            show(&client.send(request).await?, json)
        }
        Erasures::List { tenant, json } => {
            let page: Page = client.json(client.request(Method::GET, &path(&tenant, ""))).await?;
            let columns = [
                ("id", "/id"),
                ("state", "/state"),
                ("by", "/by"),
                ("legal basis", "/legal_basis"),
                ("created at", "/created_at"),
                ("done at", "/done_at"),
                ("events", "/events"),
                ("fields", "/fields"),
            ];
            show_list(&page.data, columns, json)
        }
        Erasures::Certificate { tenant, id } => {
            let rest = format!("/{}/certificate", encode(&id));
            let note = client.send(client.request(Method::GET, &path(&tenant, &rest))).await?;
            output::line(String::from_utf8_lossy(&note).trim_end());
            Ok(())
        }
    }
}

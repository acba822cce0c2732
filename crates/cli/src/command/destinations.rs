//! `attestary destinations`: where a tenant's events are sent.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Page, show, show_list};
use crate::{
    client::{Client, Role, Target, encode},
    exit::{Exit, Failure},
    output,
};

/// Options of `destinations`.
#[derive(Debug, Args)]
pub(crate) struct Destinations {
    /// Tenant whose destinations are meant
    #[arg(long, short, value_name = "ID", global = true)]
    tenant: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a destination
    Create(Create),
    /// List the tenant's destinations
    List,
    /// Show one: its settings, state and cursor
    Get { id: String },
    /// Stop sending; the cursor stays
    Pause { id: String },
    /// Go on sending from the cursor
    Resume { id: String },
    /// Delete a destination
    Delete {
        id: String,
        /// Confirm the deletion
        #[arg(long)]
        yes: bool,
    },
    /// Send a test event and say how it went
    Test { id: String },
    /// List the latest attempts
    Attempts { id: String },
}

#[derive(Debug, Args)]
struct Create {
    /// What it is called
    name: String,
    /// A type of docs/reference/destinations.md: syslog, webhook, splunk …
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// Settings of that type as a JSON object, for example '{"url":"https://siem.example/hook"}'
    #[arg(long, value_name = "JSON", default_value = "{}")]
    config: String,
    /// json, cef or another name of docs/reference/formats.md, or a JSON object with further options; without one,
    /// the usual format of the type
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Events to send; without one, every event
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Limits of batches as a JSON object, for example '{"events_max":1000,"linger_ms":2000}'
    #[arg(long, value_name = "JSON")]
    batch: Option<String>,
    /// The least time between two checkpoints of the log in the stream, in seconds; without it, no checkpoints
    #[arg(long, value_name = "SECONDS")]
    checkpoint_seconds: Option<u64>,
    /// now, beginning, a seq or a time
    #[arg(long, value_name = "START", default_value = "now")]
    start: String,
}

/// Runs the command.
pub(crate) async fn run(destinations: Destinations, target: &Target) -> anyhow::Result<()> {
    let Some(tenant) = destinations.tenant else {
        return Err(Failure::new(Exit::Usage, "no tenant is named")
            .hint("pass --tenant ID")
            .into());
    };
    let client = Client::new(target, Role::Admin)?;
    let all = format!("/v1/tenants/{}/destinations", encode(&tenant));
    let one = |id: &str| format!("{all}/{}", encode(id));
    let json = destinations.json;
    match destinations.action {
        Action::Create(create) => {
            let reply =
                client.send(client.request(Method::POST, &all).json(&create.body()?)).await?;
            show(&reply, json)
        }
        Action::List => {
            let page: Page = client.json(client.request(Method::GET, &all)).await?;
            let columns = [
                ("id", "/id"),
                ("name", "/name"),
                ("type", "/type"),
                ("state", "/state"),
                ("lag", "/lag_events"),
                ("detail", "/reason_detail"),
            ];
            show_list(&page.data, columns, json)
        }
        Action::Get { id } => {
            show(&client.send(client.request(Method::GET, &one(&id))).await?, json)
        }
        Action::Pause { id } => show(
            &client.send(client.request(Method::POST, &format!("{}/pause", one(&id)))).await?,
            json,
        ),
        Action::Resume { id } => show(
            &client.send(client.request(Method::POST, &format!("{}/resume", one(&id)))).await?,
            json,
        ),
        Action::Test { id } => show(
            &client.send(client.request(Method::POST, &format!("{}/test", one(&id)))).await?,
            json,
        ),
        Action::Delete { id, yes: false } => {
            let message = format!("this deletes destination {id} and its cursor");
            Err(Failure::new(Exit::Usage, message)
                .hint("pass --yes if that is what you want")
                .into())
        }
        Action::Delete { id, yes: true } => {
            client.send(client.request(Method::DELETE, &one(&id))).await?;
            output::talk(format!("destination {id} is deleted"));
            Ok(())
        }
        Action::Attempts { id } => {
            let page: Page =
                client.json(client.request(Method::GET, &format!("{}/attempts", one(&id)))).await?;
            let columns = [
                ("id", "/id"),
                ("at", "/at"),
                ("seqs", "/seqs"),
                ("verdict", "/verdict"),
                ("detail", "/detail"),
            ];
            show_list(&page.data, columns, json)
        }
    }
}

impl Create {
    fn body(&self) -> anyhow::Result<Value> {
        let config: Value = serde_json::from_str(&self.config)
            .with_context(|| Failure::new(Exit::Usage, "--config is not JSON").to_string())
            .map_err(|error| Failure::new(Exit::Usage, format!("{error:#}")))?;
        let format: Option<Value> = match &self.format {
            Some(text) if text.trim_start().starts_with('{') => {
                Some(serde_json::from_str(text).map_err(|error| {
                    Failure::new(Exit::Usage, format!("--format is not JSON: {error}"))
                })?)
            }
            Some(name) => Some(json!({ "type": name })),
            None => None,
        };
        let start = self.start.parse::<u64>().map_or_else(|_| json!(self.start), |seq| json!(seq));
        let mut body =
            json!({ "name": self.name, "type": self.kind, "config": config, "start": start });
        if let Some(format) = format {
            body["format"] = format;
        }
        if let Some(filter) = &self.filter {
            body["filter"] = json!(filter);
        }
        if let Some(seconds) = self.checkpoint_seconds {
            body["checkpoint_seconds"] = json!(seconds);
        }
        if let Some(limits) = &self.batch {
            body["batch"] = serde_json::from_str(limits).map_err(|error| {
                Failure::new(Exit::Usage, format!("--batch is not JSON: {error}"))
            })?;
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: &str, format: &str, start: &str, expected: Result<Value, &str>) {
        let create = Create {
            name: "n".into(),
            kind: "webhook".into(),
            config: config.into(),
            format: (!format.is_empty()).then(|| format.into()),
            filter: None,
            batch: None,
            checkpoint_seconds: None,
            start: start.into(),
        };
        let body = create.body().map_err(|error| error.to_string());
        assert_eq!(body, expected.map_err(str::to_owned));
    }

    #[test]
    fn the_body_is_made_from_words_or_json() {
        let base = |format: Value, start: Value| json!({"name": "n", "type": "webhook", "config": {"a": 1}, "format": format, "start": start});
        check(r#"{"a":1}"#, "cef", "now", Ok(base(json!({"type": "cef"}), json!("now"))));
        check(
            r#"{"a":1}"#,
            r#"{"type":"cef","x":1}"#,
            "12",
            Ok(base(json!({"type": "cef", "x": 1}), json!(12))),
        );
        let usual = json!({"name": "n", "type": "webhook", "config": {"a": 1}, "start": "now"});
        check(r#"{"a":1}"#, "", "now", Ok(usual));
        check(
            "{",
            "cef",
            "now",
            Err("--config is not JSON: EOF while parsing an object at line 1 column 1"),
        );
    }
}

//! `attestary sign-in`: a link that opens the console signed in, once.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{
    client::{Client, Role, Target},
    output,
};

/// Options of `sign-in`.
#[derive(Debug, clap::Args)]
pub(crate) struct SignIn {
    /// Who signs in; stands in the audit log
    #[arg(long, value_name = "ID")]
    id: String,
    /// Name for people
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What the person may do
    #[arg(long, default_value = "reader", value_parser = ["reader", "auditor", "operator"])]
    role: String,
    /// Seconds that the link waits
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    ttl: u64,
}

#[derive(Deserialize)]
struct Link {
    url: String,
}

/// Prints the link.
pub(crate) async fn run(options: SignIn, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Admin)?;
    let body = json!({
        "id": options.id, "name": options.name, "role": options.role, "ttl_s": options.ttl,
    });
    let request = client.request(Method::POST, "/v1/sign-in-links").json(&body);
    let link: Link = client.json(request).await?;
    output::line(format!("{}{}", client.base(), link.url));
    Ok(())
}

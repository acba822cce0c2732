//! `attestary anchor`: how epochs and their anchors are.

use clap::Args;
use reqwest::Method;

use super::show;
use crate::client::{Client, Role, Target};

/// Options of `anchor`.
#[derive(Debug, Args)]
pub(crate) struct Anchor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(anchor: Anchor, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Read)?;
    show(&client.send(client.request(Method::GET, "/v1/anchor")).await?, anchor.json)
}

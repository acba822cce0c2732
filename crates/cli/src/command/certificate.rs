//! `attestary certificate`: the certificate of one transaction as a file on this machine.

use std::{fs::File, io::Write as _, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use sha2::{Digest as _, Sha256};

use crate::{
    client::{Client, Role, Target, encode},
    output,
};

/// Options of `certificate`.
#[derive(Debug, Args)]
pub(crate) struct Certificate {
    /// Id of the transaction: of a request, a session, its parent session or a trace
    transaction: String,
    /// Tenant whose log holds it
    #[arg(long, short, value_name = "ID")]
    tenant: String,
    /// Where the id stands; anywhere of these without it
    #[arg(long, value_name = "MEMBER", value_parser = ["request_id", "session_id", "parent_session_id", "trace_id"])]
    by: Option<String>,
    /// Events that happened at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Events that happened before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// json or pdf
    #[arg(long, short, value_name = "FORM", default_value = "pdf", value_parser = ["json", "pdf"])]
    format: String,
    /// File to write; it must not exist
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// Fetches and writes the certificate.
pub(crate) async fn run(certificate: Certificate, target: &Target) -> anyhow::Result<()> {
    let client = Client::new(target, Role::Read)?;
    let mut path = format!(
        "/v1/tenants/{}/certificate?transaction={}&format={}",
        encode(&certificate.tenant),
        encode(&certificate.transaction),
        certificate.format
    );
    for (name, value) in
        [("by", &certificate.by), ("from", &certificate.from), ("to", &certificate.to)]
    {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    let bytes = client.send(client.request(Method::GET, &path)).await?;
    let place = &certificate.output;
    let mut file =
        File::create_new(place).with_context(|| format!("cannot make {}", place.display()))?;
    file.write_all(&bytes).with_context(|| format!("cannot write {}", place.display()))?;
    let mut digest = String::new();
    Sha256::digest(&bytes).iter().for_each(|byte| digest.push_str(&format!("{byte:02x}")));
    output::line(format!("{}: {} bytes, SHA-256 {digest}", place.display(), bytes.len()));
    Ok(())
}

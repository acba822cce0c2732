//! `attestary export`: a tenant's events as one file on this machine.
//!
//! The server makes the file in the background; this command asks for it, shows how far it has come, fetches it and
//! compares its digest. The file appears under its name only when it is complete. The export is deleted on the server when it
//! was fetched, unless it shall stay.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    client::{Client, Role, Target, encode},
    exit::{Exit, Failure},
    output, progress,
};

/// How often the server is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// How long the server may send nothing of a file.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How often a broken transfer is continued.
const TRIES_MAX: usize = 5;

/// Options of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Tenant whose log is exported
    #[arg(long, short, value_name = "ID")]
    tenant: String,
    /// Form of the file
    #[arg(long, short, value_name = "FORM", value_parser = ["ndjson", "json", "csv", "cef", "parquet", "evidence"])]
    format: String,
    /// File to write; it must not exist
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Only events that match, for example 'action:user.*'
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Events that happened at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Events that happened before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Number the records: CASE7 gives CASE7_000001
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Cover only the first so many events of the log
    #[arg(long, value_name = "N")]
    size: Option<u64>,
    /// Write the manifest (digest, counts, custody) here
    #[arg(long, value_name = "FILE")]
    manifest_out: Option<PathBuf>,
    /// Write the log's trust file here (with --format evidence); hand it over by another way than the bundle
    #[arg(long, value_name = "FILE")]
    trust_out: Option<PathBuf>,
    /// Keep the export on the server until it expires
    #[arg(long)]
    keep: bool,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

/// The members of an export that matter here.
#[derive(Debug, Deserialize)]
struct State {
    id: String,
    state: String,
    reason: Option<String>,
    size: u64,
    scanned: u64,
    events: u64,
    bytes: Option<u64>,
    sha256: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Link {
    url: String,
}

/// Makes, fetches and checks the file.
pub(crate) async fn run(export: Export, target: &Target) -> anyhow::Result<()> {
    let is_there = export.output.try_exists();
    if is_there.with_context(|| format!("cannot look at {}", export.output.display()))? {
        let message = format!("{} exists already", export.output.display());
        return Err(Failure::new(Exit::Usage, message).hint("name another file").into());
    }
    let client = Client::new(target, Role::Read)?;
    let exports = format!("/v1/tenants/{}/exports", encode(&export.tenant));
    let queued: State =
        client.json(client.request(Method::POST, &exports).json(&export.request())).await?;
    let path = format!("{exports}/{}", queued.id);
    let done = wait(&client, &path, queued).await?;
    fetch(&client, &path, &done, &export.output).await?;
    if let Some(manifest) = &export.manifest_out {
        let bytes = client.send(client.request(Method::GET, &format!("{path}/manifest"))).await?;
        write_new(manifest, &bytes)?;
    }
    if let Some(trust) = &export.trust_out {
        let path = format!("/v1/tenants/{}/trust", encode(&export.tenant));
        write_new(trust, &client.send(client.request(Method::GET, &path)).await?)?;
    }
    if !export.keep {
        client.send(client.request(Method::DELETE, &path)).await?;
    }
    let sha256 = done.sha256.unwrap_or_default();
    if export.json {
        let name = export.output.to_string_lossy();
        let line = serde_json::json!({
            "file": name, "events": done.events, "bytes": done.bytes, "sha256": sha256,
        });
        output::line(line.to_string());
    } else {
        output::line(format!(
            "{}: {} events, {} bytes, SHA-256 {sha256}",
            export.output.display(),
            done.events,
            done.bytes.unwrap_or_default(),
        ));
    }
    Ok(())
}

impl Export {
    fn request(&self) -> Value {
        let mut body = Map::new();
        body.insert("format".into(), self.format.as_str().into());
        for (name, value) in [
            ("filter", &self.filter),
            ("from", &self.from),
            ("to", &self.to),
            ("prefix", &self.prefix),
        ] {
            if let Some(value) = value {
                body.insert(name.into(), value.as_str().into());
            }
        }
        if let Some(size) = self.size {
            body.insert("size".into(), size.into());
        }
        Value::Object(body)
    }
}

/// Waits until the server has made the file.
async fn wait(client: &Client, path: &str, mut now: State) -> anyhow::Result<State> {
    let bar = progress::bar("exporting", now.size);
    let mut lines = progress::Lines::new();
    loop {
        bar.set_position(now.scanned);
        lines.tick(|| format!("{} of {} events looked at", now.scanned, now.size));
        match now.state.as_str() {
            "queued" | "running" => {}
            "complete" => {
                bar.finish_and_clear();
                return Ok(now);
            }
            state => {
                bar.abandon();
                let reason = now.reason.unwrap_or_else(|| state.to_owned());
                return Err(Failure::new(
                    Exit::Unavailable,
                    format!("the export failed: {reason}"),
                )
                .into());
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
        now = client.json(client.request(Method::GET, path)).await?;
    }
}

/// Fetches the file beside its place, checks it, and moves it there.
async fn fetch(client: &Client, path: &str, export: &State, place: &Path) -> anyhow::Result<()> {
    let total = export.bytes.unwrap_or_default();
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = place.with_file_name(name);
    let cannot = || format!("cannot write {}", part.display());
    let mut file = File::create(&part).with_context(cannot)?;
    let bar = progress::bar("fetching", total);
    let (mut digest, mut bytes, mut tries) = (Sha256::new(), 0_u64, 0);
    while bytes < total {
        let link: Link = client.json(client.request(Method::POST, &format!("{path}/link"))).await?;
        let request =
            client.request(Method::GET, &link.url).header("range", format!("bytes={bytes}-"));
        let mut reply = client.open(request).await?;
        loop {
            match client.piece(&mut reply, SILENCE_MAX).await {
                Ok(Some(piece)) => {
                    file.write_all(&piece).with_context(cannot)?;
                    digest.update(&piece);
                    bytes += piece.len() as u64;
                    bar.set_position(bytes);
                }
                Ok(None) => break,
                Err(error) if tries + 1 == TRIES_MAX => return Err(error),
                Err(_) => break,
            }
        }
        tries += 1;
        if bytes < total && tries == TRIES_MAX {
            let message = format!("the transfer broke off {TRIES_MAX} times");
            return Err(Failure::new(Exit::Unreachable, message).into());
        }
    }
    bar.finish_and_clear();
    let mut seen = String::new();
    digest.finalize().iter().for_each(|byte| seen.push_str(&format!("{byte:02x}")));
    if Some(&seen) != export.sha256.as_ref() {
        let message = format!("what arrived has another SHA-256 ({seen}) than the server's file");
        return Err(Failure::new(Exit::Failed, message).into());
    }
    file.sync_all().with_context(cannot)?;
    std::fs::rename(&part, place).with_context(|| format!("cannot write {}", place.display()))
}

fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file =
        File::create_new(path).with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))
}

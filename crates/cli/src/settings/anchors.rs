//! The section `anchors`: how often epochs are made, and who anchors them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use attestary_delivery::{DestinationConfig, ManagedBy, errand::Url};
use attestary_service::{AnchorSettings, KeepSettings, StampSettings, WitnessPolicy};
use serde::Deserialize;

use super::{given, seconds, wrong};
use crate::exit::Failure;

/// Longest time between two epochs; cosignatures are dated by it.
const EPOCH_SECONDS_MAX: u64 = 3_600;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnchorsTable {
    epoch_seconds: u64,
    witnesses_file: PathBuf,
    stamp_url: String,
    stamp_seconds: u64,
    stamp_ca_file: PathBuf,
    bucket_file: PathBuf,
    bucket_seconds: u64,
}

pub(super) fn settings(table: &AnchorsTable) -> Result<AnchorSettings, Failure> {
    if table.epoch_seconds > EPOCH_SECONDS_MAX {
        let detail = format!("is at most {EPOCH_SECONDS_MAX}; given: {}", table.epoch_seconds);
        return Err(wrong("anchors.epoch_seconds", detail));
    }
    let epoch_every = (table.epoch_seconds > 0).then(|| Duration::from_secs(table.epoch_seconds));
    Ok(AnchorSettings {
        epoch_every,
        witnesses: witnesses(table)?,
        stamps: stamps(table)?,
        keeping: bucket(table)?,
        ..AnchorSettings::default()
    })
}

fn witnesses(table: &AnchorsTable) -> Result<Option<WitnessPolicy>, Failure> {
    const NAME: &str = "anchors.witnesses_file";
    let Some(path) = given(&table.witnesses_file) else { return Ok(None) };
    let policy = WitnessPolicy::parse(&read(NAME, &path)?).map_err(|error| {
        // With its causes.
        wrong(NAME, format!("{}: {:#}", path.display(), anyhow::Error::new(error)))
    })?;
    Ok(Some(policy))
}

fn stamps(table: &AnchorsTable) -> Result<Option<StampSettings>, Failure> {
    const NAME: &str = "anchors.stamp_url";
    if table.stamp_url.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(&table.stamp_url).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| wrong(NAME, "is a URL that begins with http:// or https://"))?;
    let ca = given(&table.stamp_ca_file);
    let ca = ca.map(|path| read("anchors.stamp_ca_file", &path)).transpose()?;
    let every = seconds("anchors.stamp_seconds", table.stamp_seconds)?;
    Ok(Some(StampSettings { url, every, ca }))
}

/// Reads the configuration of a destination of type `s3` that is none.
fn bucket(table: &AnchorsTable) -> Result<Option<KeepSettings>, Failure> {
    const NAME: &str = "anchors.bucket_file";
    let Some(path) = given(&table.bucket_file) else { return Ok(None) };
    let shown = path.display();
    let config = serde_json::from_str(&read(NAME, &path)?)
        .map_err(|error| wrong(NAME, format!("{shown} is not JSON: {error}")))?;
    let checked = DestinationConfig::validate("s3", &config, ManagedBy::Operator);
    let (config, secrets) = match checked {
        Ok((DestinationConfig::S3(config), secrets)) => (config, secrets),
        Ok(_) => return Err(wrong(NAME, format!("{shown} is of another type"))),
        Err(violations) => {
            let first = violations.first().map_or_else(String::new, |violation| {
                format!("{} {}", violation.pointer, violation.detail)
            });
            return Err(wrong(NAME, format!("{shown}: {first}")));
        }
    };
    let every = seconds("anchors.bucket_seconds", table.bucket_seconds)?;
    Ok(Some(KeepSettings { config, secrets, every }))
}

fn read(name: &str, path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| wrong(name, format!("{} cannot be read: {error}", path.display())))
}

//! The destinations: configuration, and two pure functions that turn a batch into a request and a reply into a
//! verdict. They open nothing, read no clock and hold no state.
//!
//! Adding one means: a configuration with its validation, `encode`, `request`, `judge`, and their tests.

pub mod file;
pub mod members;
pub mod stdout;
pub mod syslog;
pub mod webhook;

use attestary_event::{Timestamp, View, Violation, actions::KnownActions};
use attestary_formats::Format;
use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::{
    batch::Batch,
    guard::Target,
    secret::Secrets,
    verdict::{Reply, Verdict, judge_failure, judge_http},
};
use members::Members;

/// Who answers for a destination, and so what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ManagedBy {
    /// The people who run the service: every type.
    Operator,
    /// The tenant's own administrators: nothing that is unencrypted or writes on the service's machine.
    Tenant,
}

/// Type and configuration, in the form of the API: `{"type": …, "config": {…}}`. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "config", rename_all = "lowercase")]
pub enum DestinationConfig {
    /// Syslog over TCP, UDP or TLS.
    Syslog(syslog::Config),
    /// HTTP POST, signed as Standard Webhooks.
    Webhook(webhook::Config),
    /// A rotating file.
    File(file::Config),
    /// The service's standard output.
    Stdout(stdout::Config),
}

/// What goes out in one attempt.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// An HTTP POST.
    Http { url: Url, headers: HeaderMap, body: Bytes },
    /// Bytes of a stream that is not acknowledged; the seqs of its first and last event, absent for a test.
    Stream { bytes: Bytes, range: Option<(u64, u64)> },
    /// One datagram an event.
    Datagrams(Vec<Bytes>),
    /// Whole lines.
    Lines(Bytes),
}

/// What `request` needs besides the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    /// The same for every attempt of a batch.
    pub(crate) id: &'a str,
    /// When the attempt is made.
    pub(crate) at: Timestamp,
    /// The secrets.
    pub(crate) secrets: &'a Secrets,
    /// The format of the records.
    pub(crate) format: &'a Format,
}

impl DestinationConfig {
    /// The types, as in the API.
    pub const TYPES: [&str; 4] = ["syslog", "webhook", "file", "stdout"];

    /// Reads type and configuration given from outside; takes the secrets out of it.
    ///
    /// Pointers of violations are relative to the body that holds `type` and `config`. Whether the address may be
    /// reached is the guard's question: [`crate::Guard::check`].
    pub fn validate(
        kind: &str,
        config: &Value,
        managed_by: ManagedBy,
    ) -> Result<(Self, Secrets), Vec<Violation>> {
        if !Self::TYPES.contains(&kind) {
            let known = Self::TYPES.join(", ");
            return Err(vec![Violation::new(
                "/type",
                format!("there is no destination type {kind:?}; known: {known}"),
            )]);
        }
        let mut members = Members::new(config)?;
        let made = match kind {
            "syslog" => syslog::Config::read(&mut members, managed_by)
                .map(|config| (Self::Syslog(config), None)),
            "webhook" => webhook::Config::read(&mut members)
                .map(|(config, secrets)| (Self::Webhook(config), secrets)),
            "file" => file::Config::read(&mut members).map(|config| (Self::File(config), None)),
            _ => Some((Self::Stdout(stdout::Config {}), None)),
        };
        if managed_by == ManagedBy::Tenant && matches!(kind, "file" | "stdout") {
            members.refuse_type(format!("only operators may have destinations of type {kind}"));
        }
        let violations = members.finish();
        match made {
            Some((config, secrets)) if violations.is_empty() => {
                Ok((config, secrets.unwrap_or_default()))
            }
            _ => Err(violations),
        }
    }

    /// Returns the type as in the API.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Syslog(_) => "syslog",
            Self::Webhook(_) => "webhook",
            Self::File(_) => "file",
            Self::Stdout(_) => "stdout",
        }
    }

    /// Returns the network address it dials, for the outbound guard; `None` for files and standard output.
    pub fn target(&self) -> Option<Target> {
        match self {
            Self::Syslog(config) => Some(config.target()),
            Self::Webhook(config) => Some(config.target()),
            Self::File(_) | Self::Stdout(_) => None,
        }
    }

    /// Returns whether a batch's range is saved before its first attempt, because it is in what is sent.
    pub(crate) fn fixes_range(&self) -> bool {
        matches!(self, Self::Webhook(_))
    }

    /// Returns the most events in a batch that this destination can carry in this format.
    pub(crate) fn events_ceiling(&self, format: &Format) -> usize {
        match self {
            Self::Webhook(_) => webhook::events_ceiling(format),
            _ => usize::MAX,
        }
    }

    /// Appends one event in the form in which it stands in a batch.
    pub(crate) fn encode(
        &self,
        view: &View<'_>,
        format: &Format,
        actions: &KnownActions,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Syslog(config) => config.encode(view, format, actions, out),
            Self::Webhook(_) => webhook::encode(view, format, actions, out),
            Self::File(_) | Self::Stdout(_) => {
                format.encode(view, actions, out);
                out.push(b'\n');
            }
        }
    }

    /// Turns a batch into what goes out.
    pub(crate) fn request(&self, batch: &Batch, envelope: &Envelope<'_>) -> Request {
        match self {
            Self::Syslog(config) => config.request(batch),
            Self::Webhook(config) => config.request(batch, envelope),
            Self::File(_) | Self::Stdout(_) => Request::Lines(Bytes::copy_from_slice(&batch.bytes)),
        }
    }

    /// Turns what came back into a verdict.
    pub(crate) fn judge(&self, reply: &Reply) -> Verdict {
        match reply {
            Reply::Http(response) => judge_http(response),
            Reply::Written => Verdict::Delivered,
            Reply::Failed(failure) => judge_failure(failure),
        }
    }

    /// Returns where to and how, without paths, queries and headers.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::Syslog(config) => {
                format!("syslog {}://{}", config.transport.as_str(), config.address)
            }
            Self::Webhook(config) => {
                format!("POST {}", config.url[..url::Position::BeforePath].trim_end_matches('/'))
            }
            Self::File(config) => format!("file {}", config.path),
            Self::Stdout(_) => "stdout".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;

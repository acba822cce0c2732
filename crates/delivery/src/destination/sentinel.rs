//! Microsoft Sentinel: the Logs Ingestion API of Azure Monitor, with a token of Entra ID.
//!
//! A JSON array of rows goes to a stream of a data collection rule; at most 1 MB a call. Nothing drops repeats:
//! `EventUid` (ASIM) or the event's id tells them. 403 is also what a role that was assigned just now gives, for up
//! to half an hour: the destination pauses, and looks again by itself every 5 to 15 minutes.

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, product};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Envelope, Members,
    grant::Grant,
    http::{
        Endpoint, Exchange, HttpDestination, Limits, joined, occurred_at, put_identity, put_text,
        read_url, record_text,
    },
};
use crate::{
    batch::Batch,
    health::{Cause, Reason},
    secret::{Secret, Secrets},
    verdict::{Response, Verdict, judge_http},
};

/// The clouds of Azure: where tokens come from and what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// The usual one.
    #[default]
    Public,
    /// Azure Government.
    Us,
    /// Azure China.
    China,
}

impl Cloud {
    fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::Us => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }

    fn scope(self) -> &'static str {
        match self {
            Self::Public => "https://monitor.azure.com/.default",
            Self::Us => "https://monitor.azure.us/.default",
            Self::China => "https://monitor.azure.cn/.default",
        }
    }
}

/// Choices of which each has a usual answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Which cloud.
    pub cloud: Cloud,
}

/// Configuration. The client secret is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The logs ingestion endpoint of the rule, or the data collection endpoint.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// Immutable id of the data collection rule: `dcr-…`.
    pub rule: String,
    /// Stream of the rule: `Custom-…` or `Microsoft-…`.
    pub stream: String,
    /// Directory (tenant) id in Entra.
    pub directory: String,
    /// Application (client) id.
    pub client_id: String,
    /// Where tokens are fetched.
    pub token_url: Url,
    /// The rest.
    #[serde(flatten)]
    pub options: Options,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let endpoint = Endpoint::read(members);
        let [rule, stream, directory, client_id] =
            ["rule", "stream", "directory", "client_id"].map(|name| read_segment(members, name));
        let options: Option<Options> = members.options(&["cloud"]);
        let token_url = members.text("token_url").map(str::to_owned);
        let secret = members.secret("client_secret");
        let (options, directory) = (options?, directory?);
        let usual = format!("{}/{directory}/oauth2/v2.0/token", options.cloud.authority());
        let token_url = read_url(members, "token_url", token_url.as_deref().unwrap_or(&usual));
        let config = Self {
            endpoint: endpoint?,
            rule: rule?,
            stream: stream?,
            directory,
            client_id: client_id?,
            token_url: token_url?,
            options,
        };
        Some((config, Some(Secrets::named([("client_secret", secret?)]))))
    }
}

/// Reads a name that stands in a path: letters, digits, hyphens, underscores, dots.
pub(super) fn read_segment(members: &mut Members<'_>, name: &'static str) -> Option<String> {
    let text = members.text_required(name)?;
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || text.len() > 256 || !text.bytes().all(fine) || text.starts_with('.') {
        members.refuse(name, "must have 1 to 256 letters, digits, hyphens, underscores and dots");
        return None;
    }
    Some(text.to_owned())
}

impl HttpDestination for Config {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        // A call has at most 1 MiB; a field has at most 64 KB and is cut beyond, so an event must fit into one.
        Limits { event_bytes_max: 60_000, ..Limits::SAFE }
    }

    fn default_format(&self) -> Format {
        Format::Asim(product::Options::default())
    }

    fn token_url(&self) -> Option<&Url> {
        Some(&self.token_url)
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        let record = record_text(view, format, actions, self.limits().event_bytes_max);
        if matches!(format, Format::Asim(_)) {
            out.extend_from_slice(record.as_bytes());
            return;
        }
        // Columns of a table of one's own; the rule's transformation may take them apart.
        out.push(b'{');
        put_text(out, "TimeGenerated", &occurred_at(view).to_string());
        put_identity(out, view, "Event_");
        put_text(out, "RawData", &record);
        out.push(b'}');
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let mut url =
            self.endpoint.join(&["dataCollectionRules", &self.rule, "streams", &self.stream]);
        url.query_pairs_mut().append_pair("api-version", "2023-01-01");
        let mut exchange = Exchange::post(url, joined(batch, b"[", b",", b"]"));
        exchange.grant = Some(Grant::ClientCredentials {
            url: self.token_url.clone(),
            client_id: self.client_id.clone(),
            client_secret: envelope
                .secrets
                .value("client_secret")
                .cloned()
                .unwrap_or_else(|| Secret::new("")),
            scope: self.options.cloud.scope().to_owned(),
        });
        exchange
    }

    fn judge(&self, response: &Response, _: usize) -> Verdict {
        let pause = |cause, detail: &str| Verdict::Pause { reason: Reason::new(cause, detail) };
        match response.status {
            403 => pause(
                Cause::Credentials,
                "Azure answered 403: the application lacks the role Monitoring Metrics Publisher on the rule; \
                 a role takes up to 30 minutes to count",
            ),
            404 => {
                pause(Cause::Refused, "Azure answered 404: it knows no such rule or stream here")
            }
            _ => judge_http(response),
        }
    }
}

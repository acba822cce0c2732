//! Splunk's HTTP Event Collector: concatenated JSON objects, POSTed to `/services/collector/event`.
//!
//! Also reaches everything that takes the same form (LogScale, CloudWatch, Cribl, Vector, Fluent Bit). Splunk does
//! not drop repeats; the event id stands in `fields`, so a search can. With indexer acknowledgement the batch counts
//! as delivered when the indexer confirmed it, not when the collector answered 200.
//!
//! The collector answers 400 for broken events and for broken configuration alike; its own code tells them apart.
//! Codes: Splunk's documentation "Troubleshoot HTTP Event Collector".

use attestary_event::{View, actions::KnownActions};
use attestary_formats::Format;
use http::{HeaderName, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    Envelope, Members,
    http::{
        Confirm, Endpoint, Exchange, HttpDestination, Limits, occurred_at, put_identity, put_key,
        put_record, put_text, read_label,
    },
};
use crate::{
    batch::Batch,
    health::{Cause, Reason},
    secret::{Secret, Secrets},
    verdict::{Item, Partial, Response, Verdict, judge_http},
};

const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// What confirms a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledgement {
    /// The indexer when the token has acknowledgement switched on, else the answer 200.
    #[default]
    Auto,
    /// Always the indexer.
    On,
    /// The answer 200.
    Off,
}

/// What stands before the token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `Authorization: Splunk …`.
    #[default]
    Splunk,
    /// `Authorization: Bearer …`, for LogScale and CloudWatch.
    Bearer,
}

/// Choices of which each has a usual answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// What confirms a batch.
    pub acknowledgement: Acknowledgement,
    /// What stands before the token.
    pub scheme: Scheme,
}

/// Configuration of a Splunk destination. The token is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The collector; without a path, `/services/collector/event` is meant.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// Index; the token's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// Source; `attestary` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Source type; `_json` for JSON formats, else `attestary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sourcetype: Option<String>,
    /// Host; the tenant's id when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub options: Options,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let endpoint = Endpoint::read(members);
        let token = members.secret("token");
        let [index, source, sourcetype, host] =
            ["index", "source", "sourcetype", "host"].map(|name| read_label(members, name, 256));
        let options = members.options(&["acknowledgement", "scheme"]);
        let config =
            Self { endpoint: endpoint?, index, source, sourcetype, host, options: options? };
        Some((config, Some(Secrets::named([("token", token?)]))))
    }

    fn event_url(&self) -> Url {
        if matches!(self.endpoint.url.path(), "" | "/") {
            return self.endpoint.join(&["services", "collector", "event"]);
        }
        self.endpoint.url.clone()
    }

    /// Returns where acknowledgements are asked for: `…/ack` beside `…/event`.
    fn ack_url(&self) -> Url {
        let mut url = self.event_url();
        url.set_query(None);
        let path = url.path().trim_end_matches('/');
        let base = path.strip_suffix("/event").unwrap_or(path);
        let ack = format!("{base}/ack");
        url.set_path(&ack);
        url
    }

    fn authorised(&self, exchange: Exchange, token: Option<&Secret>) -> Exchange {
        let prefix = match self.options.scheme {
            Scheme::Splunk => "Splunk ",
            Scheme::Bearer => "Bearer ",
        };
        exchange.secret(header::AUTHORIZATION, prefix, token)
    }
}

impl HttpDestination for Config {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        Limits::SAFE
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        let at = occurred_at(view).0;
        // Seconds with three decimals, as `time` must have them.
        out.extend_from_slice(
            format!("{{\"time\":{}.{:03}", at.div_euclid(1_000), at.rem_euclid(1_000)).as_bytes(),
        );
        put_text(out, "host", self.host.as_deref().unwrap_or(view.event.tenant.as_str()));
        put_text(out, "source", self.source.as_deref().unwrap_or("attestary"));
        let usual = if format.is_json() { "_json" } else { "attestary" };
        put_text(out, "sourcetype", self.sourcetype.as_deref().unwrap_or(usual));
        if let Some(index) = &self.index {
            put_text(out, "index", index);
        }
        put_key(out, "event");
        put_record(view, format, actions, self.limits().event_bytes_max, out);
        put_key(out, "fields");
        out.push(b'{');
        put_identity(out, view, "");
        put_text(out, "tenant", view.event.tenant.as_str());
        out.extend_from_slice(b"}}\n");
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let token = envelope.secrets.value("token");
        let mut exchange = Exchange::post(self.event_url(), batch.bytes.clone());
        if self.options.acknowledgement != Acknowledgement::Off {
            exchange = exchange.header(CHANNEL, &channel(envelope.spec.id.as_str()));
        }
        let mut exchange = self.authorised(exchange, token);
        if self.options.acknowledgement != Acknowledgement::Off {
            exchange.confirm = Some(Confirm {
                url: self.ack_url(),
                headers: exchange.headers.clone(),
                required: self.options.acknowledgement == Acknowledgement::On,
            });
        }
        exchange
    }

    fn judge(&self, response: &Response, events: usize) -> Verdict {
        let answer: Answer = serde_json::from_slice(&response.body).unwrap_or_default();
        let Some(code) = answer.code.filter(|_| (400..500).contains(&response.status)) else {
            return judge_http(response);
        };
        let reason = |cause, what: &str| {
            Reason::new(
                cause,
                format!("Splunk answered {} with code {code}: {what}", response.status),
            )
        };
        match code {
            1 | 22 => {
                Verdict::Pause { reason: reason(Cause::Credentials, "the token is disabled") }
            }
            2..=4 | 16 | 21 => {
                Verdict::Pause { reason: reason(Cause::Credentials, "it does not know the token") }
            }
            7 => Verdict::Pause {
                reason: reason(Cause::Refused, "the token may not write to this index"),
            },
            10 | 11 => Verdict::Pause {
                reason: reason(
                    Cause::Refused,
                    "it wants a channel it accepts; acknowledgement must not be \"off\" for this token",
                ),
            },
            5 => Verdict::Pause { reason: reason(Cause::Refused, "it saw no data") },
            6 | 12 | 13 | 15 => {
                let reason = reason(Cause::Refused, "it refuses an event in the batch");
                refused(answer.invalid, events, reason)
            }
            _ => judge_http(response),
        }
    }
}

/// The collector takes the events before the one that it refuses, and none after it.
fn refused(invalid: Option<usize>, events: usize, reason: Reason) -> Verdict {
    let Some(index) = invalid.filter(|index| *index < events && events > 1) else {
        return Verdict::Reject { reason };
    };
    // Whether those before it were indexed is not promised: they are sent again, with the same ids.
    Verdict::Partial(Partial {
        rejected: vec![Item { index, reason: reason.clone(), excerpt: None }],
        retry: (0..events).filter(|other| *other != index).collect(),
        after: None,
        reason,
        doubtful: false,
    })
}

/// What the collector says.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    code: Option<u32>,
    #[serde(rename = "invalid-event-number")]
    invalid: Option<usize>,
    #[serde(rename = "ackId")]
    ack: Option<u64>,
}

/// Returns the number under which the indexer will confirm what this answer took.
pub(crate) fn ack_id(response: &Response) -> Option<u64> {
    if response.status != 200 {
        return None;
    }
    serde_json::from_slice::<Answer>(&response.body).ok()?.ack
}

/// Returns the question whether the indexer confirmed.
pub(crate) fn ack_query(confirm: &Confirm, id: u64) -> Exchange {
    let mut query =
        Exchange::post(confirm.url.clone(), format!("{{\"acks\":[{id}]}}").into_bytes());
    query.headers = confirm.headers.clone();
    query.gzip = false;
    query
}

/// What the indexer said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Acked {
    /// Indexed.
    Yes,
    /// Not yet.
    No,
    /// This token does not confirm (code 14), or nobody answers there.
    Never,
    /// The question failed; the answer is judged like any other.
    Failed,
}

/// Reads the answer to [`ack_query`].
pub(crate) fn acked(response: &Response, id: u64) -> Acked {
    if response.status == 200 {
        let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
        return match body["acks"][id.to_string()].as_bool() {
            Some(true) => Acked::Yes,
            Some(false) => Acked::No,
            None => Acked::Failed,
        };
    }
    let answer: Answer = serde_json::from_slice(&response.body).unwrap_or_default();
    if response.status == 404 || answer.code == Some(14) { Acked::Never } else { Acked::Failed }
}

/// Returns the channel of a destination: always the same UUID, made of its id.
fn channel(destination: &str) -> String {
    let digest = Sha256::digest(destination.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8 and the variant of RFC 9562: bits of the application's own choice.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    attestary_event::EventId(bytes).to_string()
}

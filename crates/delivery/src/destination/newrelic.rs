//! New Relic's Log API: one object of common attributes and many logs.
//!
//! The API answers 202 for events that it then drops because they are older than 48 hours. Those are sent with the
//! time of sending; their own stands in the message. It drops no repeats.

use std::time::Duration;

use attestary_event::{View, actions::KnownActions};
use attestary_formats::Format;
use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::{
    Envelope, Members,
    http::{
        Endpoint, Exchange, HttpDestination, Limits, occurred_at, put_identity, put_key, put_text,
        put_timed, read_label, record_text, timed,
    },
};
use crate::{batch::Batch, secret::Secrets};

/// Where accounts live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// United States.
    #[default]
    Us,
    /// European Union.
    Eu,
    /// FedRAMP.
    Gov,
}

/// Choices of which each has a usual answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Where the account lives.
    pub region: Region,
}

/// Configuration. The licence key is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The API.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// `service` of the logs; `attestary` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub options: Options,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let options: Option<Options> = members.options(&["region"]);
        let key = members.secret("api_key");
        let service = read_label(members, "service", 100);
        let usual = match options.unwrap_or_default().region {
            Region::Us => "https://log-api.newrelic.com/log/v1",
            Region::Eu => "https://log-api.eu.newrelic.com/log/v1",
            Region::Gov => "https://gov-log-api.newrelic.com/log/v1",
        };
        let endpoint = Endpoint::read_or(members, Some(usual));
        let config = Self { endpoint: endpoint?, service, options: options? };
        Some((config, Some(Secrets::named([("api_key", key?)]))))
    }
}

impl HttpDestination for Config {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        // A payload has at most 10^6 bytes; of one attribute 128 KB are kept.
        Limits { event_bytes_max: 120_000, age_max: Some(Duration::from_hours(48)), ..Limits::SAFE }
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        put_timed(out, occurred_at(view), |out| {
            put_text(
                out,
                "message",
                &record_text(view, format, actions, self.limits().event_bytes_max),
            );
            put_key(out, "attributes");
            out.push(b'{');
            put_identity(out, view, "attestary.");
            put_text(out, "attestary.tenant", view.event.tenant.as_str());
            put_text(out, "attestary.environment", view.event.environment.as_str());
            if let Some(action) = view.text("/action") {
                put_text(out, "attestary.action", action);
            }
            out.extend_from_slice(b"}}");
        });
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let mut body = Vec::with_capacity(batch.bytes.len() + batch.records.len() * 32);
        body.extend_from_slice(b"[{\"common\":{\"attributes\":{");
        put_text(&mut body, "service", self.service.as_deref().unwrap_or("attestary"));
        put_text(&mut body, "logtype", "attestary");
        body.extend_from_slice(b"}},\"logs\":[");
        for (index, record) in batch.encoded().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            let (own, rest) = timed(record);
            let (at, _) = self.limits().stamp(own, envelope.at);
            body.extend_from_slice(format!("{{\"timestamp\":{at}").as_bytes());
            body.extend_from_slice(rest);
        }
        body.extend_from_slice(b"]}]");
        let key = envelope.secrets.value("api_key");
        Exchange::post(self.endpoint.url.clone(), body).secret(
            HeaderName::from_static("api-key"),
            "",
            key,
        )
    }
}

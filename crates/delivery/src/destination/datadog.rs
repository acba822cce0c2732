//! Datadog logs: a JSON array, POSTed to `/api/v2/logs` of the site's intake.
//!
//! The intake answers 202 for events that it then drops because they are older than 18 hours. Those are sent with
//! the time of sending; their own time stands in the event. It drops no repeats.

use attestary_event::{View, actions::KnownActions};
use attestary_formats::Format;
use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::{
    Envelope, Members,
    http::{
        Endpoint, Exchange, HttpDestination, Limits, occurred_at, put_identity, put_key,
        put_record, put_text, put_timed, read_label, timed,
    },
};
use crate::{
    batch::Batch,
    health::{Cause, Reason},
    secret::Secrets,
    verdict::{Response, Verdict, judge_http},
};

/// Sites of the hosted service; another may be given as `url`.
const SITES: [&str; 7] = [
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "ddog-gov.com",
];

/// Configuration. The API key is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The intake's origin.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// Site that `url` was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// `service` of the logs; `attestary` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `ddtags` beside `env` and `tenant`: `key:value,…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<String>,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let site = members.text("site");
        if let Some(site) = site.filter(|site| !SITES.contains(site)) {
            let known = SITES.join(", ");
            members.refuse("site", format!("{site:?} is no site; known: {known}; or give url"));
        }
        let usual = format!("https://http-intake.logs.{}", site.unwrap_or("datadoghq.com"));
        let endpoint = Endpoint::read_or(members, Some(&usual));
        let key = members.secret("api_key");
        let service = read_label(members, "service", 100);
        let tags = read_label(members, "tags", 1_000);
        let config = Self { endpoint: endpoint?, site: site.map(str::to_owned), service, tags };
        Some((config, Some(Secrets::named([("api_key", key?)]))))
    }
}

impl HttpDestination for Config {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        Limits { age_max: Some(std::time::Duration::from_hours(18)), ..Limits::SAFE }
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        let event = view.event;
        put_timed(out, occurred_at(view), |out| {
            put_text(out, "ddsource", "attestary");
            let mut tags = format!(
                "env:{},tenant:{}",
                tag(event.environment.as_str()),
                tag(event.tenant.as_str())
            );
            if let Some(more) = &self.tags {
                tags.push(',');
                tags.push_str(more);
            }
            put_text(out, "ddtags", &tags);
            put_text(out, "hostname", "attestary");
            put_text(out, "service", self.service.as_deref().unwrap_or("attestary"));
            let sentence = view.text("/description").or_else(|| view.text("/action"));
            put_text(out, "message", sentence.unwrap_or("audit event"));
            put_key(out, "attestary");
            out.push(b'{');
            put_identity(out, view, "");
            put_key(out, "event");
            put_record(view, format, actions, self.limits().event_bytes_max, out);
            out.extend_from_slice(b"}}");
        });
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let mut body = Vec::with_capacity(batch.bytes.len() + batch.records.len() * 16);
        body.push(b'[');
        for (index, record) in batch.encoded().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            let (own, rest) = timed(record);
            let (at, _) = self.limits().stamp(own, envelope.at);
            body.extend_from_slice(format!("{{\"timestamp\":{at}").as_bytes());
            body.extend_from_slice(rest);
        }
        body.push(b']');
        let url = match self.endpoint.url.path() {
            "" | "/" => self.endpoint.join(&["api", "v2", "logs"]),
            _ => self.endpoint.url.clone(),
        };
        let key = envelope.secrets.value("api_key");
        Exchange::post(url, body).secret(HeaderName::from_static("dd-api-key"), "", key)
    }

    fn judge(&self, response: &Response, _: usize) -> Verdict {
        match response.status {
            // The intake says 400 for a request it cannot parse as a whole, which is not the fault of one event
            // alone; bisecting finds it if it is.
            401 | 403 => Verdict::Pause {
                reason: Reason::new(
                    Cause::Credentials,
                    format!(
                        "Datadog answered {}: it does not know the API key at this site",
                        response.status
                    ),
                ),
            },
            _ => judge_http(response),
        }
    }
}

/// A tag's value: lower case, and without what separates tags.
fn tag(text: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_./".contains(c) { c } else { '_' };
    text.chars().flat_map(char::to_lowercase).map(plain).take(180).collect()
}

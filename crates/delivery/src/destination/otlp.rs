//! OTLP over HTTP in its JSON encoding: one `ExportLogsServiceRequest` holds all log records of a batch.
//!
//! Also reaches what takes OTLP: collectors, Loki, New Relic, Grafana Cloud, Dynatrace. Retried are exactly 429, 502,
//! 503 and 504, as OTLP says. A partial success is final and names no record: every event of that batch is set
//! aside with the receiver's count, so that nothing that was refused is forgotten.

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, otlp};
use serde::{Deserialize, Serialize};

use super::{
    Envelope, Members, headers,
    http::{Endpoint, Exchange, HttpDestination, Limits},
};
use crate::{
    batch::Batch,
    health::{Cause, Reason},
    secret::Secrets,
    verdict::{Item, Partial, Response, Verdict, judge_http},
};

/// Configuration. The values of headers are secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The receiver; without a path, `/v1/logs` is meant.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// Names of extra headers, lower-case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let endpoint = Endpoint::read(members);
        let secrets = Secrets { headers: headers::read(members), ..Secrets::default() };
        let headers = secrets.headers.keys().cloned().collect();
        Some((Self { endpoint: endpoint?, headers }, Some(secrets)))
    }
}

const RECORDS: &[u8] = b"\"logRecords\":[";
const CLOSE: &[u8] = b"]}]}]}";

/// Returns what stands before and within the array of log records of one event's `LogsData`.
fn split(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = record.windows(RECORDS.len()).position(|window| window == RECORDS)? + RECORDS.len();
    Some((&record[..at], record[at..].strip_suffix(CLOSE)?))
}

impl HttpDestination for Config {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        Limits::SAFE
    }

    fn default_format(&self) -> Format {
        Format::Otlp(otlp::Options::default())
    }

    fn refuses(&self, format: &Format) -> Option<String> {
        (!matches!(format, Format::Otlp(_)))
            .then(|| "this destination takes the format otlp".to_owned())
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        format.encode_within(view, actions, self.limits().event_bytes_max, out);
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        // Resource and scope are the same for all events of a destination: one tenant, one service.
        let mut body = Vec::with_capacity(batch.bytes.len());
        for (index, record) in batch.encoded().enumerate() {
            let Some((head, inner)) = split(record) else { continue };
            body.extend_from_slice(if index == 0 { head } else { b"," });
            body.extend_from_slice(inner);
        }
        body.extend_from_slice(CLOSE);
        let url = match self.endpoint.url.path() {
            "" | "/" => self.endpoint.join(&["v1", "logs"]),
            _ => self.endpoint.url.clone(),
        };
        let mut exchange = Exchange::post(url, body);
        headers::put(&mut exchange.headers, envelope.secrets);
        exchange
    }

    fn judge(&self, response: &Response, events: usize) -> Verdict {
        match response.status {
            200..=299 => partial_success(response, events),
            429 | 502..=504 => judge_http(response),
            // Every other 5xx is final by the letter of OTLP. It says nothing about an event, so a person looks.
            500..=599 => Verdict::Pause {
                reason: Reason::new(
                    Cause::Refused,
                    format!(
                        "the receiver answered {}, after which OTLP forbids a retry",
                        response.status
                    ),
                ),
            },
            _ => judge_http(response),
        }
    }
}

fn partial_success(response: &Response, events: usize) -> Verdict {
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let rejected = &body["partialSuccess"]["rejectedLogRecords"];
    // 64-bit integers are strings in Protobuf's JSON; some receivers write numbers.
    let count = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
    if count == 0 {
        return Verdict::Delivered;
    }
    let some = (count as usize) < events;
    let detail = if some {
        format!(
            "the receiver refused {count} of the {events} events sent together and does not say which"
        )
    } else {
        "the receiver refused the event".to_owned()
    };
    let reason = Reason::new(Cause::Refused, detail);
    let rejected =
        (0..events).map(|index| Item { index, reason: reason.clone(), excerpt: None }).collect();
    Verdict::Partial(Partial { rejected, retry: Vec::new(), after: None, reason, doubtful: some })
}

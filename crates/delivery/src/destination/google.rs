//! Google Cloud Logging and Google Security Operations: one family of APIs, one kind of credential.
//!
//! **Cloud Logging**: `entries:write` with `insertId` = event id, so a repeat with the same time is dropped;
//! `partialSuccess` keeps one bad entry from failing the rest, and the answer then names the bad ones. Entries older
//! than 30 days or more than 24 h ahead are sent with the time of sending, their own in the payload.
//!
//! **Security Operations**: `events:import` takes UDM; `logs:import` takes any other format as raw log lines of a
//! log type. Nothing drops repeats; `product_log_id` tells them.

use std::{collections::BTreeMap, time::Duration};

use attestary_event::{Timestamp, View, actions::KnownActions};
use attestary_formats::{Format, product};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{
    Envelope, ManagedBy, Members,
    grant::{self, read_credentials},
    http::{
        Endpoint, Exchange, HttpDestination, Limits, joined, occurred_at, put_identity, put_key,
        put_record, put_text, put_timed, record_text, timed,
    },
    sentinel::read_segment,
};
use crate::{
    batch::Batch,
    health::{Cause, Reason},
    secret::Secrets,
    verdict::{Item, Partial, Response, Verdict, judge_http},
};

const LOGGING_SCOPE: &str = "https://www.googleapis.com/auth/logging.write";
const PLATFORM_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Configuration of Cloud Logging. The service account's key file is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// The API's origin.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// Project that the log belongs to.
    pub project: String,
    /// Name of the log.
    pub log: String,
}

impl Logging {
    pub(super) fn read(
        members: &mut Members<'_>,
        managed_by: ManagedBy,
    ) -> Option<(Self, Option<Secrets>)> {
        let endpoint = Endpoint::read_or(members, Some("https://logging.googleapis.com"));
        let project = read_segment(members, "project");
        let log = members.text("log").unwrap_or("attestary");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if log.is_empty() || log.len() > 500 || !log.bytes().all(plain) {
            members
                .refuse("log", "must have 1 to 500 letters, digits, hyphens, underscores and dots");
        }
        let credentials = read_credentials(members, managed_by);
        let config = Self { endpoint: endpoint?, project: project?, log: log.to_owned() };
        Some((config, Some(credentials?)))
    }
}

impl HttpDestination for Logging {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        Limits {
            event_bytes_max: 200_000,
            age_max: Some(Duration::from_hours(30 * 24)),
            future_max: Some(Duration::from_hours(24)),
            deduplicates: true,
            ..Limits::SAFE
        }
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        put_timed(out, occurred_at(view), |out| {
            put_text(out, "insertId", &view.event.id.to_string());
            put_text(out, "severity", severity(view));
            put_key(out, "labels");
            out.push(b'{');
            put_identity(out, view, "");
            put_text(out, "tenant", view.event.tenant.as_str());
            put_text(out, "environment", view.event.environment.as_str());
            out.push(b'}');
            put_key(out, if format.is_json() { "jsonPayload" } else { "textPayload" });
            put_record(view, format, actions, self.limits().event_bytes_max, out);
            out.push(b'}');
        });
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let mut body = Vec::with_capacity(batch.bytes.len() + batch.records.len() * 48);
        body.push(b'{');
        put_text(&mut body, "logName", &format!("projects/{}/logs/{}", self.project, self.log));
        body.extend_from_slice(
            br#","resource":{"type":"global"},"partialSuccess":true,"entries":["#,
        );
        for (index, record) in batch.encoded().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            let (own, rest) = timed(record);
            let (at, _) = self.limits().stamp(own, envelope.at);
            body.push(b'{');
            put_text(&mut body, "timestamp", &Timestamp(at).to_string());
            body.extend_from_slice(rest);
        }
        body.extend_from_slice(b"]}");
        let mut exchange = Exchange::post(self.endpoint.join(&["v2", "entries:write"]), body);
        exchange.grant = grant::google(envelope, LOGGING_SCOPE);
        // A partial failure names every bad entry.
        exchange.reply_max = 1024 * 1024;
        exchange
    }

    fn judge(&self, response: &Response, events: usize) -> Verdict {
        if response.status == 200 {
            return Verdict::Delivered;
        }
        entry_errors(response, events).unwrap_or_else(|| judge_http(response))
    }
}

fn severity(view: &View<'_>) -> &'static str {
    match view.text("/severity").and_then(|text| text.parse::<u8>().ok()).unwrap_or(3) {
        0..=2 => "INFO",
        3..=5 => "NOTICE",
        6..=8 => "WARNING",
        _ => "ERROR",
    }
}

/// Reads `google.logging.v2.WriteLogEntriesPartialErrors` out of an error: the entries it does not name were taken.
fn entry_errors(response: &Response, events: usize) -> Option<Verdict> {
    #[derive(Deserialize)]
    struct Body {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        #[serde(default)]
        details: Vec<Detail>,
    }
    #[derive(Deserialize)]
    struct Detail {
        #[serde(rename = "logEntryErrors", default)]
        entries: BTreeMap<String, Status>,
    }
    #[derive(Deserialize)]
    struct Status {
        #[serde(default)]
        code: u32,
    }
    let body: Body = serde_json::from_slice(&response.body).ok()?;
    let errors = body.error.details.into_iter().find(|detail| !detail.entries.is_empty())?.entries;
    let (mut rejected, mut retry, mut last) = (Vec::new(), Vec::new(), None);
    for (index, status) in errors {
        let index = index.parse().ok().filter(|index| *index < events)?;
        let code = status.code;
        let reason =
            |cause| Reason::new(cause, format!("Cloud Logging refused an entry with code {code}"));
        match code {
            // PERMISSION_DENIED, UNAUTHENTICATED, NOT_FOUND concern the log, not the entry.
            5 | 7 | 16 => return Some(Verdict::Pause { reason: reason(Cause::Credentials) }),
            // DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE.
            4 | 8 | 10 | 13 | 14 => {
                last = Some(reason(Cause::Throttled));
                retry.push(index);
            }
            _ => rejected.push(Item { index, reason: reason(Cause::Refused), excerpt: None }),
        }
    }
    rejected.sort_by_key(|item| item.index);
    retry.sort_unstable();
    let reason = last.or_else(|| rejected.first().map(|item| item.reason.clone()))?;
    Some(Verdict::Partial(Partial { rejected, retry, after: None, reason, doubtful: false }))
}

fn read_segment_optional(members: &mut Members<'_>, name: &'static str) -> Option<String> {
    if members.present(name) {
        return read_segment(members, name);
    }
    members.take(name);
    None
}

/// Configuration of Security Operations. The service account's key file is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecOps {
    /// The region's API.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// Project that the instance belongs to.
    pub project: String,
    /// Region: `us`, `eu`, …
    pub region: String,
    /// Instance (customer) id.
    pub instance: String,
    /// Log type of raw logs, for formats other than UDM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_type: Option<String>,
    /// Forwarder id of raw logs, for formats other than UDM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarder: Option<String>,
}

impl SecOps {
    pub(super) fn read(
        members: &mut Members<'_>,
        managed_by: ManagedBy,
    ) -> Option<(Self, Option<Secrets>)> {
        let [project, region, instance] =
            ["project", "region", "instance"].map(|name| read_segment(members, name));
        let [log_type, forwarder] =
            ["log_type", "forwarder"].map(|name| read_segment_optional(members, name));
        let usual =
            region.as_ref().map(|region| format!("https://{region}-chronicle.googleapis.com"));
        let endpoint = Endpoint::read_or(members, usual.as_deref());
        let credentials = read_credentials(members, managed_by);
        if log_type.is_some() != forwarder.is_some() {
            members
                .refuse("forwarder", "log_type and forwarder belong together: raw logs need both");
        }
        let config = Self {
            endpoint: endpoint?,
            project: project?,
            region: region?,
            instance: instance?,
            log_type,
            forwarder,
        };
        Some((config, Some(credentials?)))
    }

    fn parent(&self) -> [&str; 7] {
        [
            "v1alpha",
            "projects",
            &self.project,
            "locations",
            &self.region,
            "instances",
            &self.instance,
        ]
    }
}

impl HttpDestination for SecOps {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        // A call has at most 1 MB, and base64 makes four bytes of three.
        Limits { bytes_max: 900_000, ..Limits::SAFE }
    }

    fn default_format(&self) -> Format {
        Format::Udm(product::Options::default())
    }

    fn refuses(&self, format: &Format) -> Option<String> {
        (!matches!(format, Format::Udm(_)) && self.log_type.is_none()).then(|| {
            "formats other than udm go as raw logs: give log_type and forwarder in config"
                .to_owned()
        })
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        if matches!(format, Format::Udm(_)) {
            out.extend_from_slice(b"{\"udm\":");
            put_record(view, format, actions, self.limits().event_bytes_max, out);
            out.push(b'}');
            return;
        }
        let line = record_text(view, format, actions, self.limits().event_bytes_max / 2);
        out.push(b'{');
        put_text(out, "data", &STANDARD.encode(line));
        put_text(out, "logEntryTime", &occurred_at(view).to_string());
        put_text(out, "collectionTime", &view.event.received_at.to_string());
        put_key(out, "labels");
        out.push(b'{');
        for (key, value) in [
            ("attestary_id", view.event.id.to_string()),
            ("attestary_seq", view.event.seq.to_string()),
            ("attestary_leaf_hash", super::http::leaf_hash(view)),
        ] {
            put_key(out, key);
            out.push(b'{');
            put_text(out, "value", &value);
            out.push(b'}');
        }
        out.extend_from_slice(b"}}");
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let mut path = self.parent().to_vec();
        let body = match (envelope.format, &self.log_type, &self.forwarder) {
            (Format::Udm(_), ..) | (_, None, _) | (_, _, None) => {
                path.push("events:import");
                joined(batch, b"{\"inlineSource\":{\"events\":[", b",", b"]}}")
            }
            (_, Some(log_type), Some(forwarder)) => {
                path.extend(["logTypes", log_type, "logs:import"]);
                let mut open = b"{\"inlineSource\":{".to_vec();
                let parent = self.parent()[1..].join("/");
                put_text(&mut open, "forwarder", &format!("{parent}/forwarders/{forwarder}"));
                open.extend_from_slice(b",\"logs\":[");
                joined(batch, &open, b",", b"]}}")
            }
        };
        let mut exchange = Exchange::post(self.endpoint.join(&path), body);
        exchange.grant = grant::google(envelope, PLATFORM_SCOPE);
        exchange
    }
}

//! OpenTelemetry logs in OTLP's JSON encoding: each record is one complete `LogsData` with one log record.
//!
//! A line per `LogsData` is what the collector's file receiver reads. Attributes use the names of the semantic
//! conventions where there are some, `attestary.…` elsewhere; `attestary.id`, `attestary.seq` and
//! `attestary.leaf_hash` are always there. As OTLP says, 64-bit integers are strings in JSON, and trace ids are
//! hexadecimal. Spec: opentelemetry-proto 1.x, logs and common; OTLP 1.x, JSON Protobuf encoding.

#[cfg(test)]
mod tests;
mod value;

use attestary_event::{Timestamp, View, actions::KnownActions};
use serde::{Deserialize, Serialize};

use crate::{
    format::Version,
    intake::object::ObjectWriter,
    party::{self, Party},
    product, residue, texts,
};
use value::Attributes;

/// Options of the OTLP format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Version of the format.
    pub version: Version,
    /// `service.name` of the resource: 1–63 bytes.
    #[serde(deserialize_with = "product::name")]
    pub service: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { version: Version, service: product::default_product() }
    }
}

/// Appends the event as one `LogsData`.
pub(crate) fn encode(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    out: &mut Vec<u8>,
) {
    let mut logs = ObjectWriter::open(out);
    logs.objects("resourceLogs", [()], |resource_logs, ()| {
        resource_logs.object("resource", |resource| {
            let mut attributes = Attributes::open(resource);
            attributes.text("service.name", Some(&options.service));
            attributes.text("deployment.environment.name", Some(view.event.environment.as_str()));
            attributes.close();
        });
        resource_logs.objects("scopeLogs", [()], |scope_logs, ()| {
            scope_logs.object("scope", |scope| _ = scope.text("name", "attestary"));
            scope_logs.objects("logRecords", [()], |record, ()| put_record(record, view, actions));
        });
    });
    logs.close();
}

fn put_record(record: &mut ObjectWriter<'_>, view: &View<'_>, actions: &KnownActions) {
    let occurred_at = view.text("/occurred_at").and_then(Timestamp::parse);
    // Nanoseconds since 1970 without a sign: earlier and much later times stand among the attributes only.
    if let Some(nanos) = occurred_at.and_then(nanos) {
        record.display("timeUnixNano", nanos);
    }
    if let Some(nanos) = nanos(view.event.received_at) {
        record.display("observedTimeUnixNano", nanos);
    }
    let (number, name) = severity(texts::severity(view, actions));
    record.number("severityNumber", number).text("severityText", name);
    if let Some(message) = texts::message(view, actions) {
        record.object("body", |body| _ = body.text("stringValue", &message));
    }
    put_attributes(record, view, actions);
    let trace_id = view.text("/context/trace_id").filter(|id| is_trace_id(id));
    record.optional("traceId", trace_id).optional("eventName", view.text("/action"));
}

fn nanos(instant: Timestamp) -> Option<u64> {
    u64::try_from(instant.0).ok()?.checked_mul(1_000_000)
}

/// Maps 0–10 to the numbers and names of the data model: an everyday failure (up to 5) is no warning.
fn severity(severity: u8) -> (u8, &'static str) {
    match severity {
        0..=5 => (9, "INFO"),
        6..=8 => (13, "WARN"),
        _ => (17, "ERROR"),
    }
}

/// True for 16 bytes in hexadecimal of which not all are zero (W3C Trace Context).
fn is_trace_id(text: &str) -> bool {
    text.len() == 32
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'0')
}

fn put_attributes(record: &mut ObjectWriter<'_>, view: &View<'_>, actions: &KnownActions) {
    let event = view.event;
    let mut attributes = Attributes::open(record);
    attributes.text("attestary.id", Some(&event.id.to_string()));
    attributes.integer("attestary.seq", event.seq);
    attributes.hex("attestary.leaf_hash", &event.leaf_hash);
    attributes.text("attestary.tenant", Some(event.tenant.as_str()));
    if !texts::truncated(view) || view.text("/outcome").is_some() {
        attributes.text("attestary.outcome", Some(texts::outcome(view, actions).as_str()));
        attributes.text("attestary.category", texts::category(view, actions));
        attributes.integer("attestary.severity", u64::from(texts::severity(view, actions)));
    }
    attributes.text("attestary.reason", view.text("/reason"));
    put_actor(&mut attributes, view);
    put_context(&mut attributes, view);
    attributes.json_members(view, &["occurred_at", "impersonator", "on_behalf_of", "targets"]);
    attributes.json_members(view, &["labels", "changes", "schema_version", "metadata"]);
    if texts::truncated(view) {
        attributes.text("attestary.truncated", Some("true"));
    }
    attributes.close();
}

fn put_actor(attributes: &mut Attributes<'_>, view: &View<'_>) {
    let actor = Party::at(view, "/actor");
    attributes.text("user.id", actor.id);
    attributes.text("user.name", actor.name);
    attributes.text("user.email", actor.email);
    attributes.text("attestary.actor.type", actor.kind);
    let inner = crate::intake::object::member(&view.event.body, "actor").unwrap_or_default();
    for (key, name) in
        [("attestary.actor.groups", "groups"), ("attestary.actor.metadata", "metadata")]
    {
        attributes.json(key, residue::filled(inner, name));
    }
    if let Some(target) = party::targets(view).next() {
        attributes.text("attestary.target.type", target.kind);
        attributes.text("attestary.target.id", target.id);
    }
}

fn put_context(attributes: &mut Attributes<'_>, view: &View<'_>) {
    const CONTEXT: [(&str, &str); 10] = [
        ("client.address", "/context/ip"),
        ("user_agent.original", "/context/user_agent"),
        ("session.id", "/context/session_id"),
        ("http.request.method", "/context/http/method"),
        ("url.full", "/context/http/url"),
        ("attestary.context.parent_session_id", "/context/parent_session_id"),
        ("attestary.context.request_id", "/context/request_id"),
        ("attestary.context.location", "/context/location"),
        ("attestary.context.duration_ms", "/context/http/duration_ms"),
        ("attestary.context.attempted_identity", "/context/attempted_identity"),
    ];
    for (key, pointer) in CONTEXT {
        attributes.text(key, view.text(pointer));
    }
    let trace_id = view.text("/context/trace_id").filter(|id| !is_trace_id(id));
    attributes.text("attestary.context.trace_id", trace_id);
    if let Some(status) = texts::http_status(view) {
        attributes.integer("http.response.status_code", status.into());
    }
}

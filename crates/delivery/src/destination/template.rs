//! Generic HTTP: an operator writes method, headers and body; events are filled in, nothing is executed.
//!
//! The body is `open`, the records with `separator` between them, `close`. A record is the text `record` in which
//! `{{name}}` and `{{/json/pointer}}` stand for values of the event. Every value is escaped for where it stands
//! (`escape`), so that no event's text can leave its place; there is no way to switch that off. A repeat of a batch
//! carries the same `idempotency-key`.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use attestary_event::{View, actions::KnownActions, scan::write_string};
use attestary_formats::Format;
use http::{HeaderName, Method, header};
use serde::{Deserialize, Serialize};

use super::{
    Envelope, Members, headers,
    http::{Endpoint, Exchange, HttpDestination, Limits, leaf_hash, record_text},
};
use crate::{
    batch::Batch,
    secret::Secrets,
    verdict::{Response, Verdict, judge_http},
};

/// Longest template in bytes, and most placeholders in it.
const TEMPLATE_BYTES_MAX: usize = 16 * 1024;
const PLACEHOLDERS_MAX: usize = 200;

/// What a value is escaped for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Escape {
    /// The inside of a JSON string; `{{event}}` of a JSON format is the object itself.
    #[default]
    Json,
    /// XML text or an attribute's value.
    Xml,
    /// A value of `application/x-www-form-urlencoded`.
    Form,
    /// A line of text: control characters become spaces.
    Line,
}

/// The method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verb {
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
}

/// Everything but endpoint and headers; each member has a usual value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Body {
    /// The method.
    pub method: Verb,
    /// `Content-Type`.
    pub content_type: String,
    /// What values are escaped for.
    pub escape: Escape,
    /// What stands before the records.
    pub open: String,
    /// One record.
    pub record: String,
    /// What stands between records.
    pub separator: String,
    /// What stands after the records.
    pub close: String,
    /// Events in one request.
    pub events_max: usize,
    /// Bytes of records in one request.
    pub bytes_max: usize,
    /// Whether the body is compressed.
    pub gzip: bool,
    /// Statuses that confirm; every 2xx when empty.
    pub success: BTreeSet<u16>,
}

impl Default for Body {
    fn default() -> Self {
        Self {
            method: Verb::Post,
            content_type: "application/json".to_owned(),
            escape: Escape::Json,
            open: "[".to_owned(),
            record: "{{event}}".to_owned(),
            separator: ",".to_owned(),
            close: "]".to_owned(),
            events_max: 500,
            bytes_max: Limits::SAFE.bytes_max,
            gzip: false,
            success: BTreeSet::new(),
        }
    }
}

const MEMBERS: [&str; 11] = [
    "method",
    "content_type",
    "escape",
    "open",
    "record",
    "separator",
    "close",
    "events_max",
    "bytes_max",
    "gzip",
    "success",
];

/// Configuration. The values of headers are secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The URL, whole.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// Names of extra headers, lower-case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The rest.
    #[serde(flatten)]
    pub body: Body,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let endpoint = Endpoint::read(members);
        let secrets = Secrets { headers: headers::read(members), ..Secrets::default() };
        let headers = secrets.headers.keys().cloned().collect();
        let body: Body = members.options(&MEMBERS)?;
        for (name, problem) in body.problems() {
            members.refuse(name, problem);
        }
        Some((Self { endpoint: endpoint?, headers, body }, Some(secrets)))
    }
}

impl Body {
    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let texts = [
            ("open", &self.open, false),
            ("record", &self.record, true),
            ("separator", &self.separator, false),
            ("close", &self.close, false),
        ];
        for (name, text, filled) in texts {
            if let Err(problem) = check_template(text, filled) {
                problems.push((name, problem));
            }
        }
        let printable = self.content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if self.content_type.is_empty() || self.content_type.len() > 256 || !printable {
            problems
                .push(("content_type", "must have 1 to 256 printable ASCII characters".to_owned()));
        }
        if !(1..=1_000).contains(&self.events_max) {
            problems.push(("events_max", "must be between 1 and 1000".to_owned()));
        }
        if !(10_000..=5_000_000).contains(&self.bytes_max) {
            problems.push(("bytes_max", "must be between 10000 and 5000000".to_owned()));
        }
        if self.success.iter().any(|status| !(200..=299).contains(status)) {
            problems.push(("success", "only statuses from 200 to 299 can confirm".to_owned()));
        }
        if problems.is_empty() && self.escape == Escape::Json && !self.makes_json() {
            let detail = "open, record, separator and close together do not make JSON";
            problems.push(("record", detail.to_owned()));
        }
        problems
    }

    /// Fills in values that break careless quoting and looks whether two records parse, as one value or as lines.
    fn makes_json(&self) -> bool {
        let mut record = Vec::new();
        fill(&self.record, &mut record, |name, out| match name {
            "event" => out.extend_from_slice(b"{}"),
            "seq" => out.extend_from_slice(b"7"),
            _ => escape(Escape::Json, "a\"b\\", out),
        });
        let record = String::from_utf8_lossy(&record).into_owned();
        let parts = [&self.open, &record, &self.separator, &record, &self.close];
        let whole: String = parts.map(String::as_str).concat();
        let mut values =
            serde_json::Deserializer::from_str(&whole).into_iter::<serde_json::Value>();
        values.next().is_some_and(|first| first.is_ok()) && values.all(|value| value.is_ok())
    }
}

/// Names that stand for something besides pointers.
const NAMES: [&str; 7] =
    ["event", "id", "seq", "leaf_hash", "tenant", "environment", "received_at"];

fn check_template(text: &str, filled: bool) -> Result<(), String> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(format!(
            "must have at most {TEMPLATE_BYTES_MAX} bytes; this has {}",
            text.len()
        ));
    }
    if !filled {
        return if text.contains("{{") { Err("has no placeholders".to_owned()) } else { Ok(()) };
    }
    let (mut rest, mut count) = (text, 0);
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else {
            return Err("has a {{ without }}".to_owned());
        };
        let name = name.trim();
        if !NAMES.contains(&name) && !name.starts_with('/') {
            let known = NAMES.join(", ");
            return Err(format!(
                "{{{{{name}}}}} stands for nothing; known: {known}, or a JSON pointer"
            ));
        }
        (rest, count) = (tail, count + 1);
    }
    if count == 0 {
        return Err("must hold a placeholder such as {{event}}".to_owned());
    }
    if count > PLACEHOLDERS_MAX {
        return Err(format!("must have at most {PLACEHOLDERS_MAX} placeholders; this has {count}"));
    }
    Ok(())
}

/// Appends the template with its placeholders filled in. The template was checked.
fn fill(template: &str, out: &mut Vec<u8>, mut value: impl FnMut(&str, &mut Vec<u8>)) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else { break };
        out.extend_from_slice(before.as_bytes());
        value(name.trim(), out);
        rest = tail;
    }
    out.extend_from_slice(rest.as_bytes());
}

/// Appends a value, escaped for its place.
fn escape(escape: Escape, text: &str, out: &mut Vec<u8>) {
    match escape {
        Escape::Json => {
            let mut quoted = Vec::with_capacity(text.len() + 2);
            write_string(text, &mut quoted);
            out.extend_from_slice(&quoted[1..quoted.len() - 1]);
        }
        Escape::Form => {
            url::form_urlencoded::byte_serialize(text.as_bytes())
                .for_each(|part| out.extend_from_slice(part.as_bytes()));
        }
        Escape::Xml => text.chars().for_each(|character| put_xml(character, out)),
        Escape::Line => text.chars().for_each(|character| {
            let line_end = matches!(character, '\u{2028}' | '\u{2029}');
            put_char(if character.is_control() || line_end { ' ' } else { character }, out);
        }),
    }
}

fn put_xml(character: char, out: &mut Vec<u8>) {
    let name = match character {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        '\t' => "&#9;",
        '\n' => "&#10;",
        '\r' => "&#13;",
        // XML 1.0 has no way to write these.
        '\u{fffe}' | '\u{ffff}' => "\u{fffd}",
        other if other.is_control() => "\u{fffd}",
        other => return put_char(other, out),
    };
    out.extend_from_slice(name.as_bytes());
}

fn put_char(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

impl HttpDestination for Config {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        Limits { events_max: self.body.events_max, bytes_max: self.body.bytes_max, ..Limits::SAFE }
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        let event = view.event;
        fill(&self.body.record, out, |name, out| {
            let text = match name {
                "event" => {
                    let record = record_text(view, format, actions, self.limits().event_bytes_max);
                    if self.body.escape == Escape::Json && format.is_json() {
                        return out.extend_from_slice(record.as_bytes());
                    }
                    record
                }
                "id" => event.id.to_string(),
                "seq" => event.seq.to_string(),
                "leaf_hash" => leaf_hash(view),
                "tenant" => event.tenant.as_str().to_owned(),
                "environment" => event.environment.as_str().to_owned(),
                "received_at" => event.received_at.to_string(),
                pointer => view.text(pointer).unwrap_or_default().to_owned(),
            };
            escape(self.body.escape, &text, out);
        });
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let body = super::http::joined(
            batch,
            self.body.open.as_bytes(),
            self.body.separator.as_bytes(),
            self.body.close.as_bytes(),
        );
        let mut exchange = Exchange::post(self.endpoint.url.clone(), body)
            .header(header::CONTENT_TYPE, &self.body.content_type)
            .header(HeaderName::from_static("idempotency-key"), envelope.id);
        exchange.method = match self.body.method {
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
        };
        exchange.gzip = self.body.gzip;
        headers::put(&mut exchange.headers, envelope.secrets);
        exchange
    }

    fn judge(&self, response: &Response, _: usize) -> Verdict {
        let success = &self.body.success;
        let doubtful = (200..=299).contains(&response.status)
            && !success.is_empty()
            && !success.contains(&response.status);
        if doubtful {
            let detail =
                format!("the receiver answered {}, which is not in success", response.status);
            let reason = crate::health::Reason::new(crate::health::Cause::Unavailable, detail);
            return Verdict::Retry { after: None, reason };
        }
        judge_http(response)
    }
}

//! Intake of OpenTelemetry logs: records whose event name is on a list become events, everything else is telemetry.
//!
//! Attributes of the semantic conventions, and those that the OTLP format of this program writes, go to their members;
//! all others are the metadata. The resource and the scope stand in `source.fields`. `attestary.id`, else
//! `log.record.uid`, identifies a record; without one every record is an event of its own.

mod wire;

use attestary_event::{Timestamp, event::write_hex, scan::write_string};
pub use prost::Message;

use super::object::ObjectWriter;
use wire::{AnyValue, KeyValue, LogRecord, Value};
pub use wire::{PartialSuccess, Request, Response, Status};

/// Characters of a string that become the description; what is longer stands among the fields.
const DESCRIPTION_BYTES_MAX: usize = 8 * 1024;

/// Which event names become events: whole names, or beginnings that end in `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// Takes a list of patterns.
    pub fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// Returns whether records of the name become events. A record without a name never does.
    pub fn allow(&self, name: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        };
        !name.is_empty() && self.0.iter().any(fits)
    }
}

/// What identifies a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// An event id of ours.
    Id(String),
    /// Anything that the application chose.
    Uid(String),
}

/// A native submission made from a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Whose event it is, when it says so.
    pub tenant: Option<String>,
    /// What identifies it.
    pub key: Option<Key>,
    /// The native event as JSON, without id and tenant.
    pub json: Vec<u8>,
}

/// What a request holds.
#[derive(Debug, Default)]
pub struct Records {
    /// Those that become events, in order.
    pub events: Vec<Mapped>,
    /// How many others there are.
    pub ignored: u64,
}

impl Request {
    /// Reads a request in its binary form.
    pub fn from_protobuf(body: &[u8]) -> Result<Self, String> {
        Self::decode(body).map_err(|error| error.to_string())
    }

    /// Reads a request in its JSON form.
    pub fn from_json(body: &[u8]) -> Result<Self, String> {
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err("it is no JSON object".to_owned());
        }
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    /// Returns how many records it has.
    pub fn records(&self) -> usize {
        let scopes = self.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        scopes.map(|scope| scope.log_records.len()).sum()
    }

    /// Maps the records whose names are on the list.
    pub fn map(&self, names: &Names) -> Records {
        let mut records = Records::default();
        for logs in &self.resource_logs {
            let resource: &[KeyValue] =
                logs.resource.as_ref().map_or(&[], |resource| resource.attributes.as_slice());
            for scope_logs in &logs.scope_logs {
                let scope = scope_logs.scope.as_ref();
                for record in &scope_logs.log_records {
                    let name = name_of(record);
                    if !names.allow(name) {
                        records.ignored += 1;
                        continue;
                    }
                    let mut attributes = Attributes { own: &record.attributes, used: Vec::new() };
                    records.events.push(attributes.map(name, record, resource, scope));
                }
            }
        }
        records
    }
}

/// Event names had an attribute before they had a member of their own.
fn name_of(record: &LogRecord) -> &str {
    if !record.event_name.is_empty() {
        return &record.event_name;
    }
    plain(&record.attributes, "event.name").unwrap_or_default()
}

fn plain<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match find(attributes, key)? {
        Value::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()
}

/// The attributes of a record, and which of them an event's own members hold.
struct Attributes<'a> {
    own: &'a [KeyValue],
    used: Vec<&'static str>,
}

impl<'a> Attributes<'a> {
    /// Returns the first of the keys that is there, as text.
    fn text(&mut self, keys: &[&'static str]) -> Option<String> {
        keys.iter().find_map(|key| {
            let text = match find(self.own, key)? {
                Value::Text(text) => text.clone(),
                Value::Bool(value) => value.to_string(),
                Value::Int(value) => value.to_string(),
                Value::Double(value) => value.to_string(),
                Value::Array(_) | Value::Map(_) | Value::Bytes(_) => return None,
            };
            self.used.push(key);
            Some(text).filter(|text| !text.is_empty())
        })
    }

    /// Returns an attribute as JSON.
    fn json(&mut self, key: &'static str) -> Option<Vec<u8>> {
        let value = find(self.own, key)?;
        let mut json = Vec::new();
        write_value(Some(value), &mut json);
        self.used.push(key);
        Some(json)
    }

    fn map(
        &mut self,
        name: &str,
        record: &LogRecord,
        resource: &[KeyValue],
        scope: Option<&wire::Scope>,
    ) -> Mapped {
        const TENANT: [&str; 3] = ["attestary.tenant", "tenant.id", "tenant"];
        if record.event_name.is_empty() {
            self.used.push("event.name");
        }
        let tenant = self
            .text(&TENANT)
            .or_else(|| TENANT.iter().find_map(|key| plain(resource, key)).map(str::to_owned));
        let id = self.text(&["attestary.id"]).map(Key::Id);
        let key = id.or_else(|| self.text(&["log.record.uid"]).map(Key::Uid));
        let mut json = Vec::with_capacity(1024);
        let mut out = ObjectWriter::open(&mut json);
        out.text("action", name);
        let time = (record.time_unix_nano > 0)
            .then(|| Timestamp((record.time_unix_nano / 1_000_000) as i64).to_string());
        let time = self.text(&["attestary.occurred_at"]).or(time);
        out.optional("occurred_at", time.as_deref());
        self.actor(&mut out, resource);
        for (key, member) in [
            ("attestary.impersonator", "impersonator"),
            ("attestary.on_behalf_of", "on_behalf_of"),
            ("attestary.labels", "labels"),
            ("attestary.changes", "changes"),
            ("attestary.schema_version", "schema_version"),
        ] {
            out.optional_raw(member, self.json(key).as_deref());
        }
        self.targets(&mut out);
        self.context(&mut out, record);
        out.optional("outcome", self.text(&["attestary.outcome", "event.outcome"]).as_deref());
        out.optional("reason", self.text(&["attestary.reason", "exception.message"]).as_deref());
        out.optional("category", self.text(&["attestary.category"]).as_deref());
        match self.json("attestary.severity") {
            Some(severity) => _ = out.raw("severity", &severity),
            // Severity numbers below 13 are the everyday ones, for which the known action knows better.
            None if record.severity_number >= 13 => {
                out.number("severity", if record.severity_number >= 17 { 8 } else { 5 });
            }
            None => {}
        }
        let body = record.body.as_ref().and_then(|body| body.value.as_ref());
        let (sentence, body) = match body {
            Some(Value::Text(text)) if text.len() <= DESCRIPTION_BYTES_MAX => (Some(text), None),
            other => (None, other),
        };
        let sentence = sentence.filter(|text| !text.is_empty());
        out.optional("description", sentence.map(String::as_str));
        let metadata = self.json("attestary.metadata");
        let has_own = metadata.is_some();
        out.optional_raw("metadata", metadata.as_deref());
        let rest: Vec<&KeyValue> = self.rest().collect();
        if !has_own {
            out.object("metadata", |out| write_members(out, rest.iter().copied()));
        }
        out.object("source", |out| {
            out.text("system", "otlp");
            out.object("fields", |out| {
                if has_own {
                    out.object("attributes", |out| write_members(out, rest.iter().copied()));
                }
                if body.is_some() {
                    write_value(body, out.key("body"));
                }
                out.object("resource", |out| write_members(out, resource.iter()));
                if let Some(scope) = scope {
                    let filled = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
                    out.optional("scope", filled(&scope.name).as_deref());
                    out.optional("scope_version", filled(&scope.version).as_deref());
                }
                if record.span_id.iter().any(|byte| *byte != 0) {
                    out.hex("span_id", &record.span_id);
                }
            });
        });
        out.close();
        Mapped { tenant, key, json }
    }

    /// Nobody named means that the service itself acted.
    fn actor(&mut self, out: &mut ObjectWriter<'_>, resource: &[KeyValue]) {
        let id = self.text(&["user.id", "enduser.id"]);
        let name = self.text(&["user.name", "user.full_name"]);
        let email = self.text(&["user.email"]);
        let kind = self.text(&["attestary.actor.type"]);
        let groups = self.json("attestary.actor.groups");
        let metadata = self.json("attestary.actor.metadata");
        let service = plain(resource, "service.name").unwrap_or("unknown_service");
        let default = if id.is_some() { "user" } else { "service" };
        out.object("actor", |out| {
            let kind = kind.as_deref().unwrap_or(default);
            out.text("type", kind);
            match id.as_deref().or(name.as_deref()) {
                Some(id) => _ = out.text("id", id),
                None if kind == "anonymous" => {}
                None => _ = out.text("id", service),
            }
            out.optional("name", name.as_deref()).optional("email", email.as_deref());
            out.optional_raw("groups", groups.as_deref());
            out.optional_raw("metadata", metadata.as_deref());
        });
    }

    fn targets(&mut self, out: &mut ObjectWriter<'_>) {
        let kind = self.text(&["attestary.target.type"]);
        let id = self.text(&["attestary.target.id"]);
        match self.json("attestary.targets") {
            Some(targets) => _ = out.raw("targets", &targets),
            None => {
                out.objects("targets", id, |out, id| {
                    out.optional("type", kind.as_deref()).text("id", &id);
                });
            }
        }
    }

    fn context(&mut self, out: &mut ObjectWriter<'_>, record: &LogRecord) {
        const TEXTS: [(&str, &[&str]); 7] = [
            ("ip", &["client.address", "source.address"]),
            ("user_agent", &["user_agent.original"]),
            ("session_id", &["session.id"]),
            ("parent_session_id", &["attestary.context.parent_session_id"]),
            ("request_id", &["attestary.context.request_id"]),
            ("location", &["attestary.context.location"]),
            ("attempted_identity", &["attestary.context.attempted_identity"]),
        ];
        let texts = TEXTS.map(|(member, keys)| (member, self.text(keys)));
        let trace = self.text(&["attestary.context.trace_id"]);
        let method = self.text(&["http.request.method"]);
        let url = self.text(&["url.full", "url.path"]);
        let numbers = [
            ("status", self.text(&["http.response.status_code"])),
            ("duration_ms", self.text(&["attestary.context.duration_ms"])),
        ];
        out.object("context", |out| {
            for (member, text) in &texts {
                out.optional(member, text.as_deref());
            }
            if record.trace_id.iter().any(|byte| *byte != 0) {
                out.hex("trace_id", &record.trace_id);
            } else {
                out.optional("trace_id", trace.as_deref());
            }
            out.object("http", |out| {
                out.optional("method", method.as_deref()).optional("url", url.as_deref());
                for (member, text) in &numbers {
                    let number = text
                        .as_ref()
                        .filter(|text| serde_json::from_str::<serde_json::Number>(text).is_ok());
                    out.optional_raw(member, number.map(String::as_bytes));
                }
            });
        });
    }

    /// Returns the attributes that no member holds.
    fn rest(&self) -> impl Iterator<Item = &'a KeyValue> {
        // What the service of the origin said of its own log is no fact of this one.
        let known = |key: &str| self.used.contains(&key);
        self.own.iter().filter(move |attribute| !known(&attribute.key))
    }
}

fn write_members<'v>(
    out: &mut ObjectWriter<'_>,
    attributes: impl IntoIterator<Item = &'v KeyValue>,
) {
    for attribute in attributes {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        write_value(value, out.key(&attribute.key));
    }
}

fn write_value(value: Option<&Value>, out: &mut Vec<u8>) {
    let inner = |value: &AnyValue, out: &mut Vec<u8>| write_value(value.value.as_ref(), out);
    match value {
        None => out.extend_from_slice(b"null"),
        Some(Value::Text(text)) => write_string(text, out),
        Some(Value::Bool(value)) => out.extend_from_slice(value.to_string().as_bytes()),
        Some(Value::Int(value)) => out.extend_from_slice(value.to_string().as_bytes()),
        Some(Value::Double(value)) => match serde_json::Number::from_f64(*value) {
            Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
            // JSON has neither infinities nor NaN.
            None => write_string(&value.to_string(), out),
        },
        Some(Value::Array(array)) => {
            out.push(b'[');
            for (index, value) in array.values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                inner(value, out);
            }
            out.push(b']');
        }
        Some(Value::Map(map)) => {
            let mut object = ObjectWriter::open(out);
            write_members(&mut object, &map.values);
            object.close();
        }
        Some(Value::Bytes(bytes)) => {
            out.push(b'"');
            write_hex(bytes, out);
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests;

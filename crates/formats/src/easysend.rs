//! EasySend's security log, payloads A (flat JSON, 2024-07) and B (ECS 8.11, 2024-11), as its customers receive it.
//!
//! A field is what the event's `source.fields` says when EasySend sent it, else what the mapped members hold, else
//! the metadata member of that name; fields with no value are left out. So an event that came in as payload A goes
//! out with the same members, order and number tokens. Neither payload has a place for seq and leaf hash, which
//! delivery carries beside them. Event names are EasySend's own where it publishes them, else coined ones.

mod fields;
#[cfg(test)]
mod tests;

use attestary_event::{View, actions::KnownActions};
use serde::{Deserialize, Serialize};

use crate::{
    format::Version,
    intake::object::{ObjectWriter, member, members},
    texts,
};
use fields::{FIELDS, Group};

/// Options of the EasySend format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Version of the format.
    pub version: Version,
    /// Which payload.
    pub payload: Payload,
    /// The groups of fields in payload A; payload B has none to choose from.
    pub groups: Vec<Group>,
}

/// The two published payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Flat JSON of 32 fields.
    #[default]
    A,
    /// Elastic Common Schema 8.11.
    B,
}

impl Default for Options {
    fn default() -> Self {
        Self { version: Version, payload: Payload::A, groups: Group::ALL.to_vec() }
    }
}

/// Appends the event as one object.
pub(crate) fn encode(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    out: &mut Vec<u8>,
) {
    let source = Source::of(view);
    let mut payload = ObjectWriter::open(out);
    match options.payload {
        Payload::A => put_flat(&mut payload, view, actions, options, &source),
        Payload::B => put_ecs(&mut payload, view, actions, &source),
    }
    if texts::truncated(view) {
        payload.raw("truncated", b"true");
    }
    payload.close();
}

fn put_flat(
    payload: &mut ObjectWriter<'_>,
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    source: &Source<'_>,
) {
    for field in FIELDS.iter().filter(|field| options.groups.contains(&field.group)) {
        if let Some(json) = source.field(field.name) {
            payload.raw(field.name, json);
        } else if !fields::put_mapped(field.name, view, actions, payload) {
            let metadata = member(&view.event.body, "metadata").unwrap_or_default();
            payload.optional_raw(field.name, member(metadata, field.name).filter(is_value));
        }
    }
    // What EasySend adds some day is in nobody's group.
    let known =
        |token: &[u8]| FIELDS.iter().any(|field| crate::intake::object::is_key(token, field.name));
    let more: Vec<_> = members(source.fields).filter(|(token, _)| !known(token)).collect();
    payload.raw_members(more.iter());
}

fn put_ecs(
    payload: &mut ObjectWriter<'_>,
    view: &View<'_>,
    actions: &KnownActions,
    source: &Source<'_>,
) {
    match source.field("@timestamp") {
        Some(json) => _ = payload.raw("@timestamp", json),
        // Payload B has microseconds and no zone; it means UTC.
        None => {
            let text = texts::occurred_at(view).to_string();
            payload.text("@timestamp", &text.replace('Z', "000"));
        }
    }
    match source.object("client") {
        Some(json) => _ = payload.raw("client", json),
        None => {
            payload.object("client", |client| _ = client.optional("ip", view.text("/context/ip")));
        }
    }
    match source.object("ecs") {
        Some(json) => _ = payload.raw("ecs", json),
        None => _ = payload.object("ecs", |ecs| _ = ecs.text("version", "8.11")),
    }
    match source.object("event") {
        Some(json) => _ = payload.raw("event", json),
        None => {
            payload.object("event", |event| {
                event.text("action", fields::event_name(view, actions));
                event.text("timezone", "UTC");
            });
        }
    }
    payload.raw("geo", source.field("geo").unwrap_or(b"{}"));
    if source.is_ecs {
        let known = |token: &[u8]| {
            ECS_MEMBERS.iter().any(|name| crate::intake::object::is_key(token, name))
        };
        let more: Vec<_> = members(source.fields).filter(|(token, _)| !known(token)).collect();
        payload.raw_members(more.iter());
    }
}

/// The members that stand first in payload B; dotted keys come back nested.
const ECS_MEMBERS: [&str; 9] = [
    "@timestamp",
    "client",
    "ecs",
    "event",
    "geo",
    "client.ip",
    "ecs.version",
    "event.action",
    "event.timezone",
];

fn is_value(json: &&[u8]) -> bool {
    !matches!(json.first(), None | Some(b'{' | b'[' | b'n'))
}

/// What an EasySend adapter kept of the payload because no member of the event holds it.
struct Source<'a> {
    fields: &'a [u8],
    /// It was payload B.
    is_ecs: bool,
}

impl<'a> Source<'a> {
    fn of(view: &View<'a>) -> Self {
        let source = member(&view.event.body, "source").unwrap_or_default();
        let ours = view.text("/source/system") == Some("easysend");
        Self {
            fields: member(source, "fields").filter(|_| ours).unwrap_or_default(),
            is_ecs: ours && view.text("/source/payload") == Some("b"),
        }
    }

    /// Returns an object of payload B as it came.
    fn object(&self, name: &str) -> Option<&'a [u8]> {
        self.field(name).filter(|json| self.is_ecs && json.starts_with(b"{"))
    }

    /// Returns the field as JSON.
    fn field(&self, name: &str) -> Option<&'a [u8]> {
        member(self.fields, name)
    }
}

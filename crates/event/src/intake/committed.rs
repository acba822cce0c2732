//! The committed form of an event, as text and as fields: the submission without `id` and `tenant`, with defaults.
//!
//! Both are made by small edits of what the scanner yielded: nothing is built anew. A default that stands in for
//! an explicit `null` takes its place; the others go to the end of the text.

use std::io::Write as _;

use super::walk::Walked;
use crate::{
    Fields, Timestamp,
    fields::{Kind, Slot, head},
    scan::{Span, write_string},
    spec::tree::Capture,
};

/// The values that intake fills in where the event gives none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolved<'a> {
    pub(crate) occurred_at: Timestamp,
    pub(crate) category: &'a str,
    pub(crate) severity: u8,
    pub(crate) outcome: &'static str,
    pub(crate) actor_type: &'static str,
}

/// Members with a default, in the order in which they are appended.
const DEFAULTED: [(Capture, &str); 4] = [
    (Capture::OccurredAt, "occurred_at"),
    (Capture::Category, "category"),
    (Capture::Severity, "severity"),
    (Capture::Outcome, "outcome"),
];

impl Resolved<'_> {
    /// Appends the value of one member as JSON.
    fn write(&self, capture: Capture, out: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = match capture {
            Capture::OccurredAt => write!(out, "\"{}\"", self.occurred_at),
            Capture::Severity => write!(out, "{}", self.severity),
            Capture::Category => return write_string(self.category, out),
            Capture::Outcome => return write_string(self.outcome, out),
            _ => return write_string(self.actor_type, out),
        };
    }
}

/// One edit of the compact text.
#[derive(Clone, Copy)]
enum Edit {
    /// Take the member out, with the comma after it.
    Remove(Span),
    /// Put the default where `null` stands.
    Replace(Span, Capture),
    /// Put the actor's type at the start of its object.
    ActorType(usize),
}

impl Edit {
    fn start(self) -> usize {
        match self {
            Self::Remove(span) | Self::Replace(span, _) => span.start,
            Self::ActorType(at) => at,
        }
    }
}

/// Writes the compact JSON of the committed members over what `body` holds.
pub(crate) fn write_body(walked: &Walked<'_>, resolved: &Resolved<'_>, body: &mut Vec<u8>) {
    let text = walked.text.as_bytes();
    let end = text.len() - 1;
    body.clear();
    body.reserve(text.len() + 128);
    let mut at = 0;
    for edit in edits(walked).into_iter().flatten() {
        body.extend_from_slice(&text[at..edit.start()]);
        at = match edit {
            Edit::Remove(span) => span.end + usize::from(text[span.end] == b','),
            Edit::Replace(span, capture) => {
                resolved.write(capture, body);
                span.end
            }
            Edit::ActorType(at) => {
                body.extend_from_slice(b"\"type\":");
                resolved.write(Capture::ActorType, body);
                body.push(b',');
                at
            }
        };
    }
    body.extend_from_slice(&text[at..end]);
    // The last member may have been taken out; the comma before it goes too.
    if body.last() == Some(&b',') {
        body.pop();
    }
    for (capture, name) in DEFAULTED {
        if walked.span(capture).is_none() {
            body.extend_from_slice(b",\"");
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(b"\":");
            resolved.write(capture, body);
        }
    }
    body.push(b'}');
}

/// The edits of the text, in its order.
fn edits(walked: &Walked<'_>) -> [Option<Edit>; 7] {
    let remove = |capture, name: &str| {
        // `"name":` stands right before the value.
        walked
            .span(capture)
            .map(|span| Edit::Remove(Span { start: span.start - name.len() - 3, end: span.end }))
    };
    let replace = |capture| {
        let span = walked.span(capture).filter(|_| !walked.has(capture));
        span.map(|span| Edit::Replace(span, capture))
    };
    let actor_type = match walked.span(Capture::ActorType) {
        Some(_) => replace(Capture::ActorType),
        None => walked.span(Capture::Actor).map(|span| Edit::ActorType(span.start + 1)),
    };
    let mut edits = [
        remove(Capture::Id, "id"),
        remove(Capture::Tenant, "tenant"),
        replace(Capture::OccurredAt),
        replace(Capture::Category),
        replace(Capture::Severity),
        replace(Capture::Outcome),
        actor_type,
    ];
    edits.sort_unstable_by_key(|edit| edit.map_or(usize::MAX, Edit::start));
    edits
}

/// Returns the committed fields: those that flattening [`write_body`] would give.
pub(crate) fn fields(mut fields: Fields, walked: &Walked<'_>, resolved: &Resolved<'_>) -> Fields {
    for (capture, pointer) in [(Capture::Id, "/id"), (Capture::Tenant, "/tenant")] {
        if walked.span(capture).is_some()
            && let Ok(at) = fields.position(pointer)
        {
            fields.slots.remove(at);
        }
    }
    let defaults = [
        (Capture::OccurredAt, "/occurred_at", Kind::String),
        (Capture::Category, "/category", Kind::String),
        (Capture::Severity, "/severity", Kind::Number),
        (Capture::Outcome, "/outcome", Kind::String),
        (Capture::ActorType, "/actor/type", Kind::String),
    ];
    for (capture, pointer, kind) in defaults {
        if !walked.has(capture) {
            put(&mut fields, pointer, kind, capture, resolved);
        }
    }
    fields
}

/// Inserts a field, or puts it where `null` stood.
fn put(fields: &mut Fields, pointer: &str, kind: Kind, capture: Capture, resolved: &Resolved<'_>) {
    use std::fmt::Write as _;
    let start = fields.arena.len() as u32;
    fields.arena.push_str(pointer);
    let middle = fields.arena.len() as u32;
    // Writing to a string cannot fail.
    let _ = match capture {
        Capture::OccurredAt => write!(fields.arena, "{}", resolved.occurred_at),
        Capture::Severity => write!(fields.arena, "{}", resolved.severity),
        Capture::Category => fields.arena.write_str(resolved.category),
        Capture::Outcome => fields.arena.write_str(resolved.outcome),
        _ => fields.arena.write_str(resolved.actor_type),
    };
    let value = (middle, fields.arena.len() as u32);
    let slot = Slot { head: head(pointer.as_bytes()), pointer: (start, middle), value, kind };
    match fields.position(pointer) {
        Ok(at) => fields.slots[at] = slot,
        Err(at) => fields.slots.insert(at, slot),
    }
}

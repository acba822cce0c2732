//! CloudEvents 1.0 in the structured JSON mode: an envelope whose `data` is the native JSON.
//!
//! `source` and `id` identify an event together, as the specification wants; seq and leaf hash stand in `data`.
//! Context attributes must not hold control characters or noncharacters, so those become U+FFFD in them; `data`
//! has the exact text. Spec: cloudevents/spec, versions 1.0.2 of the core and of the JSON format.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use attestary_event::{Timestamp, View, event::write_hex};
use sha2::{Digest as _, Sha256};

use crate::{intake::object::ObjectWriter, json, party, texts};

/// Longest percent-encoded tenant in `source`; a longer one is named by its SHA-256 instead, so that the envelope
/// has a bounded length.
const TENANT_BYTES_MAX: usize = 128;

/// Longest `subject` in characters; receivers index it.
const SUBJECT_CHARS_MAX: usize = 1_023;

/// Appends the event in its envelope.
pub(crate) fn encode(view: &View<'_>, out: &mut Vec<u8>) {
    let mut envelope = ObjectWriter::open(out);
    envelope
        .text("specversion", "1.0")
        .display("id", view.event.id)
        .text("source", &source(view))
        .text("type", &attribute(view.text("/action").unwrap_or("unknown"), usize::MAX));
    if let Some(occurred_at) =
        view.text("/occurred_at").and_then(Timestamp::parse).filter(|time| texts::writable(*time))
    {
        envelope.display("time", occurred_at);
    }
    envelope.optional("subject", subject(view).as_deref());
    envelope.text("datacontenttype", "application/json");
    json::encode(view, envelope.key("data"));
    envelope.close();
}

/// Returns `/attestary/<environment>/<tenant>`, a URI reference.
fn source(view: &View<'_>) -> String {
    let mut source = format!("/attestary/{}/", view.event.environment.as_str());
    let tenant = view.event.tenant.as_str();
    let start = source.len();
    for byte in tenant.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            source.push(char::from(byte));
        } else {
            let _ = write!(source, "%{byte:02X}");
        }
    }
    if source.len() - start > TENANT_BYTES_MAX {
        source.truncate(start);
        let mut hex = Vec::with_capacity(64);
        write_hex(&Sha256::digest(tenant), &mut hex);
        source.push_str("sha256.");
        source.push_str(&String::from_utf8_lossy(&hex));
    }
    source
}

/// Returns the first target as `type/id`; its name when it has no id.
fn subject(view: &View<'_>) -> Option<String> {
    let target = party::targets(view).next()?;
    let id = target.id.or(target.name)?;
    let whole = target.kind.map_or_else(|| id.to_owned(), |kind| format!("{kind}/{id}"));
    Some(attribute(&whole, SUBJECT_CHARS_MAX))
}

/// Returns text that may stand in a context attribute (section "Type System": no controls, no noncharacters).
fn attribute(text: &str, chars_max: usize) -> String {
    let forbidden = |c: char| {
        c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
    };
    let kept = text.chars().take(chars_max);
    kept.map(|c| if forbidden(c) { '\u{fffd}' } else { c }).collect()
}

//! RFC 5424 structured data: the event as two elements of parameters, for receivers that index those.
//!
//! `attestary@N` carries id, seq, tenant and leaf hash, as in every message of a syslog destination; `event@N` the
//! rest. In a syslog destination the elements are the message's own structured data and no text follows. Values
//! escape `"`, `\` and `]` and hold no control characters. Spec: RFC 5424, section 6.3.

#[cfg(test)]
mod tests;

use std::io::Write as _;

use attestary_event::{View, actions::KnownActions, event::write_hex};
use serde::{Deserialize, Serialize};

use crate::{format::Version, party::Party, residue, texts};

/// The private enterprise number that RFC 5612 reserves for documentation.
pub(crate) const ENTERPRISE_ID: u32 = 32_473;

/// Options of the structured-data format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Version of the format.
    pub version: Version,
    /// Private enterprise number in the names of the elements; in a syslog destination that of its own options.
    pub enterprise_id: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { version: Version, enterprise_id: ENTERPRISE_ID }
    }
}

/// Appends both elements.
pub(crate) fn encode(
    view: &View<'_>,
    actions: &KnownActions,
    enterprise_id: u32,
    out: &mut Vec<u8>,
) {
    write_identity(view, enterprise_id, out);
    let _ = write!(out, "[event@{enterprise_id}");
    let mut put = |name: &str, text: Option<&str>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let _ = write!(out, " {name}=\"");
            write_value(text, out);
            out.push(b'"');
        }
    };
    put("action", view.text("/action"));
    put("name", Some(&texts::name(view.text("/action").unwrap_or_default(), actions)));
    put("category", texts::category(view, actions));
    put("outcome", Some(texts::outcome(view, actions).as_str()));
    put("severity", Some(itoa::Buffer::new().format(texts::severity(view, actions))));
    put("receivedAt", Some(&view.event.received_at.to_string()));
    put("environment", Some(view.event.environment.as_str()));
    let actor = Party::at(view, "/actor");
    put("actorType", actor.kind);
    put("actorId", actor.id);
    put("actorName", actor.name);
    put("actorEmail", actor.email);
    put("actorGroups", texts::list(view, "/actor/groups").as_deref());
    put("impersonator", texts::other_actor(view, "/impersonator").as_deref());
    put("onBehalfOf", texts::other_actor(view, "/on_behalf_of").as_deref());
    put("targets", texts::targets(view).as_deref());
    for (name, pointer) in TEXTS {
        put(name, view.text(pointer));
    }
    put("labels", texts::list(view, "/labels").as_deref());
    put("message", texts::message(view, actions).as_deref());
    for name in ["changes", "metadata"] {
        put(name, residue::json_text(view, name).as_deref());
    }
    put("truncated", texts::truncated(view).then_some("true"));
    out.push(b']');
}

/// Parameters that are one scalar each; names have at most 32 characters.
const TEXTS: [(&str, &str); 12] = [
    ("reason", "/reason"),
    ("ip", "/context/ip"),
    ("userAgent", "/context/user_agent"),
    ("sessionId", "/context/session_id"),
    ("parentSessionId", "/context/parent_session_id"),
    ("requestId", "/context/request_id"),
    ("traceId", "/context/trace_id"),
    ("location", "/context/location"),
    ("httpMethod", "/context/http/method"),
    ("httpUrl", "/context/http/url"),
    ("httpStatus", "/context/http/status"),
    ("attemptedIdentity", "/context/attempted_identity"),
];

/// Appends the element that tells which event it is.
pub(crate) fn write_identity(view: &View<'_>, enterprise_id: u32, out: &mut Vec<u8>) {
    let event = view.event;
    let _ = write!(
        out,
        "[attestary@{enterprise_id} id=\"{}\" seq=\"{}\" tenant=\"",
        event.id, event.seq
    );
    write_value(event.tenant.as_str(), out);
    out.extend_from_slice(b"\" leaf=\"");
    write_hex(&event.leaf_hash, out);
    out.extend_from_slice(b"\"]");
}

/// Appends a parameter's value: `"`, `\` and `]` escaped, and nothing else; controls as U+FFFD.
fn write_value(text: &str, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    for character in text.chars() {
        if matches!(character, '"' | '\\' | ']') {
            out.push(b'\\');
        }
        let character = if character.is_control() { '\u{fffd}' } else { character };
        out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
}

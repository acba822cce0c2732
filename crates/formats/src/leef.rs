//! IBM LEEF 2.0, for QRadar: a header of pipes and `key=value` pairs that one TAB each separates.
//!
//! LEEF has no escapes. What would end a value or a line becomes a space (TAB, CR, LF, pipes, all other controls
//! and the Unicode line separators), so one event is one record whatever it holds. EventID and `cat` pick
//! QRadar's map entry and are never translated. Id, seq and leaf hash stand in the custom keys `eventUid`, `logSeq`
//! and `leafHash`. Spec: IBM, QRadar LEEF guide 2.0, event components and predefined attributes.

#[cfg(test)]
mod tests;

use attestary_event::{Timestamp, View, actions::KnownActions, event::write_hex};
use serde::{Deserialize, Serialize};

use crate::{
    format::Version,
    party::{self, Party},
    product, residue, texts,
};

/// Options of the LEEF format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Version of the format (not of LEEF, which is always 2.0).
    pub version: Version,
    /// Vendor: 1–63 bytes.
    #[serde(deserialize_with = "product::name")]
    pub vendor: String,
    /// Product: 1–63 bytes.
    #[serde(deserialize_with = "product::name")]
    pub product: String,
    /// Version of the product: 1–63 bytes.
    #[serde(deserialize_with = "product::name")]
    pub product_version: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: Version,
            vendor: product::default_vendor(),
            product: product::default_product(),
            product_version: "1".to_owned(),
        }
    }
}

/// Longest EventID and longest name of a user or account, in characters.
const NAME_CHARS_MAX: usize = 255;
/// Longest other value in characters; the format names no limit.
const TEXT_CHARS_MAX: usize = 1_023;
/// Longest JSON in a value; what is longer is cut, since LEEF promises no structure in values.
const JSON_CHARS_MAX: usize = 4_000;

/// How `devTime` is written, in the terms of Java's `SimpleDateFormat`.
const TIME_FORMAT: &str = "MMM dd yyyy HH:mm:ss.SSS z";

/// Appends the event as one line, without a line end.
pub(crate) fn encode(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"LEEF:2.0|");
    for text in [&options.vendor, &options.product, &options.product_version] {
        write_value(text, NAME_CHARS_MAX, out);
        out.push(b'|');
    }
    write_value(view.text("/action").unwrap_or_default(), NAME_CHARS_MAX, out);
    out.extend_from_slice(b"|x09|");
    let mut pairs = Pairs { out, first: true };
    pairs.put("cat", texts::category(view, actions), TEXT_CHARS_MAX);
    pairs.put_time(texts::occurred_at(view));
    pairs.put_number("sev", texts::severity(view, actions).max(1));
    if let Some(address) = texts::address(view) {
        pairs.put("src", Some(&address.to_string()), TEXT_CHARS_MAX);
    }
    put_actor(&mut pairs, view);
    pairs.put("accountName", Some(view.event.tenant.as_str()), NAME_CHARS_MAX);
    put_rest(&mut pairs, view, actions);
    pairs.put("eventUid", Some(&view.event.id.to_string()), NAME_CHARS_MAX);
    pairs.put_number("logSeq", view.event.seq);
    write_hex(&view.event.leaf_hash, pairs.key("leafHash"));
    if texts::truncated(view) {
        pairs.put("truncated", Some("true"), NAME_CHARS_MAX);
    }
}

fn put_actor(pairs: &mut Pairs<'_>, view: &View<'_>) {
    let actor = Party::at(view, "/actor");
    pairs.put(
        "usrName",
        actor.label().or(view.text("/context/attempted_identity")),
        NAME_CHARS_MAX,
    );
    pairs.put("role", actor.kind, TEXT_CHARS_MAX);
    let id = actor.id.filter(|id| Some(*id) != actor.label());
    pairs.put("actorId", id, TEXT_CHARS_MAX);
    pairs.put("actorEmail", actor.email.filter(|_| actor.name.is_some()), TEXT_CHARS_MAX);
    pairs.put("groupID", texts::list(view, "/actor/groups").as_deref(), TEXT_CHARS_MAX);
    pairs.put("impersonator", texts::other_actor(view, "/impersonator").as_deref(), TEXT_CHARS_MAX);
    pairs.put("onBehalfOf", texts::other_actor(view, "/on_behalf_of").as_deref(), TEXT_CHARS_MAX);
}

fn put_rest(pairs: &mut Pairs<'_>, view: &View<'_>, actions: &KnownActions) {
    let target = party::targets(view).next().unwrap_or_default();
    pairs.put("resource", target.id.or(target.name), TEXT_CHARS_MAX);
    pairs.put("resourceType", target.kind, TEXT_CHARS_MAX);
    pairs.put("resourceName", target.id.and(target.name), TEXT_CHARS_MAX);
    let more = party::targets(view).nth(1).and_then(|_| texts::targets(view));
    pairs.put("targets", more.as_deref(), JSON_CHARS_MAX);
    pairs.put("outcome", Some(texts::outcome(view, actions).as_str()), TEXT_CHARS_MAX);
    const CONTEXT: [(&str, &str); 9] = [
        ("reason", "/reason"),
        ("url", "/context/http/url"),
        ("httpMethod", "/context/http/method"),
        ("httpStatus", "/context/http/status"),
        ("userAgent", "/context/user_agent"),
        ("sessionId", "/context/session_id"),
        ("requestId", "/context/request_id"),
        ("traceId", "/context/trace_id"),
        ("attemptedIdentity", "/context/attempted_identity"),
    ];
    for (key, pointer) in CONTEXT {
        pairs.put(key, view.text(pointer), TEXT_CHARS_MAX);
    }
    pairs.put("environment", Some(view.event.environment.as_str()), TEXT_CHARS_MAX);
    pairs.put("sourceAddress", texts::address_text(view), TEXT_CHARS_MAX);
    pairs.put("labels", texts::list(view, "/labels").as_deref(), TEXT_CHARS_MAX);
    pairs.put("msg", texts::message(view, actions).as_deref(), TEXT_CHARS_MAX);
    for name in ["changes", "metadata"] {
        pairs.put(name, residue::json_text(view, name).as_deref(), JSON_CHARS_MAX);
    }
}

/// The attributes, written one after the other.
struct Pairs<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Pairs<'_> {
    /// Writes a pair unless its text is absent or blank.
    fn put(&mut self, key: &str, text: Option<&str>, chars_max: usize) {
        let Some(text) = text.filter(|text| !text.trim_matches(ends_value).is_empty()) else {
            return;
        };
        write_value(text, chars_max, self.key(key));
    }

    fn put_number(&mut self, key: &str, number: impl itoa::Integer) {
        self.key(key).extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Writes the time and how to read it.
    fn put_time(&mut self, instant: Timestamp) {
        let time = jiff::Timestamp::from_millisecond(instant.0).unwrap_or_default();
        let time = time.strftime("%b %d %Y %H:%M:%S%.3f UTC").to_string();
        self.put("devTime", Some(&time), NAME_CHARS_MAX);
        self.put("devTimeFormat", Some(TIME_FORMAT), NAME_CHARS_MAX);
    }

    /// Writes the key and hands out the buffer for its value.
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b'\t');
        }
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(b'=');
        self.out
    }
}

/// True for what would end a value, a header field or a line, and for the spaces around a value.
fn ends_value(c: char) -> bool {
    c.is_control() || matches!(c, '|' | ' ' | '\u{2028}' | '\u{2029}')
}

/// Appends at most `chars_max` characters, with a space for each that LEEF cannot hold; none at either end.
fn write_value(text: &str, chars_max: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let mut buffer = [0; 4];
    for c in text.trim_matches(ends_value).chars().take(chars_max) {
        let c = if ends_value(c) { ' ' } else { c };
        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }
    let kept = out[start..].trim_ascii_end().len();
    out.truncate(start + kept);
}

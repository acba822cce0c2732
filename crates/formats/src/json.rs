//! Native JSON: the reference format, one compact object per event, and its reader.
//!
//! A record is `id, tenant, environment, seq, received_at`, the members of the body in stored order, then
//! `leaf_hash`. Number tokens are the stored ones. A record is one line for every line reader: inside strings,
//! the characters that some of them take for a line end (U+0085, U+2028, U+2029) and the other controls above
//! U+007E are written as JSON escapes, which changes no value. Encoding loses nothing, so it is the form of
//! exports, and [`decode`] gives the event back.

mod members;
mod shorten;
#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;

use attestary_event::{
    EnvironmentId, Event, EventId, Limits, TenantId, Timestamp, View, Violation, scan::scan,
};
use serde::{Deserialize, Serialize};

pub(crate) use members::{Part, elements, members};
pub(crate) use shorten::{Core, shorten_ironcore};

use crate::format::{Truncation, Version};

/// Options of the native JSON format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Version of the format.
    pub version: Version,
}

/// Appends the event as one line, without a line end.
pub fn encode(view: &View<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    view.event.write_json(out);
    escape_line_ends(start, out);
}

/// Appends the event in at most `bytes_max` bytes (or the smallest form there is, see
/// [`crate::format::CORE_BYTES_MAX`]), marked with `"truncated":true` when anything was left out.
pub fn encode_within(view: &View<'_>, bytes_max: usize, out: &mut Vec<u8>) -> Truncation {
    let start = out.len();
    encode(view, out);
    if out.len() - start <= bytes_max {
        return Truncation::Whole;
    }
    let whole = out.split_off(start);
    shorten::shorten(&whole, bytes_max, out);
    Truncation::Shortened
}

/// Returns the event as it is when its native JSON, `record`, is shortened to `bytes_max`; its body has the
/// member `truncated`.
pub(crate) fn shortened(event: &Event, record: &[u8], bytes_max: usize) -> Event {
    let mut short = Vec::with_capacity(record.len());
    shorten::shorten(record, bytes_max, &mut short);
    Event { body: body(&short), ..event.clone() }
}

/// Returns the event with no more than `core` of its native JSON, `record`.
pub(crate) fn smallest(event: &Event, record: &[u8], core: Core) -> Event {
    let mut short = Vec::with_capacity(1_024);
    shorten::smallest(record, core, &mut short);
    Event { body: body(&short), ..event.clone() }
}

/// Reads an event back from its native JSON.
///
/// Service events and system tenants are read like all others: whoever trusts such a line must check its
/// leaf hash. The entry flags are not part of the form and read as 0.
pub fn decode(line: &[u8]) -> Result<Event, Violation> {
    // What the service adds to an event of the largest size stays far below twice that size.
    let limits = Limits {
        event_bytes_max: 2 * Limits::EVENT_BYTES_CEILING,
        fields_max: 1024,
        ..Limits::default()
    };
    let scanned = scan(line, &limits)?;
    let text = |name: &'static str| {
        let field = scanned.fields.get(name).and_then(|field| field.text());
        field.ok_or_else(|| Violation::new(name, "is missing"))
    };
    let wrong = |name: &'static str| Violation::new(name, "is malformed");
    Ok(Event {
        id: EventId::parse(text("/id")?).ok_or_else(|| wrong("/id"))?,
        tenant: TenantId::restored(text("/tenant")?),
        environment: EnvironmentId::restored(text("/environment")?),
        seq: text("/seq")?.parse().map_err(|_| wrong("/seq"))?,
        received_at: Timestamp::parse(text("/received_at")?)
            .ok_or_else(|| wrong("/received_at"))?,
        flags: 0,
        leaf_hash: hash(text("/leaf_hash")?).ok_or_else(|| wrong("/leaf_hash"))?,
        body: body(&scanned.compact),
    })
}

/// The members that stand in the entry or the genesis, not in the body.
const FACTS: [&str; 6] = ["id", "tenant", "environment", "seq", "received_at", "leaf_hash"];

/// Returns the committed members of a compact record.
fn body(record: &[u8]) -> Box<[u8]> {
    let mut body = vec![b'{'];
    let committed = members(record).filter(|part| !FACTS.iter().any(|fact| part.is(fact)));
    for part in committed {
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend_from_slice(part.text);
    }
    body.push(b'}');
    body.into()
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut hash = [0; 32];
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, &[high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(hash)
}

/// True for what no format writes raw: controls (U+0085 among them) and the two Unicode separators.
fn breaks_lines(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Rewrites `out[start..]`, which is JSON, so that no string in it holds a raw control or line separator.
pub(crate) fn escape_line_ends(start: usize, out: &mut Vec<u8>) {
    let Ok(json) = std::str::from_utf8(&out[start..]) else { return };
    if let Cow::Owned(safe) = one_line(json) {
        out.truncate(start);
        out.extend_from_slice(safe.as_bytes());
    }
}

/// Returns the same JSON value without raw controls or line separators.
///
/// The input has no white space between tokens, so each such character stands inside a string, where its
/// `\u` escape means the same.
pub(crate) fn one_line(json: &str) -> Cow<'_, str> {
    // Nearly all text is free of them; the first bytes of their UTF-8 forms say so without decoding. Every byte is
    // looked at whatever is found, so that the compiler can take many at once.
    let suspect = json.bytes().fold(false, |found, byte| {
        found | (byte < 0x20) | (byte == 0x7f) | (byte == 0xc2) | (byte == 0xe2)
    });
    if !suspect || !json.contains(breaks_lines) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 32);
    for character in json.chars() {
        if breaks_lines(character) {
            use std::fmt::Write as _;
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

//! Form.io's audit line: `date EVENT uuid projectId sessionId userId [more]`, one space between columns.
//!
//! An event that was read from such a line goes out as that line, byte for byte, as long as its `source` has it
//! whole; a line that came with lines that continue it goes out as one, with `\n` for each line end in it, so that
//! nobody gets a second record out of it. Every other event, and one whose line was redacted, is spelt out from its
//! members in the form of today's core (ids in single quotes). Seq and leaf hash have no column.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, io::Write as _};

use attestary_event::{EventId, View, actions::KnownActions};

use crate::{party, texts};

/// Longest column that the line's own reader takes for a project, session or user.
const WORD_BYTES_MAX: usize = 128;

/// Longest column after those three.
const DETAIL_BYTES_MAX: usize = 1_024;

/// Longest event name that the reader takes.
const EVENT_BYTES_MAX: usize = 128;

/// Appends the event as one line, without a line end.
pub(crate) fn encode(view: &View<'_>, actions: &KnownActions, out: &mut Vec<u8>) {
    match original(view) {
        Some(line) => put_one_line(&line, out),
        None => put_columns(view, actions, out),
    }
}

/// Returns the line as it was read, unless it was cut at intake.
fn original<'a>(view: &View<'a>) -> Option<Cow<'a, [u8]>> {
    if view.text("/source/system") != Some("formio") || texts::truncated(view) {
        return None;
    }
    // A line that did not parse is the event's metadata, not the rest of it.
    ["/source", "/metadata"].into_iter().find_map(|place| {
        let part = |name: &str| view.text(&format!("{place}/{name}"));
        let raw = part("raw").filter(|_| part("raw_bytes").is_none())?;
        let exact = part("raw_hex").and_then(bytes_of);
        // The exact bytes count only when all of them were kept.
        let exact = exact.filter(|bytes| String::from_utf8_lossy(bytes) == raw);
        Some(exact.map_or(Cow::Borrowed(raw.as_bytes()), Cow::Owned))
    })
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    bytes.filter(|_| rest.is_empty())
}

/// Appends the line with its inner line ends, and NUL, as escapes.
fn put_one_line(line: &[u8], out: &mut Vec<u8>) {
    for &byte in line {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0 => out.extend_from_slice(b"\\0"),
            byte => out.push(byte),
        }
    }
}

fn put_columns(view: &View<'_>, actions: &KnownActions, out: &mut Vec<u8>) {
    let _ = write!(out, "{} {} ", texts::occurred_at(view), event_name(view, actions));
    let request = view.text("/context/request_id").and_then(EventId::parse);
    let _ = write!(out, "{} ", request.unwrap_or(view.event.id));
    let project = party::targets(view).find(|target| target.kind == Some("project"));
    put_word(project.and_then(|project| project.id), "NoProject", out);
    out.push(b' ');
    put_id(view.text("/context/session_id"), "NoSession", out);
    out.push(b' ');
    put_id(view.text("/actor/id"), "No User", out);
    put_details(view, out);
    if texts::truncated(view) {
        out.extend_from_slice(b" truncated");
    }
}

/// Returns the name of the line's own kind: `A_B`. The action itself when it is one, else Form.io's name for the
/// known action, else the action in capitals.
fn event_name<'a>(view: &View<'a>, actions: &'a KnownActions) -> Cow<'a, str> {
    let action = view.text("/action").unwrap_or_default();
    if is_event_name(action) {
        return Cow::Borrowed(action);
    }
    let aliases = texts::known(view, actions).map_or(&[][..], |spec| &spec.aliases);
    if let Some(alias) = aliases.iter().find(|alias| alias.family == "formio") {
        return Cow::Borrowed(&alias.name);
    }
    let capitals = action.chars().filter_map(|c| match c {
        c if c.is_ascii_alphabetic() => Some(c.to_ascii_uppercase()),
        '.' | '_' | '-' | ' ' | ':' | '/' => Some('_'),
        _ => None,
    });
    let name: String = capitals.take(EVENT_BYTES_MAX).collect();
    if is_event_name(&name) { Cow::Owned(name) } else { Cow::Borrowed("CUSTOM_EVENT") }
}

fn is_event_name(text: &str) -> bool {
    let words = text.split('_');
    text.len() <= EVENT_BYTES_MAX
        && words.clone().count() > 1
        && words
            .into_iter()
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// Appends a column, or the sentinel for none. Spaces and controls in it become `_`: a space would end it.
fn put_word(word: Option<&str>, absent: &str, out: &mut Vec<u8>) {
    match word.filter(|word| !word.is_empty()) {
        Some(word) => put_text(word, WORD_BYTES_MAX, out),
        None => out.extend_from_slice(absent.as_bytes()),
    }
}

fn put_text(text: &str, bytes_max: usize, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    for c in text[..text.floor_char_boundary(bytes_max)].chars() {
        let breaks = c.is_whitespace() || c.is_control() || matches!(c, '{' | '}');
        out.extend_from_slice(if breaks { "_" } else { c.encode_utf8(&mut buffer) }.as_bytes());
    }
}

/// Appends an id in Node's inspect form; a plain word when it is none of MongoDB's.
fn put_id(id: Option<&str>, absent: &str, out: &mut Vec<u8>) {
    match id.filter(|id| is_object_id(id)) {
        Some(id) => _ = write!(out, "new ObjectId('{id}')"),
        None => put_word(id, absent, out),
    }
}

fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Appends what follows the user: the request, or the things it was done to and the name that somebody tried.
fn put_details(view: &View<'_>, out: &mut Vec<u8>) {
    let mut put = |text: Option<&str>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            out.push(b' ');
            put_text(text, DETAIL_BYTES_MAX, out);
        }
    };
    put(view.text("/context/http/method"));
    put(view.text("/context/http/url"));
    put(view.text("/context/http/status"));
    for target in party::targets(view).filter(|target| target.kind != Some("project")) {
        put(target.id);
    }
    put(view.text("/context/attempted_identity"));
}

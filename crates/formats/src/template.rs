//! Lines that an operator writes: a text in which `{{name}}` stands for a value of the event.
//!
//! `{{name}}` is `id`, `seq`, `leaf_hash`, `tenant`, `environment`, `received_at`, `event` (the native JSON), or a JSON
//! pointer into the event; `{{name|escape}}` says how this one value is escaped, else the template's `escape` holds.
//! A pointer to an object or a list gives its JSON, one to nothing gives `missing`. There are no conditions, no loops
//! and no functions, and what an event says is never read as a template. Whatever stands in an event, the record is
//! one line; where the template makes JSON, it stays JSON.
//!
//! With `"media": "json"` the template must make one JSON object: this is tried with values that break careless
//! quoting when the destination is made, so a placeholder that could leave its string is refused.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use attestary_event::{View, event::write_hex, scan::write_string};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{format::Version, json};

/// Longest template in bytes.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;
/// Most placeholders in a template.
pub const PLACEHOLDERS_MAX: usize = 64;
/// Longest text for what is missing.
const MISSING_BYTES_MAX: usize = 64;
/// Deepest pointer.
const DEPTH_MAX: usize = 16;

/// What a value is escaped for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Escape {
    /// A line of text: control characters and line separators become spaces.
    #[default]
    Line,
    /// The inside of a JSON string.
    Json,
    /// XML text or an attribute's value; what XML cannot hold becomes U+FFFD.
    Xml,
    /// A part of a URL, as in RFC 3986: everything but letters, digits and `-._~` as `%XX`.
    Url,
    /// A cell of CSV (RFC 4180), always in quotes.
    Csv,
    /// A value of `key=value` lines, always in quotes, with `\"` and `\\` inside.
    Quoted,
    /// base64 with padding.
    Base64,
}

impl Escape {
    const NAMES: [(&'static str, Self); 7] = [
        ("line", Self::Line),
        ("json", Self::Json),
        ("xml", Self::Xml),
        ("url", Self::Url),
        ("csv", Self::Csv),
        ("quoted", Self::Quoted),
        ("base64", Self::Base64),
    ];
}

/// What a record is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Media {
    /// A line of text.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// A template with its options; it was checked when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Given")]
pub struct Options {
    version: Version,
    text: String,
    escape: Escape,
    media: Media,
    missing: String,
}

/// A template as it is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    version: Version,
    text: String,
    #[serde(default)]
    escape: Option<Escape>,
    #[serde(default)]
    media: Media,
    #[serde(default)]
    missing: String,
}

impl TryFrom<Given> for Options {
    type Error = String;

    fn try_from(given: Given) -> Result<Self, String> {
        let usual = if given.media == Media::Json { Escape::Json } else { Escape::Line };
        let options = Self {
            version: given.version,
            text: given.text,
            escape: given.escape.unwrap_or(usual),
            media: given.media,
            missing: given.missing,
        };
        options.check()?;
        Ok(options)
    }
}

/// A part of a template.
enum Part<'a> {
    Plain(&'a str),
    Value(&'a str, Escape),
}

impl Options {
    /// True when a record is one JSON object.
    pub fn is_json(&self) -> bool {
        self.media == Media::Json
    }

    /// True when the record holds seq and leaf hash.
    pub fn holds_leaf_hash(&self) -> bool {
        let names = |name: &str| {
            self.parts().any(|part| matches!(part, Ok(Part::Value(found, _)) if found == name || found == "event"))
        };
        names("seq") && names("leaf_hash")
    }

    fn check(&self) -> Result<(), String> {
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(format!(
                "text must have at most {TEXT_BYTES_MAX} bytes; this has {}",
                self.text.len()
            ));
        }
        if self.text.chars().any(|c| c.is_control() && c != '\t') {
            return Err("text must not hold control characters: a record is one line".to_owned());
        }
        if self.missing.len() > MISSING_BYTES_MAX || self.missing.chars().any(char::is_control) {
            return Err(format!(
                "missing must have at most {MISSING_BYTES_MAX} bytes and no control characters"
            ));
        }
        let mut count = 0;
        for part in self.parts() {
            count += usize::from(matches!(part?, Part::Value(..)));
        }
        if count == 0 {
            return Err("text must hold a placeholder such as {{/action}}".to_owned());
        }
        if count > PLACEHOLDERS_MAX {
            return Err(format!(
                "text must have at most {PLACEHOLDERS_MAX} placeholders; this has {count}"
            ));
        }
        if self.media == Media::Json && !self.makes_json() {
            return Err("text does not make one JSON object: values stand inside quotes, escaped for json, or are numbers (seq) or event".to_owned());
        }
        Ok(())
    }

    /// Fills in values that break careless quoting and looks whether one JSON object comes of it.
    fn makes_json(&self) -> bool {
        ["a\"b\\,}", "", "{\"a\":[1]}"].iter().all(|text| {
            let mut out = Vec::new();
            for part in self.parts().flatten() {
                match part {
                    Part::Plain(plain) => out.extend_from_slice(plain.as_bytes()),
                    Part::Value("event", Escape::Json) => out.extend_from_slice(b"{\"seq\":1}"),
                    Part::Value("seq", _) => out.push(b'7'),
                    Part::Value(_, escape) => put(escape, text, &mut out),
                }
            }
            serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&out).is_ok()
        })
    }

    fn parts(&self) -> impl Iterator<Item = Result<Part<'_>, String>> {
        let mut rest = Some(self.text.as_str());
        let mut value: Option<Result<Part<'_>, String>> = None;
        std::iter::from_fn(move || {
            if let Some(value) = value.take() {
                return Some(value);
            }
            let text = rest.take()?;
            let Some((before, after)) = text.split_once("{{") else {
                return Some(Ok(Part::Plain(text)));
            };
            match after.split_once("}}") {
                Some((inside, tail)) => {
                    value = Some(placeholder(inside, self.escape));
                    rest = Some(tail);
                }
                None => value = Some(Err("text has a {{ without }}".to_owned())),
            }
            Some(Ok(Part::Plain(before)))
        })
    }

    fn value<'a>(&'a self, view: &View<'a>, name: &str) -> Cow<'a, str> {
        let event = view.event;
        let found = match name {
            "id" => Some(event.id.to_string().into()),
            "seq" => Some(event.seq.to_string().into()),
            "leaf_hash" => Some(hex(&event.leaf_hash).into()),
            "tenant" => Some(event.tenant.as_str().into()),
            "environment" => Some(event.environment.as_str().into()),
            "received_at" => Some(event.received_at.to_string().into()),
            "event" => Some(native(view).into()),
            pointer => view
                .text(pointer)
                .map(Cow::from)
                .or_else(|| container(&event.body, pointer).map(Cow::from)),
        };
        found.unwrap_or_else(|| self.missing.as_str().into())
    }
}

/// Appends the event as one record.
pub fn encode(view: &View<'_>, options: &Options, out: &mut Vec<u8>) {
    for part in options.parts().flatten() {
        match part {
            Part::Plain(plain) => out.extend_from_slice(plain.as_bytes()),
            // The whole event is an object of its own, never the inside of a string.
            Part::Value("event", Escape::Json) if options.is_json() => {
                out.extend_from_slice(native(view).as_bytes());
            }
            Part::Value(name, escape) => put(escape, &options.value(view, name), out),
        }
    }
}

/// Names that stand for something besides pointers.
const NAMES: [&str; 7] =
    ["event", "id", "seq", "leaf_hash", "tenant", "environment", "received_at"];

fn placeholder(inside: &str, usual: Escape) -> Result<Part<'_>, String> {
    // A pointer may hold a bar, so only a known word behind the last one is an escape.
    let (name, escape) = match inside.rsplit_once('|') {
        Some((name, word)) if !word.contains('/') => {
            let found = Escape::NAMES.iter().find(|(known, _)| *known == word.trim());
            let Some((_, escape)) = found else {
                let known: Vec<&str> = Escape::NAMES.iter().map(|(known, _)| *known).collect();
                return Err(format!(
                    "there is no escape {:?}; known: {}",
                    word.trim(),
                    known.join(", ")
                ));
            };
            (name.trim(), *escape)
        }
        _ => (inside.trim(), usual),
    };
    let pointer = name.starts_with('/') && name.split('/').count() <= DEPTH_MAX + 1;
    if !pointer && !NAMES.contains(&name) {
        return Err(format!(
            "{{{{{name}}}}} stands for nothing; known: {}, or a JSON pointer of at most {DEPTH_MAX} parts",
            NAMES.join(", ")
        ));
    }
    Ok(Part::Value(name, escape))
}

fn native(view: &View<'_>) -> String {
    let mut out = Vec::new();
    json::encode(view, &mut out);
    String::from_utf8(out).expect("native JSON is UTF-8")
}

fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    write_hex(bytes, &mut out);
    String::from_utf8(out).expect("hexadecimal is ASCII")
}

/// Returns an object or a list of the body as it stands there.
fn container(body: &[u8], pointer: &str) -> Option<String> {
    let mut value: &RawValue = serde_json::from_slice(body).ok()?;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        value = match value.get().as_bytes().first()? {
            b'{' => {
                let members: std::collections::BTreeMap<Cow<'_, str>, &RawValue> =
                    serde_json::from_str(value.get()).ok()?;
                members.get(part.as_str()).copied()?
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
                items.get(part.parse::<usize>().ok()?).copied()?
            }
            _ => return None,
        };
    }
    let text = value.get();
    text.starts_with(['{', '[']).then(|| text.to_owned())
}

/// Appends a value, escaped for its place.
fn put(escape: Escape, text: &str, out: &mut Vec<u8>) {
    match escape {
        Escape::Line => text.chars().for_each(|c| put_char(if breaks(c) { ' ' } else { c }, out)),
        Escape::Json => {
            let mut quoted = Vec::with_capacity(text.len() + 2);
            write_string(text, &mut quoted);
            out.extend_from_slice(&quoted[1..quoted.len() - 1]);
        }
        Escape::Xml => text.chars().for_each(|c| put_xml(c, out)),
        Escape::Url => {
            for byte in text.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    out.push(byte);
                } else {
                    out.push(b'%');
                    out.extend(hex(&[byte]).to_ascii_uppercase().bytes());
                }
            }
        }
        Escape::Csv | Escape::Quoted => {
            out.push(b'"');
            for c in text.chars() {
                match (escape, c) {
                    (Escape::Csv, '"') => out.extend_from_slice(b"\"\""),
                    (Escape::Quoted, '"' | '\\') => {
                        out.push(b'\\');
                        put_char(c, out);
                    }
                    (_, c) => put_char(if breaks(c) { ' ' } else { c }, out),
                }
            }
            out.push(b'"');
        }
        Escape::Base64 => out.extend_from_slice(STANDARD.encode(text).as_bytes()),
    }
}

/// True for what could end a line.
fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn put_xml(c: char, out: &mut Vec<u8>) {
    let name = match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        '\t' => "&#9;",
        '\n' => "&#10;",
        '\r' => "&#13;",
        '\u{2028}' => "&#8232;",
        '\u{2029}' => "&#8233;",
        '\u{fffe}' | '\u{ffff}' => "\u{fffd}",
        other if other.is_control() => "\u{fffd}",
        other => return put_char(other, out),
    };
    out.extend_from_slice(name.as_bytes());
}

fn put_char(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

//! One line of `events.ndjson`: the entry, and the payload or what is left of it.
//!
//! A line is judged alone: that its payload is what its entry commits to. Where it stands, and whether what is missing may be
//! missing, is judged with the others.

use std::borrow::Cow;

use attestary_event::{Fields, Limits};
use attestary_ledger::{
    Disclosure, Entry, Hash, disclosed_fields_hash, entry::ENTRY_BYTES, entry::FLAG_SERVICE,
    fields_hash,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{manifest::unhex, report::StepName};

/// Longest line: an event of the largest size, escaped, with its salts.
pub(crate) const LINE_BYTES_MAX: usize = 4 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    seq: u64,
    #[serde(borrow)]
    entry: Cow<'a, str>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    seed: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    fields: Option<Vec<FieldLine<'a>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldLine<'a> {
    #[serde(borrow, default)]
    pointer: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    value: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    salt: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    hash: Option<Cow<'a, str>>,
}

/// What of an event is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    Nothing,
    Payload,
    Fields(Vec<u16>),
}

/// What a service event says that other checks need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) action: String,
    /// Digest of the removal list that it commits to.
    pub(crate) removal_sha256: Option<Hash>,
    /// Events that the list names.
    pub(crate) removal_events: Option<u64>,
    /// Older incarnations of the log, the oldest first; of genesis events.
    pub(crate) previous: Vec<Previous>,
}

/// An older incarnation of a log, as the genesis event of a later one names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) origin: String,
    /// Events that the next incarnation went on from.
    pub(crate) size: u64,
    /// Root over them.
    pub(crate) root: Hash,
    /// Its own genesis leaf; every other leaf follows from the later log's entries.
    pub(crate) genesis: Hash,
}

/// A line that holds in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) entry: Entry,
    pub(crate) leaf: Hash,
    pub(crate) missing: Missing,
    /// Of service events.
    pub(crate) said: Option<Box<Said>>,
}

/// Why a line does not hold, and which step says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) step: StepName,
    pub(crate) detail: String,
}

/// Where a service event commits to its removal list.
const REMOVAL_SHA256: &str = "/metadata/list_sha256";
const REMOVAL_EVENTS: &str = "/metadata/events";

/// Older incarnations that are looked at: a log that is restored more often is a log of another kind.
const PREVIOUS_MAX: usize = 64;

fn entries(detail: impl Into<String>) -> Wrong {
    Wrong { step: StepName::Entries, detail: detail.into() }
}

fn payloads(seq: u64, detail: impl std::fmt::Display) -> Wrong {
    Wrong { step: StepName::Payloads, detail: format!("seq {seq}: {detail}") }
}

/// Checks one line; for fuzzing. Returns its seq.
pub fn parse_check(line: &[u8]) -> Result<u64, String> {
    check(line).map(|checked| checked.entry.seq).map_err(|wrong| wrong.detail)
}

/// Checks one line, without its newline.
pub(crate) fn check(line: &[u8]) -> Result<Checked, Wrong> {
    let plain = Plain::of(line).and_then(Plain::check);
    plain.unwrap_or_else(|| check_any(line))
}

/// A line of a whole event as [`write_whole`] makes it, cut without parsing the payload, which is parsed once as an event.
struct Plain<'a> {
    seq: u64,
    entry: &'a [u8],
    payload: &'a [u8],
    seed: [u8; 16],
}

impl<'a> Plain<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        const SEED_BYTES: usize = r#","seed":""#.len() + 32 + r#""}"#.len();
        let rest = line.strip_prefix(br#"{"seq":"#)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at(digits);
        if digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        let seq = str::from_utf8(digits).ok()?.parse().ok()?;
        let (entry, rest) =
            rest.strip_prefix(br#","entry":""#)?.split_at_checked(ENTRY_CHARACTERS)?;
        let rest = rest.strip_prefix(br#"","payload":"#)?;
        let (payload, end) = rest.split_at_checked(rest.len().checked_sub(SEED_BYTES)?)?;
        let seed = end.strip_prefix(br#","seed":""#)?.strip_suffix(br#""}"#)?;
        Some(Self { seq, entry, payload, seed: unhex(str::from_utf8(seed).ok()?)? })
    }

    /// Returns what the line is; `None` when its parts are not what they look like, so that the general way names why.
    fn check(self) -> Option<Result<Checked, Wrong>> {
        let entry = entry(self.entry).ok().filter(|entry| entry.seq == self.seq)?;
        let fields = Fields::parse(self.payload, &limits()).ok()?;
        Some(whole(entry, &fields, &self.seed))
    }
}

/// Compares the fields of a whole event with its entry.
fn whole(entry: Entry, fields: &Fields, seed: &[u8; 16]) -> Result<Checked, Wrong> {
    let hashed =
        fields.iter().map(|field| (field.pointer, field.kind as u8, field.value.as_bytes()));
    let service = entry.flags & FLAG_SERVICE != 0;
    let said =
        service.then(|| Box::new(said(|pointer| fields.get(pointer)?.text().map(str::to_owned))));
    compared(entry, fields.len(), fields_hash(seed, hashed), Missing::Nothing, said)
}

fn compared(
    entry: Entry,
    count: usize,
    root: Hash,
    missing: Missing,
    said: Option<Box<Said>>,
) -> Result<Checked, Wrong> {
    let seq = entry.seq;
    if count != usize::from(entry.n_fields) {
        let why = format!("{count} fields are given; the entry commits to {}", entry.n_fields);
        return Err(payloads(seq, why));
    }
    if root != entry.fields_hash {
        return Err(payloads(seq, "the fields are not those that the entry commits to"));
    }
    Ok(Checked { entry, leaf: entry.leaf_hash(), missing, said })
}

/// Checks a line of any form.
fn check_any(line: &[u8]) -> Result<Checked, Wrong> {
    let text = str::from_utf8(line).map_err(|_| entries("a line is not UTF-8"))?;
    let line: Line<'_> = serde_json::from_str(text)
        .map_err(|error| entries(format!("a line is malformed: {error}")))?;
    let seq = line.seq;
    let entry = entry(line.entry.as_bytes()).map_err(|why| entries(format!("seq {seq}: {why}")))?;
    if entry.seq != seq {
        return Err(entries(format!("a line says seq {seq}, its entry {}", entry.seq)));
    }
    let service = entry.flags & FLAG_SERVICE != 0;
    match (line.payload, line.seed, line.fields) {
        (Some(payload), Some(seed), None) => {
            let seed =
                unhex(&seed).ok_or_else(|| payloads(seq, "the seed is not 32 hex digits"))?;
            let fields = Fields::parse(payload.get().as_bytes(), &limits());
            let fields = fields.map_err(|violation| payloads(seq, violation))?;
            whole(entry, &fields, &seed)
        }
        (None, None, Some(fields)) => {
            let (root, hidden) = disclosed(&fields).map_err(|why| payloads(seq, why))?;
            let said = service.then(|| Box::new(said(|pointer| shown(&fields, pointer))));
            let missing =
                if hidden.is_empty() { Missing::Nothing } else { Missing::Fields(hidden) };
            compared(entry, fields.len(), root, missing, said)
        }
        (None, None, None) => {
            let count = usize::from(entry.n_fields);
            compared(entry, count, entry.fields_hash, Missing::Payload, None)
        }
        _ => Err(payloads(seq, "a line has a payload and its seed, or fields, or nothing")),
    }
}

/// Base64 of an entry.
const ENTRY_CHARACTERS: usize = ENTRY_BYTES.div_ceil(3) * 4;

fn entry(text: &[u8]) -> Result<Entry, String> {
    // Padding stands for bytes that the decoder reserves.
    let mut bytes = [0; ENTRY_CHARACTERS / 4 * 3];
    let decoded = if text.len() == ENTRY_CHARACTERS {
        STANDARD.decode_slice(text, &mut bytes).ok().filter(|count| *count == ENTRY_BYTES)
    } else {
        None
    };
    decoded.ok_or("the entry is not the Base64 of 88 bytes")?;
    Entry::decode(&bytes[..ENTRY_BYTES]).map_err(|error| error.to_string())
}

/// The intake's own limits at their ceiling: what it accepted is read, and nothing hostile takes longer.
fn limits() -> Limits {
    Limits {
        event_bytes_max: 2 * Limits::EVENT_BYTES_CEILING,
        fields_max: 65_535,
        ..Limits::default()
    }
}

/// Returns the root over shown and hidden fields, and the indexes of the hidden ones.
fn disclosed(fields: &[FieldLine<'_>]) -> Result<(Hash, Vec<u16>), String> {
    enum Given<'a> {
        Shown { salt: [u8; 16], pointer: &'a str, kind: u8, value: &'a str },
        Hidden(Hash),
    }
    let (mut given, mut hidden, mut last): (Vec<Given<'_>>, Vec<u16>, Option<&str>) =
        Default::default();
    if fields.len() > usize::from(u16::MAX) {
        return Err("more fields than an event can have".into());
    }
    for (index, field) in fields.iter().enumerate() {
        match field {
            FieldLine { hash: Some(hash), pointer: None, kind: None, value: None, salt: None } => {
                given.push(Given::Hidden(unhex(hash).ok_or("a hash is not 64 hex digits")?));
                hidden.push(index as u16);
            }
            FieldLine {
                hash: None,
                pointer: Some(pointer),
                kind: Some(kind),
                value: Some(value),
                salt: Some(salt),
            } => {
                let salt = unhex(salt).ok_or("a salt is not 32 hex digits")?;
                if last.is_some_and(|last| last.as_bytes() >= pointer.as_bytes()) {
                    return Err("the fields are not in the order of their pointers".into());
                }
                last = Some(pointer);
                let kind = match kind.as_bytes() {
                    [kind @ (b's' | b'n')] => *kind,
                    [kind @ (b't' | b'f' | b'z' | b'o' | b'a')] if value.is_empty() => *kind,
                    _ => return Err("a field has a type that does not exist".into()),
                };
                given.push(Given::Shown { salt, pointer, kind, value });
            }
            _ => return Err("a field has pointer, type, value and salt, or a hash".into()),
        }
    }
    let root = disclosed_fields_hash(given.iter().map(|given| match given {
        Given::Hidden(hash) => Disclosure::Hidden(hash),
        Given::Shown { salt, pointer, kind, value } => {
            Disclosure::Shown { salt, pointer, kind: *kind, value: value.as_bytes() }
        }
    }));
    Ok((root, hidden))
}

fn shown(fields: &[FieldLine<'_>], pointer: &str) -> Option<String> {
    let field = fields.iter().find(|field| field.pointer.as_deref() == Some(pointer))?;
    field.value.as_deref().map(str::to_owned)
}

fn said(text: impl Fn(&str) -> Option<String>) -> Said {
    Said {
        action: text("/action").unwrap_or_default(),
        removal_sha256: text(REMOVAL_SHA256).and_then(|text| unhex(&text)),
        removal_events: text(REMOVAL_EVENTS).and_then(|text| text.parse().ok()),
        previous: (0..PREVIOUS_MAX).map_while(|index| previous(index, &text)).collect(),
    }
}

fn previous(index: usize, text: &impl Fn(&str) -> Option<String>) -> Option<Previous> {
    let member = |name: &str| text(&format!("/metadata/previous/{index}/{name}"));
    Some(Previous {
        origin: member("origin")?,
        size: member("size")?.parse().ok()?,
        root: unhex(&member("root")?)?,
        genesis: unhex(&member("genesis")?)?,
    })
}

/// Appends the line of a whole event.
pub fn write_whole(entry: &Entry, payload: &[u8], seed: &[u8; 16], out: &mut Vec<u8>) {
    write_entry(entry, out);
    out.extend_from_slice(b",\"payload\":");
    out.extend_from_slice(payload);
    out.extend_from_slice(b",\"seed\":\"");
    attestary_event::event::write_hex(seed, out);
    out.extend_from_slice(b"\"}\n");
}

/// Appends the line of an event some of whose fields are gone or withheld, in the order of pointer bytes.
pub fn write_fields<'a>(
    entry: &Entry,
    fields: impl Iterator<Item = Disclosure<'a>>,
    out: &mut Vec<u8>,
) {
    write_entry(entry, out);
    out.extend_from_slice(b",\"fields\":[");
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match field {
            Disclosure::Hidden(hash) => {
                out.extend_from_slice(b"{\"hash\":\"");
                attestary_event::event::write_hex(hash, out);
            }
            Disclosure::Shown { salt, pointer, kind, value } => {
                out.extend_from_slice(b"{\"pointer\":");
                attestary_event::scan::write_string(pointer, out);
                out.extend_from_slice(b",\"type\":\"");
                out.push(kind);
                out.extend_from_slice(b"\",\"value\":");
                // Values are UTF-8: they were flattened from JSON.
                attestary_event::scan::write_string(str::from_utf8(value).unwrap_or_default(), out);
                out.extend_from_slice(b",\"salt\":\"");
                attestary_event::event::write_hex(salt, out);
            }
        }
        out.extend_from_slice(b"\"}");
    }
    out.extend_from_slice(b"]}\n");
}

/// Appends the line of an event whose payload is gone.
pub fn write_gone(entry: &Entry, out: &mut Vec<u8>) {
    write_entry(entry, out);
    out.extend_from_slice(b"}\n");
}

fn write_entry(entry: &Entry, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"seq\":{},\"entry\":\"", entry.seq).as_bytes());
    out.extend_from_slice(STANDARD.encode(entry.encode()).as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use attestary_ledger::origin_id;

    use super::*;

    fn line(payload: &str) -> String {
        let seed = [7; 16];
        let fields = Fields::parse(payload.as_bytes(), &limits()).unwrap();
        let hashed = fields.iter().map(|f| (f.pointer, f.kind as u8, f.value.as_bytes()));
        let entry = Entry {
            origin: origin_id("audit.example.com/t/X"),
            seq: 42,
            received_ms: 1,
            event_id: [3; 16],
            n_fields: fields.len() as u16,
            flags: 0,
            fields_hash: fields_hash(&seed, hashed),
        };
        let mut out = Vec::new();
        write_whole(&entry, payload.as_bytes(), &seed, &mut out);
        String::from_utf8(out).unwrap().trim_end().to_owned()
    }

    /// The short way and the general way say the same of a line, whatever was done to it.
    #[test]
    fn a_line_is_judged_alike_by_both_ways() {
        let good = line(r#"{"action":"a.b","n":1.50,"s":"\",\"seed\":\""}"#);
        assert!(Plain::of(good.as_bytes()).and_then(Plain::check).unwrap().is_ok());
        let judged = |text: &[u8]| {
            let plain = Plain::of(text).and_then(Plain::check);
            if let Some(plain) = plain {
                assert_eq!(plain, check_any(text), "{}", String::from_utf8_lossy(text));
            }
        };
        for at in 0..good.len() {
            for byte in [b'"', b'}', b' ', b'0', b'\\', 0x80, good.as_bytes()[at] ^ 1] {
                let mut changed = good.clone().into_bytes();
                changed[at] = byte;
                judged(&changed);
                changed.remove(at);
                judged(&changed);
            }
            judged(&good.as_bytes()[..at]);
        }
        for (from, to) in [
            ("42", "042"),
            ("42", "-42"),
            ("42", "42.0"),
            (r#","seed""#, r#","seed":"x","seed""#),
            (r#""payload":"#, r#""payload": "#),
            (r#""payload":"#, r#""payload":null,"x":"#),
        ] {
            judged(good.replacen(from, to, 1).as_bytes());
        }
    }
}

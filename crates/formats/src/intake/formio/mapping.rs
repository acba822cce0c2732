//! Writing a line as a native submission.

use std::borrow::Cow;

use attestary_event::{Timestamp, event::write_hex};

use super::{
    CONTINUED, FLAGGED, INVALID_UTF8, Pending, SUSPECTED_FORGERY, TRUNCATED, UNEXPECTED_COLUMNS,
    UNPARSED, UNPARSED_TEXT,
    columns::{self, Columns},
    details::{self, Details},
    line::{self, Header},
};
use crate::intake::object::ObjectWriter;

/// Bytes of the JSON that the reader yields: an event's 64 KiB less its id and tenant.
const JSON_BYTES_MAX: usize = 63 * 1024;

/// Bytes of the longest string in an event.
const STRING_BYTES_MAX: usize = 32 * 1024;

/// Bytes of a line with invalid UTF-8 that are kept as hexadecimal digits, two for each.
const HEX_BYTES_MAX: usize = 8 * 1024;

/// Room for labels, flags and the braces around them.
const TAIL_BYTES_MAX: usize = 512;

/// Longest values of members that hold foreign text. Escapes can make six bytes of one, and all that may
/// stand in one event must leave room for a part of the line: 6 × (4,096 + 4,096) is 48 KiB at worst.
const URL_BYTES_MAX: usize = 4_096;
const IDENTITY_BYTES_MAX: usize = 1_024;
const REASON_BYTES_MAX: usize = 512;
const TEXT_BYTES_MAX: usize = 2_048;

/// What a line becomes.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) json: Vec<u8>,
    pub(super) tenant_hint: Option<String>,
    pub(super) flags: Vec<&'static str>,
    pub(super) parsed: bool,
}

/// Maps a completed item.
pub(super) fn map(pending: &Pending) -> Mapped {
    let text = line::readable(&pending.text.bytes);
    let mut flags = Vec::new();
    if pending.suspected {
        flags.push(SUSPECTED_FORGERY);
    }
    if pending.text.truncated {
        flags.push(TRUNCATED);
    }
    match Line::read(pending, &text) {
        Some(line) => line.mapped(pending, flags),
        None => unparsed(pending, flags),
    }
}

/// A line that parsed.
#[derive(Debug)]
struct Line<'a> {
    time: Timestamp,
    header: Header<'a>,
    columns: Columns<'a>,
    details: Details<'a>,
}

impl<'a> Line<'a> {
    fn read(pending: &Pending, text: &'a str) -> Option<Self> {
        let (first, continuation) = match text.split_once('\n') {
            Some((first, continuation)) => (first, Some(continuation)),
            None => (text, None),
        };
        let header = line::header(first).filter(|_| pending.event)?;
        let columns = columns::split(header.rest).filter(|_| line::is_event_name(header.event))?;
        let time = Timestamp::parse(header.date)?;
        Some(Self {
            time,
            header,
            columns,
            details: details::read(header.event, &columns, continuation),
        })
    }

    fn mapped(&self, pending: &Pending, mut flags: Vec<&'static str>) -> Mapped {
        let (columns, details) = (&self.columns, &self.details);
        if !columns.regular || details.unexpected {
            flags.push(UNEXPECTED_COLUMNS);
        }
        if details.continuation.is_some() {
            flags.push(CONTINUED);
            // No error is printed here, so what goes on is the name.
            if details.attempted.is_some() && !pending.suspected {
                flags.push(SUSPECTED_FORGERY);
            }
        }
        let mut cutter = Cutter::default();
        let mut json = Vec::with_capacity(1024);
        let mut event = ObjectWriter::open(&mut json);
        event.text("action", self.header.event).display("occurred_at", self.time);
        event.object("actor", |actor| match columns.user {
            Some(user) => _ = actor.text("type", "user").text("id", user),
            None => _ = actor.text("type", "anonymous"),
        });
        self.targets(&mut event);
        event.object("context", |context| self.context(context, &mut cutter));
        let reason = details.error.as_deref().and_then(|error| error.lines().next());
        event.optional("reason", cutter.cut(reason, REASON_BYTES_MAX));
        event.object("metadata", |metadata| self.metadata(metadata, &mut cutter));
        if cutter.cut && !pending.text.truncated {
            flags.push(TRUNCATED);
        }
        let raw = Raw::of(&pending.text.bytes, room(&event), &mut flags);
        labels(&mut event, &flags);
        event.object("source", |source| {
            source.text("system", "formio").texts("flags", flags.iter().copied());
            raw.write(source);
        });
        event.close();
        let trusted =
            columns.project.filter(|project| !pending.suspected && columns::is_id(project));
        let tenant_hint = trusted.map(str::to_owned);
        Mapped { json, tenant_hint, flags, parsed: true }
    }

    /// The things the line names first, then the project, unless it is one of them.
    fn targets(&self, event: &mut ObjectWriter<'_>) {
        let named = self.details.targets.iter().map(|(kind, id)| (kind.as_ref(), *id));
        let project = self.columns.project.map(|project| ("project", project));
        let project = project.filter(|project| !named.clone().any(|target| target == *project));
        let mut targets = named.chain(project).peekable();
        if targets.peek().is_none() {
            return;
        }
        let out = event.key("targets");
        for (index, (kind, id)) in targets.enumerate() {
            out.push(if index == 0 { b'[' } else { b',' });
            let mut target = ObjectWriter::open(out);
            target.text("type", kind).text("id", id);
            target.close();
        }
        out.push(b']');
    }

    fn context(&self, context: &mut ObjectWriter<'_>, cutter: &mut Cutter) {
        let details = &self.details;
        context.optional("session_id", self.columns.session).text("request_id", self.header.uuid);
        context.object("http", |http| {
            http.optional("method", details.method)
                .optional("url", cutter.cut(details.path, URL_BYTES_MAX));
            for (key, number) in [("status", details.status), ("duration_ms", details.duration_ms)]
            {
                if let Some(number) = number {
                    http.raw(key, number.as_bytes());
                }
            }
        });
        context.optional("attempted_identity", cutter.cut(details.attempted, IDENTITY_BYTES_MAX));
    }

    fn metadata(&self, metadata: &mut ObjectWriter<'_>, cutter: &mut Cutter) {
        let details = &self.details;
        match details.query.map(details::query) {
            Some(details::Query::Json(json)) => _ = metadata.raw("query", &json),
            Some(details::Query::Text(text)) => {
                _ = metadata.optional("query_text", cutter.cut(Some(text), TEXT_BYTES_MAX));
            }
            Some(details::Query::Empty) | None => {}
        }
        if let Some(seconds) = details.seconds {
            metadata.raw("seconds", seconds.as_bytes());
        }
        // An error of one line is the reason already.
        let error = details.error.as_deref().filter(|error| error.contains('\n'));
        metadata
            .optional("error", cutter.cut(error, TEXT_BYTES_MAX))
            .optional("columns", cutter.cut(details.rest, TEXT_BYTES_MAX))
            .optional("continuation", cutter.cut(details.continuation, TEXT_BYTES_MAX));
    }
}

/// Keeps text that is no audit line.
fn unparsed(pending: &Pending, mut flags: Vec<&'static str>) -> Mapped {
    flags.insert(0, UNPARSED_TEXT);
    let docker_time = pending.text.docker_time.as_deref().and_then(Timestamp::parse);
    let mut json = Vec::with_capacity(512);
    let mut event = ObjectWriter::open(&mut json);
    event.text("action", UNPARSED);
    event.optional("occurred_at", docker_time.map(|time| time.to_string()).as_deref());
    event.object("actor", |actor| _ = actor.text("type", "anonymous"));
    let raw = Raw::of(&pending.text.bytes, room(&event), &mut flags);
    event.object("metadata", |metadata| raw.write(metadata));
    labels(&mut event, &flags);
    event.object("source", |source| {
        source.text("system", "formio").texts("flags", flags.iter().copied());
    });
    event.close();
    Mapped { json, tenant_hint: None, flags, parsed: false }
}

fn labels(event: &mut ObjectWriter<'_>, flags: &[&'static str]) {
    let forged = flags.contains(&SUSPECTED_FORGERY).then_some(SUSPECTED_FORGERY);
    let flagged = (!flags.is_empty()).then_some(FLAGGED);
    event.texts("labels", flagged.into_iter().chain(forged));
}

/// Returns how many bytes of JSON the line itself may take.
fn room(event: &ObjectWriter<'_>) -> usize {
    JSON_BYTES_MAX.saturating_sub(event.written() + TAIL_BYTES_MAX)
}

/// The line as kept: all of it, or as much as fits.
#[derive(Debug)]
struct Raw<'a> {
    text: Cow<'a, str>,
    /// The exact bytes in hexadecimal, when they are no UTF-8.
    hex: Option<Vec<u8>>,
    /// Bytes of the whole, when not all are kept.
    bytes: Option<usize>,
}

impl<'a> Raw<'a> {
    fn of(bytes: &'a [u8], room: usize, flags: &mut Vec<&'static str>) -> Self {
        let text = line::lossy(bytes);
        let mut hex = None;
        if matches!(text, Cow::Owned(_)) {
            flags.push(INVALID_UTF8);
            let kept = &bytes[..bytes.len().min(HEX_BYTES_MAX).min(room / 4)];
            let mut digits = Vec::with_capacity(2 * kept.len());
            write_hex(kept, &mut digits);
            hex = Some(digits);
        }
        let end = fitting(&text, room - hex.as_ref().map_or(0, Vec::len));
        let cut = end < text.len();
        if cut && !flags.contains(&TRUNCATED) {
            flags.push(TRUNCATED);
        }
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
            Cow::Owned(mut text) => {
                text.truncate(end);
                Cow::Owned(text)
            }
        };
        Self { text, hex, bytes: cut.then_some(bytes.len()) }
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.text("raw", &self.text);
        if let Some(hex) = &self.hex {
            object.text("raw_hex", std::str::from_utf8(hex).expect("hexadecimal digits are ASCII"));
        }
        if let Some(bytes) = self.bytes {
            object.raw("raw_bytes", bytes.to_string().as_bytes());
        }
    }
}

/// Returns the length of the longest start of `text` that takes at most `room` bytes as a JSON string.
fn fitting(text: &str, room: usize) -> usize {
    // No byte takes more than six.
    if text.len() <= (room / 6).min(STRING_BYTES_MAX) {
        return text.len();
    }
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += match c {
            '"' | '\\' => 2,
            c if c.is_control() => 6,
            c => c.len_utf8(),
        };
        if taken > room || at + c.len_utf8() > STRING_BYTES_MAX {
            return at;
        }
    }
    text.len()
}

/// Cuts values to their longest, and remembers that it did.
#[derive(Debug, Default)]
struct Cutter {
    cut: bool,
}

impl Cutter {
    fn cut<'t>(&mut self, text: Option<&'t str>, bytes_max: usize) -> Option<&'t str> {
        let text = text?;
        let end = text.floor_char_boundary(bytes_max);
        self.cut |= end < text.len();
        Some(&text[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_its_json_no_longer_fits() {
        for text in ["plain", "a\"b\\c", "\u{1b}\u{85}x", "äöü€😀", "", "\n\n\n"] {
            for room in 0..80 {
                let mut expected = text.len();
                let mut taken = 0;
                for (at, c) in text.char_indices() {
                    taken += match c {
                        '"' | '\\' => 2,
                        c if c.is_control() => 6,
                        c => c.len_utf8(),
                    };
                    if taken > room {
                        expected = at;
                        break;
                    }
                }
                assert_eq!(fitting(text, room), expected, "{text:?} in {room}");
            }
        }
        let long = "x".repeat(STRING_BYTES_MAX + 1);
        assert_eq!(fitting(&long, usize::MAX), STRING_BYTES_MAX);
    }
}

//! Intake of Form.io audit lines: a line reader as a state machine without I/O.
//!
//! A line reads `date EVENT uuid projectId sessionId userId [more]`, one space between columns. Lines that do
//! not start an event continue the one before them (errors print over several lines); without one before
//! them they are kept raw. Nothing is dropped but blank lines: what does not parse becomes an event
//! [`UNPARSED`] with the text in its metadata. Lines that docker's json-file driver wrapped are unwrapped, and
//! colour escapes are ignored.
//!
//! **What a line says is never proof.** Attempted user names are printed raw, so somebody who tries to sign in
//! under a name with a line break in it writes lines of his own into the log. Such lines are flagged where they
//! can be told (see [`SUSPECTED_FORGERY`]); the others look like real ones, and so does everything in them: the
//! project, too. Let the project name the tenant only for logs of one customer's own server.
//!
//! **Event ids** are derived, because lines have none: a keyed hash of the tenant, the line and the number of
//! the line among equal lines of the same import ([`Item::event_id`]). The same file imported again yields the
//! same ids; two equal lines in it stay two events. A part of a file that starts between two equal lines
//! numbers them anew and so loses the second.
//!
//! Memory is bounded: one event with its continuation, and two generations of recent lines and requests.

mod columns;
mod details;
mod docker;
mod forgery;
mod identity;
mod line;
mod mapping;
#[cfg(test)]
mod tests;

use attestary_event::{EventId, scan::write_string};

use docker::Wrapped;
use forgery::Watch;
use identity::Occurrences;

/// Longest line that is read; the rest of a longer one is cut and the event flagged [`TRUNCATED`].
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Longest line worth handing to [`Reader::push_line`]: docker's wrapping can make six bytes of one. Callers that
/// read from a stream may drop what a line has beyond one byte more.
pub const INPUT_BYTES_MAX: usize = 6 * LINE_BYTES_MAX + 1024;

/// Lines that may continue one event: three stack traces of the usual ten frames. What follows is kept raw.
pub const CONTINUATION_LINES_MAX: usize = 32;

/// Bytes that may continue one event.
pub const CONTINUATION_BYTES_MAX: usize = 16 * 1024;

/// The action of an event made from text that is no audit line.
pub const UNPARSED: &str = "formio.unparsed";

/// Label of every event that has a flag.
pub const FLAGGED: &str = "flagged";

/// Flag and label: the line may be forged by a user name with a line break in it.
///
/// A failed sign-in (`EAUTH_…`) that prints an attempted name opens a suspicion. Under it, a line is flagged
/// when it carries a date more than a second before that sign-in; when it carries the sign-in's own uuid with
/// another project or with a success; or when it belongs to a request that never started, in a log that
/// does bracket its requests. A line of the same sign-in, or of a request known to be open, ends the
/// suspicion. Text that continues such a sign-in, where no error is printed, is a name with a line break itself.
pub const SUSPECTED_FORGERY: &str = "suspected-forgery";

/// Flag: the text is no audit line; the action is [`UNPARSED`].
pub const UNPARSED_TEXT: &str = "unparsed";

/// Flag: a line, its continuation or a value was cut to fit into an event.
pub const TRUNCATED: &str = "truncated";

/// Flag: columns that this kind of event is not known to have; they stand in the metadata.
pub const UNEXPECTED_COLUMNS: &str = "unexpected-columns";

/// Flag: lines follow that print no error; they stand in the metadata.
pub const CONTINUED: &str = "continued";

/// Flag: the bytes are no UTF-8; the exact ones stand in `source` as hexadecimal digits.
pub const INVALID_UTF8: &str = "invalid-utf8";

/// One event made from one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The native event as a JSON object without `id` and `tenant`, `source` last.
    pub json: Vec<u8>,
    /// The project that the line names, for callers that let it name the tenant; none on suspected lines.
    pub tenant_hint: Option<String>,
    /// The first of its lines, counted from 1.
    pub line_number: u64,
    /// Its lines as read, without docker's wrapping, joined by line feeds.
    pub raw: Vec<u8>,
    /// Number of equal items before it in the same import.
    pub occurrence: u32,
    /// What is odd about it; also at `/source/flags`.
    pub flags: Vec<&'static str>,
    /// False when the text is no audit line and is merely kept.
    pub parsed: bool,
}

impl Item {
    /// Returns the id that this item has in `tenant`'s log: the same for the same key, tenant, lines and
    /// occurrence. The key keeps ids from telling anything about the lines.
    pub fn event_id(&self, key: &[u8; 32], tenant: &str) -> EventId {
        identity::event_id(key, tenant, &self.raw, self.occurrence)
    }

    /// Returns how many bytes of the log became this event.
    pub fn bytes(&self) -> usize {
        self.raw.len()
    }

    /// Returns the native submission with its id and tenant.
    pub fn submission(&self, id: EventId, tenant: &str) -> Vec<u8> {
        use std::io::Write as _;
        let mut json = Vec::with_capacity(self.json.len() + tenant.len() + 80);
        // Writing to a vector cannot fail.
        let _ = write!(json, "{{\"id\":\"{id}\",\"tenant\":");
        write_string(tenant, &mut json);
        json.push(b',');
        json.extend_from_slice(&self.json[1..]);
        json
    }
}

/// Reads lines and yields events; an event is complete when the next one starts.
#[derive(Debug, Default)]
pub struct Reader {
    line_number: u64,
    /// The parts so far of a line that docker split.
    partial: Option<Text>,
    pending: Option<Pending>,
    watch: Watch,
    occurrences: Occurrences,
}

/// One line of the log itself.
#[derive(Debug)]
struct Text {
    bytes: Vec<u8>,
    line_number: u64,
    /// When docker read it.
    docker_time: Option<String>,
    truncated: bool,
}

/// An item whose continuation may still come.
#[derive(Debug)]
struct Pending {
    text: Text,
    /// True when the text starts an event; only such an item can be continued.
    event: bool,
    suspected: bool,
    continuation_lines: usize,
    continuation_bytes: usize,
}

impl Reader {
    /// Takes the next line, with or without its line end; returns the item that it completes.
    pub fn push_line(&mut self, line: &[u8]) -> Option<Item> {
        self.line_number += 1;
        let line = trim_line_end(line);
        match docker::unwrap(line) {
            Wrapped::Not => {
                let text = Text::cut(line, self.line_number, None);
                self.push_text(text)
            }
            Wrapped::Line { log, time } => {
                let text = self.join(log.as_bytes(), time);
                self.push_text(text)
            }
            Wrapped::Part { log, time } => {
                self.partial = Some(self.join(log.as_bytes(), time));
                None
            }
        }
    }

    /// Ends the input; call until it returns `None`.
    pub fn finish(&mut self) -> Option<Item> {
        if let Some(text) = self.partial.take()
            && let Some(item) = self.push_text(text)
        {
            return Some(item);
        }
        self.pending.take().map(|pending| self.complete(pending))
    }

    /// Appends a piece of a line that docker may have split.
    fn join(&mut self, log: &[u8], time: Option<String>) -> Text {
        let Some(mut text) = self.partial.take() else {
            return Text::cut(trim_line_end(log), self.line_number, time);
        };
        let room = LINE_BYTES_MAX - text.bytes.len();
        let log = trim_line_end(log);
        text.truncated |= log.len() > room;
        text.bytes.extend_from_slice(&log[..log.len().min(room)]);
        text
    }

    fn push_text(&mut self, text: Text) -> Option<Item> {
        let readable = line::readable(&text.bytes);
        if let Some(header) = line::header(&readable) {
            let suspected = self.watch.suspects(&header);
            return self.replace(Pending::new(text, true, suspected));
        }
        match &mut self.pending {
            Some(pending) if pending.takes(&text) => {
                pending.append(&text);
                None
            }
            _ if text.bytes.trim_ascii().is_empty() => None,
            _ => self.replace(Pending::new(text, false, false)),
        }
    }

    fn replace(&mut self, next: Pending) -> Option<Item> {
        let previous = self.pending.replace(next)?;
        Some(self.complete(previous))
    }

    fn complete(&mut self, mut pending: Pending) -> Item {
        pending.trim_blank_lines();
        let mapped = mapping::map(&pending);
        let raw = pending.text.bytes;
        let occurrence = self.occurrences.count(&raw);
        Item {
            json: mapped.json,
            tenant_hint: mapped.tenant_hint,
            line_number: pending.text.line_number,
            raw,
            occurrence,
            flags: mapped.flags,
            parsed: mapped.parsed,
        }
    }
}

impl Text {
    fn cut(line: &[u8], line_number: u64, docker_time: Option<String>) -> Self {
        let kept = &line[..line.len().min(LINE_BYTES_MAX)];
        Self { bytes: kept.to_vec(), line_number, docker_time, truncated: kept.len() < line.len() }
    }
}

impl Pending {
    fn new(text: Text, event: bool, suspected: bool) -> Self {
        Self { text, event, suspected, continuation_lines: 0, continuation_bytes: 0 }
    }

    fn takes(&self, text: &Text) -> bool {
        self.event
            && self.continuation_lines < CONTINUATION_LINES_MAX
            && self.continuation_bytes + text.bytes.len() < CONTINUATION_BYTES_MAX
    }

    fn append(&mut self, text: &Text) {
        self.text.bytes.push(b'\n');
        self.text.bytes.extend_from_slice(&text.bytes);
        self.text.truncated |= text.truncated;
        self.continuation_lines += 1;
        self.continuation_bytes += text.bytes.len() + 1;
    }

    /// Blank lines after an event belong to the layout of the file, not to the event.
    fn trim_blank_lines(&mut self) {
        let bytes = &mut self.text.bytes;
        while let Some(end) = bytes.iter().rposition(|b| *b == b'\n')
            && bytes[end..].trim_ascii().is_empty()
        {
            bytes.truncate(end);
        }
    }
}

/// Returns whether a line begins an event, as against text that continues one or is of another kind.
pub fn is_event_line(line: &[u8]) -> bool {
    let line = trim_line_end(line);
    line::header(&line::readable(&line[..line.len().min(LINE_BYTES_MAX)])).is_some()
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

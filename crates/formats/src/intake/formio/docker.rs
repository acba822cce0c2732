//! Lines that docker's json-file logging driver wrapped: `{"log":"…\n","stream":"stdout","time":"…"}`.
//!
//! Docker splits lines of more than 16 KiB: every part but the last lacks the line feed at its end.

use attestary_event::{Fields, Kind, Limits};

/// What a line of a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrapped {
    /// Not wrapped.
    Not,
    /// A whole line, or the last part of one.
    Line { log: String, time: Option<String> },
    /// A part of a line that goes on in the next.
    Part { log: String, time: Option<String> },
}

/// Unwraps a line; JSON without a text `log` is not a wrapper.
pub(super) fn unwrap(line: &[u8]) -> Wrapped {
    // Docker's parts have 16 KiB at most; the rest is for other writers of the same form.
    let limits = Limits {
        event_bytes_max: super::INPUT_BYTES_MAX,
        string_bytes_max: super::LINE_BYTES_MAX,
        ..Limits::default()
    };
    if !(line.starts_with(b"{") && line.ends_with(b"}")) {
        return Wrapped::Not;
    }
    let Ok(fields) = Fields::parse(line, &limits) else {
        return Wrapped::Not;
    };
    let Some(log) = fields.get("/log").filter(|log| log.kind == Kind::String) else {
        return Wrapped::Not;
    };
    let time = fields.get("/time").and_then(|time| time.text()).map(str::to_owned);
    let log = log.value.to_owned();
    if log.ends_with('\n') { Wrapped::Line { log, time } } else { Wrapped::Part { log, time } }
}

//! Intake of syslog: frames of a stream, the header of RFC 5424 or RFC 3164, and what a message is.
//!
//! A message holds a CEF record, a line of a Form.io log, or anything else. CEF becomes an event of its own action;
//! anything else becomes one of the action that its MSGID names (RFC 5424, 6.2.7: "the type of message"), else
//! [`MESSAGE`]. Form.io lines go through the reader of that log, because several of them may be one event.
//!
//! A header is never proof: whoever may send can write any host and any time into it.

mod cef;
pub mod frames;
mod header;
#[cfg(test)]
mod tests;

use attestary_event::{Limits, Timestamp, Violation};

use super::object::ObjectWriter;
pub use header::{Element, Header};

/// The action of a message that names none.
pub const MESSAGE: &str = "syslog.message";

/// What stands before an action that would begin like one of the service's own.
const FOREIGN: &str = "foreign.";

/// What a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A record of the Common Event Format.
    Cef,
    /// A line of a Form.io log.
    Formio,
    /// Anything else.
    Message,
}

impl Content {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cef, Self::Formio, Self::Message];

    /// Returns its name in configuration, in counts, and as the area of the source.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cef => "cef",
            Self::Formio => "formio",
            Self::Message => "message",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|content| content.name() == name)
    }
}

/// A message whose header was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its header; what it does not say is `None`.
    pub header: Header,
    /// The text behind the header. Bytes that are no UTF-8 were replaced.
    pub text: String,
    /// Bytes were replaced.
    pub lossy: bool,
}

/// A native submission made from a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The native event as JSON, without id and tenant.
    pub json: Vec<u8>,
    /// What identifies it in the system that wrote it.
    pub key: Option<String>,
}

/// Reads the header of a message of any of the forms. `now` gives times without a year theirs.
pub fn read(message: &[u8], now: Timestamp) -> Message {
    let text = String::from_utf8_lossy(message);
    let lossy = matches!(text, std::borrow::Cow::Owned(_));
    let (header, rest) = header::read(&text, now);
    Message { header, text: rest.to_owned(), lossy }
}

impl Message {
    /// Returns what the message holds.
    pub fn content(&self) -> Content {
        if self.text.starts_with(cef::MARK) {
            Content::Cef
        } else if super::formio::is_event_line(self.text.as_bytes()) {
            Content::Formio
        } else {
            Content::Message
        }
    }

    /// Maps what is no Form.io line. `sender` is the address that it came from.
    pub fn map(&self, sender: &str, limits: &Limits) -> Result<Mapped, Violation> {
        match self.content() {
            Content::Cef => cef::map(self, limits),
            _ => Ok(self.plain(sender)),
        }
    }

    fn plain(&self, sender: &str) -> Mapped {
        let header = &self.header;
        let mut json = Vec::with_capacity(self.text.len() + 512);
        let mut out = ObjectWriter::open(&mut json);
        let action = header.message_id.as_deref().map_or_else(|| MESSAGE.to_owned(), action);
        out.text("action", &action);
        out.optional("occurred_at", header.time.map(|time| time.to_string()).as_deref());
        let actor = header.application.as_deref().or(header.host.as_deref()).unwrap_or(sender);
        out.object("actor", |actor_out| _ = actor_out.text("type", "service").text("id", actor));
        out.number("severity", header.event_severity());
        let (description, rest) = self.text.split_at(description_end(&self.text));
        out.optional("description", Some(description).filter(|text| !text.is_empty()));
        out.object("source", |out| {
            out.text("system", "syslog").text("sender", sender);
            out.texts("flags", self.lossy.then_some("invalid-utf8"));
            out.object("fields", |fields| {
                header.write(fields);
                fields.optional("rest", Some(rest).filter(|text| !text.is_empty()));
            });
        });
        out.close();
        Mapped { json, key: None }
    }
}

/// Returns an action that may be submitted.
fn action(text: &str) -> String {
    if text.starts_with("attestary.") { format!("{FOREIGN}{text}") } else { text.to_owned() }
}

/// A description has at most 8 KiB; what is longer goes on among the fields.
fn description_end(text: &str) -> usize {
    text.floor_char_boundary(8 * 1024)
}

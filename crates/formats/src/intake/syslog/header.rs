//! The header of a message: RFC 5424, RFC 3164 and what senders make of it.
//!
//! What does not follow its form is text. A time of RFC 3164 has neither a year nor a zone: it is read as UTC, in the
//! latest year in which it is not later than a day from now.

use attestary_event::Timestamp;

use super::super::object::ObjectWriter;

/// Facility `user` and severity `notice`: what RFC 3164, 4.3.3 gives messages without a priority.
const PRIORITY_DEFAULT: u8 = 13;
const PRIORITY_MAX: u16 = 191;
/// Elements of structured data, and parameters of one; further ones are left out.
const ELEMENTS_MAX: usize = 32;
const PARAMETERS_MAX: usize = 64;
/// Longest part of a header that is kept: what a host name may have at most.
const WORD_BYTES_MAX: usize = 255;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Facility times 8 and severity.
    pub priority: u8,
    /// When.
    pub time: Option<Timestamp>,
    /// The machine.
    pub host: Option<String>,
    /// The application.
    pub application: Option<String>,
    /// Its process.
    pub process: Option<String>,
    /// The type of message.
    pub message_id: Option<String>,
    /// Structured data.
    pub data: Vec<Element>,
}

/// An element of structured data: its id and its parameters.
pub type Element = (String, Vec<(String, String)>);

impl Default for Header {
    fn default() -> Self {
        Self {
            priority: PRIORITY_DEFAULT,
            time: None,
            host: None,
            application: None,
            process: None,
            message_id: None,
            data: Vec::new(),
        }
    }
}

impl Header {
    /// Returns the severity of an event: 0 emergency is 10, 7 debug is 1.
    pub(super) fn event_severity(&self) -> u8 {
        [10, 9, 8, 7, 5, 3, 2, 1][usize::from(self.priority & 7)]
    }

    /// Writes what the event's own members do not hold.
    pub(super) fn write(&self, out: &mut ObjectWriter<'_>) {
        out.number("facility", self.priority >> 3).number("severity", self.priority & 7);
        out.optional("host", self.host.as_deref());
        out.optional("application", self.application.as_deref());
        out.optional("process", self.process.as_deref());
        out.optional("message_id", self.message_id.as_deref());
        out.object("data", |out| {
            for (id, parameters) in &self.data {
                out.object(id, |out| {
                    for (name, value) in parameters {
                        out.text(name, value);
                    }
                });
            }
        });
    }
}

/// Returns the header and the text behind it.
pub(super) fn read(text: &str, now: Timestamp) -> (Header, &str) {
    let Some((priority, rest)) = priority(text) else {
        return (Header::default(), text);
    };
    let header = Header { priority, ..Header::default() };
    match rest.strip_prefix("1 ").and_then(|rest| rfc5424(rest, &header)) {
        Some(read) => read,
        None => rfc3164(rest, header, now),
    }
}

fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let value: u16 = digits.parse().ok().filter(|value| plain && *value <= PRIORITY_MAX)?;
    Some((value as u8, rest))
}

/// `TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]`; `None` when it is not of that form.
fn rfc5424<'a>(text: &'a str, before: &Header) -> Option<(Header, &'a str)> {
    let mut header = before.clone();
    let (time, rest) = text.split_once(' ')?;
    if time != "-" {
        header.time = Some(Timestamp::parse(time)?);
    }
    let mut rest = rest;
    for place in
        [&mut header.host, &mut header.application, &mut header.process, &mut header.message_id]
    {
        let (word, behind) = rest.split_once(' ')?;
        *place = named(word);
        rest = behind;
    }
    let rest = match rest.strip_prefix('-') {
        Some(rest) => rest,
        None => elements(rest, &mut header.data)?,
    };
    let text = rest.strip_prefix(' ').or_else(|| rest.is_empty().then_some(rest))?;
    Some((header, text.strip_prefix('\u{feff}').unwrap_or(text)))
}

/// A word, cut to a length; `-` and nothing are no word.
fn named(word: &str) -> Option<String> {
    let word = &word[..word.floor_char_boundary(WORD_BYTES_MAX)];
    (!matches!(word, "" | "-")).then(|| word.to_owned())
}

/// Reads `[id name="value" …][…]` and returns what follows.
fn elements<'a>(text: &'a str, into: &mut Vec<Element>) -> Option<&'a str> {
    let mut rest = text.strip_prefix('[')?;
    loop {
        let end = rest.find([' ', ']'])?;
        let id = &rest[..end];
        if id.is_empty() || id.contains(['=', '"']) {
            return None;
        }
        rest = &rest[end..];
        let mut parameters: Vec<(String, String)> = Vec::new();
        while let Some(parameter) = rest.strip_prefix(' ') {
            let (name, value) = parameter.split_once("=\"")?;
            if name.is_empty() || name.contains([' ', ']', '"']) {
                return None;
            }
            let (value, behind) = value_of(value)?;
            // RFC 5424 lets a name stand twice; a JSON object does not, so the first one holds.
            if parameters.len() < PARAMETERS_MAX && parameters.iter().all(|(own, _)| own != name) {
                parameters.push((name.to_owned(), value));
            }
            rest = behind;
        }
        if into.len() < ELEMENTS_MAX && into.iter().all(|(own, _)| own != id) {
            into.push((id.to_owned(), parameters));
        }
        rest = rest.strip_prefix(']')?;
        match rest.strip_prefix('[') {
            Some(next) => rest = next,
            None => return Some(rest),
        }
    }
}

/// Reads up to the closing quote; `\"`, `\\` and `\]` stand for themselves without the backslash.
fn value_of(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.peek() {
                Some((_, escaped @ ('"' | '\\' | ']'))) => {
                    value.push(*escaped);
                    characters.next();
                }
                _ => value.push('\\'),
            },
            other => value.push(other),
        }
    }
    None
}

/// `TIMESTAMP HOSTNAME TAG[PROCESS]: MSG`, of which anything may be missing.
fn rfc3164(text: &str, mut header: Header, now: Timestamp) -> (Header, &str) {
    let rest = match time(text, now) {
        Some((time, rest)) => {
            header.time = Some(time);
            // Only behind a time is the next word a host; some devices leave it out, and a tag ends in a colon.
            match rest.split_once(' ') {
                Some((host, behind)) if is_host(host) => {
                    header.host = named(host);
                    behind
                }
                _ => rest,
            }
        }
        None => text,
    };
    // The mark of CEF looks like a tag.
    if rest.starts_with(super::cef::MARK) {
        return (header, rest);
    }
    match tag(rest) {
        Some((application, process, behind)) => {
            header.application = named(application);
            header.process = process.and_then(named);
            (header, behind)
        }
        None => (header, rest),
    }
}

fn is_host(word: &str) -> bool {
    !word.is_empty() && !word.ends_with(':') && !word.contains(['[', '|', '"', '{'])
}

/// `Mmm dd hh:mm:ss`, or RFC 3339 as many relays write it; then a space.
fn time(text: &str, now: Timestamp) -> Option<(Timestamp, &str)> {
    if let Some((word, rest)) = text.split_once(' ')
        && let Some(time) = Timestamp::parse(word)
    {
        return Some((time, rest));
    }
    let (short, rest) = text.split_at_checked(15)?;
    let rest = rest.strip_prefix(' ')?;
    let month = MONTHS.iter().position(|month| short.starts_with(month))? + 1;
    let day: u8 = short.get(3..6)?.trim_start().parse().ok()?;
    let clock = short.get(7..).filter(|_| short.as_bytes()[6] == b' ')?;
    let year: i64 = now.to_string().get(..4)?.parse().ok()?;
    let in_year = |year: i64| {
        let time = Timestamp::parse(&format!("{year:04}-{month:02}-{day:02}T{clock}Z"))?;
        (time.0 <= now.0.saturating_add(DAY_MS)).then_some(time)
    };
    let time = in_year(year + 1).or_else(|| in_year(year)).or_else(|| in_year(year - 1))?;
    Some((time, rest))
}

/// `TAG: `, `TAG[PROCESS]: `; the space may be missing.
fn tag(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || "_-./@".contains(c)))?;
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.len() > WORD_BYTES_MAX {
        return None;
    }
    let (process, rest) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (process, rest) = rest.split_once(']')?;
            (Some(process), rest)
        }
        None => (None, rest),
    };
    let rest = rest.strip_prefix(':')?;
    Some((name, process, rest.strip_prefix(' ').unwrap_or(rest)))
}

//! Syslog: an RFC 5424 message around an encoded event, and its framing (RFC 6587).
//!
//! The header is made from the event and the options; the structured data carries id, seq, tenant and leaf hash,
//! whatever the message holds. There is no byte order mark: receivers that match `CEF:` break on it. A frame
//! never exceeds its cap, and a length prefix is computed after shortening: a receiver that gets a longer frame
//! than it takes reads the rest as new messages, and whoever controls a long field could forge log lines.

mod header;
#[cfg(test)]
mod tests;

use std::io::Write as _;

use attestary_event::{View, actions::KnownActions};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    format::{CORE_BYTES_MAX, Format, Truncation},
    structured_data,
};

/// How frames stand in a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// The message's length in bytes, a space, the message (RFC 6587, 3.4.1; required with TLS by RFC 5425).
    #[default]
    OctetCounting,
    /// The message and a line feed (RFC 6587, 3.4.2).
    Lf,
}

/// Options of a syslog destination's messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Facility code, 0–23; 13 is "log audit".
    #[serde(deserialize_with = "facility")]
    pub facility: u8,
    /// Framing in a stream; datagrams have none.
    pub framing: Framing,
    /// Host name of the messages; `{tenant}` stands for the tenant's id. What is no printable ASCII becomes `-`.
    #[serde(deserialize_with = "hostname")]
    pub hostname: String,
    /// Application name: 1–48 characters of printable ASCII.
    #[serde(deserialize_with = "app_name")]
    pub app_name: String,
    /// Private enterprise number in the name of the structured data; 32473 is the one for documentation.
    pub enterprise_id: u32,
    /// Cap of one frame in bytes, framing included.
    #[serde(deserialize_with = "frame_bytes_max")]
    pub frame_bytes_max: usize,
}

/// Smallest cap: what RFC 5424 expects every receiver to take. A header is at most [`HEADER_BYTES_MAX`] bytes,
/// so the smallest form of an event always fits.
pub const FRAME_BYTES_FLOOR: usize = 2_048;

/// Largest cap: one event of the largest size in its longest form.
pub const FRAME_BYTES_CEILING: usize = 1024 * 1024;

/// PRI and version 7, time 25, host 256, application 49, PROCID 2, MSGID 33, structured data 433, one space.
const HEADER_BYTES_MAX: usize = 806;

/// The length prefix of the longest frame; a trailing line feed is shorter.
const FRAMING_BYTES_MAX: usize = "1048576 ".len();

const _: () = assert!(HEADER_BYTES_MAX + CORE_BYTES_MAX + FRAMING_BYTES_MAX <= FRAME_BYTES_FLOOR);

impl Default for Options {
    fn default() -> Self {
        Self {
            facility: 13,
            framing: Framing::OctetCounting,
            hostname: "{tenant}".to_owned(),
            app_name: "attestary".to_owned(),
            enterprise_id: structured_data::ENTERPRISE_ID,
            // rsyslog takes 8,096 bytes unless told otherwise, and forges messages from the rest.
            frame_bytes_max: 8_000,
        }
    }
}

/// Appends one message without framing: what a datagram holds.
pub fn message(
    view: &View<'_>,
    actions: &KnownActions,
    format: &Format,
    options: &Options,
    out: &mut Vec<u8>,
) -> Truncation {
    let start = out.len();
    if matches!(format, Format::StructuredData(_)) {
        header::write_head(view, actions, options, out);
    } else {
        header::write(view, actions, options, out);
        out.push(b' ');
    }
    let room = options.frame_bytes_max.saturating_sub(out.len() - start + FRAMING_BYTES_MAX);
    if matches!(format, Format::StructuredData(_)) {
        // The record is the message's structured data; the names of its elements are those of the destination.
        let of_this = structured_data::Options {
            enterprise_id: options.enterprise_id,
            ..structured_data::Options::default()
        };
        return Format::StructuredData(of_this).encode_within(view, actions, room, out);
    }
    format.encode_within(view, actions, room, out)
}

/// Appends one framed message: what a stream holds.
pub fn frame(
    view: &View<'_>,
    actions: &KnownActions,
    format: &Format,
    options: &Options,
    out: &mut Vec<u8>,
) -> Truncation {
    let mut whole = Vec::with_capacity(1_536);
    let truncation = message(view, actions, format, options, &mut whole);
    put_frame(&whole, options.framing, out);
    truncation
}

fn put_frame(message: &[u8], framing: Framing, out: &mut Vec<u8>) {
    if framing == Framing::OctetCounting {
        let _ = write!(out, "{} ", message.len());
    }
    out.extend_from_slice(message);
    if framing == Framing::Lf {
        out.push(b'\n');
    }
}

fn facility<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let facility = u8::deserialize(deserializer)?;
    if facility > 23 {
        return Err(D::Error::custom(format_args!(
            "a syslog facility is 0 to 23; this one is {facility}"
        )));
    }
    Ok(facility)
}

fn frame_bytes_max<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let bytes = usize::deserialize(deserializer)?;
    if !(FRAME_BYTES_FLOOR..=FRAME_BYTES_CEILING).contains(&bytes) {
        return Err(D::Error::custom(format_args!(
            "a frame's cap is {FRAME_BYTES_FLOOR} to {FRAME_BYTES_CEILING} bytes; this one is {bytes}"
        )));
    }
    Ok(bytes)
}

fn hostname<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    printable(deserializer, "a syslog host name", header::HOSTNAME_BYTES_MAX)
}

fn app_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    printable(deserializer, "a syslog application name", header::APP_NAME_BYTES_MAX)
}

fn printable<'de, D: Deserializer<'de>>(
    deserializer: D,
    what: &str,
    bytes_max: usize,
) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty()
        || text.len() > bytes_max
        || !text.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(D::Error::custom(format_args!(
            "{what} is 1 to {bytes_max} characters of printable ASCII without spaces"
        )));
    }
    Ok(text)
}

//! The RFC 5424 header and structured data of one event: `<PRI>1 TIMESTAMP HOST APP - MSGID [SD]`.

use std::io::Write as _;

use attestary_event::{Timestamp, View, actions::KnownActions};

use super::Options;
use crate::{structured_data, texts};

/// Longest HOSTNAME (RFC 5424, section 6).
pub(super) const HOSTNAME_BYTES_MAX: usize = 255;
/// Longest APP-NAME.
pub(super) const APP_NAME_BYTES_MAX: usize = 48;
/// Longest MSGID.
const MSGID_BYTES_MAX: usize = 32;

/// Appends the header up to the end of the structured data, which tells which event it is.
pub(super) fn write(view: &View<'_>, actions: &KnownActions, options: &Options, out: &mut Vec<u8>) {
    write_head(view, actions, options, out);
    structured_data::write_identity(view, options.enterprise_id, out);
}

/// Appends the header up to the space before the structured data.
pub(super) fn write_head(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    out: &mut Vec<u8>,
) {
    let severity = severity(texts::severity(view, actions));
    let _ = write!(out, "<{}>1 ", u16::from(options.facility) * 8 + u16::from(severity));
    write_time(view, out);
    out.push(b' ');
    write_name(&hostname(view, options), HOSTNAME_BYTES_MAX, out);
    out.push(b' ');
    write_name(&options.app_name, APP_NAME_BYTES_MAX, out);
    out.extend_from_slice(b" - ");
    write_name(view.text("/action").unwrap_or_default(), MSGID_BYTES_MAX, out);
    out.push(b' ');
}

/// Maps 0–10 to syslog's severities: informational, notice, warning, error, critical.
///
/// A failed sign-in or another everyday failure (up to 5) must not look like a condition of the machine, so
/// most events are informational.
pub(super) fn severity(severity: u8) -> u8 {
    match severity {
        0..=5 => 6,
        6 => 5,
        7 | 8 => 4,
        9 => 3,
        _ => 2,
    }
}

/// The event's own time; `-` for years that RFC 3339 cannot write.
fn write_time(view: &View<'_>, out: &mut Vec<u8>) {
    let occurred_at =
        view.text("/occurred_at").and_then(Timestamp::parse).unwrap_or(view.event.received_at);
    if texts::writable(occurred_at) {
        let _ = write!(out, "{occurred_at}");
    } else {
        out.push(b'-');
    }
}

fn hostname(view: &View<'_>, options: &Options) -> String {
    // The exact tenant stands in the structured data; here it becomes a name.
    let mut tenant = String::with_capacity(64);
    for byte in view.event.tenant.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            tenant.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            let _ = write!(tenant, "%{byte:02X}");
        }
    }
    options.hostname.replace("{tenant}", &tenant)
}

/// Appends a header field: printable ASCII, other characters as `-`, at most `bytes_max`; `-` when empty.
fn write_name(text: &str, bytes_max: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(
        text.chars().take(bytes_max).map(|c| if c.is_ascii_graphic() { c as u8 } else { b'-' }),
    );
    if out.len() == start {
        out.push(b'-');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: impl Fn(&str, &mut Vec<u8>), text: &str, expected: &str) {
        let mut out = Vec::new();
        write(text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn names_are_printable_ascii_of_bounded_length() {
        let name = |text: &str, out: &mut Vec<u8>| write_name(text, 8, out);
        check(name, "user.login", "user.log");
        check(name, "a b\n\u{e9}\u{1f600}c", "a-b---c");
        check(name, "", "-");
    }

    #[test]
    fn severities_map_to_five_levels() {
        let levels: Vec<u8> = (0..=10).map(severity).collect();
        assert_eq!(levels, [6, 6, 6, 6, 6, 6, 5, 4, 4, 3, 2]);
    }
}

//! Telling a line that starts an event from one that continues it.

use std::borrow::Cow;

/// Longest event name; longer ones are not names.
const EVENT_BYTES_MAX: usize = 128;

/// The first three columns of a line that starts an event, and what follows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) date: &'a str,
    pub(super) event: &'a str,
    pub(super) uuid: &'a str,
    pub(super) rest: &'a str,
}

/// Returns the text of a line as a reader sees it: colour escapes stripped, wrong bytes replaced.
pub(super) fn readable(line: &[u8]) -> Cow<'_, str> {
    match lossy(line) {
        text if text.contains('\x1b') => Cow::Owned(strip_ansi(&text)),
        text => text,
    }
}

/// Returns the text of bytes, wrong ones replaced. Most lines are right, which is quickly seen.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Strips control sequences (ECMA-48 5.4: `ESC [`, parameters, one final byte) and lone escapes.
fn strip_ansi(text: &str) -> String {
    let mut stripped = String::with_capacity(text.len());
    let mut pieces = text.split('\x1b');
    stripped.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let sequence = piece.strip_prefix('[').and_then(|sequence| {
            let end = sequence.find(|c: char| !matches!(c, ' '..='?'))?;
            matches!(sequence.as_bytes()[end], b'@'..=b'~').then(|| &sequence[end + 1..])
        });
        stripped.push_str(sequence.unwrap_or(piece));
    }
    stripped
}

/// Returns the columns of a line that starts an event: `date EVENT uuid ` and at least one space after them.
///
/// The shape is `^\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z_]+ [0-9a-f-]{36} `.
pub(super) fn header(line: &str) -> Option<Header<'_>> {
    let mut columns = line.splitn(4, ' ');
    let (date, event, uuid, rest) =
        (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let uuid_shape =
        uuid.len() == 36 && uuid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    let event_shape =
        !event.is_empty() && event.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    (is_date(date) && event_shape && uuid_shape).then_some(Header { date, event, uuid, rest })
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 12
        && b"0000-00-00T".iter().zip(bytes).all(|(pattern, byte)| match pattern {
            b'0' => byte.is_ascii_digit(),
            mark => byte == mark,
        })
        && bytes[11..bytes.len() - 1].iter().all(|b| matches!(b, b'0'..=b'9' | b':' | b'.'))
        && bytes.ends_with(b"Z")
}

/// Returns whether a name has the shape of an event's: `^[A-Z]+(_[A-Z]+)+$`.
pub(super) fn is_event_name(name: &str) -> bool {
    name.len() <= EVENT_BYTES_MAX
        && name.contains('_')
        && name
            .split('_')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, &str)>) {
        assert_eq!(header(line).map(|header| (header.event, header.rest)), expected, "{line}");
    }

    #[test]
    fn only_a_date_a_name_and_a_uuid_start_an_event() {
        const UUID: &str = "27759aa2-085b-4719-9193-5bad3fad74a2";
        check(&format!("2024-04-25T14:50:03.172Z A_B {UUID} x y"), Some(("A_B", "x y")));
        check(&format!("2024-04-25T14:50:03Z AB {UUID} "), Some(("AB", "")));
        check(&format!("2024-04-25T14:50:03.172Z A_B {UUID}"), None);
        check(&format!(" 2024-04-25T14:50:03.172Z A_B {UUID} x"), None);
        check(&format!("2024-04-25 14:50:03.172Z A_B {UUID} x"), None);
        check(&format!("2024-04-25T14:50:03.172+00:00 A_B {UUID} x"), None);
        check(&format!("2024-04-25T14:50:03.172Z a_b {UUID} x"), None);
        check("2024-04-25T14:50:03.172Z A_B 27759AA2-085B-4719-9193-5BAD3FAD74A2 x", None);
        check("2024-04-25T14:50:03.172Z  A_B", None);
        check("    at Object.verify (node:internal)", None);
        check("", None);
    }

    #[test]
    fn names_have_at_least_two_words() {
        for (name, expected) in [
            ("V_READ", true),
            ("FORM_DELETE", true),
            ("FORM", false),
            ("_X", false),
            ("A__B", false),
            ("A_", false),
        ] {
            assert_eq!(is_event_name(name), expected, "{name}");
        }
        assert!(!is_event_name(&"A_".repeat(80)));
    }

    #[test]
    fn colours_are_stripped_and_other_text_stays() {
        for (line, expected) in [
            ("a \x1b[33m200\x1b[39m b", "a 200 b"),
            ("\x1b[1;32m'x'\x1b[0m", "'x'"),
            ("a\x1bb", "ab"),
            ("a\x1b[é", "a[é"),
            ("a\x1b[", "a["),
            ("plain [33m", "plain [33m"),
        ] {
            assert_eq!(readable(line.as_bytes()), expected, "{line:?}");
        }
    }
}

//! JSON strings: finding their end, unescaping, and writing the one minimal form.

/// Where reading a string had to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop {
    /// Byte offset in the text that was given.
    pub(super) at: usize,
    /// What would have been valid there.
    pub(super) expected: &'static str,
}

/// Finds the closing quote of a string whose first character is at `start`. Returns its offset and whether
/// the string holds an escape.
pub(super) fn end(text: &str, start: usize) -> Result<(usize, bool), Stop> {
    let bytes = text.as_bytes();
    let mut at = start;
    let mut escaped = false;
    loop {
        at = special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                at += 2;
            }
            Some(_) => return Err(Stop { at, expected: "control characters to be escaped" }),
            None => return Err(Stop { at: bytes.len(), expected: "a closing quote" }),
        }
    }
}

/// Returns the offset of the first quote, backslash or control character from `at` on; the text's length when there
/// is none.
///
/// Eight bytes at a time: a byte of `x` is zero where `(x - 0x01…) & !x & 0x80…` has its high bit. Borrows can set
/// bits above the first such byte, never below it.
pub(super) fn special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        if found & HIGH != 0 {
            return at + (found & HIGH).trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
    found.map_or(bytes.len(), |offset| at + offset)
}

/// Unescapes the inside of a string. A lone surrogate has no UTF-8 form and is refused.
pub(super) fn unescape(source: &str) -> Result<String, Stop> {
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(offset) = memchr::memchr(b'\\', &source.as_bytes()[at..]) {
        out.push_str(&source[at..at + offset]);
        at += offset;
        let (character, length) =
            escape(&source[at..]).map_err(|expected| Stop { at, expected })?;
        out.push(character);
        at += length;
    }
    out.push_str(&source[at..]);
    Ok(out)
}

/// Reads one escape at the start of `source`. Returns its character and its length in bytes.
fn escape(source: &str) -> Result<(char, usize), &'static str> {
    let character = match source.as_bytes().get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(source),
        _ => return Err("an escape such as \\n or \\u0041"),
    };
    Ok((character, 2))
}

fn unicode(source: &str) -> Result<(char, usize), &'static str> {
    let first = hex4(source, 2).ok_or("four hexadecimal digits")?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, 6));
    }
    let second = if source.as_bytes().get(6..8) == Some(b"\\u") { hex4(source, 8) } else { None };
    match second {
        Some(low @ 0xdc00..=0xdfff) if first < 0xdc00 => {
            let code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            char::from_u32(code).map(|c| (c, 12)).ok_or("a surrogate pair")
        }
        _ => Err("a surrogate pair, not a lone surrogate"),
    }
}

fn hex4(source: &str, at: usize) -> Option<u32> {
    let digits = source.as_bytes().get(at..at + 4)?;
    digits.iter().try_fold(0, |value, &digit| Some(value * 16 + char::from(digit).to_digit(16)?))
}

/// Appends `text` as a JSON string, escaping only what RFC 8259 requires.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut copied = 0;
    loop {
        let at = special(bytes, copied);
        out.extend_from_slice(&bytes[copied..at]);
        let Some(&byte) = bytes.get(at) else { break };
        copied = at + 1;
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => b'u',
        };
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            out.extend_from_slice(b"00");
            crate::event::write_hex(&[byte], out);
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What [`write_string`] must give, character by character.
    fn plainly(text: &str) -> String {
        let mut out = String::from("\"");
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\0'..='\u{1f}' => out.push_str(&format!("\\u00{:02x}", character as u32)),
                other => out.push(other),
            }
        }
        out + "\""
    }

    proptest! {
        #[test]
        fn strings_are_written_as_character_by_character(text in "[a-z\u{0}-\u{22}\\\\\u{7f}-\u{100}]{0,40}") {
            let mut out = Vec::new();
            write_string(&text, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), plainly(&text));
        }
    }
}

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
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok((at, escaped)),
            b'\\' => {
                escaped = true;
                at += 2;
            }
            0..=0x1f => return Err(Stop { at, expected: "control characters to be escaped" }),
            _ => at += 1,
        }
    }
    Err(Stop { at: bytes.len(), expected: "a closing quote" })
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
    out.push(b'"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=0x1f => b'u',
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[copied..at]);
        copied = at + 1;
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            out.extend_from_slice(b"00");
            crate::event::write_hex(&[byte], out);
        }
    }
    out.extend_from_slice(&text.as_bytes()[copied..]);
    out.push(b'"');
}

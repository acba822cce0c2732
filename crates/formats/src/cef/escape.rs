//! CEF text: escaping, limits in characters, and nothing else. Source: OpenText CEF Implementation Standard v27.
//!
//! The header escapes `\` and `|` and holds no line ends; extension values escape `\`, `=`, LF and CR. Reading a
//! value back gives the text that was written, with three exceptions that CEF has no way around: spaces at
//! either end are dropped, text over a limit is cut, and control characters other than TAB, LF and CR (NUL
//! and escape sequences for terminals among them) become U+FFFD, in the header a space.

/// What a replaced control character becomes in a value.
const REPLACEMENT: char = '\u{fffd}';

/// How much of a text may be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// Characters of the text before escaping, as the standard counts.
    pub(super) chars_max: usize,
    /// Bytes after escaping.
    pub(super) bytes_max: usize,
}

impl Limit {
    /// A limit of the standard.
    pub(super) const fn chars(chars_max: usize) -> Self {
        Self { chars_max, bytes_max: usize::MAX }
    }
}

/// Appends a header field. Returns true when text was cut off.
pub(super) fn header(text: &str, limit: Limit, out: &mut String) -> bool {
    append(text, limit, out, b'|', |character| match character {
        '\\' => Written::Escaped('\\'),
        '|' => Written::Escaped('|'),
        other if other.is_control() => Written::Plain(' '),
        other => Written::Plain(other),
    })
}

/// Appends an extension value. Returns true when text was cut off.
pub(super) fn value(text: &str, limit: Limit, out: &mut String) -> bool {
    append(text, limit, out, b'=', |character| match character {
        '\\' => Written::Escaped('\\'),
        '=' => Written::Escaped('='),
        '\n' => Written::Escaped('n'),
        '\r' => Written::Escaped('r'),
        '\t' => Written::Plain('\t'),
        other if other.is_control() => Written::Plain(REPLACEMENT),
        other => Written::Plain(other),
    })
}

/// Returns the bytes that [`value`] writes for a text without spaces at its ends.
pub(super) fn value_bytes(text: &str) -> usize {
    if is_plain(text, b'=') {
        return text.len();
    }
    let bytes = |character: char| match character {
        '\\' | '=' | '\n' | '\r' => 2,
        '\t' => 1,
        other if other.is_control() => REPLACEMENT.len_utf8(),
        other => other.len_utf8(),
    };
    text.chars().map(bytes).sum()
}

enum Written {
    Plain(char),
    /// A backslash, then this.
    Escaped(char),
}

/// True for ASCII without controls, backslashes and `separator`: what is written as it is.
///
/// It looks at every byte whatever it finds, so that the compiler can take many at once.
fn is_plain(text: &str, separator: u8) -> bool {
    text.bytes().fold(true, |plain, byte| {
        plain & (0x20..0x7f).contains(&byte) & (byte != b'\\') & (byte != separator)
    })
}

fn append(
    text: &str,
    limit: Limit,
    out: &mut String,
    separator: u8,
    write: impl Fn(char) -> Written,
) -> bool {
    let text = text.trim_matches(' ');
    if text.len() <= limit.chars_max.min(limit.bytes_max) && is_plain(text, separator) {
        out.push_str(text);
        return false;
    }
    let start = out.len();
    let mut cut = false;
    for (count, character) in text.chars().enumerate() {
        let end = out.len();
        match write(character) {
            Written::Plain(character) => out.push(character),
            Written::Escaped(character) => out.extend(['\\', character]),
        }
        if count == limit.chars_max || out.len() - start > limit.bytes_max {
            out.truncate(end);
            cut = true;
            break;
        }
    }
    // A cut, or a control character turned into a space, can leave a space at an end again.
    out.truncate(start + out[start..].trim_end_matches(' ').len());
    let leading = out[start..].len() - out[start..].trim_start_matches(' ').len();
    out.replace_range(start..start + leading, "");
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, in_header: &str, in_value: &str) {
        let (mut header_text, mut value_text) = (String::new(), String::new());
        assert!(!header(text, Limit::chars(100), &mut header_text));
        assert!(!value(text, Limit::chars(100), &mut value_text));
        assert_eq!((header_text.as_str(), value_text.as_str()), (in_header, in_value));
        assert_eq!(value_bytes(text.trim_matches(' ')), value_text.len(), "{text:?}");
    }

    #[test]
    fn each_place_escapes_what_the_standard_says_and_no_more() {
        check(r"a\b|c=d", r"a\\b\|c=d", r"a\\b|c\=d");
        check("a\nb\rc\td", "a b c d", "a\\nb\\rc\td");
        check(r"\n", r"\\n", r"\\n");
        check("\"]'{}<>&,;%", "\"]'{}<>&,;%", "\"]'{}<>&,;%");
        check(
            "ключ=值\u{2028}\u{202e}😀",
            "ключ=值\u{2028}\u{202e}😀",
            "ключ\\=值\u{2028}\u{202e}😀",
        );
    }

    #[test]
    fn controls_are_replaced_and_outer_spaces_dropped() {
        check("a\0b\u{1b}[31m\u{85}", "a b [31m", "a\u{fffd}b\u{fffd}[31m\u{fffd}");
        check("  a  b  ", "a  b", "a  b");
        check("\n a", "a", "\\n a");
        check("   ", "", "");
    }

    #[track_caller]
    fn check_cut(text: &str, limit: Limit, expected: &str, expected_cut: bool) {
        let mut out = "x=".to_owned();
        let cut = value(text, limit, &mut out);
        assert_eq!((&out[2..], cut), (expected, expected_cut));
    }

    #[test]
    fn cuts_fall_between_characters_and_never_inside_an_escape() {
        check_cut("ab", Limit::chars(3), "ab", false);
        check_cut("abc", Limit::chars(3), "abc", false);
        check_cut("abcd", Limit::chars(3), "abc", true);
        check_cut("😀é=d", Limit::chars(3), "😀é\\=", true);
        check_cut("ab cd", Limit::chars(3), "ab", true);
        check_cut("a=b", Limit { chars_max: 9, bytes_max: 2 }, "a", true);
        check_cut("a=b", Limit { chars_max: 9, bytes_max: 3 }, "a\\=", true);
        check_cut("a=b", Limit { chars_max: 9, bytes_max: 4 }, "a\\=b", false);
        check_cut("a😀", Limit { chars_max: 9, bytes_max: 4 }, "a", true);
    }
}

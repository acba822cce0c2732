//! The small pieces that all text forms of this crate share: decimals, Base64, lines.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::Hash;

/// Returns the number of an ASCII decimal without sign and leading zeros; `None` for any other text.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

/// Returns the bytes of standard Base64 (RFC 4648 section 4) with padding and zero trailing bits.
pub(crate) fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Returns standard Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Returns the hash of a Base64 line.
pub(crate) fn hash(text: &str) -> Option<Hash> {
    // 32 bytes are 44 characters; a longer line is not decoded.
    if text.len() != 44 { None } else { unbase64(text)?.try_into().ok() }
}

/// Returns the first line without its newline, and what follows; `None` when no newline ends it.
pub(crate) fn line(text: &str) -> Option<(&str, &str)> {
    text.split_once('\n')
}

/// Returns the hash lines up to the empty line, and what follows it.
pub(crate) fn hash_lines(mut text: &str, count_max: usize) -> Result<(Vec<Hash>, &str), LineError> {
    let mut hashes = Vec::new();
    loop {
        let (first, rest) = line(text).ok_or(LineError::End)?;
        text = rest;
        if first.is_empty() {
            return Ok((hashes, text));
        }
        if hashes.len() == count_max {
            return Err(LineError::TooMany { limit: count_max });
        }
        hashes.push(hash(first).ok_or(LineError::Hash { index: hashes.len() })?);
    }
}

/// Why a list of hash lines is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The text ends before the empty line.
    #[error("the text ends before the empty line")]
    End,
    /// More hashes than any tree needs.
    #[error("more than {limit} hashes")]
    TooMany { limit: usize },
    /// A line is not the Base64 of 32 bytes.
    #[error("hash {index} is not the Base64 of 32 bytes")]
    Hash { index: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_one_form() {
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("00", None),
            ("01", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("١", None),
        ] {
            assert_eq!(decimal(text), expected, "{text:?}");
        }
    }

    #[test]
    fn base64_has_one_form() {
        let canonical = base64(&[0; 32]);
        assert_eq!(hash(&canonical), Some([0; 32]));
        assert_eq!(hash(&canonical.replace("A=", "B=")), None, "trailing bits");
        assert_eq!(hash(canonical.trim_end_matches('=')), None, "no padding");
        assert_eq!(hash(&base64(&[0; 31])), None);
        assert_eq!(unbase64("AA\n=="), None);
        assert_eq!(unbase64("_w=="), None, "URL alphabet");
    }
}

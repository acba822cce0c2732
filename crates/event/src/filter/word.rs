//! Words without a field: found anywhere inside a value, in any letter case.
//!
//! Both sides are folded character by character to their lower case, where that is one character beyond
//! ASCII; every other character stands for itself. So folding never lengthens a text, never turns a
//! non-ASCII character into an ASCII one, and depends on no language. The search is Knuth–Morris–Pratt over
//! the folded bytes: one pass, no allocation, and no pattern makes it slower than linear.

use super::Pattern;

/// A word made ready to be searched.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// The folded parts between stars, none empty; they must occur in this order.
    parts: Box<[Part]>,
    /// The word may be a piece of an event id: only hexadecimal digits and hyphens.
    pub(super) may_be_id: bool,
}

#[derive(Debug, Clone)]
struct Part {
    folded: Box<[u8]>,
    /// For each length, the longest proper border of the prefix of that length.
    borders: Box<[u16]>,
}

impl Word {
    pub(super) fn new(pattern: &Pattern) -> Self {
        let parts: Vec<_> =
            pattern.parts().iter().filter(|part| !part.is_empty()).map(|p| Part::new(p)).collect();
        let id_byte = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
        let may_be_id = parts.iter().all(|part| part.folded.iter().all(id_byte));
        Self { parts: parts.into(), may_be_id }
    }

    /// Returns the parts between stars, folded.
    pub(super) fn folded(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| &*part.folded)
    }

    /// Returns true when the parts occur in `text` one after another.
    pub(super) fn occurs_in(&self, text: &str) -> bool {
        let mut rest = text;
        self.parts.iter().all(|part| match part.end_of_first(rest) {
            Some(end) => {
                rest = &rest[end..];
                true
            }
            None => false,
        })
    }
}

impl Part {
    fn new(text: &str) -> Self {
        let mut folded = Vec::with_capacity(text.len());
        for character in text.chars() {
            folded.extend_from_slice(fold(character).encode_utf8(&mut [0; 4]).as_bytes());
        }
        let mut borders = vec![0_u16; folded.len() + 1];
        let mut border = 0_usize;
        for at in 1..folded.len() {
            while border > 0 && folded[at] != folded[border] {
                border = usize::from(borders[border]);
            }
            border += usize::from(folded[at] == folded[border]);
            // A filter's text has at most 8 KiB, so the length of a part fits.
            borders[at + 1] = border as u16;
        }
        Self { folded: folded.into(), borders: borders.into() }
    }

    /// Returns where the first occurrence ends, in bytes of `text`.
    fn end_of_first(&self, text: &str) -> Option<usize> {
        let bytes = text.as_bytes();
        let first = self.folded[0];
        let (mut at, mut matched) = (0, 0);
        while at < bytes.len() {
            if matched == 0 && first.is_ascii() {
                // Nothing beyond ASCII folds to ASCII, so only these two bytes can start a match.
                at += memchr::memchr2(first, first.to_ascii_uppercase(), &bytes[at..])?;
            }
            let byte = bytes[at];
            if byte.is_ascii() {
                matched = self.step(matched, byte.to_ascii_lowercase());
                at += 1;
            } else {
                let character = text[at..].chars().next()?;
                let folded = fold(character);
                for &byte in folded.encode_utf8(&mut [0; 4]).as_bytes() {
                    matched = self.step(matched, byte);
                }
                at += character.len_utf8();
            }
            if matched == self.folded.len() {
                return Some(at);
            }
        }
        None
    }

    fn step(&self, mut matched: usize, byte: u8) -> usize {
        while matched > 0 && self.folded[matched] != byte {
            matched = usize::from(self.borders[matched]);
        }
        matched + usize::from(self.folded[matched] == byte)
    }
}

/// The lower case of a character, where it is one character that leaves ASCII and non-ASCII apart.
fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) if !only.is_ascii() => only,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(word: &str, text: &str, expected: bool) {
        let word = Word::new(&Pattern::parse(word).expect("a pattern"));
        assert_eq!(word.occurs_in(text), expected, "{word:?} in {text}");
    }

    #[test]
    fn words_are_found_in_any_case_anywhere() {
        check("alice", "Mail from ALICE@example.com", true);
        check("ALICE", "alice", true);
        check("alice", "alic", false);
        check("straße", "Hauptstraße 5", true);
        check("ÉCOLE", "l'école", true);
        check("*", "", true);
        check("aab", "aaaab", true);
    }

    #[test]
    fn parts_occur_in_order_without_overlap() {
        check("ab*cd", "xxABxxCDxx", true);
        check("cd*ab", "abcd", false);
        check("aba*aba", "ababa", false);
    }

    #[test]
    fn characters_that_only_look_alike_stay_apart() {
        check("k", "\u{212a}", false); // Kelvin sign
        check("i", "\u{130}", false); // I with a dot
        check("ß", "ẞ", true);
        check("ss", "ß", false);
    }

    proptest! {
        #[test]
        fn searching_agrees_with_contains(word in "[abÄä]{1,5}", text in "[abÄäAB]{0,20}") {
            let folded = |text: &str| text.chars().map(fold).collect::<String>();
            let expected = folded(&text).contains(&folded(&word));
            prop_assert_eq!(Word::new(&Pattern::literal(&word)).occurs_in(&text), expected);
        }
    }
}

//! The parts of a compact JSON object or array, as slices of its text.
//!
//! Parts are cut, kept and dropped whole, so number tokens and member order are exactly those of the source and
//! what remains is JSON. The input was scanned before: it is valid and has no white space between tokens.

/// One member of an object, or one element of an array (whose key is empty).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    /// The key as written, without its quotes.
    key: &'a [u8],
    /// The value.
    pub(crate) value: &'a [u8],
    /// Key and value, or the element, as written.
    pub(crate) text: &'a [u8],
}

impl Part<'_> {
    /// True when the member is named `name` (a name that JSON writes without escapes).
    pub(crate) fn is(&self, name: &str) -> bool {
        self.key == name.as_bytes()
    }
}

/// Returns the members of a compact object in source order.
pub(crate) fn members(object: &[u8]) -> impl Iterator<Item = Part<'_>> {
    inside(object, b'{').map(|text| {
        let key_end = string_end(text);
        let key = text.get(1..key_end.saturating_sub(1)).unwrap_or_default();
        // After the key comes one colon.
        Part { key, value: text.get(key_end + 1..).unwrap_or_default(), text }
    })
}

/// Returns the elements of a compact array in order.
pub(crate) fn elements(array: &[u8]) -> impl Iterator<Item = Part<'_>> {
    inside(array, b'[').map(|text| Part { key: &[], value: text, text })
}

/// Yields the texts between the commas of the outermost container; nothing when it is of another kind.
fn inside(container: &[u8], open: u8) -> impl Iterator<Item = &[u8]> {
    let fits = container.first() == Some(&open) && container.len() > 2;
    let mut rest = if fits { &container[1..container.len() - 1] } else { &[] };
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = part_end(rest);
        let part = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(part)
    })
}

/// Returns the offset of the comma after the first part, or the length when it is the last one.
fn part_end(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                at += string_end(&text[at..]);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Returns the offset behind the closing quote of the string at the start of `text`.
fn string_end(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(offset) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += offset;
        if text[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

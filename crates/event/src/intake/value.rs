//! One value of a submission against its entry in the member table, and the small reader of tokens that the walk uses.
//!
//! Tokens come from the scanner's compact text, so their syntax is trusted. What is said about a value repeats at
//! most [`SHOWN_CHARACTERS_MAX`] characters of it.

use std::borrow::Cow;

use crate::{
    EventId, Timestamp,
    scan::special,
    spec::{Member, Shape},
};

/// Checks a value that is neither `null` nor walked into; the error is the violation's detail.
pub(super) fn check(member: &Member, token: &str) -> Result<(), String> {
    let first = token.as_bytes()[0];
    let problem = match member.shape {
        Shape::Any => None,
        Shape::AnyObject if first == b'{' => None,
        Shape::Text { bytes_min, bytes_max } if first == b'"' => {
            length(token, bytes_min, bytes_max)
        }
        Shape::OneOf(values) if first == b'"' => one_of(token, values),
        Shape::Uuid if first == b'"' => uuid(member, token),
        Shape::Time if first == b'"' => return time(member, token).map(drop),
        Shape::Integer { min, max } if is_number(first) => integer(token, min, max),
        Shape::Amount if is_number(first) => amount(token),
        _ => Some(wrong_type(member.shape, token)),
    };
    problem.map_or(Ok(()), Err)
}

/// Reads a time with an offset.
pub(super) fn time(member: &Member, token: &str) -> Result<Timestamp, String> {
    if !token.starts_with('"') {
        return Err(wrong_type(member.shape, token));
    }
    let text = unescaped(token);
    let time = Timestamp::parse(&text).filter(|_| has_whole_offset(text.as_bytes()));
    time.ok_or_else(|| {
        let example = member.example;
        format!("must be an RFC 3339 time with an offset, such as {example}; found {}", cut(token))
    })
}

fn uuid(member: &Member, token: &str) -> Option<String> {
    if EventId::parse(&unescaped(token)).is_some() {
        return None;
    }
    Some(format!("must be a UUID with hyphens, such as {}; found {}", member.example, cut(token)))
}

fn amount(token: &str) -> Option<String> {
    token.starts_with('-').then(|| format!("must not be negative; found {}", cut(token)))
}

fn wrong_type(shape: Shape, token: &str) -> String {
    format!("must be {}; found {}", wanted(shape), found(token))
}

/// RFC 3339 writes an offset as `Z` or with hours and minutes; the parser also knows shorter and longer ones.
fn has_whole_offset(time: &[u8]) -> bool {
    match time {
        [.., b'Z' | b'z'] => true,
        [.., sign, _, _, b':', _, _] => matches!(sign, b'+' | b'-'),
        _ => false,
    }
}

fn is_number(first: u8) -> bool {
    first == b'-' || first.is_ascii_digit()
}

fn length(token: &str, bytes_min: usize, bytes_max: usize) -> Option<String> {
    // Escapes only shorten, so a short token needs no unescaping.
    let quoted = token.len() - 2;
    if quoted >= bytes_min && quoted <= bytes_max {
        return None;
    }
    let bytes = unescaped(token).len();
    if bytes < bytes_min {
        return Some("must not be empty".to_owned());
    }
    (bytes > bytes_max).then(|| format!("has at most {bytes_max} bytes; this one has {bytes}"))
}

fn one_of(token: &str, values: &[&str]) -> Option<String> {
    let text = unescaped(token);
    if values.contains(&&*text) {
        return None;
    }
    Some(format!("must be one of \"{}\"; found {}", values.join("\", \""), cut(token)))
}

fn integer(token: &str, min: i64, max: i64) -> Option<String> {
    match token.parse::<i64>() {
        Ok(value) if (min..=max).contains(&value) => None,
        _ => Some(format!("must be a whole number from {min} to {max}; found {}", cut(token))),
    }
}

fn wanted(shape: Shape) -> &'static str {
    match shape {
        Shape::Object | Shape::AnyObject => "an object",
        Shape::Array => "an array",
        Shape::Integer { .. } | Shape::Amount => "a number",
        Shape::Flag => "true or false",
        Shape::Any => "any JSON",
        Shape::Text { .. } | Shape::Uuid | Shape::Time | Shape::OneOf(_) | Shape::Hash => {
            "a string"
        }
    }
}

/// Names the kind of a value of the wrong type. A string is never quoted: it may be a secret in the wrong place.
fn found(token: &str) -> String {
    match token.as_bytes()[0] {
        b'{' => "an object".to_owned(),
        b'[' => "an array".to_owned(),
        b'"' => format!("a string of {} bytes", unescaped(token).len()),
        b't' | b'f' => format!("the boolean {token}"),
        _ => format!("the number {}", cut(token)),
    }
}

/// The longest piece of a submitted value that is repeated in a violation, in characters.
const SHOWN_CHARACTERS_MAX: usize = 64;

fn cut(token: &str) -> Cow<'_, str> {
    match token.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &token[..end])),
        None => Cow::Borrowed(token),
    }
}

/// Returns the text between the quotes of a string token, unescaped.
pub(super) fn unescaped(token: &str) -> Cow<'_, str> {
    unescape(&token[1..token.len() - 1])
}

pub(super) fn unescape(inner: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(
        serde_json::from_str(&format!("\"{inner}\""))
            .expect("the scanner writes only valid strings"),
    )
}

/// Returns the offset just past the value that starts at `at`. Iterative: foreign nesting costs no stack.
pub(super) fn end_of_value(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    loop {
        match text[at] {
            b'"' => at = end_of_string(text, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            b',' | b':' => at += 1,
            _ => {
                while !matches!(text[at], b',' | b'}' | b']') {
                    at += 1;
                }
            }
        }
        if depth == 0 {
            return at;
        }
    }
}

/// Returns the offset just past the closing quote of the string that starts at `at`.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    at += 1;
    loop {
        at = special(text, at);
        if text[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
}

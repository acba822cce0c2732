//! One value of a submission against its entry in the member table.
//!
//! What is said about a value repeats at most [`SHOWN_CHARACTERS_MAX`] characters of it.

use std::borrow::Cow;

use crate::{
    EventId, Kind, Timestamp,
    scan::{Value, write_string},
    spec::{Member, Shape},
};

/// Checks a value that is neither `null` nor walked into; the error is the violation's detail.
pub(super) fn check(member: &Member, value: Value<'_>) -> Result<(), String> {
    let problem = match (member.shape, value) {
        (Shape::Any, _) | (Shape::AnyObject, Value::Object) => None,
        (Shape::Text { bytes_min, bytes_max }, Value::Scalar(Kind::String, text)) => {
            length(text, bytes_min, bytes_max)
        }
        (Shape::OneOf(values), Value::Scalar(Kind::String, text)) => one_of(text, values),
        (Shape::Uuid, Value::Scalar(Kind::String, text)) => uuid(member, text),
        (Shape::Time, Value::Scalar(Kind::String, _)) => return time(member, value).map(drop),
        (Shape::Integer { min, max }, Value::Scalar(Kind::Number, token)) => {
            integer(token, min, max)
        }
        (Shape::Amount, Value::Scalar(Kind::Number, token)) => amount(token),
        (shape, value) => Some(wrong_type(shape, value)),
    };
    problem.map_or(Ok(()), Err)
}

/// Reads a time with an offset.
pub(super) fn time(member: &Member, value: Value<'_>) -> Result<Timestamp, String> {
    let Value::Scalar(Kind::String, text) = value else {
        return Err(wrong_type(member.shape, value));
    };
    let time = Timestamp::parse(text).filter(|_| has_whole_offset(text.as_bytes()));
    time.ok_or_else(|| {
        let (example, found) = (member.example, quoted(text));
        format!("must be an RFC 3339 time with an offset, such as {example}; found {}", cut(&found))
    })
}

fn uuid(member: &Member, text: &str) -> Option<String> {
    if EventId::parse(text).is_some() {
        return None;
    }
    let (example, found) = (member.example, quoted(text));
    Some(format!("must be a UUID with hyphens, such as {example}; found {}", cut(&found)))
}

fn amount(token: &str) -> Option<String> {
    token.starts_with('-').then(|| format!("must not be negative; found {}", cut(token)))
}

fn wrong_type(shape: Shape, value: Value<'_>) -> String {
    format!("must be {}; found {}", wanted(shape), found(value))
}

/// RFC 3339 writes an offset as `Z` or with hours and minutes; the parser also knows shorter and longer ones.
fn has_whole_offset(time: &[u8]) -> bool {
    match time {
        [.., b'Z' | b'z'] => true,
        [.., sign, _, _, b':', _, _] => matches!(sign, b'+' | b'-'),
        _ => false,
    }
}

fn length(text: &str, bytes_min: usize, bytes_max: usize) -> Option<String> {
    let bytes = text.len();
    if bytes < bytes_min {
        return Some("must not be empty".to_owned());
    }
    (bytes > bytes_max).then(|| format!("has at most {bytes_max} bytes; this one has {bytes}"))
}

fn one_of(text: &str, values: &[&str]) -> Option<String> {
    if values.contains(&text) {
        return None;
    }
    let found = quoted(text);
    Some(format!("must be one of \"{}\"; found {}", values.join("\", \""), cut(&found)))
}

/// Returns a string as JSON, for messages.
fn quoted(text: &str) -> String {
    let mut json = Vec::with_capacity(text.len() + 2);
    write_string(text, &mut json);
    String::from_utf8(json).unwrap_or_default()
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
fn found(value: Value<'_>) -> String {
    match value {
        Value::Object => "an object".to_owned(),
        Value::Array => "an array".to_owned(),
        Value::Scalar(Kind::String, text) => format!("a string of {} bytes", text.len()),
        Value::Scalar(Kind::True, _) => "the boolean true".to_owned(),
        Value::Scalar(Kind::False, _) => "the boolean false".to_owned(),
        Value::Scalar(_, token) => format!("the number {}", cut(token)),
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

/// Returns the text between the quotes of a string token of compact text, unescaped.
pub(super) fn unescaped(token: &str) -> Cow<'_, str> {
    let inner = &token[1..token.len() - 1];
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(serde_json::from_str(token).expect("the scanner writes only valid strings"))
}

//! A CEF parser of its own: it shares no code with the encoder and follows the standard's reading rules.
//!
//! It is strict where the encoder must be exact: seven pipes, known escapes only, each key once, one space between
//! pairs, no raw line ends or NUL.

use std::collections::BTreeMap;

/// A parsed record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Vendor, product, device version, class id, name, severity.
    pub header: [String; 6],
    /// Unescaped values by key.
    pub extension: BTreeMap<String, String>,
}

impl Record {
    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.extension.get(key).map(String::as_str)
    }
}

/// Parses one record, which must start with `CEF:0|`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse(line: &str) -> Result<Record, String> {
    if let Some(raw) = line.chars().find(|c| matches!(c, '\n' | '\r' | '\0')) {
        return Err(format!("raw {raw:?} in the record"));
    }
    let mut rest = line.strip_prefix("CEF:0|").ok_or("does not start with CEF:0|")?;
    let mut header: [String; 6] = Default::default();
    for field in &mut header {
        (*field, rest) = header_field(rest)?;
    }
    Ok(Record { header, extension: extension(rest.strip_prefix(' ').unwrap_or(rest))? })
}

/// Reads up to the next unescaped pipe.
fn header_field(text: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '|' => return Ok((field, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ('\\' | '|'))) => field.push(escaped),
                other => return Err(format!("header escape of {other:?}")),
            },
            other => field.push(other),
        }
    }
    Err(format!("header ends in the field {field:?}"))
}

/// Splits at each unescaped `=`: the word before it is a key, the text up to the next key is its value.
fn extension(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    if text.is_empty() {
        return Ok(pairs);
    }
    let equals = unescaped_equals(text);
    let Some(&first) = equals.first() else { return Err("an extension without a pair".to_owned()) };
    let mut key = &text[..first];
    for (index, &at) in equals.iter().enumerate() {
        let (value, next_key) = match equals.get(index + 1) {
            Some(&next) => {
                text[at + 1..next].rsplit_once(' ').ok_or("two values without a space between")?
            }
            None => (&text[at + 1..], ""),
        };
        let is_word = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_word || pairs.insert(key.to_owned(), unescape(value)?).is_some() {
            return Err(format!("key {key:?} is malformed or repeated"));
        }
        key = next_key;
    }
    Ok(pairs)
}

fn unescaped_equals(text: &str) -> Vec<usize> {
    let mut equals = Vec::new();
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'=' => equals.push(at),
            _ => {}
        }
    }
    equals
}

fn unescape(value: &str) -> Result<String, String> {
    if value.starts_with(' ') || value.ends_with(' ') {
        return Err(format!("value {value:?} has a space at an end"));
    }
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        text.push(match characters.next() {
            Some(escaped @ ('\\' | '=')) => escaped,
            Some('n') => '\n',
            Some('r') => '\r',
            other => return Err(format!("escape of {other:?} in {value:?}")),
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_parses() {
        let record = parse(r"CEF:0|Acme\|Co|audit\\log|1|USER_LOGIN|User login|3|msg=a\=b\\c\nd|e suid=serviceOrUserId").unwrap();
        assert_eq!(record.header, ["Acme|Co", "audit\\log", "1", "USER_LOGIN", "User login", "3"]);
        assert_eq!(record.get("msg"), Some("a=b\\c\nd|e"));
        assert_eq!(record.get("suid"), Some("serviceOrUserId"));
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let error = parse(line).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn inexact_records_are_refused() {
        check("CEF:1|a|b|c|d|e|1|", "does not start");
        check("CEF:0|a|b|c|d|e|1", "header ends");
        check("CEF:0|a|b|c|d|e\\=|1|", "header escape");
        check("CEF:0|a|b|c|d|e|1|act=x\ny", "raw '\\n'");
        check("CEF:0|a|b|c|d|e|1|act=x act=y", "repeated");
        check("CEF:0|a|b|c|d|e|1|act=a\\|b", "escape of Some('|')");
        check("CEF:0|a|b|c|d|e|1|act=x=y", "without a space");
        check("CEF:0|a|b|c|d|e|1|act=x  msg=y", "space at an end");
        check("CEF:0|a|b|c|d|e|1|plain", "without a pair");
        check("CEF:0|a|b|c|d|e|1|a_b=x", "malformed");
    }
}

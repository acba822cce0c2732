//! Reads one CEF record as tolerantly as the standard allows.

use std::collections::BTreeMap;

pub(super) use super::super::header::MONTHS;

/// Pairs of one record; the standard knows about 200 keys.
const PAIRS_MAX: usize = 400;
/// Longest key, as for members of an event.
const KEY_BYTES_MAX: usize = 256;

/// The six fields of the header behind the version, unescaped, and the pairs.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) header: [String; 6],
    pub(super) extension: BTreeMap<String, String>,
}

impl Record {
    /// Reads a record.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("CEF:").and_then(|rest| rest.split_once('|'));
        let rest = rest.filter(|(version, _)| matches!(version.trim(), "0" | "1"));
        let (_, mut rest) = rest.ok_or("the CEF version must be 0 or 1")?;
        let mut header: [String; 6] = Default::default();
        for (place, name) in header.iter_mut().zip(NAMES) {
            let read = field(rest).or_else(|| {
                // The last pipe may be missing when there is no extension.
                (name == "severity").then(|| (rest.trim().to_owned(), ""))
            });
            (*place, rest) =
                read.ok_or_else(|| format!("the CEF header ends before its field \"{name}\""))?;
        }
        if header[3].trim().is_empty() {
            return Err("the CEF class id, which is the action, is empty".to_owned());
        }
        Ok(Self { header, extension: extension(rest.trim())? })
    }
}

const NAMES: [&str; 6] =
    ["device vendor", "device product", "device version", "class id", "name", "severity"];

/// Reads up to the next pipe that is not escaped.
fn field(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '|' => return Some((field, &text[at + 1..])),
            '\\' => match characters.peek() {
                Some((_, escaped @ ('\\' | '|'))) => {
                    field.push(*escaped);
                    characters.next();
                }
                _ => field.push('\\'),
            },
            other => field.push(other),
        }
    }
    None
}

/// Splits at each `=` that is not escaped and that a key stands before: a word at the start or behind a space. Products
/// leave `=` in values unescaped often enough.
fn extension(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    let mut open: Option<(&str, usize)> = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'=' => {
                let Some(start) = key_start(text, at, open.map_or(0, |(_, from)| from)) else {
                    continue;
                };
                if let Some((key, from)) = open {
                    put(&mut pairs, key, text.get(from..start).unwrap_or_default())?;
                }
                open = Some((&text[start..at], at + 1));
            }
            _ => {}
        }
    }
    match open {
        Some((key, from)) => put(&mut pairs, key, &text[from..])?,
        None if text.is_empty() => {}
        None => return Err("the CEF extension has no pair of key and value".to_owned()),
    }
    Ok(pairs)
}

/// Returns where the key before the `=` at `at` starts, not before `from`; `None` when there is none.
fn key_start(text: &str, at: usize, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(byte);
    let length = bytes[from..at].iter().rev().take_while(|byte| is_key(byte)).count();
    let start = at - length;
    let is_first = start == 0 || bytes[start - 1] == b' ';
    ((1..=KEY_BYTES_MAX).contains(&length) && is_first).then_some(start)
}

/// A key that stands twice keeps its first value: what comes later may have been put in by somebody else.
fn put(pairs: &mut BTreeMap<String, String>, key: &str, value: &str) -> Result<(), String> {
    if pairs.len() >= PAIRS_MAX {
        return Err(format!("a CEF record has at most {PAIRS_MAX} pairs"));
    }
    pairs.entry(key.to_owned()).or_insert_with(|| unescaped(value.trim()));
    Ok(())
}

fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some(escaped @ ('\\' | '=' | '|')) => text.push(escaped),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

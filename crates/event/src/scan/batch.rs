//! Cutting a request body into events without parsing them: each piece is scanned on its own afterwards.

use super::string::special;
use crate::Limits;

/// How a body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchForm {
    /// One object or one array of objects.
    Json,
    /// One object a line; empty lines are skipped.
    Ndjson,
}

/// The pieces of a body, in order. A piece is not yet known to be valid JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch<'a> {
    /// The body is one event.
    One(&'a [u8]),
    /// The body is a list of events.
    Many(Vec<&'a [u8]>),
}

impl<'a> Batch<'a> {
    /// Returns the pieces, where one event and a list of one mean the same.
    pub fn into_events(self) -> Vec<&'a [u8]> {
        match self {
            Self::One(event) => vec![event],
            Self::Many(events) => events,
        }
    }
}

/// Why a body cannot be cut.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// Nothing but white space.
    #[error("the body is empty")]
    Empty,
    /// More events than one batch may hold; counting stops one past the limit.
    #[error("a batch has at most {limit} events; this one has more")]
    TooMany {
        /// Events allowed.
        limit: usize,
    },
    /// The list itself is malformed.
    #[error("not valid JSON at byte {at}: expected {expected}")]
    Syntax {
        /// Byte offset in the body.
        at: usize,
        /// What would have been valid there.
        expected: &'static str,
    },
}

/// Cuts `body` into events.
pub fn split_batch<'a>(
    body: &'a [u8],
    form: BatchForm,
    limits: &Limits,
) -> Result<Batch<'a>, BatchError> {
    let start = body.iter().position(|b| !is_space(*b)).ok_or(BatchError::Empty)?;
    match (form, body[start]) {
        (BatchForm::Ndjson, _) => lines(body, limits.batch_events_max).map(Batch::Many),
        (BatchForm::Json, b'[') => {
            elements(body, start + 1, limits.batch_events_max).map(Batch::Many)
        }
        (BatchForm::Json, _) => Ok(Batch::One(body)),
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

fn lines(body: &[u8], limit: usize) -> Result<Vec<&[u8]>, BatchError> {
    let mut events = Vec::new();
    for line in body.split(|&b| b == b'\n') {
        if line.iter().all(|&b| is_space(b)) {
            continue;
        }
        if events.len() == limit {
            return Err(BatchError::TooMany { limit });
        }
        events.push(line);
    }
    Ok(events)
}

fn elements(body: &[u8], mut at: usize, limit: usize) -> Result<Vec<&[u8]>, BatchError> {
    let mut events = Vec::new();
    let mut closed = false;
    at = skip_space(body, at);
    if body.get(at) == Some(&b']') {
        (closed, at) = (true, at + 1);
    }
    while !closed {
        if events.len() == limit {
            return Err(BatchError::TooMany { limit });
        }
        let end = element_end(body, at)?;
        events.push(&body[at..end]);
        at = skip_space(body, end);
        closed = match body.get(at) {
            Some(b',') => false,
            Some(b']') => true,
            _ => return Err(BatchError::Syntax { at, expected: "\",\" or \"]\"" }),
        };
        at = if closed { at + 1 } else { skip_space(body, at + 1) };
    }
    at = skip_space(body, at);
    if at != body.len() {
        return Err(BatchError::Syntax { at, expected: "nothing after the array" });
    }
    if events.is_empty() { Err(BatchError::Empty) } else { Ok(events) }
}

fn skip_space(body: &[u8], mut at: usize) -> usize {
    while body.get(at).is_some_and(|&b| is_space(b)) {
        at += 1;
    }
    at
}

/// Finds the end of the element at `start` by counting brackets outside strings.
fn element_end(body: &[u8], start: usize) -> Result<usize, BatchError> {
    let mut at = start;
    let mut depth = 0usize;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'"' => {
                at = string_end(body, at + 1)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            b',' | b']' if depth == 0 => {
                return if at > start {
                    Ok(at)
                } else {
                    Err(BatchError::Syntax { at, expected: "an event" })
                };
            }
            _ => {}
        }
        at += 1;
    }
    Err(BatchError::Syntax { at, expected: "\"]\"" })
}

fn string_end(body: &[u8], mut at: usize) -> Result<usize, BatchError> {
    loop {
        at = special(body, at);
        match body.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            // A control character: the event's own scan will refuse it by name.
            Some(_) => at += 1,
            None => return Err(BatchError::Syntax { at: body.len(), expected: "a closing quote" }),
        }
    }
}

//! What went wrong, sorted by what the caller should do about it.

use std::fmt;

/// The class of an error: decides the HTTP status and whether a retry makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fix the request (400).
    Invalid,
    /// Make the request smaller (413).
    TooLarge,
    /// Present a valid key (401).
    Unauthenticated,
    /// Ask for the permission (403).
    Forbidden,
    /// Check the id; also the answer for another tenant's things (404).
    NotFound,
    /// Read again, then decide (409).
    Conflict,
    /// Wait as told (429).
    Throttled,
    /// Wait and retry with the same id (503 with `Retry-After`).
    Pushback,
    /// Retry; a dependency is down (503).
    Unavailable,
    /// Stop; stored bytes are damaged and a person must look (500).
    Corrupt,
    /// Report a bug (500).
    Internal,
}

/// One thing that is wrong with submitted data: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// RFC 6901 pointer to the offending member, relative to the event; empty for the whole.
    pub pointer: String,
    /// One sentence: names the limit and the value seen.
    pub detail: String,
}

impl Violation {
    /// Returns a violation at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.detail)
        } else {
            write!(f, "{}: {}", self.pointer, self.detail)
        }
    }
}

//! The record of one attempt: what was sent, what came back, what it meant.

use serde::{Deserialize, Serialize};

use crate::{
    diagnosis::Diagnosis,
    id::{AttemptId, ReplayId},
};

/// Most bytes of a receiver's answer that are kept.
pub const EXCERPT_BYTES_MAX: usize = 1024;

/// One try to deliver a batch, or a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Identity.
    pub id: AttemptId,
    /// When it began, in milliseconds since the epoch.
    pub at_ms: i64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// A round trip with the synthetic event that a person asked for; the cursor did not take part.
    #[serde(default)]
    pub test: bool,
    /// Events that the checkpoint covers which was sent; absent for batches of events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u64>,
    /// The replay that it belongs to; absent for the live cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayId>,
    /// Where to and how, without paths, queries or headers: `POST https://siem.example.com:443`.
    pub request: String,
    /// Seq of the first event; absent for tests.
    pub first_seq: Option<u64>,
    /// Seq of the last event; absent for tests.
    pub last_seq: Option<u64>,
    /// Events in it.
    pub events: u32,
    /// Bytes in it.
    pub bytes: u64,
    /// HTTP status, when there was one.
    pub status: Option<u16>,
    /// What it meant: `delivered`, `partial`, `retry`, `split`, `reject`, `pause`, `disable`.
    pub verdict: String,
    /// Why, in one sentence; empty when delivered.
    pub reason: String,
    /// The beginning of the answer, at most 1 KB. Text of a stranger: show it escaped.
    pub excerpt: String,
    /// Which step failed and what to do; absent in attempts of the first release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
}

/// Returns at most 1 KB of an answer as text, with everything that is not UTF-8 replaced.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let mut text =
        String::from_utf8_lossy(&bytes[..bytes.len().min(EXCERPT_BYTES_MAX)]).into_owned();
    // Replacement characters are three bytes long, so the text may have grown.
    text.truncate(text.floor_char_boundary(EXCERPT_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_has_at_most_1_kb() {
        assert_eq!(excerpt(b"no such index"), "no such index");
        assert_eq!(excerpt(&[b'x'; 5000]).len(), 1024);
        assert!(excerpt(&[0xff; 5000]).len() <= 1024);
        assert!(excerpt("é".repeat(5000).as_bytes()).len() <= 1024);
    }
}

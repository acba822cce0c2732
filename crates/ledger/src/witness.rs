//! The body of a witness's `add-checkpoint` request and of its answers. Source: C2SP tlog-witness v1.0.0.

use std::fmt::{self, Display};

use crate::{Hash, LineError, Note, NoteError, note::NOTE_BYTES_MAX, text};

/// Most hashes of a consistency proof that a request may carry.
pub const PROOF_LINES_MAX: usize = 63;

/// Longest request body: the checkpoint, 63 hashes of 45 bytes, and the old size.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + PROOF_LINES_MAX * 45 + 64;

/// Media type of the answer 409, whose body is the size that the witness knows.
pub const SIZE_MEDIA_TYPE: &str = "text/x.tlog.size";

/// Asks a witness to cosign a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the witness cosigned last; 0 when it has none.
    pub old: u64,
    /// Consistency proof from `old` to the checkpoint; empty from 0.
    pub hashes: Vec<Hash>,
    /// The new checkpoint with the log's signature.
    pub checkpoint: Note,
}

impl AddCheckpoint {
    /// Parses a request body. Whether the proof fits the sizes is the witness's to check.
    pub fn parse(bytes: &[u8]) -> Result<Self, AddCheckpointError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(AddCheckpointError::TooLong {
                bytes: bytes.len(),
                limit: REQUEST_BYTES_MAX,
            });
        }
        let text = str::from_utf8(bytes).map_err(|_| AddCheckpointError::OldSize)?;
        let (first, rest) = text::line(text).ok_or(AddCheckpointError::OldSize)?;
        let old = first.strip_prefix("old ").and_then(text::decimal);
        let old = old.ok_or(AddCheckpointError::OldSize)?;
        let (hashes, checkpoint) = text::hash_lines(rest, PROOF_LINES_MAX)
            .map_err(|source| AddCheckpointError::Hashes { source })?;
        let checkpoint = Note::parse(checkpoint.as_bytes())
            .map_err(|source| AddCheckpointError::Checkpoint { source })?;
        Ok(Self { old, hashes, checkpoint })
    }
}

/// The request body.
impl Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", text::base64(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Returns the size in the body of an answer 409: a decimal and a newline.
pub fn parse_size(body: &str) -> Option<u64> {
    body.strip_suffix('\n').and_then(text::decimal)
}

/// Why bytes are not an `add-checkpoint` request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddCheckpointError {
    /// More than [`REQUEST_BYTES_MAX`].
    #[error("the request has {bytes} bytes; the limit is {limit}")]
    TooLong { bytes: usize, limit: usize },
    /// The first line is not `old` and a decimal.
    #[error("the first line is not the old size")]
    OldSize,
    /// The proof lines are malformed or too many.
    #[error("the consistency proof is malformed")]
    Hashes {
        /// How.
        source: LineError,
    },
    /// The checkpoint is no signed note.
    #[error("the checkpoint is malformed")]
    Checkpoint {
        /// How.
        source: NoteError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoteSigner;

    fn request(count: usize) -> AddCheckpoint {
        let signer = NoteSigner::new("log", &[1; 32]).unwrap();
        let mut checkpoint = Note::new("log\n0\nx\n".into()).unwrap();
        checkpoint.push(signer.sign(checkpoint.text())).unwrap();
        AddCheckpoint { old: 17, hashes: vec![[7; 32]; count], checkpoint }
    }

    #[track_caller]
    fn check(body: &str, expected: AddCheckpointError) {
        assert_eq!(AddCheckpoint::parse(body.as_bytes()), Err(expected), "{body:?}");
    }

    #[test]
    fn a_request_comes_back() {
        for count in [0, 1, PROOF_LINES_MAX] {
            let body = request(count).to_string();
            assert_eq!(AddCheckpoint::parse(body.as_bytes()), Ok(request(count)));
        }
    }

    #[test]
    fn other_bodies_are_refused() {
        let body = request(1).to_string();
        check("", AddCheckpointError::OldSize);
        check(&body.replace("old 17", "old 017"), AddCheckpointError::OldSize);
        check(&body.replace("old 17", "old  17"), AddCheckpointError::OldSize);
        let source = LineError::TooMany { limit: PROOF_LINES_MAX };
        check(&request(64).to_string(), AddCheckpointError::Hashes { source });
        let source = LineError::Hash { index: 0 };
        check(&body.replace("old 17\n", "old 17\nx\n"), AddCheckpointError::Hashes { source });
        let source = LineError::End;
        check("old 17\n", AddCheckpointError::Hashes { source });
        let source = NoteError::Text;
        check("old 17\n\nlog\n", AddCheckpointError::Checkpoint { source });
        let bytes = vec![b'x'; REQUEST_BYTES_MAX + 1];
        assert!(matches!(AddCheckpoint::parse(&bytes), Err(AddCheckpointError::TooLong { .. })));
    }

    #[test]
    fn the_size_of_a_conflict_is_one_line() {
        assert_eq!(parse_size("20852014\n"), Some(20_852_014));
        for body in ["", "\n", "1", "01\n", "1\n\n", " 1\n"] {
            assert_eq!(parse_size(body), None, "{body:?}");
        }
    }
}

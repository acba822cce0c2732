//! The note text of a checkpoint: origin, size, root. Source: C2SP tlog-checkpoint v1.0.0.

use std::fmt;

use crate::{Hash, text};

/// Most extension lines that are read; none are ever written.
pub const EXTENSIONS_MAX: usize = 16;

/// A tree head of a named log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log; not empty, no newline.
    pub origin: String,
    /// Leaves of the tree.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// Further lines of other logs: not empty, no newline. Ours have none.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// Returns a checkpoint without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.into(), size, root, extensions: Vec::new() }
    }

    /// Parses a note text: at least three lines, each ended by a newline.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        if origin.is_empty() {
            return Err(CheckpointError::Origin);
        }
        let size = text::decimal(size).ok_or(CheckpointError::Size)?;
        let root = text::hash(root).ok_or(CheckpointError::Root)?;
        let extensions: Vec<String> = lines.take(EXTENSIONS_MAX + 1).map(str::to_owned).collect();
        if extensions.len() > EXTENSIONS_MAX || extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Extensions { limit: EXTENSIONS_MAX });
        }
        Ok(Self { origin: origin.into(), size, root, extensions })
    }
}

/// The note text.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, text::base64(&self.root))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Why a note text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Fewer than three lines, or no final newline.
    #[error("a checkpoint has three lines or more")]
    Lines,
    /// The first line is empty.
    #[error("the origin is empty")]
    Origin,
    /// The second line is not a decimal without leading zeros.
    #[error("the tree size is not a decimal number")]
    Size,
    /// The third line is not the Base64 of 32 bytes.
    #[error("the root is not the Base64 of 32 bytes")]
    Root,
    /// Empty extension lines, or too many.
    #[error("extension lines are not empty and at most {limit}")]
    Extensions { limit: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: CheckpointError) {
        assert_eq!(Checkpoint::parse(text), Err(expected), "{text:?}");
    }

    #[test]
    fn a_checkpoint_has_one_form() {
        let root = text::base64(&[7; 32]);
        let plain = format!("example.com/log\n0\n{root}\n");
        let checkpoint = Checkpoint::parse(&plain).unwrap();
        assert_eq!(checkpoint, Checkpoint::new("example.com/log", 0, [7; 32]));
        assert_eq!(checkpoint.to_string(), plain);
        let extended = format!("a log\n18446744073709551615\n{root}\nline\nother line\n");
        let checkpoint = Checkpoint::parse(&extended).unwrap();
        assert_eq!(checkpoint.extensions, ["line", "other line"]);
        assert_eq!(checkpoint.to_string(), extended);
    }

    #[test]
    fn other_texts_are_refused() {
        let root = text::base64(&[7; 32]);
        check("", CheckpointError::Lines);
        check("a\n1\n", CheckpointError::Lines);
        check(&format!("a\n1\n{root}"), CheckpointError::Lines);
        check(&format!("\n1\n{root}\n"), CheckpointError::Origin);
        check(&format!("a\n01\n{root}\n"), CheckpointError::Size);
        check(&format!("a\n18446744073709551616\n{root}\n"), CheckpointError::Size);
        check(&format!("a\n1\n{}\n", &root[1..]), CheckpointError::Root);
        check(&format!("a\n1\n{root} \n"), CheckpointError::Root);
        let limit = CheckpointError::Extensions { limit: EXTENSIONS_MAX };
        check(&format!("a\n1\n{root}\n\n"), limit);
        check(&format!("a\n1\n{root}\n{}", "x\n".repeat(EXTENSIONS_MAX + 1)), limit);
    }
}

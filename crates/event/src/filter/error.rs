//! What is wrong with a filter's text, and where.

use std::fmt;

/// A filter text that was refused.
///
/// `offset` and `length` count bytes of the UTF-8 text and always fall on character boundaries; a length of
/// zero points at a place where something is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}{}", Hint(.expected))]
pub struct FilterError {
    /// First byte of the part that is wrong.
    pub offset: usize,
    /// Bytes of that part.
    pub length: usize,
    /// What could stand there instead, in the words of the reference page; empty when a limit was passed.
    pub expected: Vec<&'static str>,
    /// What is wrong.
    pub reason: Reason,
}

/// The kinds of wrong text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Something else belongs here.
    #[error("unexpected text")]
    Unexpected,
    /// The text, or a value, stops where something must follow.
    #[error("unexpected end")]
    End,
    /// A quote is never closed.
    #[error("quote without an end")]
    OpenQuote,
    /// A backslash before a character that needs none.
    #[error("unknown escape")]
    Escape,
    /// `and`, `or`, `not` in lower case, or `exists` without its parenthesis.
    #[error("reserved word")]
    Reserved,
    /// A relative time with an operator that does not order.
    #[error("a time relative to now needs an ordering operator")]
    Relative,
    /// More bytes than [`super::TEXT_BYTES_MAX`], as given or in the canonical form.
    #[error("the filter has {bytes} bytes; the limit is {}", super::TEXT_BYTES_MAX)]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
    },
    /// Deeper than [`super::NESTING_MAX`].
    #[error("the filter nests deeper than the limit of {}", super::NESTING_MAX)]
    TooDeep,
    /// More nodes than [`super::NODES_MAX`].
    #[error("the filter has {count} nodes; the limit is {}", super::NODES_MAX)]
    TooManyNodes {
        /// Nodes of the tree.
        count: usize,
    },
}

impl Reason {
    /// Returns the stable name that the fixtures use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::End => "end",
            Self::OpenQuote => "open-quote",
            Self::Escape => "escape",
            Self::Reserved => "reserved",
            Self::Relative => "relative",
            Self::TooLong { .. } => "too-long",
            Self::TooDeep => "too-deep",
            Self::TooManyNodes { .. } => "too-many-nodes",
        }
    }
}

struct Hint<'a>(&'a [&'static str]);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; expected one of {}", self.0.join(" ")) }
    }
}

//! The tree that text and JSON forms share.
//!
//! A tree is always in its flattened form: no `And` directly inside an `And`, no `Or` inside an `Or`, no
//! list of one. Two texts that differ only in superfluous parentheses, spaces or quotes give the same tree,
//! which is what makes the canonical text and the JSON form lossless.

use super::{Path, Pattern};

/// Levels of negation and grouping that a filter may nest.
pub const NESTING_MAX: usize = 32;
/// Clauses, negations and lists of one filter.
pub const NODES_MAX: usize = 256;
/// Bytes of a filter's text, and of the canonical text of a JSON form.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;

/// One node of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Every part matches; without parts (only as the root) every event matches.
    And(Vec<Self>),
    /// Some part matches.
    Or(Vec<Self>),
    /// The part does not match.
    Not(Box<Self>),
    /// The event has a value at or below the path.
    Exists(Path),
    /// A word without a field: some value of the event contains it, in any letter case.
    Word(Pattern),
    /// `:` — a value at the path matches the pattern.
    Match(Path, Pattern),
    /// A value at the path compares as the operator says.
    Compare(Path, Comparator, Operand),
}

/// The comparing operators; `:` is [`Node::Match`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What a comparison compares with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// Text; the type of the event's value decides how it is read.
    Text(Box<str>),
    /// A time relative to the request's `now`; only with an ordering operator.
    Relative(Relative),
}

/// `now`, or an offset from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relative {
    /// Signed number of units of at most nine digits; `None` is plain `now`.
    pub offset: Option<(i64, Unit)>,
}

/// The units of a relative time. A day is 24 hours and a week seven days; there is no calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks.
    Week,
}

impl Comparator {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    pub(super) fn of_symbol(symbol: &str) -> Option<Self> {
        let all = [
            Self::Equal,
            Self::NotEqual,
            Self::Less,
            Self::LessOrEqual,
            Self::Greater,
            Self::GreaterOrEqual,
        ];
        all.into_iter().find(|comparator| comparator.symbol() == symbol)
    }

    /// Returns true for the operators that order: the only ones that take a relative time.
    pub const fn orders(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Unit {
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Second => 's',
            Self::Minute => 'm',
            Self::Hour => 'h',
            Self::Day => 'd',
            Self::Week => 'w',
        }
    }

    pub(super) fn of_letter(letter: char) -> Option<Self> {
        let all = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Week];
        all.into_iter().find(|unit| unit.letter() == letter)
    }

    const fn milliseconds(self) -> i64 {
        match self {
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
            Self::Week => 604_800_000,
        }
    }
}

impl Relative {
    /// Most digits of an offset: the largest one reaches past the range of times, so no more are needed.
    pub(super) const DIGITS_MAX: usize = 9;

    /// Returns the instant in milliseconds since the epoch, held within the years 0000 to 9998,
    /// all of which have a text.
    pub(super) fn instant(self, now_ms: i64) -> i64 {
        let offset =
            self.offset.map_or(0, |(amount, unit)| amount.saturating_mul(unit.milliseconds()));
        now_ms.saturating_add(offset).clamp(-62_167_219_200_000, 253_370_764_799_999)
    }
}

impl Node {
    /// Joins parts so that all must match, flattened.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::And(inner) => inner,
            other => vec![other],
        });
        single(flat.collect()).unwrap_or_else(Self::And)
    }

    /// Joins parts so that one must match, flattened.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Or(inner) => inner,
            other => vec![other],
        });
        single(flat.collect()).unwrap_or_else(Self::Or)
    }

    fn parts(&self) -> &[Self] {
        match self {
            Self::And(parts) | Self::Or(parts) => parts,
            Self::Not(part) => std::slice::from_ref(part),
            _ => &[],
        }
    }

    /// Returns the number of nodes, this one included.
    pub fn count(&self) -> usize {
        1 + self.parts().iter().map(Self::count).sum::<usize>()
    }

    /// Returns the number of lists and negations on the longest way down.
    pub fn nesting(&self) -> usize {
        match self.parts() {
            [] => 0,
            parts => 1 + parts.iter().map(Self::nesting).max().unwrap_or(0),
        }
    }

    /// Calls `visit` for every clause, left to right.
    pub(super) fn each_clause<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        match self {
            Self::And(_) | Self::Or(_) | Self::Not(_) => {
                self.parts().iter().for_each(|part| part.each_clause(visit));
            }
            clause => visit(clause),
        }
    }

    /// Returns the tree with every relative time replaced by the instant it means at `now_ms`.
    pub(super) fn resolved(&self, now_ms: i64) -> Self {
        let each = |parts: &[Self]| parts.iter().map(|part| part.resolved(now_ms)).collect();
        match self {
            Self::And(parts) => Self::And(each(parts)),
            Self::Or(parts) => Self::Or(each(parts)),
            Self::Not(part) => Self::Not(Box::new(part.resolved(now_ms))),
            Self::Compare(path, comparator, Operand::Relative(relative)) => {
                let instant = crate::Timestamp(relative.instant(now_ms)).to_string();
                Self::Compare(path.clone(), *comparator, Operand::Text(instant.into()))
            }
            clause => clause.clone(),
        }
    }
}

/// A list of one is its only part.
fn single(mut parts: Vec<Node>) -> Result<Node, Vec<Node>> {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => Ok(only),
        (_, last) => {
            parts.extend(last);
            Err(parts)
        }
    }
}

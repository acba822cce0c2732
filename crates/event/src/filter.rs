//! The filter language: one language for search, saved views, destinations, retention and token restrictions.
//!
//! A [`Filter`] is parsed once, from text or from its JSON form, into one tree; both forms come back from it
//! without loss. It can then be evaluated on any event: evaluation is total, reads no clock, allocates
//! nothing and takes time linear in the event. There are no scripts and no regular expressions. The rules
//! are written down in `docs/reference/filter.md`, and `fixtures/filter/` holds them as cases that every
//! implementation of the language runs.
//!
//! ```
//! use attestary_event::filter::Filter;
//!
//! let filter = Filter::parse("action:user.* (outcome:failure OR outcome:denied) -actor.type:service")?;
//! assert_eq!(filter.to_string(), "action:user.* (outcome:failure OR outcome:denied) -actor.type:service");
//! # Ok::<(), attestary_event::filter::FilterError>(())
//! ```

mod ast;
mod bounds;
mod column;
mod decimal;
mod error;
mod field;
mod json;
mod lexer;
mod matcher;
mod moment;
mod needles;
mod network;
mod parser;
mod path;
mod pattern;
mod plan;
mod print;
mod row;
#[cfg(test)]
mod tests;
mod word;

use std::fmt;

pub use ast::{Comparator, NESTING_MAX, NODES_MAX, Node, Operand, Relative, TEXT_BYTES_MAX, Unit};
pub use bounds::{Bounds, Range, TextBound};
pub use column::Column;
pub use error::{FilterError, Reason};
pub use field::{Field, FieldError};
pub use needles::Needles;
pub use path::Path;
pub use pattern::Pattern;
pub use row::Row;

use crate::{Timestamp, View, Violation};

/// A filter that was checked against the limits and made ready to evaluate.
#[derive(Clone)]
pub struct Filter {
    node: Node,
    plan: plan::Step,
}

impl Filter {
    /// Parses the text form; the empty text selects every event.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parser::parse(text).map(Self::of)
    }

    /// Reads the JSON form. The pointer of the violation is relative to the filter.
    pub fn from_json(json: &serde_json::Value) -> Result<Self, Violation> {
        json::read(json).map(Self::of)
    }

    /// Reads the JSON form from bytes, refusing repeated members.
    pub fn from_json_slice(json: &[u8]) -> Result<Self, Violation> {
        json::read_slice(json).map(Self::of)
    }

    /// Returns the filter that selects every event.
    pub fn everything() -> Self {
        Self::of(Node::And(Vec::new()))
    }

    /// Returns the filter `path = text`, for conditions that come as separate parameters.
    pub fn equals(path: Path, text: &str) -> Self {
        Self::of(Node::Compare(path, Comparator::Equal, Operand::Text(text.into())))
    }

    fn of(node: Node) -> Self {
        let plan = plan::Step::of(&node);
        Self { node, plan }
    }

    /// Returns the JSON form.
    pub fn to_json(&self) -> serde_json::Value {
        json::write(&self.node)
    }

    /// Returns the tree.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Returns true when this is the empty filter, which selects every event.
    pub fn is_everything(&self) -> bool {
        matches!(&self.node, Node::And(parts) if parts.is_empty())
    }

    /// Returns the filter that selects what both select.
    ///
    /// Limits are not checked again: they bound what is parsed, and a restriction always applies.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::of(Node::all(vec![self.node, other.node]))
    }

    /// Returns true when the filter speaks of `now`: it needs a request, and [`Filter::resolve`], to mean anything.
    ///
    /// Places that run without a request (destinations, retention classes) refuse such filters.
    pub fn is_relative(&self) -> bool {
        let mut relative = false;
        self.node.each_clause(&mut |clause| {
            relative |= matches!(clause, Node::Compare(_, _, Operand::Relative(_)));
        });
        relative
    }

    /// Returns the filter with every relative time replaced by the instant it means at `now`.
    ///
    /// Unresolved, a clause with a relative time matches nothing.
    #[must_use]
    pub fn resolve(&self, now: Timestamp) -> Self {
        if self.is_relative() { Self::of(self.node.resolved(now.0)) } else { self.clone() }
    }

    /// Returns true when the event is selected.
    pub fn matches(&self, view: &View<'_>) -> bool {
        self.plan.matches(view)
    }

    /// Returns what the columns of every matching event satisfy.
    pub fn bounds(&self) -> Bounds {
        Bounds::of(&self.plan)
    }

    /// Returns what the body of every matching event holds.
    pub fn needles(&self) -> Needles {
        Needles::of(&self.plan)
    }

    /// Returns the paths of all clauses, left to right, repeats included.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.node.each_clause(&mut |clause| match clause {
            Node::Exists(path) | Node::Match(path, _) | Node::Compare(path, _, _) => {
                paths.push(path);
            }
            _ => {}
        });
        paths
    }

    /// Returns true when a word without a field looks into every value, hidden ones included.
    pub fn reads_every_value(&self) -> bool {
        let mut words = false;
        self.node.each_clause(&mut |clause| words |= matches!(clause, Node::Word(_)));
        words
    }

    /// Returns the paths that no event can have: nearly always misspelt. They match nothing.
    pub fn unknown_paths(&self) -> Vec<&Path> {
        self.paths().into_iter().filter(|path| !column::is_known(path)).collect()
    }
}

impl fmt::Display for Filter {
    /// Writes the canonical text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({})", self.node)
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Eq for Filter {}

impl Default for Filter {
    fn default() -> Self {
        Self::everything()
    }
}

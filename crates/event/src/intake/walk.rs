//! The check of a submission along the member table: names, types, limits, who may set what.
//!
//! It goes along with the scan, so the bytes are read once. What lies below a member that holds any JSON is not looked
//! at. Nothing is allocated until something is wrong.

use std::borrow::Cow;

use super::{
    Door, VIOLATIONS_MAX, suggest,
    value::{self, unescaped},
};
use crate::{
    Kind, Timestamp, Violation,
    scan::{Span, Value, Watch},
    spec::{
        SetBy, Shape,
        tree::{self, Capture, Node},
    },
};

/// What the walk found.
#[derive(Debug)]
pub(crate) struct Walked<'a> {
    pub(crate) text: &'a str,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) violations: Vec<Violation>,
    captured: [Option<Span>; Capture::COUNT],
}

impl<'a> Walked<'a> {
    /// Returns where the value of a captured member stands, `null` included.
    pub(crate) fn span(&self, capture: Capture) -> Option<Span> {
        self.captured[capture as usize]
    }

    /// Returns the source token of a captured member that is given and not `null`.
    pub(crate) fn token(&self, capture: Capture) -> Option<&'a str> {
        self.span(capture)
            .map(|span| &self.text[span.start..span.end])
            .filter(|token| *token != "null")
    }

    /// Returns true when the member is given and not `null`.
    pub(crate) fn has(&self, capture: Capture) -> bool {
        self.token(capture).is_some()
    }

    /// Returns true when the member is an object.
    pub(crate) fn is_object(&self, capture: Capture) -> bool {
        self.token(capture).is_some_and(|token| token.starts_with('{'))
    }

    /// Returns the unescaped text of a captured member that is a string.
    pub(crate) fn text(&self, capture: Capture) -> Option<Cow<'a, str>> {
        self.token(capture).filter(|token| token.starts_with('"')).map(unescaped)
    }

    /// Returns true when a violation of exactly that member is listed.
    pub(crate) fn reports(&self, pointer: &str) -> bool {
        self.violations.iter().any(|violation| violation.pointer == pointer)
    }

    /// Lists a violation of a rule that spans members.
    pub(crate) fn violation(&mut self, pointer: &str, detail: &str) {
        self.add(Violation::new(pointer, detail));
    }

    /// Lists a violation unless the list is full.
    pub(crate) fn add(&mut self, violation: Violation) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }
}

/// The check that goes along with the scan: names, types, limits, who may set what.
pub(crate) struct Walk {
    door: Door,
    occurred_at: Option<Timestamp>,
    violations: Vec<Violation>,
    captured: [Option<Span>; Capture::COUNT],
}

impl Walk {
    /// Returns a check of one submission that comes through `door`.
    pub(crate) fn new(door: Door) -> Self {
        Self { door, occurred_at: None, violations: Vec::new(), captured: [None; Capture::COUNT] }
    }

    /// Returns what was found, beside the compact text that the scan yielded.
    pub(crate) fn finish(self, text: &str) -> Walked<'_> {
        let Self { occurred_at, violations, captured, .. } = self;
        Walked { text, occurred_at, violations, captured }
    }

    fn refuse(&mut self, pointer: &str, detail: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation::new(pointer, detail));
        }
    }

    #[cold]
    fn unknown(&mut self, node: &Node, name: &str, pointer: &str) {
        let detail = suggest::unknown_member(node.member, name);
        self.refuse(pointer, detail);
    }

    /// Checks a value that is not walked into; keeps the one time that intake needs parsed.
    fn scalar(&mut self, node: &Node, value: Value<'_>) -> Result<(), String> {
        if value == Value::Scalar(Kind::Null, "") {
            let nullable = node.member.nullable();
            return if nullable { Ok(()) } else { Err("is required and must not be null".into()) };
        }
        if node.capture == Some(Capture::OccurredAt) {
            self.occurred_at = Some(value::time(node.member, value)?);
            return Ok(());
        }
        value::check(node.member, value)
    }
}

/// A place is an entry of the member table; `None` where any JSON may stand, or where something was refused already.
/// A frame has bit *i* set when the *i*-th child was given.
impl Watch for Walk {
    type Place = Option<&'static Node>;
    type Frame = u64;
    const COMPACT: bool = true;

    fn root(&self) -> Self::Place {
        Some(tree::root())
    }

    fn member(
        &mut self,
        place: Self::Place,
        given: &mut u64,
        name: &str,
        pointer: &str,
    ) -> Self::Place {
        let node = place?;
        let Some(index) = node.child(name) else {
            self.unknown(node, name, pointer);
            return None;
        };
        *given |= 1 << index;
        let child = &node.children[index];
        match child.member.set_by {
            SetBy::Client => return Some(child),
            SetBy::Adapter if self.door != Door::Native => return Some(child),
            SetBy::Adapter => self.refuse(
                pointer,
                "is kept for the adapters of foreign formats; put your own data into \"metadata\"",
            ),
            SetBy::Service => self.refuse(pointer, "is set by the service and cannot be given"),
        }
        None
    }

    fn begin(&mut self, place: Self::Place, value: Value<'_>, pointer: &str) -> Self::Place {
        let node = place?;
        match (node.member.shape, value) {
            (Shape::Object, Value::Object) => return place,
            (Shape::Array, Value::Array) => return node.element.as_deref(),
            _ => {}
        }
        if let Err(detail) = self.scalar(node, value) {
            self.refuse(pointer, detail);
        }
        None
    }

    fn end(&mut self, place: Self::Place, span: Span) {
        if let Some(capture) = place.and_then(|node| node.capture) {
            self.captured[capture as usize] = Some(span);
        }
    }

    fn close(&mut self, place: Self::Place, given: u64, pointer: &str) {
        let Some(node) = place else { return };
        let mut missing = node.required & !given;
        while missing != 0 {
            let child = &node.children[missing.trailing_zeros() as usize];
            self.refuse(&format!("{pointer}/{}", child.name), "is required");
            missing &= missing - 1;
        }
    }
}

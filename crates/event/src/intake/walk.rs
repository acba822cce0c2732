//! One pass over the compact text of a submission along the member table: names, types, limits, who may set what.
//!
//! The text comes from the scanner, so its syntax is trusted: no byte of it needs checking again. It is walked
//! rather than the flattened fields because only the text tells `{"0":…}` from `[…]`. What lies below a member that
//! holds any JSON is skipped. Nothing is allocated until something is wrong; pointers are built only for violations.

use std::borrow::Cow;

use super::{
    Door, VIOLATIONS_MAX, suggest,
    value::{self, end_of_value, unescape, unescaped},
};
use crate::{
    Timestamp, Violation,
    spec::{
        SetBy, Shape,
        tree::{self, Capture, Node},
    },
};

/// A range of the compact text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

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

/// Walks the compact text of one object.
pub(crate) fn walk(text: &str, door: Door) -> Walked<'_> {
    let walked = Walked {
        text,
        occurred_at: None,
        violations: Vec::new(),
        captured: [None; Capture::COUNT],
    };
    let mut walk = Walk { at: 0, door, walked };
    walk.object(tree::root(), &Path::Root);
    walk.walked
}

/// Where the walk stands, as a chain through its call frames.
enum Path<'p> {
    Root,
    /// A member; its name as it stands in the text, between the quotes.
    Name(&'p Self, &'p str),
    /// An array element.
    Index(&'p Self, usize),
}

impl Path<'_> {
    fn pointer(&self) -> String {
        match self {
            Path::Root => String::new(),
            Path::Name(parent, name) => {
                let name = unescape(name);
                parent.pointer() + "/" + &name.replace('~', "~0").replace('/', "~1")
            }
            Path::Index(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }
}

struct Walk<'a> {
    at: usize,
    door: Door,
    walked: Walked<'a>,
}

impl<'a> Walk<'a> {
    fn byte(&self) -> u8 {
        self.walked.text.as_bytes()[self.at]
    }

    fn refuse(&mut self, path: &Path<'_>, detail: impl Into<String>) {
        self.walked.add(Violation::new(path.pointer(), detail));
    }

    /// Walks an object whose members stand in the table. Recursion is bounded by the depth of the table.
    fn object(&mut self, node: &'static Node, path: &Path<'_>) {
        self.at += 1;
        let mut given: u64 = 0;
        while self.byte() != b'}' {
            if self.byte() == b',' {
                self.at += 1;
            }
            let key = self.token();
            let name = &key[1..key.len() - 1];
            self.at += 1;
            let path = Path::Name(path, name);
            match node.child(name) {
                Some(index) => {
                    given |= 1 << index;
                    self.member(&node.children[index], &path);
                }
                None => self.unknown(node, name, &path),
            }
        }
        self.at += 1;
        self.missing(node, node.required & !given, path);
    }

    #[cold]
    fn unknown(&mut self, node: &Node, name: &str, path: &Path<'_>) {
        self.token();
        let detail = suggest::unknown_member(node.member, &unescape(name));
        self.refuse(path, detail);
    }

    fn missing(&mut self, node: &Node, mut missing: u64, path: &Path<'_>) {
        while missing != 0 {
            let child = &node.children[missing.trailing_zeros() as usize];
            self.refuse(&Path::Name(path, child.name), "is required");
            missing &= missing - 1;
        }
    }

    fn member(&mut self, node: &'static Node, path: &Path<'_>) {
        let start = self.at;
        match node.member.set_by {
            SetBy::Client => self.value(node, path),
            SetBy::Adapter if self.door != Door::Native => self.value(node, path),
            SetBy::Adapter => {
                self.token();
                self.refuse(path, "is kept for the adapters of foreign formats; put your own data into \"metadata\"");
            }
            SetBy::Service => {
                self.token();
                self.refuse(path, "is set by the service and cannot be given");
            }
        }
        if let Some(capture) = node.capture {
            self.walked.captured[capture as usize] = Some(Span { start, end: self.at });
        }
    }

    /// Checks one value against its entry in the table and moves past it.
    fn value(&mut self, node: &'static Node, path: &Path<'_>) {
        match (node.member.shape, self.byte()) {
            (Shape::Object, b'{') => return self.object(node, path),
            (Shape::Array, b'[') => return self.array(node, path),
            _ => {}
        }
        let token = self.token();
        if token == "null" {
            if !node.member.nullable() {
                self.refuse(path, "is required and must not be null");
            }
        } else if let Err(detail) = self.scalar(node, token) {
            self.refuse(path, detail);
        }
    }

    fn array(&mut self, node: &'static Node, path: &Path<'_>) {
        let element = node.element.as_deref().expect("every array in the table has an element");
        self.at += 1;
        let mut index = 0;
        while self.byte() != b']' {
            if self.byte() == b',' {
                self.at += 1;
            }
            self.value(element, &Path::Index(path, index));
            index += 1;
        }
        self.at += 1;
    }

    /// Checks a value that is not walked into; keeps the one time that intake needs parsed.
    fn scalar(&mut self, node: &Node, token: &str) -> Result<(), String> {
        if node.capture == Some(Capture::OccurredAt) {
            self.walked.occurred_at = Some(value::time(node.member, token)?);
            return Ok(());
        }
        value::check(node.member, token)
    }

    /// Moves past one value and returns it.
    fn token(&mut self) -> &'a str {
        let text = self.walked.text;
        let start = self.at;
        self.at = end_of_value(text.as_bytes(), start);
        &text[start..self.at]
    }
}

//! One pass over the compact text of a submission along the member table: names, types, limits, who may set what.
//!
//! The text comes from the scanner, so its syntax is trusted: no byte of it needs checking again. It is walked
//! rather than the flattened fields because only the text tells `{"0":…}` from `[…]`. What lies below a member that
//! holds any JSON is skipped. Nothing is allocated until something is wrong; pointers are built only for violations.

use std::borrow::Cow;

use super::{Door, VIOLATIONS_MAX, suggest};
use crate::{
    EventId, Timestamp, Violation,
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

/// Returns the text between the quotes of a string token, unescaped.
fn unescaped(token: &str) -> Cow<'_, str> {
    unescape(&token[1..token.len() - 1])
}

fn unescape(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(
        serde_json::from_str(&format!("\"{inner}\""))
            .expect("the scanner writes only valid strings"),
    )
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
            self.refuse(&Path::Name(path, child.member.name()), "is required");
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
        } else if let Some(detail) = self.problem(node, token) {
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

    /// Returns what is wrong with a value that is not walked into.
    fn problem(&mut self, node: &Node, token: &str) -> Option<String> {
        let first = token.as_bytes()[0];
        match node.member.shape {
            Shape::Any => None,
            Shape::AnyObject if first == b'{' => None,
            Shape::Text { bytes_min, bytes_max } if first == b'"' => {
                length(token, bytes_min, bytes_max)
            }
            Shape::OneOf(values) if first == b'"' => one_of(token, values),
            Shape::Uuid if first == b'"' => match EventId::parse(&unescaped(token)) {
                Some(_) => None,
                None => Some(format!(
                    "must be a UUID with hyphens, such as {}; found {}",
                    node.member.example,
                    cut(token)
                )),
            },
            Shape::Time if first == b'"' => self.time(node, token),
            Shape::Integer { min, max } if is_number(first) => integer(token, min, max),
            Shape::Amount if is_number(first) => {
                (first == b'-').then(|| format!("must not be negative; found {}", cut(token)))
            }
            shape => Some(format!("must be {}; found {}", wanted(shape), found(token))),
        }
    }

    fn time(&mut self, node: &Node, token: &str) -> Option<String> {
        let time = Timestamp::parse(&unescaped(token));
        if node.capture == Some(Capture::OccurredAt) {
            self.walked.occurred_at = time;
        }
        if time.is_some() {
            return None;
        }
        Some(format!(
            "must be an RFC 3339 time with an offset, such as {}; found {}",
            node.member.example,
            cut(token)
        ))
    }

    /// Moves past one value and returns it.
    fn token(&mut self) -> &'a str {
        let text = self.walked.text;
        let start = self.at;
        self.at = end_of_value(text.as_bytes(), start);
        &text[start..self.at]
    }
}

/// Returns the offset just past the value that starts at `at`. Iterative: foreign nesting costs no stack.
fn end_of_value(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    loop {
        match text[at] {
            b'"' => at = end_of_string(text, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            b',' | b':' => at += 1,
            _ => {
                while !matches!(text[at], b',' | b'}' | b']') {
                    at += 1;
                }
            }
        }
        if depth == 0 {
            return at;
        }
    }
}

/// Returns the offset just past the closing quote of the string that starts at `at`.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    at += 1;
    loop {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn is_number(first: u8) -> bool {
    first == b'-' || first.is_ascii_digit()
}

fn length(token: &str, bytes_min: usize, bytes_max: usize) -> Option<String> {
    // Escapes only shorten, so a short token needs no unescaping.
    let quoted = token.len() - 2;
    if quoted >= bytes_min && quoted <= bytes_max {
        return None;
    }
    let bytes = unescaped(token).len();
    if bytes < bytes_min {
        return Some("must not be empty".to_owned());
    }
    (bytes > bytes_max).then(|| format!("has at most {bytes_max} bytes; this one has {bytes}"))
}

fn one_of(token: &str, values: &[&str]) -> Option<String> {
    let text = unescaped(token);
    if values.contains(&&*text) {
        return None;
    }
    Some(format!("must be one of \"{}\"; found {}", values.join("\", \""), cut(token)))
}

fn integer(token: &str, min: i64, max: i64) -> Option<String> {
    match token.parse::<i64>() {
        Ok(value) if (min..=max).contains(&value) => None,
        _ => Some(format!("must be a whole number from {min} to {max}; found {}", cut(token))),
    }
}

fn wanted(shape: Shape) -> &'static str {
    match shape {
        Shape::Object | Shape::AnyObject => "an object",
        Shape::Array => "an array",
        Shape::Integer { .. } | Shape::Amount => "a number",
        Shape::Flag => "true or false",
        Shape::Any => "any JSON",
        Shape::Text { .. } | Shape::Uuid | Shape::Time | Shape::OneOf(_) | Shape::Hash => {
            "a string"
        }
    }
}

/// Names the kind of a value of the wrong type. A string is never quoted: it may be a secret in the wrong place.
fn found(token: &str) -> String {
    match token.as_bytes()[0] {
        b'{' => "an object".to_owned(),
        b'[' => "an array".to_owned(),
        b'"' => format!("a string of {} bytes", unescaped(token).len()),
        b't' | b'f' => format!("the boolean {token}"),
        _ => format!("the number {}", cut(token)),
    }
}

/// The longest piece of a submitted value that is repeated in a violation, in characters.
const SHOWN_CHARACTERS_MAX: usize = 64;

fn cut(token: &str) -> Cow<'_, str> {
    match token.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &token[..end])),
        None => Cow::Borrowed(token),
    }
}

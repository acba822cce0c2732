//! A tree made ready to run: paths turned into places, values into readings.
//!
//! Running it is total: it reads no clock, allocates nothing, and a missing value is no match. The time of
//! each clause is at most linear in the event.

use super::{
    ast::{Node, Operand},
    column::{Source, is_index},
    matcher::{Matcher, Scalar},
    moment,
    word::Word,
};
use crate::{EventId, Field, Fields, Kind, View};

/// One step of a plan.
#[derive(Debug, Clone)]
pub(super) enum Step {
    All(Box<[Self]>),
    Any(Box<[Self]>),
    Not(Box<Self>),
    Exists(Source),
    Word(Word),
    Compare(Source, Matcher),
    /// A relative time that was never resolved.
    Never,
}

impl Step {
    pub(super) fn of(node: &Node) -> Self {
        let each = |parts: &[Node]| parts.iter().map(Self::of).collect();
        match node {
            Node::And(parts) => Self::All(each(parts)),
            Node::Or(parts) => Self::Any(each(parts)),
            Node::Not(part) => Self::Not(Box::new(Self::of(part))),
            Node::Exists(path) => Self::Exists(Source::of(path)),
            Node::Word(pattern) => Self::Word(Word::new(pattern)),
            Node::Match(path, pattern) => match Source::of(path) {
                source if source.is_hexadecimal() => {
                    Self::Compare(source, Matcher::like(&pattern.lower_case()))
                }
                source => Self::Compare(source, Matcher::like(pattern)),
            },
            Node::Compare(path, comparator, Operand::Text(text)) => match Source::of(path) {
                source if source.is_hexadecimal() => {
                    Self::Compare(source, Matcher::compare(*comparator, &text.to_ascii_lowercase()))
                }
                source => Self::Compare(source, Matcher::compare(*comparator, text)),
            },
            Node::Compare(_, _, Operand::Relative(_)) => Self::Never,
        }
    }

    pub(super) fn matches(&self, view: &View<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(view)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(view)),
            Self::Not(part) => !part.matches(view),
            Self::Exists(source) => source.exists(view),
            Self::Word(word) => occurs(word, view),
            Self::Compare(source, matcher) => source.any(view, |scalar| matcher.matches(scalar)),
            Self::Never => false,
        }
    }
}

/// Words are looked for in every string and number of the body, and in the event's id.
fn occurs(word: &Word, view: &View<'_>) -> bool {
    let in_body = |field: Field<'_>| {
        matches!(field.kind, Kind::String | Kind::Number) && word.occurs_in(field.value)
    };
    (word.may_be_id && word.occurs_in(IdText::new(view).as_str()))
        || view.fields.iter().any(in_body)
}

/// The event's id as text, without allocating.
pub(super) struct IdText([u8; 36]);

impl IdText {
    fn new(view: &View<'_>) -> Self {
        Self::of(view.event.id)
    }

    pub(super) fn of(id: EventId) -> Self {
        let mut bytes = [0; 36];
        uuid::Uuid::from_bytes(id.0).hyphenated().encode_lower(&mut bytes);
        Self(bytes)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits and hyphens")
    }
}

fn scalar(field: Field<'_>) -> Option<Scalar<'_>> {
    match field.kind {
        Kind::String => Some(Scalar::Text(field.value)),
        Kind::Number => Some(Scalar::Number(field.value)),
        Kind::True => Some(Scalar::Flag(true)),
        Kind::False => Some(Scalar::Flag(false)),
        Kind::Null | Kind::EmptyObject | Kind::EmptyArray => None,
    }
}

/// Fields up to which looking at each one beats a binary search, because lengths nearly always tell them apart.
const LINEAR_FIELDS_MAX: usize = 64;

fn find<'a>(fields: &'a Fields, pointer: &str) -> Option<Field<'a>> {
    if fields.slots.len() > LINEAR_FIELDS_MAX {
        return fields.get(pointer);
    }
    let (arena, wanted) = (fields.arena.as_bytes(), pointer.as_bytes());
    let index = fields.slots.iter().position(|slot| {
        let (start, end) = (slot.pointer.0 as usize, slot.pointer.1 as usize);
        end - start == wanted.len() && arena[start..end] == *wanted
    });
    index.map(|index| fields.at(index))
}

/// Returns the fields at `root` or below it: one look at the beginning of each pointer.
fn under<'a>(fields: &'a Fields, root: &'a str) -> impl Iterator<Item = Field<'a>> {
    let arena = fields.arena.as_bytes();
    let below = move |(start, end): (u32, u32)| {
        let rest = arena[start as usize..end as usize].strip_prefix(root.as_bytes());
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    };
    let indexes = 0..fields.slots.len();
    indexes.filter(move |index| below(fields.slots[*index].pointer)).map(|index| fields.at(index))
}

impl Source {
    /// Event ids and leaf hashes are kept as bytes: either case of their digits means the same.
    fn is_hexadecimal(&self) -> bool {
        matches!(self, Self::Id | Self::LeafHash)
    }

    /// Returns true when `test` holds for some value at this place.
    pub(super) fn any(&self, view: &View<'_>, test: impl Fn(Scalar<'_>) -> bool) -> bool {
        let at = |pointer: &str| find(view.fields, pointer);
        let text = |field: Field<'_>| field.kind == Kind::String && test(Scalar::Text(field.value));
        match self {
            Self::Id => test(Scalar::Text(IdText::new(view).as_str())),
            Self::Tenant => test(Scalar::Text(view.event.tenant.as_str())),
            Self::Environment => test(Scalar::Text(view.event.environment.as_str())),
            Self::Seq => test(Scalar::Number(itoa::Buffer::new().format(view.event.seq))),
            Self::ReceivedAt => test(Scalar::Time(view.event.received_at.0)),
            Self::LeafHash => leaf_hash(view, |hash| test(Scalar::Text(hash))),
            Self::OccurredAt => at("/occurred_at")
                .filter(|field| field.kind == Kind::String)
                .and_then(|field| moment::milliseconds(field.value))
                .is_some_and(|time| test(Scalar::Time(time))),
            Self::Severity => at("/severity").is_some_and(|field| {
                field.kind == Kind::Number && test(Scalar::Number(field.value))
            }),
            Self::Text(_, pointer) => at(pointer).is_some_and(text),
            Self::Scalar(pointer) => at(pointer).and_then(scalar).is_some_and(test),
            Self::Target(_, member) => {
                under(view.fields, "/targets").any(|field| is_target(&field, member) && text(field))
            }
            Self::Walk { root, names } => under(view.fields, root).any(|field| {
                let rest = follow(&field.pointer[root.len()..], names);
                rest.is_some_and(are_indexes) && scalar(field).is_some_and(&test)
            }),
        }
    }

    /// Returns true when there is a value that is not null at this place or below it.
    fn exists(&self, view: &View<'_>) -> bool {
        match self {
            Self::Walk { root, names } => under(view.fields, root).any(|field| {
                scalar(field).is_some() && follow(&field.pointer[root.len()..], names).is_some()
            }),
            place => place.any(view, |_| true),
        }
    }
}

/// `/targets/<position>` followed by `member`.
fn is_target(field: &Field<'_>, member: &str) -> bool {
    let position = field.pointer["/targets".len()..].strip_suffix(member);
    position.and_then(|position| position.strip_prefix('/')).is_some_and(is_index)
}

/// Follows `names` along the steps of `pointer`, passing over array positions; returns what is left of it.
fn follow<'a>(mut pointer: &'a str, names: &[Box<str>]) -> Option<&'a str> {
    for name in names {
        loop {
            let step = pointer.strip_prefix('/')?;
            match step.strip_prefix(&**name) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    pointer = rest;
                    break;
                }
                _ => {
                    let digits = step.bytes().take_while(u8::is_ascii_digit).count();
                    let rest = &step[digits..];
                    if digits == 0 || !(rest.is_empty() || rest.starts_with('/')) {
                        return None;
                    }
                    pointer = rest;
                }
            }
        }
    }
    Some(pointer)
}

/// Returns true when nothing but array positions is left.
fn are_indexes(pointer: &str) -> bool {
    pointer.is_empty() || pointer[1..].split('/').all(is_index)
}

fn leaf_hash(view: &View<'_>, test: impl Fn(&str) -> bool) -> bool {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 64];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(view.event.leaf_hash) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    test(std::str::from_utf8(&hex).expect("hexadecimal digits"))
}

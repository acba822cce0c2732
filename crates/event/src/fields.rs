//! A flattened JSON object: its scalars, addressed by RFC 6901 pointer and sorted by pointer bytes.
//!
//! This is the form that is hashed, filtered and encoded. Number tokens are kept exactly; strings are
//! unescaped. Key order, white space and escape forms are not kept.

use crate::{Limits, Violation};

/// The type of a field; the byte is part of the committed disclosure (integrity format `AEF1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string; the value is its unescaped UTF-8.
    String = b's',
    /// A number; the value is the exact source token.
    Number = b'n',
    /// `true`; no value.
    True = b't',
    /// `false`; no value.
    False = b'f',
    /// `null`; no value.
    Null = b'z',
    /// `{}`; no value.
    EmptyObject = b'o',
    /// `[]`; no value.
    EmptyArray = b'a',
}

impl Kind {
    /// Returns the type with this committed byte.
    pub fn of_byte(byte: u8) -> Option<Self> {
        let all = [
            Self::String,
            Self::Number,
            Self::True,
            Self::False,
            Self::Null,
            Self::EmptyObject,
            Self::EmptyArray,
        ];
        all.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// One flattened field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// RFC 6901 pointer.
    pub pointer: &'a str,
    /// Type.
    pub kind: Kind,
    /// Unescaped string or number token; empty for the other kinds.
    pub value: &'a str,
}

impl<'a> Field<'a> {
    /// Returns a scalar as text (`true` and `false` spelled out); `None` for null and containers.
    pub fn text(&self) -> Option<&'a str> {
        match self.kind {
            Kind::String | Kind::Number => Some(self.value),
            Kind::True => Some("true"),
            Kind::False => Some("false"),
            Kind::Null | Kind::EmptyObject | Kind::EmptyArray => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// [`head`] of the pointer; set by [`Fields::sort`].
    pub(crate) head: u128,
    pub(crate) pointer: (u32, u32),
    pub(crate) value: (u32, u32),
    pub(crate) kind: Kind,
}

/// Returns the first 16 bytes of a pointer after its slash, padded with zeros, as a number: pointers compare as
/// their heads do, and nearly all have heads of their own (the longest known one, `/context/request_id`, too).
pub(crate) fn head(pointer: &[u8]) -> u128 {
    if let Some(whole) = pointer.get(1..).and_then(<[u8]>::first_chunk::<16>) {
        return u128::from_be_bytes(*whole);
    }
    let mut bytes = [0; 16];
    for (byte, &of) in bytes.iter_mut().zip(pointer.iter().skip(1)) {
        *byte = of;
    }
    u128::from_be_bytes(bytes)
}

/// The fields of one event, sorted by pointer bytes.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// Pointers and values, between bytes that belong to neither.
    pub(crate) arena: String,
    pub(crate) slots: Vec<Slot>,
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl Fields {
    /// Scans and flattens a JSON object under `limits`.
    pub fn parse(json: &[u8], limits: &Limits) -> Result<Self, Violation> {
        crate::scan::fields(json, limits)
    }

    /// Flattens a stored body, which was scanned under limits before it was accepted.
    pub fn of_stored(body: &[u8]) -> Self {
        Self::parse(body, &crate::scan::STORED).unwrap_or_default()
    }

    /// Returns the given fields: for events of which only some are left.
    pub fn of_parts<'a>(parts: impl Iterator<Item = Field<'a>>) -> Self {
        let mut fields = Self::default();
        for part in parts {
            let mut push = |text: &str| {
                let start = fields.arena.len() as u32;
                fields.arena.push_str(text);
                (start, fields.arena.len() as u32)
            };
            let (pointer, value) = (push(part.pointer), push(part.value));
            fields.slots.push(Slot { head: 0, pointer, value, kind: part.kind });
        }
        fields.sort();
        fields
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns true when there are no fields.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns the field at `index` in pointer order.
    pub fn at(&self, index: usize) -> Field<'_> {
        self.field(&self.slots[index])
    }

    /// Returns the fields in pointer order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Field<'_>> + ExactSizeIterator {
        self.slots.iter().map(|slot| self.field(slot))
    }

    /// Returns the field at exactly `pointer`.
    pub fn get(&self, pointer: &str) -> Option<Field<'_>> {
        self.position(pointer).ok().map(|index| self.at(index))
    }

    /// Returns the index of the field at exactly `pointer`, or where it would stand.
    pub(crate) fn position(&self, pointer: &str) -> Result<usize, usize> {
        let wanted = head(pointer.as_bytes());
        // Comparing numbers alone takes no branch that the processor must guess.
        let start = self.slots.partition_point(|slot| slot.head < wanted);
        let same = &self.slots[start..];
        match same.first() {
            Some(slot) if slot.head == wanted && self.pointer(slot) == pointer => Ok(start),
            Some(slot) if slot.head == wanted => {
                let same = &same[..same.partition_point(|slot| slot.head == wanted)];
                let found = same.binary_search_by(|slot| self.pointer(slot).cmp(pointer));
                found.map(|at| start + at).map_err(|at| start + at)
            }
            _ => Err(start),
        }
    }

    /// Sets the heads and the order.
    pub(crate) fn sort(&mut self) {
        let arena = self.arena.as_bytes();
        let pointer = |slot: &Slot| &arena[slot.pointer.0 as usize..slot.pointer.1 as usize];
        for slot in &mut self.slots {
            slot.head = head(pointer(slot));
        }
        self.slots
            .sort_unstable_by(|a, b| a.head.cmp(&b.head).then_with(|| pointer(a).cmp(pointer(b))));
    }

    /// Returns the fields at `pointer` or below it, in pointer order.
    pub fn under<'a>(&'a self, pointer: &'a str) -> impl Iterator<Item = Field<'a>> {
        let start = self.position(pointer).unwrap_or_else(|start| start);
        // Pointers such as "/a-b" sort between "/a" and "/a/b": skip them, stop at the first without the prefix.
        self.slots[start..]
            .iter()
            .map(|slot| self.field(slot))
            .take_while(move |field| field.pointer.starts_with(pointer))
            .filter(move |field| {
                let rest = &field.pointer[pointer.len()..];
                rest.is_empty() || rest.starts_with('/')
            })
    }

    fn pointer(&self, slot: &Slot) -> &str {
        &self.arena[slot.pointer.0 as usize..slot.pointer.1 as usize]
    }

    fn field(&self, slot: &Slot) -> Field<'_> {
        Field {
            pointer: self.pointer(slot),
            kind: slot.kind,
            value: &self.arena[slot.value.0 as usize..slot.value.1 as usize],
        }
    }
}

//! What the column `disclosures` holds: what is left of an event whose payload or some of whose fields are gone.
//!
//! ```text
//! payload gone = 1 ‖ fields_hash[32]
//! fields gone  = 2 ‖ field…            one per committed field, in the order of pointer bytes
//! field        = 0 ‖ h_j[32]           erased
//!              | type ‖ salt[16] ‖ u32 len(pointer) ‖ pointer ‖ u32 len(value) ‖ value
//! ```
//!
//! Integers are little-endian. With either the entry's `fields_hash`, and so the leaf hash, is computed as before, but
//! no value, pointer or salt of what is gone can be found again. Rows without payload keep the facts of the entry and
//! have [`NO_PAYLOAD`] as their severity, so that columns alone tell them from events.

use attestary_event::{Field, Fields, Kind};
use attestary_ledger::{Disclosure, Hash, disclosed_fields_hash, field};

/// The severity of a row whose payload is gone; that of an event is at most 10.
pub(crate) const NO_PAYLOAD: u8 = u8::MAX;

const PAYLOAD_GONE: u8 = 1;
const FIELDS_GONE: u8 = 2;
const ERASED: u8 = 0;

/// What is left of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Left {
    /// The root over its fields.
    Nothing(Hash),
    /// The fields that stay, and the hashes of those that went.
    Some(Vec<Part>),
}

/// One committed field of an event that lost some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// It stays.
    Shown {
        /// RFC 6901 pointer.
        pointer: String,
        /// Its type.
        kind: Kind,
        /// Unescaped text, number token, or nothing.
        value: String,
        /// Its own salt: the seed is gone.
        salt: [u8; 16],
    },
    /// It is gone but for its hash.
    Erased(Hash),
}

impl Part {
    /// Returns the field as the ledger hashes it.
    pub fn disclosure(&self) -> Disclosure<'_> {
        match self {
            Self::Shown { pointer, kind, value, salt } => {
                Disclosure::Shown { salt, pointer, kind: *kind as u8, value: value.as_bytes() }
            }
            Self::Erased(hash) => Disclosure::Hidden(hash),
        }
    }
}

impl Left {
    /// Returns all fields of a whole event with their salts.
    pub(crate) fn of_whole(fields: &Fields, seed: &[u8; 16]) -> Self {
        let part = |(index, field): (usize, Field<'_>)| Part::Shown {
            pointer: field.pointer.to_owned(),
            kind: field.kind,
            value: field.value.to_owned(),
            salt: field::salt(seed, index as u32),
        };
        Self::Some(fields.iter().enumerate().map(part).collect())
    }

    /// Erases the fields at `indexes`; those that are gone already stay so.
    pub(crate) fn erase(&mut self, indexes: &[u16]) {
        let Self::Some(parts) = self else { return };
        for &index in indexes {
            if let Some(part) = parts.get_mut(usize::from(index)) {
                *part = Part::Erased(part.disclosure().hash());
            }
        }
    }

    /// Returns the root over all fields.
    pub(crate) fn fields_hash(&self) -> Hash {
        match self {
            Self::Nothing(hash) => *hash,
            Self::Some(parts) => disclosed_fields_hash(parts.iter().map(Part::disclosure)),
        }
    }

    /// Returns the fields that stay, in the order of their pointers.
    pub(crate) fn fields(&self) -> Fields {
        let parts = match self {
            Self::Nothing(_) => &[][..],
            Self::Some(parts) => parts.as_slice(),
        };
        let shown = parts.iter().filter_map(|part| match part {
            Part::Shown { pointer, kind, value, .. } => Some(Field { pointer, kind: *kind, value }),
            Part::Erased(_) => None,
        });
        Fields::of_parts(shown)
    }

    /// Returns the number of committed fields; `None` when that is not known any more.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::Nothing(_) => None,
            Self::Some(parts) => Some(parts.len()),
        }
    }

    /// Returns the indexes of the fields that stay.
    pub(crate) fn shown_indexes(&self) -> Vec<u16> {
        let Self::Some(parts) = self else { return Vec::new() };
        let shown = |part: &Part| matches!(part, Part::Shown { .. });
        (0_u16..).zip(parts).filter(|(_, part)| shown(part)).map(|(index, _)| index).collect()
    }

    /// Returns true when every one of `indexes` is gone.
    pub(crate) fn lacks(&self, indexes: &[u16]) -> bool {
        match self {
            Self::Nothing(_) => true,
            Self::Some(parts) => indexes
                .iter()
                .all(|&index| !matches!(parts.get(usize::from(index)), Some(Part::Shown { .. }))),
        }
    }

    /// Writes the column's value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Nothing(hash) => [&[PAYLOAD_GONE][..], hash].concat(),
            Self::Some(parts) => {
                let mut out = vec![FIELDS_GONE];
                parts.iter().for_each(|part| put(part, &mut out));
                out
            }
        }
    }

    /// Reads the column's value; `None` for bytes that nobody wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&form, mut rest) = bytes.split_first()?;
        match form {
            PAYLOAD_GONE => Some(Self::Nothing(rest.try_into().ok()?)),
            FIELDS_GONE => {
                let mut parts = Vec::new();
                while !rest.is_empty() {
                    parts.push(take_part(&mut rest)?);
                }
                Some(Self::Some(parts))
            }
            _ => None,
        }
    }
}

fn put(part: &Part, out: &mut Vec<u8>) {
    match part {
        Part::Erased(hash) => {
            out.push(ERASED);
            out.extend_from_slice(hash);
        }
        Part::Shown { pointer, kind, value, salt } => {
            out.push(*kind as u8);
            out.extend_from_slice(salt);
            for text in [pointer, value] {
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn take_part(rest: &mut &[u8]) -> Option<Part> {
    let form = take(rest, 1)?[0];
    if form == ERASED {
        return Some(Part::Erased(take(rest, 32)?.try_into().ok()?));
    }
    let kind = Kind::of_byte(form)?;
    let salt = take(rest, 16)?.try_into().ok()?;
    Some(Part::Shown { kind, salt, pointer: take_text(rest)?, value: take_text(rest)? })
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let length = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
    Some(std::str::from_utf8(take(rest, length as usize)?).ok()?.to_owned())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use attestary_ledger::fields_hash;

    use super::*;

    fn sample() -> (Fields, [u8; 16], Hash) {
        let fields =
            Fields::of_stored(br#"{"a":"x","b":{"c":1.50,"d":null},"e":[],"f":[true,"y"]}"#);
        let seed = [7; 16];
        let parts = fields.iter().map(|f| (f.pointer, f.kind as u8, f.value.as_bytes()));
        let root = fields_hash(&seed, parts);
        (fields, seed, root)
    }

    #[test]
    fn the_root_stays_whatever_is_erased() {
        let (fields, seed, root) = sample();
        for mask in 0..1_u32 << fields.len() {
            let gone: Vec<u16> =
                (0..fields.len() as u16).filter(|index| mask >> index & 1 == 1).collect();
            let mut left = Left::of_whole(&fields, &seed);
            left.erase(&gone);
            left.erase(&gone);
            assert_eq!(left.fields_hash(), root, "{mask}");
            assert_eq!(left.fields().len(), fields.len() - gone.len());
            assert!(left.lacks(&gone));
            assert_eq!(Left::decode(&left.encode()), Some(left));
        }
    }

    #[test]
    fn nothing_of_an_erased_field_is_written() {
        let (_, _, root) = sample();
        let fields = Fields::of_stored(br#"{"secret-name":"secret-value","b":1}"#);
        let mut left = Left::of_whole(&fields, &[9; 16]);
        left.erase(&[1]);
        let text = String::from_utf8_lossy(&left.encode()).into_owned();
        assert!(!text.contains("secret"), "{text:?}");
        assert!(text.contains("/b"));
        let nothing = Left::Nothing(root);
        assert_eq!(nothing.encode().len(), 33);
        assert_eq!(Left::decode(&nothing.encode()), Some(nothing));
    }

    #[test]
    fn bytes_that_nobody_wrote_are_refused() {
        let (fields, seed, _) = sample();
        let whole = Left::of_whole(&fields, &seed).encode();
        for bytes in [&[][..], &[3], &[1], &[1; 32], &[1; 34], &[2, 0], &[2, b'x'], &whole[..9]] {
            assert_eq!(Left::decode(bytes), None, "{bytes:?}");
        }
    }
}

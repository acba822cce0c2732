//! Events that show some of their fields: the root over all fields follows from shown fields and hidden hashes.

use crate::{Hash, block::Long, field::field_hash};

/// One field of an event, in the order of pointer bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disclosure<'a> {
    /// A field with its salt.
    Shown {
        /// See [`salt`](crate::field::salt).
        salt: &'a [u8; 16],
        /// RFC 6901 pointer.
        pointer: &'a str,
        /// Type byte: `s`, `n`, `t`, `f`, `z`, `o` or `a`.
        kind: u8,
        /// Unescaped text, number token, or nothing.
        value: &'a [u8],
    },
    /// The hash of a field that was erased or is withheld.
    Hidden(&'a Hash),
}

impl Disclosure<'_> {
    /// Returns the field's hash `h_j`.
    pub fn hash(&self) -> Hash {
        match *self {
            Self::Shown { salt, pointer, kind, value } => field_hash(salt, pointer, kind, value),
            Self::Hidden(hash) => *hash,
        }
    }
}

/// Returns the root over all fields: what [`fields_hash`](crate::fields_hash) gives for the whole event.
///
/// At most 65,535 fields; pointers of at most 65,535 bytes.
pub fn disclosed_fields_hash<'a>(fields: impl ExactSizeIterator<Item = Disclosure<'a>>) -> Hash {
    let [high, low] = (fields.len() as u16).to_be_bytes();
    let mut root = Long::new(&[b'A', b'E', b'R', b'1', high, low]);
    fields.for_each(|field| root.push(&field.hash()));
    root.hash()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{field::salt, fields_hash};

    #[test]
    fn hiding_fields_keeps_the_root() {
        let seed = [5; 16];
        let fields: [(&str, u8, &[u8]); 3] =
            [("/a", b's', b"x"), ("/b", b'n', b"1.50"), ("/c", b'z', b"")];
        let root = fields_hash(&seed, fields.iter().copied());
        let salts: Vec<_> = (0..3).map(|j| salt(&seed, j)).collect();
        let shown: Vec<_> = fields
            .iter()
            .zip(&salts)
            .map(|(&(pointer, kind, value), salt)| Disclosure::Shown { salt, pointer, kind, value })
            .collect();
        let hashes: Vec<_> = shown.iter().map(Disclosure::hash).collect();
        for mask in 0..8 {
            let pick = |j: usize| {
                if mask >> j & 1 == 1 { shown[j] } else { Disclosure::Hidden(&hashes[j]) }
            };
            assert_eq!(disclosed_fields_hash((0..3).map(pick)), root, "{mask}");
        }
        assert_ne!(disclosed_fields_hash(shown.iter().rev().copied()), root);
        assert_ne!(disclosed_fields_hash(shown[..2].iter().copied()), root);
    }
}

//! Salted field disclosures and the root over them.

use crate::{
    Hash,
    block::{Long, Short, hash_pair, hash_parts},
};

/// Returns the salt of field `j`: half `j mod 2` of `SHA-256("AES1" ‖ seed ‖ u32 ⌊j/2⌋)`.
pub fn salt(seed: &[u8; 16], j: u32) -> [u8; 16] {
    let pair = salt_pair(seed, j / 2);
    let mut salt = [0; 16];
    let half = if j.is_multiple_of(2) { &pair[..16] } else { &pair[16..] };
    salt.copy_from_slice(half);
    salt
}

fn salt_pair(seed: &[u8; 16], index: u32) -> Hash {
    let mut message = Short::<1>::new();
    message.push(b"AES1");
    message.push(seed);
    message.push(&index.to_be_bytes());
    message.hash()
}

/// Returns the hash `h_j` of one disclosure: `"AEF1" ‖ salt ‖ u16 len ‖ pointer ‖ type ‖ u32 len ‖ value`.
pub fn field_hash(salt: &[u8; 16], pointer: &str, kind: u8, value: &[u8]) -> Hash {
    let pointer_length = (pointer.len() as u16).to_be_bytes();
    let value_length = (value.len() as u32).to_be_bytes();
    let length = FIXED_BYTES + pointer.len() + value.len();
    // Most fields take one or two blocks; fewer blocks are fewer bytes to clear.
    if length <= Short::<2>::BYTES_MAX {
        return disclosure::<2>(salt, pointer, kind, value);
    }
    if length <= Short::<8>::BYTES_MAX {
        return disclosure::<8>(salt, pointer, kind, value);
    }
    let pointer = pointer.as_bytes();
    hash_parts(&[b"AEF1", salt, &pointer_length, pointer, &[kind], &value_length, value])
}

/// Tag, salt, both lengths and the type.
const FIXED_BYTES: usize = 4 + 16 + 2 + 1 + 4;

#[inline]
fn disclosure<const BLOCKS: usize>(salt: &[u8; 16], pointer: &str, kind: u8, value: &[u8]) -> Hash {
    let mut message = Short::<BLOCKS>::new();
    each_part(salt, (pointer, kind, value), |part| message.push(part));
    message.hash()
}

/// Gives out what a disclosure is made of, in its order.
#[inline]
fn each_part(
    salt: &[u8; 16],
    (pointer, kind, value): (&str, u8, &[u8]),
    mut push: impl FnMut(&[u8]),
) {
    push(b"AEF1");
    push(salt);
    push(&(pointer.len() as u16).to_be_bytes());
    push(pointer.as_bytes());
    push(&[kind]);
    push(&(value.len() as u32).to_be_bytes());
    push(value);
}

/// Returns the root over all fields: `SHA-256("AER1" ‖ u16 n ‖ h_0 ‖ … ‖ h_{n-1})`.
///
/// `fields` yields (pointer, type byte, value) sorted by pointer bytes; at most 65,535 of them, pointers of
/// at most 65,535 bytes (the intake limits are far below both).
pub fn fields_hash<'a>(
    seed: &[u8; 16],
    fields: impl ExactSizeIterator<Item = (&'a str, u8, &'a [u8])>,
) -> Hash {
    let [high, low] = (fields.len() as u16).to_be_bytes();
    let mut root = Long::new(&[b'A', b'E', b'R', b'1', high, low]);
    let (mut salts, mut pair) = (SaltPairs::new(seed), Pair::new());
    let mut fields = fields;
    while let Some(first) = fields.next() {
        let salts = salts.next_pair();
        match fields.next() {
            Some(second) => pair.hash(&salts, first, second).iter().for_each(|h| root.push(h)),
            None => {
                let (pointer, kind, value) = first;
                root.push(&field_hash(&salts[0], pointer, kind, value));
            }
        }
    }
    root.hash()
}

/// The salts of one field after the other, worked out for four fields at once.
struct SaltPairs {
    messages: [Short<1>; 2],
    seed: [u8; 16],
    next: u32,
    ready: Option<Hash>,
}

impl SaltPairs {
    fn new(seed: &[u8; 16]) -> Self {
        Self { messages: [Short::new(), Short::new()], seed: *seed, next: 0, ready: None }
    }

    fn next_pair(&mut self) -> [[u8; 16]; 2] {
        let pair = self.ready.take().unwrap_or_else(|| {
            for (message, index) in self.messages.iter_mut().zip(self.next..) {
                message.clear();
                message.push(b"AES1");
                message.push(&self.seed);
                message.push(&index.to_be_bytes());
            }
            self.next += 2;
            let [first, second] = hash_pair(&mut self.messages);
            self.ready = Some(second);
            first
        });
        let (halves, _) = pair.as_chunks::<16>();
        [halves[0], halves[1]]
    }
}

type Field<'a> = (&'a str, u8, &'a [u8]);

/// Two disclosures that are hashed at once.
struct Pair([Short<8>; 2]);

impl Pair {
    fn new() -> Self {
        Self([Short::new(), Short::new()])
    }

    fn hash(&mut self, salts: &[[u8; 16]; 2], first: Field<'_>, second: Field<'_>) -> [Hash; 2] {
        let length = |field: &Field<'_>| FIXED_BYTES + field.0.len() + field.2.len();
        let longest = length(&first).max(length(&second));
        let fields = [(&salts[0], first), (&salts[1], second)];
        if longest > Short::<8>::BYTES_MAX {
            return fields
                .map(|(salt, (pointer, kind, value))| field_hash(salt, pointer, kind, value));
        }
        for (message, (salt, field)) in self.0.iter_mut().zip(fields) {
            message.clear();
            each_part(salt, field, |part| message.push(part));
        }
        hash_pair(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn hashed(parts: &[&[u8]]) -> Hash {
        Sha256::digest(parts.concat()).into()
    }

    /// The four lines of the specification, as they stand there.
    fn defined(seed: &[u8; 16], fields: &[(&str, u8, &[u8])]) -> Hash {
        let mut root = [b"AER1".as_slice(), &(fields.len() as u16).to_be_bytes()].concat();
        for (j, (pointer, kind, value)) in fields.iter().enumerate() {
            let pair = hashed(&[b"AES1", seed, &((j / 2) as u32).to_be_bytes()]);
            root.extend(hashed(&[
                b"AEF1",
                &pair[j % 2 * 16..][..16],
                &(pointer.len() as u16).to_be_bytes(),
                pointer.as_bytes(),
                &[*kind],
                &(value.len() as u32).to_be_bytes(),
                value,
            ]));
        }
        hashed(&[&root])
    }

    #[test]
    fn the_root_is_the_defined_one_for_values_of_every_length() {
        let bytes = vec![b'v'; 600];
        let lengths = (0..600).map(|length| ("/some/pointer", b's', &bytes[..length]));
        let fields: Vec<(&str, u8, &[u8])> = lengths.collect();
        for count in (0..fields.len()).step_by(23) {
            let (seed, some) = ([count as u8; 16], &fields[fields.len() - count..]);
            assert_eq!(fields_hash(&seed, some.iter().copied()), defined(&seed, some));
        }
    }
}

//! Salted field disclosures and the root over them.

use sha2::{Digest as _, Sha256};

use crate::Hash;

/// Returns the salt of field `j`: half `j mod 2` of `SHA-256("AES1" ‖ seed ‖ u32 ⌊j/2⌋)`.
pub fn salt(seed: &[u8; 16], j: u32) -> [u8; 16] {
    let pair = salt_pair(seed, j / 2);
    let mut salt = [0; 16];
    let half = if j.is_multiple_of(2) { &pair[..16] } else { &pair[16..] };
    salt.copy_from_slice(half);
    salt
}

fn salt_pair(seed: &[u8; 16], index: u32) -> Hash {
    let mut block = [0; 24];
    block[..4].copy_from_slice(b"AES1");
    block[4..20].copy_from_slice(seed);
    block[20..].copy_from_slice(&index.to_be_bytes());
    Sha256::digest(block).into()
}

/// Returns the hash `h_j` of one disclosure: `"AEF1" ‖ salt ‖ u16 len ‖ pointer ‖ type ‖ u32 len ‖ value`.
pub fn field_hash(salt: &[u8; 16], pointer: &str, kind: u8, value: &[u8]) -> Hash {
    // One contiguous buffer lets most fields hash in a single call of two blocks.
    let length = 4 + 16 + 2 + pointer.len() + 1 + 4 + value.len();
    let pointer_length = (pointer.len() as u16).to_be_bytes();
    let value_length = (value.len() as u32).to_be_bytes();
    if length <= 247 {
        let mut buffer = [0; 247];
        let mut at = 0;
        for part in [
            b"AEF1".as_slice(),
            salt,
            &pointer_length,
            pointer.as_bytes(),
            &[kind],
            &value_length,
            value,
        ] {
            buffer[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        return Sha256::digest(&buffer[..length]).into();
    }
    Sha256::new()
        .chain_update(b"AEF1")
        .chain_update(salt)
        .chain_update(pointer_length)
        .chain_update(pointer.as_bytes())
        .chain_update([kind])
        .chain_update(value_length)
        .chain_update(value)
        .finalize()
        .into()
}

/// Returns the root over all fields: `SHA-256("AER1" ‖ u16 n ‖ h_0 ‖ … ‖ h_{n-1})`.
///
/// `fields` yields (pointer, type byte, value) sorted by pointer bytes; at most 65,535 of them, pointers of
/// at most 65,535 bytes (the intake limits are far below both).
pub fn fields_hash<'a>(
    seed: &[u8; 16],
    fields: impl ExactSizeIterator<Item = (&'a str, u8, &'a [u8])>,
) -> Hash {
    let mut root = Sha256::new();
    root.update(b"AER1");
    root.update((fields.len() as u16).to_be_bytes());
    let mut pair = [0; 32];
    for (j, (pointer, kind, value)) in fields.enumerate() {
        if j.is_multiple_of(2) {
            pair = salt_pair(seed, (j / 2) as u32);
        }
        let (even, odd) = pair.as_chunks::<16>().0.split_at(1);
        let salt = if j.is_multiple_of(2) { &even[0] } else { &odd[0] };
        root.update(field_hash(salt, pointer, kind, value));
    }
    root.finalize().into()
}

//! SHA-256 over messages that are laid out in blocks where they are made.
//!
//! The messages of this crate are short: most fit into one or two blocks of 64 bytes. Laying each out with its
//! padding (FIPS 180-4 section 5.1.1) and compressing the blocks at once costs about half of what a hasher with a
//! buffer of its own does. Longer messages go through [`Sha256`].

use attestary_sha256::{INITIAL, compress, compress_pair, digest};
use sha2::{Digest as _, Sha256};

use crate::Hash;

pub(crate) const BLOCK: usize = 64;

/// Bytes of padding: a one bit and the length as u64.
const PADDING_BYTES: usize = 9;

/// A message of at most `BLOCKS` blocks, padding included. It can be written over by the next one.
#[derive(Clone)]
pub(crate) struct Short<const BLOCKS: usize> {
    blocks: [[u8; BLOCK]; BLOCKS],
    length: usize,
}

impl<const BLOCKS: usize> Short<BLOCKS> {
    /// The longest message in bytes.
    pub(crate) const BYTES_MAX: usize = BLOCKS * BLOCK - PADDING_BYTES;

    /// Returns the empty message.
    pub(crate) fn new() -> Self {
        Self { blocks: [[0; BLOCK]; BLOCKS], length: 0 }
    }

    /// Appends bytes; panics beyond [`Self::BYTES_MAX`].
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.blocks.as_flattened_mut()[self.length..end].copy_from_slice(bytes);
        self.length = end;
    }

    /// Begins the next message; what this one held is written over.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// Pads the message (FIPS 180-4 section 5.1.1) and returns its blocks.
    #[inline]
    fn padded(&mut self) -> &[[u8; BLOCK]] {
        let used = (self.length + PADDING_BYTES).div_ceil(BLOCK);
        let bytes = self.blocks.as_flattened_mut();
        bytes[self.length] = 0x80;
        let end = used * BLOCK - 8;
        bytes[self.length + 1..end].fill(0);
        bytes[end..end + 8].copy_from_slice(&(self.length as u64 * 8).to_be_bytes());
        &self.blocks[..used]
    }

    /// Returns the SHA-256 of the message.
    #[inline]
    pub(crate) fn hash(mut self) -> Hash {
        let mut state = INITIAL;
        compress(&mut state, self.padded());
        digest(&state)
    }
}

/// Returns the SHA-256 of two messages, which are hashed at once.
#[inline]
pub(crate) fn hash_pair<const BLOCKS: usize>(messages: &mut [Short<BLOCKS>; 2]) -> [Hash; 2] {
    let [first, second] = messages;
    let (first, second) = (first.padded(), second.padded());
    let mut states = [INITIAL; 2];
    for (first, second) in first.iter().zip(second) {
        compress_pair(&mut states, [first, second]);
    }
    let both = first.len().min(second.len());
    compress(&mut states[0], &first[both..]);
    compress(&mut states[1], &second[both..]);
    [digest(&states[0]), digest(&states[1])]
}

/// A message of any length that is made of hashes after a few bytes.
pub(crate) struct Long {
    state: [u32; 8],
    /// The block being filled, and room for one hash more.
    pending: [u8; 2 * BLOCK],
    filled: usize,
    blocks: u64,
}

impl Long {
    /// Returns a message that begins with `first`, which is shorter than a block.
    pub(crate) fn new(first: &[u8]) -> Self {
        let mut pending = [0; 2 * BLOCK];
        pending[..first.len()].copy_from_slice(first);
        Self { state: INITIAL, pending, filled: first.len(), blocks: 0 }
    }

    /// Appends a hash.
    #[inline]
    pub(crate) fn push(&mut self, hash: &Hash) {
        self.pending[self.filled..self.filled + hash.len()].copy_from_slice(hash);
        self.filled += hash.len();
        if self.filled >= BLOCK {
            let (block, rest) = self.pending.split_at_mut(BLOCK);
            compress(&mut self.state, block.as_chunks::<BLOCK>().0);
            block.copy_from_slice(rest);
            self.filled -= BLOCK;
            self.blocks += 1;
        }
    }

    /// Returns the SHA-256 of the message.
    pub(crate) fn hash(mut self) -> Hash {
        let length = self.blocks * BLOCK as u64 + self.filled as u64;
        let end = (self.filled + PADDING_BYTES).div_ceil(BLOCK) * BLOCK;
        self.pending[self.filled..].fill(0);
        self.pending[self.filled] = 0x80;
        self.pending[end - 8..end].copy_from_slice(&(length * 8).to_be_bytes());
        compress(&mut self.state, self.pending[..end].as_chunks::<BLOCK>().0);
        digest(&self.state)
    }
}

/// Returns the SHA-256 of the parts together, whatever their length.
pub(crate) fn hash_parts(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_messages_hash_as_the_standard_says_at_every_length() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..=Short::<4>::BYTES_MAX {
            let (first, second) = bytes[..length].split_at(length / 3);
            let mut message = Short::<4>::new();
            message.push(first);
            message.push(second);
            assert_eq!(message.hash(), hash_parts(&[&bytes[..length]]), "{length} bytes");
        }
    }

    #[test]
    fn pairs_hash_as_the_standard_says_whatever_was_there_before() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut messages = [Short::<4>::new(), Short::new()];
        for length in 0..=Short::<4>::BYTES_MAX {
            let lengths = [length, (length * 7 + 100) % (Short::<4>::BYTES_MAX + 1)];
            for (message, length) in messages.iter_mut().zip(lengths) {
                message.clear();
                message.push(&bytes[..length / 2]);
                message.push(&bytes[length / 2..length]);
            }
            let expected = lengths.map(|length| hash_parts(&[&bytes[..length]]));
            assert_eq!(hash_pair(&mut messages), expected, "{lengths:?}");
        }
    }

    #[test]
    fn lists_of_hashes_hash_as_the_standard_says_at_every_length() {
        let hashes: Vec<Hash> = (0..40).map(|n| [n; 32]).collect();
        for first in [0, 1, 6, 31, 32, 54, 55, 56, 63] {
            let first = vec![b'x'; first];
            for count in 0..hashes.len() {
                let mut message = Long::new(&first);
                hashes[..count].iter().for_each(|hash| message.push(hash));
                let whole = [&first, hashes[..count].as_flattened()].concat();
                assert_eq!(message.hash(), hash_parts(&[&whole]), "{} + {count}", first.len());
            }
        }
    }
}

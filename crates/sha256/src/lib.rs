//! The compression function of SHA-256 (FIPS 180-4 section 6.2.2), for two messages at once.
//!
//! The processor's SHA instructions take several cycles each and wait for one another within a message; another
//! message fills the gaps. Two blocks of different messages take 1.3 times as long as one. Where the instructions are
//! missing, or on another architecture, the blocks go through the crate `sha2` one by one.

#[cfg(target_arch = "x86_64")]
mod x86;

/// State before the first block (FIPS 180-4 section 5.3.3).
pub const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A message's block: 64 bytes.
pub type Block = [u8; 64];

/// Takes one block of each of two messages into their states.
#[inline]
pub fn compress_pair(states: &mut [[u32; 8]; 2], blocks: [&Block; 2]) {
    #[cfg(target_arch = "x86_64")]
    if x86::is_supported() {
        #[expect(unsafe_code, reason = "the one call of what was compiled for more instructions")]
        // SAFETY: the processor has the instructions that the function is compiled for.
        return unsafe { x86::compress_pair(states, blocks) };
    }
    for (state, block) in states.iter_mut().zip(blocks) {
        compress(state, std::slice::from_ref(block));
    }
}

/// Takes blocks of one message into its state.
#[inline]
pub fn compress(state: &mut [u32; 8], blocks: &[Block]) {
    sha2::block_api::compress256(state, blocks);
}

/// Returns the hash that a state is after the last block.
#[inline]
pub fn digest(state: &[u32; 8]) -> [u8; 32] {
    let mut hash = [0; 32];
    for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block() -> impl Strategy<Value = Block> {
        prop::array::uniform32(any::<[u8; 2]>()).prop_map(|pairs| {
            let mut block = [0; 64];
            block.copy_from_slice(pairs.as_flattened());
            block
        })
    }

    proptest! {
        #[test]
        fn two_at_once_are_what_each_is_alone(
            mut states in any::<[[u32; 8]; 2]>(),
            blocks in prop::collection::vec((block(), block()), 1..4),
        ) {
            let mut alone = states;
            for (first, second) in &blocks {
                compress_pair(&mut states, [first, second]);
                compress(&mut alone[0], &[*first]);
                compress(&mut alone[1], &[*second]);
            }
            prop_assert_eq!(states, alone);
        }
    }

    /// FIPS 180-4's example of one block: "abc".
    #[test]
    fn the_standards_example_comes_out() {
        let mut block = [0; 64];
        block[..4].copy_from_slice(b"abc\x80");
        block[63] = 24;
        let mut states = [INITIAL; 2];
        compress_pair(&mut states, [&block, &block]);
        let expected = [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea];
        assert_eq!(digest(&states[0])[..8], expected);
        assert_eq!(digest(&states[1])[..8], expected);
    }
}

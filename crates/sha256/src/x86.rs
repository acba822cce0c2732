//! On x86-64 with the SHA extensions (Intel SDM volume 2, `SHA256RNDS2`, `SHA256MSG1`, `SHA256MSG2`).
//!
//! The instructions keep the eight words of a state as (a, b, e, f) and (c, d, g, h). Every step is done for both
//! messages before the next one.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
    _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use crate::Block;

/// Rounds of four in a block.
const STEPS: usize = 16;

/// FIPS 180-4 section 4.2.2, four to a step.
const CONSTANTS: [[u32; 4]; STEPS] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// Returns true when the processor has every instruction that [`compress_pair`] is compiled for.
#[inline]
pub(super) fn is_supported() -> bool {
    is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1")
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(super) fn compress_pair(states: &mut [[u32; 8]; 2], blocks: [&Block; 2]) {
    let mut abef = [words(&states[0], [0, 1, 4, 5]), words(&states[1], [0, 1, 4, 5])];
    let mut cdgh = [words(&states[0], [2, 3, 6, 7]), words(&states[1], [2, 3, 6, 7])];
    let before = (abef, cdgh);
    let mut schedule = [load(blocks[0]), load(blocks[1])];
    for (step, constants) in CONSTANTS.iter().enumerate() {
        let constants = words(constants, [3, 2, 1, 0]);
        let mut rest = [_mm_setzero_si128(); 2];
        for lane in 0..2 {
            if step >= 4 {
                advance(&mut schedule[lane], step % 4);
            }
            rest[lane] = _mm_add_epi32(schedule[lane][step % 4], constants);
            cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], rest[lane]);
        }
        for lane in 0..2 {
            let upper = _mm_shuffle_epi32(rest[lane], 0x0e);
            abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], upper);
        }
    }
    for lane in 0..2 {
        let abef = _mm_add_epi32(abef[lane], before.0[lane]);
        let cdgh = _mm_add_epi32(cdgh[lane], before.1[lane]);
        let ([a, b, e, f], [c, d, g, h]) = (unpack(abef), unpack(cdgh));
        states[lane] = [a, b, c, d, e, f, g, h];
    }
}

/// Returns four of `from`, the first in the highest place.
#[inline]
#[target_feature(enable = "sse4.1")]
fn words<const N: usize>(from: &[u32; N], [a, b, c, d]: [usize; 4]) -> __m128i {
    let word = |index: usize| from[index].cast_signed();
    _mm_set_epi32(word(a), word(b), word(c), word(d))
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn unpack(words: __m128i) -> [u32; 4] {
    [
        _mm_extract_epi32(words, 3).cast_unsigned(),
        _mm_extract_epi32(words, 2).cast_unsigned(),
        _mm_extract_epi32(words, 1).cast_unsigned(),
        _mm_extract_epi32(words, 0).cast_unsigned(),
    ]
}

/// Returns the 16 big-endian words of a block.
#[inline]
#[target_feature(enable = "ssse3")]
fn load(block: &Block) -> [__m128i; 4] {
    let swapped = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (halves, _) = block.as_chunks::<8>();
    core::array::from_fn(|index| {
        let [low, high] = [halves[2 * index], halves[2 * index + 1]].map(i64::from_le_bytes);
        _mm_shuffle_epi8(_mm_set_epi64x(high, low), swapped)
    })
}

/// Replaces the oldest four words of the message schedule, which stand at `at`, by the next four.
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn advance(schedule: &mut [__m128i; 4], at: usize) {
    let [w0, w1, w2, w3] = core::array::from_fn(|index| schedule[(at + index) % 4]);
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
    schedule[at] = _mm_sha256msg2_epu32(sum, w3);
}

use std::io::Write as _;

use super::*;

const LIMITS: Limits = Limits { bytes_max: 4 * 1024 * 1024, ratio_max: 100 };

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(plain).unwrap();
    writer.finish().unwrap()
}

fn zst(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

#[track_caller]
fn check(encoding: Encoding, bytes: &[u8], expected: Result<usize, DecompressError>) {
    assert_eq!(decompress(encoding, bytes, LIMITS).map(|out| out.len()), expected);
}

#[test]
fn intact_bodies_come_back() {
    for plain in [&b""[..], b"{}", &[b'x'; 900_000]] {
        check(Encoding::Gzip, &gzip(plain), Ok(plain.len()));
        check(Encoding::Zstd, &zst(plain), Ok(plain.len()));
    }
    // Concatenated members are one body.
    check(Encoding::Gzip, &[gzip(b"one"), gzip(b"two")].concat(), Ok(6));
    check(Encoding::Zstd, &[zst(b"one"), zst(b"two")].concat(), Ok(6));
}

#[test]
fn bombs_stop_at_the_limit() {
    let zeros = vec![0; 64 * 1024 * 1024];
    check(Encoding::Gzip, &gzip(&zeros), Err(DecompressError::Size { limit: LIMITS.bytes_max }));
    let small = zst(&zeros[..3 * 1024 * 1024]);
    check(
        Encoding::Zstd,
        &small,
        Err(DecompressError::Ratio { limit: 100, compressed: small.len() }),
    );
}

#[test]
fn every_cut_is_noticed() {
    let plain: Vec<u8> = (0..2000_u32).flat_map(u32::to_le_bytes).collect();
    for (encoding, whole) in [(Encoding::Gzip, gzip(&plain)), (Encoding::Zstd, zst(&plain))] {
        for length in [1, 5, whole.len() / 2, whole.len() - 1] {
            check(encoding, &whole[..length], Err(DecompressError::Truncated));
        }
    }
}

#[test]
fn other_bytes_are_damage() {
    check(Encoding::Gzip, b"{\"plain\":true} and some more text", Err(DecompressError::Damaged));
    check(Encoding::Zstd, b"{\"plain\":true} and some more text", Err(DecompressError::Damaged));
    let mut flipped = gzip(b"a body with a checksum behind it");
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    check(Encoding::Gzip, &flipped, Err(DecompressError::Damaged));
}

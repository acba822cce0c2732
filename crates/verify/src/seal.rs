//! The seal: a digest over every byte of the archive before it, in the archive's comment.
//!
//! The manifest covers what the files say; it says nothing of the archive's own headers, times and padding bits. The seal
//! does, so that not one byte of a bundle can change without notice. It proves nothing against whoever makes bundles: the
//! signature over the manifest does that. Pieces are hashed one by one, so that a browser can do it without holding
//! the whole file.

use std::io::{self, Read, Seek, SeekFrom, Write};

use sha2::{Digest as _, Sha256};

use attestary_event::event::hex;

use crate::manifest::unhex;

/// Before the digest; frozen.
const MAGIC: &str = "attestary/seal/v1 ";
/// Bytes of the comment: the magic and 64 hexadecimal digits.
const SEAL_BYTES: usize = MAGIC.len() + 64;
/// Bytes that are hashed at once.
const PIECE_BYTES: u64 = 1 << 20;

/// Returns a comment of the right length for an archive that is not sealed yet.
pub(crate) fn blank() -> String {
    format!("{MAGIC}{}", "0".repeat(64))
}

/// Seals an archive that ends with a comment of [`blank`].
///
/// # Errors
/// When it cannot be read or written.
pub fn seal<W: Read + Write + Seek>(archive: &mut W) -> io::Result<()> {
    let length = archive.seek(SeekFrom::End(0))?;
    let start = length
        .checked_sub(SEAL_BYTES as u64)
        .ok_or_else(|| io::Error::other("the archive has no room for a seal"))?;
    let digest = digest(archive, start)?;
    archive.seek(SeekFrom::Start(start))?;
    archive.write_all(format!("{MAGIC}{}", hex(&digest)).as_bytes())
}

/// Checks the seal of an archive.
///
/// # Errors
/// With one sentence.
pub(crate) fn check<R: Read + Seek>(archive: &mut R) -> Result<(), String> {
    let cannot = |error: io::Error| format!("the archive cannot be read: {error}");
    let length = archive.seek(SeekFrom::End(0)).map_err(cannot)?;
    let unsealed = || "the archive has no seal: it was packed anew or cut".to_owned();
    let start = length.checked_sub(SEAL_BYTES as u64).ok_or_else(unsealed)?;
    let computed = digest(archive, start).map_err(cannot)?;
    let mut comment = [0; SEAL_BYTES];
    archive.read_exact(&mut comment).map_err(cannot)?;
    let stated = str::from_utf8(&comment).ok().and_then(|text| text.strip_prefix(MAGIC));
    match stated.map(unhex) {
        None | Some(None) => Err(unsealed()),
        Some(Some(stated)) if stated == computed => Ok(()),
        Some(Some(_)) => {
            Err("the archive is not the one that was sealed: a byte was changed".into())
        }
    }
}

/// Returns the digest over the digests of the pieces of the first `length` bytes.
fn digest<R: Read + Seek>(archive: &mut R, length: u64) -> io::Result<[u8; 32]> {
    archive.seek(SeekFrom::Start(0))?;
    let (mut whole, mut left) = (Sha256::new(), length);
    let mut piece = vec![0; PIECE_BYTES.min(length) as usize];
    while left > 0 {
        piece.truncate(left.min(PIECE_BYTES) as usize);
        archive.read_exact(&mut piece)?;
        whole.update(Sha256::digest(&piece));
        left -= piece.len() as u64;
    }
    Ok(whole.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn every_changed_byte_and_every_cut_breaks_the_seal() {
        for length in [0, 1, 300, 2 << 20] {
            let mut archive = vec![7; length];
            archive.extend_from_slice(blank().as_bytes());
            let mut archive = Cursor::new(archive);
            assert!(check(&mut archive).is_err(), "{length}: not sealed yet");
            seal(&mut archive).unwrap();
            assert_eq!(check(&mut archive), Ok(()), "{length}");
            let good = archive.into_inner();
            for at in (0..good.len()).step_by(good.len() / 100 + 1).chain([good.len() - 1]) {
                let mut changed = good.clone();
                changed[at] ^= 1;
                assert!(check(&mut Cursor::new(changed)).is_err(), "{length} {at}");
            }
            assert!(check(&mut Cursor::new(&good[..good.len() - 1])).is_err());
            assert!(check(&mut Cursor::new([&good[..], b"x"].concat())).is_err());
        }
    }
}

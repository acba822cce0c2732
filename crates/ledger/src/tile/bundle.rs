//! Entry bundles: up to 256 log entries, each after its length as u16 (C2SP tlog-tiles v0.1.0, "Log entries").

use super::{TILE_WIDTH, TileError};

/// Returns the bytes of a bundle of at most 256 entries.
pub fn encode<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for (position, entry) in entries.into_iter().enumerate() {
        if position as u64 == TILE_WIDTH {
            return Err(TileError::Entries { expected: TILE_WIDTH as usize });
        }
        let length =
            u16::try_from(entry.len()).map_err(|_| TileError::TooLong { entry: position })?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Returns the entries of a bundle of exactly `width` entries.
pub fn decode(mut bytes: &[u8], width: usize) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::with_capacity(width.min(TILE_WIDTH as usize));
    while !bytes.is_empty() {
        if entries.len() == width {
            return Err(TileError::Entries { expected: width });
        }
        let (entry, rest) =
            split_entry(bytes).ok_or(TileError::Truncated { entry: entries.len() })?;
        entries.push(entry);
        bytes = rest;
    }
    if entries.len() == width { Ok(entries) } else { Err(TileError::Entries { expected: width }) }
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

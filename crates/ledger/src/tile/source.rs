//! Tree nodes out of tiles: what a client or an offline verifier computes proofs and roots from.
//!
//! Nothing is authenticated here. Whoever reads tiles of others first computes [`root`](crate::tree::root) for the size of
//! a checkpoint and compares; only then are proofs from the same tiles worth anything.

use super::{TILE_HEIGHT, TILE_WIDTH, TileError, TileKind, TilePath, decode};
use crate::{Hash, NodeSource};

/// The hash tiles of a tree of a known size, fetched by path.
#[derive(Debug, Clone)]
pub struct TileSource<F> {
    size: u64,
    fetch: F,
}

/// Why a node could not be read from tiles.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TileSourceError<E> {
    /// The tree has no such tile.
    #[error("a tree of {size} leaves has no such node")]
    Size { size: u64 },
    /// The tile could not be fetched.
    #[error("cannot fetch {path}")]
    Fetch {
        /// Which tile.
        path: TilePath,
        /// Why.
        source: E,
    },
    /// The tile is malformed.
    #[error("{path} is malformed")]
    Tile {
        /// Which tile.
        path: TilePath,
        /// How.
        source: TileError,
    },
}

impl<E, F: Fn(&TilePath) -> Result<Vec<u8>, E>> TileSource<F> {
    /// Returns the source; `fetch` gets the paths of exactly this size's tiles, the partial ones included.
    pub fn new(size: u64, fetch: F) -> Self {
        Self { size, fetch }
    }
}

impl<E, F: Fn(&TilePath) -> Result<Vec<u8>, E>> NodeSource for TileSource<F> {
    type Error = TileSourceError<E>;

    fn kept_level(&self, level: u32) -> u32 {
        level / TILE_HEIGHT * TILE_HEIGHT
    }

    fn read(&self, level: u32, first: u64, nodes: &mut [Hash]) -> Result<(), Self::Error> {
        let mut position = first;
        let mut rest = nodes;
        while !rest.is_empty() {
            let no_such = TileSourceError::Size { size: self.size };
            let kind = TileKind::Hashes((level / TILE_HEIGHT) as u8);
            let path = TilePath::of(kind, position / TILE_WIDTH, self.size).ok_or(no_such)?;
            let bytes =
                (self.fetch)(&path).map_err(|source| TileSourceError::Fetch { path, source })?;
            let hashes = decode(&bytes, path.width())
                .map_err(|source| TileSourceError::Tile { path, source })?;
            let hashes = hashes.get((position % TILE_WIDTH) as usize..).unwrap_or_default();
            let count = hashes.len().min(rest.len());
            if count == 0 {
                return Err(TileSourceError::Size { size: self.size });
            }
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&hashes[..count]);
            position += count as u64;
            rest = later;
        }
        Ok(())
    }
}

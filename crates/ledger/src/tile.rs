//! Tiles: the tree as files of 256 hashes, and entry bundles beside the lowest ones. Source: C2SP tlog-tiles v0.1.0.
//!
//! Tile `n` of level `l` holds the nodes `256 n ..` of tree level `8 l`. Only the last tile of a level may be partial;
//! its width stands in its path, so that no path ever changes its content.

pub mod bundle;
pub mod source;

use std::fmt;

use crate::{Hash, text};

/// Most hashes in a tile, most entries in a bundle.
pub const TILE_WIDTH: u64 = 256;

/// Tree levels that one tile spans.
pub const TILE_HEIGHT: u32 = 8;

/// Longest path: `tile/entries/`, six elements `x000/`, `000.p/255`.
const PATH_BYTES_MAX: usize = 13 + 6 * 5 + 9;

/// Tile levels 0 to 7 hold trees of up to 2^64 leaves.
const LEVELS: u8 = 8;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of this tile level, 0 for leaves; at most 7.
    Hashes(u8),
    /// Log entries.
    Entries,
}

/// The place of a tile: a relative path such as `tile/0/x001/234.p/17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    /// 1 to 256; 256 is a full tile.
    width: u16,
}

impl TilePath {
    /// Returns the tile `index` of a tree of `size` leaves; `None` when the tree has no such tile.
    pub fn of(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let level = match kind {
            TileKind::Hashes(level) => level,
            TileKind::Entries => 0,
        };
        if level >= LEVELS {
            return None;
        }
        let nodes = size >> (TILE_HEIGHT * u32::from(level));
        let width = nodes.checked_sub(index.checked_mul(TILE_WIDTH)?)?.min(TILE_WIDTH);
        (width > 0).then_some(Self { kind, index, width: width as u16 })
    }

    /// Parses a path; it has one form.
    pub fn parse(path: &str) -> Result<Self, TilePathError> {
        if path.len() > PATH_BYTES_MAX {
            return Err(TilePathError::Form);
        }
        let rest = path.strip_prefix("tile/").ok_or(TilePathError::Form)?;
        let (kind, rest) = rest.split_once('/').ok_or(TilePathError::Form)?;
        let kind = parse_kind(kind)?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, parse_width(width)?),
            None => (rest, TILE_WIDTH as u16),
        };
        let tile = Self { kind, index: parse_index(index)?, width };
        // Leading groups of zeros and the like: another spelling of a path that exists.
        if tile.to_string() == path { Ok(tile) } else { Err(TilePathError::Form) }
    }

    /// Returns what the tile holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Returns the position of the tile in its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Returns the number of hashes or entries: 1 to 256.
    pub fn width(&self) -> usize {
        usize::from(self.width)
    }

    /// Says whether the tile has fewer than 256 hashes or entries.
    pub fn is_partial(&self) -> bool {
        u64::from(self.width) < TILE_WIDTH
    }
}

/// Returns every hash tile of a tree, level by level, and then its entry bundles.
pub fn tiles(size: u64) -> impl Iterator<Item = TilePath> {
    let kinds = (0..LEVELS).map(TileKind::Hashes).chain([TileKind::Entries]);
    kinds.flat_map(move |kind| (0..).map_while(move |index| TilePath::of(kind, index, size)))
}

fn parse_kind(text: &str) -> Result<TileKind, TilePathError> {
    if text == "entries" {
        return Ok(TileKind::Entries);
    }
    match text::decimal(text) {
        Some(level) if level < u64::from(LEVELS) => Ok(TileKind::Hashes(level as u8)),
        Some(level) if level < 64 => Err(TilePathError::Level { level }),
        _ => Err(TilePathError::Form),
    }
}

fn parse_width(text: &str) -> Result<u16, TilePathError> {
    let width = text::decimal(text).ok_or(TilePathError::Form)?;
    if (1..TILE_WIDTH).contains(&width) { Ok(width as u16) } else { Err(TilePathError::Width) }
}

/// Parses `x001/x234/067`; the caller compares with the canonical form.
fn parse_index(text: &str) -> Result<u64, TilePathError> {
    text.split('/').try_fold(0_u64, |index, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let valid = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let value = if valid { digits.parse().ok() } else { None };
        let value: u64 = value.ok_or(TilePathError::Form)?;
        index
            .checked_mul(1_000)
            .and_then(|index| index.checked_add(value))
            .ok_or(TilePathError::Form)
    })
}

/// The path, relative to the log's prefix.
impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => write!(f, "tile/entries/")?,
        }
        let groups = self.index.checked_ilog(1_000).unwrap_or(0);
        for group in (1..=groups).rev() {
            write!(f, "x{:03}/", self.index / 1_000_u64.pow(group) % 1_000)?;
        }
        write!(f, "{:03}", self.index % 1_000)?;
        if self.is_partial() { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// Returns the bytes of a hash tile.
pub fn encode(hashes: &[Hash]) -> &[u8] {
    hashes.as_flattened()
}

/// Returns the hashes of a tile of exactly `width` hashes.
pub fn decode(bytes: &[u8], width: usize) -> Result<&[Hash], TileError> {
    match bytes.as_chunks() {
        (hashes, []) if hashes.len() == width => Ok(hashes),
        _ => Err(TileError::Length { bytes: bytes.len(), expected: width * 32 }),
    }
}

/// Why a path names no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TilePathError {
    /// Not `tile/<level>/<index>[.p/<width>]` in its one form.
    #[error("a tile path has the form tile/<level>/<index>[.p/<width>]")]
    Form,
    /// No tree of up to 2^64 leaves has this level.
    #[error("no tree has tiles of level {level}")]
    Level { level: u64 },
    /// The width is not 1 to 255.
    #[error("a partial tile is 1 to 255 wide")]
    Width,
}

/// Why bytes are not the tile they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// Another number of bytes than the width demands.
    #[error("the tile has {bytes} bytes instead of {expected}")]
    Length { bytes: usize, expected: usize },
    /// The bundle ends within an entry.
    #[error("the bundle ends within entry {entry}")]
    Truncated { entry: usize },
    /// The bundle holds more or fewer entries than its width.
    #[error("the bundle does not hold {expected} entries")]
    Entries { expected: usize },
    /// An entry is longer than its length prefix can say.
    #[error("entry {entry} is longer than 65,535 bytes")]
    TooLong { entry: usize },
}

#[cfg(test)]
mod tests;

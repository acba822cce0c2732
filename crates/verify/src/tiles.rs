//! Step 3: the hash tiles of a bundle lead to the signed root, none is missing and none is too many.

use std::collections::{BTreeSet, HashMap};

use attestary_ledger::{
    Hash, TileKind, TilePath, node_hash,
    tile::{self, TILE_HEIGHT, TILE_WIDTH, source::TileSource},
    tree,
};

/// Returns the hash tiles that authenticate the level-0 tiles `touched` against the root of `size` leaves: the right edge of
/// every level, from which the root follows, and everything above a touched tile.
pub fn needed(size: u64, touched: &BTreeSet<u64>) -> BTreeSet<TilePath> {
    let mut needed = BTreeSet::new();
    let mut indexes = touched.clone();
    for level in 0_u8..8 {
        let nodes = size.checked_shr(TILE_HEIGHT * u32::from(level)).unwrap_or(0);
        if nodes == 0 {
            break;
        }
        let edge = (nodes - 1) / TILE_WIDTH;
        // A last tile that is full has its hash in the level above; only a partial one is needed for the root.
        if !nodes.is_multiple_of(TILE_WIDTH) {
            indexes.insert(edge);
        }
        let here: Vec<u64> = std::mem::take(&mut indexes).into_iter().collect();
        for index in here {
            let Some(path) = TilePath::of(TileKind::Hashes(level), index, size) else { continue };
            needed.insert(path);
            if !path.is_partial() {
                indexes.insert(index / TILE_WIDTH);
            }
        }
    }
    needed
}

/// Checks the tiles of a bundle.
///
/// # Errors
/// With one sentence that names the tile.
pub(crate) fn check(
    tiles: &HashMap<TilePath, Vec<u8>>,
    size: u64,
    root: &Hash,
    touched: &BTreeSet<u64>,
) -> Result<String, String> {
    let needed = needed(size, touched);
    for path in &needed {
        let bytes = tiles.get(path).ok_or_else(|| format!("{path} is missing"))?;
        if bytes.len() != 32 * path.width() {
            return Err(format!("{path} has {} bytes, not {}", bytes.len(), 32 * path.width()));
        }
    }
    let is_hashes = |path: &&TilePath| matches!(path.kind(), TileKind::Hashes(_));
    if let Some(extra) = tiles.keys().filter(is_hashes).find(|path| !needed.contains(path)) {
        return Err(format!(
            "{extra} belongs to no event of the bundle and to no edge of the tree"
        ));
    }
    let source = TileSource::new(size, |path: &TilePath| tiles.get(path).cloned().ok_or(()));
    let computed = tree::root(&source, size)
        .map_err(|error| format!("the root cannot be computed: {error}"))?;
    if computed != *root {
        return Err("the tiles lead to another root than the checkpoint's".into());
    }
    for path in needed.iter().filter(|path| !path.is_partial()) {
        check_parent(tiles, path, size)?;
    }
    Ok(format!("root of {size} events, {} tiles", needed.len()))
}

/// Checks that a full tile is the node that stands in the level above. A tree of one full tile has none above it.
fn check_parent(
    tiles: &HashMap<TilePath, Vec<u8>>,
    path: &TilePath,
    size: u64,
) -> Result<(), String> {
    let TileKind::Hashes(level) = path.kind() else { return Ok(()) };
    let index = path.index();
    let above = TilePath::of(TileKind::Hashes(level + 1), index / TILE_WIDTH, size);
    let above = above.ok_or_else(|| format!("{path} has no tile above it"))?;
    let bytes = tiles.get(&above).ok_or_else(|| format!("{above} is missing"))?;
    let at = (index % TILE_WIDTH) as usize * 32;
    let own = tiles
        .get(path)
        .and_then(|bytes| tile::decode(bytes, path.width()).ok())
        .map(|hashes| fold(hashes.to_vec()));
    match (own, bytes.get(at..at + 32)) {
        (Some(own), Some(stated)) if own == stated => Ok(()),
        _ => Err(format!("{path} is not what {above} says")),
    }
}

fn fold(mut nodes: Vec<Hash>) -> Hash {
    while nodes.len() > 1 {
        nodes =
            nodes.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    nodes.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use attestary_ledger::{MemoryTree, NodeSource, leaf_hash};

    use super::*;

    fn tree_of(size: u64) -> MemoryTree {
        (0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect()
    }

    fn bytes(tree: &MemoryTree, path: &TilePath) -> Vec<u8> {
        let TileKind::Hashes(level) = path.kind() else { panic!("{path}") };
        let mut hashes = vec![[0; 32]; path.width()];
        let _ = tree.read(TILE_HEIGHT * u32::from(level), path.index() * TILE_WIDTH, &mut hashes);
        hashes.as_flattened().to_vec()
    }

    #[test]
    fn the_needed_tiles_are_enough_and_each_is_needed() {
        for size in [1, 2, 255, 256, 257, 300, 512, 65_536, 65_537, 66_000] {
            let tree = tree_of(size);
            for touched in [vec![0], vec![(size - 1) / 256], vec![0, (size - 1) / 256 / 2]] {
                let touched: BTreeSet<u64> = touched.into_iter().collect();
                let tiles: HashMap<_, _> = needed(size, &touched)
                    .into_iter()
                    .map(|path| (path, bytes(&tree, &path)))
                    .collect();
                check(&tiles, size, &tree.root(), &touched)
                    .unwrap_or_else(|why| panic!("{size}: {why}"));
                for path in tiles.keys() {
                    let mut fewer = tiles.clone();
                    fewer.remove(path);
                    assert!(check(&fewer, size, &tree.root(), &touched).is_err(), "{size} {path}");
                    for at in [0, tiles[path].len() - 1] {
                        let mut changed = tiles.clone();
                        changed.get_mut(path).unwrap()[at] ^= 1;
                        assert!(
                            check(&changed, size, &tree.root(), &touched).is_err(),
                            "{size} {path} {at}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn every_tile_of_a_whole_log_is_needed() {
        for size in [1, 256, 300, 66_000] {
            let touched = (0..=(size - 1) / 256).collect();
            let hashes =
                tile::tiles(size).filter(|path| matches!(path.kind(), TileKind::Hashes(_)));
            assert_eq!(needed(size, &touched), hashes.collect(), "{size}");
        }
    }
}

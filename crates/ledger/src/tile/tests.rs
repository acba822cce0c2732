use std::collections::HashMap;

use proptest::prelude::*;

use super::{source::TileSource, *};
use crate::{ConsistencyProof, InclusionProof, MemoryTree, NodeSource as _, leaf_hash, tree};

#[track_caller]
fn check(kind: TileKind, index: u64, width: u16, path: &str) {
    let tile = TilePath { kind, index, width };
    assert_eq!(tile.to_string(), path);
    assert_eq!(TilePath::parse(path), Ok(tile));
}

#[test]
fn paths_have_one_form() {
    check(TileKind::Hashes(0), 0, 256, "tile/0/000");
    check(TileKind::Hashes(1), 999, 1, "tile/1/999.p/1");
    check(TileKind::Hashes(0), 1_000, 256, "tile/0/x001/000");
    check(TileKind::Hashes(2), 1_234_067, 255, "tile/2/x001/x234/067.p/255");
    check(TileKind::Entries, 273, 112, "tile/entries/273.p/112");
    let longest = "tile/entries/x072/x057/x594/x037/x927/935.p/255";
    check(TileKind::Entries, (1 << 56) - 1, 255, longest);
}

#[test]
fn other_paths_are_refused() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/001/x000",
        "tile/0/001/000",
        "tile/00/000",
        "tile/+0/000",
        "tile/64/000",
        "tile/0/-01",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/data/000",
        "tile/0/00 0",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/٠٠٠",
        "checkpoint",
    ] {
        assert_eq!(TilePath::parse(path), Err(TilePathError::Form), "{path}");
    }
    for path in ["tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/1000"] {
        assert_eq!(TilePath::parse(path), Err(TilePathError::Width), "{path}");
    }
    assert_eq!(TilePath::parse("tile/8/000"), Err(TilePathError::Level { level: 8 }));
}

/// The example of the specification: a tree of 70,000 leaves.
#[test]
fn a_tree_has_the_tiles_that_its_size_says() {
    let all: Vec<_> = tiles(70_000).collect();
    let of = |kind| all.iter().filter(move |tile| tile.kind == kind);
    assert_eq!(of(TileKind::Hashes(0)).count(), 274);
    assert_eq!(of(TileKind::Hashes(0)).next_back().unwrap().to_string(), "tile/0/273.p/112");
    let level_1: Vec<_> = of(TileKind::Hashes(1)).map(ToString::to_string).collect();
    assert_eq!(level_1, ["tile/1/000", "tile/1/001.p/17"]);
    assert_eq!(of(TileKind::Hashes(2)).count(), 1);
    assert_eq!(of(TileKind::Hashes(3)).count(), 0);
    assert_eq!(of(TileKind::Entries).count(), 274);
    let small: Vec<_> = tiles(256).map(|tile| tile.to_string()).collect();
    assert_eq!(small, ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]);
    assert_eq!(tiles(0).count(), 0);
    assert_eq!(TilePath::of(TileKind::Hashes(0), 1, 256), None);
    assert_eq!(TilePath::of(TileKind::Hashes(0), u64::MAX, u64::MAX), None);
    assert!(TilePath::of(TileKind::Hashes(7), 0, u64::MAX).is_some());
}

fn files(tree: &MemoryTree) -> HashMap<String, Vec<u8>> {
    let hashes = tiles(tree.size()).filter(|tile| tile.kind != TileKind::Entries);
    let file = |tile: TilePath| {
        let TileKind::Hashes(level) = tile.kind else { unreachable!() };
        let mut nodes = vec![[0; 32]; tile.width()];
        tree.read(u32::from(level) * TILE_HEIGHT, tile.index * TILE_WIDTH, &mut nodes).unwrap();
        (tile.to_string(), encode(&nodes).to_vec())
    };
    hashes.map(file).collect()
}

#[test]
fn proofs_follow_from_tiles() {
    let tree: MemoryTree = (0..70_000_u32).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    let mut files = files(&tree);
    let fetch = |path: &TilePath| files.get(&path.to_string()).cloned().ok_or("missing");
    let source = TileSource::new(tree.size(), fetch);
    for size in [1, 255, 256, 257, 65_536, 67_000, 70_000] {
        assert_eq!(tree::root(&source, size).unwrap(), tree::root(&tree, size).unwrap());
    }
    for index in [0, 255, 256, 69_000, 69_999] {
        let proof = InclusionProof::generate(&source, index, 70_000).unwrap();
        assert_eq!(proof, InclusionProof::generate(&tree, index, 70_000).unwrap());
    }
    let proof = ConsistencyProof::generate(&source, 67_000, 70_000).unwrap();
    assert_eq!(proof, ConsistencyProof::generate(&tree, 67_000, 70_000).unwrap());
    assert_eq!(
        (
            proof.hashes.len(),
            InclusionProof::generate(&source, 69_000, 70_000).unwrap().hashes.len()
        ),
        (12, 14)
    );
    assert!(tree::root(&source, 70_001).is_err());

    files.get_mut("tile/1/000").unwrap().pop();
    let fetch = |path: &TilePath| files.get(&path.to_string()).cloned().ok_or("missing");
    let error = tree::root(&TileSource::new(70_000, fetch), 70_000).map(|_| ());
    assert!(error.is_ok(), "one node of level 16 covers the damaged tile");
    let error = InclusionProof::generate(&TileSource::new(70_000, fetch), 0, 70_000).unwrap_err();
    assert_eq!(error.to_string(), "cannot read a tree node");
}

#[test]
fn tiles_and_bundles_have_the_width_that_their_path_says() {
    assert_eq!(decode(&[7; 64], 2), Ok([[7; 32]; 2].as_slice()));
    for (length, width) in [(64, 1), (64, 3), (63, 2), (65, 2), (0, 1)] {
        let expected = Err(TileError::Length { bytes: length, expected: width * 32 });
        assert_eq!(decode(&vec![7; length], width), expected);
    }
    assert_eq!(bundle::decode(b"\0\x01a\0\0\0\x02bc", 3), Ok(vec![&b"a"[..], b"", b"bc"]));
    assert_eq!(bundle::decode(b"\0\x01a", 2), Err(TileError::Entries { expected: 2 }));
    assert_eq!(bundle::decode(b"\0\x01a\0\0", 1), Err(TileError::Entries { expected: 1 }));
    assert_eq!(bundle::decode(b"\0\x01a\0", 2), Err(TileError::Truncated { entry: 1 }));
    assert_eq!(bundle::decode(b"\0\x02a", 1), Err(TileError::Truncated { entry: 0 }));
    let long = vec![0; 65_536];
    assert_eq!(bundle::encode([&long[..65_535], &long]), Err(TileError::TooLong { entry: 1 }));
    let many = [b"x".as_slice(); 257];
    assert!(bundle::encode(many[..256].iter().copied()).is_ok());
    assert_eq!(bundle::encode(many), Err(TileError::Entries { expected: 256 }));
}

proptest! {
    #[test]
    fn accepted_paths_print_as_they_came(path in "tile/([0-9]{1,2}|entries)/(x[0-9]{3}/){0,2}[0-9]{3}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = TilePath::parse(&path) {
            prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn bundles_come_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20)) {
        let bytes = bundle::encode(entries.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(bundle::decode(&bytes, entries.len()).unwrap(), entries);
    }
}

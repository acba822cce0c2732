//! A whole log as files: every tile and bundle of 70,000 entries, two checkpoints, proofs between and into them.

use attestary_ledger::{
    Checkpoint, ConsistencyProof, InclusionProof, MemoryTree, NodeSource as _, ProofFile, TilePath,
    leaf_hash, tile, tree,
};

use super::notes::{TENANT, signed, signer};

const SIZE: u64 = 70_000;
const OLD: u64 = 67_000;
const INDEXES: [u64; 6] = [0, 255, 256, 65_536, 69_000, 69_999];

/// Returns paths and contents; entries are of 88 bytes as ours are.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let entries: Vec<_> = (0..SIZE).map(entry).collect();
    let log: MemoryTree = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let head = |size| Checkpoint::new(TENANT, size, tree::root(&log, size).unwrap());
    let mut files = vec![
        ("vkey".into(), signer(TENANT, 0).verifier().to_string().into_bytes()),
        ("checkpoint".into(), signed(&head(SIZE), &[1, 2]).to_string().into_bytes()),
        (format!("prev/{OLD}"), signed(&head(OLD), &[1]).to_string().into_bytes()),
    ];
    let consistency = ConsistencyProof::generate(&log, OLD, SIZE).unwrap();
    files.push(("consistency".into(), consistency.hashes.as_flattened().to_vec()));
    for index in INDEXES {
        let hashes = InclusionProof::generate(&log, index, SIZE).unwrap().hashes;
        let extra = Some(entries[index as usize].to_vec());
        let file = ProofFile { extra, index, hashes, checkpoint: signed(&head(SIZE), &[1, 2]) };
        files.push((format!("proofs/{index}.tlog-proof"), file.to_string().into_bytes()));
    }
    files.extend(tile::tiles(SIZE).map(|path| (path.to_string(), content(&path, &log, &entries))));
    files
}

fn content(path: &TilePath, log: &MemoryTree, entries: &[[u8; 88]]) -> Vec<u8> {
    let first = path.index() * tile::TILE_WIDTH;
    match path.kind() {
        tile::TileKind::Entries => {
            let entries =
                entries[first as usize..][..path.width()].iter().map(<[u8; 88]>::as_slice);
            tile::bundle::encode(entries).unwrap()
        }
        tile::TileKind::Hashes(level) => {
            let mut hashes = vec![[0; 32]; path.width()];
            log.read(u32::from(level) * tile::TILE_HEIGHT, first, &mut hashes).unwrap();
            tile::encode(&hashes).to_vec()
        }
    }
}

fn entry(seq: u64) -> [u8; 88] {
    let mut entry = [0; 88];
    entry[..4].copy_from_slice(b"AEV1");
    entry[20..28].copy_from_slice(&seq.to_be_bytes());
    entry
}

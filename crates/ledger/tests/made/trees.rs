//! Entries, trees and tiles.

use attestary_ledger::{
    ConsistencyProof, Disclosure, Entry, InclusionProof, MemoryTree, TilePath,
    disclosed_fields_hash, field, fields_hash, leaf_hash, origin_id, tile, tree as merkle,
};
use serde_json::{Value, json};

use super::{hex, hexes};

/// Sizes around the powers of two, and the largest that the tests know.
const SIZES: [u64; 18] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 64, 65, 100, 129, 130];

const FIELDS: [(&str, u8, &str); 9] = [
    ("/action", b's', "user.login.failed"),
    ("/actor/email", b's', "alice@example.com"),
    ("/actor/id", b's', "u_123"),
    ("/context/ip", b's', "203.0.113.9"),
    ("/metadata/attempt", b'n', "3"),
    ("/metadata/big", b'n', "9007199254740993"),
    ("/metadata/ok", b'f', ""),
    ("/metadata/tags", b'a', ""),
    ("/occurred_at", b's', "2026-11-22T00:39:11.123Z"),
];

pub(crate) fn entry() -> Value {
    let origin = "audit.example.com/t/01JDA3WT9Z8Q4V6N2M0K5R7B1C";
    let seed: [u8; 16] = std::array::from_fn(|i| i as u8);
    let root = fields_hash(&seed, FIELDS.iter().map(|&(p, kind, v)| (p, kind, v.as_bytes())));
    let entry = Entry {
        origin: origin_id(origin),
        seq: 69_000,
        received_ms: 1_795_308_919_123,
        event_id: 0x0193_0b5e_5a53_709e_8f3c_0123_4567_89ab_u128.to_be_bytes(),
        n_fields: FIELDS.len() as u16,
        flags: 0,
        fields_hash: root,
    };
    let fields = FIELDS.iter().enumerate().map(|(j, &(pointer, kind, value))| {
        let salt = field::salt(&seed, j as u32);
        let hash = field::field_hash(&salt, pointer, kind, value.as_bytes());
        json!({
            "pointer": pointer, "type": char::from(kind).to_string(), "value": value,
            "salt": hex(&salt), "hash": hex(&hash),
        })
    });
    let fields: Vec<_> = fields.collect();
    json!({
        "about": "One event: field disclosures, the root over them, the 88-byte entry, its leaf hash.",
        "origin": origin, "seed": hex(&seed), "fields": fields, "fields_hash": hex(&root),
        "fields_hash_with_email_hidden": hex(&with_one_hidden(&seed)),
        "entry": hex(&entry.encode()), "leaf_hash": hex(&entry.leaf_hash()),
    })
}

fn with_one_hidden(seed: &[u8; 16]) -> [u8; 32] {
    let salts: Vec<_> = (0..9).map(|j| field::salt(seed, j)).collect();
    let hidden = field::field_hash(&salts[1], FIELDS[1].0, FIELDS[1].1, FIELDS[1].2.as_bytes());
    disclosed_fields_hash(FIELDS.iter().zip(&salts).map(|(&(pointer, kind, value), salt)| {
        match pointer {
            "/actor/email" => Disclosure::Hidden(&hidden),
            _ => Disclosure::Shown { salt, pointer, kind, value: value.as_bytes() },
        }
    }))
}

pub(crate) fn tree() -> Value {
    let tree: MemoryTree = (0..130_u64).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    let root = |size| merkle::root(&tree, size).unwrap();
    let roots = SIZES.map(|size| json!({ "size": size, "root": hex(&root(size)) }));
    let mut inclusion = Vec::new();
    let mut consistency = Vec::new();
    for size in SIZES {
        for index in [0, 1, size / 2, size.saturating_sub(2), size.saturating_sub(1)] {
            if let Ok(proof) = InclusionProof::generate(&tree, index, size) {
                let hashes = hexes(&proof.hashes);
                inclusion.push(json!({ "index": index, "size": size, "hashes": hashes }));
            }
        }
        for old in SIZES.into_iter().filter(|old| *old <= size) {
            let proof = ConsistencyProof::generate(&tree, old, size).unwrap();
            let hashes = hexes(&proof.hashes);
            consistency.push(json!({ "old": old, "new": size, "hashes": hashes }));
        }
    }
    inclusion.dedup();
    json!({
        "about": "Leaf i is the RFC 6962 leaf hash of i as eight bytes, big-endian.",
        "roots": roots, "inclusion": inclusion, "consistency": consistency,
    })
}

pub(crate) fn tiles() -> Value {
    let accepted = [
        "tile/0/000",
        "tile/1/999.p/1",
        "tile/0/x001/000",
        "tile/2/x001/x234/067.p/255",
        "tile/entries/273.p/112",
        "tile/entries/x072/x057/x594/x037/x927/935.p/255",
    ];
    let refused = [
        "",
        "tile/0/0",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/00/000",
        "tile/64/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/8/000",
    ];
    assert!(accepted.iter().all(|path| TilePath::parse(path).is_ok()));
    assert!(refused.iter().all(|path| TilePath::parse(path).is_err()));
    let trees = [0, 1, 255, 256, 257, 513, 65_536, 65_537].map(|size| {
        let paths: Vec<_> = tile::tiles(size).map(|path| path.to_string()).collect();
        // The long lists are told by their ends.
        let count = paths.len();
        let shown = if count > 12 { paths[count - 4..].to_vec() } else { paths };
        json!({ "size": size, "count": count, "last": shown })
    });
    let entries = [b"".as_slice(), b"a", b"entry"];
    let bundle = tile::bundle::encode(entries).unwrap();
    json!({
        "about": "Paths, the tiles of whole trees (hash tiles level by level, then entry bundles), one bundle.",
        "accepted": accepted, "refused": refused, "trees": trees,
        "bundle": { "entries": entries.map(hex), "bytes": hex(&bundle) },
    })
}

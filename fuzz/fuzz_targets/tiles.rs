//! Tile paths, bundles and entries: what is accepted prints as it came.
#![no_main]

use attestary_ledger::{Entry, TilePath, tile::bundle};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(path) = TilePath::parse(text)
    {
        assert_eq!(path.to_string(), text);
        assert!((1..=256).contains(&path.width()));
    }
    if let Some((&width, bytes)) = bytes.split_first()
        && let Ok(entries) = bundle::decode(bytes, usize::from(width))
    {
        assert_eq!(bundle::encode(entries), Ok(bytes.to_vec()));
    }
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
    }
});

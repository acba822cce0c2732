//! The dependency rules of ARCHITECTURE.md, checked against the manifests.

use std::{fs, path::Path};

/// Returns the names that the crate's `[dependencies]` section lists.
fn dependencies(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("Cargo.toml");
    let text = fs::read_to_string(path).expect("every crate has a manifest");
    let section =
        text.split("\n[dependencies]\n").nth(1).expect("every manifest lists dependencies");
    let section = section.split("\n[").next().unwrap_or(section);
    section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_pure_crates_depend_on_no_crate_of_ours_but_a_hash() {
    for (name, allowed) in [("event", ""), ("ledger", "attestary-sha256"), ("sha256", "")] {
        let ours: Vec<_> = dependencies(name)
            .into_iter()
            .filter(|d| d.starts_with("attestary-") && d != allowed)
            .collect();
        assert_eq!(ours, [""; 0], "{name}");
        assert!(!dependencies(name).is_empty(), "the section was not found");
    }
}

#[test]
fn only_the_store_opens_databases_and_buckets() {
    for name in ["event", "ledger", "formats", "delivery", "service", "api", "cli"] {
        for driver in ["rusqlite", "object_store", "parquet"] {
            // Delivery makes Parquet in memory, as one of the forms that customers take.
            let depends = dependencies(name).iter().any(|d| d == driver);
            assert_eq!(depends, (name, driver) == ("delivery", "parquet"), "{name}: {driver}");
        }
    }
    assert!(dependencies("store").iter().any(|d| d == "rusqlite"));
}

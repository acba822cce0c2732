//! The HTTP interface from outside: a real service in a temporary directory, a real listener on port 0.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod access;
mod actions;
mod alerts;
mod anchors;
mod app;
mod audit;
mod bad_input;
mod batches;
mod certificates;
mod compression;
mod counts;
mod deliveries;
mod destinations;
mod easysend;
mod environments;
mod evidence;
mod exports;
mod foreign;
mod formio;
mod governance;
mod ironcore;
mod keys;
mod life;
mod openapi;
mod otlp;
mod proofs;
mod rates;
mod redaction;
mod restored;
mod retraced;
mod search;
mod serving;
mod sessions;
mod sources;
mod standard;
mod syslog;
mod tails;
mod tenants;
mod usage;
mod viewer;
mod views;
mod workos;

#[test]
fn every_file_of_tests_is_part_of_this_binary() {
    let main = include_str!("main.rs");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(main.contains(&format!("mod {module};")), "{name} is not listed in main.rs");
        }
    }
}

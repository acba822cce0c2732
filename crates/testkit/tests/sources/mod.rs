//! The list of rows and the claims of every test in the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use attestary_testkit::seeds::{self, Claim, Seeds};

/// The generated page.
pub(crate) const PAGE: &str = "docs/conformance/seeds.md";

/// Where tests stand.
const FOLDERS: [&str; 3] = ["crates", "e2e", "tests/oracles"];

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the rows, the claims and what is wrong with further claims.
pub(crate) fn read() -> (Seeds, Vec<Claim>, Vec<String>) {
    let list = fs::read_to_string(root().join("docs/conformance/seeds.toml"));
    let seeds = Seeds::parse(&list.expect("the list of rows can be read"));
    let (mut claims, mut wrong) = (Vec::new(), Vec::new());
    for file in FOLDERS.iter().flat_map(|folder| files(&root().join(folder))) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let relative = file.strip_prefix(root()).unwrap_or(&file).to_string_lossy().into_owned();
        // The module that explains claims shows some that are none.
        if relative == "crates/testkit/src/seeds.rs" {
            continue;
        }
        let (more, odd) = seeds::claims(&relative, &text);
        claims.extend(more);
        wrong.extend(odd);
    }
    claims.sort();
    (seeds.expect("the list of rows is valid"), claims, wrong)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && !path.ends_with("node_modules") {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            found.push(path);
        }
    }
    found
}

//! Writes `docs/conformance/seeds.md`: `cargo run -p attestary-testkit --example seeds`.

#[path = "../tests/sources/mod.rs"]
mod sources;

use std::io::Write as _;

use attestary_testkit::seeds;

fn main() -> std::io::Result<()> {
    let (seeds, claims, wrong) = sources::read();
    for wrong in wrong.into_iter().chain(seeds::disagreements(&seeds, &claims)) {
        writeln!(std::io::stdout(), "{wrong}")?;
    }
    std::fs::write(sources::root().join(sources::PAGE), seeds::page(&seeds, &claims))
}

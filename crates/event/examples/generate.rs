//! Writes the generated reference pages: `cargo run -p attestary-event --example generate`.
//!
//! A test compares the checked-in files with what this writes.

use std::{fs, io, path::Path};

use attestary_event::{
    actions::{self, KnownActions},
    spec,
};

fn main() -> io::Result<()> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference"));
    fs::create_dir_all(folder)?;
    fs::write(folder.join("event.md"), spec::reference_page())?;
    fs::write(folder.join("event.schema.json"), spec::json_schema())?;
    fs::write(folder.join("actions.md"), actions::reference_page(KnownActions::builtin()))
}

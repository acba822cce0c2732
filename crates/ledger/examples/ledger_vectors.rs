//! Writes the vectors, and with `--log` a whole log, into a folder: input for verifiers that are not ours.
//!
//! ```text
//! cargo run -p attestary-ledger --example ledger_vectors -- FOLDER [--log]
//! ```

#[path = "../tests/made/mod.rs"]
#[expect(clippy::unwrap_used, reason = "the values are constants; the same code is a test")]
mod made;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let mut arguments = env::args_os().skip(1);
    let folder = arguments.next().map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("usage: ledger_vectors FOLDER [--log]"))?;
    for (name, value) in made::files() {
        write(&folder.join(name), format!("{value:#}\n").as_bytes())?;
    }
    if arguments.next().is_some_and(|argument| argument == "--log") {
        for (path, bytes) in made::log::files() {
            write(&folder.join("log").join(path), &bytes)?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    fs::write(path, bytes)
}

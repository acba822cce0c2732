//! Files that are durable once written.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use super::{BackupError, failed};

/// Makes a directory with all above it.
pub(super) fn directory(path: &Path) -> Result<(), BackupError> {
    fs::create_dir_all(path).map_err(failed("make", path))
}

/// Writes a new file that only its owner can read, and syncs it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut options = File::options();
    let opened = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(failed("make", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write", path))
}

/// Writes a file under another name, syncs it and gives it its name: there is all of it or nothing.
pub(super) fn publish(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = path.with_file_name(name);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed("remove", &unfinished)(error));
        }
        _ => {}
    }
    write(&unfinished, bytes)?;
    fs::rename(&unfinished, path).map_err(failed("name", path))?;
    sync_directory(path.parent().unwrap_or(path))
}

/// Makes names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(failed("sync", path))
}

/// Syncs a file that something else wrote.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(failed("sync", path))
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, BackupError> {
    fs::read(path).map_err(failed("read", path))
}

/// Returns the names of the plain files in a directory, sorted; none when it is not there.
pub(super) fn names(path: &Path) -> Result<Vec<String>, BackupError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(failed("list", path))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("list", path))?;
        if entry.file_type().map_err(failed("list", path))?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

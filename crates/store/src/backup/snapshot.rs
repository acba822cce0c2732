//! What a snapshot says about itself.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{BackupError, FORMAT_VERSION, files};

/// The name of the description; there when the snapshot is finished.
const DESCRIPTION: &str = "snapshot.json";

/// The description of a finished snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of the repository's layout.
    pub format_version: u32,
    /// Its name: the time, which sorts.
    pub name: String,
    /// When it was taken, in milliseconds since the epoch.
    pub created_ms: u64,
    /// Logs in it.
    pub logs: u64,
    /// Events in them.
    pub events: u64,
    /// One hash over slot, origin, size and root of every log, in hexadecimal.
    pub roots: String,
    /// Segments that it needs, by path.
    pub segments: Vec<String>,
    /// Its own files by path in the snapshot, each with its SHA-256 in hexadecimal.
    pub files: Vec<(String, String)>,
}

impl Snapshot {
    /// Writes the description: with it the snapshot counts.
    pub(super) fn publish(&self, directory: &Path) -> Result<(), BackupError> {
        let path = directory.join(DESCRIPTION);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| BackupError::Description { path: path.clone(), source })?;
        files::publish(&path, &text)
    }

    fn read(directory: &Path) -> Result<Self, BackupError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let path = directory.join(DESCRIPTION);
        let text = files::read(&path)?;
        let understood = |source| BackupError::Description { path: path.clone(), source };
        let Version { format_version } = serde_json::from_slice(&text).map_err(understood)?;
        if format_version > FORMAT_VERSION {
            return Err(BackupError::Newer { found: format_version });
        }
        serde_json::from_slice(&text).map_err(understood)
    }
}

/// Returns the finished snapshots of a repository, oldest first.
pub fn snapshots(repository: &Path) -> Result<Vec<Snapshot>, BackupError> {
    let root = repository.join("snapshots");
    let entries = match std::fs::read_dir(&root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(super::failed("list", &root))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(super::failed("list", &root))?.path();
        if path.join(DESCRIPTION).is_file() {
            found.push(Snapshot::read(&path)?);
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

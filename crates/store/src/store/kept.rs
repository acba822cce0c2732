//! The erasure list: which erasures logs agreed to, beside the head register and apart from the catalog and its backups.
//!
//! A backup that is older than an erasure brings the erased values back. The list, which is never restored with the
//! data, says what must go again before anything is served. One file for each removal: its list, positions only.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::Store;

const FOLDER: &str = "erasures";
const SUFFIX: &str = ".removal";

impl Store {
    /// Keeps the list of an erasure; durable when it returns. Doing it again is no harm.
    pub async fn keep_erasure(&self, id: &str, list: &[u8]) -> io::Result<()> {
        let (folder, name, list) = (self.erasures(), format!("{id}{SUFFIX}"), list.to_vec());
        blocking(move || write(&folder, &name, &list)).await
    }

    /// Returns the ids of the erasures that are kept, oldest first.
    pub async fn kept_erasures(&self) -> io::Result<Vec<String>> {
        let folder = self.erasures();
        blocking(move || ids(&folder)).await
    }

    /// Returns the list of an erasure that is kept.
    pub async fn kept_erasure(&self, id: &str) -> io::Result<Vec<u8>> {
        let path = self.erasures().join(format!("{id}{SUFFIX}"));
        blocking(move || fs::read(path)).await
    }

    /// Forgets an erasure that was carried out again under another id.
    pub async fn forget_erasure(&self, id: &str) -> io::Result<()> {
        let path = self.erasures().join(format!("{id}{SUFFIX}"));
        blocking(move || fs::remove_file(path)).await
    }

    fn erasures(&self) -> PathBuf {
        self.0.settings.register().join(FOLDER)
    }
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(f).await.map_err(io::Error::other)?
}

fn write(folder: &Path, name: &str, list: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let fresh = folder.join(format!("{name}.new"));
    let mut file = fs::File::create(&fresh)?;
    file.write_all(list)?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join(name))?;
    fs::File::open(folder)?.sync_all()?;
    match folder.parent() {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn ids(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        ids.extend(name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).map(str::to_owned));
    }
    ids.sort_unstable();
    Ok(ids)
}

//! The file that `attestary dev` leaves in its data directory, so that the other commands find the server.
//!
//! It holds keys in clear text and is readable by its owner alone. It is only ever written by `dev`; a server
//! started with `serve` leaves no such file, and its clients name url and key themselves.

use std::{
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// What a client needs to speak to a `dev` server, in the shape that `attestary dev --json` prints.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// Base URL, without a trailing slash.
    pub(crate) url: String,
    /// Key with the scope `ingest`.
    pub(crate) ingest_key: String,
    /// Key with the scope `read`.
    pub(crate) read_key: String,
    /// Key with the scopes that administration needs.
    pub(crate) admin_key: String,
    /// The environment of the keys.
    pub(crate) environment: String,
    /// The demo tenant.
    pub(crate) tenant: String,
    /// Where the server keeps its data.
    pub(crate) data_dir: PathBuf,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("url", &self.url)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// The file's name inside the data directory.
    pub(crate) const FILE: &str = "credentials.json";

    /// Reads the file of a data directory; `None` when there is none.
    pub(crate) fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        match fs::read(data_dir.join(Self::FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file, mode 0600; a crash leaves the old one or the new one, never a part.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<()> {
        let draft = data_dir.join(format!("{}.new", Self::FILE));
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&draft, data_dir.join(Self::FILE))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn sample() -> Credentials {
        Credentials {
            url: "http://127.0.0.1:1".into(),
            ingest_key: "secret-one".into(),
            read_key: "secret-two".into(),
            admin_key: "secret-three".into(),
            environment: "development".into(),
            tenant: "demo".into(),
            data_dir: "/nowhere".into(),
        }
    }

    #[test]
    fn the_file_is_its_owners_alone_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Credentials::read(dir.path()).unwrap().is_none());
        sample().write(dir.path()).unwrap();
        sample().write(dir.path()).unwrap();
        let mode = fs::metadata(dir.path().join(Credentials::FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Credentials::read(dir.path()).unwrap().unwrap().admin_key, "secret-three");
    }

    #[test]
    fn debug_output_holds_no_key() {
        assert!(!format!("{:?}", sample()).contains("secret"));
    }
}

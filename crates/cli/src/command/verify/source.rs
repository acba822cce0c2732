//! Where `verify` takes a log from: a folder of C2SP tiles, or a server.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use attestary_verify::LogFiles;
use futures::{StreamExt as _, stream};
use tokio::runtime::Handle;

/// Longest file of a log: an entry bundle of the longest entries.
const FILE_BYTES_MAX: usize = 256 * (2 + 65_535);
/// Most files of a folder: those of some 10^9 events.
const PATHS_MAX: usize = 10_000_000;
/// Requests to a server at the same time.
const TOGETHER: usize = 8;
/// How long a server may take for one file.
const FETCH_TIME_MAX: Duration = Duration::from_secs(60);

/// A folder that holds `checkpoint` and `tile/…`.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    paths: Vec<String>,
}

impl Folder {
    /// Lists the folder. Links and other things that are neither files nor folders are refused.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let mut paths = Vec::new();
        let mut folders = vec![(root.to_owned(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let entries = fs::read_dir(&folder)
                .with_context(|| format!("cannot read {}", folder.display()))?;
            for entry in entries {
                let entry = entry?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push((entry.path(), format!("{name}/")));
                } else if kind.is_file() && paths.len() < PATHS_MAX {
                    paths.push(name);
                } else {
                    anyhow::bail!("{} is no file of a log", entry.path().display());
                }
            }
        }
        Ok(Self { root: root.to_owned(), paths })
    }
}

impl LogFiles for Folder {
    fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let file = match fs::File::open(self.root.join(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let mut bytes = Vec::new();
        let read = file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        if bytes.len() > FILE_BYTES_MAX { Err(too_long()) } else { Ok(Some(bytes)) }
    }

    fn paths(&self) -> Option<Vec<String>> {
        Some(self.paths.clone())
    }
}

fn too_long() -> String {
    format!("it has more than {FILE_BYTES_MAX} bytes")
}

/// A log's prefix on a server, such as `https://audit.example.com/v1/tenants/acme`.
#[derive(Debug)]
pub(crate) struct Server {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
    environment: Option<String>,
    runtime: Handle,
}

impl Server {
    /// Returns the source. Its reads block: use it on a thread that may.
    pub(crate) fn new(
        base: &str,
        key: Option<String>,
        environment: Option<String>,
    ) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(FETCH_TIME_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot set up the HTTP client")?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http, base, key, environment, runtime: Handle::current() })
    }

    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let mut request = self.http.get(format!("{}/{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(environment) = &self.environment {
            request = request.header("attestary-environment", environment);
        }
        let cannot = |error: reqwest::Error| error.without_url().to_string();
        let mut reply = request.send().await.map_err(cannot)?;
        match reply.status() {
            status if status.is_success() => {}
            reqwest::StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(format!("the server answered {status}")),
        }
        let mut bytes = Vec::new();
        while let Some(piece) = reply.chunk().await.map_err(cannot)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > FILE_BYTES_MAX {
                return Err(too_long());
            }
        }
        Ok(Some(bytes))
    }
}

impl LogFiles for Server {
    fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        self.runtime.block_on(self.get(path))
    }

    fn fetch_all(&self, paths: &[String]) -> Vec<Result<Option<Vec<u8>>, String>> {
        let fetches = stream::iter(paths).map(|path| self.get(path)).buffered(TOGETHER);
        self.runtime.block_on(fetches.collect())
    }

    fn fetch_head(&self, epoch: Option<u64>, size: u64) -> Result<Option<Vec<u8>>, String> {
        match epoch {
            Some(epoch) => self.fetch(&format!("head?epoch={epoch}&size={size}")),
            None => Ok(None),
        }
    }

    fn is_live(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_and_links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tile/0/000.p")).unwrap();
        fs::write(dir.path().join("tile/0/000.p/3"), [1]).unwrap();
        fs::write(dir.path().join("checkpoint"), [2]).unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let mut paths = folder.paths().unwrap();
        paths.sort();
        assert_eq!(paths, ["checkpoint", "tile/0/000.p/3"]);
        assert_eq!(folder.fetch("checkpoint").unwrap().as_deref(), Some(&[2][..]));
        assert_eq!(folder.fetch("tile/0/001").unwrap(), None);
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        assert!(Folder::open(dir.path()).is_err());
    }
}

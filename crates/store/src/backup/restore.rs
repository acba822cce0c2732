//! Restoring a snapshot into a new data directory: built beside it, checked whole, then named.

use attestary_event::event::hex;
use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{BackupError, Snapshot, failed, files, journal, snapshot::snapshots};
use crate::{
    catalog::{Catalog, Loaded},
    check::{self, Progress, Report},
    segment::{CacheLimits, Objects, Segments, sha256},
};

/// What a restore put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The check of what was restored; it is clean.
    pub report: Report,
}

/// Restores the snapshot called `name`, or the newest one, into `dir`, which must not exist. Blocks.
///
/// Everything is verified before the directory gets its name: each file against its hash, every event, and the roots
/// of all logs against those that the snapshot recorded.
pub fn restore(
    repository: &Path,
    name: Option<&str>,
    dir: &Path,
    objects: Option<&Objects>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Restored, BackupError> {
    let mut all = snapshots(repository)?;
    let snapshot = match name {
        Some(name) => all.into_iter().find(|snapshot| snapshot.name == name),
        None => all.pop(),
    };
    let Some(snapshot) = snapshot else {
        let which = name
            .map_or("a finished snapshot".to_owned(), |name| format!("a finished snapshot {name}"));
        return Err(BackupError::NotThere(format!("{} has no {which}", repository.display())));
    };
    if dir.try_exists().map_err(failed("look for", dir))? {
        return Err(BackupError::Exists { path: dir.to_owned() });
    }
    let unfinished = beside(dir);
    if unfinished.try_exists().map_err(failed("look for", &unfinished))? {
        fs::remove_dir_all(&unfinished).map_err(failed("remove", &unfinished))?;
    }
    let built =
        Restoring { repository, snapshot: &snapshot, dir: &unfinished, objects }.run(progress);
    let report = match built {
        Ok(report) => report,
        Err(error) => {
            // What is wrong is in the error; half a directory helps nobody.
            let _ = fs::remove_dir_all(&unfinished);
            return Err(error);
        }
    };
    fs::rename(&unfinished, dir).map_err(failed("name", dir))?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    files::sync_directory(parent.unwrap_or(Path::new(".")))?;
    Ok(Restored { snapshot, report })
}

fn beside(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    dir.with_file_name(name)
}

struct Restoring<'a> {
    repository: &'a Path,
    snapshot: &'a Snapshot,
    dir: &'a Path,
    objects: Option<&'a Objects>,
}

impl Restoring<'_> {
    fn run(&self, progress: &mut dyn FnMut(Progress)) -> Result<Report, BackupError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(self.dir);
        made.map_err(failed("make", self.dir))?;
        for part in ["segments", "journal"] {
            files::directory(&self.dir.join(part))?;
        }
        self.own_files()?;
        let limits = CacheLimits { segments_max: 4, ..CacheLimits::default() };
        let segments =
            Segments::configured(self.dir, self.objects, limits).map_err(BackupError::Segment)?;
        let (catalog, _) =
            Catalog::inspect(&self.dir.join("catalog.sqlite")).map_err(BackupError::Catalog)?;
        let loaded = catalog.load().map_err(BackupError::Catalog)?;
        self.segments(&segments, &loaded)?;
        files::write(&self.dir.join("lock"), b"")?;
        files::sync_directory(&self.dir.join("segments"))?;
        files::sync_directory(self.dir)?;
        let report =
            check::check_with(self.dir, &segments, progress).map_err(BackupError::Check)?;
        if !report.is_clean() {
            return Err(BackupError::Damaged(Box::new(report)));
        }
        let summary = journal::summary(&loaded, &self.dir.join("journal"))?;
        let snapshot = self.snapshot;
        if (hex(&summary.roots), summary.logs, summary.events)
            != (snapshot.roots.clone(), snapshot.logs, snapshot.events)
        {
            return Err(BackupError::Roots);
        }
        Ok(report)
    }

    /// Catalog, journal and keys, each against its hash.
    fn own_files(&self) -> Result<(), BackupError> {
        let from = self.repository.join("snapshots").join(&self.snapshot.name);
        for (path, hash) in &self.snapshot.files {
            let bytes = files::read(&from.join(path))?;
            if hex(&sha256(&bytes)) != *hash {
                return Err(BackupError::Differs { path: from.join(path) });
            }
            let to = self.dir.join(path.strip_prefix("files/").unwrap_or(path));
            let parent = to.parent().unwrap_or(self.dir);
            files::directory(parent)?;
            files::write(&to, &bytes)?;
            files::sync_directory(parent)?;
        }
        Ok(())
    }

    /// Segments are held against the catalog by the check. Those that an object store still has are the same.
    fn segments(&self, segments: &Segments, loaded: &Loaded) -> Result<(), BackupError> {
        for meta in &loaded.manifest.segments {
            let (from, to) = (self.repository.join(&meta.path), self.dir.join(&meta.path));
            if self.objects.is_some() {
                let bytes = files::read(&from)?;
                if sha256(&bytes) != meta.sha256 {
                    return Err(BackupError::Differs { path: from });
                }
                segments.put_whole(meta, bytes.into()).map_err(BackupError::Segment)?;
                continue;
            }
            fs::copy(&from, &to).map_err(failed("copy", &from))?;
            files::sync(&to)?;
        }
        Ok(())
    }
}

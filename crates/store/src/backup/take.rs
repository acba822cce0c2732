//! Taking a backup of a directory that may be in use.

use attestary_event::event::hex;
use std::{collections::HashSet, fs, path::Path, path::PathBuf};

use super::{
    BackupError, FORMAT_VERSION, Snapshot, failed, files, journal, moment, snapshot::snapshots,
};
use crate::{
    catalog::{Catalog, CatalogError, Loaded},
    segment::{SegmentError, Segments, sha256},
};

/// A rewrite of segments or a recycled journal file starts the copy over.
const TRIES: u32 = 8;

/// Files that belong to a data directory and hold no events: keys.
fn is_kept(name: &str) -> bool {
    name.ends_with(".key") || name == "master.check"
}

/// How a backup is taken.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory.
    pub dir: PathBuf,
    /// The repository, which is made when it is missing.
    pub repository: PathBuf,
    /// Finished snapshots that stay, the new one included; older ones go, with the segments that only they need.
    pub keep: Option<usize>,
    /// The time, in milliseconds since the epoch.
    pub now_ms: u64,
}

/// Takes a backup of `options.dir`, whose segments are in `segments`, and returns the snapshot. `progress` is told
/// segments copied and segments to copy. Blocks.
pub fn take(
    options: &Options,
    segments: &Segments,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Snapshot, BackupError> {
    let catalog = options.dir.join("catalog.sqlite");
    if !catalog.is_file() {
        let text = format!("{} is not a data directory: it has no catalog", options.dir.display());
        return Err(BackupError::NotThere(text));
    }
    let name = name(options.now_ms);
    let directory = options.repository.join("snapshots").join(&name);
    files::directory(&options.repository.join("segments"))?;
    for _ in 0..TRIES {
        clear(&directory)?;
        files::directory(&directory)?;
        let taking = Taking { options, segments, directory: &directory };
        if let Some(snapshot) = taking.run(&name, progress)? {
            if let Some(keep) = options.keep {
                prune(&options.repository, keep.max(1))?;
            }
            return Ok(snapshot);
        }
    }
    clear(&directory)?;
    Err(BackupError::Restless { tries: TRIES })
}

/// A time as a name that sorts: milliseconds with leading zeros.
fn name(now_ms: u64) -> String {
    format!("{now_ms:015}")
}

fn clear(directory: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("remove", directory)(error))
        }
        _ => Ok(()),
    }
}

struct Taking<'a> {
    options: &'a Options,
    segments: &'a Segments,
    directory: &'a Path,
}

impl Taking<'_> {
    /// `None` means: something was replaced meanwhile, and the whole must be copied again.
    fn run(
        &self,
        name: &str,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Option<Snapshot>, BackupError> {
        let loaded = self.catalog()?;
        let mut own = vec!["catalog.sqlite".to_owned()];
        // The journal first: it is what changes. Segments are copied at leisure, and erased ones are noticed.
        if !self.journals(&loaded, &mut own)? || !self.segments(&loaded, progress)? {
            return Ok(None);
        }
        self.keys(&mut own)?;
        let summary = journal::summary(&loaded, &self.directory.join("journal"))?;
        // Bytes that were caught half written look like damage: the next copy finds them whole.
        if summary.damaged {
            return Ok(None);
        }
        let files = own.into_iter().map(|path| {
            let bytes = files::read(&self.directory.join(&path))?;
            Ok((path, hex(&sha256(&bytes))))
        });
        let snapshot = Snapshot {
            format_version: FORMAT_VERSION,
            name: name.to_owned(),
            created_ms: self.options.now_ms,
            logs: summary.logs,
            events: summary.events,
            roots: hex(&summary.roots),
            segments: loaded.manifest.segments.iter().map(|meta| meta.path.clone()).collect(),
            files: files.collect::<Result<_, BackupError>>()?,
        };
        snapshot.publish(self.directory)?;
        files::sync_directory(&self.options.repository.join("snapshots"))?;
        Ok(Some(snapshot))
    }

    fn catalog(&self) -> Result<Loaded, BackupError> {
        let copy = self.directory.join("catalog.sqlite");
        Catalog::copy_file(&self.options.dir.join("catalog.sqlite"), &copy)
            .map_err(BackupError::Catalog)?;
        files::sync(&copy)?;
        files::sync_directory(self.directory)?;
        let (catalog, faults) = Catalog::inspect(&copy).map_err(BackupError::Catalog)?;
        // A backup of a damaged catalog would push the sound ones out.
        if let Some(fault) = faults.into_lines().next() {
            return Err(BackupError::Catalog(CatalogError::Corrupt { what: fault }));
        }
        catalog.load().map_err(BackupError::Catalog)
    }

    fn journals(&self, loaded: &Loaded, own: &mut Vec<String>) -> Result<bool, BackupError> {
        let found = journal::partitions(loaded, &self.options.dir.join("journal"))?;
        // A journal that is gone went with a change of their number, after the catalog was copied.
        let sealed = |partition| loaded.position(partition).generation > 0;
        if (0..loaded.partitions).any(|number| {
            sealed(number) && !found.iter().any(|(partition, _)| *partition == number)
        }) {
            return Ok(false);
        }
        let journals = found.iter().map(|(partition, path)| {
            let from = loaded.position(*partition);
            (path.clone(), from)
        });
        let Some(all) = moment::copy_all(journals.collect())? else { return Ok(false) };
        for ((partition, _), copied) in found.into_iter().zip(all) {
            let part = format!("journal/{partition:04}");
            files::directory(&self.directory.join(&part))?;
            for (name, bytes) in copied.files {
                let path = format!("{part}/{name}");
                files::write(&self.directory.join(&path), &bytes)?;
                own.push(path);
            }
            files::sync_directory(&self.directory.join(&part))?;
        }
        Ok(true)
    }

    fn segments(
        &self,
        loaded: &Loaded,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<bool, BackupError> {
        let missing: Vec<_> = loaded
            .manifest
            .segments
            .iter()
            .filter(|meta| {
                let there = fs::metadata(self.options.repository.join(&meta.path));
                there.map_or(true, |there| there.len() != meta.bytes)
            })
            .collect();
        for (done, meta) in missing.iter().enumerate() {
            progress(done as u64, missing.len() as u64);
            match self.segments.read(meta) {
                Ok(bytes) => files::publish(&self.options.repository.join(&meta.path), &bytes)?,
                Err(SegmentError::Missing { .. }) => return Ok(false),
                Err(error) => return Err(BackupError::Segment(error)),
            }
        }
        progress(missing.len() as u64, missing.len() as u64);
        Ok(true)
    }

    fn keys(&self, own: &mut Vec<String>) -> Result<(), BackupError> {
        let names = files::names(&self.options.dir)?;
        for name in names.into_iter().filter(|name| is_kept(name)) {
            files::directory(&self.directory.join("files"))?;
            let path = format!("files/{name}");
            files::write(
                &self.directory.join(&path),
                &files::read(&self.options.dir.join(&name))?,
            )?;
            own.push(path);
        }
        Ok(())
    }
}

/// Removes the oldest snapshots beyond `keep`, unfinished ones that are older than the newest, and segments that no
/// snapshot needs.
fn prune(repository: &Path, keep: usize) -> Result<(), BackupError> {
    let all = snapshots(repository)?;
    let kept = &all[all.len().saturating_sub(keep)..];
    let names: HashSet<&str> = kept.iter().map(|snapshot| snapshot.name.as_str()).collect();
    let newest = kept.last().map_or("", |snapshot| snapshot.name.as_str());
    let root = repository.join("snapshots");
    for entry in fs::read_dir(&root).map_err(failed("list", &root))? {
        let path = entry.map_err(failed("list", &root))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !names.contains(&*name) && *name < *newest {
            clear(&path)?;
        }
    }
    let needed: HashSet<&str> =
        kept.iter().flat_map(|snapshot| &snapshot.segments).map(String::as_str).collect();
    let root = repository.join("segments");
    for name in files::names(&root)? {
        if !needed.contains(format!("segments/{name}").as_str()) {
            let path = root.join(&name);
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

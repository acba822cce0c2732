//! `attestary backup` and `attestary restore`: snapshots of a data directory, and a data directory from a snapshot.

use std::path::PathBuf;

use anyhow::Context as _;
use attestary_store::{
    Clock as _, SystemClock,
    backup::{self, BackupError, Options, Snapshot},
    segment::{CacheLimits, Segments},
};
use clap::Args;

use crate::{
    exit::{Exit, Failure},
    output, progress,
    settings::Settings,
    table, variables,
};

/// Options of `backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Repository of backups; made when it is missing
    #[arg(value_name = "REPOSITORY")]
    repository: PathBuf,
    #[command(flatten)]
    place: super::DataPlace,
    /// Keep this many snapshots, the new one included, and remove older ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    keep: Option<u16>,
    /// List the snapshots instead of taking one
    #[arg(long, conflicts_with = "keep")]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Repository of backups
    #[arg(value_name = "REPOSITORY")]
    repository: PathBuf,
    /// The new data directory; it must not exist
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Configuration file (TOML) that says where segments go; without one, defaults and ATTESTARY__… variables
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Name of the snapshot; without it, the newest
    #[arg(long, value_name = "NAME")]
    snapshot: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Takes a backup, or lists those that there are.
pub(crate) async fn run(backup: Backup) -> anyhow::Result<()> {
    if backup.list {
        let all = backup::snapshots(&backup.repository).map_err(refused)?;
        return list(&all, backup.json);
    }
    let settings = backup.place.settings()?;
    let (dir, objects) = (settings.dir, settings.objects);
    let keep = backup.keep.map(usize::from);
    let options = Options {
        dir,
        repository: backup.repository,
        keep,
        now_ms: SystemClock::default().now_ms(),
    };
    let taken = tokio::task::spawn_blocking(move || {
        let segments = Segments::configured(&options.dir, objects.as_ref(), CacheLimits::default())
            .map_err(BackupError::Segment)?;
        let bar = progress::bar("copying segments", 0);
        let taken = backup::take(&options, &segments, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        taken
    });
    let snapshot = taken.await.context("the backup failed")?.map_err(refused)?;
    show(&snapshot, "backed up as", backup.json)
}

/// Restores a snapshot.
pub(crate) async fn restore(restore: Restore) -> anyhow::Result<()> {
    let objects = Settings::read(restore.config.as_deref(), variables())?.service.store.objects;
    let restored = tokio::task::spawn_blocking(move || {
        let bar = progress::bar("checking", 0);
        let restored = backup::restore(
            &restore.repository,
            restore.snapshot.as_deref(),
            &restore.dir,
            objects.as_ref(),
            &mut |at| {
                bar.set_length(at.bytes_total);
                bar.set_position(at.bytes);
            },
        );
        bar.finish_and_clear();
        (restored, restore.json)
    });
    let (restored, json) = restored.await.context("the restore failed")?;
    show(&restored.map_err(refused)?.snapshot, "restored", json)
}

fn show(snapshot: &Snapshot, done: &str, json: bool) -> anyhow::Result<()> {
    if json {
        output::line(serde_json::to_string(snapshot)?);
    } else {
        output::line(format!(
            "{done} {}: {} logs, {} events, {} segments, roots {}",
            snapshot.name,
            snapshot.logs,
            snapshot.events,
            snapshot.segments.len(),
            snapshot.roots
        ));
    }
    Ok(())
}

fn list(all: &[Snapshot], json: bool) -> anyhow::Result<()> {
    if json {
        for snapshot in all {
            output::line(serde_json::to_string(snapshot)?);
        }
        return Ok(());
    }
    let rows: Vec<_> = all
        .iter()
        .map(|snapshot| {
            let taken = jiff::Timestamp::from_millisecond(snapshot.created_ms.cast_signed());
            [
                snapshot.name.clone(),
                taken.map_or_else(|_| String::new(), |taken| taken.to_string()),
                snapshot.logs.to_string(),
                snapshot.events.to_string(),
                snapshot.roots[..16.min(snapshot.roots.len())].to_owned(),
            ]
        })
        .collect();
    output::line(table::render(["SNAPSHOT", "TAKEN", "LOGS", "EVENTS", "ROOTS"], &rows));
    Ok(())
}

fn refused(error: BackupError) -> anyhow::Error {
    match error {
        BackupError::NotThere(_) | BackupError::Exists { .. } => {
            Failure::new(Exit::Usage, error.to_string()).into()
        }
        BackupError::Damaged(report) => {
            for finding in &report.findings {
                output::talk(table::escaped(&finding.to_string()));
            }
            Failure::new(Exit::Damaged, BackupError::Damaged(report).to_string())
                .hint("restore another snapshot: attestary backup --list REPOSITORY")
                .into()
        }
        BackupError::Differs { .. } | BackupError::Roots => {
            Failure::new(Exit::Damaged, error.to_string()).into()
        }
        error => error.into(),
    }
}

//! `attestary fsck`: reads all of a stopped data directory and names every damage. Repairs nothing.

use anyhow::Context as _;
use attestary_store::check::{self, CheckError, Progress, Report};
use clap::Args;
use indicatif::ProgressBar;

use crate::{
    exit::{Exit, Failure},
    output, progress, table,
};

/// Options of `fsck`.
#[derive(Debug, Args)]
pub(crate) struct Fsck {
    #[command(flatten)]
    place: super::DataPlace,
    /// Print the findings as one JSON object
    #[arg(long)]
    json: bool,
}

/// Checks the directory; ends with exit code 6 when something is damaged.
pub(crate) async fn run(fsck: Fsck) -> anyhow::Result<()> {
    let place = fsck.place.settings()?;
    let checked = tokio::task::spawn_blocking(move || {
        let bar = progress::bar("checking", 0);
        let mut lines = progress::Lines::new();
        let checked =
            check::check(&place.dir, place.objects.as_ref(), &mut |at| show(&bar, &mut lines, at));
        bar.finish_and_clear();
        checked
    });
    let report = checked.await.context("the check failed")?.map_err(refused)?;
    if fsck.json {
        output::line(serde_json::to_string(&report)?);
    } else {
        report
            .findings
            .iter()
            .for_each(|finding| output::line(table::escaped(&finding.to_string())));
    }
    conclude(&report)
}

fn show(bar: &ProgressBar, lines: &mut progress::Lines, at: Progress) {
    bar.set_length(at.bytes_total);
    bar.set_position(at.bytes);
    lines.tick(|| format!("{} of {} bytes checked", at.bytes, at.bytes_total));
}

/// Mistakes of the caller are told apart from damage and from failing disks.
pub(crate) fn refused(error: CheckError) -> anyhow::Error {
    match error {
        CheckError::NotThere { .. } => Failure::new(Exit::Usage, error.to_string())
            .hint("name the data directory, or the configuration file with --config")
            .into(),
        CheckError::Locked { .. } => Failure::new(Exit::Usage, error.to_string())
            .hint("a running server checks itself in the background: see /metrics")
            .into(),
        error => error.into(),
    }
}

/// Says the outcome on standard error.
pub(crate) fn conclude(report: &Report) -> anyhow::Result<()> {
    let read = format!(
        "{} segments, {} sealed and {} unsealed events, {} logs",
        report.segments, report.sealed_events, report.unsealed_events, report.logs
    );
    if report.is_clean() {
        output::talk(format!("checked {read}: nothing is damaged"));
        return Ok(());
    }
    let count = report.damages();
    let damages = if count == 1 { "1 damage" } else { &format!("{count} damages") };
    Err(Failure::new(Exit::Damaged, format!("checked {read}: {damages}"))
        .hint("keep the directory as it is and restore a backup elsewhere; what is not named is intact")
        .into())
}

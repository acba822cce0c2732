//! The work of an export: read the log from a cursor, write, sync, save the cursor; at the end make the file visible.
//!
//! A restart cuts the unfinished file to what the catalog knows and goes on from there, so a killed export has the same
//! bytes as an undisturbed one. Two run at once; the others wait.

use std::sync::Arc;

use attestary_event::{Event, Timestamp, actions::KnownActions};
use attestary_store::{
    Disclosed, Order, ProveError, ReadError as StoreError, Search as Query,
    catalog::{CatalogError, ExportFile, ExportProgress, ExportRow, ExportState},
    exports::{ExportPart, TableError},
};
use tokio_util::sync::CancellationToken;

use super::{ExportForm, Request, evidence, parquet};
use crate::{Service, error::cause, search::parse_filter};

/// Events read at once.
const PAGE_EVENTS: usize = 1_000;
/// Bytes of bodies after which a page ends.
const PAGE_BYTES: usize = 2 << 20;
/// Events looked at for one page.
const PAGE_SCAN: usize = 200_000;
/// Bytes between two syncs: what a kill costs to write again.
const SYNC_BYTES: u64 = 4 << 20;
/// Events looked at between two saved cursors, however few are written.
const SYNC_SCAN: u64 = 1_000_000;

/// Why an export ended without a file; the text is shown to whoever asked for it.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the log was deleted")]
    LogDeleted,
    #[error(
        "exports take more room than they may ({limit} bytes): delete some, or wait until they expire"
    )]
    Room { limit: u64 },
    #[error("the request of this export cannot be read")]
    Request,
    #[error("the file cannot be written")]
    File(#[from] std::io::Error),
    #[error("the table cannot be written")]
    Table(#[from] TableError),
    #[error("the log cannot be read")]
    Read(#[source] StoreError),
    #[error("the log cannot be proved")]
    Prove(#[source] ProveError),
    #[error(transparent)]
    Evidence(#[from] evidence::Unmade),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogError),
    #[error("the work was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// How a run ended.
enum Ended {
    Complete,
    /// The service stops, or the export was deleted.
    Stopped,
}

impl Service {
    /// Queues an export as a task of its own, which ends when the export is deleted or the service closes.
    pub(super) fn queue_export(&self, row: ExportRow) {
        let cancelled = self.exports_running().enter(&row.id);
        let service = self.clone();
        self.spawn(|stopping| async move {
            let stop = async {
                tokio::select! {
                    () = stopping.cancelled() => {}
                    () = cancelled.cancelled() => {}
                }
            };
            tokio::select! {
                () = stop => {}
                permit = service.exports_running().turn() => {
                    let both = Both(stopping.clone(), cancelled.clone());
                    service.run_export(row.clone(), &both).await;
                    drop(permit);
                }
            }
            service.exports_running().leave(&row.id);
        });
    }

    async fn run_export(&self, row: ExportRow, stop: &Both) {
        let id = row.id.clone();
        match self.write_export(row, stop).await {
            Ok(Ended::Complete) => {
                metrics::counter!("attestary_exports_completed_total").increment(1);
            }
            Ok(Ended::Stopped) => {}
            Err(failed) => {
                tracing::warn!(export.id = %id, error = &failed as &dyn std::error::Error, "an export failed");
                metrics::counter!("attestary_exports_failed_total").increment(1);
                let (reason, files) = (failed.to_string(), self.export_files().clone());
                let ended = self.catalog(move |catalog| {
                    // The row says first that there is no file; what is left of it is swept at the next start.
                    let set = catalog.set_export_state(&id, ExportState::Failed, Some(&reason));
                    set.map(|()| files.remove(&id))
                });
                if let Err(error) = ended.await {
                    tracing::error!(error = &*cause(error), "a failed export could not be noted");
                }
            }
        }
    }

    async fn write_export(&self, row: ExportRow, stop: &Both) -> Result<Ended, Failed> {
        let request: Request = serde_json::from_str(&row.request).map_err(|_| Failed::Request)?;
        let job = Arc::new(Job::new(&row, &request)?);
        let (mut part, mut progress) = self.begin_export(&row, &job).await?;
        let mut synced = progress;
        while progress.after.is_none_or(|after| after + 1 < row.size) {
            if stop.is_cancelled() {
                return Ok(Ended::Stopped);
            }
            self.check_export_log(&row)?;
            if job.is_whole() {
                // Every seq has a line, also where the payload is gone and no search finds it.
                let first = progress.after.map_or(0, |after| after + 1);
                let end = (first + PAGE_EVENTS as u64).min(row.size);
                let read = self.store().disclosed(&row.environment, &row.tenant, first..end).await;
                progress.after = Some(end - 1);
                let lines = read.map_err(Failed::Prove)?;
                (part, progress) = append_evidence(part, lines, progress).await?;
                (part, progress, synced) =
                    self.sync_export(&row.id, part, progress, synced).await?;
                continue;
            }
            let page =
                self.store().query(&row.environment, &row.tenant, job.query(&progress)).await;
            let page = page.map_err(Failed::Read)?;
            // A search that comes no further has seen everything that its filter admits.
            let ended = page.events.is_empty() && page.next <= progress.after;
            progress.after = page.next.filter(|_| !ended).or(Some(row.size - 1));
            if job.request.form() == ExportForm::Evidence {
                let seqs = page.events.iter().map(|event| event.seq);
                let seqs: Vec<_> = seqs.take_while(|seq| *seq < row.size).collect();
                let read = self.store().disclosed_at(&row.environment, &row.tenant, seqs).await;
                let lines = read.map_err(Failed::Prove)?;
                (part, progress) = append_evidence(part, lines, progress).await?;
            } else {
                (part, progress) = job.clone().append(part, page.events, progress).await?;
            }
            (part, progress, synced) = self.sync_export(&row.id, part, progress, synced).await?;
        }
        self.finish_export(&row, job, part, progress, stop).await
    }

    /// Opens the unfinished file where the catalog says, or begins again when it is not there.
    async fn begin_export(
        &self,
        row: &ExportRow,
        job: &Arc<Job>,
    ) -> Result<(ExportPart, ExportProgress), Failed> {
        let (files, id, job) = (self.export_files().clone(), row.id.clone(), job.clone());
        let known = row.progress;
        self.catalog(move |catalog| {
            catalog.set_export_state(&id, ExportState::Running, None)?;
            if known.part_bytes > 0
                && let Some(part) = files.resume(&id, known.part_bytes)?
            {
                return Ok((part, known));
            }
            files.remove(&id)?;
            let part = files.resume(&id, 0)?;
            let mut part =
                part.ok_or_else(|| std::io::Error::other("an empty file is too short"))?;
            let mut head = Vec::new();
            job.request.form().begin(job.request.prefix.as_deref(), &mut head);
            part.append(&head)?;
            Ok((part, ExportProgress::default()))
        })
        .await
    }

    /// Saves the cursor when enough was written or looked at since it was saved last.
    async fn sync_export(
        &self,
        id: &str,
        part: ExportPart,
        progress: ExportProgress,
        synced: ExportProgress,
    ) -> Result<(ExportPart, ExportProgress, ExportProgress), Failed> {
        let scanned = progress.after.unwrap_or(0).saturating_sub(synced.after.unwrap_or(0));
        if part.bytes() - synced.part_bytes < SYNC_BYTES && scanned < SYNC_SCAN {
            return Ok((part, progress, synced));
        }
        let (part, progress) = self.save_export(id, part, progress).await?;
        Ok((part, progress, progress))
    }

    async fn save_export(
        &self,
        id: &str,
        mut part: ExportPart,
        mut progress: ExportProgress,
    ) -> Result<(ExportPart, ExportProgress), Failed> {
        let (id, files, limit) =
            (id.to_owned(), self.export_files().clone(), self.settings().exports.bytes_max);
        self.catalog(move |catalog| {
            part.sync()?;
            progress.part_bytes = part.bytes();
            catalog.save_export_progress(&id, &progress)?;
            if files.bytes()? > limit {
                return Err(Failed::Room { limit });
            }
            Ok((part, progress))
        })
        .await
    }

    async fn finish_export(
        &self,
        row: &ExportRow,
        job: Arc<Job>,
        part: ExportPart,
        progress: ExportProgress,
        stop: &Both,
    ) -> Result<Ended, Failed> {
        self.check_export_log(row)?;
        let (mut part, progress) = self.save_export(&row.id, part, progress).await?;
        let (id, files) = (row.id.clone(), self.export_files().clone());
        let (kept_ms, now_ms) =
            (self.settings().exports.kept.as_millis() as u64, self.clock().now_ms());
        let (service, row, stop) = (self.clone(), row.clone(), stop.clone());
        self.catalog(move |catalog| {
            let form = job.request.form();
            if form == ExportForm::Evidence {
                let custody = catalog.custody(&id)?;
                let (request, row) = (&job.request, &row);
                files.convert(&id, |lines, out| {
                    evidence::write(&service, row, request, &custody, lines, out)
                })?;
            } else if form.is_converted() {
                let prefix = job.request.prefix.as_deref();
                files.convert(&id, |lines, out| parquet::convert(lines, prefix, out))?;
            } else {
                let mut tail = Vec::new();
                form.end(&mut tail);
                part.append(&tail)?;
                files.finish(&id, part)?;
            }
            let (bytes, sha256) = files.digest(&id)?;
            if stop.is_cancelled() {
                // Deleted meanwhile: whoever deleted it waits for us and then removes the file.
                return Ok(Ended::Stopped);
            }
            let expires_ms = now_ms.saturating_add(kept_ms);
            let file = ExportFile { finished_ms: now_ms, expires_ms, bytes, sha256 };
            catalog.finish_export(&id, &progress, &file)?;
            files.remove_part(&id)?;
            Ok(Ended::Complete)
        })
        .await
    }

    /// A tenant that was deleted may be back, with another log.
    fn check_export_log(&self, row: &ExportRow) -> Result<(), Failed> {
        match self.store().log(&row.environment, &row.tenant) {
            Some(log) if log.log_id == row.log_id => Ok(()),
            _ => Err(Failed::LogDeleted),
        }
    }
}

/// Cancelled when either of two tokens is.
#[derive(Clone)]
struct Both(CancellationToken, CancellationToken);

impl Both {
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled() || self.1.is_cancelled()
    }
}

/// What a run needs of the request, made ready.
struct Job {
    request: Request,
    query: Query,
    size: u64,
}

impl Job {
    fn new(row: &ExportRow, request: &Request) -> Result<Self, Failed> {
        let is_selection = request.form() == ExportForm::Evidence && !evidence::is_whole(request);
        let text = if is_selection { evidence::filter(request) } else { request.filter.clone() };
        let filter = parse_filter(&text).map_err(|_| Failed::Request)?;
        // A selection of evidence holds its times in the filter.
        let time = |ms: Option<i64>| ms.filter(|_| !is_selection).map(Timestamp);
        let query = Query {
            // Relative times mean the moment of the request, also after a restart.
            filter: filter.resolve(Timestamp(row.created_ms as i64)),
            from: time(request.from_ms),
            to: time(request.to_ms),
            order: Order::Ascending,
            limit: PAGE_EVENTS,
            bytes_max: PAGE_BYTES,
            after: None,
            scan_budget: PAGE_SCAN,
        };
        Ok(Self { request: request.clone(), query, size: row.size })
    }

    /// Returns true for evidence of the whole log.
    fn is_whole(&self) -> bool {
        self.request.form() == ExportForm::Evidence && evidence::is_whole(&self.request)
    }

    fn query(&self, progress: &ExportProgress) -> Query {
        Query { after: progress.after, ..self.query.clone() }
    }

    /// Encodes the events of a page and appends them, on a thread of its own.
    async fn append(
        self: Arc<Self>,
        mut part: ExportPart,
        events: Vec<Event>,
        mut progress: ExportProgress,
    ) -> Result<(ExportPart, ExportProgress), Failed> {
        let appended = tokio::task::spawn_blocking(move || {
            let (form, prefix) = (self.request.form(), self.request.prefix.as_deref());
            let mut out = Vec::with_capacity(PAGE_BYTES);
            for event in events.iter().take_while(|event| event.seq < self.size) {
                progress.events += 1;
                progress.seq_first = progress.seq_first.or(Some(event.seq));
                progress.seq_last = Some(event.seq);
                form.event(event, progress.events, prefix, KnownActions::builtin(), &mut out);
            }
            part.append(&out)?;
            Ok::<_, Failed>((part, progress))
        });
        appended.await?
    }
}

/// Writes events as their leaves commit to them, on a thread of its own.
async fn append_evidence(
    mut part: ExportPart,
    events: Vec<Disclosed>,
    mut progress: ExportProgress,
) -> Result<(ExportPart, ExportProgress), Failed> {
    let appended = tokio::task::spawn_blocking(move || {
        let mut out = Vec::with_capacity(PAGE_BYTES);
        for event in &events {
            progress.events += 1;
            progress.seq_first = progress.seq_first.or(Some(event.entry.seq));
            progress.seq_last = Some(event.entry.seq);
            evidence::line(event, &mut out);
        }
        part.append(&out)?;
        Ok::<_, Failed>((part, progress))
    });
    appended.await?
}

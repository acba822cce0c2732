//! Exports: a tenant's events as one file, made in the background, fetched by a link that lasts ten minutes.
//!
//! An export covers the log up to its size at the moment of the request (or a smaller one that the request names), so the
//! same request on the same log gives the same bytes, whenever and however often it runs. Asking, fetching and deleting
//! are `attestary.export` events in the environment's audit log, recorded before they take effect; the export's own custody
//! log says the same to whoever holds its manifest.

mod evidence;
mod form;
mod link;
mod manifest;
mod parquet;
mod report;
mod run;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use attestary_event::{EnvironmentId, TenantId, Timestamp, Violation};
use attestary_store::{
    catalog::{Catalog, CustodyRow, ExportRow, ExportState},
    exports::FinishedExport,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    AccessError, Caller, ChangeError, OpenError, Origin, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
    ids::mint,
    keys::change_error,
    search::parse_filter,
};

pub use form::{ExportForm, cef_record};
use link::Link;

/// Longest prefix of record numbers in bytes.
const PREFIX_BYTES_MAX: usize = 32;
/// Longest name in bytes.
const NAME_BYTES_MAX: usize = 200;
/// How long a link lasts.
const LINK_TIME: Duration = Duration::from_mins(10);
/// How often expired exports are looked for.
const EXPIRY_EVERY: Duration = Duration::from_mins(1);

/// Limits on exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSettings {
    /// Exports that are made at the same time; the others wait.
    pub running_max: usize,
    /// Exports of one tenant that wait or run.
    pub unfinished_max: usize,
    /// Exports of one tenant that are listed, finished ones included.
    pub kept_max: usize,
    /// Bytes of all exports together.
    pub bytes_max: u64,
    /// How long a finished export is kept.
    pub kept: Duration,
}

impl Default for ExportSettings {
    fn default() -> Self {
        Self {
            running_max: 2,
            unfinished_max: 5,
            kept_max: 100,
            bytes_max: 10 << 30,
            kept: Duration::from_hours(7 * 24),
        }
    }
}

/// What an export is made from.
#[derive(Debug, Clone, Default)]
pub struct NewExport {
    /// Name of an [`ExportForm`].
    pub format: String,
    /// Text in the filter language; empty selects everything.
    pub filter: String,
    /// Only events that happened at or after this time.
    pub from: Option<Timestamp>,
    /// Only events that happened before this time.
    pub to: Option<Timestamp>,
    /// Before the number of each record: `CASE7` gives `CASE7_000001`.
    pub prefix: Option<String>,
    /// Events of the log that are covered; all there are when it is left out.
    pub size: Option<u64>,
    /// Asking again with the same one gives the same export, as long as it is listed.
    pub repeat_key: Option<String>,
    /// For people: at most 200 bytes.
    pub name: Option<String>,
}

/// A request as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Request {
    format: String,
    filter: String,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    prefix: Option<String>,
    /// Of evidence: the log's signed checkpoint at the moment of the request.
    #[serde(default)]
    checkpoint: Option<String>,
    /// Of evidence: where an older head stood in an anchored epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot_proof: Option<String>,
    /// Of evidence: how the log grew from that head to the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// Of evidence: the files of a time-stamp, by their names in the bundle; the reply in Base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stamp: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repeat_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Request {
    fn form(&self) -> ExportForm {
        // Only names of forms are stored.
        ExportForm::parse(&self.format).unwrap_or(ExportForm::Ndjson)
    }
}

/// An export as callers see it.
#[derive(Debug, Clone)]
pub struct Export {
    /// What the catalog knows.
    pub row: ExportRow,
    /// The form of its file.
    pub form: ExportForm,
    /// Text in the filter language.
    pub filter: String,
    /// Earliest `occurred_at`.
    pub from: Option<Timestamp>,
    /// Latest `occurred_at`, excluded.
    pub to: Option<Timestamp>,
    /// Before the number of each record.
    pub prefix: Option<String>,
    /// For people.
    pub name: Option<String>,
}

/// A link to a finished export.
#[derive(Debug, Clone)]
pub struct ExportLink {
    /// Path under the server's base URL.
    pub path: String,
    /// When it ends, in milliseconds since the epoch.
    pub expires_ms: u64,
}

/// A file being fetched.
#[derive(Debug, Clone)]
pub struct Download {
    /// Its bytes.
    pub file: FinishedExport,
    /// A name to save it under.
    pub name: String,
    /// Media type.
    pub content_type: &'static str,
    /// Digest of the whole file.
    pub sha256: [u8; 32],
}

/// Exports that wait or run.
#[derive(Debug)]
pub(crate) struct Running {
    turns: Arc<Semaphore>,
    tokens: Mutex<HashMap<String, CancellationToken>>,
    /// Requests are counted and entered one after the other, so that limits hold.
    entry: tokio::sync::Mutex<()>,
}

impl Running {
    pub(crate) fn new(settings: &ExportSettings) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(settings.running_max.max(1))),
            tokens: Mutex::default(),
            entry: tokio::sync::Mutex::default(),
        }
    }

    fn enter(&self, id: &str) -> CancellationToken {
        let token = CancellationToken::new();
        self.tokens.lock().insert(id.to_owned(), token.clone());
        token
    }

    fn leave(&self, id: &str) {
        self.tokens.lock().remove(id);
    }

    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// Stops an export and waits until its task is gone.
    async fn stop(&self, id: &str) {
        let token = self.tokens.lock().get(id).cloned();
        let Some(token) = token else { return };
        token.cancel();
        while self.tokens.lock().contains_key(id) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Service {
    /// Queues an export.
    pub async fn create_export(
        &self,
        caller: &Caller,
        tenant: &str,
        new: NewExport,
    ) -> Result<Export, ChangeError> {
        let tenant = self.exportable(caller, tenant, "export.create")?;
        let environment = caller.environment()?.clone();
        let log = self.store().log(&environment, &tenant).ok_or(AccessError::NotFound)?;
        let form = check(&new, log.size)?;
        parse_filter(&new.filter).map_err(ChangeError::Filter)?;
        let now_ms = self.clock().now_ms();
        let mut request = Request {
            format: form.name().to_owned(),
            filter: new.filter,
            from_ms: new.from.map(|time| time.0),
            to_ms: new.to.map(|time| time.0),
            prefix: new.prefix,
            checkpoint: None,
            slot_proof: None,
            head: None,
            stamp: Vec::new(),
            repeat_key: new.repeat_key,
            name: new.name,
        };
        let mut size = new.size.unwrap_or(log.size);
        if form == ExportForm::Evidence {
            // The anchored head first: the checkpoint is then never smaller.
            let anchored = self.anchored_for_evidence(&environment, &tenant).await;
            let anchored = anchored.map_err(as_change)?;
            let (head, note) = self.signed_head(&environment, &tenant).await.map_err(as_change)?;
            (size, request.checkpoint) = (head.size, Some(note.to_string()));
            if let Some(anchored) = anchored {
                let growth = self.growth(&environment, &tenant, &anchored, head.size).await;
                request.head = Some(growth.map_err(as_change)?.to_string());
                request.slot_proof = Some(anchored.proof.to_string());
            }
            let stamp = self.stamp_files(&environment, &tenant, &head).await.map_err(as_change)?;
            request.stamp = stamp;
        }
        let row = ExportRow {
            id: mint("exp_", now_ms, self.rng()),
            environment,
            tenant,
            log_id: log.log_id,
            request: serde_json::to_string(&request)
                .map_err(|error| ChangeError::Unavailable(cause(error)))?,
            requested_by: caller.principal.id().to_owned(),
            created_ms: now_ms,
            size,
            state: ExportState::Queued,
            reason: None,
            progress: Default::default(),
            file: None,
        };
        let _turn = self.exports_running().entry.lock().await;
        if let Some(found) = self.repeated(&row, request.repeat_key.as_deref()).await? {
            return Ok(found);
        }
        self.check_room(&row).await?;
        let act = act("export.create", &row)
            .with("format", form.name())
            .with("filter", request.filter.as_str())
            .with_some("from", new.from.map(|time| time.to_string()))
            .with_some("to", new.to.map(|time| time.to_string()))
            .with("size", row.size);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let entered = row.clone();
        self.catalog(move |catalog| catalog.create_export(&entered)).await.map_err(change_error)?;
        self.queue_export(row.clone());
        Ok(shown(row))
    }

    /// Returns a tenant's exports, newest first.
    pub async fn exports(&self, caller: &Caller, tenant: &str) -> Result<Vec<Export>, ReadError> {
        let tenant = self.exportable(caller, tenant, "export.list")?;
        let environment = caller.environment()?.clone();
        let rows = self.catalog(move |catalog| catalog.exports_of(&environment, &tenant)).await;
        let rows = rows.map_err(|error| ReadError::Unavailable(cause(error)))?;
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Returns one export.
    pub async fn export(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<Export, ReadError> {
        let tenant = self.exportable(caller, tenant, "export.get")?;
        Ok(shown(self.export_row(caller.environment()?, &tenant, id).await?))
    }

    /// Deletes an export and its file; one that waits or runs is stopped.
    pub async fn delete_export(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<(), ChangeError> {
        let tenant = self.exportable(caller, tenant, "export.delete")?;
        let row = self.export_row(caller.environment()?, &tenant, id).await.map_err(as_change)?;
        let act = act("export.delete", &row);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.remove_export(&row.id).await
    }

    /// Returns a link to a finished export.
    pub async fn link_export(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<ExportLink, ChangeError> {
        let tenant = self.exportable(caller, tenant, "export.link")?;
        let row = self.export_row(caller.environment()?, &tenant, id).await.map_err(as_change)?;
        if row.state != ExportState::Complete {
            let reason =
                format!("the export is {}; only a complete one can be fetched", row.state.as_str());
            return Err(ChangeError::Conflict { reason });
        }
        self.record(caller, act("export.link", &row)).await.map_err(ChangeError::Audit)?;
        self.add_custody(&row.id, caller.principal.id(), "linked").await.map_err(change_error)?;
        let expires_ms = self.clock().now_ms() + LINK_TIME.as_millis() as u64;
        let principal = caller.principal.id().to_owned();
        let link = Link { expires_ms, export: row.id, principal };
        Ok(ExportLink {
            path: format!("/v1/downloads/{}", link.encode(self.link_key())),
            expires_ms,
        })
    }

    /// Opens the file that a link leads to. The link is the credential; everything wrong with it is "not found".
    pub async fn download(&self, token: &str, origin: Origin) -> Result<Download, ReadError> {
        let link = Link::decode(token, self.link_key()).ok_or(AccessError::NotFound)?;
        let now_ms = self.clock().now_ms();
        if now_ms >= link.expires_ms {
            return Err(AccessError::NotFound.into());
        }
        let id = link.export.clone();
        let row = self.catalog(move |catalog| catalog.export_by_id(&id)).await;
        let row = row.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let row = row.filter(|row| row.state == ExportState::Complete);
        let row = row.ok_or(AccessError::NotFound)?;
        let Some(file) = row.file else { return Err(AccessError::NotFound.into()) };
        let caller = Caller { origin, ..Caller::installation(&row.environment) };
        let act = act("export.download", &row).with("linked_by", link.principal.as_str());
        self.record(&caller, act).await.map_err(ReadError::Audit)?;
        let unavailable = |error| ReadError::Unavailable(error);
        self.add_custody(&row.id, &link.principal, "downloaded")
            .await
            .map_err(|error| unavailable(cause(error)))?;
        let (files, id) = (self.export_files().clone(), row.id.clone());
        let opened = self.catalog(move |_| files.open_finished(&id)).await;
        let opened = opened.map_err(|error| unavailable(cause(error)))?;
        let form = shown(row.clone()).form;
        let name = format!("{}.{}", row.id, form.extension());
        Ok(Download { file: opened, name, content_type: form.content_type(), sha256: file.sha256 })
    }

    /// Removes every export of a tenant, with their files: their content is about to change or to go. Returns their ids.
    pub(crate) async fn delete_exports_of(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<Vec<String>, ChangeError> {
        let (environment, tenant) = (environment.clone(), tenant.clone());
        let rows = self.catalog(move |catalog| catalog.exports_of(&environment, &tenant)).await;
        let mut ids = Vec::new();
        for row in rows.map_err(change_error)? {
            self.remove_export(&row.id).await?;
            ids.push(row.id);
        }
        Ok(ids)
    }

    /// Takes up what a stop interrupted, and begins to look for expired exports.
    pub(crate) async fn start_exports(&self) -> Result<(), OpenError> {
        let files = self.export_files().clone();
        let rows = self.catalog(move |catalog| {
            let rows = catalog.exports()?;
            let known: HashSet<String> = rows
                .iter()
                .filter(|row| !matches!(row.state, ExportState::Failed | ExportState::Expired))
                .map(|row| row.id.clone())
                .collect();
            Ok::<_, attestary_store::catalog::CatalogError>((rows, files.sweep(&known)))
        });
        let (rows, swept) = rows.await.map_err(|error| OpenError::Catalog(cause(error)))?;
        swept.map_err(OpenError::Directory)?;
        for row in rows.into_iter().filter(|row| row.state.is_unfinished()) {
            self.queue_export(row);
        }
        let service = self.clone();
        self.spawn(|stopping| async move {
            while tokio::time::timeout(EXPIRY_EVERY, stopping.cancelled()).await.is_err() {
                if let Err(error) = service.expire_exports().await {
                    tracing::warn!(error = &*cause(error), "expired exports could not be removed");
                }
            }
        });
        Ok(())
    }

    /// Removes the files of exports whose time is over; the exports stay listed for as long again.
    pub(crate) async fn expire_exports(&self) -> Result<(), ChangeError> {
        let rows = self.catalog(Catalog::exports).await.map_err(change_error)?;
        let (now_ms, kept_ms) =
            (self.clock().now_ms(), self.settings().exports.kept.as_millis() as u64);
        for row in rows {
            let Some(file) = row.file else { continue };
            if row.state == ExportState::Complete && now_ms >= file.expires_ms {
                let (files, id) = (self.export_files().clone(), row.id.clone());
                let expired = self.catalog(move |catalog| {
                    catalog.set_export_state(&id, ExportState::Expired, None)?;
                    let custody = CustodyRow {
                        at_ms: now_ms,
                        actor: "installation".into(),
                        act: "expired".into(),
                    };
                    catalog.add_custody(&id, &custody)?;
                    Ok(files.remove(&id))
                });
                let removed = expired.await.map_err(change_error)?;
                removed.map_err(|error| ChangeError::Unavailable(cause(error)))?;
            } else if row.state == ExportState::Expired
                && now_ms >= file.expires_ms.saturating_add(kept_ms)
            {
                self.remove_export(&row.id).await?;
            }
        }
        Ok(())
    }

    async fn remove_export(&self, id: &str) -> Result<(), ChangeError> {
        self.exports_running().stop(id).await;
        let (files, id) = (self.export_files().clone(), id.to_owned());
        let removed = self.catalog(move |catalog| {
            // The file goes first: a row without a file is removed again, a file without a row is swept.
            files.remove(&id).map_err(|error| ChangeError::Unavailable(cause(error)))?;
            catalog.delete_export(&id).map_err(change_error)
        });
        removed.await.map(|_| ())
    }

    /// Returns the export that was asked for with the same key before.
    async fn repeated(
        &self,
        row: &ExportRow,
        key: Option<&str>,
    ) -> Result<Option<Export>, ChangeError> {
        let Some(key) = key.map(str::to_owned) else { return Ok(None) };
        let (environment, tenant) = (row.environment.clone(), row.tenant.clone());
        let rows = self.catalog(move |catalog| catalog.exports_of(&environment, &tenant)).await;
        let mut rows = rows.map_err(change_error)?.into_iter();
        let found = rows.find(|row| {
            let request = serde_json::from_str::<Request>(&row.request).ok();
            request.and_then(|request| request.repeat_key).as_ref() == Some(&key)
        });
        let Some(found) = found else { return Ok(None) };
        // The same code writes all requests, so equal ones are equal texts.
        if found.request == row.request {
            return Ok(Some(shown(found)));
        }
        Err(ChangeError::Conflict { reason: "the key was used for another export".to_owned() })
    }

    /// Returns an export of whichever tenant, as long as the caller may export that tenant's log.
    pub(crate) async fn export_of_any(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Export, ReadError> {
        let wanted = id.to_owned();
        let row = self.catalog(move |catalog| catalog.export_by_id(&wanted)).await;
        let row = row.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let row = row.filter(|row| caller.environment().is_ok_and(|own| *own == row.environment));
        let row = row.ok_or(AccessError::NotFound)?;
        self.export(caller, row.tenant.as_str(), id).await
    }

    async fn check_room(&self, row: &ExportRow) -> Result<(), ChangeError> {
        let limits = &self.settings().exports;
        let (environment, tenant) = (row.environment.clone(), row.tenant.clone());
        let files = self.export_files().clone();
        let counted = self.catalog(move |catalog| {
            catalog.exports_of(&environment, &tenant).map(|rows| (rows, files.bytes()))
        });
        let (rows, bytes) = counted.await.map_err(change_error)?;
        let bytes = bytes.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let unfinished = rows.iter().filter(|row| row.state.is_unfinished()).count();
        let refused = |reason| Err(ChangeError::Conflict { reason });
        if unfinished >= limits.unfinished_max {
            return refused(format!(
                "{unfinished} exports of this tenant wait or run; the limit is {}",
                limits.unfinished_max
            ));
        }
        if rows.len() >= limits.kept_max {
            return refused(format!("this tenant has {} exports; delete some", rows.len()));
        }
        if bytes >= limits.bytes_max {
            return refused(format!(
                "exports take {bytes} bytes of at most {}: delete some, or wait until they expire",
                limits.bytes_max
            ));
        }
        Ok(())
    }

    async fn export_row(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        id: &str,
    ) -> Result<ExportRow, ReadError> {
        let (environment, tenant, id) = (environment.clone(), tenant.clone(), id.to_owned());
        let row = self.catalog(move |catalog| catalog.export(&environment, &tenant, &id)).await;
        let row = row.map_err(|error| ReadError::Unavailable(cause(error)))?;
        row.ok_or(AccessError::NotFound.into())
    }

    async fn add_custody(
        &self,
        id: &str,
        actor: &str,
        act: &str,
    ) -> Result<(), attestary_store::catalog::CatalogError> {
        let row = CustodyRow { at_ms: self.clock().now_ms(), actor: actor.into(), act: act.into() };
        let id = id.to_owned();
        self.catalog(move |catalog| catalog.add_custody(&id, &row)).await
    }

    /// Returns the tenant whose log the caller may export; the audit log is open to keys of the whole environment.
    pub(crate) fn exportable(
        &self,
        caller: &Caller,
        tenant: &str,
        operation: &'static str,
    ) -> Result<TenantId, AccessError> {
        self.permit(caller, Scope::Export, operation)?;
        if tenant == TenantId::AUDIT {
            let open = caller.tenants().is_none();
            return if open { Ok(TenantId::audit()) } else { Err(AccessError::NotFound) };
        }
        self.visible(caller, tenant)
    }
}

/// Checks what the catalog would not.
fn check(new: &NewExport, size: u64) -> Result<ExportForm, ChangeError> {
    let mut violations = Vec::new();
    let form = ExportForm::parse(&new.format);
    if form.is_none() {
        let names = ExportForm::ALL.map(ExportForm::name).join(", ");
        violations.push(Violation::new("/format", format!("is one of {names}")));
    }
    if let (Some(from), Some(to)) = (new.from, new.to)
        && from >= to
    {
        violations.push(Violation::new("/to", "must be later than \"from\""));
    }
    let allowed = |prefix: &str| {
        (1..=PREFIX_BYTES_MAX).contains(&prefix.len())
            && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if new.prefix.as_deref().is_some_and(|prefix| !allowed(prefix)) {
        let detail = format!("has 1 to {PREFIX_BYTES_MAX} letters and digits");
        violations.push(Violation::new("/prefix", detail));
    }
    if new.name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
        let detail = format!("has at most {NAME_BYTES_MAX} bytes");
        violations.push(Violation::new("/name", detail));
    }
    if new.size.is_some() && form == Some(ExportForm::Evidence) {
        violations.push(Violation::new("/size", "is the checkpoint's for evidence; leave it out"));
    } else if new.size.is_some_and(|wanted| !(1..=size).contains(&wanted)) {
        let detail = format!("is a size that the log has had: 1 to {size}");
        violations.push(Violation::new("/size", detail));
    }
    match form {
        Some(form) if violations.is_empty() => Ok(form),
        _ => Err(ChangeError::Invalid(violations)),
    }
}

fn act(operation: &'static str, row: &ExportRow) -> Act {
    Act::new(action::EXPORT, operation).on("export", &row.id).on("tenant", row.tenant.as_str())
}

fn shown(row: ExportRow) -> Export {
    let request: Option<Request> = serde_json::from_str(&row.request).ok();
    let form = request.as_ref().map_or(ExportForm::Ndjson, Request::form);
    let time = |ms: Option<i64>| ms.map(Timestamp);
    let (filter, from, to, prefix, name) = request.map_or_else(Default::default, |request| {
        let (from, to) = (time(request.from_ms), time(request.to_ms));
        (request.filter, from, to, request.prefix, request.name)
    });
    Export { row, form, filter, from, to, prefix, name }
}

fn as_change(error: ReadError) -> ChangeError {
    match error {
        ReadError::Access(error) => error.into(),
        other => ChangeError::Unavailable(cause(other)),
    }
}

//! `/v1/tenants/{tenant}/exports`: a tenant's events as one file, and `/v1/downloads/{token}`, where it is fetched.

use std::{io, ops::Range};

use attestary_event::{Timestamp, Violation, event::hex};
use attestary_service::{Download, Export, NewExport, Origin};
use axum::{
    Extension,
    body::Body,
    extract::{Path, State as Shared},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{done, reply, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    members::Members,
    problem::Problem,
};

/// Bytes read from the disk at once.
const PIECE_BYTES: usize = 256 << 10;

/// An export and how far it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = Export)]
pub(crate) struct ExportView {
    id: String,
    tenant: String,
    /// queued, running, complete, failed or expired.
    state: &'static str,
    /// Why it failed.
    reason: Option<String>,
    /// ndjson, json, csv, cef, parquet or evidence.
    format: &'static str,
    filter: String,
    from: Option<String>,
    to: Option<String>,
    prefix: Option<String>,
    /// Events of the log that are covered: seq 0 up to and without this number.
    size: u64,
    /// Events of the log that were looked at.
    scanned: u64,
    /// Events written.
    events: u64,
    seq_first: Option<u64>,
    seq_last: Option<u64>,
    /// Length of the finished file.
    bytes: Option<u64>,
    /// SHA-256 of the finished file, hexadecimal.
    sha256: Option<String>,
    requested_by: String,
    created_at: String,
    finished_at: Option<String>,
    /// When the file is deleted.
    expires_at: Option<String>,
}

/// Exports, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExportList {
    data: Vec<ExportView>,
    next_cursor: Option<String>,
}

/// What an export is made from.
#[derive(ToSchema)]
#[schema(as = NewExport)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewExportShape {
    /// ndjson, json, csv, cef, parquet or evidence.
    format: String,
    /// Text in the filter language; without it, every event.
    filter: Option<String>,
    /// Only events that happened at or after this time.
    from: Option<String>,
    /// Only events that happened before this time.
    to: Option<String>,
    /// Numbers the records: CASE7 gives CASE7_000001. 1 to 32 letters and digits.
    prefix: Option<String>,
    /// Cover only the first so many events of the log; without it, all there are now.
    size: Option<u64>,
}

/// Where a finished export is fetched.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExportLink {
    /// Path under this server's URL; it needs no key, so treat it as one.
    url: String,
    /// When the link ends.
    expires_at: String,
}

fn view(export: Export) -> ExportView {
    let row = export.row;
    ExportView {
        id: row.id,
        tenant: row.tenant.to_string(),
        state: row.state.as_str(),
        reason: row.reason,
        format: export.form.name(),
        filter: export.filter,
        from: export.from.map(|time| time.to_string()),
        to: export.to.map(|time| time.to_string()),
        prefix: export.prefix,
        size: row.size,
        scanned: row.progress.after.map_or(0, |after| (after + 1).min(row.size)),
        events: row.progress.events,
        seq_first: row.progress.seq_first,
        seq_last: row.progress.seq_last,
        bytes: row.file.map(|file| file.bytes),
        sha256: row.file.map(|file| hex(&file.sha256)),
        requested_by: row.requested_by,
        created_at: time(row.created_ms),
        finished_at: row.file.map(|file| time(file.finished_ms)),
        expires_at: row.file.map(|file| time(file.expires_ms)),
    }
}

/// Ask for an export: its file is made in the background.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/exports", tag = "exports", request_body = NewExportShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 202, description = "Queued", body = ExportView))
)]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewExport {
        format: members.required_text("format"),
        filter: members.text("filter").unwrap_or_default(),
        from: at(&mut members, "from"),
        to: at(&mut members, "to"),
        prefix: members.text("prefix"),
        size: members.whole("size"),
        ..NewExport::default()
    };
    members.finish()?;
    let export = state.service.create_export(&posted.caller, &tenant, new).await?;
    Ok(reply(StatusCode::ACCEPTED, &view(export)))
}

fn at(members: &mut Members, name: &'static str) -> Option<Timestamp> {
    let text = members.text(name)?;
    let time = Timestamp::parse(&text);
    if time.is_none() {
        members
            .refuse(Violation::new(format!("/{name}"), "is a time such as 2026-11-22T10:00:00Z"));
    }
    time
}

/// List a tenant's exports, newest first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/exports", tag = "exports",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "All of them", body = ExportList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    let exports = state.service.exports(&caller, &tenant).await?;
    Ok(reply(
        StatusCode::OK,
        &ExportList { data: exports.into_iter().map(view).collect(), next_cursor: None },
    ))
}

/// Read one export and how far it has come.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/exports/{id}", tag = "exports",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The export's id"),
    ),
    responses((status = 200, description = "The export", body = ExportView))
)]
pub(crate) async fn one(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &view(state.service.export(&caller, &tenant, &id).await?)))
}

/// Read the manifest of a finished export: digest, counts, seq range, numbering, custody.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/exports/{id}/manifest", tag = "exports",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The export's id"),
    ),
    responses((status = 200, description = "The manifest; docs/reference/exports.md lists its members", body = Object))
)]
pub(crate) async fn manifest(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &state.service.export_manifest(&caller, &tenant, &id).await?))
}

/// Make a link to a finished export; it lasts ten minutes and needs no key.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/exports/{id}/link", tag = "exports",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The export's id"),
    ),
    responses((status = 201, description = "The link", body = ExportLink))
)]
pub(crate) async fn link(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    let link = state.service.link_export(&posted.caller, &tenant, &id).await?;
    let view = ExportLink { url: link.path, expires_at: time(link.expires_ms) };
    Ok(reply(StatusCode::CREATED, &view))
}

/// Delete an export and its file; one that is being made is stopped.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/exports/{id}", tag = "exports",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The export's id"),
    ),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    state.service.delete_export(&caller, &tenant, &id).await?;
    Ok(done())
}

/// Fetch a finished export by its link; a Range header continues a broken transfer.
#[utoipa::path(
    get, path = "/v1/downloads/{token}", tag = "exports", security(()),
    params(("token" = String, Path, description = "From the link")),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream", body = String),
        (status = 206, description = "The part of the file that Range names", content_type = "application/octet-stream", body = String),
    )
)]
pub(crate) async fn download(
    Shared(state): Shared<State>,
    Extension(origin): Extension<Origin>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(file(state.service.download(&token, origin).await?, &headers))
}

/// Returns the reply with a file, or with the part of it that the request's headers name.
pub(crate) fn file(download: Download, headers: &HeaderMap) -> Response {
    let bytes = download.file.bytes();
    let range = range(headers, bytes);
    let (status, part) = match &range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.clone()),
        None => (StatusCode::OK, 0..bytes),
    };
    let length = part.end - part.start;
    let mut response = Body::from_stream(pieces(download.clone(), part)).into_response();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(download.content_type));
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let texts = [
        (header::CONTENT_DISPOSITION, Some(format!("attachment; filename=\"{}\"", download.name))),
        (header::ETAG, Some(format!("\"{}\"", hex(&download.sha256)))),
        (
            header::CONTENT_RANGE,
            range.map(|range| format!("bytes {}-{}/{bytes}", range.start, range.end - 1)),
        ),
    ];
    for (name, text) in texts {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

/// Returns the one range that is asked for; anything else gets the whole file, as RFC 9110 section 14.2 allows.
fn range(headers: &HeaderMap, bytes: u64) -> Option<Range<u64>> {
    let text = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (start, end) = text.split_once('-')?;
    let start: u64 = start.parse().ok()?;
    let end = match end {
        "" => bytes,
        end => end.parse::<u64>().ok()?.saturating_add(1).min(bytes),
    };
    (start < end).then_some(start..end)
}

fn pieces(
    download: Download,
    part: Range<u64>,
) -> impl futures::Stream<Item = Result<Bytes, io::Error>> {
    futures::stream::try_unfold((download, part), |(download, part)| async move {
        if part.is_empty() {
            return Ok(None);
        }
        let length = (part.end - part.start).min(PIECE_BYTES as u64) as usize;
        let file = download.file.clone();
        let read = tokio::task::spawn_blocking(move || file.read(part.start, length)).await;
        let piece = read.map_err(io::Error::other)??;
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let next = part.start + piece.len() as u64..part.end;
        Ok(Some((Bytes::from(piece), (download, next))))
    })
}

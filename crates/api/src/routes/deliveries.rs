//! `/v1/tenants/{tenant}/destinations/{id}/…`: receipts, replays, set-aside events, previews and secrets.

use attestary_service::{
    ContiguityReceipt, LogComparison, NewDestination, NewReplay, Preview, Replay, ReplayEdge,
};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{List, destinations::DestinationView, done, reply, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    members::Members,
    problem::Problem,
    query::Query,
};

/// What became of every event of a stretch of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = ContiguityReceipt)]
pub(crate) struct ReceiptView {
    destination: String,
    tenant: String,
    /// First seq that it speaks for.
    from_seq: u64,
    /// Last seq that it speaks for; null while it speaks for none.
    to_seq: Option<u64>,
    /// Events that the destination confirmed.
    count: u64,
    /// Events that the filter excluded.
    excluded: u64,
    /// Events that were set aside.
    quarantined: u64,
    /// Events that retention removed before they were delivered.
    lost_to_retention: u64,
    /// Root of the RFC 6962 tree over the leaf hashes of the confirmed events, in log order, in hexadecimal.
    root: String,
    /// The log's answer, when `compare=true`.
    log: Option<ComparisonView>,
}

/// Whether the same root comes out of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = LogComparison)]
pub(crate) struct ComparisonView {
    /// Null when it could not be computed.
    equal: Option<bool>,
    /// Why not, or what the log gives instead.
    detail: String,
}

/// A second cursor over a stretch of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
pub(crate) struct ReplayView {
    id: String,
    destination: String,
    from_seq: u64,
    to_seq: u64,
    filter: String,
    /// running, done or stopped.
    progress: &'static str,
    /// active, failing or paused; as for destinations.
    state: &'static str,
    reason: Value,
    reason_detail: String,
    /// Lowest seq that is not confirmed.
    cursor: u64,
    delivered: u64,
    quarantined: u64,
    attempts: u64,
    created_at: String,
    done_at: Option<String>,
}

/// The replays of a destination.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplayList {
    data: Vec<ReplayView>,
    next_cursor: Option<String>,
}

/// What a replay is made from.
#[derive(ToSchema)]
#[schema(as = NewReplay)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewReplayShape {
    /// A seq, a time of receipt, or "beginning".
    from: Value,
    /// The last seq, or the time of receipt behind the last event; the present end of the log when absent.
    to: Option<Value>,
    /// Text in the filter language; the destination's filter when absent.
    filter: Option<String>,
}

/// An event that a destination refused for good.
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantinedEvent)]
pub(crate) struct QuarantinedView {
    seq: u64,
    at: String,
    reason: String,
}

/// Events that were set aside, by seq.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuarantineList {
    data: Vec<QuarantinedView>,
    /// Give it as `after` to read on.
    next_cursor: Option<String>,
}

/// What a destination would send for the newest events that its filter selects.
#[derive(Serialize, ToSchema)]
#[schema(as = Preview)]
pub(crate) struct PreviewView {
    /// Events that were looked at, from the newest back.
    scanned: u64,
    /// Where to and how, without paths, queries and headers.
    request: String,
    records: Vec<PreviewRecord>,
    /// The body of one request that holds these records, before compression and encryption.
    body: BytesView,
}

/// One event as it would stand in a request.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewRecord {
    seq: u64,
    event: String,
    #[serde(flatten)]
    bytes: BytesView,
}

/// Exact bytes: as text where they are UTF-8, else in base64.
#[derive(Serialize, ToSchema)]
#[schema(as = Bytes)]
pub(crate) struct BytesView {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// A family of known actions.
#[derive(Serialize, ToSchema)]
#[schema(as = EventFamily)]
pub(crate) struct EventFamilyView {
    id: &'static str,
    title: &'static str,
    actions: Vec<String>,
    /// Selects exactly these actions; give it as a destination's filter.
    filter: String,
}

/// The families of known actions.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventFamilyList {
    data: Vec<EventFamilyView>,
    next_cursor: Option<String>,
}

/// The result of a rotation.
#[derive(Serialize, ToSchema)]
#[schema(as = RotatedSecret)]
pub(crate) struct RotatedView {
    destination: DestinationView,
    /// The new secret, shown this once.
    secret: Option<String>,
    /// Secrets that sign from now on.
    valid: usize,
}

/// How a secret is rotated.
#[derive(ToSchema)]
#[schema(as = Rotation)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct RotationShape {
    /// True to stop signing with the older secret instead of adding a new one.
    retire: Option<bool>,
}

fn receipt_view(shown: ContiguityReceipt) -> ReceiptView {
    let receipt = shown.receipt;
    let log = shown.log.map(|log| match log {
        LogComparison::Equal => ComparisonView { equal: Some(true), detail: String::new() },
        LogComparison::Different { root, count } => ComparisonView {
            equal: Some(false),
            detail: format!("the log gives {root} over {count} events"),
        },
        LogComparison::Impossible { reason } => ComparisonView { equal: None, detail: reason },
    });
    ReceiptView {
        destination: shown.destination,
        tenant: shown.tenant.to_string(),
        from_seq: receipt.from_seq,
        to_seq: (receipt.next_seq > receipt.from_seq).then(|| receipt.next_seq - 1),
        count: receipt.delivered(),
        excluded: receipt.excluded,
        quarantined: receipt.quarantined,
        lost_to_retention: receipt.lost_to_retention,
        root: shown.root,
        log,
    }
}

fn replay_view(replay: Replay) -> ReplayView {
    let progress = match (replay.done_ms, replay.is_complete()) {
        (None, false) => "running",
        (_, true) => "done",
        (Some(_), false) => "stopped",
    };
    let status = replay.status;
    ReplayView {
        id: replay.id,
        destination: replay.destination,
        from_seq: replay.from_seq,
        to_seq: replay.next_seq - 1,
        filter: replay.filter,
        progress,
        state: status.state.as_str(),
        reason: serde_json::to_value(status.reason.code).unwrap_or_default(),
        reason_detail: status.reason.detail,
        cursor: status.cursor,
        delivered: status.totals.delivered,
        quarantined: status.totals.quarantined,
        attempts: status.totals.attempts,
        created_at: time(replay.created_ms),
        done_at: replay.done_ms.map(time),
    }
}

fn bytes_view(bytes: Vec<u8>) -> BytesView {
    match String::from_utf8(bytes) {
        Ok(text) => BytesView { text: Some(text), base64: None },
        Err(error) => BytesView { text: None, base64: Some(STANDARD.encode(error.as_bytes())) },
    }
}

fn preview_view(preview: Preview) -> PreviewView {
    let records = preview.records.into_iter().map(|record| PreviewRecord {
        seq: record.seq,
        event: record.event,
        bytes: bytes_view(record.bytes),
    });
    PreviewView {
        scanned: preview.scanned,
        request: preview.request,
        records: records.collect(),
        body: bytes_view(preview.body),
    }
}

/// Read the contiguity receipt: what became of every event.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/destinations/{id}/receipt", tag = "destinations",
    params(
        ("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…"),
        ("compare" = Option<bool>, Query, description = "true: compute the same root from the log"),
    ),
    responses((status = 200, description = "The receipt", body = ReceiptView))
)]
pub(crate) async fn receipt(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["compare"])?;
    let compare = query.choice("compare", &["false", "true"])? == Some(1);
    let receipt = state.service.destination_receipt(&caller, &tenant, &id, compare).await?;
    Ok(reply(StatusCode::OK, &receipt_view(receipt)))
}

/// Send a stretch of the log again, beside the live cursor.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/destinations/{id}/replays", tag = "destinations",
    request_body = NewReplayShape,
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 201, description = "Started", body = ReplayView))
)]
pub(crate) async fn replay(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let from = edge(&mut members, "from");
    let to = edge(&mut members, "to");
    let filter = members.text("filter");
    if from.is_none() {
        let absent = ReplayEdge::parse("from", &Value::Null);
        absent.err().into_iter().for_each(|violation| members.refuse(violation));
    }
    members.finish()?;
    let from = from.unwrap_or(ReplayEdge::Seq(0));
    let new = NewReplay { from, to, filter };
    let replay = state.service.create_replay(&posted.caller, &tenant, &id, new).await?;
    Ok(reply(StatusCode::CREATED, &replay_view(replay)))
}

fn edge(members: &mut Members, name: &'static str) -> Option<ReplayEdge> {
    let value = members.take(name).filter(|value| !value.is_null())?;
    match ReplayEdge::parse(name, &value) {
        Ok(edge) => Some(edge),
        Err(violation) => {
            members.refuse(violation);
            // What it is does not matter any more: the request is refused.
            Some(ReplayEdge::Seq(0))
        }
    }
}

/// List the replays of a destination, newest first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/destinations/{id}/replays", tag = "destinations",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 200, description = "The replays", body = ReplayList))
)]
pub(crate) async fn replays(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let replays = state.service.replays(&caller, &tenant, &id).await?;
    Ok(reply(StatusCode::OK, &List::whole(replays.into_iter().map(replay_view).collect())))
}

/// Stop a replay where it stands.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/destinations/{id}/replays/{replay}", tag = "destinations",
    params(
        ("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…"),
        ("replay" = String, Path, description = "rpl_…"),
    ),
    responses((status = 204, description = "Stopped"))
)]
pub(crate) async fn stop_replay(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id, replay)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    state.service.stop_replay(&caller, &tenant, &id, &replay).await?;
    Ok(done())
}

/// List the events that a destination set aside, by seq.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/destinations/{id}/quarantine", tag = "destinations",
    params(
        ("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…"),
        ("after" = Option<u64>, Query, description = "Only events behind this seq"),
        ("limit" = Option<usize>, Query, description = "1 to 1000; 100 when absent"),
    ),
    responses((status = 200, description = "The events", body = QuarantineList))
)]
pub(crate) async fn quarantine(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["after", "limit"])?;
    let (after, limit) = (query.number("after")?, query.count("limit", 1_000)?.unwrap_or(100));
    let events = state.service.quarantined_events(&caller, &tenant, &id, after, limit).await?;
    let full = events.len() >= limit;
    let next_cursor = events.last().filter(|_| full).map(|event| event.seq.to_string());
    let data = events.into_iter().map(|event| QuarantinedView {
        seq: event.seq,
        at: time(event.at_ms),
        reason: event.reason,
    });
    Ok(reply(StatusCode::OK, &QuarantineList { data: data.collect(), next_cursor }))
}

/// Show the exact bytes that a destination would send for the newest events.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/destinations/{id}/preview", tag = "destinations",
    params(
        ("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…"),
        ("limit" = Option<usize>, Query, description = "1 to 20 events; 5 when absent"),
    ),
    responses((status = 200, description = "The preview", body = PreviewView))
)]
pub(crate) async fn preview(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["limit"])?;
    let limit = query.count("limit", 20)?.unwrap_or(5);
    let preview = state.service.preview_destination(&caller, &tenant, &id, limit).await?;
    Ok(reply(StatusCode::OK, &preview_view(preview)))
}

/// Show the exact bytes that a destination would send, before it is made.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/destinations/preview", tag = "destinations",
    request_body = super::destinations::NewDestinationShape,
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("limit" = Option<usize>, Query, description = "1 to 20 events; 5 when absent"),
    ),
    responses((status = 200, description = "The preview; nothing is sent or stored", body = PreviewView))
)]
pub(crate) async fn preview_new(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    posted: Posted,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["limit"])?;
    let limit = query.count("limit", 20)?.unwrap_or(5);
    let new: NewDestination = super::destinations::read_new(&posted)?;
    let preview =
        state.service.preview_new_destination(&posted.caller, &tenant, new, limit).await?;
    Ok(reply(StatusCode::OK, &preview_view(preview)))
}

/// List the families of known actions, each with the filter that selects it.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/destinations/event-families", tag = "destinations",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The families", body = EventFamilyList))
)]
pub(crate) async fn families(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    let families = state.service.event_families(&caller, &tenant)?;
    let data = families.into_iter().map(|family| EventFamilyView {
        id: family.id,
        title: family.title,
        actions: family.actions,
        filter: family.filter,
    });
    Ok(reply(StatusCode::OK, &List::whole(data.collect())))
}

/// Add a signing secret, or retire the older one; two are valid at once.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/destinations/{id}/rotate", tag = "destinations",
    request_body = RotationShape,
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 200, description = "The new secret is shown this once", body = RotatedView))
)]
pub(crate) async fn rotate(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let retire = members.flag("retire").unwrap_or_default();
    members.finish()?;
    let rotated =
        state.service.rotate_destination_secret(&posted.caller, &tenant, &id, retire).await?;
    let secret = rotated.secret.map(|secret| secret.reveal().to_owned());
    let destination = super::destinations::view(rotated.destination);
    Ok(reply(StatusCode::OK, &RotatedView { destination, secret, valid: rotated.valid }))
}

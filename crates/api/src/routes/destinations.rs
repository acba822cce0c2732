//! `/v1/tenants/{tenant}/destinations`: where a tenant's log is sent.

use attestary_service::{
    CreatedDestination, Destination, DestinationAttempt, DestinationChange, NewDestination,
};
use axum::{
    extract::{Path, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{List, done, reply, signed_time, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
};

/// A destination without its secrets, and how it fares.
#[derive(Serialize, ToSchema)]
#[schema(as = Destination)]
pub(crate) struct DestinationView {
    id: String,
    tenant: String,
    name: String,
    /// A type of docs/reference/destinations.md: syslog, webhook, splunk …
    r#type: String,
    config: Value,
    format: Value,
    /// Text in the filter language; empty selects every event.
    filter: String,
    batch: BatchView,
    /// The least time between two checkpoints in its stream, in seconds; 0 for none.
    checkpoint_seconds: u64,
    /// operator or tenant.
    managed_by: &'static str,
    created_at: String,
    changed_at: String,
    /// active, failing or paused.
    state: &'static str,
    /// Stable code of the reason for the state.
    reason: Value,
    /// One sentence about the reason; empty when nothing is wrong.
    reason_detail: String,
    since: String,
    /// Lowest seq that is not confirmed.
    cursor: u64,
    /// Events of the log behind the cursor.
    lag_events: u64,
    /// Failed attempts in a row.
    failures: u32,
    retry_at: Option<String>,
    last_success_at: Option<String>,
    last_error_at: Option<String>,
    last_error: Option<String>,
    /// Events confirmed since the destination was made; repeats count again.
    delivered: u64,
    /// Events set aside because the destination refused them for good.
    quarantined: u64,
    /// Attempts since the destination was made.
    attempts: u64,
    /// Public keys that verify its requests, newest first; empty where a shared secret does.
    public_keys: Vec<String>,
    /// What belongs into the trust policy of the role that it assumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// The generated signing secret of a webhook; only in the reply that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// Limits of a destination's batches.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchLimits)]
pub(crate) struct BatchView {
    /// Events in one batch: 1 to 1000; 500 unless given.
    events_max: usize,
    /// Bytes in one batch: 10,000 to 5,000,000; 1,000,000 unless given.
    bytes_max: usize,
    /// The least milliseconds between a batch and the next one that is not full: 0 to 60,000; 5 unless given.
    linger_ms: u64,
    /// Batches under way at the same time: 1 to 16; 1 unless given, which keeps the order.
    in_flight_max: usize,
}

/// A tenant's destinations.
#[derive(Serialize, ToSchema)]
pub(crate) struct DestinationList {
    data: Vec<DestinationView>,
    next_cursor: Option<String>,
}

/// What a destination is made from.
#[derive(ToSchema)]
#[schema(as = NewDestination)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewDestinationShape {
    name: String,
    /// A type of docs/reference/destinations.md: syslog, webhook, splunk …
    r#type: String,
    config: Value,
    /// {"type": …} with one of the formats of docs/reference/formats.md; that of the type when absent.
    format: Option<Value>,
    filter: Option<String>,
    /// Members that are absent have their usual values. Object stores have limits of their own in `config`.
    batch: Option<BatchView>,
    /// The least time between two checkpoints in its stream: 10 to 86,400 seconds, or 0 (default) for none.
    checkpoint_seconds: Option<u64>,
    /// "now" (default), "beginning", a seq or a time.
    start: Option<Value>,
}

/// What of a destination can be changed; what is absent stays.
#[derive(ToSchema)]
#[schema(as = DestinationChange)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct DestinationChangeShape {
    name: Option<String>,
    /// The whole configuration of the same type.
    config: Option<Value>,
    format: Option<Value>,
    /// Holds from the cursor on.
    filter: Option<String>,
    /// All limits: members that are absent have their usual values.
    batch: Option<BatchView>,
    checkpoint_seconds: Option<u64>,
}

/// One try to deliver a batch.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    id: String,
    at: String,
    duration_ms: u64,
    /// A test that a person asked for; the cursor did not take part.
    test: bool,
    /// Events that the checkpoint covers which was sent; null for batches of events.
    checkpoint: Option<u64>,
    /// The replay that it belongs to; null for the live cursor.
    replay: Option<String>,
    /// Where to and how, without paths, queries or headers.
    request: String,
    /// `first-last`; empty for tests.
    seqs: String,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    events: u32,
    bytes: u64,
    /// HTTP status, when there was one.
    status: Option<u16>,
    /// delivered, partial, retry, split, reject, pause or disable.
    verdict: String,
    /// Why, in one sentence; empty when delivered.
    detail: String,
    /// The beginning of the answer: text of a stranger.
    excerpt: String,
    /// The step that failed (ok, name, address, connection, tls, credentials, endpoint, format, size, capacity, here).
    stage: Value,
    /// What to do about it; empty when nothing is to be done.
    hint: String,
}

/// The newest attempts.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptList {
    data: Vec<AttemptView>,
    next_cursor: Option<String>,
}

pub(super) fn view(destination: Destination) -> DestinationView {
    let status = destination.status;
    let (last_error_at, last_error) = status
        .last_error
        .map_or((None, None), |error| (Some(signed_time(error.at_ms)), Some(error.reason.detail)));
    DestinationView {
        id: destination.id,
        tenant: destination.tenant.to_string(),
        name: destination.name,
        r#type: destination.kind,
        config: destination.config,
        format: destination.format,
        filter: destination.filter,
        batch: BatchView {
            events_max: destination.batch.events_max,
            bytes_max: destination.batch.bytes_max,
            linger_ms: destination.batch.linger_ms,
            in_flight_max: destination.batch.in_flight_max,
        },
        checkpoint_seconds: destination.checkpoint_seconds,
        managed_by: destination.managed_by,
        created_at: time(destination.created_ms),
        changed_at: time(destination.changed_ms),
        state: status.state.as_str(),
        reason: serde_json::to_value(status.reason.code).unwrap_or_default(),
        reason_detail: status.reason.detail,
        since: signed_time(status.since_ms),
        cursor: status.cursor,
        lag_events: status.lag_events,
        failures: status.failures,
        retry_at: status.retry_at_ms.map(signed_time),
        last_success_at: status.last_success_ms.map(signed_time),
        last_error_at,
        last_error,
        delivered: status.totals.delivered,
        quarantined: status.totals.quarantined,
        attempts: status.totals.attempts,
        public_keys: destination.public_keys,
        external_id: destination.external_id,
        secret: None,
    }
}

fn attempt_view(attempt: DestinationAttempt) -> AttemptView {
    let attempt = attempt.0;
    let (stage, hint) = match attempt.diagnosis {
        Some(found) => (serde_json::to_value(found.stage).unwrap_or_default(), found.hint),
        None => (Value::Null, String::new()),
    };
    let seqs = match (attempt.first_seq, attempt.last_seq) {
        (Some(first), Some(last)) => format!("{first}-{last}"),
        _ => String::new(),
    };
    AttemptView {
        id: attempt.id.to_string(),
        at: signed_time(attempt.at_ms),
        duration_ms: attempt.duration_ms,
        test: attempt.test,
        checkpoint: attempt.checkpoint,
        replay: attempt.replay.map(String::from),
        request: attempt.request,
        seqs,
        first_seq: attempt.first_seq,
        last_seq: attempt.last_seq,
        events: attempt.events,
        bytes: attempt.bytes,
        status: attempt.status,
        verdict: attempt.verdict,
        detail: attempt.reason,
        excerpt: attempt.excerpt,
        stage,
        hint,
    }
}

/// Make a destination and start it.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/destinations", tag = "destinations", request_body = NewDestinationShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 201, description = "Made; a webhook's secret is shown this once", body = DestinationView))
)]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let new = read_new(&posted)?;
    let CreatedDestination { destination, secret } =
        state.service.create_destination(&posted.caller, &tenant, new).await?;
    let secret = secret.map(|secret| secret.reveal().to_owned());
    Ok(reply(StatusCode::CREATED, &DestinationView { secret, ..view(destination) }))
}

/// Reads what a destination is made from.
pub(super) fn read_new(posted: &Posted) -> Result<NewDestination, Problem> {
    let mut members = posted.members()?;
    let new = NewDestination {
        name: members.required_text("name"),
        kind: members.required_text("type"),
        config: members
            .object("config")
            .map_or_else(|| Value::Object(serde_json::Map::new()), Value::Object),
        format: members.take("format"),
        filter: members.text("filter").unwrap_or_default(),
        batch: members.take("batch"),
        checkpoint_seconds: members.whole("checkpoint_seconds"),
        start: members.take("start").unwrap_or_default(),
    };
    members.finish()?;
    Ok(new)
}

/// List a tenant's destinations.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/destinations", tag = "destinations",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The destinations", body = DestinationList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    let destinations = state.service.list_destinations(&caller, &tenant).await?;
    Ok(reply(StatusCode::OK, &List::whole(destinations.into_iter().map(view).collect())))
}

/// Read one destination.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/destinations/{id}", tag = "destinations",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 200, description = "The destination", body = DestinationView))
)]
pub(crate) async fn one(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &view(state.service.destination(&caller, &tenant, &id).await?)))
}

/// Change a destination, from its cursor on.
#[utoipa::path(
    patch, path = "/v1/tenants/{tenant}/destinations/{id}", tag = "destinations",
    request_body = DestinationChangeShape,
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 200, description = "Changed", body = DestinationView))
)]
pub(crate) async fn change(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    let change = read_change(&posted)?;
    let destination =
        state.service.change_destination(&posted.caller, &tenant, &id, change).await?;
    Ok(reply(StatusCode::OK, &view(destination)))
}

/// Reads what is to be changed.
pub(super) fn read_change(posted: &Posted) -> Result<DestinationChange, Problem> {
    let mut members = posted.members()?;
    let change = DestinationChange {
        name: members.text("name"),
        config: members.object("config").map(Value::Object),
        format: members.take("format"),
        filter: members.text("filter"),
        batch: members.take("batch"),
        checkpoint_seconds: members.whole("checkpoint_seconds"),
    };
    members.finish()?;
    Ok(change)
}

/// Pause a destination; its cursor stays.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/destinations/{id}/pause", tag = "destinations",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 200, description = "Paused", body = DestinationView))
)]
pub(crate) async fn pause(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    let destination =
        state.service.set_destination_paused(&posted.caller, &tenant, &id, true).await?;
    Ok(reply(StatusCode::OK, &view(destination)))
}

/// Start a paused destination again, from its cursor.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/destinations/{id}/resume", tag = "destinations",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 200, description = "Resumed", body = DestinationView))
)]
pub(crate) async fn resume(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    let destination =
        state.service.set_destination_paused(&posted.caller, &tenant, &id, false).await?;
    Ok(reply(StatusCode::OK, &view(destination)))
}

/// Delete a destination and its cursor.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/destinations/{id}", tag = "destinations",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    state.service.delete_destination(&caller, &tenant, &id).await?;
    Ok(done())
}

/// Send one synthetic event and say what came of it.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/destinations/{id}/test", tag = "destinations",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 200, description = "The attempt", body = AttemptView))
)]
pub(crate) async fn test(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    let attempt = state.service.test_destination(&posted.caller, &tenant, &id).await?;
    Ok(reply(StatusCode::OK, &attempt_view(attempt)))
}

/// List the newest attempts, newest first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/destinations/{id}/attempts", tag = "destinations",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "dst_…")),
    responses((status = 200, description = "The attempts", body = AttemptList))
)]
pub(crate) async fn attempts(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let attempts = state.service.destination_attempts(&caller, &tenant, &id).await?;
    Ok(reply(StatusCode::OK, &List::whole(attempts.into_iter().map(attempt_view).collect())))
}

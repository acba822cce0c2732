//! The life of data: retention, legal holds, erasures, removal lists, and the clock they rest on.

use attestary_service::{
    ClockState, ErasureRow, HoldRow, NewErasure, NewHold, RemovalKind, RemovalRow, RemovalState,
    Retention, RetentionPreview, RunRow, search_limits,
};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{List, reply, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    query::Query,
};

/// The policy that rules a log.
#[derive(Serialize, ToSchema)]
#[schema(as = Retention)]
pub(crate) struct RetentionView {
    /// The policy, with the bounds of the environment applied.
    #[schema(value_type = RetentionPolicyShape)]
    policy: Value,
    /// tenant, environment, or default when none is set.
    source: &'static str,
}

/// Which events are kept for how long. Periods are "90d", "7y" or "unlimited".
#[derive(ToSchema)]
#[schema(as = RetentionPolicy)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct RetentionPolicyShape {
    /// 90d, 1y (the first 90 days hot), 6y, 7y or unlimited; instead of keep.
    preset: Option<String>,
    /// For events that no class selects.
    keep: Option<String>,
    /// How long events stay immediately searchable; here all of them do.
    hot: Option<String>,
    /// The first class whose filter matches decides; at most 50.
    classes: Option<Vec<RetentionClassShape>>,
    /// No period may be shorter.
    minimum: Option<String>,
    /// No period may be longer.
    maximum: Option<String>,
    /// From then on the policy can only be made to keep more, and erasures are refused.
    lock: Option<bool>,
}

/// Events of one kind.
#[derive(ToSchema)]
#[schema(as = RetentionClass)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct RetentionClassShape {
    name: String,
    /// Text in the filter language, without "now".
    filter: String,
    keep: String,
}

/// A dry run.
#[derive(ToSchema)]
#[schema(as = RetentionPreviewRequest)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct PreviewShape {
    /// A proposed policy; the one in force when absent.
    policy: Option<RetentionPolicyShape>,
}

/// What a run would remove now.
#[derive(Serialize, ToSchema)]
#[schema(as = RetentionPreview)]
pub(crate) struct PreviewView {
    events: u64,
    /// The first hundred stretches.
    ranges: Vec<Range>,
    oldest_received_at: Option<String>,
    newest_received_at: Option<String>,
    classes: Vec<ClassCount>,
    /// Events whose time is over and that a hold keeps.
    held: u64,
}

/// Seqs, both ends included.
#[derive(Serialize, ToSchema)]
#[schema(as = SeqRange)]
pub(crate) struct Range {
    first: u64,
    last: u64,
}

/// Events of one class.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClassCount {
    /// Null for events that no class selects.
    name: Option<String>,
    events: u64,
}

/// One run of retention.
#[derive(Serialize, ToSchema)]
#[schema(as = RetentionRun)]
pub(crate) struct RunView {
    id: String,
    /// Null when it goes over all tenants of the environment.
    tenant: Option<String>,
    started_at: String,
    ended_at: Option<String>,
    /// running, done or failed.
    state: String,
    /// Events removed.
    events: u64,
    /// Events whose time is over and that a hold keeps.
    held: u64,
    /// Logs that lost events.
    logs: u64,
    /// Segments rewritten, and their bytes before and after.
    segments: u64,
    bytes_before: u64,
    bytes_after: u64,
    /// True when the next run goes on where this one stopped.
    budget_spent: bool,
    error: Option<String>,
}

/// A page of runs, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct RetentionRunList {
    data: Vec<RunView>,
    next_cursor: Option<String>,
}

/// A legal hold.
#[derive(Serialize, ToSchema)]
#[schema(as = Hold)]
pub(crate) struct HoldView {
    id: String,
    name: String,
    filter: String,
    custodians: Vec<String>,
    reason: String,
    /// in_force or released.
    state: &'static str,
    placed_at: String,
    placed_by: String,
    released_at: Option<String>,
    released_by: Option<String>,
}

/// A page of holds by id.
#[derive(Serialize, ToSchema)]
pub(crate) struct HoldList {
    data: Vec<HoldView>,
    next_cursor: Option<String>,
}

/// What a hold is made from.
#[derive(ToSchema)]
#[schema(as = NewHold)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewHoldShape {
    name: String,
    /// Text in the filter language, without "now"; empty or absent selects everything.
    filter: Option<String>,
    /// Ids or e-mail addresses of persons: only events in which one of them takes part.
    custodians: Option<Vec<String>>,
    reason: Option<String>,
}

/// An erasure and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Erasure)]
pub(crate) struct ErasureView {
    id: String,
    /// running, pending (a hold keeps what is asked for) or done.
    state: String,
    /// events, filter or subject.
    by: Option<String>,
    legal_basis: String,
    created_at: String,
    created_by: String,
    done_at: Option<String>,
    /// Holds that it waits for.
    holds: Vec<String>,
    /// Events that lost their payload or fields, in the tenant's log and in the audit log.
    events: Option<u64>,
    /// Single fields among what went.
    fields: Option<u64>,
    /// The removals that carried it out.
    removals: Vec<String>,
    /// Segments rewritten, and their bytes before and after.
    segments: Option<u64>,
    bytes_before: Option<u64>,
    bytes_after: Option<u64>,
    /// Exports that were deleted, since they held what went.
    exports: Vec<String>,
    /// Things that people wrote and that still name the person: change them by hand.
    #[schema(value_type = Vec<MentionShape>)]
    not_reached: Value,
}

/// Something that people wrote and that names the person.
#[derive(ToSchema)]
#[schema(as = Mention)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct MentionShape {
    /// destination, hold, retention or saved_view.
    r#type: String,
    id: Option<String>,
}

/// A page of erasures, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErasureList {
    data: Vec<ErasureView>,
    next_cursor: Option<String>,
}

/// What is to be erased: exactly one of events, filter and subject.
#[derive(ToSchema)]
#[schema(as = NewErasure)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewErasureShape {
    /// Ids of events; at most 1,000.
    events: Option<Vec<String>>,
    /// Text in the filter language, without "now".
    filter: Option<String>,
    /// Values that name a person: ids, e-mail addresses, names; at most 16 of 3 to 1,024 bytes.
    subject: Option<Vec<String>>,
    /// JSON pointers of the fields that go, with all below them; without, whole payloads go.
    fields: Option<Vec<String>>,
    /// Stands in the log for ever; must not name anybody.
    legal_basis: String,
}

/// A removal: what a log lost, by position.
#[derive(Serialize, ToSchema)]
#[schema(as = Removal)]
pub(crate) struct RemovalView {
    id: String,
    /// retention or erasure.
    kind: &'static str,
    /// Id of the run or the erasure.
    cause: String,
    /// The log.
    origin: String,
    /// listed, covered or done.
    state: &'static str,
    events: u64,
    /// SHA-256 of the list, which the covering event commits to.
    list_sha256: String,
    covering_event: String,
    covering_seq: Option<u64>,
    created_at: String,
    done_at: Option<String>,
}

/// A page of removals, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct RemovalList {
    data: Vec<RemovalView>,
    next_cursor: Option<String>,
}

/// The clock.
#[derive(Serialize, ToSchema)]
#[schema(as = Clock)]
pub(crate) struct ClockView {
    now: String,
    /// When retention was paused because the clock jumped; null while it is not.
    retention_paused_at: Option<String>,
}

fn retention(retention: Retention) -> Response {
    reply(StatusCode::OK, &RetentionView { policy: retention.policy, source: retention.source })
}

fn preview(preview: RetentionPreview) -> PreviewView {
    let ranges = preview.ranges.into_iter().map(|(first, last)| Range { first, last });
    let classes = preview.classes.into_iter();
    let classes = classes.map(|(name, events)| ClassCount {
        name: Some(name).filter(|name| !name.is_empty()),
        events,
    });
    PreviewView {
        events: preview.events,
        ranges: ranges.collect(),
        oldest_received_at: preview.oldest_ms.map(time),
        newest_received_at: preview.newest_ms.map(time),
        classes: classes.collect(),
        held: preview.held,
    }
}

fn run(row: RunRow) -> RunView {
    let detail: Value = serde_json::from_str(&row.detail).unwrap_or_default();
    let count = |name: &str| detail[name].as_u64().unwrap_or(0);
    RunView {
        tenant: row.tenant.map(|tenant| tenant.to_string()),
        started_at: time(row.started_ms),
        ended_at: row.ended_ms.map(time),
        state: detail["state"].as_str().unwrap_or("running").to_owned(),
        events: count("events"),
        held: count("held"),
        logs: count("logs"),
        segments: count("segments"),
        bytes_before: count("bytes_before"),
        bytes_after: count("bytes_after"),
        budget_spent: detail["budget_spent"] == true,
        error: detail["error"].as_str().map(str::to_owned),
        id: row.id,
    }
}

fn hold(row: HoldRow) -> HoldView {
    HoldView {
        id: row.id,
        name: row.name,
        filter: row.filter,
        custodians: serde_json::from_str(&row.custodians).unwrap_or_default(),
        reason: row.reason,
        state: if row.released_ms.is_some() { "released" } else { "in_force" },
        placed_at: time(row.placed_ms),
        placed_by: row.placed_by,
        released_at: row.released_ms.map(time),
        released_by: row.released_by,
    }
}

fn erasure(row: ErasureRow) -> ErasureView {
    let result: Value = serde_json::from_str(&row.result).unwrap_or_default();
    let texts = |name: &str| {
        let texts = result[name].as_array().into_iter().flatten();
        texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let pending = row.state == "pending";
    ErasureView {
        by: result["by"].as_str().map(str::to_owned),
        legal_basis: row.legal_basis,
        created_at: time(row.created_ms),
        created_by: row.created_by,
        done_at: row.done_ms.map(time),
        holds: if pending { texts("holds") } else { vec![] },
        events: result["events"].as_u64(),
        fields: result["fields"].as_u64(),
        removals: texts("removals"),
        exports: texts("exports"),
        segments: result["segments"].as_u64(),
        bytes_before: result["bytes_before"].as_u64(),
        bytes_after: result["bytes_after"].as_u64(),
        not_reached: result.get("not_reached").cloned().unwrap_or_else(|| Value::Array(vec![])),
        id: row.id,
        state: row.state,
    }
}

fn removal(row: RemovalRow) -> RemovalView {
    RemovalView {
        id: row.id,
        kind: match row.kind {
            RemovalKind::Retention => "retention",
            RemovalKind::Erasure => "erasure",
        },
        cause: row.cause,
        origin: row.origin,
        state: match row.state {
            RemovalState::Listed => "listed",
            RemovalState::Covered => "covered",
            RemovalState::Done => "done",
        },
        events: row.events,
        list_sha256: attestary_event::event::hex(&row.sha256),
        covering_event: row.event_id.to_string(),
        covering_seq: row.cover_seq,
        created_at: time(row.created_ms),
        done_at: row.done_ms.map(time),
    }
}

fn clock(state: ClockState) -> Response {
    let view =
        ClockView { now: time(state.now_ms), retention_paused_at: state.paused_ms.map(time) };
    reply(StatusCode::OK, &view)
}

/// Reads `limit` and `cursor`.
fn page(query: Option<&str>) -> Result<(usize, Option<String>), Problem> {
    let query = Query::parse(query, &["limit", "cursor"])?;
    let limit = query.count("limit", search_limits::MAX)?.unwrap_or(search_limits::DEFAULT);
    Ok((limit, query.text("cursor").map(str::to_owned)))
}

/// Read the retention policy of the environment.
#[utoipa::path(
    get, path = "/v1/retention", tag = "governance",
    responses((status = 200, description = "The policy", body = RetentionView))
)]
pub(crate) async fn environment_retention(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    Ok(retention(state.service.retention(&caller, None).await?))
}

/// Set the retention policy of the environment: it rules tenants without one, and bounds the others.
#[utoipa::path(
    put, path = "/v1/retention", tag = "governance", request_body = RetentionPolicyShape,
    responses((status = 200, description = "Set", body = RetentionView))
)]
pub(crate) async fn set_environment_retention(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    let document = posted.members()?.into_map();
    Ok(retention(state.service.set_retention(&posted.caller, None, &document).await?))
}

/// Take the retention policy of the environment away: everything is kept.
#[utoipa::path(
    delete, path = "/v1/retention", tag = "governance",
    responses((status = 200, description = "The policy that rules now", body = RetentionView))
)]
pub(crate) async fn unset_environment_retention(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    Ok(retention(state.service.unset_retention(&caller, None).await?))
}

/// Read the retention policy that rules a tenant.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/retention", tag = "governance",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The policy", body = RetentionView))
)]
pub(crate) async fn tenant_retention(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    Ok(retention(state.service.retention(&caller, Some(&tenant)).await?))
}

/// Set a tenant's own retention policy.
#[utoipa::path(
    put, path = "/v1/tenants/{tenant}/retention", tag = "governance", request_body = RetentionPolicyShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "Set", body = RetentionView))
)]
pub(crate) async fn set_tenant_retention(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let document = posted.members()?.into_map();
    Ok(retention(state.service.set_retention(&posted.caller, Some(&tenant), &document).await?))
}

/// Take a tenant's own policy away: that of its environment rules.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/retention", tag = "governance",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The policy that rules now", body = RetentionView))
)]
pub(crate) async fn unset_tenant_retention(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    Ok(retention(state.service.unset_retention(&caller, Some(&tenant)).await?))
}

/// Show what a run would remove from a tenant's log, and remove nothing.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/retention/preview", tag = "governance", request_body = PreviewShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "What would go", body = PreviewView))
)]
pub(crate) async fn preview_retention(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut policy = None;
    if !posted.body.is_empty() {
        let mut members = posted.members()?;
        policy = members.object("policy");
        members.finish()?;
    }
    let shown = state.service.preview_retention(&posted.caller, &tenant, policy.as_ref()).await?;
    Ok(reply(StatusCode::OK, &preview(shown)))
}

/// Remove now what is over in all logs of the environment.
#[utoipa::path(
    post, path = "/v1/retention/runs", tag = "governance",
    responses((status = 202, description = "Begun", body = RunView))
)]
pub(crate) async fn run_environment_retention(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    let begun = state.service.begin_retention_run(&posted.caller, None).await?;
    Ok(reply(StatusCode::ACCEPTED, &run(begun)))
}

/// Remove now what is over in a tenant's log.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/retention/runs", tag = "governance",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 202, description = "Begun", body = RunView))
)]
pub(crate) async fn run_tenant_retention(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    let begun = state.service.begin_retention_run(&posted.caller, Some(&tenant)).await?;
    Ok(reply(StatusCode::ACCEPTED, &run(begun)))
}

/// List runs of the environment, newest first.
#[utoipa::path(
    get, path = "/v1/retention/runs", tag = "governance",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 by default"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page", body = RetentionRunList))
)]
pub(crate) async fn retention_runs(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (limit, cursor) = page(query.as_deref())?;
    let page = state.service.list_retention_runs(&caller, cursor.as_deref(), limit).await?;
    let data = page.runs.into_iter().map(run).collect();
    Ok(reply(StatusCode::OK, &List { data, next_cursor: page.next_cursor }))
}

/// Place a legal hold: what it selects stays.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/holds", tag = "governance", request_body = NewHoldShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 201, description = "Placed", body = HoldView))
)]
pub(crate) async fn place_hold(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewHold {
        name: members.required_text("name"),
        filter: members.text("filter").unwrap_or_default(),
        custodians: members.texts("custodians").unwrap_or_default(),
        reason: members.text("reason").unwrap_or_default(),
    };
    members.finish()?;
    let placed = state.service.place_hold(&posted.caller, &tenant, new).await?;
    Ok(reply(StatusCode::CREATED, &hold(placed)))
}

/// List a tenant's holds by id, released ones included.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/holds", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 by default"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page", body = HoldList))
)]
pub(crate) async fn holds(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (limit, cursor) = page(query.as_deref())?;
    let page = state.service.list_holds(&caller, &tenant, cursor.as_deref(), limit).await?;
    let data = page.holds.into_iter().map(hold).collect();
    Ok(reply(StatusCode::OK, &List { data, next_cursor: page.next_cursor }))
}

/// Read one hold.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/holds/{id}", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The hold's id"),
    ),
    responses((status = 200, description = "The hold", body = HoldView))
)]
pub(crate) async fn one_hold(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &hold(state.service.hold(&caller, &tenant, &id).await?)))
}

/// Release a hold: retention and erasures go on.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/holds/{id}/release", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The hold's id"),
    ),
    responses((status = 200, description = "Released", body = HoldView))
)]
pub(crate) async fn release_hold(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    let released = state.service.release_hold(&posted.caller, &tenant, &id).await?;
    Ok(reply(StatusCode::OK, &hold(released)))
}

/// Ask for an erasure: values leave every place that the service keeps, proofs stay.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/erasures", tag = "governance", request_body = NewErasureShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 202, description = "Begun", body = ErasureView))
)]
pub(crate) async fn request_erasure(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewErasure {
        events: members.texts("events"),
        filter: members.text("filter"),
        subject: members.texts("subject"),
        fields: members.texts("fields"),
        legal_basis: members.required_text("legal_basis"),
    };
    members.finish()?;
    let begun = state.service.request_erasure(&posted.caller, &tenant, new).await?;
    Ok(reply(StatusCode::ACCEPTED, &erasure(begun)))
}

/// List a tenant's erasures, newest first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/erasures", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 by default"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page", body = ErasureList))
)]
pub(crate) async fn erasures(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (limit, cursor) = page(query.as_deref())?;
    let page = state.service.list_erasures(&caller, &tenant, cursor.as_deref(), limit).await?;
    let data = page.erasures.into_iter().map(erasure).collect();
    Ok(reply(StatusCode::OK, &List { data, next_cursor: page.next_cursor }))
}

/// Read one erasure.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/erasures/{id}", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The erasure's id"),
    ),
    responses((status = 200, description = "The erasure", body = ErasureView))
)]
pub(crate) async fn one_erasure(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &erasure(state.service.erasure(&caller, &tenant, &id).await?)))
}

/// Read the certificate of an erasure that is done: what went by position, when, why, and what proves it, as a note
/// signed by the log.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/erasures/{id}/certificate", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The erasure's id"),
    ),
    responses((status = 200, description = "The signed note", body = String, content_type = "text/plain"))
)]
pub(crate) async fn certificate(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let note = state.service.erasure_certificate(&caller, &tenant, &id).await?;
    Ok(super::proofs::text(note.to_string()))
}

/// Read the certificate of a retention run that has ended, for one tenant's log.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/retention/runs/{id}/certificate", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The run's id"),
    ),
    responses((status = 200, description = "The signed note", body = String, content_type = "text/plain"))
)]
pub(crate) async fn retention_certificate(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let note = state.service.retention_certificate(&caller, &tenant, &id).await?;
    Ok(super::proofs::text(note.to_string()))
}

/// List what a tenant's log lost, oldest first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/removals", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 by default"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page", body = RemovalList))
)]
pub(crate) async fn removals(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (limit, cursor) = page(query.as_deref())?;
    let page = state.service.list_removals(&caller, &tenant, cursor.as_deref(), limit).await?;
    let data = page.removals.into_iter().map(removal).collect();
    Ok(reply(StatusCode::OK, &List { data, next_cursor: page.next_cursor }))
}

/// Read a removal's list: the text whose SHA-256 the covering event commits to.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/removals/{id}/list", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The removal's id"),
    ),
    responses((status = 200, description = "The list", body = String, content_type = "text/plain"))
)]
pub(crate) async fn removal_list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let row = state.service.removal(&caller, &tenant, &id).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], row.list).into_response())
}

/// Read the clock that retention goes by.
#[utoipa::path(
    get, path = "/v1/clock", tag = "governance",
    responses((status = 200, description = "The clock", body = ClockView))
)]
pub(crate) async fn clock_state(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    Ok(clock(state.service.clock_state(&caller).await?))
}

/// Confirm that the clock is right after it jumped: retention goes on.
#[utoipa::path(
    post, path = "/v1/clock/confirm", tag = "governance",
    responses((status = 200, description = "Confirmed", body = ClockView))
)]
pub(crate) async fn confirm_clock(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    Ok(clock(state.service.confirm_clock(&posted.caller).await?))
}

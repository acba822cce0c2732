//! Retention: how long events are kept, what a run would remove, and what runs removed.

use attestary_service::{Retention, RetentionPreview, RunRow};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::page;
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    routes::{List, proofs, reply, time},
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
    Ok(proofs::text(note.to_string()))
}

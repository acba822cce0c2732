//! `/v1/usage` and quotas: what keys and tenants used, and what they may use in a month.

use attestary_event::{TenantId, Violation};
use attestary_service::{
    Quota, QuotaStatus, Subject, UsageAsked, UsageBy, UsageCount, UsageLine, UsageReport,
};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{reply, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    members::Members,
    problem::Problem,
    query::Query,
};

/// What was used within a range of days.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageView {
    /// First day (UTC).
    from: String,
    /// The day after the last one.
    to: String,
    /// tenant, key or day: what the lines are.
    by: &'static str,
    data: Vec<UsageLineView>,
    total: CountView,
}

/// Accepted events that were new, and the bytes of their committed JSON.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageCount)]
pub(crate) struct CountView {
    events: u64,
    bytes: u64,
}

/// One tenant, key or day.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageLine)]
pub(crate) struct UsageLineView {
    /// Id of the tenant or key, or the day.
    name: String,
    accepted: CountView,
    /// Events of the tenant's log, service events included; of tenants only.
    stored_events: Option<u64>,
    /// The quota of this month; null where there is none.
    quota: Option<QuotaView>,
}

/// What may be used in a calendar month (UTC), and what is left of this one.
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
pub(crate) struct QuotaView {
    events_per_month: Option<u64>,
    bytes_per_month: Option<u64>,
    /// What goes beyond is refused with 429; otherwise it is only shown.
    refuse: bool,
    /// Used since the month began.
    used: CountView,
    /// Not below 0; null without a limit.
    events_left: Option<u64>,
    bytes_left: Option<u64>,
    /// When the next month begins.
    renewed_at: String,
}

/// A quota; without limits, the quota is removed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct QuotaChange {
    events_per_month: Option<u64>,
    bytes_per_month: Option<u64>,
    /// false by default: what goes beyond is accepted and shown.
    refuse: Option<bool>,
}

const BY: [(&str, UsageBy); 3] =
    [("tenant", UsageBy::Tenant), ("key", UsageBy::Key), ("day", UsageBy::Day)];

/// Read what keys and tenants used, and what is left of their quotas.
#[utoipa::path(
    get, path = "/v1/usage", tag = "usage",
    params(
        ("from" = Option<String>, Query, description = "First day (UTC), such as 2026-11-01; the first of this month by default"),
        ("to" = Option<String>, Query, description = "The day after the last one; tomorrow by default"),
        ("by" = Option<String>, Query, description = "tenant (default), key or day"),
        ("tenant" = Option<String>, Query, description = "Only this tenant"),
        ("key" = Option<String>, Query, description = "Only this key, by its id"),
    ),
    responses((status = 200, description = "The usage", body = UsageView))
)]
pub(crate) async fn report(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["from", "to", "by", "tenant", "key"])?;
    let names = BY.map(|(name, _)| name);
    let (name, by) = BY[query.choice("by", &names)?.unwrap_or(0)];
    let text = |name: &str| query.text(name).map(str::to_owned);
    let asked = UsageAsked {
        from: text("from"),
        to: text("to"),
        tenant: text("tenant"),
        key: text("key"),
        by,
    };
    let report = state.service.usage(&caller, asked).await?;
    Ok(reply(StatusCode::OK, &view(report, name)))
}

/// Set what a tenant may use in a month.
#[utoipa::path(
    put, path = "/v1/tenants/{tenant}/quota", tag = "usage", request_body = QuotaChange,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The quota; null when it was removed", body = QuotaView))
)]
pub(crate) async fn set_of_tenant(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let tenant = TenantId::parse(&tenant).map_err(|_| Problem::not_found())?;
    set(&state, posted, Subject::Tenant(tenant)).await
}

/// Set what a key may use in a month.
#[utoipa::path(
    put, path = "/v1/keys/{id}/quota", tag = "usage", request_body = QuotaChange,
    params(("id" = String, Path, description = "key_…")),
    responses((status = 200, description = "The quota; null when it was removed", body = QuotaView))
)]
pub(crate) async fn set_of_key(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    set(&state, posted, Subject::Key(id)).await
}

async fn set(state: &State, posted: Posted, subject: Subject) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let quota = Quota {
        events: limit(&mut members, "events_per_month"),
        bytes: limit(&mut members, "bytes_per_month"),
        refuse: members.flag("refuse").unwrap_or_default(),
    };
    members.finish()?;
    let status = state.service.set_quota(&posted.caller, subject, quota).await?;
    Ok(reply(StatusCode::OK, &status.map(quota_view)))
}

fn limit(members: &mut Members, name: &'static str) -> Option<u64> {
    let value = members.take(name)?;
    let number = value.as_u64().filter(|number| *number <= i64::MAX as u64);
    if number.is_none() {
        members.refuse(Violation::new(format!("/{name}"), "must be a whole number of at least 0"));
    }
    number
}

fn view(report: UsageReport, by: &'static str) -> UsageView {
    UsageView {
        from: report.from,
        to: report.to,
        by,
        data: report.lines.into_iter().map(line_view).collect(),
        total: count_view(report.total),
    }
}

fn line_view(line: UsageLine) -> UsageLineView {
    UsageLineView {
        name: line.name,
        accepted: count_view(line.accepted),
        stored_events: line.stored_events,
        quota: line.quota.map(quota_view),
    }
}

fn count_view(count: UsageCount) -> CountView {
    CountView { events: count.events, bytes: count.bytes }
}

fn quota_view(status: QuotaStatus) -> QuotaView {
    let left = |limit: Option<u64>, used: u64| limit.map(|limit| limit.saturating_sub(used));
    QuotaView {
        events_per_month: status.quota.events,
        bytes_per_month: status.quota.bytes,
        refuse: status.quota.refuse,
        used: count_view(status.used),
        events_left: left(status.quota.events, status.used.events),
        bytes_left: left(status.quota.bytes, status.used.bytes),
        renewed_at: time(status.renewed_ms),
    }
}

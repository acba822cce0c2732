//! `/v1/tenants/{tenant}/alerts`: told when there are too many of some events.

use attestary_event::Timestamp;
use attestary_service::{Alert, AlertChange, NewAlert};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{List, done, reply};
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    query::Query,
};

/// An alert.
#[derive(Serialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct AlertView {
    id: String,
    name: String,
    /// Text in the filter language.
    filter: String,
    /// Events that raise it, 1 to 1,000.
    threshold: u32,
    /// Length of the window, 1 to 604,800.
    window_seconds: u64,
    /// Path whose values are counted apart.
    group_by: Option<String>,
    enabled: bool,
    created_at: String,
    changed_at: String,
    last_raised_at: Option<String>,
    /// Filter that selects the events of this alert, for a search or a destination.
    selects: String,
}

/// All alerts of a tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertList)]
pub(crate) struct AlertList {
    data: Vec<AlertView>,
    next_cursor: Option<String>,
}

/// What an alert is made from; all are optional in a change.
#[derive(ToSchema)]
#[schema(as = NewAlert)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewAlertShape {
    name: String,
    /// Without times relative to now.
    filter: Option<String>,
    threshold: u64,
    window_seconds: u64,
    /// Empty: nothing is counted apart.
    group_by: Option<String>,
    /// True when absent.
    enabled: Option<bool>,
}

fn view(alert: Alert) -> AlertView {
    let time = |ms: u64| Timestamp(ms as i64).to_string();
    AlertView {
        selects: alert.selects(),
        id: alert.id,
        name: alert.name,
        filter: alert.filter,
        threshold: alert.threshold,
        window_seconds: alert.window_seconds,
        group_by: alert.group_by,
        enabled: alert.enabled,
        created_at: time(alert.created_ms),
        changed_at: time(alert.changed_ms),
        last_raised_at: alert.raised_ms.map(time),
    }
}

/// Make an alert; it counts what is received from now on.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/alerts", tag = "alerts", request_body = NewAlertShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 201, description = "Made", body = AlertView))
)]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewAlert {
        name: members.required_text("name"),
        filter: members.text("filter").unwrap_or_default(),
        threshold: members.required_whole("threshold"),
        window_seconds: members.required_whole("window_seconds"),
        group_by: members.text("group_by").filter(|path| !path.is_empty()),
        enabled: members.flag("enabled").unwrap_or(true),
    };
    members.finish()?;
    let alert = state.service.create_alert(&posted.caller, &tenant, new).await?;
    Ok(reply(StatusCode::CREATED, &view(alert)))
}

/// List a tenant's alerts, oldest first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/alerts", tag = "alerts",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "All of them", body = AlertList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref(), &[])?;
    let alerts = state.service.list_alerts(&caller, &tenant).await?;
    Ok(reply(StatusCode::OK, &List::whole(alerts.into_iter().map(view).collect())))
}

/// Get an alert.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/alerts/{id}", tag = "alerts",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "alr_…")),
    responses((status = 200, description = "The alert", body = AlertView))
)]
pub(crate) async fn get(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let alert = state.service.alert(&caller, &tenant, &id).await?;
    Ok(reply(StatusCode::OK, &view(alert)))
}

/// Change an alert; unless only its name changes, it counts anew from now on.
#[utoipa::path(
    patch, path = "/v1/tenants/{tenant}/alerts/{id}", tag = "alerts", request_body = NewAlertShape,
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "alr_…")),
    responses((status = 200, description = "Changed", body = AlertView))
)]
pub(crate) async fn change(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let change = AlertChange {
        name: members.text("name"),
        filter: members.text("filter"),
        threshold: members.whole("threshold"),
        window_seconds: members.whole("window_seconds"),
        group_by: members.text("group_by"),
        enabled: members.flag("enabled"),
    };
    members.finish()?;
    let alert = state.service.change_alert(&posted.caller, &tenant, &id, change).await?;
    Ok(reply(StatusCode::OK, &view(alert)))
}

/// Delete an alert; the events that it wrote stay.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/alerts/{id}", tag = "alerts",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "alr_…")),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    state.service.delete_alert(&caller, &tenant, &id).await?;
    Ok(done())
}

//! Legal holds: events that retention and erasures leave alone.

use attestary_service::{HoldRow, NewHold};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::page;
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    routes::{List, reply, time},
};

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

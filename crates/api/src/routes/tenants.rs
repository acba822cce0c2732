//! `/v1/tenants`: the customers of the application.

use attestary_service::{NewTenant, Tenant, search_limits};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{List, done, reply, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    query::Query,
};

/// A tenant and its log.
#[derive(Serialize, ToSchema)]
#[schema(as = Tenant)]
pub(crate) struct TenantView {
    id: String,
    environment: String,
    name: Option<String>,
    /// open or closed.
    state: &'static str,
    created_at: String,
    /// Events in its log, the genesis event included.
    events: u64,
    /// Name of its log; a deleted tenant that comes back gets another one.
    origin: String,
}

/// A page of tenants by id.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantList {
    data: Vec<TenantView>,
    next_cursor: Option<String>,
}

/// What a tenant is made from.
#[derive(ToSchema)]
#[schema(as = NewTenant)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewTenantShape {
    /// The application's own string: 1 to 128 bytes, no control characters, not starting with "_".
    id: String,
    name: Option<String>,
}

fn view(tenant: Tenant) -> TenantView {
    TenantView {
        id: tenant.id.to_string(),
        environment: tenant.environment.to_string(),
        name: tenant.name,
        state: tenant.state,
        created_at: time(tenant.created_ms),
        events: tenant.events,
        origin: tenant.origin,
    }
}

/// Create a tenant and its log.
#[utoipa::path(
    post, path = "/v1/tenants", tag = "tenants", request_body = NewTenantShape,
    responses((status = 201, description = "Created", body = TenantView))
)]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewTenant { id: members.required_text("id"), name: members.text("name") };
    members.finish()?;
    let tenant = state.service.create_tenant(&posted.caller, new).await?;
    Ok(reply(StatusCode::CREATED, &view(tenant)))
}

/// List tenants by id.
#[utoipa::path(
    get, path = "/v1/tenants", tag = "tenants",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 by default"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page", body = TenantList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["limit", "cursor"])?;
    let limit = query.count("limit", search_limits::MAX)?.unwrap_or(search_limits::DEFAULT);
    let page = state.service.list_tenants(&caller, query.text("cursor"), limit).await?;
    let data = page.tenants.into_iter().map(view).collect();
    Ok(reply(StatusCode::OK, &List { data, next_cursor: page.next_cursor }))
}

/// Read one tenant.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}", tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The tenant", body = TenantView))
)]
pub(crate) async fn one(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &view(state.service.tenant(&caller, &tenant).await?)))
}

/// Close a tenant: it keeps its events and takes no more.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/close", tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "Closed", body = TenantView))
)]
pub(crate) async fn close(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    Ok(reply(
        StatusCode::OK,
        &view(state.service.set_tenant_closed(&posted.caller, &tenant, true).await?),
    ))
}

/// Open a closed tenant again.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/open", tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "Open", body = TenantView))
)]
pub(crate) async fn open(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    Ok(reply(
        StatusCode::OK,
        &view(state.service.set_tenant_closed(&posted.caller, &tenant, false).await?),
    ))
}

/// Delete a tenant with all its events and destinations.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}", tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    state.service.delete_tenant(&caller, &tenant).await?;
    Ok(done())
}

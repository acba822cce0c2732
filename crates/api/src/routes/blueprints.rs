//! `/v1/destination-blueprints`: destinations that every tenant of an environment gets.

use attestary_service::Blueprint;
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{List, destinations, done, reply, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    query::Query,
};

/// A blueprint, without secrets.
#[derive(Serialize, ToSchema)]
#[schema(as = Blueprint)]
pub(crate) struct BlueprintView {
    id: String,
    /// Name of the destinations.
    name: String,
    /// Their type.
    #[serde(rename = "type")]
    kind: String,
    /// Their settings, without secrets.
    #[schema(value_type = Object)]
    config: Value,
    /// Null for the type's usual one.
    #[schema(value_type = Object)]
    format: Value,
    filter: String,
    /// Tenants that have one.
    copies: usize,
    created_at: String,
}

/// All blueprints of an environment.
#[derive(Serialize, ToSchema)]
#[schema(as = BlueprintList)]
pub(crate) struct BlueprintList {
    data: Vec<BlueprintView>,
    next_cursor: Option<String>,
}

fn view(blueprint: Blueprint) -> BlueprintView {
    BlueprintView {
        id: blueprint.id,
        name: blueprint.name,
        kind: blueprint.kind,
        config: blueprint.config,
        format: blueprint.format,
        filter: blueprint.filter,
        copies: blueprint.copies,
        created_at: time(blueprint.created_ms),
    }
}

/// List the blueprints of the environment.
#[utoipa::path(
    get, path = "/v1/destination-blueprints", tag = "destinations",
    responses((status = 200, description = "All of them", body = BlueprintList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref(), &[])?;
    let found = state.service.list_blueprints(&caller).await?;
    Ok(reply(StatusCode::OK, &List::whole(found.into_iter().map(view).collect())))
}

/// Make a blueprint: every tenant of the environment gets a destination like this, now and when it appears.
#[utoipa::path(
    post, path = "/v1/destination-blueprints", tag = "destinations", request_body = destinations::NewDestinationShape,
    responses((status = 201, description = "Made; the destinations follow shortly", body = BlueprintView))
)]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    let new = destinations::read_new(&posted)?;
    let made = state.service.create_blueprint(&posted.caller, new).await?;
    Ok(reply(StatusCode::CREATED, &view(made)))
}

/// Change a blueprint: the destinations that came of it follow shortly. A configuration is given whole, with its secrets.
#[utoipa::path(
    patch, path = "/v1/destination-blueprints/{id}", tag = "destinations",
    request_body = destinations::DestinationChangeShape,
    params(("id" = String, Path, description = "The blueprint's id")),
    responses((status = 200, description = "Changed", body = BlueprintView))
)]
pub(crate) async fn change(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let change = destinations::read_change(&posted)?;
    let changed = state.service.change_blueprint(&posted.caller, &id, change).await?;
    Ok(reply(StatusCode::OK, &view(changed)))
}

/// Remove a blueprint and the destinations that came of it.
#[utoipa::path(
    delete, path = "/v1/destination-blueprints/{id}", tag = "destinations",
    params(("id" = String, Path, description = "The blueprint's id")),
    responses((status = 204, description = "Removed"))
)]
pub(crate) async fn delete(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    state.service.delete_blueprint(&caller, &id).await?;
    Ok(done())
}

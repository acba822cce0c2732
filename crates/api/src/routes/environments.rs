//! `/v1/environments`: namespaces with tenants and keys of their own. For operators.

use attestary_event::Violation;
use attestary_service::{Environment, EnvironmentChange as Change};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{List, reply, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    members::Members,
    problem::Problem,
    query::Query,
};

/// An environment.
#[derive(Serialize, ToSchema)]
#[schema(as = Environment)]
pub(crate) struct EnvironmentView {
    name: String,
    /// Events for unknown tenants are refused.
    closed: bool,
    /// What becomes of such an event at a door that may not refuse it: discard or stdout.
    unknown_events: &'static str,
    created_at: String,
}

/// All environments.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnvironmentList {
    data: Vec<EnvironmentView>,
    next_cursor: Option<String>,
}

/// A new environment.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewEnvironment {
    /// 1 to 32 of a-z, 0-9 and "-", starting with a letter.
    name: String,
    /// Tenants must be created before their first event; false by default.
    closed: Option<bool>,
    /// discard (default) or stdout.
    unknown_events: Option<String>,
}

/// What of an environment can be changed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct EnvironmentChange {
    closed: Option<bool>,
    /// discard or stdout.
    unknown_events: Option<String>,
}

fn view(environment: Environment) -> EnvironmentView {
    EnvironmentView {
        name: environment.name.to_string(),
        closed: environment.closed,
        unknown_events: if environment.print_unknown { "stdout" } else { "discard" },
        created_at: time(environment.created_ms),
    }
}

/// Create an environment.
#[utoipa::path(
    post, path = "/v1/environments", tag = "environments", request_body = NewEnvironment,
    responses((status = 201, description = "Created", body = EnvironmentView))
)]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let name = members.required_text("name");
    let given = read_change(&mut members);
    members.finish()?;
    let environment = state.service.create_environment(&posted.caller, &name, given).await?;
    Ok(reply(StatusCode::CREATED, &view(environment)))
}

/// List all environments.
#[utoipa::path(
    get, path = "/v1/environments", tag = "environments",
    responses((status = 200, description = "All environments", body = EnvironmentList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref(), &[])?;
    let environments = state.service.list_environments(&caller).await?;
    Ok(reply(StatusCode::OK, &List::whole(environments.into_iter().map(view).collect())))
}

/// Read one environment.
#[utoipa::path(
    get, path = "/v1/environments/{name}", tag = "environments",
    params(("name" = String, Path, description = "The environment's name")),
    responses((status = 200, description = "The environment", body = EnvironmentView))
)]
pub(crate) async fn one(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &view(state.service.environment(&caller, &name).await?)))
}

/// Change what an environment does with events for unknown tenants.
#[utoipa::path(
    patch, path = "/v1/environments/{name}", tag = "environments", request_body = EnvironmentChange,
    params(("name" = String, Path, description = "The environment's name")),
    responses((status = 200, description = "Changed", body = EnvironmentView))
)]
pub(crate) async fn change(
    Shared(state): Shared<State>,
    Path(name): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let change = read_change(&mut members);
    if change == Change::default() {
        let detail = "\"closed\" or \"unknown_events\" is required";
        members.refuse(Violation::new("", detail));
    }
    members.finish()?;
    let environment = state.service.change_environment(&posted.caller, &name, change).await?;
    Ok(reply(StatusCode::OK, &view(environment)))
}

/// Reads the members that say what becomes of events for unknown tenants.
fn read_change(members: &mut Members) -> Change {
    let closed = members.flag("closed");
    let print_unknown = match members.text("unknown_events").as_deref() {
        None => None,
        Some("discard") => Some(false),
        Some("stdout") => Some(true),
        Some(_) => {
            members.refuse(Violation::new("/unknown_events", "must be discard or stdout"));
            None
        }
    };
    Change { closed, print_unknown }
}

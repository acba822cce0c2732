//! `/v1/actions`: schemas of actions, and how strictly they are taken.

use attestary_service::{ActionSchema, SchemaMode};
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
    problem::{INVALID_BODY, Item, Problem},
    query::Query,
};

/// One version of an action's schema.
#[derive(Serialize, ToSchema)]
#[schema(as = ActionSchema)]
pub(crate) struct SchemaView {
    action: String,
    version: u64,
    /// `metadata`, `actor.metadata` and, for each type of target, `targets[].metadata`, as JSON Schemas.
    #[schema(value_type = Object)]
    schema: serde_json::Value,
    created_at: String,
    /// Events that broke it since the server started.
    violations: u64,
}

/// The latest version of every action with a schema.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionList {
    data: Vec<SchemaView>,
    next_cursor: Option<String>,
    /// off, warn or enforce.
    mode: &'static str,
}

/// All versions of one action.
#[derive(Serialize, ToSchema)]
pub(crate) struct SchemaList {
    data: Vec<SchemaView>,
    next_cursor: Option<String>,
}

/// How strictly schemas are taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct Mode {
    /// off, warn or enforce.
    mode: &'static str,
}

/// What is wrong with the events of a dry run.
#[derive(Serialize, ToSchema)]
pub(crate) struct Checked {
    valid: bool,
    #[schema(value_type = Vec<Object>)]
    errors: Vec<Item>,
}

pub(crate) fn view(schema: &ActionSchema) -> SchemaView {
    SchemaView {
        action: schema.action.clone(),
        version: schema.version,
        schema: schema.schema.clone(),
        created_at: time(schema.created_ms),
        violations: schema.violations(),
    }
}

/// List the actions that have a schema, and the mode.
#[utoipa::path(
    get, path = "/v1/actions", tag = "actions",
    responses((status = 200, description = "By name", body = ActionList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref(), &[])?;
    let (latest, mode) = state.service.list_actions(&caller).await?;
    let data = latest.iter().map(|schema| view(schema)).collect();
    Ok(reply(StatusCode::OK, &ActionList { data, next_cursor: None, mode: mode.name() }))
}

/// Say how strictly schemas are taken: off, warn or enforce.
#[utoipa::path(
    put, path = "/v1/actions", tag = "actions", request_body = Mode,
    responses((status = 200, description = "Set", body = Mode))
)]
pub(crate) async fn set_mode(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let name = members.required_text("mode");
    members.finish()?;
    let mode = SchemaMode::parse(&name).ok_or_else(|| {
        let detail = "\"mode\" is off, warn or enforce";
        Problem::new(&INVALID_BODY, detail).at("/mode", detail)
    })?;
    state.service.set_schema_mode(&posted.caller, mode).await?;
    Ok(reply(StatusCode::OK, &Mode { mode: mode.name() }))
}

/// List the versions of an action's schema, oldest first.
#[utoipa::path(
    get, path = "/v1/actions/{name}", tag = "actions",
    params(("name" = String, Path, description = "The action")),
    responses((status = 200, description = "All versions", body = SchemaList))
)]
pub(crate) async fn versions(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let versions = state.service.action_schemas(&caller, &name).await?;
    let data: Vec<SchemaView> = versions.iter().map(|schema| view(schema)).collect();
    Ok(reply(StatusCode::OK, &List::whole(data)))
}

/// Make a new version of an action's schema; the same content again changes nothing.
#[utoipa::path(
    post, path = "/v1/actions/{name}", tag = "actions", request_body = serde_json::Value,
    params(("name" = String, Path, description = "The action")),
    responses(
        (status = 201, description = "A new version", body = SchemaView),
        (status = 200, description = "The latest version has this content", body = SchemaView),
    )
)]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    Path(name): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let schema = serde_json::from_slice(&posted.body)
        .map_err(|error| Problem::new(&INVALID_BODY, format!("the body is not JSON: {error}")))?;
    let (made, is_new) = state.service.create_action_schema(&posted.caller, &name, schema).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(reply(status, &view(&made)))
}

/// Check events against all rules and their schemas without storing them.
#[utoipa::path(
    post, path = "/v1/events/check", tag = "events", request_body = serde_json::Value,
    responses((status = 200, description = "What submitting them under enforce would say", body = Checked))
)]
pub(crate) async fn check(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    let form = posted.form()?;
    let found = state.service.check_only(&posted.caller, posted.body, form).await?;
    let errors: Vec<Item> = found
        .into_iter()
        .map(|item| Item {
            index: Some(item.index),
            pointer: item.violation.pointer,
            detail: item.violation.detail,
        })
        .collect();
    Ok(reply(StatusCode::OK, &Checked { valid: errors.is_empty(), errors }))
}

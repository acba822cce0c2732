//! `/v1/sources`: the switches of the doors through which events come in.

use attestary_service::Source;
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
    problem::Problem,
    query::Query,
};

/// A source of events.
#[derive(Serialize, ToSchema)]
#[schema(as = Source)]
pub(crate) struct SourceView {
    /// native, or the system that a door was made for.
    system: String,
    /// An area of the system, such as EasySend's session type.
    area: Option<String>,
    /// Its events are taken. Those of a source that is off are thrown away and counted.
    enabled: bool,
    changed_at: Option<String>,
}

/// All sources of an environment.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceList {
    data: Vec<SourceView>,
    next_cursor: Option<String>,
}

/// What a source is switched with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct SourceSwitch {
    enabled: bool,
    /// Only this area of the system.
    area: Option<String>,
}

fn view(source: Source) -> SourceView {
    SourceView {
        system: source.system,
        area: source.area,
        enabled: source.enabled,
        changed_at: source.changed_ms.map(time),
    }
}

/// List the sources of events and which of them are switched off.
#[utoipa::path(
    get, path = "/v1/sources", tag = "sources",
    responses((status = 200, description = "Every system, and the areas that were ever switched", body = SourceList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref(), &[])?;
    let sources = state.service.list_sources(&caller).await?;
    Ok(reply(StatusCode::OK, &List::whole(sources.into_iter().map(view).collect())))
}

/// Switch a source of events, or one area of it, on or off.
#[utoipa::path(
    put, path = "/v1/sources/{system}", tag = "sources", request_body = SourceSwitch,
    params(("system" = String, Path, description = "native, ironcore, formio, easysend, …")),
    responses((status = 200, description = "Switched", body = SourceView))
)]
pub(crate) async fn switch(
    Shared(state): Shared<State>,
    Path(system): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let enabled = members.required_flag("enabled");
    let area = members.text("area");
    members.finish()?;
    let switched =
        state.service.switch_source(&posted.caller, &system, area.as_deref(), enabled).await?;
    Ok(reply(StatusCode::OK, &view(switched)))
}

//! The life of data: retention, legal holds, erasures, removal lists, and the clock they rest on.

pub(crate) mod erasures;
pub(crate) mod holds;
pub(crate) mod removals;
pub(crate) mod retention;

use attestary_service::{ClockState, search_limits};
use axum::{extract::State as Shared, response::Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{reply, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    query::Query,
};

/// The clock.
#[derive(Serialize, ToSchema)]
#[schema(as = Clock)]
pub(crate) struct ClockView {
    now: String,
    /// When retention was paused because the clock jumped; null while it is not.
    retention_paused_at: Option<String>,
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

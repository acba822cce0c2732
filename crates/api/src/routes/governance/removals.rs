//! Removal lists: what erasures and retention took out of a log.

use attestary_service::{RemovalKind, RemovalRow, RemovalState};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::page;
use crate::{
    app::State,
    extract::Authed,
    problem::Problem,
    routes::{List, reply, time},
};

/// A removal: what a log lost, by position.
#[derive(Serialize, ToSchema)]
#[schema(as = Removal)]
pub(crate) struct RemovalView {
    id: String,
    /// retention or erasure.
    kind: &'static str,
    /// Id of the run or the erasure.
    cause: String,
    /// The log.
    origin: String,
    /// listed, covered or done.
    state: &'static str,
    events: u64,
    /// SHA-256 of the list, which the covering event commits to.
    list_sha256: String,
    covering_event: String,
    covering_seq: Option<u64>,
    created_at: String,
    done_at: Option<String>,
}

/// A page of removals, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct RemovalList {
    data: Vec<RemovalView>,
    next_cursor: Option<String>,
}

fn removal(row: RemovalRow) -> RemovalView {
    RemovalView {
        id: row.id,
        kind: match row.kind {
            RemovalKind::Retention => "retention",
            RemovalKind::Erasure => "erasure",
        },
        cause: row.cause,
        origin: row.origin,
        state: match row.state {
            RemovalState::Listed => "listed",
            RemovalState::Covered => "covered",
            RemovalState::Done => "done",
        },
        events: row.events,
        list_sha256: attestary_event::event::hex(&row.sha256),
        covering_event: row.event_id.to_string(),
        covering_seq: row.cover_seq,
        created_at: time(row.created_ms),
        done_at: row.done_ms.map(time),
    }
}

/// List what a tenant's log lost, oldest first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/removals", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 by default"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page", body = RemovalList))
)]
pub(crate) async fn removals(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (limit, cursor) = page(query.as_deref())?;
    let page = state.service.list_removals(&caller, &tenant, cursor.as_deref(), limit).await?;
    let data = page.removals.into_iter().map(removal).collect();
    Ok(reply(StatusCode::OK, &List { data, next_cursor: page.next_cursor }))
}

/// Read a removal's list: the text whose SHA-256 the covering event commits to.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/removals/{id}/list", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The removal's id"),
    ),
    responses((status = 200, description = "The list", body = String, content_type = "text/plain"))
)]
pub(crate) async fn removal_list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let row = state.service.removal(&caller, &tenant, &id).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], row.list).into_response())
}

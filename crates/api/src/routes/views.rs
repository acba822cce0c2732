//! `/v1/tenants/{tenant}/saved-views`: questions that are asked again and again.

use attestary_service::{NewView, SavedView, ViewChange, search_limits};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{List, counts, done, events, reply};
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    query::Query,
};

/// A saved view.
#[derive(Serialize, ToSchema)]
#[schema(as = SavedView)]
pub(crate) struct ViewView {
    id: String,
    /// The question in words.
    name: String,
    /// Text in the filter language; `$target` stands for the object that the question is about.
    filter: String,
    /// Paths that are counted by.
    group_by: Vec<String>,
    /// Least count that is shown.
    min_count: u64,
    /// Comes with the program and cannot be removed.
    shipped: bool,
}

/// All views of a tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = SavedViewList)]
pub(crate) struct ViewList {
    data: Vec<ViewView>,
    next_cursor: Option<String>,
}

/// What a view is saved with.
#[derive(ToSchema)]
#[schema(as = NewSavedView)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewViewShape {
    name: String,
    filter: Option<String>,
    group_by: Option<Vec<String>>,
    min_count: Option<u64>,
}

/// What of a saved view can be changed; what is absent stays.
#[derive(ToSchema)]
#[schema(as = SavedViewChange)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct ViewChangeShape {
    name: Option<String>,
    filter: Option<String>,
    group_by: Option<Vec<String>>,
    min_count: Option<u64>,
}

/// The answer of a view.
#[derive(Serialize, ToSchema)]
#[schema(as = SavedViewAnswer)]
pub(crate) struct AnswerView {
    view: ViewView,
    /// The filter that was asked.
    filter: String,
    /// Values of each path that occur at least `min_count` times, most frequent first.
    groups: Vec<counts::Facet>,
    /// Events that match.
    count: Option<u64>,
    /// False when the scan budget was spent first.
    complete: bool,
    /// The newest of them.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Box<RawValue>>,
}

fn view(view: SavedView) -> ViewView {
    ViewView {
        id: view.id,
        name: view.name,
        filter: view.filter,
        group_by: view.group_by,
        min_count: view.min_count,
        shipped: view.shipped,
    }
}

/// List a tenant's saved views, the shipped ones first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/saved-views", tag = "saved views",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "All of them", body = ViewList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref(), &[])?;
    let views = state.service.list_views(&caller, &tenant).await?;
    Ok(reply(StatusCode::OK, &List::whole(views.into_iter().map(view).collect())))
}

/// Save a view.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/saved-views", tag = "saved views", request_body = NewViewShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 201, description = "Saved", body = ViewView))
)]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewView {
        name: members.required_text("name"),
        filter: members.text("filter").unwrap_or_default(),
        group_by: members.texts("group_by").unwrap_or_default(),
        min_count: members.whole("min_count").unwrap_or(1),
    };
    members.finish()?;
    let made = state.service.create_view(&posted.caller, &tenant, new).await?;
    Ok(reply(StatusCode::CREATED, &view(made)))
}

/// Change a saved view's name, filter or counts.
#[utoipa::path(
    patch, path = "/v1/tenants/{tenant}/saved-views/{id}", tag = "saved views", request_body = ViewChangeShape,
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "The view's id")),
    responses((status = 200, description = "Changed", body = ViewView))
)]
pub(crate) async fn change(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let change = ViewChange {
        name: members.text("name"),
        filter: members.text("filter"),
        group_by: members.texts("group_by"),
        min_count: members.whole("min_count"),
    };
    members.finish()?;
    let changed = state.service.change_view(&posted.caller, &tenant, &id, change).await?;
    Ok(reply(StatusCode::OK, &view(changed)))
}

/// Remove a saved view.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/saved-views/{id}", tag = "saved views",
    params(("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "The view's id")),
    responses((status = 204, description = "Removed"))
)]
pub(crate) async fn delete(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    state.service.delete_view(&caller, &tenant, &id).await?;
    Ok(done())
}

/// Answer a saved view: counts by its paths, and the newest events.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/saved-views/{id}/results", tag = "saved views",
    params(
        ("tenant" = String, Path, description = "The tenant's id"), ("id" = String, Path, description = "The view's id"),
        ("target" = Option<String>, Query, description = "Id of the object, for views that ask about one"),
        ("min_count" = Option<u64>, Query, description = "Instead of the view's own least count"),
        ("limit" = Option<u32>, Query, description = "Events shown: 1 to 1,000; 50 by default"),
    ),
    responses((status = 200, description = "The answer", body = AnswerView))
)]
pub(crate) async fn results(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["target", "min_count", "limit"])?;
    let limit = query.count("limit", search_limits::MAX)?.unwrap_or(search_limits::DEFAULT);
    let min_count = query.number("min_count")?;
    let answer = state.service.run_view(&caller, &tenant, &id, query.text("target"), limit).await?;
    let least = min_count.unwrap_or(answer.view.min_count);
    let (count, complete) = match &answer.facets {
        Some(facets) => (Some(facets.events), facets.edge.is_none()),
        None => (None, true),
    };
    let groups = answer.facets.into_iter().flat_map(|facets| facets.fields);
    let view = AnswerView {
        view: view(answer.view),
        filter: answer.filter,
        groups: groups.map(|(name, facet)| counts::facet_view(name, facet, least)).collect(),
        count,
        complete,
        events: events::raw(&answer.events.events),
    };
    Ok(reply(StatusCode::OK, &view))
}

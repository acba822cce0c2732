//! WorkOS's paths for actions and their schemas, over `/v1/actions`'s use cases.

use attestary_service::{ActionSchema, ChangeError, ReadError};
use axum::{
    extract::{Path, RawQuery, Request, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{failed, from_problem, posted};
use crate::{
    app::State,
    problem::Problem,
    query::Query,
    routes::{reply, time},
};

/// Items of a list when nobody says.
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;

/// `GET /audit_logs/actions`.
pub(crate) async fn actions(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    match state.service.list_actions(&posted.caller).await {
        Ok((latest, _)) => {
            let items = latest.iter().map(|schema| {
                let item = json!({
                    "object": "audit_log_action", "name": schema.action, "schema": view(schema),
                    "created_at": time(schema.created_ms), "updated_at": time(schema.created_ms),
                });
                (schema.action.clone(), item)
            });
            list(items.collect(), query.as_deref())
        }
        Err(error) => refused_read(error),
    }
}

/// `GET /audit_logs/actions/{name}/schemas`.
pub(crate) async fn versions(
    Shared(state): Shared<State>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    match state.service.action_schemas(&posted.caller, &name).await {
        Ok(versions) => {
            let items = versions.iter().map(|schema| (schema.version.to_string(), view(schema)));
            list(items.collect(), query.as_deref())
        }
        Err(error) => refused_read(error),
    }
}

/// `POST /audit_logs/actions/{name}/schemas`.
pub(crate) async fn create(
    Shared(state): Shared<State>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let Ok(schema) = serde_json::from_slice::<Value>(&posted.body) else {
        return failed(StatusCode::BAD_REQUEST, "400", "the body is not JSON", Vec::new());
    };
    match state.service.create_action_schema(&posted.caller, &name, schema).await {
        Ok((schema, _)) => reply(StatusCode::CREATED, &view(&schema)),
        Err(ChangeError::Invalid(violations)) => {
            let message = violations.first().map_or_else(String::new, ToString::to_string);
            let errors = violations.iter().map(|violation| {
                let code = violation.pointer.trim_start_matches('/').replace('/', ".");
                json!({ "code": code, "message": violation.detail })
            });
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            failed(status, "invalid_audit_log_schema", &message, errors.collect())
        }
        Err(error) => from_problem(&Problem::from(error)),
    }
}

fn view(schema: &ActionSchema) -> Value {
    let mut view = json!({
        "object": "audit_log_schema", "version": schema.version, "created_at": time(schema.created_ms),
        "targets": [],
    });
    for name in ["targets", "actor", "metadata"] {
        if let Some(part) = schema.schema.get(name) {
            view[name] = part.clone();
        }
    }
    view
}

/// Returns one page of items, which come in ascending order with the id that pages go by.
fn list(mut items: Vec<(String, Value)>, query: Option<&str>) -> Response {
    let query = match Query::parse(query, &["limit", "before", "after", "order"]) {
        Ok(query) => query,
        Err(problem) => return from_problem(&problem),
    };
    let (limit, order) =
        match (query.count("limit", LIMIT_MAX), query.choice("order", &["desc", "asc"])) {
            (Ok(limit), Ok(order)) => (limit.unwrap_or(LIMIT_DEFAULT), order),
            (Err(problem), _) | (_, Err(problem)) => return from_problem(&problem),
        };
    if order != Some(1) {
        items.reverse();
    }
    let place = |id: &str| items.iter().position(|(own, _)| own == id);
    let (start, end) = match (query.text("after"), query.text("before")) {
        (Some(after), _) => (place(after).map_or(items.len(), |at| at + 1), items.len()),
        (None, Some(before)) => {
            let end = place(before).unwrap_or(0);
            (end.saturating_sub(limit), end)
        }
        (None, None) => (0, items.len()),
    };
    let end = end.min(start + limit);
    let id = |at: usize| items.get(at).map(|(id, _)| id.clone());
    let before = (start > 0).then(|| id(start)).flatten();
    let after = (end < items.len() && end > 0).then(|| id(end - 1)).flatten();
    let data: Vec<&Value> = items[start.min(end)..end].iter().map(|(_, item)| item).collect();
    let metadata = json!({ "before": before, "after": after });
    reply(StatusCode::OK, &json!({ "object": "list", "data": data, "list_metadata": metadata }))
}

fn refused_read(error: ReadError) -> Response {
    from_problem(&Problem::from(error))
}

//! The paths of Retraced's publisher API, for its unmodified clients.
//!
//! A project is an environment: the key's own. Errors are `{status, type, error}`; those of a query have GraphQL's
//! shape. A node always has every field, whichever the document of a query asks for.

mod viewer;

use std::collections::BTreeMap;

use attestary_event::{
    Limits, Violation,
    scan::{Batch, BatchError, BatchForm, split_batch},
};
use attestary_service::{
    AccessError, IntakeError, ReadError, RetracedReceipt, RetracedSearchError, retraced_document,
};
use axum::{
    Router,
    extract::{Path, Request, State as Shared},
    response::Response,
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::reply;
use crate::{
    app::State,
    body,
    extract::{self, Posted},
    problem::Problem,
    receipts,
};

/// Events of one bulk request at most; the original takes 50.
const BULK_MAX: usize = 1_000;
/// Bytes of a query's body.
const QUERY_BYTES_MAX: usize = 64 * 1024;
/// Events of a page when the query does not say.
const PAGE_DEFAULT: usize = 20;

/// Returns the routes below the prefix that a client was given.
pub(crate) fn routes() -> Router<State> {
    Router::new()
        .route("/publisher/v1/project/{project}/event", post(event))
        .route("/publisher/v1/project/{project}/event/bulk", post(bulk))
        .route("/publisher/v1/project/{project}/graphql", post(graphql))
        .route("/publisher/v1/project/{project}/viewertoken", get(viewer::token))
        .nest("/viewer/v1", viewer::routes())
        // Where the older Go client goes.
        .route("/v1/project/{project}/viewertoken", get(viewer::token))
        .route("/v1/project/{project}/event", post(event))
}

async fn event(
    Shared(state): Shared<State>,
    Path(project): Path<String>,
    request: Request,
) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(problem) => return from_problem(&problem),
    };
    match state.service.retraced_events(&posted.caller, &project, posted.body, whole).await {
        Ok(receipts) => match receipts.first() {
            Some(receipt) => {
                let mut response = reply(StatusCode::CREATED, &view(receipt));
                if let Some(receipt) = &receipt.receipt {
                    receipts::into_headers(receipt, response.headers_mut());
                }
                response
            }
            None => from_problem(&Problem::from(IntakeError::Damaged)),
        },
        Err(error) => refused(error, false),
    }
}

async fn bulk(
    Shared(state): Shared<State>,
    Path(project): Path<String>,
    request: Request,
) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(problem) => return from_problem(&problem),
    };
    match state.service.retraced_events(&posted.caller, &project, posted.body, bulk_events).await {
        Ok(receipts) => {
            let views: Vec<ReceiptView<'_>> = receipts.iter().map(view).collect();
            reply(StatusCode::CREATED, &views)
        }
        Err(error) => refused(error, true),
    }
}

/// What a client gets for an event.
#[derive(Serialize)]
struct ReceiptView<'a> {
    id: String,
    hash: &'a str,
}

/// The body is one event.
fn whole<'a>(body: &'a [u8], _: &Limits) -> Result<Vec<&'a [u8]>, BatchError> {
    Ok(vec![body])
}

/// Cuts the body of a bulk request into events.
fn bulk_events<'a>(body: &'a [u8], limits: &Limits) -> Result<Vec<&'a [u8]>, BatchError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Bulk<'a> {
        #[serde(borrow)]
        events: &'a RawValue,
    }
    let wrong = BatchError::Syntax { at: 0, expected: "{\"events\": [...]}" };
    let Bulk { events } = serde_json::from_slice(body).map_err(|_| wrong)?;
    match split_batch(events.get().as_bytes(), BatchForm::Json, limits)? {
        Batch::One(_) => Err(wrong),
        Batch::Many(events) if events.len() > BULK_MAX => {
            Err(BatchError::TooMany { limit: BULK_MAX })
        }
        Batch::Many(events) => Ok(events),
    }
}

/// What a query's body holds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, Value>>,
}

async fn graphql(
    Shared(state): Shared<State>,
    Path(project): Path<String>,
    request: Request,
) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(problem) => return query_refused(&problem),
    };
    answer_query(&state, &posted, &project).await
}

/// Answers a query of the caller's project.
async fn answer_query(state: &State, posted: &Posted, project: &str) -> Response {
    if posted.body.len() > QUERY_BYTES_MAX {
        return query_error(StatusCode::PAYLOAD_TOO_LARGE, "the query is too long");
    }
    let Ok(asked) = serde_json::from_slice::<Asked>(&posted.body) else {
        return query_error(StatusCode::BAD_REQUEST, "the body must be {query, variables}");
    };
    let variables = asked.variables.unwrap_or_default();
    let operation = asked.operation_name.as_deref();
    let asked = match retraced_document::read(asked.query.as_deref(), operation, &variables) {
        Ok(asked) => asked,
        Err(message) => return query_error(StatusCode::BAD_REQUEST, &message),
    };
    let last = asked.last.map_or(PAGE_DEFAULT, |last| usize::try_from(last).unwrap_or(usize::MAX));
    let found = state
        .service
        .retraced_search(&posted.caller, project, &asked.query, last, asked.before)
        .await;
    match found {
        Ok(page) => {
            let mut edges = Vec::with_capacity(page.edges.len());
            for (cursor, node) in page.edges {
                match serde_json::from_slice::<Box<RawValue>>(&node) {
                    Ok(node) => edges.push(Edge { cursor, node }),
                    Err(error) => tracing::error!(%error, "a node is not JSON"),
                }
            }
            let page_info = PageInfo { has_previous: page.has_previous };
            let search = Found { total: page.total, page_info, edges };
            let name = asked.alias.unwrap_or_else(|| "search".to_owned());
            reply(StatusCode::OK, &Answer { data: [(name, search)].into() })
        }
        Err(RetracedSearchError::Query(error)) => {
            query_error(StatusCode::BAD_REQUEST, &error.to_string())
        }
        Err(RetracedSearchError::Read(ReadError::TenantRequired)) => query_error(
            StatusCode::BAD_REQUEST,
            "this key sees several groups: add group.id:… to the query, or use a key of one tenant",
        ),
        Err(RetracedSearchError::Read(ReadError::Access(AccessError::Scope { scope }))) => {
            query_error(
                StatusCode::FORBIDDEN,
                &format!("this needs a key with the scope \"{scope}\""),
            )
        }
        Err(RetracedSearchError::Read(error)) => {
            let problem = Problem::from(error);
            query_error(problem.kind.status(), &problem.detail)
        }
        Err(other) => query_error(StatusCode::BAD_REQUEST, &other.to_string()),
    }
}

#[derive(serde::Serialize)]
struct Answer {
    data: BTreeMap<String, Found>,
}

#[derive(serde::Serialize)]
struct Found {
    #[serde(rename = "totalCount")]
    total: u64,
    #[serde(rename = "pageInfo")]
    page_info: PageInfo,
    edges: Vec<Edge>,
}

#[derive(serde::Serialize)]
struct PageInfo {
    #[serde(rename = "hasPreviousPage")]
    has_previous: bool,
}

#[derive(serde::Serialize)]
struct Edge {
    cursor: String,
    node: Box<RawValue>,
}

fn view(receipt: &RetracedReceipt) -> ReceiptView<'_> {
    ReceiptView { id: receipt.id.to_string(), hash: &receipt.hash }
}

/// Authenticates by `token=KEY` or `Token token=KEY` and reads the body.
async fn posted(state: &State, request: Request) -> Result<Posted, Problem> {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers.clone();
    bearer(&mut headers);
    match extract::caller(&headers, parts.extensions.get(), state, &["bearer"]) {
        Ok(caller) => extract::read(caller, parts.headers, body, state).await,
        Err(problem) => {
            body::drain(body).await;
            Err(problem)
        }
    }
}

/// Spells the key as every other door has it.
fn bearer(headers: &mut HeaderMap) {
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = text.and_then(|text| text.split_once("token=")).map(|(_, key)| key.trim());
    let value = key.and_then(|key| HeaderValue::from_str(&format!("Bearer {key}")).ok());
    match value {
        Some(value) => _ = headers.insert(header::AUTHORIZATION, value),
        None => _ = headers.remove(header::AUTHORIZATION),
    }
}

fn refused(error: IntakeError, bulk: bool) -> Response {
    match error {
        IntakeError::Invalid(items)
        | IntakeError::Schema(items)
        | IntakeError::UnknownTenant(items) => {
            let list = items.iter().map(|item| {
                let text = named("", &item.violation);
                if bulk { json!({ "index": item.index, "message": text }) } else { json!(text) }
            });
            let message = items.first().map_or_else(String::new, |item| {
                let place = if bulk { format!("events[{}]", item.index) } else { String::new() };
                named(&place, &item.violation)
            });
            failed(StatusCode::BAD_REQUEST, &message, Some(list.collect()))
        }
        other => from_problem(&Problem::from(other)),
    }
}

/// Says what is wrong with which member of the event at `place`.
fn named(place: &str, violation: &Violation) -> String {
    let member = violation.pointer.replace('/', ".");
    match format!("{place}{member}").trim_start_matches('.') {
        "" => violation.detail.clone(),
        name => format!("{name}: {}", violation.detail),
    }
}

/// Returns a problem in the protocol's shape.
pub(crate) fn from_problem(problem: &Problem) -> Response {
    let mut response = failed(problem.kind.status(), &problem.detail, None);
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn failed(status: StatusCode, message: &str, invalid: Option<Vec<Value>>) -> Response {
    let kind = status.canonical_reason().unwrap_or("Error").to_ascii_uppercase().replace(' ', "_");
    let mut body = json!({ "status": status.as_u16(), "type": kind, "error": message });
    if let Some(invalid) = invalid {
        body["invalid"] = invalid.into();
    }
    reply(status, &body)
}

/// Refuses a query before it was read. A reply without "errors" is how a viewer learns that its token has expired.
pub(crate) fn query_refused(problem: &Problem) -> Response {
    if problem.kind.status() == StatusCode::UNAUTHORIZED {
        return from_problem(problem);
    }
    let mut response = query_error(problem.kind.status(), &problem.detail);
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn query_error(status: StatusCode, message: &str) -> Response {
    reply(status, &json!({ "errors": [{ "message": message }] }))
}

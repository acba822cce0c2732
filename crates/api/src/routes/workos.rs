//! The audit log paths of WorkOS, for its unmodified clients.
//!
//! Errors are `{code, message, errors}` and never have a member `error`, which clients take for a failed login. The
//! receipt of an event stands in headers.

pub(crate) mod exports;
pub(crate) mod organizations;
pub(crate) mod schemas;

use attestary_event::Violation;
use attestary_service::{ChangeError, IntakeError};
use axum::{
    Router,
    extract::{Request, State as Shared},
    response::Response,
    routing::{get, post},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::reply;
use crate::{
    app::State,
    body,
    extract::{self, Posted},
    problem::Problem,
    receipts,
};

/// Longest key for idempotency, in bytes.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Returns the routes below the prefix that a client was given.
pub(crate) fn routes() -> Router<State> {
    Router::new()
        .route("/audit_logs/events", post(event))
        .route("/audit_logs/exports", post(exports::create))
        .route("/audit_logs/exports/{id}", get(exports::one))
        .route("/portal/generate_link", post(exports::portal))
        .route("/audit_logs/actions", get(schemas::actions))
        .route("/audit_logs/actions/{name}/schemas", get(schemas::versions).post(schemas::create))
        .route(
            "/organizations/{id}/audit_logs_retention",
            get(organizations::retention).put(organizations::set_retention),
        )
        .route("/organizations/{id}/audit_log_configuration", get(organizations::configuration))
}

/// `POST /audit_logs/events`.
pub(crate) async fn event(Shared(state): Shared<State>, request: Request) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let key = match idempotency_key(&posted) {
        Ok(key) => key,
        Err(response) => return response,
    };
    match state.service.workos_event(&posted.caller, posted.body, key.as_deref()).await {
        Ok(taken) if taken.conflict().is_some() => failed(
            StatusCode::CONFLICT,
            "idempotency_conflict",
            "the Idempotency-Key was used for another event",
            Vec::new(),
        ),
        Ok(taken) => {
            let mut response = reply(StatusCode::CREATED, &json!({ "success": true }));
            if let Some(receipt) = taken.receipts().next() {
                receipts::into_headers(receipt, response.headers_mut());
            }
            response
        }
        Err(error) => refused_intake(error),
    }
}

/// Authenticates and reads the body, with every refusal in the protocol's shape.
pub(crate) async fn posted(state: &State, request: Request) -> Result<Posted, Response> {
    let (parts, body) = request.into_parts();
    match extract::caller(&parts.headers, parts.extensions.get(), state, &["bearer"]) {
        Ok(caller) => extract::read(caller, parts.headers, body, state)
            .await
            .map_err(|problem| from_problem(&problem)),
        Err(problem) => {
            body::drain(body).await;
            Err(from_problem(&problem))
        }
    }
}

#[expect(clippy::result_large_err, reason = "the refusal is the reply")]
fn idempotency_key(posted: &Posted) -> Result<Option<String>, Response> {
    let Some(value) = posted.headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(Some(key.to_owned()));
    }
    let message =
        format!("the Idempotency-Key has 1 to {IDEMPOTENCY_KEY_BYTES_MAX} printable characters");
    Err(failed(StatusCode::BAD_REQUEST, "400", &message, Vec::new()))
}

fn refused_intake(error: IntakeError) -> Response {
    match error {
        IntakeError::Invalid(items) => {
            let faults = items.iter().map(|item| &item.violation);
            faulty(StatusCode::BAD_REQUEST, "400", "invalid", faults)
        }
        IntakeError::Schema(items) => {
            let faults = items.iter().map(|item| &item.violation);
            faulty(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_audit_log",
                "schema_violation",
                faults,
            )
        }
        IntakeError::UnknownTenant(_) => failed(
            StatusCode::NOT_FOUND,
            "entity_not_found",
            "there is no such organization that this key may write to",
            Vec::new(),
        ),
        // Clients send again after 503 as long as it says when.
        other => from_problem(&Problem::from(other)),
    }
}

/// Refuses a change, each fault by the name of its member.
pub(crate) fn refused_change(error: ChangeError) -> Response {
    match error {
        ChangeError::Invalid(violations) => {
            faulty(StatusCode::BAD_REQUEST, "400", "invalid", violations.iter())
        }
        other => from_problem(&Problem::from(other)),
    }
}

/// Returns the refusal of a body for what is wrong with its members; the message is about the first.
pub(crate) fn faulty<'a>(
    status: StatusCode,
    code: &str,
    fault_code: &str,
    faults: impl Iterator<Item = &'a Violation>,
) -> Response {
    let mut message = String::new();
    let errors = faults.map(|fault| {
        let field = fault.pointer.trim_start_matches('/').replace('/', ".");
        if message.is_empty() {
            let named = if field.is_empty() { "the body".into() } else { field.clone() };
            message = format!("{named}: {}", fault.detail);
        }
        json!({ "field": field, "code": fault_code, "message": fault.detail })
    });
    let errors = errors.collect();
    failed(status, code, &message, errors)
}

/// Refuses a path that is none.
pub(crate) fn no_path(message: &str) -> Response {
    failed(StatusCode::NOT_FOUND, "not_found", message, Vec::new())
}

/// Returns a problem in the protocol's shape.
pub(crate) fn from_problem(problem: &Problem) -> Response {
    let code = match problem.kind.status {
        400 => "400",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "entity_not_found",
        _ => problem.kind.code,
    };
    // 408 is not sent again by every client; what it means here is that the body was too slow.
    let status = match problem.kind.status {
        408 => StatusCode::BAD_REQUEST,
        _ => problem.kind.status(),
    };
    let faults: Vec<Violation> = problem
        .errors
        .iter()
        .map(|item| Violation::new(item.pointer.clone(), item.detail.clone()))
        .collect();
    let mut response = if faults.is_empty() {
        failed(status, code, &problem.detail, Vec::new())
    } else {
        faulty(status, code, "invalid", faults.iter())
    };
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.min(60)));
    }
    response
}

/// Returns an error in the protocol's shape.
pub(crate) fn failed(
    status: StatusCode,
    code: &str,
    message: &str,
    errors: Vec<Value>,
) -> Response {
    reply(status, &json!({ "code": code, "message": message, "errors": errors }))
}

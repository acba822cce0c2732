//! The audit log paths of WorkOS, for its unmodified clients.
//!
//! Errors are `{code, message, errors}` and never have a member `error`, which clients take for a failed login. The
//! receipt of an event stands in headers.

pub(crate) mod exports;
pub(crate) mod organizations;
pub(crate) mod schemas;

use attestary_service::IntakeError;
use axum::{
    extract::{Request, State as Shared},
    response::Response,
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

/// Paths of the audit log API that are not offered here.
pub(crate) async fn elsewhere(request: Request) -> Response {
    body::drain(request.into_body()).await;
    failed(StatusCode::NOT_FOUND, "not_found", "there is no such path", Vec::new())
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
            let message = items.first().map_or_else(String::new, |item| {
                format!("{}: {}", field(&item.violation.pointer), item.violation.detail)
            });
            let errors = items.iter().map(|item| {
                json!({ "field": field(&item.violation.pointer), "code": "invalid", "message": item.violation.detail })
            });
            failed(StatusCode::BAD_REQUEST, "400", &message, errors.collect())
        }
        IntakeError::Schema(items) => {
            let message = items.first().map_or_else(String::new, |item| item.violation.to_string());
            let errors = items.iter().map(|item| {
                let field = field(&item.violation.pointer);
                json!({ "field": field, "code": "schema_violation", "message": item.violation.detail })
            });
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            failed(status, "invalid_audit_log", &message, errors.collect())
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

/// Returns the dotted name of a member.
fn field(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
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
    let errors = problem.errors.iter().map(
        |item| json!({ "field": field(&item.pointer), "code": "invalid", "message": item.detail }),
    );
    // 408 is not sent again by every client; what it means here is that the body was too slow.
    let status = match problem.kind.status {
        408 => StatusCode::BAD_REQUEST,
        _ => problem.kind.status(),
    };
    let mut response = failed(status, code, &problem.detail, errors.collect());
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

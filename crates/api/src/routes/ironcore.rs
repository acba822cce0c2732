//! The endpoint of IronCore Labs' Tenant Security Proxy, for its unmodified clients.
//!
//! Clients compare the body of a success with the four bytes `null` and read an integer `code` from everything else,
//! so no reply under `/api/1/` has any other shape. The receipt stands in headers, which they ignore.

use std::{
    collections::HashSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use attestary_service::{AccessError, Caller, IntakeError, IroncoreOutcome, Receipt, ironcore};
use axum::{
    Router,
    extract::{Request, State as Shared},
    response::{IntoResponse as _, Response},
    routing::{any, post},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ironcore::{KEY_MANAGEMENT_PATHS, Refusal, SUCCESS, error_body};

use crate::{
    app::State,
    body,
    extract::{self, Posted},
    problem::Problem,
    receipts,
};

/// The clients' code for what is none of the others.
const UNKNOWN: u16 = 100;

/// Returns the routes below the prefix that a client was given.
pub(crate) fn routes() -> Router<State> {
    Router::new()
        .route("/api/1/event/security-event", post(event))
        .route("/api/1/document/report-operations", post(operations))
        .route("/api/1/{*rest}", any(elsewhere))
}

/// Accept one security event.
pub(crate) async fn event(Shared(state): Shared<State>, request: Request) -> Response {
    count_client(request.headers());
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    answer(state.service.ironcore_event(&posted.caller, &posted.body).await)
}

/// Accept a report of counted operations.
pub(crate) async fn operations(Shared(state): Shared<State>, request: Request) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    answer(state.service.ironcore_operations(&posted.caller, &posted.body).await)
}

/// The key-management paths, and whatever else a full client may try.
pub(crate) async fn elsewhere(request: Request) -> Response {
    let known = KEY_MANAGEMENT_PATHS.contains(&request.uri().path());
    body::drain(request.into_body()).await;
    if known {
        return refused(&Refusal::KeyManagement);
    }
    failed(StatusCode::NOT_FOUND, UNKNOWN, "There is no such path.")
}

/// Authenticates and reads the body, with every refusal in the protocol's shape.
async fn posted(state: &State, request: Request) -> Result<Posted, Response> {
    let (parts, body) = request.into_parts();
    let caller: Result<Caller, Problem> =
        extract::caller(&parts.headers, parts.extensions.get(), state, &["cmk", "bearer"]);
    match caller {
        Ok(caller) => extract::read(caller, parts.headers, body, state)
            .await
            .map_err(|problem| from_problem(&problem)),
        Err(_) => {
            body::drain(body).await;
            Err(refused(&Refusal::Unauthorized))
        }
    }
}

fn answer(outcome: Result<IroncoreOutcome, IntakeError>) -> Response {
    match outcome {
        Ok(IroncoreOutcome::Accepted(receipt)) => accepted(&receipt),
        Ok(
            IroncoreOutcome::Discarded | IroncoreOutcome::Printed | IroncoreOutcome::SwitchedOff,
        ) => success(),
        Ok(IroncoreOutcome::Refused(refusal)) => refused(&refusal),
        Err(error) => refused_intake(error),
    }
}

fn refused_intake(error: IntakeError) -> Response {
    match error {
        IntakeError::Access(AccessError::Scope { .. }) => failed(
            StatusCode::FORBIDDEN,
            Refusal::Unauthorized.code(),
            Refusal::Unauthorized.message(),
        ),
        IntakeError::Access(_) => refused(&Refusal::Unauthorized),
        IntakeError::UnknownTenant(_) => {
            failed(StatusCode::FORBIDDEN, Refusal::NotDurable.code(), Refusal::NotDurable.message())
        }
        IntakeError::TenantClosed(_) => {
            failed(StatusCode::CONFLICT, Refusal::NotDurable.code(), Refusal::NotDurable.message())
        }
        IntakeError::QuotaUsedUp { .. } => {
            failed(StatusCode::TOO_MANY_REQUESTS, UNKNOWN, "The quota of this month is used up.")
        }
        IntakeError::Pushback { .. } | IntakeError::RateLimited { .. } => {
            let mut response = refused(&Refusal::NotDurable);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        other => {
            // Logs the cause; the reply says only that the event was not taken.
            let _ = Problem::from(other);
            refused(&Refusal::NotDurable)
        }
    }
}

/// A body that could not be read, or a path or method that is none: the problem's status, with the code that its class
/// has here.
pub(crate) fn from_problem(problem: &Problem) -> Response {
    let status = problem.kind.status();
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
        return failed(status, UNKNOWN, &problem.detail);
    }
    let refusal = if status.is_server_error() {
        Refusal::NotDurable
    } else {
        Refusal::InvalidBody(attestary_event::Violation::new("", problem.detail.clone()))
    };
    failed(status, refusal.code(), refusal.message())
}

fn accepted(receipt: &Receipt) -> Response {
    let mut response = success();
    receipts::into_headers(receipt, response.headers_mut());
    response
}

fn success() -> Response {
    json(StatusCode::OK, SUCCESS.to_owned())
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    json(status, refusal.body())
}

fn failed(status: StatusCode, code: u16, message: &str) -> Response {
    json(status, error_body(code, message))
}

fn json(status: StatusCode, body: String) -> Response {
    let mut response = (status, body).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Clients that are told apart in the metric; beyond, they count as `other`. A bound, because the headers are theirs.
const CLIENTS_MAX: usize = 64;

/// Counts requests by client library and version, so that operators see who must be upgraded.
fn count_client(headers: &HeaderMap) {
    static SEEN: LazyLock<Mutex<HashSet<(String, String)>>> = LazyLock::new(Mutex::default);
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
        let word: String = value
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || ".-+".contains(*c))
            .take(32)
            .collect();
        word
    };
    let mut client = (text("x-icl-tsc-language"), text("x-icl-tsc-version"));
    {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < CLIENTS_MAX {
            seen.insert(client.clone());
        } else if !seen.contains(&client) {
            client = ("other".into(), "other".into());
        }
    }
    metrics::counter!("attestary_ironcore_requests_total", "language" => client.0, "version" => client.1).increment(1);
}

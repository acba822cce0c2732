//! EasySend: `POST /ingest/easysend` for its payloads, and the pull API of its Player.

use attestary_event::Timestamp;
use attestary_service::{AccessError, Form, ReadError, SecurityLogPage, SecurityLogs, Taken};
use axum::{
    body::Body,
    extract::{RawQuery, Request, State as Shared},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply;
use crate::{
    app::State,
    extract::{self, Posted, media_type, unsupported},
    problem::Problem,
    query::Query,
    receipts,
};

/// What became of events that came through a foreign door.
#[derive(Serialize, ToSchema)]
#[schema(as = Taken)]
pub(crate) struct TakenView {
    /// Events that are new.
    accepted: usize,
    /// Events that were there already.
    duplicates: usize,
    /// Events that were thrown away because their source is switched off.
    switched_off: usize,
}

/// Returns the reply to events that came through a foreign door; a single one's receipt stands in the headers.
pub(crate) fn taken(taken: &Taken) -> Response {
    let view = TakenView {
        accepted: taken.accepted(),
        duplicates: taken.duplicates(),
        switched_off: taken.switched_off(),
    };
    let mut response = reply(StatusCode::OK, &view);
    if let ([_], Some(receipt)) = (taken.outcomes.as_slice(), taken.receipts().next()) {
        receipts::into_headers(receipt, response.headers_mut());
    }
    response
}

/// Accept payloads of an EasySend security log: A or B, as text or as a file.
#[utoipa::path(
    post, path = "/ingest/easysend", tag = "adapters",
    request_body(content = serde_json::Value, description = "One payload, an array, or one a line; gzip or zstd too"),
    params(("tenant" = Option<String>, Query, description = "Whose payloads; without it `customer_id` names it")),
    responses((status = 200, description = "Accepted", body = TakenView))
)]
pub(crate) async fn import(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = match extract::caller_or_api_key(&parts, &state) {
        Ok(caller) => caller,
        Err(problem) => {
            crate::body::drain(body).await;
            return Err(problem);
        }
    };
    let posted = extract::read(caller, parts.headers, body, &state).await?;
    let query = Query::parse(query.as_deref(), &["tenant"])?;
    let form = form(&posted)?;
    let done = state
        .service
        .easysend_events(&posted.caller, posted.body, form, query.text("tenant"))
        .await?;
    Ok(taken(&done))
}

/// A payload comes as JSON, as text, or as the bytes of a file.
fn form(posted: &Posted) -> Result<Form, Problem> {
    match media_type(&posted.headers).as_deref() {
        Some("text/plain" | "application/octet-stream" | "application/ecs+json") => Ok(Form::Json),
        Some(other) if other.ends_with("json") || other.ends_with("jsonl") => posted.form(),
        None => Ok(Form::Json),
        Some(other) => {
            Err(unsupported(other, "application/json, application/x-ndjson or text/plain"))
        }
    }
}

/// `GET /player/api/get-security-logs`: the records of a window of time as one JSON array, oldest first.
pub(crate) async fn logs(Shared(state): Shared<State>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    crate::body::drain(body).await;
    let Ok(caller) = extract::caller_or_api_key(&parts, &state) else {
        return failed(StatusCode::UNAUTHORIZED, "the header apiKey is missing or not valid");
    };
    let logs = match window(parts.uri.query(), &state) {
        Ok(logs) => logs,
        Err(detail) => return failed(StatusCode::BAD_REQUEST, &detail),
    };
    let first = match state.service.easysend_logs(&caller, &logs, None).await {
        Ok(first) => first,
        Err(error) => return refused(error),
    };
    // Page by page: however large the window is, one page is in memory.
    let begun = (state, caller, logs, Next::Page(first), true);
    let parts = stream::unfold(begun, |(state, caller, logs, next, mut opening)| async move {
        let page = match next {
            Next::Done => return None,
            Next::At(cursor) => state.service.easysend_logs(&caller, &logs, Some(cursor)).await,
            Next::Page(page) => Ok(page),
        };
        let (text, next) = match page {
            Ok(page) => written(page, &mut opening),
            // The status is out: a body that ends early is all that can be said.
            Err(error) => (Err(std::io::Error::other(error)), Next::Done),
        };
        Some((text, (state, caller, logs, next, opening)))
    });
    let mut response = Body::from_stream(parts.boxed()).into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// What the stream does next.
enum Next {
    Page(SecurityLogPage),
    At(String),
    Done,
}

fn written(page: SecurityLogPage, opening: &mut bool) -> (std::io::Result<Bytes>, Next) {
    let mut text = Vec::new();
    let mut at_start = std::mem::replace(opening, false);
    if at_start {
        text.push(b'[');
    }
    // A page whose records were all left out opens nothing.
    if at_start && page.records.is_empty() && page.next.is_some() {
        *opening = true;
        text.clear();
    }
    for record in &page.records {
        if !std::mem::replace(&mut at_start, false) {
            text.push(b',');
        }
        text.extend_from_slice(record);
    }
    let next = page.next.map_or(Next::Done, Next::At);
    if matches!(next, Next::Done) {
        text.push(b']');
    }
    (Ok(text.into()), next)
}

/// Reads the parameters. Times are 14 digits and UTC; a zone cannot be given.
fn window(query: Option<&str>, state: &State) -> Result<SecurityLogs, String> {
    const KNOWN: [&str; 5] = ["start_time", "end_time", "end_type", "app_type", "tenant"];
    let query = Query::parse(query, &KNOWN).map_err(|problem| problem.detail.clone())?;
    let time = |name: &str| match query.text(name) {
        None | Some("") => Ok(None),
        Some(text) => digits(text)
            .map(Some)
            .ok_or_else(|| format!("{name} must have the form YYYYMMDDHHMMSS, in UTC")),
    };
    let from = time("start_time")?.ok_or("start_time is required, in the form YYYYMMDDHHMMSS")?;
    // The published page spells it end_type; what it means is end_time.
    let to = match (time("end_time")?, time("end_type")?) {
        (Some(_), Some(_)) => return Err("give end_time or end_type, not both".into()),
        (one, other) => one.or(other).unwrap_or_else(|| state.service.now()),
    };
    let player_only = match query.text("app_type") {
        None => false,
        Some("player") => true,
        Some(_) => return Err("app_type must be player, or be left out".into()),
    };
    let tenant = query.text("tenant").map(str::to_owned);
    Ok(SecurityLogs { tenant, from, to, player_only })
}

fn digits(text: &str) -> Option<Timestamp> {
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let [date, time] = [&text[..8], &text[8..]];
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

/// The protocol has 400, 401 and 500 and no others.
fn refused(error: ReadError) -> Response {
    match error {
        ReadError::Access(AccessError::NotFound) => {
            failed(StatusCode::BAD_REQUEST, "there is no such tenant for this key")
        }
        ReadError::Access(_) => {
            failed(StatusCode::UNAUTHORIZED, "the header apiKey is not valid for this")
        }
        ReadError::TenantRequired => {
            failed(StatusCode::BAD_REQUEST, "this key sees several tenants: add tenant=…")
        }
        other => {
            // Logs the cause.
            let _ = Problem::from(other);
            failed(StatusCode::INTERNAL_SERVER_ERROR, "the logs cannot be read now")
        }
    }
}

/// Returns a problem in the protocol's shape.
pub(crate) fn from_problem(problem: &Problem) -> Response {
    failed(problem.kind.status(), &problem.detail)
}

fn failed(status: StatusCode, message: &str) -> Response {
    reply(status, &serde_json::json!({ "message": message }))
}

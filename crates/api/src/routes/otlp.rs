//! OTLP's logs service over HTTP: `POST /v1/logs`, as Protocol Buffers or JSON. Over gRPC: [`grpc`].
//!
//! Exporters try again after 429, 502, 503 and 504 and give up after anything else, so no refusal of content has one of
//! these. Replies and errors have the encoding of the request.

pub(crate) mod grpc;

use attestary_service::{
    OtlpError, OtlpForm, OtlpTaken,
    otlp::{Message as _, PartialSuccess, Response as Answer, Status},
};
use axum::{
    body::Body,
    extract::{Request, State as Shared},
    response::Response,
};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{
    app::State,
    body,
    extract::{self, Posted, media_type},
    problem::{INVALID_BODY, Problem},
};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// `POST /v1/logs`.
pub(crate) async fn logs(Shared(state): Shared<State>, request: Request) -> Response {
    let form = match media_type(request.headers()).as_deref() {
        Some(JSON) => OtlpForm::Json,
        Some(PROTOBUF) => OtlpForm::Protobuf,
        other => {
            let problem = extract::unsupported(
                other.unwrap_or_default(),
                "application/x-protobuf or application/json",
            );
            body::drain(request.into_body()).await;
            return failed(OtlpForm::Json, &problem);
        }
    };
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(problem) => return failed(form, &problem),
    };
    match state.service.otlp_logs(&posted.caller, posted.body, form).await {
        Ok(taken) => answered(form, &taken),
        Err(error) => failed(form, &problem(error)),
    }
}

/// Authenticates and reads the body.
async fn posted(state: &State, request: Request) -> Result<Posted, Problem> {
    let (parts, body) = request.into_parts();
    match extract::caller(&parts.headers, parts.extensions.get(), state, &["bearer"]) {
        Ok(caller) => extract::read(caller, parts.headers, body, state).await,
        Err(problem) => {
            body::drain(body).await;
            Err(problem)
        }
    }
}

fn problem(error: OtlpError) -> Problem {
    match error {
        OtlpError::Intake(error) => error.into(),
        other => Problem::new(&INVALID_BODY, other.to_string()),
    }
}

/// Returns the message of a reply: nothing at all when every event was taken.
fn answer(taken: &OtlpTaken) -> Answer {
    let partial_success = (taken.rejected > 0).then(|| PartialSuccess {
        rejected_log_records: i64::try_from(taken.rejected).unwrap_or(i64::MAX),
        error_message: taken.reason.clone().unwrap_or_default(),
    });
    Answer { partial_success }
}

fn answered(form: OtlpForm, taken: &OtlpTaken) -> Response {
    let answer = answer(taken);
    let body = match (form, &answer.partial_success) {
        (OtlpForm::Protobuf, _) => answer.encode_to_vec(),
        (OtlpForm::Json, None) => b"{}".to_vec(),
        // As the JSON form has it, 64-bit integers are strings.
        (OtlpForm::Json, Some(partial)) => json!({ "partialSuccess": {
            "rejectedLogRecords": partial.rejected_log_records.to_string(),
            "errorMessage": partial.error_message,
        } })
        .to_string()
        .into_bytes(),
    };
    reply(StatusCode::OK, form, body)
}

/// Returns a problem in the protocol's shape; as JSON, because nobody knows which encoding was meant.
pub(crate) fn from_problem(problem: &Problem) -> Response {
    failed(OtlpForm::Json, problem)
}

fn failed(form: OtlpForm, problem: &Problem) -> Response {
    let code = grpc::code(problem.kind.status);
    let body = match form {
        OtlpForm::Protobuf => Status { code, message: problem.detail.clone() }.encode_to_vec(),
        OtlpForm::Json => {
            json!({ "code": code, "message": problem.detail }).to_string().into_bytes()
        }
    };
    let mut response = reply(problem.kind.status(), form, body);
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn reply(status: StatusCode, form: OtlpForm, body: Vec<u8>) -> Response {
    let media = match form {
        OtlpForm::Protobuf => PROTOBUF,
        OtlpForm::Json => JSON,
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

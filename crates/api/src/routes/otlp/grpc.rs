//! OTLP's logs service over gRPC: one unary call, framed by hand on the listener's own HTTP/2.
//!
//! gRPC over HTTP/2 (grpc.io, PROTOCOL-HTTP2): a message is a flag, four bytes of length and its bytes; how the call
//! ended stands in trailers. That is all that a unary call needs, so no gRPC library is linked.

use std::fmt::Write as _;

use attestary_service::{OtlpForm, otlp::Message as _};
use axum::{
    body::Body,
    extract::{Request, State as Shared},
    response::Response,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::{answer, posted, problem};
use crate::{
    app::State,
    body::{self, Encoding, Limits},
    extract::{Posted, media_type, unsupported},
    problem::{INVALID_BODY, Problem, UNSUPPORTED_ENCODING},
};

/// The path of the call.
pub(crate) const PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// A flag and a length.
const PREFIX_BYTES: usize = 5;

/// `LogsService.Export`.
pub(crate) async fn export(Shared(state): Shared<State>, request: Request) -> Response {
    match exported(&state, request).await {
        Ok(message) => ended(Some(message), 0, ""),
        Err(problem) => ended(None, code(problem.kind.status), &problem.detail),
    }
}

async fn exported(state: &State, request: Request) -> Result<Bytes, Problem> {
    let media = media_type(request.headers()).unwrap_or_default();
    if !matches!(media.as_str(), "application/grpc" | "application/grpc+proto") {
        body::drain(request.into_body()).await;
        return Err(unsupported(&media, "application/grpc"));
    }
    let posted = posted(state, request).await?;
    let message = message(state, &posted).await?;
    let taken = state.service.otlp_logs(&posted.caller, message, OtlpForm::Protobuf).await;
    Ok(answer(&taken.map_err(problem)?).encode_to_vec().into())
}

/// Returns the one message of the call, decompressed.
async fn message(state: &State, posted: &Posted) -> Result<Bytes, Problem> {
    let wrong = |detail: &str| Problem::new(&INVALID_BODY, detail);
    let body = &posted.body;
    let Some(([flag, length @ ..], _)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(wrong("the call has no message"));
    };
    if body.len() - PREFIX_BYTES != u32::from_be_bytes(*length) as usize {
        return Err(wrong("the call must have one whole message"));
    }
    let message = body.slice(PREFIX_BYTES..);
    if *flag == 0 {
        return Ok(message);
    }
    let encoding = posted.headers.get("grpc-encoding").and_then(|value| value.to_str().ok());
    if encoding != Some("gzip") {
        let detail = "a message is sent as it is, or compressed with gzip";
        return Err(Problem::new(&UNSUPPORTED_ENCODING, detail));
    }
    let limits = state.service.limits();
    let limits = Limits { bytes_max: limits.batch_bytes_max, ratio_max: limits.ratio_max };
    body::decompressed(Encoding::Gzip, message, limits).await
}

/// Returns a problem as the end of a call.
pub(crate) fn from_problem(problem: &Problem) -> Response {
    // No such call is not the same as no such thing.
    let code = if problem.kind.status == 404 { 12 } else { code(problem.kind.status) };
    ended(None, code, &problem.detail)
}

/// Returns the code of a status of HTTP. Only 14 makes an exporter try again.
pub(super) fn code(status: u16) -> i32 {
    match status {
        400 | 415 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        405 => 12,
        408 => 4,
        409 => 9,
        413 => 8,
        429 | 502 | 503 | 504 => 14,
        _ => 13,
    }
}

fn ended(message: Option<Bytes>, code: i32, detail: &str) -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    if !detail.is_empty()
        && let Ok(value) = HeaderValue::from_str(&encoded(detail))
    {
        trailers.insert("grpc-message", value);
    }
    let mut response = match message {
        Some(message) => {
            let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
            framed.put_u8(0);
            framed.put_u32(message.len() as u32);
            framed.put(message);
            let frames = [Frame::data(framed.freeze()), Frame::trailers(trailers)];
            let frames = frames.map(Ok::<_, std::convert::Infallible>);
            Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))))
        }
        // Without a message the trailers are the headers.
        None => {
            let mut response = Response::new(Body::empty());
            *response.headers_mut() = trailers;
            response
        }
    };
    let media = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}

/// Percent-encodes what a message may not hold as it is.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            other => _ = write!(out, "%{other:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_printable_characters_only() {
        assert_eq!(encoded("a\"b c"), "a\"b c");
        assert_eq!(encoded("100 %\n\u{e4}"), "100 %25%0A%C3%A4");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, expected) in [(400, 3), (401, 16), (413, 8), (429, 14), (503, 14), (500, 13)] {
            assert_eq!(code(status), expected, "{status}");
        }
    }
}

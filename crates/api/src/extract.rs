//! What handlers take out of a request: the authenticated caller, and the body with its form.
//!
//! The key is checked before a byte of the body is read. A request that is refused with its body unread is still
//! drained, so that its connection lives on.

use attestary_service::{AccessError, Caller, Form, Origin, Seat};
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
};
use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};

use crate::{
    app::State,
    body::{self, Limits, WORKER_BYTES_MIN},
    cookie, cross_origin,
    members::Members,
    problem::{PUSHBACK, Problem, UNSUPPORTED_MEDIA_TYPE},
};

/// The caller behind the request's key.
pub(crate) struct Authed(pub(crate) Caller);

impl FromRequestParts<State> for Authed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        caller(&parts.headers, parts.extensions.get(), state, &["bearer"]).map(Self)
    }
}

/// Returns the caller behind the key that stands after one of `schemes` (in lower case).
pub(crate) fn caller(
    headers: &HeaderMap,
    origin: Option<&Origin>,
    state: &State,
    schemes: &[&str],
) -> Result<Caller, Problem> {
    let origin = origin.expect("the edge puts an origin into every request").clone();
    let key = match presented(headers, schemes) {
        Some(key) => Some(key),
        None => cookie::token(headers)?,
    };
    let key = key.ok_or(AccessError::Unauthenticated);
    let environment = match headers.get("attestary-environment") {
        None => Ok(None),
        Some(value) => value.to_str().map(Some).map_err(|_| AccessError::NotFound),
    };
    let found = key.and_then(|key| state.service.authenticate(key, environment?, origin));
    let caller = found.map_err(|error| {
        if error == AccessError::Unauthenticated {
            state.counters.unauthenticated.increment(1);
        }
        Problem::from(error)
    })?;
    cross_origin::check(&caller, headers)?;
    Ok(caller)
}

/// Returns the caller behind the key in the header `apiKey`, where some systems put it, or a bearer token.
pub(crate) fn caller_or_api_key(parts: &Parts, state: &State) -> Result<Caller, Problem> {
    let mut headers = parts.headers.clone();
    if let Some(key) = parts.headers.get("apikey") {
        let mut bearer = b"Bearer ".to_vec();
        bearer.extend_from_slice(key.as_bytes());
        let value = http::HeaderValue::from_bytes(&bearer)
            .map_err(|_| Problem::from(AccessError::Unauthenticated))?;
        headers.insert(header::AUTHORIZATION, value);
    }
    caller(&headers, parts.extensions.get(), state, &["bearer"])
}

fn presented<'a>(headers: &'a HeaderMap, schemes: &[&str]) -> Option<&'a str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known)).then(|| key.trim())
}

/// The caller, and a body that was read under all limits.
pub(crate) struct Posted {
    pub(crate) caller: Caller,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Room taken by a large body, given back when the request is over.
    pub(crate) room: Option<Seat>,
}

impl FromRequest<State> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        match caller(&parts.headers, parts.extensions.get(), state, &["bearer"]) {
            Ok(caller) => read(caller, parts.headers, body, state).await,
            Err(problem) => {
                body::drain(body).await;
                Err(problem)
            }
        }
    }
}

/// Reads the body of an authenticated request.
pub(crate) async fn read(
    caller: Caller,
    headers: HeaderMap,
    body: Body,
    state: &State,
) -> Result<Posted, Problem> {
    let room = match reserve(&caller, &headers, state) {
        Ok(room) => room,
        Err(problem) => {
            body::drain(body).await;
            return Err(problem);
        }
    };
    let limits = state.service.limits();
    let limits = Limits { bytes_max: limits.batch_bytes_max, ratio_max: limits.ratio_max };
    let body = body::read(&headers, body, limits).await?;
    Ok(Posted { caller, headers, body, room })
}

/// Large bodies share a bounded room, so that many at once cannot use up the memory, and those of one key not the room.
fn reserve(caller: &Caller, headers: &HeaderMap, state: &State) -> Result<Option<Seat>, Problem> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let bytes_max = state.service.limits().batch_bytes_max;
    let encoded = headers.contains_key(header::CONTENT_ENCODING);
    let bytes = match declared {
        // A compressed body may become as large as any.
        Some(bytes) if encoded => bytes.saturating_mul(16).min(bytes_max),
        Some(bytes) => bytes.min(bytes_max),
        None => bytes_max,
    };
    if bytes < WORKER_BYTES_MIN {
        return Ok(None);
    }
    let key = caller.principal.id().to_owned();
    let room = state.body_room.try_take(key, bytes.div_ceil(1024) as u32);
    room.map(Some)
        .ok_or_else(|| Problem::new(&PUSHBACK, "too many large bodies at once").retry_after(1))
}

impl Posted {
    /// Returns how the events of the body are written down.
    pub(crate) fn form(&self) -> Result<Form, Problem> {
        match media_type(&self.headers).as_deref() {
            None | Some("application/json") => Ok(Form::Json),
            Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => {
                Ok(Form::Ndjson)
            }
            Some(other) => Err(unsupported(other, "application/json or application/x-ndjson")),
        }
    }

    /// Refuses a body where none belongs; an empty object is no harm.
    pub(crate) fn no_members(&self) -> Result<(), Problem> {
        if self.body.is_empty() { Ok(()) } else { self.members()?.finish() }
    }

    /// Returns the members of an administrative body.
    pub(crate) fn members(&self) -> Result<Members, Problem> {
        match media_type(&self.headers).as_deref() {
            None | Some("application/json") => Members::parse(&self.body),
            Some(other) => Err(unsupported(other, "application/json")),
        }
    }
}

/// Returns the media type in lower case without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?;
    let text = value.to_str().unwrap_or("?");
    Some(text.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}

pub(crate) fn unsupported(seen: &str, expected: &str) -> Problem {
    let seen = &seen[..seen.floor_char_boundary(64)];
    let detail = format!(
        "the body must be {expected}; it is said to be \"{seen}\" (set the header Content-Type)"
    );
    Problem::new(&UNSUPPORTED_MEDIA_TYPE, detail)
}

//! Pages of other origins: the embedded viewer's, and nobody else's.
//!
//! (Retraced's viewer is bound to the page that begins its session, so that one path answers every page.)
//!
//! A portal session names the one origin whose pages may use it. Replies carry the headers that let such a page read
//! them; requests of a portal session that a browser sent from another origin are refused. Cookies take no part: the
//! viewer's token stands in the `Authorization` header.

use attestary_service::{Caller, Service};
use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::problem::{FORBIDDEN_ORIGIN, Problem};

/// What a page of another origin may send and read.
const REQUEST_HEADERS: &str = "authorization, content-type, last-event-id";
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const REPLY_HEADERS: &str = "content-disposition, retry-after, x-request-id";
/// Where a page that is not known yet begins a session of Retraced's viewer.
const BEGINNING: &str = "/viewer/v1/viewersession";
/// Seconds that a browser may remember a preflight.
const PREFLIGHT_SECONDS: &str = "600";

/// Returns the request's origin when some portal session is shown on it.
pub(crate) fn known_origin(request: &Request<Body>, service: &Service) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    let path = request.uri().path();
    let open = path.starts_with("/v1/") || path.contains("/viewer/v1/");
    let known = open && origin.to_str().is_ok_and(|origin| service.knows_origin(origin));
    (known || path.ends_with(BEGINNING)).then(|| origin.clone())
}

/// Returns the answer to a browser that asks before it sends.
pub(crate) fn preflight(request: &Request<Body>, origin: Option<&HeaderValue>) -> Option<Response> {
    let asks = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    origin.filter(|_| asks)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

/// Lets pages of the origin read the reply.
pub(crate) fn allow(origin: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(REPLY_HEADERS));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

/// Refuses a portal session that is used on another origin's pages. The server's own pages show it too.
pub(crate) fn check(caller: &Caller, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(portal) = caller.session().and_then(|session| session.portal.as_ref()) else {
        return Ok(());
    };
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let own = headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
        || headers.get(header::HOST).is_some_and(|host| is_origin_of(origin, host));
    if own || origin == portal.origin.as_str() {
        return Ok(());
    }
    let detail = format!("this session belongs to pages of {}", portal.origin);
    Err(Problem::new(&FORBIDDEN_ORIGIN, detail))
}

fn is_origin_of(origin: &HeaderValue, host: &HeaderValue) -> bool {
    let (Ok(origin), Ok(host)) = (origin.to_str(), host.to_str()) else { return false };
    origin.split_once("://").is_some_and(|(_, own)| own == host)
}

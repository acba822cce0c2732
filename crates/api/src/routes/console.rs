//! `/console`: the built console, its portal page and the embeddable viewer.
//!
//! Pages of the console know their paths themselves, so every path that is no file answers with the page. Files whose
//! name holds a hash of their content are kept by browsers for good; the pages and the viewer's script are asked for
//! anew each time, which costs a 304.

use std::{collections::HashMap, io::Write as _, sync::LazyLock};

use attestary_web::{FILES, File};
use axum::{
    extract::{Path, State as Shared},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{app::State, problem::Problem};

/// Nothing from elsewhere, nothing inline: what an event says is never run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'";

/// A file with what its replies need.
struct Served {
    file: &'static File,
    gzip: Bytes,
    tag: HeaderValue,
}

static SERVED: LazyLock<HashMap<&'static str, Served>> =
    LazyLock::new(|| FILES.iter().map(|file| (file.path, served(file))).collect());

fn served(file: &'static File) -> Served {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let gzip = encoder.write_all(file.bytes).and_then(|()| encoder.finish());
    let hash = fnv(file.bytes);
    Served {
        file,
        gzip: gzip.expect("writing to memory does not fail").into(),
        tag: HeaderValue::from_str(&format!("\"{hash:016x}-{:x}\"", file.bytes.len()))
            .expect("hexadecimal digits are valid in a header"),
    }
}

/// FNV-1a over the content: an entity tag need only differ when a new build has another content.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The beginning of the site leads to the console.
pub(crate) async fn root() -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/console/")]).into_response()
}

/// The console itself.
pub(crate) async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    page("index.html", &headers, "'none'")
}

/// A file, or the page.
pub(crate) async fn below(
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match SERVED.get(path.as_str()) {
        Some(served) if !path.ends_with(".html") => Ok(respond(served, &headers)),
        _ if path.starts_with("assets/") => Err(Problem::not_found()),
        _ => page("index.html", &headers, "'none'"),
    }
}

/// The page of a portal session, which only pages of the session's origin may frame.
pub(crate) async fn portal(
    Shared(state): Shared<State>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let origin = state.service.frame_origin(&link);
    page("portal.html", &headers, origin.as_ref().map_or("'none'", |origin| origin.as_str()))
}

fn page(name: &str, headers: &HeaderMap, framed_by: &str) -> Result<Response, Problem> {
    let served = SERVED.get(name).ok_or_else(Problem::not_found)?;
    let mut response = respond(served, headers);
    let policy = format!("{POLICY}; frame-ancestors {framed_by}");
    let out = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        out.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    out.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    out.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    out.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    );
    Ok(response)
}

fn respond(served: &Served, headers: &HeaderMap) -> Response {
    let keep =
        if served.file.is_immutable() { "public, max-age=31536000, immutable" } else { "no-cache" };
    let accepts_gzip = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|one| one.trim().starts_with("gzip")));
    let unchanged = headers.get(header::IF_NONE_MATCH) == Some(&served.tag);
    let mut response = match (unchanged, accepts_gzip) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, true) => served.gzip.clone().into_response(),
        (false, false) => Bytes::from_static(served.file.bytes).into_response(),
    };
    let out = response.headers_mut();
    if accepts_gzip && !unchanged {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(served.file.media_type));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    out.insert(header::ETAG, served.tag.clone());
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // Scripts of the embedded viewer are loaded by pages of any origin; they hold nothing but the program.
    out.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    out.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

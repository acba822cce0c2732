//! One request from its arrival to its rendered reply: id, client address, path, routing, problems, headers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use attestary_service::{Origin, Seats, Service};
use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, Uri, header};
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::{
    cookie::Https,
    cross_origin,
    metrics::Counters,
    network::{client_ip, is_https},
    problem::{self, Problem},
    routes,
    settings::Settings,
};

/// Bytes of a request id that a client may set.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The HTTP interface over a service; clones share it.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    state: State,
    router: Router,
    request_ids: RequestIds,
}

/// What handlers see.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) service: Service,
    pub(crate) settings: Arc<Settings>,
    /// Room for large bodies, a seat for each KiB.
    pub(crate) body_room: Arc<Seats<String>>,
    pub(crate) counters: Arc<Counters>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

/// Returns the HTTP interface over a service.
pub fn router(service: Service, settings: Settings) -> App {
    let room = settings.body_bytes_in_flight_max / 1024;
    // One key has half of it, and room for a body of any size.
    let each = (room / 2).max(service.limits().batch_bytes_max.div_ceil(1024));
    let state = State {
        service,
        body_room: Arc::new(Seats::new(room, each)),
        settings: Arc::new(settings),
        counters: Arc::new(Counters::new()),
    };
    let router = routes::all(&state.settings).with_state(state.clone());
    App(Arc::new(Inner { state, router, request_ids: RequestIds::new() }))
}

impl App {
    pub(crate) fn settings(&self) -> &Settings {
        &self.0.state.settings
    }

    /// A client that goes away drops the future that answers it. A change must not stop half-way for that: it runs
    /// as a task of its own. Submitted events need none: the store finishes what it has taken.
    async fn route(&self, request: Request) -> Response {
        let change = is_change(&request);
        let routed = self.0.router.clone().oneshot(request);
        if !change {
            return routed.await.unwrap_or_else(|never| match never {});
        }
        match tokio::spawn(routed.in_current_span()).await {
            Ok(routed) => routed.unwrap_or_else(|never| match never {}),
            Err(error) => {
                tracing::error!(%error, "a change panicked");
                Problem::new(
                    &problem::INTERNAL,
                    "the service made a mistake; report it with the request id",
                )
                .into_response()
            }
        }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request, peer: SocketAddr) -> Response {
        let (request_id, header) = self.0.request_ids.of(&request);
        // Every line of our own log about this request says which one it is.
        let span = tracing::error_span!("request", id = &*request_id);
        self.answer(request, peer, request_id, header).instrument(span).await
    }

    async fn answer(
        &self,
        mut request: Request,
        peer: SocketAddr,
        request_id: Arc<str>,
        header: HeaderValue,
    ) -> Response {
        let ip = client_ip(peer.ip(), request.headers(), &self.settings().trusted_proxies);
        let tls = request.extensions().get().copied().unwrap_or(Https(false));
        let https = is_https(tls.0, peer.ip(), request.headers(), &self.settings().trusted_proxies);
        request.extensions_mut().insert(Https(https));
        request.extensions_mut().insert(Origin { ip: Some(ip), request_id: request_id.clone() });
        normalise(&mut request);
        let (method, path) = (request.method().clone(), request.uri().clone());
        let origin = cross_origin::known_origin(&request, &self.0.state.service);
        let response = match cross_origin::preflight(&request, origin.as_ref()) {
            Some(response) => response,
            None => self.route(request).await,
        };
        let mut response = rendered(response, path.path(), &request_id);
        let headers = response.headers_mut();
        headers.insert("x-request-id", header);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if let Some(origin) = origin {
            cross_origin::allow(origin, headers);
        }
        let path = without_token(path.path());
        tracing::debug!(%method, path, status = response.status().as_u16(), "answered");
        self.0.state.counters.count(response.status());
        response
    }
}

/// Changes other than submitting: they consist of several steps.
fn is_change(request: &Request) -> bool {
    let path = request.uri().path();
    let submits = matches!(path, "/v1/events" | "/v1/logs");
    !request.method().is_safe() && path.starts_with("/v1/") && !submits
}

/// Turns a problem that a handler answered with into its reply.
fn rendered(mut response: Response, path: &str, request_id: &str) -> Response {
    match response.extensions_mut().remove::<Problem>() {
        Some(mut problem) => {
            problem.allow =
                problem.allow.take().or_else(|| response.headers().get(header::ALLOW).cloned());
            routes::foreign::rendered(&problem, path)
                .unwrap_or_else(|| problem.render(path, request_id))
        }
        // What axum itself refuses (a path that is not valid UTF-8) has no body of ours.
        None if response.status() == StatusCode::BAD_REQUEST
            && !response.headers().contains_key(header::CONTENT_TYPE) =>
        {
            let problem = Problem::new(&problem::INVALID_QUERY, "the path is not valid");
            routes::foreign::rendered(&problem, path)
                .unwrap_or_else(|| problem.render(path, request_id))
        }
        None => response,
    }
}

/// Returns a path for the log: the dialog of a viewer may name a new token by its secret.
fn without_token(path: &str) -> &str {
    const TOKEN: &str = "/eitapi_token/";
    path.find(TOKEN).map_or(path, |at| &path[..at + TOKEN.len()])
}

/// Repeated slashes count as one: some clients join a base URL and a path with two.
fn normalise(request: &mut Request<Body>) {
    if !request.uri().path().contains("//") {
        return;
    }
    let mut path = String::with_capacity(request.uri().path().len());
    for part in request.uri().path().split('/').filter(|part| !part.is_empty()) {
        path.push('/');
        path.push_str(part);
    }
    if path.is_empty() {
        path.push('/');
    }
    if let Some(query) = request.uri().query() {
        path.push('?');
        path.push_str(query);
    }
    if let Ok(uri) = path.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}

/// Mints request ids: a random part of this process and a count.
struct RequestIds {
    process: String,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        Self { process: random[..12].to_owned(), count: AtomicU64::new(0) }
    }

    /// Returns the client's own id when it is printable and short, else a new one; as text and as header.
    fn of(&self, request: &Request) -> (Arc<str>, HeaderValue) {
        let given = request.headers().get("x-request-id").filter(|value| {
            (1..=REQUEST_ID_BYTES_MAX).contains(&value.len())
                && value.as_bytes().iter().all(u8::is_ascii_graphic)
        });
        if let Some(value) = given
            && let Ok(text) = value.to_str()
        {
            return (text.into(), value.clone());
        }
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let text = format!("req_{}{count:012x}", self.process);
        let header =
            HeaderValue::from_str(&text).expect("hexadecimal digits are valid in a header");
        (text.into(), header)
    }
}

//! A running service with keys for every role, and short ways to speak to it.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use attestary_api::{Settings, Tls};
use attestary_event::EnvironmentId;
use attestary_service::{
    Caller, Components, EnvironmentChange, NewKey, NewTenant, Rates, Scope, Service,
};
use attestary_store::{Clock, SystemClock, SystemRng};
use bytes::Bytes;
use futures::future::BoxFuture;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) const ENVIRONMENT: &str = "production";

/// Every scope of a key that belongs to an environment.
pub(crate) const ALL: [Scope; 6] =
    [Scope::Ingest, Scope::Read, Scope::Export, Scope::Destinations, Scope::Portal, Scope::Admin];

pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) service: Service,
    pub(crate) client: reqwest::Client,
    pub(crate) output: Lines,
    pub(crate) dir: Arc<tempfile::TempDir>,
    /// Milliseconds that the service's wall clock stands ahead.
    pub(crate) ahead_ms: Arc<AtomicU64>,
    shutdown: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
}

/// What `stdout` destinations wrote.
#[derive(Clone, Default)]
pub(crate) struct Lines(pub(crate) Arc<Mutex<Vec<u8>>>);

impl attestary_delivery::Output for Lines {
    fn write_lines(&self, lines: Bytes) -> BoxFuture<'_, io::Result<()>> {
        self.0.lock().unwrap().extend_from_slice(&lines);
        Box::pin(async { Ok(()) })
    }
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the problem after checking what every problem has.
    #[track_caller]
    pub(crate) fn problem(&self, code: &str, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{code}"), "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.headers["x-request-id"].to_str().unwrap());
        assert!(problem["instance"].as_str().unwrap().starts_with('/'));
        assert!(
            !problem["title"].as_str().unwrap().is_empty()
                && !problem["detail"].as_str().unwrap().is_empty()
        );
        problem
    }

    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), Settings::default(), None).await
    }

    pub(crate) async fn start_in(
        dir: Arc<tempfile::TempDir>,
        settings: Settings,
        tls: Option<Tls>,
    ) -> Self {
        Self::start_limited(dir, settings, tls, Rates::default()).await
    }

    pub(crate) async fn start_limited(
        dir: Arc<tempfile::TempDir>,
        settings: Settings,
        tls: Option<Tls>,
        rates: Rates,
    ) -> Self {
        install_provider();
        attestary_api::install_metrics();
        let output = Lines::default();
        let ahead_ms = Arc::new(AtomicU64::new(0));
        let service =
            open(dir.path().to_owned(), output.clone(), rates, Arc::clone(&ahead_ms)).await;
        let existing = service.list_environments(&Caller::installation_itself()).await.unwrap();
        if existing.is_empty() {
            service
                .create_environment(
                    &Caller::installation_itself(),
                    ENVIRONMENT,
                    EnvironmentChange::default(),
                )
                .await
                .unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let app = attestary_api::router(service.clone(), settings);
        let serving = tokio::spawn(attestary_api::serve(listener, tls, app, shutdown.clone()));
        let certificate = include_bytes!("tls/certificate.pem");
        let client = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(certificate).unwrap()])
            .build()
            .unwrap();
        let url = format!("{scheme}://localhost:{}", address.port());
        let client_url = if scheme == "http" { format!("http://{address}") } else { url };
        Self { url: client_url, address, service, client, output, dir, ahead_ms, shutdown, serving }
    }

    /// Starts with settings of the service's own on a directory that has its environment already.
    pub(crate) async fn start_with(
        dir: Arc<tempfile::TempDir>,
        settings: attestary_service::Settings,
        output: Lines,
    ) -> Self {
        let service = open_with(settings, output.clone()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let app = attestary_api::router(service.clone(), Settings::default());
        let serving = tokio::spawn(attestary_api::serve(listener, None, app, shutdown.clone()));
        let client = reqwest::Client::new();
        let url = format!("http://{address}");
        let ahead_ms = Arc::default();
        Self { url, address, service, client, output, dir, ahead_ms, shutdown, serving }
    }

    /// Stops serving and closes the service; the directory stays.
    pub(crate) async fn stop(self) -> Arc<tempfile::TempDir> {
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
        self.service.close().await;
        self.dir
    }

    pub(crate) fn begin_stop(&self) {
        self.shutdown.cancel();
    }

    /// Makes a key of the environment.
    pub(crate) async fn key(&self, scopes: &[Scope], tenants: Option<&[&str]>) -> String {
        self.key_in(ENVIRONMENT, scopes, tenants).await
    }

    pub(crate) async fn key_in(
        &self,
        environment: &str,
        scopes: &[Scope],
        tenants: Option<&[&str]>,
    ) -> String {
        let new = NewKey {
            name: "test".into(),
            scopes: scopes.to_vec(),
            tenants: tenants.map(|tenants| tenants.iter().map(ToString::to_string).collect()),
            expires_ms: None,
        };
        let caller = Caller::installation(&EnvironmentId::parse(environment).unwrap());
        self.service.create_key(&caller, new).await.unwrap().secret.reveal().to_owned()
    }

    pub(crate) async fn tenant(&self, id: &str) {
        let caller = Caller::installation(&EnvironmentId::parse(ENVIRONMENT).unwrap());
        self.service.create_tenant(&caller, NewTenant { id: id.into(), name: None }).await.unwrap();
    }

    /// Returns the first operator key.
    pub(crate) fn operator(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("operator.key")).unwrap().trim().to_owned()
    }

    pub(crate) fn request(&self, method: &str, path: &str, key: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(key)
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Reply {
        send(self.request("GET", path, key)).await
    }

    pub(crate) async fn delete(&self, path: &str, key: &str) -> Reply {
        send(self.request("DELETE", path, key)).await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Reply {
        send(self.request("POST", path, key).json(body)).await
    }

    pub(crate) async fn post_text(
        &self,
        path: &str,
        key: &str,
        media: &str,
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        send(self.request("POST", path, key).header("content-type", media).body(body)).await
    }

    /// Returns all events of a tenant, oldest first, without the genesis event.
    pub(crate) async fn events(&self, tenant: &str, key: &str) -> Vec<Value> {
        let page = self
            .get(&format!("/v1/events?tenant={tenant}&order=asc&limit=1000"), key)
            .await
            .ok(200);
        let events = page["data"].as_array().unwrap();
        events.iter().filter(|event| event["seq"] != 0).cloned().collect()
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Reply {
    let reply = request.send().await.unwrap();
    let (status, headers) = (reply.status(), reply.headers().clone());
    Reply { status, headers, body: reply.bytes().await.unwrap() }
}

/// The system's clock, set forward by a test.
struct Shifted {
    clock: SystemClock,
    ahead_ms: Arc<AtomicU64>,
}

impl Clock for Shifted {
    fn now_ms(&self) -> u64 {
        self.clock.now_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> std::time::Duration {
        self.clock.monotonic()
    }
}

async fn open(dir: PathBuf, output: Lines, rates: Rates, ahead_ms: Arc<AtomicU64>) -> Service {
    let mut settings = attestary_service::Settings::new(dir);
    settings.rates = rates;
    open_shifted(settings, output, ahead_ms).await
}

pub(crate) async fn open_with(settings: attestary_service::Settings, output: Lines) -> Service {
    open_shifted(settings, output, Arc::default()).await
}

async fn open_shifted(
    mut settings: attestary_service::Settings,
    output: Lines,
    ahead_ms: Arc<AtomicU64>,
) -> Service {
    settings.outbound.loopback = true;
    // Small files: each test makes its own.
    settings.store.journal_file_bytes = 16 << 20;
    let components = Components {
        clock: Arc::new(Shifted { clock: SystemClock::default(), ahead_ms }),
        rng: Arc::new(SystemRng::default()),
        output: Arc::new(output),
        runtime: tokio::runtime::Handle::current(),
    };
    Service::open(settings, components).await.unwrap()
}

pub(crate) fn install_provider() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Returns an event of the least form.
pub(crate) fn event(tenant: &str, action: &str) -> Value {
    serde_json::json!({ "tenant": tenant, "action": action, "actor": { "id": "u1" } })
}

/// Returns an event id that differs for each number.
pub(crate) fn id(number: u64) -> String {
    format!("01930b5e-5a53-709e-8f3c-{number:012x}")
}

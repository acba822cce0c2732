//! The listener: TLS, drain, header limits, request ids, trusted proxies.

use std::{sync::Arc, time::Duration};

use attestary_api::{Cidr, Settings, Tls};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::app::{ALL, Lines, TestApp, event, send};

async fn start_with(settings: Settings) -> TestApp {
    TestApp::start_in(Arc::new(tempfile::tempdir().unwrap()), settings, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn https_serves_both_versions_of_http_and_no_plain_text() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls");
    let tls =
        Tls::read(format!("{folder}/certificate.pem").into(), format!("{folder}/key.pem").into())
            .unwrap();
    tls.reload().unwrap();
    let app =
        TestApp::start_in(Arc::new(tempfile::tempdir().unwrap()), Settings::default(), Some(tls))
            .await;
    let key = app.key(&ALL, None).await;
    assert!(app.url.starts_with("https://"));
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    let plain =
        reqwest::Client::new().get(format!("http://{}/health/live", app.address)).send().await;
    assert!(
        plain.is_err() || !plain.unwrap().status().is_redirection(),
        "no redirect from http to https"
    );
}

#[test]
fn a_wrong_certificate_file_is_named() {
    let missing = Tls::read("nowhere.pem".into(), "nowhere.key".into()).unwrap_err();
    assert!(missing.to_string().contains("nowhere.pem"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_running_requests_finish_and_ends_idle_connections() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let body = event("acme", "a.b").to_string();
    let mut running = TcpStream::connect(app.address).await.unwrap();
    let mut idle = TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    running.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body only once the request runs.
    let mut part = [0; 25];
    running.read_exact(&mut part).await.unwrap();
    assert!(part.starts_with(b"HTTP/1.1 100"));
    // A request makes the idle connection known to the server before the stop.
    idle.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    app.begin_stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    running.write_all(body.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    running.read_to_end(&mut reply).await.unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&reply));
    let address = app.address;
    app.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_is_cut_at_the_end_of_the_drain() {
    let app =
        start_with(Settings { drain_time_max: Duration::from_millis(50), ..Settings::default() })
            .await;
    let key = app.key(&ALL, None).await;
    let mut stuck = TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n"
    );
    stuck.write_all(head.as_bytes()).await.unwrap();
    stuck.read_exact(&mut [0; 25]).await.unwrap();
    app.stop().await;
    let mut rest = Vec::new();
    let _ = stuck.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_have_limits_in_number_size_and_time() {
    let app =
        start_with(Settings { header_time_max: Duration::from_millis(50), ..Settings::default() })
            .await;
    let many: String = (0..70).map(|n| format!("h{n}: x\r\n")).collect();
    let head = "GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    assert!(raw(&app, format!("{head}{many}\r\n").as_bytes()).await.contains(" 431 "));
    let large = "x".repeat(20 * 1024);
    assert!(raw(&app, format!("{head}h: {large}\r\n\r\n").as_bytes()).await.contains(" 431 "));
    assert!(raw(&app, format!("{head}\r\n").as_bytes()).await.contains(" 200 "));
    // Half a header: the connection ends by itself.
    assert_eq!(raw(&app, b"GET /health/live HTTP/1.1\r\nhost:").await, "");
}

/// The time for headers counts neither the bodies of one connection together nor a single slow body.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_more_time_than_headers() {
    let header_time_max = Duration::from_millis(50);
    let app = start_with(Settings { header_time_max, ..Settings::default() }).await;
    let key = app.key(&ALL, None).await;
    let mut large = event("acme", "a.b");
    large["metadata"] = json!({ "text": "x".repeat(30_000) });
    let batch = json!(vec![large; 40]).to_string();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        batch.len()
    );
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    for pause in [Duration::ZERO, header_time_max / 10, header_time_max / 10, header_time_max] {
        for piece in [head.as_bytes(), batch.as_bytes()].concat().chunks(100_000) {
            stream.write_all(piece).await.unwrap();
            tokio::time::sleep(pause).await;
        }
        let mut reply = Vec::new();
        while !reply.ends_with(b"]}") {
            let read = stream.read_buf(&mut reply).await.unwrap();
            assert!(read > 0, "closed with pauses of {pause:?}");
        }
        assert!(reply.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&reply));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_end() {
    let app =
        start_with(Settings { idle_time_max: Duration::from_millis(50), ..Settings::default() })
            .await;
    assert_eq!(raw(&app, b"").await, "");
    let reply = raw(&app, b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

// seeds: IC-22
#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_take_all_connections() {
    let app = start_with(Settings { connections_per_address_max: 2, ..Settings::default() }).await;
    let request = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
    let answered = async |stream: &mut TcpStream| {
        let mut first = [0; 12];
        // A connection that was closed may break at the write or give nothing to read.
        let _ = stream.write_all(request).await;
        stream.read_exact(&mut first).await.is_ok() && first == *b"HTTP/1.1 200"
    };
    let mut first = TcpStream::connect(app.address).await.unwrap();
    let mut second = TcpStream::connect(app.address).await.unwrap();
    assert!(answered(&mut first).await && answered(&mut second).await);
    let mut third = TcpStream::connect(app.address).await.unwrap();
    assert!(!answered(&mut third).await);
    drop(first);
    loop {
        let mut next = TcpStream::connect(app.address).await.unwrap();
        if answered(&mut next).await {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_echoed_or_made() {
    let app = TestApp::start().await;
    let get = |id: Option<&str>| {
        let request = app.client.get(format!("{}/health/live", app.url));
        send(match id {
            Some(id) => request.header("x-request-id", id),
            None => request,
        })
    };
    assert_eq!(get(Some("mine-7")).await.headers["x-request-id"], "mine-7");
    let long = "x".repeat(129);
    for refused in [None, Some("with space"), Some(long.as_str())] {
        let made = get(refused).await.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(made.starts_with("req_"), "{made}");
    }
    assert_ne!(get(None).await.headers["x-request-id"], get(None).await.headers["x-request-id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_names_the_client_behind_a_trusted_proxy() {
    let trusted = vec![Cidr::parse("127.0.0.0/8").unwrap()];
    let app = start_with(Settings { trusted_proxies: trusted, ..Settings::default() }).await;
    let key = app.key(&ALL, None).await;
    let request =
        app.request("POST", "/v1/tenants", &key).header("x-forwarded-for", "6.6.6.6, 198.51.100.7");
    send(request.json(&json!({ "id": "acme" }))).await.ok(201);
    let trail = app.events("_audit", &key).await;
    let created =
        trail.iter().find(|event| event["metadata"]["operation"] == "tenant.create").unwrap();
    assert_eq!(created["context"]["ip"], "198.51.100.7");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_share_a_bounded_room() {
    let app =
        start_with(Settings { body_bytes_in_flight_max: 64 * 1024, ..Settings::default() }).await;
    let key = app.key(&ALL, None).await;
    let mut large = event("acme", "a.b");
    large["metadata"] = json!({ "text": "x".repeat(30_000) });
    let batch = json!(vec![large; 4]);
    let reply = app.post("/v1/events", &key, &batch).await;
    reply.problem("pushback", 503);
    assert_eq!(reply.headers["retry-after"], "1");
    app.post("/v1/events", &key, &batch[0]).await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_that_the_queue_has_no_room_for_is_refused_without_being_read() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let dir = app.stop().await;
    let mut settings = attestary_service::Settings::new(dir.path().to_owned());
    // What is not sealed yet is too much already: a submission keeps its room in the queue and waits.
    settings.store.unsealed_bytes_max = 0;
    settings.store.queue_bytes_max = 16 * 1024;
    let app = TestApp::start_with(dir, settings, Lines::default()).await;
    let waiting = app.request("POST", "/v1/events", &key).json(&event("acme", "a.b"));
    let waiting = tokio::spawn(send(waiting));
    let no_json = |bytes: usize| {
        let request = app.request("POST", "/v1/events", &key).body("x".repeat(bytes));
        send(request.header("content-type", "application/json"))
    };
    let mut reply = no_json(20_000).await;
    for _ in 0..1_000 {
        if reply.status == 503 {
            break;
        }
        reply.problem("invalid-event", 400);
        reply = no_json(20_000).await;
    }
    reply.problem("pushback", 503);
    assert_eq!(reply.headers["retry-after"], "1");
    // Small ones cost less to look at than to hold back.
    no_json(1).await.problem("invalid-event", 400);
    waiting.await.unwrap().problem("pushback", 503);
    no_json(20_000).await.problem("invalid-event", 400);
}

// seeds: IC-23
#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_need_no_key_and_name_no_tenant() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &event("very-secret-tenant", "a.b")).await.ok(201);
    let get = |path: &str| send(app.client.get(format!("{}{path}", app.url)));
    assert_eq!(get("/health/live").await.ok(200), json!({ "status": "ok" }));
    assert_eq!(get("/health/ready").await.ok(200), json!({ "status": "ok" }));
    let metrics = get("/metrics").await;
    assert!(
        metrics.text().contains("attestary_events_accepted_total")
            && !metrics.text().contains("secret")
    );
    app.service.store().close().await;
    get("/health/live").await.ok(200);
}

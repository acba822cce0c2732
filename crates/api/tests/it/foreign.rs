//! Every foreign path, with everything that its clients do not send: the reply has their shape, and nothing is stored.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, send};

/// How the clients of a path read an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `{code, message}`, and never the four bytes of a success.
    Ironcore,
    /// `{code, message, errors}`, without `error`, which means a failed login.
    Workos,
    /// `{status, type, error}`.
    Retraced,
    /// `{errors: [{message}]}`, except where the credential is refused.
    Query,
    /// `{message}`.
    Easysend,
    /// `{code, message}` of gRPC.
    Otlp,
    /// A problem: the path is Attestary's own.
    Native,
}

struct Door {
    shape: Shape,
    method: &'static str,
    path: &'static str,
    scheme: &'static str,
    media: &'static str,
}

const JSON: &str = "application/json";

fn door(shape: Shape, method: &'static str, path: &'static str) -> Door {
    let scheme = match shape {
        Shape::Ironcore => "cmk ",
        Shape::Retraced | Shape::Query => "token=",
        _ => "Bearer ",
    };
    Door { shape, method, path, scheme, media: JSON }
}

fn doors() -> Vec<Door> {
    vec![
        door(Shape::Ironcore, "POST", "/api/1/event/security-event"),
        door(Shape::Ironcore, "POST", "/tsp/api/1/event/security-event"),
        door(Shape::Ironcore, "POST", "/api/1/document/report-operations"),
        door(Shape::Ironcore, "POST", "/api/1/document/wrap"),
        door(Shape::Workos, "POST", "/audit_logs/events"),
        door(Shape::Workos, "POST", "/workos/audit_logs/events"),
        door(Shape::Workos, "POST", "/audit_logs/exports"),
        door(Shape::Workos, "POST", "/audit_logs/actions/a.b/schemas"),
        door(Shape::Workos, "PUT", "/organizations/acme/audit_logs_retention"),
        door(Shape::Workos, "POST", "/portal/generate_link"),
        door(Shape::Retraced, "POST", "/auditlog/publisher/v1/project/production/event"),
        door(Shape::Retraced, "POST", "/publisher/v1/project/production/event/bulk"),
        door(Shape::Retraced, "POST", "/v1/project/production/event"),
        door(Shape::Retraced, "POST", "/auditlog/viewer/v1/viewersession"),
        door(Shape::Query, "POST", "/auditlog/publisher/v1/project/production/graphql"),
        door(Shape::Query, "POST", "/viewer/v1/graphql"),
        door(Shape::Easysend, "GET", "/player/api/get-security-logs"),
        door(Shape::Otlp, "POST", "/v1/logs"),
        door(Shape::Native, "POST", "/ingest/easysend"),
        door(Shape::Native, "POST", "/ingest/kubernetes"),
        Door {
            media: "application/cloudevents+json",
            ..door(Shape::Native, "POST", "/ingest/cloudevents")
        },
        Door {
            media: "application/x-ndjson",
            ..door(Shape::Native, "POST", "/ingest/ndjson?map=%7B%22fields%22%3A%7B%7D%7D")
        },
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bodies that no client sends, with their content encoding.
fn bodies() -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    let wrong = json!({
        "tenantId": 5, "iclFields": [], "customFields": 7, "organization_id": {}, "event": [1],
        "organization": 5, "action": {}, "events": {}, "query": 7, "variables": [],
        "resourceLogs": 7, "items": {}, "specversion": 1, "security_event_type": [],
        "retention_period": {}, "token": 7, "intent": [], "operations": "x", "targets": 5,
    });
    let names: Vec<String> = wrong.as_object().unwrap().keys().cloned().collect();
    let nulls: Value = names.into_iter().map(|name| (name, Value::Null)).collect();
    vec![
        ("empty", Vec::new(), None),
        ("null", b"null".to_vec(), None),
        ("a number", b"7".to_vec(), None),
        ("cut", br#"{"a":"#.to_vec(), None),
        ("no text", (0..=255).collect(), None),
        ("not UTF-8", b"{\"tenantId\":\"\xff\"}".to_vec(), None),
        ("deep", [b"{\"a\":".repeat(9_000), b"1".to_vec(), b"}".repeat(9_000)].concat(), None),
        ("wrong types", wrong.to_string().into_bytes(), None),
        ("nulls", nulls.to_string().into_bytes(), None),
        ("no gzip", b"{}".to_vec(), Some("gzip")),
        ("a bomb", gzip(&vec![b' '; 64 << 20]), Some("gzip")),
        ("brotli", b"{}".to_vec(), Some("br")),
        ("too much", vec![b' '; (10 << 20) + 1], None),
    ]
}

/// Returns what is wrong with a reply that must be a refusal.
fn fault(shape: Shape, reply: &Reply) -> Option<String> {
    let (status, text) = (reply.status.as_u16(), reply.text());
    let media = reply.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let says = |name: &str| body[name].as_str().is_some_and(|text| !text.is_empty());
    let plain = media == "application/json";
    let right = match shape {
        Shape::Ironcore => plain && body["code"].is_u64() && says("message") && text != "null",
        Shape::Workos => {
            let errors = body["errors"].as_array();
            let named = errors.is_some_and(|errors| {
                errors.iter().all(|error| error["field"].is_string() || error["code"].is_string())
            });
            plain && says("code") && says("message") && named && body.get("error").is_none()
        }
        Shape::Retraced => plain && says("error") && body["status"] == status && says("type"),
        Shape::Query if status == 401 => plain && says("error") && body.get("errors").is_none(),
        Shape::Query => plain && body["errors"][0]["message"].is_string(),
        Shape::Easysend => plain && says("message"),
        Shape::Otlp => plain && body["code"].is_u64() && says("message"),
        Shape::Native => media == "application/problem+json" && says("type") && says("detail"),
    };
    // Names of types in our code, or a sentence that begins with the name of nothing, help nobody.
    let ours = text.contains("expected struct");
    let nameless = text.contains(r#"":": "#);
    let refused = (400..=499).contains(&status);
    (!right || ours || nameless || !refused).then(|| format!("{status} {media} {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_the_shape_of_the_paths_clients() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    let mut mistakes = Vec::new();
    for door in doors() {
        let request = |method: &str, path: &str, key: &str| {
            let credential = format!("{}{key}", door.scheme);
            app.client
                .request(method.parse().unwrap(), format!("{}{path}", app.url))
                .header("authorization", credential)
                .header("content-type", door.media)
        };
        let mut check = |name: &str, reply: &Reply| {
            if let Some(fault) = fault(door.shape, reply) {
                mistakes.push(format!("{} {}: {name}: {fault}", door.method, door.path));
            }
        };
        let bodies = if door.method == "GET" { Vec::new() } else { bodies() };
        for (name, body, encoding) in bodies {
            // A query without a text asks for everything; exporters' members that nobody knows are passed over.
            let taken = match door.shape {
                Shape::Query => name == "nulls",
                Shape::Otlp => name == "not UTF-8" || name == "deep",
                _ => false,
            };
            let mut request = request(door.method, door.path, &key).body(body);
            if let Some(encoding) = encoding {
                request = request.header("content-encoding", encoding);
            }
            let reply = send(request).await;
            if !taken {
                check(name, &reply);
            }
        }
        // No session of a viewer has begun, and keys are not looked at where all calls are refused.
        if !door.path.ends_with("viewersession") && !door.path.ends_with("wrap") {
            let reply = send(request(door.method, door.path, "wrong").body("{}")).await;
            check("a wrong key", &reply);
            assert_eq!(reply.status, 401, "{}", door.path);
            let without = app
                .client
                .request(door.method.parse().unwrap(), format!("{}{}", app.url, door.path))
                .header("content-type", door.media);
            let reply = send(without).await;
            check("no key", &reply);
            assert_eq!(reply.status, 401, "{}", door.path);
        }
        if !door.path.ends_with("wrap") {
            let reply = send(request("PATCH", door.path, &key)).await;
            check("a wrong method", &reply);
            let allow = reply.headers.get("allow").map_or("", |value| value.to_str().unwrap());
            assert!(reply.status == 405 && allow.contains(door.method), "{}: {allow}", door.path);
        }
        let path = door.path.split('?').next().unwrap();
        let below = format!("{}/nothing/here", path.strip_suffix("/graphql").unwrap_or(path));
        let expected = if door.shape == Shape::Query { Shape::Retraced } else { door.shape };
        let reply = send(request(door.method, &below, &key)).await;
        if let Some(fault) = fault(expected, &reply) {
            mistakes.push(format!("{} {below}: {fault}", door.method));
        }
    }
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    assert_eq!(app.events("acme", &key).await.len(), 0, "nothing was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_another_service_ends_as_calls_end() {
    let app = TestApp::start().await;
    let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Import";
    let reply = send(app.request("POST", path, "none")).await;
    assert_eq!(
        (reply.status.as_u16(), reply.headers["grpc-status"].to_str().unwrap()),
        (200, "12")
    );
    assert_eq!(reply.headers["content-type"], "application/grpc");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_keep_a_prefix_reach_their_paths() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let event = json!({ "organization_id": "acme", "event": {
        "action": "a.b", "occurred_at": "2026-11-22T00:39:11.123Z", "actor": { "type": "user", "id": "u" },
        "targets": [], "context": { "location": "203.0.113.9" }
    } });
    send(app.request("POST", "/workos/audit_logs/events", &key).json(&event)).await.ok(201);
    let security =
        json!({ "tenantId": "acme", "iclFields": { "event": "USER_LOGIN", "requestingId": "u" } });
    let request = app.client.post(format!("{}/tsp//api/1/event/security-event", app.url));
    let reply = send(request.header("authorization", format!("cmk {key}")).json(&security)).await;
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (200, "null"));
    assert_eq!(app.events("acme", &key).await.len(), 2);
}

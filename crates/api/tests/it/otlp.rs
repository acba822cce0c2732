//! OTLP's logs service: both encodings, the frames of gRPC, the list of names, partial success, refusals. What speaks
//! HTTP/2 to the listener is the exporter of the whole-product tests.

use std::io::Write as _;

use attestary_service::otlp::{Message as _, Names, Request, Response, Status};
use serde_json::{Value, json};

use crate::app::{ALL, Lines, Reply, TestApp, send};

fn record(name: &str, tenant: Option<&str>, more: &Value) -> Value {
    let mut attributes = vec![json!({ "key": "user.id", "value": { "stringValue": "u" } })];
    if let Some(tenant) = tenant {
        attributes.push(json!({ "key": "tenant.id", "value": { "stringValue": tenant } }));
    }
    attributes.extend(more.as_array().cloned().unwrap_or_default());
    json!({ "eventName": name, "attributes": attributes })
}

fn request(records: &[Value]) -> Vec<u8> {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] })
        .to_string()
        .into_bytes()
}

async fn start() -> TestApp {
    let app = TestApp::start().await;
    let dir = app.stop().await;
    let mut settings = attestary_service::Settings::new(dir.path().to_owned());
    settings.otlp_events = Names::new(vec!["user.*".into()]);
    TestApp::start_with(dir, settings, Lines::default()).await
}

async fn post(app: &TestApp, key: &str, media: &str, body: Vec<u8>) -> Reply {
    app.post_text("/v1/logs", key, media, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_on_the_list_become_events_and_others_are_forgotten() {
    let app = start().await;
    let key = app.key(&ALL, None).await;
    let body = request(&[
        record("user.login", Some("acme"), &Value::Null),
        record("http.request", Some("acme"), &Value::Null),
        record("", Some("acme"), &Value::Null),
    ]);
    let reply = post(&app, &key, "application/json", body.clone()).await;
    assert_eq!(reply.ok(200), json!({}));
    let binary = Request::from_json(&body).unwrap().encode_to_vec();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&binary).unwrap();
    let gzip = gzip.finish().unwrap();
    for (encoding, body) in [("identity", binary), ("gzip", gzip)] {
        let request = app.request("POST", "/v1/logs", &key).body(body);
        let request = request.header("content-type", "application/x-protobuf");
        let reply = send(request.header("content-encoding", encoding)).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0), "{}", reply.text());
        assert_eq!(reply.headers["content-type"], "application/x-protobuf");
    }
    let events = app.events("acme", &key).await;
    assert_eq!(events.len(), 3);
    assert!(
        events.iter().all(|event| event["action"] == "user.login" && event["actor"]["id"] == "u")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_holds_nothing_back_and_is_named() {
    let app = start().await;
    let key = app.key(&ALL, None).await;
    let odd = json!([{ "key": "attestary.outcome", "value": { "stringValue": "odd" } }]);
    let uid = json!([{ "key": "log.record.uid", "value": { "stringValue": "7" } }]);
    let body = request(&[
        record("user.a", Some("acme"), &uid),
        record("user.b", None, &Value::Null),
        record("user.c", Some("acme"), &odd),
        record("user.d", Some("acme"), &Value::Null),
    ]);
    let answer = post(&app, &key, "application/json", body.clone()).await.ok(200);
    assert_eq!(answer["partialSuccess"]["rejectedLogRecords"], "2");
    assert!(
        answer["partialSuccess"]["errorMessage"].as_str().unwrap().contains("tenant"),
        "{answer}"
    );
    let binary = Request::from_json(&body).unwrap().encode_to_vec();
    let reply = post(&app, &key, "application/x-protobuf", binary).await;
    let partial = Response::decode(&*reply.body).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 2);
    // The record with an id of its own is there once.
    let events = app.events("acme", &key).await;
    let mut actions: Vec<&str> = events.iter().map(|e| e["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["user.a", "user.d", "user.d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_encoding_of_the_request() {
    let app = start().await;
    let key = app.key(&ALL, None).await;
    let reply = post(&app, &key, "application/json", b"7".to_vec()).await;
    assert_eq!(reply.ok(400)["code"], 3);
    let reply = post(&app, &key, "application/x-protobuf", vec![0x0a, 0x7f]).await;
    assert_eq!(reply.status.as_u16(), 400);
    assert_eq!(Status::decode(&*reply.body).unwrap().code, 3);
    let reply = post(&app, "nonsense", "application/x-protobuf", Vec::new()).await;
    assert_eq!(Status::decode(&*reply.body).unwrap().code, 16);
    assert_eq!(reply.status.as_u16(), 401);
    assert_eq!(post(&app, &key, "text/plain", Vec::new()).await.ok(415)["code"], 3);
}

async fn call(app: &TestApp, key: &str, body: Vec<u8>) -> (Option<String>, Reply) {
    let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let request = app.request("POST", path, key).header("content-type", "application/grpc");
    let reply = request.body(body).send().await.unwrap();
    let status = reply.headers().get("grpc-status").map(|value| value.to_str().unwrap().to_owned());
    let (code, headers) = (reply.status(), reply.headers().clone());
    (status, Reply { status: code, headers, body: reply.bytes().await.unwrap() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_grpc_is_framed_and_ends_with_its_code() {
    let app = start().await;
    let key = app.key(&ALL, Some(&["acme"])).await;
    let body = request(&[record("user.login", None, &Value::Null)]);
    let message = Request::from_json(&body).unwrap().encode_to_vec();
    let framed = |flag: u8, message: &[u8]| {
        let mut body = vec![flag];
        body.extend_from_slice(&(message.len() as u32).to_be_bytes());
        body.extend_from_slice(message);
        body
    };
    let (status, reply) = call(&app, &key, framed(0, &message)).await;
    assert_eq!(
        (status, &reply.body[..]),
        (None, &[0, 0, 0, 0, 0][..]),
        "the status stands in trailers"
    );
    assert_eq!(app.events("acme", &key).await.len(), 1);
    for (key, body, code) in [
        ("nonsense", framed(0, &message), "16"),
        (key.as_str(), framed(0, &[0x0a, 0x7f]), "3"),
        (key.as_str(), framed(1, &message), "3"),
        (key.as_str(), vec![0, 0], "3"),
        (key.as_str(), framed(0, &message)[..9].to_vec(), "3"),
    ] {
        let (status, reply) = call(&app, key, body).await;
        assert_eq!((status.as_deref(), reply.status.as_u16()), (Some(code), 200));
        assert!(!reply.headers["grpc-message"].is_empty());
    }
}

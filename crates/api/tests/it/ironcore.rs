//! The endpoint for unmodified IronCore clients: every reply has the shape that they understand.

use attestary_service::Scope;
use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, send};

const PATH: &str = "/api/1/event/security-event";

fn login(tenant: &str) -> Value {
    json!({
        "tenantId": tenant, "timestampMillis": 1_700_000_000_123_i64,
        "iclFields": {
            "sourceIp": "127.0.0.1", "objectId": "userId1", "requestingId": "serviceOrUserId",
            "dataLabel": "data label", "requestId": "Rq8675309", "event": "USER_LOGIN"
        },
        "customFields": { "field1": "value1", "field2": "value2" }
    })
}

async fn post(
    app: &TestApp,
    path: &str,
    authorization: &str,
    body: impl Into<reqwest::Body>,
) -> Reply {
    let request =
        app.client.post(format!("{}{path}", app.url)).header("authorization", authorization);
    send(request.header("content-type", "application/json").body(body)).await
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: u64) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    let body = reply.json();
    assert_eq!(body["code"], code, "{body}");
    assert!(body["message"].is_string());
    assert_eq!(reply.headers["content-type"], "application/json");
    assert!(!reply.text().contains("null"), "no error may hold the word that means success");
}

/// The Go client gives its body no length, and writes absent custom fields as null.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_chunks_is_taken() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let parts = [
        r#"{"tenantId":"acme","iclFields":{"requestingId":"a","event":"CREATE_BACKUP"}"#,
        r#","customFields":null}"#,
    ];
    let mut request = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: cmk {key}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    for part in parts {
        request += &format!("{:x}\r\n{part}\r\n", part.len());
    }
    request += "0\r\n\r\n";
    let mut connection = tokio::net::TcpStream::connect(app.address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("\r\n\r\nnull"), "{reply}");
    let events = app.events("acme", &key).await;
    assert_eq!(events[0]["action"], "CREATE_BACKUP");
}

// seeds: IC-01 IC-22 IC-23 IC-27
#[tokio::test(flavor = "multi_thread")]
async fn success_is_four_bytes_and_the_receipt_stands_in_headers() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for (seq, path) in
        [(1, PATH), (2, "//api/1/event/security-event"), (3, "/api/1//event///security-event")]
    {
        let request = app
            .client
            .post(format!("{}{path}", app.url))
            .header("authorization", format!("cmk {key}"));
        let request =
            request.header("x-icl-tsc-language", "node").header("x-icl-tsc-version", "4.1.3");
        let reply = send(request.json(&login("acme"))).await;
        assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, &b"null"[..]), "{path}");
        assert_eq!(reply.headers["attestary-seq"], seq.to_string());
        assert_eq!(reply.headers["attestary-leaf-hash"].len(), 64);
        assert_eq!(reply.headers["attestary-event-id"].len(), 36);
    }
    let events = app.events("acme", &key).await;
    assert_eq!(events.len(), 3, "the protocol has no ids: repeats are new events");
    let event = &events[0];
    assert_eq!(event["action"], "USER_LOGIN");
    assert_eq!(event["occurred_at"], "2023-11-14T22:13:20.123Z");
    assert_eq!(event["actor"]["id"], "serviceOrUserId");
    assert_eq!(event["context"]["ip"], "127.0.0.1");
    let metrics = send(app.client.get(format!("{}/metrics", app.url))).await.text();
    assert!(
        metrics.contains(r#"attestary_ironcore_requests_total{language="node",version="4.1.3"}"#),
        "{metrics}"
    );
}

// seeds: IC-11 IC-25
#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_protocols_codes() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let cmk = format!("cmk {key}");
    let good = login("acme").to_string();
    // Wrong or missing key: 401 with 101.
    for authorization in ["", "cmk", "cmk ", "cmk DEMO-KEY-16CHARS", &format!("basic {key}")] {
        refused(&post(&app, PATH, authorization, good.clone()).await, 401, 101);
    }
    let read = app.key(&[Scope::Read], None).await;
    refused(&post(&app, PATH, &format!("cmk {read}"), good.clone()).await, 403, 101);
    // Bodies that are no event: 400 with 102.
    for body in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        r#"{"tenantId":"","iclFields":{"event":"A","requestingId":"u"}}"#,
        r#"{"tenantId":"t","iclFields":{"requestingId":"u"}}"#,
        r#"{"tenantId":"t","iclFields":{"event":"A"}}"#,
        r#"{"tenantId":"t","iclFields":{"event":"A","requestingId":""}}"#,
        r#"{"tenantId":7,"iclFields":{"event":"A","requestingId":"u"}}"#,
        r#"{"tenantId":"_audit","iclFields":{"event":"A","requestingId":"u"}}"#,
        r#"{"tenantId":"t","iclFields":{"event":"attestary.view","requestingId":"u"}}"#,
    ] {
        refused(&post(&app, PATH, &cmk, body).await, 400, 102);
    }
    refused(&post(&app, PATH, &cmk, vec![b' '; 11 * 1024 * 1024]).await, 413, 102);
    // Key management: 200.
    for path in [
        "document/wrap",
        "document/unwrap",
        "document/batch-wrap",
        "document/batch-unwrap",
        "document/rekey",
        "key/derive-with-secret-path",
        "key/derive",
    ] {
        refused(&post(&app, &format!("/api/1/{path}"), &cmk, "{}").await, 400, 200);
    }
    refused(&post(&app, "/api/1/nothing", &cmk, "{}").await, 404, 100);
    let get = send(app.client.get(format!("{}{PATH}", app.url))).await;
    refused(&get, 405, 100);
    assert_eq!(get.headers["allow"], "POST");
    // Nothing of all that was stored.
    app.get("/v1/events?tenant=t", &key).await.problem("not-found", 404);
}

// seeds: IC-05 IC-07 IC-10 with recorded bodies
#[tokio::test(flavor = "multi_thread")]
async fn forms_of_the_other_clients_are_taken() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for body in [
        // Alloy: event on top, null optionals.
        r#"{"tenantId":"acme","event":"USER_LOGIN","timestampMillis":1,"iclFields":{"requestingId":"IronCore Labs Alloy SDK","dataLabel":null},"customFields":{}}"#,
        // Go: zero time, null map, escapes, unprefixed periodic name.
        r#"{"tenantId":"acme","timestampMillis":-62135596800000,"iclFields":{"event":"CREATE_BACKUP","requestingId":"\u003ca\u0026b\u003e"},"customFields":null}"#,
        // Node: numbers and objects pass.
        r#"{"tenantId":"acme","timestampMillis":1,"iclFields":{"requestingId":"s","event":"CUSTOM_Weird name-9"},"customFields":{"n":5,"o":{"a":1}}}"#,
        // No time at all.
        r#"{"tenantId":"acme","iclFields":{"requestingId":"s","event":"ADMIN_ADD"}}"#,
    ] {
        let reply = post(&app, PATH, &format!("cmk {key}"), body).await;
        assert_eq!(&reply.body[..], b"null", "{body}");
    }
    let events = app.events("acme", &key).await;
    let actions: Vec<_> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["USER_LOGIN", "CREATE_BACKUP", "CUSTOM_Weird name-9", "ADMIN_ADD"]);
    assert_eq!(events[1]["occurred_at"], "0001-01-01T00:00:00.000Z");
    assert_eq!(events[1]["actor"]["id"], "<a&b>");
}

// seeds: IC-14
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_environment_answers_success_and_counts_the_discard() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("known").await;
    let close = app
        .request("PATCH", "/v1/environments/production", &app.operator())
        .json(&json!({ "closed": true }));
    send(close).await.ok(200);
    let reply = post(&app, PATH, &format!("cmk {key}"), login("stranger").to_string()).await;
    assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, &b"null"[..]));
    assert!(
        !reply.headers.contains_key("attestary-seq"),
        "there is no receipt for what was thrown away"
    );
    app.get("/v1/events?tenant=stranger", &key).await.problem("not-found", 404);
    let metrics = send(app.client.get(format!("{}/metrics", app.url))).await.text();
    let count =
        metrics.lines().find_map(|line| line.strip_prefix("attestary_ironcore_discarded_total "));
    assert!(count.unwrap().parse::<u64>().unwrap() >= 1);
    let reply = post(&app, PATH, &format!("cmk {key}"), login("known").to_string()).await;
    assert_eq!(reply.headers["attestary-seq"], "1");
}

// seeds: IC-14
#[tokio::test(flavor = "multi_thread")]
async fn an_environment_may_print_what_no_log_takes() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let change = |body: Value| {
        send(app.request("PATCH", "/v1/environments/production", &app.operator()).json(&body))
    };
    change(json!({})).await.problem("invalid-body", 400);
    change(json!({ "unknown_events": "syslog" })).await.problem("invalid-body", 400);
    let shown = change(json!({ "closed": true, "unknown_events": "stdout" })).await.ok(200);
    assert_eq!((&shown["closed"], &shown["unknown_events"]), (&json!(true), &json!("stdout")));
    let reply = post(&app, PATH, &format!("cmk {key}"), login("stranger").to_string()).await;
    assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, &b"null"[..]));
    assert!(!reply.headers.contains_key("attestary-seq"), "it stands in no log");
    let printed = String::from_utf8(app.output.0.lock().unwrap().clone()).unwrap();
    let mut line: Value = serde_json::from_str(printed.strip_suffix('\n').unwrap()).unwrap();
    for ray in ["tspRayId", "logdriverRayId"] {
        let ray = line["iclFields"].as_object_mut().unwrap().remove(ray).unwrap();
        assert!(ray.as_str().is_some_and(|ray| ray.len() >= 16), "{ray}");
    }
    assert_eq!(
        line,
        json!({
            "tenantId": "stranger", "timestamp": "2023-11-14T22:13:20.123Z",
            "iclFields": {
                "sourceIp": "127.0.0.1", "objectId": "userId1", "requestingId": "serviceOrUserId",
                "dataLabel": "data label", "requestId": "Rq8675309", "event": "USER_LOGIN"
            },
            "customFields": { "field1": "value1", "field2": "value2" }
        })
    );
    app.get("/v1/events?tenant=stranger", &key).await.problem("not-found", 404);
    // The policy outlives a restart; the rest of the change stays when one member changes.
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    let request = app
        .request("PATCH", "/v1/environments/production", &app.operator())
        .json(&json!({ "closed": false }));
    assert_eq!(send(request).await.ok(200)["unknown_events"], "stdout");
    // Open, the environment stores it.
    let reply = post(&app, PATH, &format!("cmk {key}"), login("stranger").to_string()).await;
    assert_eq!(reply.headers["attestary-seq"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_writes_to_its_own_tenants_only() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, Some(&["mine"])).await;
    refused(&post(&app, PATH, &format!("cmk {key}"), login("theirs").to_string()).await, 403, 301);
    assert_eq!(
        &post(&app, PATH, &format!("cmk {key}"), login("mine").to_string()).await.body[..],
        b"null"
    );
    app.post("/v1/tenants/mine/close", &key, &json!({})).await.ok(200);
    refused(&post(&app, PATH, &format!("cmk {key}"), login("mine").to_string()).await, 409, 301);
}

// seeds: IC-11 IC-13
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_made_durable_is_refused() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    app.service.store().close().await;
    refused(&post(&app, PATH, &format!("cmk {key}"), login("acme").to_string()).await, 503, 301);
}

// seeds: IC-24
#[tokio::test(flavor = "multi_thread")]
async fn counted_operations_become_events() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let body = json!({
        "tenantId": "acme", "iclFields": { "requestingId": "u" }, "customFields": {},
        "operations": { "edek1": { "wraps": 2, "unwraps": 1 }, "edek2": { "wraps": 0, "unwraps": 4 } }
    });
    let reply =
        post(&app, "/api/1/document/report-operations", &format!("cmk {key}"), body.to_string())
            .await;
    assert_eq!(&reply.body[..], b"null", "{}", reply.text());
    let events = app.events("acme", &key).await;
    let actions: Vec<_> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["DATA_ENCRYPT", "DATA_DECRYPT"]);
}

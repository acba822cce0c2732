//! The WorkOS paths: every reply has the shape that its clients understand.

use attestary_service::Scope;
use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, send};

fn body() -> Value {
    json!({ "event": {
        "action": "document.updated", "occurred_at": "2026-11-22T00:39:11.123Z",
        "actor": { "type": "user", "id": "u_1", "name": "A", "metadata": { "n": 1, "b": true } },
        "targets": [{ "type": "document", "id": "d" }, { "type": "team", "id": "t" }],
        "context": { "location": "203.0.113.9", "user_agent": "x" }, "metadata": { "k": "v" }
    }, "organization_id": "org_1" })
}

async fn post(app: &TestApp, key: &str, idempotency: Option<&str>, body: &Value) -> Reply {
    let mut request = app.request("POST", "/audit_logs/events", key).json(body);
    if let Some(idempotency) = idempotency {
        request = request.header("idempotency-key", idempotency);
    }
    send(request).await
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str, field: Option<&str>) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    assert_eq!(reply.headers["content-type"], "application/json");
    let body = reply.json();
    assert_eq!(body["code"], code, "{body}");
    assert!(!body["message"].as_str().unwrap().is_empty() && body.get("error").is_none());
    assert_eq!(body["errors"][0]["field"].as_str(), field, "{body}");
    assert!(reply.headers.contains_key("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_joins_the_organizations_log() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let reply = post(&app, &key, None, &body()).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (201, json!({ "success": true })));
    assert_eq!(reply.headers["attestary-seq"], "1");
    let event = &app.events("org_1", &key).await[0];
    let sent = &body()["event"];
    for name in ["action", "occurred_at", "actor", "targets", "metadata"] {
        assert_eq!(event[name], sent[name], "{name}");
    }
    assert_eq!(event["context"], json!({ "ip": "203.0.113.9", "user_agent": "x" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_key_and_nothing_else_makes_a_repeat() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for _ in 0..2 {
        assert_eq!(post(&app, &key, None, &body()).await.status, 201);
    }
    assert_eq!(app.events("org_1", &key).await.len(), 2, "without a key every request is an event");
    let first = post(&app, &key, Some("k"), &body()).await;
    let second = post(&app, &key, Some("k"), &body()).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201));
    assert_eq!(first.headers["attestary-seq"], second.headers["attestary-seq"]);
    let mut other = body();
    other["event"]["action"] = "document.deleted".into();
    refused(&post(&app, &key, Some("k"), &other).await, 409, "idempotency_conflict", None);
    other["organization_id"] = "org_2".into();
    assert_eq!(
        post(&app, &key, Some("k"), &other).await.status,
        201,
        "a key belongs to its tenant"
    );
    assert_eq!(app.events("org_1", &key).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_protocols_shape() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let changed = |pointer: &str, value: Value| {
        let mut body = body();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    for (pointer, value, field) in [
        ("/organization_id", json!(""), "organization_id"),
        ("/organization_id", json!("_audit"), "organization_id"),
        ("/event/action", json!(7), "event.action"),
        ("/event/action", json!("attestary.view"), "event.action"),
        ("/event/actor", json!({ "type": "user" }), "event.actor.id"),
        ("/event/occurred_at", json!("2026-11-22T00:39:11"), "event.occurred_at"),
        ("/event/targets", json!([{ "type": "x" }]), "event.targets.0.id"),
        ("/event/context", json!({ "place": 1 }), "event.context.place"),
    ] {
        refused(&post(&app, &key, None, &changed(pointer, value)).await, 400, "400", Some(field));
    }
    refused(&post(&app, "nokey", None, &body()).await, 401, "unauthorized", None);
    let read = app.key(&[Scope::Read], None).await;
    refused(&post(&app, &read, None, &body()).await, 403, "forbidden", None);
    let other = app.key(&ALL, Some(&["org_2"])).await;
    refused(&post(&app, &other, None, &body()).await, 404, "entity_not_found", None);
    refused(&post(&app, &key, Some(""), &body()).await, 400, "400", None);
    let nothing = app.get("/audit_logs/nothing", &key).await;
    refused(&nothing, 404, "not_found", None);
    app.service.store().close().await;
    let reply = post(&app, &key, None, &body()).await;
    assert_eq!(reply.status.as_u16(), 503);
    assert!(reply.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 60);
}

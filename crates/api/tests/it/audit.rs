//! The service's own log: reads and administrative acts are events in `_audit`.

use attestary_service::Scope;
use serde_json::{Value, json};

use crate::app::{ALL, TestApp, event, send};

/// Returns action, operation, outcome and targets of all audit events but the genesis, oldest first.
async fn trail(app: &TestApp, key: &str) -> Vec<Value> {
    app.events("_audit", key).await
}

fn operations(trail: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    trail
        .iter()
        .map(|event| (text(&event["action"]), text(&event["metadata"]["operation"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_and_every_read_leaves_an_event() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    // This very read is recorded behind what it shows.
    let before = trail(&app, &key).await.len() + 1;
    let call = |method: &'static str, path: &'static str, body: Option<Value>| {
        let request = app.request(method, path, &key);
        send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
    };
    call("POST", "/v1/tenants", Some(json!({ "id": "acme" }))).await.ok(201);
    call("GET", "/v1/tenants", None).await.ok(200);
    call("GET", "/v1/tenants/acme", None).await.ok(200);
    let stdout = json!({ "name": "n", "type": "stdout" });
    let made = call("POST", "/v1/tenants/acme/destinations", Some(stdout)).await.ok(201);
    call("GET", "/v1/events?tenant=acme&filter=action%3Auser.*&limit=7", None).await.ok(200);
    call("POST", "/v1/tenants/acme/close", None).await.ok(200);
    call("DELETE", "/v1/tenants/acme", None).await.ok(204);
    let trail = trail(&app, &key).await;
    let expected = [
        ("attestary.policy.changed", "tenant.create"),
        ("attestary.view", "tenant.list"),
        ("attestary.view", "tenant.get"),
        ("attestary.destination.changed", "destination.create"),
        ("attestary.view", "events.search"),
        ("attestary.policy.changed", "tenant.close"),
        ("attestary.policy.changed", "tenant.delete"),
    ];
    let expected = expected.map(|(action, operation)| (action.to_owned(), operation.to_owned()));
    assert_eq!(operations(&trail[before..]), expected);

    let search = &trail[before + 4];
    assert_eq!(search["metadata"]["filter"], "action:user.*");
    assert_eq!(search["metadata"]["result_count"], 0);
    assert_eq!(search["targets"][0], json!({ "type": "tenant", "id": "acme" }));
    assert_eq!(search["actor"]["type"], "api_key");
    assert!(search["actor"]["id"].as_str().unwrap().starts_with("key_"));
    assert_eq!(search["context"]["ip"], "127.0.0.1");
    assert!(search["context"]["request_id"].as_str().unwrap().starts_with("req_"));
    assert!(trail[before + 3].to_string().contains(made["id"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_leave_a_trail_without_their_secrets() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let made =
        app.post("/v1/keys", &key, &json!({ "name": "n", "scopes": ["ingest"] })).await.ok(201);
    app.delete(&format!("/v1/keys/{}", made["id"].as_str().unwrap()), &key).await.ok(204);
    let trail = trail(&app, &key).await;
    let found: Vec<_> = operations(&trail)
        .into_iter()
        .filter(|(action, _)| action == "attestary.key.rotated")
        .collect();
    assert_eq!(found.last().unwrap().1, "key.revoke");
    assert_eq!(found[found.len() - 2].1, "key.create");
    let secret = made["secret"].as_str().unwrap();
    assert!(!json!(trail).to_string().contains(&secret[31..74]));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_the_audit_log_are_recorded_once_a_minute() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for _ in 0..5 {
        trail(&app, &key).await;
    }
    let reads = operations(&trail(&app, &key).await)
        .into_iter()
        .filter(|(_, op)| op == "events.search")
        .count();
    // The minute may turn once while the test runs.
    assert!((1..=2).contains(&reads), "{reads}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_lack_of_a_scope_leaves_an_event() {
    let app = TestApp::start().await;
    let ingest = app.key(&[Scope::Ingest], None).await;
    app.get("/v1/tenants", &ingest).await.problem("scope-required", 403);
    let key = app.key(&ALL, None).await;
    let audit = attestary_event::TenantId::audit();
    let environment = attestary_event::EnvironmentId::parse(crate::app::ENVIRONMENT).unwrap();
    // The denial is recorded in the background: wait for the log to grow, not for a time.
    let mut size = app.service.store().watch(&environment, &audit).unwrap();
    loop {
        let trail = trail(&app, &key).await;
        if let Some(denied) = trail.iter().find(|event| event["outcome"] == "denied") {
            assert_eq!(denied["metadata"]["operation"], "tenant.list");
            assert_eq!(denied["metadata"]["scope"], "admin");
            break;
        }
        size.changed().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_not_for_limited_keys_and_takes_no_events() {
    let app = TestApp::start().await;
    let limited = app.key(&ALL, Some(&["acme"])).await;
    app.get("/v1/events?tenant=_audit", &limited).await.problem("not-found", 404);
    let ingest = app.key(&[Scope::Ingest], None).await;
    app.get("/v1/events?tenant=_audit", &ingest).await.problem("scope-required", 403);
    app.post("/v1/events", &ingest, &event("_audit", "a.b")).await.problem("invalid-event", 400);
    let admin = app.key(&[Scope::Admin], None).await;
    app.get("/v1/events?tenant=_audit", &admin).await.ok(200);
    let operator = app.operator();
    let request = app.request("GET", "/v1/events?tenant=_audit", &operator);
    send(request.header("attestary-environment", crate::app::ENVIRONMENT)).await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_does_not_happen() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    // A store that takes no more events cannot record either.
    app.service.store().close().await;
    for (method, path, body) in [
        ("POST", "/v1/tenants", Some(json!({ "id": "new" }))),
        ("POST", "/v1/tenants/acme/close", None),
        ("DELETE", "/v1/tenants/acme", None),
        ("POST", "/v1/keys", Some(json!({ "scopes": ["read"] }))),
        ("POST", "/v1/tenants/acme/destinations", Some(json!({ "name": "n", "type": "stdout" }))),
        ("GET", "/v1/events?tenant=acme", None),
        ("GET", "/v1/tenants/acme", None),
        ("GET", "/v1/keys", None),
        ("POST", "/v1/events", Some(event("acme", "a.b"))),
    ] {
        let request = app.request(method, path, &key);
        let reply = send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await;
        assert_eq!(reply.status.as_u16(), 503, "{method} {path}: {}", reply.text());
        assert!(reply.headers.contains_key("retry-after"), "{method} {path}");
        assert!(!reply.text().contains("\"data\""));
    }
    let catalog = app.service.store().catalog();
    let environment = attestary_event::EnvironmentId::parse(crate::app::ENVIRONMENT).unwrap();
    let tenants = catalog.tenants(&environment, None, 10).unwrap();
    assert_eq!(tenants.len(), 1);
    assert_eq!(tenants[0].state.as_str(), "open");
    assert_eq!(catalog.keys_of(&environment).unwrap().len(), 1);
    assert!(catalog.destinations().unwrap().is_empty());
}

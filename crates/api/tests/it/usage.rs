//! Usage and quotas over HTTP.

use attestary_service::Scope;
use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, event, id, send};

async fn put(app: &TestApp, path: &str, key: &str, body: &Value) -> Reply {
    send(app.request("PUT", path, key).json(body)).await
}

/// Returns the lines by name.
async fn lines(app: &TestApp, key: &str, query: &str) -> Value {
    let report = app.get(&format!("/v1/usage?{query}"), key).await.ok(200);
    let pairs = report["data"].as_array().unwrap().iter();
    pairs.map(|line| (line["name"].as_str().unwrap().to_owned(), line.clone())).collect()
}

async fn key_id(app: &TestApp, key: &str) -> String {
    let keys = app.get("/v1/keys", key).await.ok(200);
    let ids: Vec<_> =
        keys["data"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
    ids.first().unwrap().as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_events_count_for_their_tenant_key_and_day_and_repeats_do_not() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let first = key_id(&app, &key).await;
    let other = app.key(&[Scope::Ingest], None).await;
    let mut known = event("acme", "a.b");
    known["id"] = json!(id(1));
    for _ in 0..3 {
        assert!(app.post("/v1/events", &key, &known).await.status.is_success());
    }
    let batch = json!([event("acme", "a.b"), event("globex", "a.b"), event("acme", "a.b")]);
    app.post("/v1/events", &key, &batch).await.ok(201);
    app.post("/v1/events", &other, &event("globex", "a.b")).await.ok(201);
    // What is refused counts for nobody.
    app.post("/v1/events", &other, &json!({ "tenant": "globex" }))
        .await
        .problem("invalid-event", 400);

    let by_tenant = lines(&app, &key, "").await;
    assert_eq!(by_tenant["acme"]["accepted"]["events"], 3);
    assert_eq!(by_tenant["globex"]["accepted"]["events"], 2);
    assert_eq!(by_tenant["acme"]["stored_events"], 4, "the genesis event is stored too");
    assert_eq!(by_tenant["acme"]["quota"], Value::Null);
    let event_bytes = by_tenant["globex"]["accepted"]["bytes"].as_u64().unwrap() / 2;
    assert!((50..1_000).contains(&event_bytes), "{event_bytes}");
    let by_key = lines(&app, &key, "by=key").await;
    assert_eq!(by_key[&first]["accepted"]["events"], 4);
    assert_eq!(by_key.as_object().unwrap().len(), 2);
    let by_day = app.get("/v1/usage?by=day", &key).await.ok(200);
    assert_eq!(by_day["data"].as_array().unwrap().len(), 1);
    assert_eq!(by_day["total"]["events"], 5);
    let one = app.get(&format!("/v1/usage?tenant=globex&key={first}"), &key).await.ok(200);
    assert_eq!(one["total"]["events"], 1);
    assert_eq!(
        app.get("/v1/usage?from=2020-01-01&to=2020-02-01", &key).await.ok(200)["data"],
        json!([])
    );

    // A key that is limited to tenants sees theirs alone.
    let limited = app.key(&[Scope::Admin], Some(&["globex"])).await;
    assert_eq!(app.get("/v1/usage", &limited).await.ok(200)["total"]["events"], 2);
    app.get("/v1/usage?tenant=acme", &limited).await.problem("not-found", 404);
    for wrong in [
        "from=yesterday",
        "from=2026-02-30",
        "from=2026-03-01&to=2026-03-01",
        "by=hour",
        "from=2020-01-01",
    ] {
        app.get(&format!("/v1/usage?{wrong}"), &key).await.problem("invalid-query", 400);
    }
    // A stop forgets nothing.
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    assert_eq!(app.get("/v1/usage", &key).await.ok(200)["total"]["events"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_shown_and_refuses_where_it_is_meant_to() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let id = key_id(&app, &key).await;
    for _ in 0..4 {
        app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    }
    let path = "/v1/tenants/acme/quota";
    let set = put(&app, path, &key, &json!({ "events_per_month": 5 })).await.ok(200);
    assert_eq!((&set["used"]["events"], &set["events_left"]), (&json!(4), &json!(1)));
    assert_eq!((&set["bytes_left"], &set["refuse"]), (&Value::Null, &json!(false)));
    let three = json!([event("acme", "a.b"), event("acme", "a.b"), event("other", "a.b")]);
    app.post("/v1/events", &key, &three).await.ok(201);
    let shown = lines(&app, &key, "").await["acme"]["quota"].clone();
    assert_eq!((&shown["used"]["events"], &shown["events_left"]), (&json!(6), &json!(0)));

    put(&app, path, &key, &json!({ "events_per_month": 7, "refuse": true })).await.ok(200);
    let refused = app.post("/v1/events", &key, &three).await;
    assert!(refused.headers.contains_key("retry-after"));
    let refused = refused.problem("quota-used-up", 429);
    assert!(refused["detail"].as_str().unwrap().contains("tenant \"acme\""), "{refused}");
    assert_eq!(app.events("other", &key).await.len(), 1, "nothing of the body was accepted");
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    app.post("/v1/events", &key, &event("acme", "a.b")).await.problem("quota-used-up", 429);
    app.post("/v1/events", &key, &event("other", "a.b")).await.ok(201);
    // IronCore's clients are told in their own shape.
    let body =
        json!({ "tenantId": "acme", "iclFields": { "event": "USER_LOGIN", "requestingId": "u" } });
    let request = app.request("POST", "/api/1/event/security-event", &key).json(&body);
    let reply = send(request).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (429, &json!(100)));

    // Of a key, by bytes; and it outlives a restart.
    put(&app, path, &key, &json!({})).await.ok(200);
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    let limit = json!({ "bytes_per_month": 1, "refuse": true });
    put(&app, &format!("/v1/keys/{id}/quota"), &key, &limit).await.ok(200);
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    let refused =
        app.post("/v1/events", &key, &event("acme", "a.b")).await.problem("quota-used-up", 429);
    assert!(refused["detail"].as_str().unwrap().contains(&id), "{refused}");
    assert_eq!(lines(&app, &key, "by=key").await[&id]["quota"]["bytes_left"], 0);

    for wrong in [json!({ "events_per_month": -1 }), json!({ "events": 1 }), json!({ "refuse": 1 })]
    {
        put(&app, path, &key, &wrong).await.problem("invalid-body", 400);
    }
    put(&app, "/v1/tenants/nobody/quota", &key, &json!({})).await.problem("not-found", 404);
    put(&app, "/v1/keys/key_x/quota", &key, &json!({})).await.problem("not-found", 404);
    // Nobody raises their own.
    let limited = app.key(&[Scope::Admin], Some(&["acme"])).await;
    put(&app, path, &limited, &json!({ "events_per_month": 9 })).await.problem("not-found", 404);
    let trail =
        app.get("/v1/events?tenant=_audit&filter=metadata.operation:quota.set", &key).await.ok(200);
    assert_eq!(trail["data"].as_array().unwrap().len(), 4);
}

//! Tenants over HTTP: made, listed, closed, deleted.

use serde_json::{Value, json};

use crate::app::{ALL, TestApp, event};

// seeds: IC-28
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_made_once_and_listed_in_pages() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let made = app.post("/v1/tenants", &key, &json!({ "id": "b/2", "name": "Bee" })).await.ok(201);
    assert_eq!(
        (&made["name"], &made["state"], &made["events"]),
        (&json!("Bee"), &json!("open"), &json!(1))
    );
    assert!(made["origin"].as_str().unwrap().contains("/t/"));
    app.post("/v1/tenants", &key, &json!({ "id": "b/2" })).await.problem("already-exists", 409);
    for id in ["a", "c", "d"] {
        app.post("/v1/tenants", &key, &json!({ "id": id })).await.ok(201);
    }
    app.post("/v1/events", &key, &event("e by event", "a.b")).await.ok(201);
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/v1/tenants?limit=2{cursor}"), &key).await.ok(200);
        ids.extend(
            page["data"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids, ["a", "b/2", "c", "d", "e by event"], "system tenants are not listed");
    assert_eq!(app.get("/v1/tenants/b%2F2", &key).await.ok(200)["name"], "Bee");
    app.get("/v1/tenants?cursor=AAAA", &key).await.problem("invalid-cursor", 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_key_sees_its_own_tenants() {
    let app = TestApp::start().await;
    for id in ["a", "b", "c"] {
        app.tenant(id).await;
    }
    let key = app.key(&ALL, Some(&["c", "a", "nobody"])).await;
    let page = app.get("/v1/tenants", &key).await.ok(200);
    let ids: Vec<_> =
        page["data"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_tenant_can_be_read_and_takes_nothing() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    let closed =
        app.post("/v1/tenants/acme/close", &key, &Value::Object(Default::default())).await.ok(200);
    assert_eq!(closed["state"], "closed");
    let problem =
        app.post("/v1/events", &key, &event("acme", "a.b")).await.problem("tenant-closed", 409);
    assert_eq!(problem["errors"][0]["pointer"], "/tenant");
    assert_eq!(app.events("acme", &key).await.len(), 1);
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    app.post("/v1/events", &key, &event("acme", "a.b")).await.problem("tenant-closed", 409);
    assert_eq!(
        crate::app::send(app.request("POST", "/v1/tenants/acme/open", &key)).await.ok(200)["state"],
        "open"
    );
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tenant_is_gone_and_comes_back_with_a_new_log() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &event("acme", "before")).await.ok(201);
    app.post("/v1/tenants/acme/destinations", &key, &json!({ "name": "n", "type": "stdout" }))
        .await
        .ok(201);
    let old = app.get("/v1/tenants/acme", &key).await.ok(200);
    app.delete("/v1/tenants/acme", &key).await.ok(204);
    app.get("/v1/tenants/acme", &key).await.problem("not-found", 404);
    app.get("/v1/events?tenant=acme", &key).await.problem("not-found", 404);
    app.delete("/v1/tenants/acme", &key).await.problem("not-found", 404);
    assert_eq!(app.get("/v1/tenants", &key).await.ok(200)["data"], json!([]));
    let receipt = app.post("/v1/events", &key, &event("acme", "after")).await.ok(201);
    assert_eq!(receipt["seq"], 1);
    let new = app.get("/v1/tenants/acme", &key).await.ok(200);
    assert_ne!(new["origin"], old["origin"]);
    let events = app.events("acme", &key).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["action"], "after");
    assert_eq!(app.get("/v1/tenants/acme/destinations", &key).await.ok(200)["data"], json!([]));
}

//! Environments over HTTP, and what a closed one refuses.

use serde_json::json;

use crate::app::{ALL, ENVIRONMENT, TestApp, event, send};

#[tokio::test(flavor = "multi_thread")]
async fn operators_create_list_and_close_environments() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let made = app
        .post("/v1/environments", &operator, &json!({ "name": "staging", "closed": true }))
        .await
        .ok(201);
    assert_eq!((&made["name"], &made["closed"]), (&json!("staging"), &json!(true)));
    app.post("/v1/environments", &operator, &json!({ "name": "staging" }))
        .await
        .problem("already-exists", 409);
    app.post("/v1/environments", &operator, &json!({ "name": "No Name" }))
        .await
        .problem("invalid-body", 400);
    let listed = app.get("/v1/environments", &operator).await.ok(200);
    let names: Vec<_> =
        listed["data"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!(names, [ENVIRONMENT, "staging"]);
    let open = app
        .request("PATCH", "/v1/environments/staging", &operator)
        .json(&json!({ "closed": false }));
    assert_eq!(send(open).await.ok(200)["closed"], false);
    assert_eq!(app.get("/v1/environments/staging", &operator).await.ok(200)["closed"], false);
    app.get("/v1/environments/nowhere", &operator).await.problem("not-found", 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_environment_refuses_unknown_tenants_only() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &event("known", "a.b")).await.ok(201);
    let close = app
        .request("PATCH", "/v1/environments/production", &app.operator())
        .json(&json!({ "closed": true }));
    send(close).await.ok(200);
    app.post("/v1/events", &key, &event("known", "a.b")).await.ok(201);
    let batch = json!([event("known", "a.b"), event("stranger", "a.b")]);
    let problem = app.post("/v1/events", &key, &batch).await.problem("unknown-tenant", 404);
    assert_eq!(
        problem["errors"],
        json!([{ "index": 1, "pointer": "/tenant", "detail": problem["errors"][0]["detail"] }])
    );
    assert_eq!(app.events("known", &key).await.len(), 2, "nothing of the refused batch");
    app.post("/v1/tenants", &key, &json!({ "id": "stranger" })).await.ok(201);
    app.post("/v1/events", &key, &event("stranger", "a.b")).await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_do_not_share_tenants() {
    let app = TestApp::start().await;
    app.post("/v1/environments", &app.operator(), &json!({ "name": "staging" })).await.ok(201);
    let here = app.key(&ALL, None).await;
    let there = app.key_in("staging", &ALL, None).await;
    app.post("/v1/events", &here, &event("acme", "here")).await.ok(201);
    app.post("/v1/events", &there, &event("acme", "there")).await.ok(201);
    let found = app.events("acme", &there).await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["action"], &found[0]["environment"]),
        (&json!("there"), &json!("staging"))
    );
    let origin = |reply: crate::app::Reply| reply.ok(200)["origin"].clone();
    let (a, b) =
        (app.get("/v1/tenants/acme", &here).await, app.get("/v1/tenants/acme", &there).await);
    assert_ne!(origin(a), origin(b));
}

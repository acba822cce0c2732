//! API keys over HTTP: form, rotation, revocation, and what a limited key may mint.

use attestary_service::Scope;
use serde_json::json;

use crate::app::{ALL, TestApp, event};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_works_at_once() {
    let app = TestApp::start().await;
    let admin = app.key(&[Scope::Admin], None).await;
    let made =
        app.post("/v1/keys", &admin, &json!({ "name": "app", "scopes": ["ingest"] })).await.ok(201);
    let secret = made["secret"].as_str().unwrap();
    assert!(
        secret.len() % 4 == 0 && secret.bytes().all(|b| b.is_ascii_alphanumeric()),
        "valid standard Base64"
    );
    app.post("/v1/events", secret, &event("acme", "a.b")).await.ok(201);
    let id = made["id"].as_str().unwrap();
    let shown = app.get(&format!("/v1/keys/{id}"), &admin).await.ok(200);
    assert!(
        shown.get("secret").is_none()
            && shown["scopes"] == json!(["ingest"])
            && shown["name"] == "app"
    );
    assert!(shown["last_used_at"].is_string());
    let listed = app.get("/v1/keys", &admin).await.text();
    assert!(listed.contains(id) && !listed.contains(secret));
}

// seeds: IC-12
#[tokio::test(flavor = "multi_thread")]
async fn rotation_has_two_valid_keys_and_revocation_holds_for_the_next_request() {
    let app = TestApp::start().await;
    let admin = app.key(&[Scope::Admin], None).await;
    let ingest = json!({ "scopes": ["ingest"] });
    let old = app.post("/v1/keys", &admin, &ingest).await.ok(201);
    let new = app.post("/v1/keys", &admin, &ingest).await.ok(201);
    let submit = |key: &serde_json::Value| {
        let (app, key) = (&app, key["secret"].as_str().unwrap().to_owned());
        async move { app.post("/v1/events", &key, &event("acme", "a.b")).await }
    };
    submit(&old).await.ok(201);
    submit(&new).await.ok(201);
    app.delete(&format!("/v1/keys/{}", old["id"].as_str().unwrap()), &admin).await.ok(204);
    submit(&old).await.problem("unauthenticated", 401);
    submit(&new).await.ok(201);
    app.delete(&format!("/v1/keys/{}", old["id"].as_str().unwrap()), &admin)
        .await
        .problem("not-found", 404);
    // Still so after a restart.
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    let post = |key: &serde_json::Value| {
        app.request("POST", "/v1/events", key["secret"].as_str().unwrap())
    };
    let body = event("acme", "a.b");
    crate::app::send(post(&old).json(&body)).await.problem("unauthenticated", 401);
    crate::app::send(post(&new).json(&body)).await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_wrong_key_gets_the_same_answer() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let other = app.key(&ALL, None).await;
    // Another key's secret and checksum under this key's public id.
    let mixed = format!("{}{}", &key[..31], &other[31..]);
    let mut details = std::collections::BTreeSet::new();
    for wrong in ["", "x", &key[..79], &key.to_lowercase(), &mixed, &format!("{key}AAAA")] {
        let problem = app.get("/v1/keys", wrong).await.problem("unauthenticated", 401);
        details.insert(problem["detail"].to_string());
    }
    assert_eq!(details.len(), 1);
    let none = app.client.get(format!("{}/v1/keys", app.url));
    let reply = crate::app::send(none).await;
    reply.problem("unauthenticated", 401);
    assert_eq!(reply.headers["www-authenticate"], "Bearer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_cannot_mint_what_reaches_further() {
    let app = TestApp::start().await;
    let admin = app.key(&[Scope::Admin], None).await;
    app.post("/v1/keys", &admin, &json!({ "scopes": ["operator"] }))
        .await
        .problem("scope-required", 403);
    let limited = app.key(&[Scope::Admin], Some(&["a", "b"])).await;
    let mint = |body: serde_json::Value| {
        let (app, limited) = (&app, &limited);
        async move { app.post("/v1/keys", limited, &body).await }
    };
    mint(json!({ "scopes": ["read"] })).await.problem("invalid-body", 400);
    let problem = mint(json!({ "scopes": ["read"], "tenants": ["a", "c"] }))
        .await
        .problem("invalid-body", 400);
    assert_eq!(problem["errors"][0]["pointer"], "/tenants/1");
    mint(json!({ "scopes": ["read"], "tenants": ["a"] })).await.ok(201);
    assert_eq!(app.get("/v1/keys", &limited).await.ok(200)["data"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_key_is_refused() {
    let app = TestApp::start().await;
    let admin = app.key(&[Scope::Admin], None).await;
    let body = json!({ "scopes": ["read", "admin"], "expires_at": "2020-01-01T00:00:00Z" });
    let made = app.post("/v1/keys", &admin, &body).await.ok(201);
    app.get("/v1/keys", made["secret"].as_str().unwrap()).await.problem("unauthenticated", 401);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_first_operator_key_lies_in_a_private_file_and_stays_the_same() {
    use std::os::unix::fs::PermissionsExt as _;
    let app = TestApp::start().await;
    let path = app.dir.path().join("operator.key");
    for file in ["operator.key", "master.key"] {
        let mode = std::fs::metadata(app.dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let first = app.operator();
    app.get("/v1/environments", &first).await.ok(200);
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    assert_eq!(std::fs::read_to_string(path).unwrap().trim(), first);
    app.get("/v1/environments", &first).await.ok(200);
}

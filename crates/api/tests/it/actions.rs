//! Schemas of actions: versions, modes, dry runs, and the WorkOS paths over them.

use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, event, send};

async fn put_mode(app: &TestApp, key: &str, mode: &str) -> Reply {
    send(app.request("PUT", "/v1/actions", key).json(&json!({ "mode": mode }))).await
}

fn schema(kind: &str) -> Value {
    json!({ "metadata": { "type": "object", "properties": { "seats": { "type": kind } }, "required": ["seats"] },
            "targets": [{ "type": "team", "metadata": { "type": "object", "properties": { "plan": { "type": "string" } } } }] })
}

fn seats(seats: Value) -> Value {
    let mut sent = event("acme", "team.resized");
    sent["metadata"] = json!({ "seats": seats });
    sent["targets"] = json!([{ "type": "team", "id": "t", "metadata": { "plan": "pro" } }]);
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_have_versions_by_content_and_are_never_changed() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let path = "/v1/actions/team.resized";
    assert_eq!(app.post(path, &key, &schema("number")).await.ok(201)["version"], 1);
    // The same content in another order of keys.
    let again = r#"{"targets":[{"metadata":{"properties":{"plan":{"type":"string"}},"type":"object"},"type":"team"}],"metadata":{"required":["seats"],"properties":{"seats":{"type":"number"}},"type":"object"},"actor":null}"#;
    assert_eq!(app.post_text(path, &key, "application/json", again).await.ok(200)["version"], 1);
    assert_eq!(app.post(path, &key, &schema("integer")).await.ok(201)["version"], 2);
    assert_eq!(app.post(path, &key, &schema("number")).await.ok(201)["version"], 3);
    let versions = app.get(path, &key).await.ok(200);
    assert_eq!(versions["data"].as_array().unwrap().len(), 3);
    assert_eq!(versions["data"][1]["schema"], schema("integer"));
    for (body, pointer) in [
        (json!({ "metadata": { "pattern": "x" } }), "/metadata/pattern"),
        (json!({ "targets": [{}] }), "/targets/0"),
        (json!({ "actor": { "name": {} } }), "/actor"),
        (json!({ "colour": {} }), "/colour"),
    ] {
        let problem = app.post(path, &key, &body).await.problem("invalid-body", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    app.get("/v1/actions/none", &key).await.problem("not-found", 404);
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    let list = app.get("/v1/actions", &key).await.ok(200);
    assert_eq!([&list["data"][0]["version"], &list["mode"]], [&json!(3), &json!("off")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_schema_is_taken_counted_or_refused() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/actions/team.resized", &key, &schema("number")).await.ok(201);
    app.post("/v1/events", &key, &seats(json!("many"))).await.ok(201);
    put_mode(&app, &key, "warn").await.ok(200);
    app.post("/v1/events", &key, &seats(json!("many"))).await.ok(201);
    let shown = app.get("/v1/actions", &key).await.ok(200);
    assert_eq!([&shown["mode"], &shown["data"][0]["violations"]], [&json!("warn"), &json!(1)]);

    put_mode(&app, &key, "enforce").await.ok(200);
    app.post("/v1/events", &key, &seats(json!(5))).await.ok(201);
    let mut bad = seats(json!("many"));
    bad["targets"][0]["metadata"]["plan"] = json!(1);
    let mut other = seats(json!(5));
    other["targets"][0]["type"] = "user".into();
    let mut version = seats(json!(5));
    version["schema_version"] = json!(9);
    for (body, pointers) in [
        (bad, vec!["/metadata/seats", "/targets/0/metadata/plan"]),
        (other, vec!["/targets/0/type"]),
        (version, vec!["/schema_version"]),
        (event("acme", "team.resized"), vec!["/metadata/seats"]),
        (event("acme", "nobody.knows"), vec!["/action"]),
    ] {
        let problem = app.post("/v1/events", &key, &body).await.problem("schema-violation", 422);
        let found: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(found, pointers);
    }
    app.post("/v1/events", &key, &event("acme", "user.login")).await.ok(201);
    assert_eq!(app.events("acme", &key).await.len(), 4);

    // A dry run says the same in every mode and stores nothing.
    put_mode(&app, &key, "off").await.ok(200);
    let body = json!([seats(json!(5)), seats(json!("x")), { "tenant": "acme" }]);
    let checked = app.post("/v1/events/check", &key, &body).await.ok(200);
    assert_eq!(checked["valid"], false);
    let indexes: Vec<u64> = checked["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["index"].as_u64().unwrap())
        .collect();
    assert_eq!((indexes[0], *indexes.last().unwrap()), (1, 2));
    assert_eq!(app.events("acme", &key).await.len(), 4);
    put_mode(&app, &key, "sometimes").await.problem("invalid-body", 400);
    let limited = app.key(&ALL, Some(&["acme"])).await;
    put_mode(&app, &limited, "off").await.problem("not-found", 404);
    app.post("/v1/actions/x", &limited, &json!({})).await.problem("not-found", 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workos_paths_make_and_list_schemas() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    // What its Node package sends for flat schemas.
    let body = json!({ "actor": { "metadata": { "type": "object", "properties": {} } },
        "targets": [{ "type": "team" }], "metadata": { "type": "object", "properties": { "n": { "type": "number" } } } });
    for number in 0..12 {
        let path = format!("/audit_logs/actions/team.a{number:02}/schemas");
        let made = app.post(&path, &key, &body).await.ok(201);
        assert_eq!([&made["version"], &made["object"]], [&json!(1), &json!("audit_log_schema")]);
        assert_eq!(app.post(&path, &key, &body).await.ok(201)["version"], 1);
    }
    let list = app.get("/audit_logs/actions?order=asc", &key).await.ok(200);
    assert_eq!([&list["object"], &list["data"][0]["name"]], ["list", "team.a00"]);
    assert_eq!(list["data"].as_array().unwrap().len(), 10);
    let after = list["list_metadata"]["after"].as_str().unwrap();
    let rest = app
        .get(&format!("/audit_logs/actions?order=asc&limit=100&after={after}"), &key)
        .await
        .ok(200);
    assert_eq!(rest["data"].as_array().unwrap().len(), 2);
    assert_eq!(rest["list_metadata"]["after"], Value::Null);
    let versions = app.get("/audit_logs/actions/team.a00/schemas?order=desc", &key).await.ok(200);
    assert_eq!(versions["data"][0]["targets"], json!([{ "type": "team" }]));
    let refused = app
        .post("/audit_logs/actions/x/schemas", &key, &json!({ "metadata": { "pattern": "x" } }))
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["errors"][0]["code"].as_str()),
        (422, Some("metadata.pattern"))
    );
    assert_eq!(
        app.get("/audit_logs/actions/none/schemas", &key).await.json()["code"],
        "entity_not_found"
    );

    put_mode(&app, &key, "enforce").await.ok(200);
    let sent = json!({ "organization_id": "org", "event": { "action": "team.a00", "actor": { "type": "user", "id": "u" },
        "occurred_at": "2026-11-22T00:00:00Z", "targets": [{ "type": "team", "id": "t" }], "context": { "location": "x" },
        "metadata": { "n": "one" } } });
    let refused = app.post("/audit_logs/events", &key, &sent).await;
    assert_eq!(refused.status.as_u16(), 422);
    assert_eq!(refused.json()["errors"][0]["field"], "event.metadata.n");
}

//! Redaction at intake, end to end: what is redacted is never on disk and never under a proof.

use serde_json::{Value, json};

use crate::{
    app::{ALL, TestApp, event, id, send},
    governance::SECRET,
};

fn about(number: u64, tenant: &str) -> Value {
    let mut event = event(tenant, "user.login");
    event["id"] = json!(id(number));
    event["actor"] = json!({ "type": "user", "id": "u_1", "email": SECRET });
    event["context"] = json!({ "ip": "203.0.113.9" });
    event["metadata"] =
        json!({ "card": "4111 1111 1111 1111", "n": 1.50, "deep": { "ssn": "123-45" } });
    event
}

// seeds: WO-06
#[tokio::test(flavor = "multi_thread")]
async fn what_is_redacted_never_reaches_the_disk() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    app.tenant("other").await;
    let environment = json!({
        "rules": [{ "name": "mail", "pointers": ["/actor/email"], "action": "hmac" }], "secrets": "mask",
    });
    app.put("/v1/redaction", &key, &environment).await.ok(200);
    let tenant = json!({ "rules": [
        { "name": "ip", "pointers": ["/context/ip", "/actor/email"], "action": "mask" },
        { "name": "ssn", "pointers": ["/metadata/*/ssn"], "action": "drop" },
    ] });
    let path = "/v1/tenants/acme/redaction";
    app.put(path, &key, &tenant).await.ok(200);
    assert_eq!(app.get(path, &key).await.ok(200)["rules"][1]["name"], "ssn");
    for round in 0..2 {
        // A repeat is still one, though it is redacted again.
        let status = if round == 0 { 201 } else { 200 };
        app.post("/v1/events", &key, &about(1, "acme")).await.ok(status);
    }
    app.post("/v1/events", &key, &about(2, "other")).await.ok(201);
    let stored = &app.events("acme", &key).await[0];
    let lookup = json!({ "value": SECRET });
    let token = app.post(&format!("{path}/lookup"), &key, &lookup).await.ok(200)["token"].clone();
    assert_eq!(stored["actor"], json!({ "type": "user", "id": "u_1", "email": token }));
    assert_eq!(stored["context"]["ip"], "203.0.113.0");
    assert_eq!(stored["metadata"], json!({ "card": "[card]", "n": 1.50 }));
    let other = &app.events("other", &key).await[0];
    assert_eq!(other["context"]["ip"], "203.0.113.9", "the tenant's rules are its own");
    assert_ne!(other["actor"]["email"], token, "tokens are the tenant's own");
    assert_eq!(other["metadata"]["card"], "[card]");
    let found =
        format!("/v1/events?tenant=acme&filter=actor.email:\"{}\"", token.as_str().unwrap());
    assert_eq!(app.get(&found, &key).await.ok(200)["data"].as_array().unwrap().len(), 1);
    assert_eq!(app.files_with_secret(), Vec::<std::path::PathBuf>::new());

    // It outlives a restart, and goes when it is taken away.
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    app.post("/v1/events", &key, &about(3, "acme")).await.ok(201);
    assert_eq!(app.events("acme", &key).await[1]["actor"]["email"], token);
    app.delete(path, &key).await.ok(200);
    app.delete("/v1/redaction", &key).await.ok(200);
    app.post("/v1/events", &key, &about(4, "acme")).await.ok(201);
    assert_eq!(app.events("acme", &key).await[2]["actor"]["email"], SECRET);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_names_fields_and_changes_nothing() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &json!([about(1, "acme"), about(2, "acme")])).await.ok(201);
    let path = "/v1/tenants/acme/redaction/preview";
    let proposed = json!({ "redaction": {
        "secrets": "report", "rules": [{ "name": "all", "pointers": ["/actor"], "action": "drop" }],
    } });
    let found = app.post(path, &key, &proposed).await.ok(200);
    assert_eq!((&found["events"], &found["redacted"]), (&json!(2), &json!(2)), "{found}");
    let hits = json!([
        { "by": "all", "fields": 4, "pointers": ["/actor/email", "/actor/id"] },
        { "by": "card", "fields": 2, "pointers": ["/metadata/card"] },
    ]);
    assert_eq!(found["hits"], hits);
    assert!(!found.to_string().contains(SECRET));
    let tried = json!({
        "redaction": { "secrets": "mask" }, "event": { "metadata": { "k": "key AKIAIOSFODNN7EXAMPLE" } },
    });
    let tried = app.post(path, &key, &tried).await.ok(200);
    assert_eq!(tried["event"]["metadata"]["k"], "key [aws_key]");
    let nothing = app.post(path, &key, &json!({})).await.ok(200);
    assert_eq!((&nothing["redacted"], &nothing["hits"]), (&json!(0), &json!([])));
    assert_eq!(app.events("acme", &key).await[0]["actor"]["email"], SECRET);

    for (body, pointer) in [
        (json!({ "rules": [{ "name": "a", "action": "drop" }] }), "/rules/0"),
        (json!({ "rules": [{ "name": "a", "action": "x", "label": "l" }] }), "/rules/0/action"),
        (json!({ "secret": "mask" }), "/secret"),
    ] {
        let put = send(app.request("PUT", "/v1/redaction", &key).json(&body)).await;
        assert_eq!(put.problem("invalid-body", 400)["errors"][0]["pointer"], pointer);
    }
}

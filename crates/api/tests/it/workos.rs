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

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_ready_with_a_link_of_its_own_each_time() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for (action, actor, target) in
        [("a.x", "u1", "doc"), ("a.y", "u2", "doc"), ("a.z", "u1", "team")]
    {
        let event = json!({ "tenant": "org_1", "action": action, "actor": { "id": actor, "name": "N*" },
            "targets": [{ "type": target, "id": "t" }], "occurred_at": "2026-11-01T00:00:00Z" });
        app.post("/v1/events", &key, &event).await.ok(201);
    }
    let body = json!({ "organization_id": "org_1", "range_start": "2026-10-01T00:00:00.000Z",
        "range_end": "2026-12-01T00:00:00.000Z", "actions": ["a.x", "a.y"], "actor_names": ["N*"], "targets": ["doc"] });
    let create = async |body: &Value, idempotency: &str| {
        let request = app.request("POST", "/audit_logs/exports", &key).json(body);
        send(request.header("idempotency-key", idempotency)).await
    };
    let made = create(&body, "k").await.ok(201);
    assert_eq!(made["object"], "audit_log_export");
    // The same key again is the same export; with another body it is refused.
    assert_eq!(create(&body, "k").await.ok(201)["id"], made["id"]);
    let mut other = body.clone();
    other["actor_ids"] = json!(["u1"]);
    assert_eq!(create(&other, "k").await.status.as_u16(), 409);
    let path = format!("/audit_logs/exports/{}", made["id"].as_str().unwrap());
    let ready = loop {
        let export = app.get(&path, &key).await.ok(200);
        if export["state"] == "ready" {
            break export;
        }
        assert_eq!(export["state"], "pending");
        assert!(export.get("url").is_none());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let file = app.client.get(ready["url"].as_str().unwrap()).send().await.unwrap().text().await;
    let file = file.unwrap();
    assert!(file.contains("a.x") && file.contains("a.y") && !file.contains("a.z"), "{file}");
    assert_eq!(file.lines().count(), 3, "a header and two events");
    // Whoever may not export the organization's log does not see the export.
    let stranger = app.key(&ALL, Some(&["org_2"])).await;
    assert_eq!(app.get(&path, &stranger).await.status.as_u16(), 404);
    let mut bad = body.clone();
    bad["range_end"] = json!("soon");
    let refused = create(&bad, "bad").await;
    assert_eq!(refused.ok(400)["errors"][0]["field"], "range_end");
    bad["organization_id"] = json!(7);
    assert_eq!(create(&bad, "worse").await.status.as_u16(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_link_opens_the_organizations_log() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("org_1").await;
    let body = json!({ "organization": "org_1", "intent": "audit_logs", "return_url": "https://app.example.com/back" });
    let link = app.post("/portal/generate_link", &key, &body).await.ok(201);
    let link = link["link"].as_str().unwrap();
    assert!(link.starts_with(&format!("{}/console/portal/lnk_", app.url)), "{link}");
    let page = app.client.get(link.split('#').next().unwrap()).send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    let code = link.split_once("#code=").unwrap().1;
    let begun = app.client.post(format!("{}/v1/session", app.url)).header("attestary-console", "1");
    let session = send(begun.json(&json!({ "code": code }))).await.ok(201);
    assert_eq!(session["tenants"], json!(["org_1"]));
    assert_eq!(session["origin"], "https://app.example.com");
    for (change, status, field) in [("intent", 400, "intent"), ("organization", 404, "")] {
        let mut bad = body.clone();
        bad[change] = json!("sso");
        let reply = app.post("/portal/generate_link", &key, &bad).await;
        assert_eq!(reply.status.as_u16(), status);
        let named = reply.json()["errors"][0]["field"].as_str().unwrap_or_default().to_owned();
        assert_eq!(named, field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organizations_retention_is_set_in_the_clients_periods() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("org_1").await;
    let path = "/organizations/org_1/audit_logs_retention";
    let days = |reply: Value| reply["retention_period_in_days"].clone();
    assert_eq!(days(app.get(path, &key).await.ok(200)), Value::Null, "everything is kept");
    for (body, expected) in [
        (json!({ "retention_period": "3_MONTHS" }), 90),
        (json!({ "retention_period_in_days": 730 }), 730),
        (json!({ "retention_period": "10_YEARS" }), 3650),
    ] {
        assert_eq!(days(app.put(path, &key, &body).await.ok(200)), expected, "{body}");
        assert_eq!(days(app.get(path, &key).await.ok(200)), expected);
    }
    // Classes are not WorkOS's to touch.
    let class = json!([{ "name": "sign-ins", "filter": "action:user.*", "keep": "7y" }]);
    let native = "/v1/tenants/org_1/retention";
    app.put(native, &key, &json!({ "keep": "90d", "classes": class })).await.ok(200);
    app.put(path, &key, &json!({ "retention_period": "1_MONTH" })).await.ok(200);
    let policy = app.get(native, &key).await.ok(200);
    assert_eq!((&policy["policy"]["keep"], &policy["policy"]["classes"]), (&json!("30d"), &class));

    for (body, field) in [
        (json!({ "retention_period": "12_MONTHS" }), "retention_period"),
        (json!({ "retention_period_in_days": 31 }), "retention_period_in_days"),
        (json!({}), "retention_period"),
    ] {
        let reply = app.put(path, &key, &body).await;
        refused(&reply, 422, "invalid_retention", Some(field));
    }
    let number = app.put(path, &key, &json!({ "retention_period": 7 })).await;
    refused(&number, 400, "400", Some("retention_period"));
    app.put("/v1/retention", &key, &json!({ "keep": "1y", "minimum": "90d" })).await.ok(200);
    let short = app.put(path, &key, &json!({ "retention_period": "2_MONTHS" })).await;
    refused(&short, 422, "invalid_retention", Some("retention_period"));
    app.put(native, &key, &json!({ "keep": "1y", "lock": true })).await.ok(200);
    let reply = app.put(path, &key, &json!({ "retention_period": "3_MONTHS" })).await;
    refused(&reply, 409, "conflict", None);
    let nobody = app.get("/organizations/org_9/audit_logs_retention", &key).await;
    refused(&nobody, 404, "entity_not_found", None);
    let reader = app.key(&[Scope::Read], None).await;
    refused(&app.get(path, &reader).await, 403, "forbidden", None);
    refused(&app.get("/organizations/org_1", &key).await, 404, "not_found", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organizations_configuration_names_its_oldest_stream() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("org_1").await;
    let path = "/organizations/org_1/audit_log_configuration";
    let expected =
        json!({ "organization_id": "org_1", "retention_period_in_days": null, "state": "active" });
    assert_eq!(app.get(path, &key).await.ok(200), expected);
    let make = async |name: &str, kind: &str, config: Value| {
        let body = json!({ "name": name, "type": kind, "config": config });
        let made = app.post("/v1/tenants/org_1/destinations", &key, &body).await.ok(201);
        made["id"].as_str().unwrap().to_owned()
    };
    // WorkOS knows no syslog.
    make("s", "syslog", json!({ "address": "127.0.0.1:9", "transport": "tcp" })).await;
    let first = make("w", "webhook", json!({ "url": "https://siem.example/" })).await;
    make("v", "webhook", json!({ "url": "https://siem.example/" })).await;
    app.post(&format!("/v1/tenants/org_1/destinations/{first}/pause"), &key, &json!({})).await;
    app.put("/v1/sources/workos", &key, &json!({ "enabled": false })).await.ok(200);
    let shown = app.get(path, &key).await.ok(200);
    let stream = &shown["log_stream"];
    assert_eq!(
        (&stream["id"], &stream["type"]),
        (&json!(first), &json!("GenericHttps")),
        "{shown}"
    );
    assert_eq!((&stream["state"], &stream["last_synced_at"]), (&json!("inactive"), &Value::Null));
    assert!(stream["created_at"].is_string());
    assert_eq!(shown["state"], "inactive", "the door is switched off");
    app.post("/v1/tenants/org_1/close", &key, &json!({})).await;
    assert_eq!(app.get(path, &key).await.ok(200)["state"], "disabled");
    let foreign = app.key(&ALL, Some(&["org_2"])).await;
    refused(&app.get(path, &foreign).await, 404, "entity_not_found", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_link_is_revoked() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("org_1").await;
    let body = json!({ "organization": "org_1", "intent": "audit_logs" });
    let begin = async |link: &Value| {
        let code = link["link"].as_str().unwrap().split_once("#code=").unwrap().1.to_owned();
        let begun =
            app.client.post(format!("{}/v1/session", app.url)).header("attestary-console", "1");
        send(begun.json(&json!({ "code": code }))).await
    };
    let list = "/v1/tenants/org_1/portal-sessions";
    for opened in [false, true] {
        let made = app.post("/portal/generate_link", &key, &body).await;
        let id = made.headers["attestary-portal-session"].to_str().unwrap().to_owned();
        let link = made.ok(201);
        let mut token = None;
        if opened {
            token = Some(begin(&link).await.ok(201)["token"].as_str().unwrap().to_owned());
            app.get("/v1/events?tenant=org_1", token.as_deref().unwrap()).await.ok(200);
        }
        let open = app.get(list, &key).await.ok(200);
        assert_eq!(open["data"].as_array().unwrap().len(), 1, "shown once: {open}");
        assert_eq!(open["data"][0]["id"], id);
        assert!(!open.to_string().contains("atse1"), "no token is shown");
        app.delete(&format!("{list}/{id}"), &key).await.ok(204);
        assert_eq!(app.get(list, &key).await.ok(200)["data"], json!([]));
        assert_eq!(begin(&link).await.status.as_u16(), 401);
        if let Some(token) = token {
            app.get("/v1/events?tenant=org_1", &token).await.problem("unauthenticated", 401);
        }
        app.delete(&format!("{list}/{id}"), &key).await.problem("not-found", 404);
    }
    let trail = app.events("_audit", &key).await;
    let revoked =
        trail.iter().filter(|event| event["metadata"]["operation"] == "portal.revoke").count();
    assert_eq!(revoked, 2);
}

//! Alerts: counted as events arrive, raised once per window, across restarts too.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, event};

const ALERTS: &str = "/v1/tenants/acme/alerts";

fn login(actor: &str, outcome: &str) -> Value {
    let mut login = event("acme", "user.login");
    login["actor"]["id"] = actor.into();
    login["outcome"] = outcome.into();
    login
}

fn failed_logins() -> Value {
    json!({
        "name": "Ten failed logins", "filter": "action:user.login outcome:failure", "threshold": 10,
        "window_seconds": 3600, "group_by": "actor.id",
    })
}

async fn submit(app: &TestApp, key: &str, events: Vec<Value>) {
    app.post("/v1/events", key, &json!(events)).await.ok(201);
}

async fn raised(app: &TestApp, key: &str, selects: &str) -> Vec<Value> {
    let query = [("tenant", "acme"), ("filter", selects)];
    let request = app.request("GET", "/v1/events", key).query(&query);
    let reply = crate::app::send(request).await.ok(200);
    reply["data"].as_array().unwrap().clone()
}

/// Waits for as many events of the alert, and a little longer for one too many.
async fn settled(app: &TestApp, key: &str, selects: &str, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        if raised(app, key, selects).await.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    raised(app, key, selects).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_raised_once_for_each_actor_and_survives_restarts() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    // What was there before does not count.
    submit(&app, &key, (0..5).map(|_| login("mallory", "failure")).collect()).await;
    let alert = app.post(ALERTS, &key, &failed_logins()).await.ok(201);
    let selects = alert["selects"].as_str().unwrap().to_owned();
    assert_eq!(alert["enabled"], true);
    assert_eq!(alert["last_raised_at"], Value::Null);

    let mut events: Vec<Value> = (0..9).map(|_| login("mallory", "failure")).collect();
    events.extend((0..30).map(|_| login("alice", "success")));
    events.extend((0..12).map(|_| login("bob", "failure")));
    // What happened long ago is no attack of today, whenever it is imported.
    let mut old = login("eve", "failure");
    old["occurred_at"] = "2020-01-01T00:00:00Z".into();
    events.extend((0..11).map(|_| old.clone()));
    submit(&app, &key, events).await;
    let first = settled(&app, &key, &selects, 1).await;
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0]["metadata"]["group"], "bob");
    assert_eq!(first[0]["metadata"]["count"], 10);
    assert_eq!(first[0]["targets"][0]["name"], "Ten failed logins");
    let span = |event: &Value| {
        let seq = |name: &str| event["metadata"][name].as_u64().unwrap();
        seq("last_seq") - seq("first_seq")
    };
    assert_eq!(span(&first[0]), 9);

    // The ninth of mallory was counted before the restart, the tenth comes after it; bob is silent for an hour.
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    submit(&app, &key, vec![login("bob", "failure"), login("mallory", "failure")]).await;
    let both = settled(&app, &key, &selects, 2).await;
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!(both[0]["metadata"]["group"], "mallory");
    let shown = app.get(&format!("{ALERTS}/{}", alert["id"].as_str().unwrap()), &key).await.ok(200);
    assert_eq!(shown["last_raised_at"], both[0]["occurred_at"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_changed_switched_off_and_deleted_and_each_is_audited() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    let mut new = failed_logins();
    new["threshold"] = 2.into();
    let alert = app.post(ALERTS, &key, &new).await.ok(201);
    let (id, selects) = (alert["id"].as_str().unwrap(), alert["selects"].as_str().unwrap());
    let path = format!("{ALERTS}/{id}");
    let patch = async |change: Value| -> Reply {
        crate::app::send(app.request("PATCH", &path, &key).json(&change)).await
    };
    patch(json!({ "enabled": false })).await.ok(200);
    submit(&app, &key, (0..5).map(|_| login("bob", "failure")).collect()).await;
    let on = patch(json!({ "enabled": true, "group_by": "" })).await.ok(200);
    assert_eq!(on["group_by"], Value::Null);
    submit(&app, &key, vec![login("bob", "failure"), login("eve", "failure")]).await;
    let seen = settled(&app, &key, selects, 1).await;
    assert_eq!(seen.len(), 1, "what came while it was off does not count: {seen:?}");
    assert_eq!(seen[0]["metadata"].get("group"), None);

    // A new name keeps what was counted: the window of the alert goes on.
    patch(json!({ "name": "Logins" })).await.ok(200);
    submit(&app, &key, vec![login("bob", "failure"), login("eve", "failure")]).await;
    assert_eq!(settled(&app, &key, selects, 1).await.len(), 1);

    assert_eq!(app.get(ALERTS, &key).await.ok(200)["data"].as_array().unwrap().len(), 1);
    assert_eq!(app.delete(&path, &key).await.status, 204);
    app.get(&path, &key).await.problem("not-found", 404);
    let query = [("tenant", "_audit"), ("filter", "metadata.operation:alert.*")];
    let audit = crate::app::send(app.request("GET", "/v1/events", &key).query(&query)).await;
    let audit = audit.ok(200);
    let operations: Vec<&str> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["metadata"]["operation"].as_str().unwrap())
        .collect();
    assert_eq!(
        operations,
        [
            "alert.delete",
            "alert.list",
            "alert.change",
            "alert.change",
            "alert.change",
            "alert.create"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_alerts_are_refused_with_the_member_named() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    for (member, value, code) in [
        ("name", json!(""), "invalid-body"),
        ("threshold", json!(0), "invalid-body"),
        ("threshold", json!(1.5), "invalid-body"),
        ("window_seconds", json!(604_801), "invalid-body"),
        ("group_by", json!("seq"), "invalid-body"),
        ("filter", json!("occurred_at>=now-1h"), "invalid-body"),
        ("filter", json!("action:("), "invalid-filter"),
        ("treshold", json!(5), "invalid-body"),
    ] {
        let mut new = failed_logins();
        new[member] = value;
        let problem = app.post(ALERTS, &key, &new).await.problem(code, 400);
        if code == "invalid-body" {
            assert_eq!(problem["errors"][0]["pointer"], format!("/{member}"), "{problem}");
        }
    }
}

//! Sources of events are switched off and on, and that is recorded.

use std::sync::Arc;

use attestary_event::EnvironmentId;
use attestary_service::{Caller, Scope};
use serde_json::{Value, json};

use crate::app::{ALL, Lines, TestApp, event, open_with, send};

const PAYLOAD: &str = include_str!("../../../formats/fixtures/easysend/payload-a.json");
const LINES: &str = include_str!("../../../formats/fixtures/formio/documented.log");

async fn switch(app: &TestApp, key: &str, system: &str, body: Value) -> Value {
    let request = app.request("PUT", &format!("/v1/sources/{system}"), key).json(&body);
    send(request).await.ok(200)
}

// seeds: ES-01 FO-16
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_a_source_that_is_off_is_thrown_away_and_counted() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let easysend = async |area: &str| {
        let mut payload: Value = serde_json::from_str(PAYLOAD).unwrap();
        payload["session_type"] = area.into();
        app.post("/ingest/easysend", &key, &payload).await.ok(200)
    };
    // One product area of EasySend.
    let area = json!({ "enabled": false, "area": "digitalJourney" });
    let switched = switch(&app, &key, "easysend", area).await;
    assert_eq!(
        [&switched["area"], &switched["enabled"]],
        [&json!("digitalJourney"), &json!(false)]
    );
    assert_eq!(easysend("digitalJourney").await["switched_off"], 1);
    assert_eq!(easysend("document").await["accepted"], 1);
    // All of it, then back.
    switch(&app, &key, "easysend", json!({ "enabled": false })).await;
    assert_eq!(easysend("document").await["switched_off"], 1);
    switch(&app, &key, "easysend", json!({ "enabled": true })).await;
    switch(&app, &key, "easysend", json!({ "enabled": true, "area": "digitalJourney" })).await;
    assert_eq!(easysend("digitalJourney").await["accepted"], 1);
    assert_eq!(app.events("customer", &key).await.len(), 2);

    // The line format and the proxy's clients get their success.
    switch(&app, &key, "formio", json!({ "enabled": false })).await;
    let report = app.post_text("/ingest/formio?tenant=lines", &key, "text/plain", LINES).await;
    assert_eq!(report.ok(200)["switched_off"], 26);
    switch(&app, &key, "ironcore", json!({ "enabled": false })).await;
    let call =
        json!({ "tenantId": "lines", "iclFields": { "event": "USER_LOGIN", "requestingId": "u" } });
    let reply = app.post("/api/1/event/security-event", &key, &call).await;
    assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, &b"null"[..]));
    assert!(!reply.headers.contains_key("attestary-seq"), "there is no receipt for nothing");
    // The native API makes no empty promises.
    switch(&app, &key, "native", json!({ "enabled": false })).await;
    app.post("/v1/events", &key, &event("lines", "a.b")).await.problem("switched-off", 409);
    app.get("/v1/events?tenant=lines", &key).await.problem("not-found", 404);

    let sources = app.get("/v1/sources", &key).await.ok(200);
    let off: Vec<&str> = sources["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|source| source["enabled"] == false)
        .map(|source| source["system"].as_str().unwrap())
        .collect();
    assert_eq!(off, ["native", "ironcore", "formio"]);
    let audit = app.events("_audit", &key).await;
    let switches: Vec<&Value> =
        audit.iter().filter(|event| event["metadata"]["operation"] == "source.switch").collect();
    assert_eq!(switches.len(), 7);
    assert_eq!(switches[0]["targets"][0]["id"], "easysend/digitalJourney");
    assert_eq!(switches[0]["changes"][0]["new"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_outlive_a_restart_and_are_for_administrators_of_the_whole_environment() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    switch(&app, &key, "native", json!({ "enabled": false })).await;
    for (key, code, status) in [
        (app.key(&ALL, Some(&["mine"])).await, "not-found", 404),
        (app.key(&[Scope::Ingest], None).await, "scope-required", 403),
    ] {
        let request = app.request("PUT", "/v1/sources/native", &key);
        send(request.json(&json!({ "enabled": true }))).await.problem(code, status);
    }
    for body in [
        json!({}),
        json!({ "enabled": 1 }),
        json!({ "enabled": true, "area": "" }),
        json!({ "enabled": true, "x": 1 }),
    ] {
        send(app.request("PUT", "/v1/sources/native", &key).json(&body))
            .await
            .problem("invalid-body", 400);
    }
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    app.post("/v1/events", &key, &event("acme", "a.b")).await.problem("switched-off", 409);
}

// seeds: FO-16
#[tokio::test(flavor = "multi_thread")]
async fn an_installation_without_audit_log_takes_nothing_and_says_so_itself() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    crate::app::install_provider();
    let settings = |off| {
        let mut settings = attestary_service::Settings::new(dir.path().to_owned());
        settings.audit_off = off;
        settings
    };
    let production = EnvironmentId::parse("production").unwrap();
    let mut accepted = Vec::new();
    for off in [false, true, true, false] {
        let service = open_with(settings(off), Lines::default()).await;
        let _ = service
            .create_environment(
                &Caller::installation_itself(),
                "production",
                attestary_service::EnvironmentChange::default(),
            )
            .await;
        let body = event("acme", "a.b").to_string().into();
        let done = service
            .submit(&Caller::installation(&production), body, attestary_service::Form::Json)
            .await;
        accepted.push(done.is_ok());
        service.close().await;
    }
    assert_eq!(accepted, [true, false, false, true]);
    // Both changes are in the installation's own log, once each.
    let service = open_with(settings(false), Lines::default()).await;
    let log = service
        .store()
        .query(&EnvironmentId::restored("_system"), &attestary_event::TenantId::audit(), whole())
        .await
        .unwrap();
    let text: Vec<String> =
        log.events.iter().map(|event| String::from_utf8_lossy(&event.body).into_owned()).collect();
    let switches: Vec<_> =
        text.iter().filter(|text| text.contains("installation.switch")).collect();
    assert_eq!(switches.len(), 2, "{text:#?}");
    service.close().await;
}

fn whole() -> attestary_store::Search {
    attestary_store::Search {
        filter: attestary_event::filter::Filter::parse("")
            .unwrap()
            .resolve(attestary_event::Timestamp(0)),
        from: None,
        to: None,
        order: attestary_store::Order::Ascending,
        limit: 1_000,
        bytes_max: usize::MAX,
        after: None,
        scan_budget: 1_000_000,
    }
}

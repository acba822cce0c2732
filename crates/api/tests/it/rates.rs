//! Limits on how fast keys and tenants may submit.

use std::{num::NonZeroU32, sync::Arc};

use attestary_api::Settings;
use attestary_service::Rates;
use serde_json::json;

use crate::app::{ALL, TestApp, event};

async fn start(rates: Rates) -> TestApp {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    TestApp::start_limited(dir, Settings::default(), None, rates).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_too_fast_is_told_when_to_come_again_and_others_are_not() {
    let app = start(Rates { key_events_per_second: NonZeroU32::new(1), ..Rates::default() }).await;
    let (busy, other) = (app.key(&ALL, None).await, app.key(&ALL, None).await);
    let batch: Vec<_> = (0..1_000).map(|_| event("acme", "user.login")).collect();
    app.post("/v1/events", &busy, &json!(batch)).await.ok(201);
    let reply = app.post("/v1/events", &busy, &json!(batch[..100])).await;
    let problem = reply.problem("rate-limited", 429);
    assert!(problem["detail"].as_str().unwrap().starts_with("this key may submit events"));
    let wait: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((90..=100).contains(&wait), "{wait}");
    let receipt = app.post("/v1/events", &other, &event("acme", "user.login")).await.ok(201);
    assert_eq!(receipt["seq"], 1_001, "nothing of the refused body is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_cannot_begin_tenants_without_end() {
    let app = start(Rates { key_tenants_per_hour: NonZeroU32::new(3), ..Rates::default() }).await;
    let key = app.key(&ALL, None).await;
    for tenant in ["a", "b", "a", "c"] {
        app.post("/v1/events", &key, &event(tenant, "user.login")).await.ok(201);
    }
    let reply = app.post("/v1/events", &key, &event("d", "user.login")).await;
    let problem = reply.problem("rate-limited", 429);
    assert!(problem["detail"].as_str().unwrap().starts_with("this key may begin tenants"));
    app.post("/v1/events", &key, &event("c", "user.login")).await.ok(201);
}

//! Submitting: the fixed shapes of single events and batches.

use attestary_service::Scope;
use serde_json::{Value, json};

use crate::app::{ALL, TestApp, event, id};

fn with_id(number: u64, action: &str) -> Value {
    let mut event = event("acme", action);
    event["id"] = json!(id(number));
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_gets_one_receipt() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let reply = app.post("/v1/events", &key, &with_id(1, "user.login")).await;
    let receipt = reply.ok(201);
    let members: Vec<&String> = receipt.as_object().unwrap().keys().collect();
    assert_eq!(members, ["duplicate", "id", "leaf_hash", "received_at", "seq", "tenant"]);
    assert_eq!(receipt["id"], id(1));
    assert_eq!(receipt["tenant"], "acme");
    assert_eq!(receipt["seq"], 1, "seq 0 is the genesis event");
    assert_eq!(receipt["duplicate"], false);
    assert_eq!(receipt["leaf_hash"].as_str().unwrap().len(), 64);

    let again = app.post("/v1/events", &key, &with_id(1, "user.login")).await.ok(200);
    assert_eq!(again["duplicate"], true);
    for member in ["id", "seq", "received_at", "leaf_hash"] {
        assert_eq!(again[member], receipt[member], "{member}");
    }
    let problem =
        app.post("/v1/events", &key, &with_id(1, "user.logout")).await.problem("id-conflict", 409);
    assert!(problem["detail"].as_str().unwrap().contains("seq 1"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_in_input_order() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let batch = json!([with_id(1, "a.b"), event("acme", "c.d"), with_id(3, "e.f")]);
    let reply = app.post("/v1/events", &key, &batch).await.ok(201);
    let seqs: Vec<u64> =
        reply["data"].as_array().unwrap().iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    // Nothing new: 200. Something new: 201. A conflict: 207 with a problem in its place.
    let repeats = json!([with_id(3, "e.f"), with_id(1, "a.b")]);
    let reply = app.post("/v1/events", &key, &repeats).await.ok(200);
    assert_eq!([&reply["data"][0]["seq"], &reply["data"][1]["seq"]], [&json!(3), &json!(1)]);
    let mixed = json!([with_id(3, "e.f"), with_id(4, "g.h")]);
    let reply = app.post("/v1/events", &key, &mixed).await.ok(201);
    assert_eq!(
        [&reply["data"][0]["duplicate"], &reply["data"][1]["duplicate"]],
        [&json!(true), &json!(false)]
    );
    let conflicting = json!([with_id(5, "i.j"), with_id(1, "changed"), with_id(6, "k.l")]);
    let reply = app.post("/v1/events", &key, &conflicting).await.ok(207);
    assert_eq!(reply["data"][0]["seq"], 5);
    assert_eq!(reply["data"][1]["type"], "/problems/id-conflict");
    assert_eq!(reply["data"][1]["status"], 409);
    assert_eq!(reply["data"][2]["seq"], 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_and_conflicts_are_seen_inside_one_batch() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let batch = json!([with_id(1, "a.b"), with_id(1, "a.b"), with_id(1, "other")]);
    let reply = app.post("/v1/events", &key, &batch).await.ok(207);
    assert_eq!(reply["data"][0]["duplicate"], false);
    assert_eq!(reply["data"][1]["duplicate"], true);
    assert_eq!(reply["data"][2]["type"], "/problems/id-conflict");
    assert_eq!(app.events("acme", &key).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ndjson_is_a_batch() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let body = format!("{}\n\n{}\r\n", with_id(1, "a.b"), with_id(2, "c.d"));
    let reply = app.post_text("/v1/events", &key, "application/x-ndjson", body).await.ok(201);
    assert_eq!(reply["data"].as_array().unwrap().len(), 2);
    let one = app
        .post_text("/v1/events", &key, "application/x-ndjson", with_id(3, "e.f").to_string())
        .await
        .ok(201);
    assert_eq!(one["data"][0]["seq"], 3, "one line is a list of one");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_refuses_the_batch_and_every_bad_one_is_named() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let batch = json!([
        with_id(1, "a.b"),
        { "tenant": "acme", "actor": { "id": "u" } },
        with_id(3, "c.d"),
        { "tenant": "acme", "action": "x", "actor": { "id": "u" }, "severity": "high", "metdata": {} },
    ]);
    let problem = app.post("/v1/events", &key, &batch).await.problem("invalid-event", 400);
    let mut places: Vec<(u64, String)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["index"].as_u64().unwrap(), item["pointer"].as_str().unwrap().to_owned()))
        .collect();
    places.sort();
    let expected = [(1, "/action"), (3, "/metdata"), (3, "/severity")];
    assert_eq!(places, expected.map(|(index, pointer)| (index, pointer.to_owned())));
    let problem = problem.to_string();
    assert!(problem.contains("metadata"), "the nearest name is suggested: {problem}");
    app.get("/v1/events?tenant=acme", &key).await.problem("not-found", 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_events_fit_and_one_more_does_not() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let batch: Vec<Value> = (0..1000).map(|n| with_id(n, "a.b")).collect();
    let reply = app.post("/v1/events", &key, &json!(batch)).await.ok(201);
    assert_eq!(reply["data"].as_array().unwrap().len(), 1000);
    assert_eq!(reply["data"][999]["seq"], 1000);
    let batch: Vec<Value> = (0..1001).map(|n| with_id(n + 5000, "a.b")).collect();
    let problem = app.post("/v1/events", &key, &json!(batch)).await.problem("too-large", 413);
    assert!(problem["detail"].as_str().unwrap().contains("1000"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_batch_may_hold_events_of_many_tenants() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let batch: Vec<Value> = (0..50).map(|n| event(&format!("tenant {}", n % 10), "a.b")).collect();
    let reply = app.post("/v1/events", &key, &json!(batch)).await.ok(201);
    assert_eq!(reply["data"][49]["seq"], 5);
    assert_eq!(reply["data"][49]["tenant"], "tenant 9");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_one_tenant_may_leave_the_tenant_out() {
    let app = TestApp::start().await;
    let key = app.key(&[Scope::Ingest, Scope::Read], Some(&["solo"])).await;
    let bare = json!({ "action": "a.b", "actor": { "id": "u" } });
    assert_eq!(app.post("/v1/events", &key, &bare).await.ok(201)["tenant"], "solo");
    assert_eq!(app.get("/v1/events", &key).await.ok(200)["data"][0]["action"], "a.b");
    let wide = app.key(&ALL, None).await;
    let problem = app.post("/v1/events", &wide, &bare).await.problem("invalid-event", 400);
    assert_eq!(problem["errors"][0]["pointer"], "/tenant");
    app.get("/v1/events", &wide).await.problem("tenant-required", 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_first_events_of_a_tenant_share_one_log() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let batches = (0..16_u64).map(|n| {
        let (app, key) = (&app, &key);
        async move {
            app.post("/v1/events", key, &with_id(n, "a.b")).await.ok(201)["seq"].as_u64().unwrap()
        }
    });
    let mut seqs = futures::future::join_all(batches).await;
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=16).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_there_after_a_restart() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let receipt = app.post("/v1/events", &key, &with_id(1, "user.login")).await.ok(201);
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    let event = app.get(&format!("/v1/events/{}?tenant=acme", id(1)), &key).await.ok(200);
    assert_eq!(event["leaf_hash"], receipt["leaf_hash"]);
    let again = app.post("/v1/events", &key, &with_id(1, "user.login")).await.ok(200);
    assert_eq!(again["seq"], receipt["seq"]);
}

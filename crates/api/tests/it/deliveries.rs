//! Receipts, replays, previews and secrets of destinations, over HTTP.

use serde_json::{Value, json};

use crate::{
    app::{ALL, TestApp, event, send},
    destinations::{Hook, hook},
};

async fn collect(hook: &mut Hook, count: usize) -> (Vec<String>, Vec<Value>) {
    let (mut heads, mut events) = (Vec::new(), Vec::new());
    while events.len() < count {
        let (head, body) = hook.received.recv().await.unwrap();
        events.extend(body.as_array().unwrap().clone());
        heads.push(head);
    }
    (heads, events)
}

fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// Asks until the answer satisfies a condition. The test's own time limit ends it.
async fn until(app: &TestApp, path: &str, key: &str, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let shown = app.get(path, key).await.ok(200);
        if fits(&shown) {
            return shown;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_says_what_became_of_every_event_and_equals_the_log() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut hook = hook().await;
    for number in 0..7 {
        let action = if number % 3 == 0 { "a.skipped" } else { "a.kept" };
        app.post("/v1/events", &key, &event("acme", action)).await.ok(201);
    }
    let path = "/v1/tenants/acme/destinations";
    let new = json!({ "name": "n", "type": "webhook", "config": { "url": hook.url }, "start": "beginning" });
    let whole = app.post(path, &key, &new).await.ok(201)["id"].as_str().unwrap().to_owned();
    let (_, events) = collect(&mut hook, 8).await;
    let path = format!("{path}/{whole}");
    let receipt =
        until(&app, &format!("{path}/receipt?compare=true"), &key, |shown| shown["count"] == 8)
            .await;
    assert_eq!((&receipt["from_seq"], &receipt["to_seq"]), (&json!(0), &json!(7)));
    assert_eq!(receipt["log"]["equal"], true, "{receipt}");
    // The receiver computes the same root from what it got.
    let mut tree = attestary_ledger::Frontier::default();
    for event in &events {
        let hash = event["leaf_hash"].as_str().unwrap();
        let bytes: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&hash[at * 2..at * 2 + 2], 16).unwrap()).collect();
        tree.append(bytes.try_into().unwrap());
    }
    assert_eq!(receipt["root"], attestary_event::event::hex(&tree.root()));

    // Another filter begins another receipt, at the cursor.
    let change = json!({ "filter": "action:a.kept" });
    send(app.request("PATCH", &path, &key).json(&change)).await.ok(200);
    for action in ["a.skipped", "a.kept", "a.skipped"] {
        app.post("/v1/events", &key, &event("acme", action)).await.ok(201);
    }
    app.post("/v1/events", &key, &event("acme", "a.kept")).await.ok(201);
    let (_, events) = collect(&mut hook, 2).await;
    assert_eq!(seqs(&events), [9, 11]);
    let receipt =
        until(&app, &format!("{path}/receipt?compare=true"), &key, |shown| shown["count"] == 2)
            .await;
    assert_eq!(
        (&receipt["from_seq"], &receipt["to_seq"], &receipt["excluded"]),
        (&json!(8), &json!(11), &json!(2))
    );
    assert_eq!(receipt["log"]["equal"], true, "{receipt}");
}

// seeds: IC-17
#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_batches_and_the_wait_for_more_are_chosen() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let batch: Vec<_> = (0..833).map(|_| event("acme", "a.b")).collect();
    for _ in 0..3 {
        app.post("/v1/events", &key, &json!(batch)).await.ok(201);
    }
    let path = "/v1/tenants/acme/destinations";
    let mut hook = hook().await;
    let new = |limits: Value| {
        json!({
            "name": "n", "type": "webhook", "config": { "url": hook.url }, "start": "beginning",
            "batch": limits
        })
    };
    for (limits, pointer) in [
        (json!({ "events_max": 1001 }), "/batch/events_max"),
        (json!({ "events_max": 0 }), "/batch/events_max"),
        (json!({ "bytes_max": 9_999 }), "/batch/bytes_max"),
        (json!({ "linger_ms": 60_001 }), "/batch/linger_ms"),
        (json!({ "in_flight_max": 17 }), "/batch/in_flight_max"),
        (json!({ "in_flight_max": 0 }), "/batch/in_flight_max"),
        (json!({ "poll": 1 }), "/batch"),
    ] {
        let problem = app.post(path, &key, &new(limits)).await.problem("invalid-body", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    // What the seed's own settings say: 1,000 events, 2 s.
    let seed = json!({
        "events_max": 1_000, "bytes_max": 5_000_000, "linger_ms": 2_000, "in_flight_max": 1
    });
    let made = app.post(path, &key, &new(seed.clone())).await.ok(201);
    assert_eq!(made["batch"], seed);
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 2_500 {
        sizes.push(hook.received.recv().await.unwrap().1.as_array().unwrap().len());
    }
    assert_eq!(sizes, [1_000, 1_000, 500]);
    // Changed, it holds from the cursor on; what is not named has its usual value.
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    let change = json!({ "batch": { "events_max": 2, "linger_ms": 0 } });
    let changed = send(app.request("PATCH", &path, &key).json(&change)).await.ok(200);
    assert_eq!(
        changed["batch"],
        json!({ "events_max": 2, "bytes_max": 1_000_000, "linger_ms": 0, "in_flight_max": 1 })
    );
    app.post("/v1/events", &key, &json!(batch[..5])).await.ok(201);
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 5 {
        sizes.push(hook.received.recv().await.unwrap().1.as_array().unwrap().len());
    }
    assert_eq!(sizes, [2, 2, 1]);
    let rename = send(app.request("PATCH", &path, &key).json(&json!({ "name": "m" })));
    assert_eq!(rename.await.ok(200)["batch"], changed["batch"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_sends_the_same_events_and_leaves_the_cursor_alone() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut hook = hook().await;
    for _ in 0..9 {
        app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    }
    let path = "/v1/tenants/acme/destinations";
    let new = json!({ "name": "n", "type": "webhook", "config": { "url": hook.url }, "start": "beginning" });
    let made = app.post(path, &key, &new).await.ok(201);
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    let (_, first) = collect(&mut hook, 10).await;
    until(&app, &path, &key, |shown| shown["cursor"] == 10).await;

    let replay =
        app.post(&format!("{path}/replays"), &key, &json!({ "from": 3, "to": 6 })).await.ok(201);
    let (heads, again) = collect(&mut hook, 4).await;
    assert_eq!(again, first[3..7]);
    assert!(heads[0].contains("webhook-id: rpl_"), "{}", heads[0]);
    let list = format!("{path}/replays");
    let shown = until(&app, &list, &key, |shown| !shown["data"][0]["done_at"].is_null()).await;
    assert_eq!(shown["data"][0]["id"], replay["id"]);
    assert_eq!(
        (&shown["data"][0]["progress"], &shown["data"][0]["delivered"]),
        (&json!("done"), &json!(4))
    );
    assert_eq!(app.get(&path, &key).await.ok(200)["cursor"], 10);
    let attempts = app.get(&format!("{path}/attempts"), &key).await.ok(200);
    assert_eq!(attempts["data"][0]["replay"], replay["id"]);

    let refused = |body: Value| {
        let (app, list, key) = (&app, &list, &key);
        async move { app.post(list, key, &body).await.json()["errors"][0]["pointer"].clone() }
    };
    assert_eq!(refused(json!({})).await, "/from");
    assert_eq!(refused(json!({ "from": "later" })).await, "/from");
    assert_eq!(refused(json!({ "from": 3, "to": 2 })).await, "/from");
    assert_eq!(refused(json!({ "from": 3, "to": 99 })).await, "/to");
    assert_eq!(refused(json!({ "from": 3, "until": 9 })).await, "/until");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_secrets_sign_during_a_rotation() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut hook = hook().await;
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    let path = "/v1/tenants/acme/destinations";
    let new = json!({ "name": "n", "type": "webhook", "config": { "url": hook.url } });
    let made = app.post(path, &key, &new).await.ok(201);
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    let signatures = |head: &str| {
        let line = head.lines().find(|line| line.starts_with("webhook-signature: ")).unwrap();
        line.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    for (retire, valid) in [(false, 2), (false, 2), (true, 1)] {
        let rotated =
            app.post(&format!("{path}/rotate"), &key, &json!({ "retire": retire })).await.ok(200);
        assert_eq!(rotated["valid"], valid);
        let secret = rotated["secret"].as_str();
        assert_eq!(secret.is_some(), !retire);
        assert!(
            secret.is_none_or(|secret| secret.starts_with("whsec_") && made["secret"] != secret)
        );
        app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
        let (heads, _) = collect(&mut hook, 1).await;
        assert_eq!(signatures(&heads[0]).len(), valid, "{}", heads[0]);
    }
    let stdout = json!({ "name": "n", "type": "stdout" });
    let made = app.post("/v1/tenants/acme/destinations", &key, &stdout).await.ok(201);
    let path = format!("/v1/tenants/acme/destinations/{}/rotate", made["id"].as_str().unwrap());
    app.post(&path, &key, &json!({})).await.ok(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_what_arrives() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut hook = hook().await;
    for action in ["a.kept", "a.skipped", "a.kept"] {
        app.post("/v1/events", &key, &event("acme", action)).await.ok(201);
    }
    let path = "/v1/tenants/acme/destinations";
    let new = json!({
        "name": "n", "type": "webhook", "config": { "url": hook.url }, "filter": "action:a.kept", "start": "beginning",
        "format": { "type": "ecs" },
    });
    let preview = app.post(&format!("{path}/preview"), &key, &new).await.ok(200);
    assert_eq!(preview["scanned"], 4);
    assert_eq!(app.get(path, &key).await.ok(200)["data"], json!([]));
    let made = app.post(path, &key, &new).await.ok(201);
    let (_, events) = collect(&mut hook, 2).await;
    let body: Value = serde_json::from_str(preview["body"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(body, Value::Array(events));
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    let one = app.get(&format!("{path}/preview?limit=1"), &key).await.ok(200);
    assert_eq!(one["records"][0]["seq"], 3);
    assert_eq!(app.get(&format!("{path}/quarantine"), &key).await.ok(200)["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_by_the_receiver_stands_in_the_tenant_s_log() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let (mut hook, refusing) = (hook().await, refusing().await);
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    let path = "/v1/tenants/acme/destinations";
    let told = json!({
        "name": "told", "type": "webhook", "config": { "url": hook.url }, "filter": "action:attestary.destination.changed",
    });
    app.post(path, &key, &told).await.ok(201);
    let new = json!({ "name": "n", "type": "webhook", "config": { "url": refusing }, "start": "beginning", "filter": "action:a.b" });
    let made = app.post(path, &key, &new).await.ok(201);
    let (_, events) = collect(&mut hook, 1).await;
    assert_eq!(events[0]["metadata"]["operation"], "destination.paused");
    assert_eq!(events[0]["targets"][0]["id"], made["id"]);
    assert_eq!(events[0]["changes"][0]["new"], "paused");
    assert!(events[0]["metadata"]["detail"].as_str().unwrap().contains("401"));
}

/// A receiver that answers 401 to everything.
async fn refusing() -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 65_536];
            let _ = stream.read(&mut bytes).await;
            let _ = stream
                .write_all(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
        }
    });
    url
}

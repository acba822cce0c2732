//! Destinations over HTTP, against a receiver of our own on loopback.

use attestary_service::Scope;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
};

use crate::app::{ALL, TestApp, event, send};

pub(crate) struct Hook {
    pub(crate) url: String,
    pub(crate) received: mpsc::Receiver<(String, Value)>,
}

/// A receiver that answers 200 and hands over headers and body.
pub(crate) async fn hook() -> Hook {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/hook", listener.local_addr().unwrap().port());
    let (sender, received) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                loop {
                    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
                        let mut part = [0; 4096];
                        match stream.read(&mut part).await {
                            Ok(0) | Err(_) => return,
                            Ok(count) => bytes.extend_from_slice(&part[..count]),
                        }
                        continue;
                    };
                    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
                    let length = head
                        .split("content-length: ")
                        .nth(1)
                        .unwrap()
                        .split("\r\n")
                        .next()
                        .unwrap();
                    let length: usize = length.trim().parse().unwrap();
                    while bytes.len() < end + 4 + length {
                        let mut part = [0; 4096];
                        let count = stream.read(&mut part).await.unwrap();
                        bytes.extend_from_slice(&part[..count]);
                    }
                    let body = serde_json::from_slice(&bytes[end + 4..end + 4 + length]).unwrap();
                    bytes.drain(..end + 4 + length);
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                        .await
                        .unwrap();
                    if sender.send((head, body)).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Hook { url, received }
}

async fn make(app: &TestApp, key: &str, body: Value) -> Value {
    app.post("/v1/tenants/acme/destinations", key, &body).await.ok(201)
}

// seeds: IC-16
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_the_events_signed_and_in_order() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &event("acme", "before")).await.ok(201);
    let mut hook = hook().await;
    let config = json!({ "url": hook.url, "headers": { "authorization": "Bearer hush" } });
    let made = make(
        &app,
        &key,
        json!({ "name": "siem", "type": "webhook", "config": config, "start": "now" }),
    )
    .await;
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(
        (&made["state"], &made["cursor"], &made["managed_by"]),
        (&json!("active"), &json!(2), &json!("operator"))
    );
    app.post("/v1/events", &key, &json!([event("acme", "one"), event("acme", "two")]))
        .await
        .ok(201);
    let mut actions = Vec::new();
    while actions.len() < 2 {
        let (head, body) = hook.received.recv().await.unwrap();
        assert!(
            head.contains("webhook-signature: v1,") && head.contains("authorization: bearer hush"),
            "{head}"
        );
        actions.extend(
            body.as_array()
                .unwrap()
                .iter()
                .map(|event| event["action"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(actions, ["one", "two"], "what was before the start is not sent");

    // The secret is nowhere to be read again: not in replies, not in the files.
    let path = format!("/v1/tenants/acme/destinations/{}", made["id"].as_str().unwrap());
    let shown = app.get(&path, &key).await;
    assert!(shown.json().get("secret").is_none() && !shown.text().contains("hush"));
    let secret = made["secret"].as_str().unwrap().to_owned();
    let dir = app.stop().await;
    for entry in
        std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap).filter(|e| e.path().is_file())
    {
        let bytes = std::fs::read(entry.path()).unwrap();
        for hidden in [&secret[6..], "Bearer hush"] {
            let found = bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes());
            assert!(!found, "{} holds {hidden}", entry.path().display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_beginning_with_a_filter_and_across_a_restart() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post(
        "/v1/events",
        &key,
        &json!([event("acme", "keep.1"), event("acme", "drop"), event("acme", "keep.2")]),
    )
    .await
    .ok(201);
    let mut hook = hook().await;
    let body = json!({
        "name": "siem", "type": "webhook", "config": { "url": hook.url }, "filter": "action:keep.*", "start": "beginning",
    });
    let made = make(&app, &key, body).await;
    assert_eq!(made["cursor"], 0);
    let mut actions = Vec::new();
    let take = |actions: &mut Vec<String>, body: Value| {
        actions.extend(
            body.as_array()
                .unwrap()
                .iter()
                .map(|event| event["action"].as_str().unwrap().to_owned()),
        );
    };
    while actions.len() < 2 {
        take(&mut actions, hook.received.recv().await.unwrap().1);
    }
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    app.post("/v1/events", &key, &event("acme", "keep.3")).await.ok(201);
    while !actions.contains(&"keep.3".to_owned()) {
        take(&mut actions, hook.received.recv().await.unwrap().1);
    }
    assert_eq!(actions, ["keep.1", "keep.2", "keep.3"], "stopped in order, nothing comes twice");
}

// seeds: IC-20
#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_paused_changed_resumed_tested_and_deleted() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    let mut hook = hook().await;
    let made =
        make(&app, &key, json!({ "name": "a", "type": "webhook", "config": { "url": hook.url } }))
            .await;
    let path = format!("/v1/tenants/acme/destinations/{}", made["id"].as_str().unwrap());
    let act = |verb: &'static str| {
        let (app, key, path) = (&app, &key, &path);
        async move { send(app.request("POST", &format!("{path}/{verb}"), key)).await.ok(200) }
    };
    let paused = act("pause").await;
    assert_eq!((&paused["state"], &paused["reason"]), (&json!("paused"), &json!("user")));
    app.post("/v1/events", &key, &event("acme", "waits")).await.ok(201);
    let change =
        app.request("PATCH", &path, &key).json(&json!({ "name": "b", "filter": "action:waits" }));
    let changed = send(change).await.ok(200);
    assert_eq!(
        (&changed["name"], &changed["filter"], &changed["state"]),
        (&json!("b"), &json!("action:waits"), &json!("paused"))
    );
    assert_eq!(act("resume").await["state"], "active");
    assert_eq!(hook.received.recv().await.unwrap().1[0]["action"], "waits");
    let attempt = act("test").await;
    assert_eq!(
        (&attempt["test"], &attempt["verdict"], &attempt["status"]),
        (&json!(true), &json!("delivered"), &json!(200))
    );
    assert_eq!(hook.received.recv().await.unwrap().1[0]["action"], "attestary.test");
    let attempts = app.get(&format!("{path}/attempts"), &key).await.ok(200);
    assert_eq!(attempts["data"][0]["test"], true, "newest first: {attempts}");
    assert_eq!(attempts["data"][1]["seqs"], "1-1");
    app.delete(&path, &key).await.ok(204);
    app.get(&path, &key).await.problem("not-found", 404);
}

// seeds: FO-15 FO-18
#[tokio::test(flavor = "multi_thread")]
async fn standard_output_and_files_get_lines() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    make(&app, &key, json!({ "name": "out", "type": "stdout", "format": { "type": "cef" } })).await;
    let file = make(
        &app,
        &key,
        json!({ "name": "file", "type": "file", "config": { "path": "audit.ndjson" } }),
    )
    .await;
    app.post("/v1/events", &key, &event("acme", "user.login")).await.ok(201);
    let path = format!("/v1/tenants/acme/destinations/{}", file["id"].as_str().unwrap());
    loop {
        let shown = app.get(&path, &key).await.ok(200);
        let out = String::from_utf8(app.output.0.lock().unwrap().clone()).unwrap();
        if shown["delivered"] == 1 && !out.is_empty() {
            assert!(out.starts_with("CEF:"), "{out}");
            break;
        }
        assert_ne!(shown["state"], "failing", "{shown}");
        tokio::task::yield_now().await;
    }
    let written =
        std::fs::read_to_string(app.dir.path().join("files/production/acme/audit.ndjson")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(written.trim()).unwrap()["action"], "user.login");
}

// seeds: ES-16
#[tokio::test(flavor = "multi_thread")]
async fn tenants_may_not_make_what_is_the_operators() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    let out = make(&app, &key, json!({ "name": "out", "type": "stdout" })).await;
    let limited = app.key(&[Scope::Destinations], Some(&["acme"])).await;
    let plain = json!({ "address": "127.0.0.1:514", "transport": "tcp", "framing": "lf" });
    for body in [
        json!({ "name": "n", "type": "stdout" }),
        json!({ "name": "n", "type": "file", "config": { "path": "x" } }),
        json!({ "name": "n", "type": "syslog", "config": plain }),
    ] {
        app.post("/v1/tenants/acme/destinations", &limited, &body)
            .await
            .problem("invalid-body", 400);
    }
    let path = format!("/v1/tenants/acme/destinations/{}", out["id"].as_str().unwrap());
    app.get(&path, &limited).await.ok(200);
    app.delete(&path, &limited).await.problem("conflict", 409);
    send(app.request("POST", &format!("{path}/pause"), &limited)).await.problem("conflict", 409);
    let own =
        json!({ "name": "n", "type": "webhook", "config": { "url": "https://127.0.0.1:9/" } });
    let made = app.post("/v1/tenants/acme/destinations", &limited, &own).await.ok(201);
    assert_eq!(made["managed_by"], "tenant");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_at_most_twenty_destinations() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    for _ in 0..20 {
        make(&app, &key, json!({ "name": "out", "type": "stdout" })).await;
    }
    let body = json!({ "name": "out", "type": "stdout" });
    app.post("/v1/tenants/acme/destinations", &key, &body).await.problem("conflict", 409);
}

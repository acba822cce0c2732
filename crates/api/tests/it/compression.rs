//! Compressed bodies: taken, and refused when they are cut, damaged or bombs.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, event, id, send};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(plain).unwrap();
    writer.finish().unwrap()
}

async fn post(app: &TestApp, key: &str, encoding: &str, body: Vec<u8>) -> Reply {
    let request = app.request("POST", "/v1/events", key).header("content-type", "application/json");
    send(request.header("content-encoding", encoding).body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_and_zstd_bodies_are_taken() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let batch = |from: u64| -> Vec<u8> {
        let events: Vec<Value> = (from..from + 500)
            .map(|n| {
                let mut event = event("acme", "document.read");
                event["id"] = json!(id(n));
                event["reason"] = json!("because it was needed ".repeat(20));
                event
            })
            .collect();
        json!(events).to_string().into_bytes()
    };
    let small = event("acme", "a.b").to_string().into_bytes();
    post(&app, &key, "gzip", gzip(&small)).await.ok(201);
    post(&app, &key, "zstd", zstd::encode_all(small.as_slice(), 3).unwrap()).await.ok(201);
    let reply = post(&app, &key, "gzip", gzip(&batch(0))).await.ok(201);
    assert_eq!(reply["data"].as_array().unwrap().len(), 500);
    let reply = post(&app, &key, "ZSTD", zstd::encode_all(batch(1000).as_slice(), 3).unwrap())
        .await
        .ok(201);
    assert_eq!(reply["data"][499]["seq"], 1002);
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_and_cut_bodies_are_refused() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let bomb = gzip(&vec![b' '; 200 * 1024 * 1024]);
    assert!(bomb.len() < 1024 * 1024);
    let problem = post(&app, &key, "gzip", bomb).await.problem("too-large", 413);
    assert!(problem["detail"].as_str().unwrap().contains("10485760"), "{problem}");
    let dense = zstd::encode_all(vec![b' '; 8 * 1024 * 1024].as_slice(), 19).unwrap();
    let problem = post(&app, &key, "zstd", dense).await.problem("too-large", 413);
    assert!(problem["detail"].as_str().unwrap().contains("100"), "{problem}");
    let whole = gzip(event("acme", "a.b").to_string().as_bytes());
    for length in [1, whole.len() / 2, whole.len() - 1] {
        post(&app, &key, "gzip", whole[..length].to_vec()).await.problem("invalid-encoding", 400);
    }
    post(&app, &key, "gzip", whole).await.ok(201);
}

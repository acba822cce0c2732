//! Importing Form.io audit lines over HTTP.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, send};

const LINES: &str = include_str!("../../../formats/fixtures/formio/documented.log");

async fn import(app: &TestApp, key: &str, query: &str, body: impl Into<reqwest::Body>) -> Reply {
    app.post_text(&format!("/ingest/formio{query}"), key, "text/plain", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_lines_import_into_one_tenant_once() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let report = import(&app, &key, "?tenant=acme", LINES).await.ok(200);
    let counts = |report: &Value| {
        ["lines", "events", "accepted", "duplicates", "unparsed", "refused"]
            .map(|name| report[name].as_u64().unwrap())
    };
    assert_eq!(counts(&report), [26, 26, 26, 0, 0, 0], "{report}");
    let events = app.events("acme", &key).await;
    let wanted: Vec<&str> = LINES.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    let found: Vec<&str> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(found, wanted);
    let again = import(&app, &key, "?tenant=acme", LINES).await.ok(200);
    assert_eq!(counts(&again), [26, 26, 0, 26, 0, 0], "the same file again adds nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_project_names_the_tenant_unless_one_is_given() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    import(&app, &key, "", LINES).await.ok(200);
    let tenants = app.get("/v1/tenants", &key).await.ok(200);
    let ids: Vec<_> =
        tenants["data"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap()).collect();
    let mut projects: Vec<&str> =
        LINES.lines().map(|line| line.split(' ').nth(3).unwrap()).collect();
    projects.sort_unstable();
    projects.dedup();
    assert_eq!(ids, projects);
    let inside: usize = {
        let mut count = 0;
        for id in &ids {
            count += app.events(id, &key).await.len();
        }
        count
    };
    assert_eq!(inside, 26);
}

// seeds: FO-14
#[tokio::test(flavor = "multi_thread")]
async fn compressed_and_odd_lines_are_kept() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(LINES.as_bytes()).unwrap();
    let request = app
        .request("POST", "/ingest/formio?tenant=zipped", &key)
        .header("content-encoding", "gzip");
    let report = send(request.header("content-type", "text/plain").body(writer.finish().unwrap()))
        .await
        .ok(200);
    assert_eq!(report["accepted"], 26);
    let report = import(&app, &key, "?tenant=odd", "what is this\nserver started\n").await.ok(200);
    assert_eq!([&report["accepted"], &report["unparsed"]], [&json!(2), &json!(2)], "{report}");
    assert_eq!(app.events("odd", &key).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_keys_tenants_hold_for_each_line() {
    let app = TestApp::start().await;
    let project = LINES.lines().next().unwrap().split(' ').nth(3).unwrap();
    let key = app.key(&ALL, Some(&[project])).await;
    let report = import(&app, &key, "", LINES).await.ok(200);
    let own = LINES.lines().filter(|line| line.split(' ').nth(3) == Some(project)).count();
    assert_eq!(report["accepted"], own);
    assert_eq!(report["refused"], 26 - own);
    assert_eq!(report["refused_lines"].as_array().unwrap().len(), 26 - own);
    import(&app, &key, "?tenant=theirs", LINES).await.ok(200);
    app.get("/v1/events?tenant=theirs", &key).await.problem("not-found", 404);
    import(&app, &key, "?tenants=x", LINES).await.problem("invalid-query", 400);
}

// seeds: FO-11
#[tokio::test(flavor = "multi_thread")]
async fn long_logs_are_cut_into_batches() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let log: String = (0..100).map(|_| LINES).collect();
    let report = import(&app, &key, "?tenant=acme", log).await.ok(200);
    assert_eq!(report["accepted"], 2600, "equal lines stay separate events: {report}");
    assert_eq!(app.get("/v1/tenants/acme", &key).await.ok(200)["events"], 2601);
}

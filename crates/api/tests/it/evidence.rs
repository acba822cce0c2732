//! Evidence over HTTP: what the server makes holds before the verifier, whatever happened to the data in between.

use std::{io::Cursor, path::Path, sync::Arc, time::Duration};

use attestary_verify::{Options, Outcome, Report, StepName, bundle};
use serde_json::{Value, json};

use crate::{
    app::{ALL, TestApp, event, id, send},
    governance::SECRET,
};

const EXPORTS: &str = "/v1/tenants/acme/exports";

/// Events that hold what JSON libraries like to change.
async fn fill(app: &TestApp, key: &str, from: u64, to: u64) {
    let events: Vec<_> = (from..to)
        .map(|number| {
            let mut one = event("acme", if number % 3 == 0 { "user.login" } else { "doc.read" });
            one["id"] = json!(id(number));
            one["actor"]["name"] = json!("<b>\u{202e}\u{1f600}\"\\\u{0}");
            one["occurred_at"] = json!(format!("2026-11-22T00:00:{:02}Z", number % 60));
            one["metadata"] = json!({
                "": {}, "a/b~c": [], "at": number, "big": 9007199254740993_u64, "exact": 1.10, "n": null, "ok": false,
            });
            one
        })
        .collect();
    for part in events.chunks(500) {
        app.post("/v1/events", key, &json!(part)).await.ok(201);
    }
}

/// Asks for evidence, waits and fetches it, with the trust file of the log.
pub(crate) async fn evidence(app: &TestApp, key: &str, body: &Value) -> (Vec<u8>, String) {
    let queued = app.post(EXPORTS, key, body).await.ok(202);
    fetched(app, key, queued["id"].as_str().unwrap()).await
}

async fn fetched(app: &TestApp, key: &str, export: &str) -> (Vec<u8>, String) {
    let path = format!("{EXPORTS}/{export}");
    loop {
        let now = app.get(&path, key).await.ok(200);
        match now["state"].as_str() {
            Some("queued" | "running") => tokio::time::sleep(Duration::from_millis(5)).await,
            state => {
                assert_eq!(state, Some("complete"), "{now}");
                break;
            }
        }
    }
    let link = app.post(&format!("{path}/link"), key, &json!({})).await.ok(201);
    let url = format!("{}{}", app.url, link["url"].as_str().unwrap());
    let file = send(app.client.get(url)).await;
    assert_eq!(file.headers["content-type"], "application/zip");
    let trust = app.get("/v1/tenants/acme/trust", key).await;
    assert_eq!(trust.status, 200);
    (file.body.to_vec(), trust.text())
}

pub(crate) fn verify(archive: &[u8], trust: &str, require_complete: bool) -> Report {
    let options =
        Options { now_ms: 1_795_400_000_000, require_complete, threads: 2, ..Options::default() };
    bundle(Cursor::new(archive), trust.as_bytes(), &options, &|_| {})
}

#[track_caller]
pub(crate) fn holds(archive: &[u8], trust: &str, events: u64) {
    let report = verify(archive, trust, true);
    let lines: Vec<_> = report.steps.iter().map(ToString::to_string).collect();
    assert_eq!((report.exit_code(), report.events), (0, events), "{lines:#?}");
    assert!(report.steps.iter().all(|step| step.outcome == Outcome::Passed), "{lines:#?}");
}

pub(crate) fn file(archive: &[u8], name: &str) -> Vec<u8> {
    let mut container = attestary_verify::container::Container::open(Cursor::new(archive)).unwrap();
    container.read(name).unwrap()
}

// seeds: WO-05 WO-09
#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_the_whole_log_verifies_unsealed_sealed_merged_and_after_a_restart() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 0, 700).await;
    let body = json!({ "format": "evidence", "prefix": "CASE7" });
    let (unsealed, trust) = evidence(&app, &key, &body).await;
    holds(&unsealed, &trust, 701);
    app.service.store().seal().await;
    let (sealed, _) = evidence(&app, &key, &body).await;
    holds(&sealed, &trust, 701);
    // What differs between the two is who asked for them, and nothing else.
    for part in ["events.ndjson", "checkpoint", "load.csv", "schema.json", "tile/0/002.p/189"] {
        assert_eq!(file(&unsealed, part), file(&sealed, part), "{part}");
    }
    for round in 0..9 {
        fill(&app, &key, 700 + 10 * round, 710 + 10 * round).await;
        app.service.store().seal().await;
    }
    let segments = app.dir.path().join("segments");
    while count(&segments) > 9 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (merged, _) = evidence(&app, &key, &body).await;
    holds(&merged, &trust, 791);
    let dir = app.stop().await;
    let app = TestApp::start_in(Arc::clone(&dir), attestary_api::Settings::default(), None).await;
    fill(&app, &key, 790, 800).await;
    let (restarted, same_trust) = evidence(&app, &key, &body).await;
    assert_eq!(trust, same_trust);
    holds(&restarted, &trust, 801);
    // Tokens stay as they were sent, and the load file numbers what it holds.
    let lines = String::from_utf8(file(&restarted, "events.ndjson")).unwrap();
    assert!(lines.contains("\"big\":9007199254740993") && lines.contains("\"exact\":1.1"));
    let table = String::from_utf8(file(&restarted, "load.csv")).unwrap();
    assert!(table.starts_with("number,") && table.contains("\r\nCASE7_000801,"));
    let custody: Value = serde_json::from_slice(&file(&restarted, "custody.json")).unwrap();
    assert_eq!(custody["custody"][0]["act"], "requested");
}

fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { count(&path) } else { 1 }
        })
        .sum()
}

// seeds: WO-09
#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_with_a_flipped_byte_or_of_another_log_is_refused_and_the_step_is_named() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 0, 60).await;
    let (good, trust) = evidence(&app, &key, &json!({ "format": "evidence" })).await;
    holds(&good, &trust, 61);
    for at in (0..good.len()).step_by(good.len() / 300) {
        let mut changed = good.clone();
        changed[at] ^= 1 << (at % 8);
        let report = verify(&changed, &trust, false);
        assert_eq!(report.exit_code(), 1, "{at}");
        assert!(!report.first(Outcome::Failed).unwrap().detail.is_empty(), "{at}");
    }
    app.post("/v1/events", &key, &event("other", "doc.read")).await.ok(201);
    let other = app.get("/v1/tenants/other/trust", &key).await.text();
    let report = verify(&good, &other, false);
    assert_eq!(report.first(Outcome::Failed).unwrap().name, StepName::Trust);
    assert_eq!(verify(&good, "nonsense", false).exit_code(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_holds_what_it_names_and_what_proves_it() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 0, 1_500).await;
    app.service.store().seal().await;
    fill(&app, &key, 1_500, 1_600).await;
    let body = json!({
        "format": "evidence", "filter": "action:user.login OR metadata.at=7",
        "from": "2026-11-22T00:00:10Z", "to": "2026-11-22T00:00:40Z",
    });
    let (archive, trust) = evidence(&app, &key, &body).await;
    let report = verify(&archive, &trust, false);
    let lines: Vec<_> = report.steps.iter().map(ToString::to_string).collect();
    assert_eq!(report.exit_code(), 0, "{lines:#?}");
    // Every third event, in half of the seconds; the genesis event always.
    let selected = (0..1_600_u64).filter(|n| n % 3 == 0 && (10..40).contains(&(n % 60))).count();
    assert_eq!(report.events, selected as u64 + 1, "{lines:#?}");
    assert_eq!(verify(&archive, &trust, true).exit_code(), 2, "a selection is not complete");
    let manifest: Value = serde_json::from_slice(&file(&archive, "manifest.json")).unwrap();
    assert_eq!(manifest["selection"]["filter"], body["filter"]);
    assert_eq!(manifest["size"], 1_601);
    let none = json!({ "format": "evidence", "filter": "action:no.such" });
    let (archive, trust) = evidence(&app, &key, &none).await;
    assert_eq!(verify(&archive, &trust, false).events, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_is_covered_in_the_bundle() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let about = |number: u64, secret: bool| {
        let mut one = event("acme", "doc.read");
        one["id"] = json!(id(number));
        one["metadata"] = json!({ "big": 9007199254740993_u64, "number": number });
        if secret {
            one["actor"] = json!({ "type": "user", "id": "u_9", "email": SECRET });
        }
        one
    };
    let old: Vec<_> = (0..300).map(|number| about(number, number % 7 == 0)).collect();
    app.post("/v1/events", &key, &json!(old)).await.ok(201);
    let (before, trust) = evidence(&app, &key, &json!({ "format": "evidence" })).await;
    holds(&before, &trust, 301);
    app.put("/v1/tenants/acme/retention", &key, &json!({ "preset": "1y" })).await.ok(200);
    app.later(500).await;
    let new: Vec<_> = (300..340).map(|number| about(number, number % 7 == 0)).collect();
    app.post("/v1/events", &key, &json!(new)).await.ok(201);
    app.retain(&key).await;
    let request = json!({ "subject": ["u_9", SECRET], "legal_basis": "GDPR art. 17(1)(b)" });
    app.erase(&key, &request, "done").await;
    let (archive, trust) = evidence(&app, &key, &json!({ "format": "evidence" })).await;
    let report = verify(&archive, &trust, true);
    let lines: Vec<_> = report.steps.iter().map(ToString::to_string).collect();
    assert_eq!(report.exit_code(), 0, "{lines:#?}");
    let absence = report.steps.iter().find(|step| step.name == StepName::Absence).unwrap();
    assert!(absence.detail.contains("all of it is covered"), "{lines:#?}");
    let text = String::from_utf8(file(&archive, "events.ndjson")).unwrap();
    assert!(!text.contains(SECRET) && text.contains("{\"hash\":\""), "erased fields are hashes");
    assert!(!archive.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()));
    // A selection carries the covering events and their lists, too.
    let some = json!({ "format": "evidence", "filter": "metadata.number>=310" });
    let (archive, _) = evidence(&app, &key, &some).await;
    assert_eq!(verify(&archive, &trust, false).exit_code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_export_of_evidence_has_the_bytes_of_an_undisturbed_one() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 0, 3_000).await;
    let queued = app.post(EXPORTS, &key, &json!({ "format": "evidence" })).await.ok(202);
    let export = queued["id"].as_str().unwrap();
    let dir = app.stop().await;
    let name = format!("exports/{export}.part");
    if let Ok(mut part) = std::fs::File::options().append(true).open(dir.path().join(&name)) {
        std::io::Write::write_all(&mut part, b"half a line").unwrap();
    }
    let app = TestApp::start_in(Arc::clone(&dir), attestary_api::Settings::default(), None).await;
    // The log has grown since; the bundle is of the moment of the request.
    fill(&app, &key, 3_000, 3_010).await;
    let (archive, trust) = fetched(&app, &key, export).await;
    holds(&archive, &trust, 3_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_a_log_like_any_other_and_a_size_cannot_be_asked_for() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 0, 3).await;
    let body = json!({ "format": "evidence", "size": 2 });
    let problem = app.post(EXPORTS, &key, &body).await.problem("invalid-body", 400);
    assert_eq!(problem["errors"][0]["pointer"], "/size");
    let path = "/v1/tenants/_audit/exports";
    let queued = app.post(path, &key, &json!({ "format": "evidence" })).await.ok(202);
    let path = format!("{path}/{}", queued["id"].as_str().unwrap());
    let done = loop {
        let now = app.get(&path, &key).await.ok(200);
        if now["state"] != "queued" && now["state"] != "running" {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(done["state"], "complete", "{done}");
    let link = app.post(&format!("{path}/link"), &key, &json!({})).await.ok(201);
    let url = format!("{}{}", app.url, link["url"].as_str().unwrap());
    let archive = send(app.client.get(url)).await.body;
    let trust = app.get("/v1/tenants/_audit/trust", &key).await.text();
    assert_eq!(verify(&archive, &trust, true).exit_code(), 0);
}

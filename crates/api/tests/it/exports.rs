//! Exports over HTTP: every form, the same bytes each time, links, limits, isolation, restarts.

use std::{sync::Arc, time::Duration};

use attestary_event::EnvironmentId;
use attestary_service::{Caller, Scope};
use serde_json::{Value, json};

use crate::app::{ALL, ENVIRONMENT, Reply, TestApp, event, id, send};

const FORMS: [&str; 5] = ["ndjson", "json", "csv", "cef", "parquet"];

/// Sends `count` events, every third of which is a login of a hostile name.
async fn fill(app: &TestApp, key: &str, tenant: &str, count: u64) {
    let events: Vec<_> = (0..count)
        .map(|number| {
            let mut one = event(tenant, if number % 3 == 0 { "user.login" } else { "doc.read" });
            one["id"] = json!(id(number));
            one["actor"]["name"] = json!("=HYPERLINK(\"http://x\")\r\n<b>,\"");
            one["occurred_at"] = json!(format!("2026-11-22T00:00:{:02}Z", number % 60));
            one["metadata"] = json!({ "number": 9007199254740993_u64, "at": number });
            one
        })
        .collect();
    for part in events.chunks(500) {
        app.post("/v1/events", key, &json!(part)).await.ok(201);
    }
}

async fn made(app: &TestApp, key: &str, tenant: &str, body: &Value) -> Value {
    let path = format!("/v1/tenants/{tenant}/exports");
    let queued = app.post(&path, key, body).await.ok(202);
    ended(app, key, tenant, queued["id"].as_str().unwrap()).await
}

async fn ended(app: &TestApp, key: &str, tenant: &str, export: &str) -> Value {
    loop {
        let now = app.get(&format!("/v1/tenants/{tenant}/exports/{export}"), key).await.ok(200);
        if now["state"] != "queued" && now["state"] != "running" {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn link(app: &TestApp, key: &str, export: &Value) -> String {
    let (tenant, id) = (export["tenant"].as_str().unwrap(), export["id"].as_str().unwrap());
    let path = format!("/v1/tenants/{tenant}/exports/{id}/link");
    let link = app.post(&path, key, &json!({})).await.ok(201);
    format!("{}{}", app.url, link["url"].as_str().unwrap())
}

/// Fetches without a key, as a browser would.
async fn fetched(app: &TestApp, key: &str, export: &Value) -> Reply {
    send(app.client.get(link(app, key, export).await)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_holds_every_event_and_gives_the_same_bytes_again() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 1_200).await;
    for form in FORMS {
        let body = json!({ "format": form, "size": 1_001, "prefix": "CASE7" });
        let first = made(&app, &key, "acme", &body).await;
        assert_eq!(first["state"], "complete", "{first}");
        assert_eq!((&first["events"], &first["size"]), (&json!(1_001), &json!(1_001)));
        assert_eq!((&first["seq_first"], &first["seq_last"]), (&json!(0), &json!(1_000)));
        // More events, sealed this time: what was asked for is the same.
        app.post("/v1/events", &key, &event("acme", "later.on")).await.ok(201);
        app.service.store().seal().await;
        let second = made(&app, &key, "acme", &body).await;
        assert_eq!(first["sha256"], second["sha256"], "{form}");
        let file = fetched(&app, &key, &first).await;
        assert_eq!(file.status, 200);
        assert_eq!(file.body.len() as u64, first["bytes"].as_u64().unwrap());
        assert_eq!(file.headers["etag"], format!("\"{}\"", first["sha256"].as_str().unwrap()));
        check(form, &file);
    }
}

fn check(form: &str, file: &Reply) {
    let text = file.text();
    match form {
        "ndjson" => {
            assert_eq!(text.lines().count(), 1_001);
            let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert_eq!((&last["seq"], &last["metadata"]["at"]), (&json!(1_000), &json!(999)));
            assert!(text.contains("\"number\":9007199254740993"), "tokens stay");
        }
        "json" => assert_eq!(file.json().as_array().unwrap().len(), 1_001),
        "csv" => {
            assert_eq!(text.split_terminator("\r\n").count(), 1_002);
            assert!(text.contains("\r\nCASE7_001001,") && text.contains(",\"'=HYPERLINK("));
        }
        "cef" => {
            assert_eq!(text.lines().count(), 1_001);
            assert!(text.lines().all(|line| line.starts_with("CEF:0|")));
        }
        _ => assert!(file.body.starts_with(b"PAR1") && file.body.ends_with(b"PAR1")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_what_a_search_finds() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 100).await;
    let query = "filter=action%3Auser.login&from=2026-11-22T00:00:10Z&to=2026-11-22T00:00:40Z";
    let path = format!("/v1/events?tenant=acme&order=asc&limit=1000&{query}");
    let found = app.get(&path, &key).await.ok(200);
    let body = json!({
        "format": "json", "filter": "action:user.login",
        "from": "2026-11-22T00:00:10Z", "to": "2026-11-22T00:00:40Z",
    });
    let export = made(&app, &key, "acme", &body).await;
    assert_eq!(fetched(&app, &key, &export).await.json(), found["data"]);
    assert!(export["events"].as_u64().unwrap() > 10);
    // A filter that ends before the log does, and one that finds nothing.
    let few = made(&app, &key, "acme", &json!({ "format": "ndjson", "filter": "seq<5" })).await;
    assert_eq!((&few["events"], &few["scanned"]), (&json!(5), &json!(101)));
    let none =
        made(&app, &key, "acme", &json!({ "format": "json", "filter": "action:no.such" })).await;
    assert_eq!(fetched(&app, &key, &none).await.json(), json!([]));
}

// seeds: WO-05
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_names_digest_range_numbers_and_custody_and_all_of_it_is_audited() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 10).await;
    let body = json!({ "format": "csv", "filter": "seq>=1", "prefix": "X" });
    let export = made(&app, &key, "acme", &body).await;
    fetched(&app, &key, &export).await;
    let path = format!("/v1/tenants/acme/exports/{}", export["id"].as_str().unwrap());
    let manifest = app.get(&format!("{path}/manifest"), &key).await.ok(200);
    assert_eq!(manifest["file"]["sha256"], export["sha256"]);
    assert_eq!(
        manifest["numbering"],
        json!({ "prefix": "X", "first": "X_000001", "last": "X_000010" })
    );
    assert_eq!((&manifest["seq_first"], &manifest["seq_last"]), (&json!(1), &json!(10)));
    assert!(manifest["origin"].as_str().unwrap().contains("/t/"));
    let acts: Vec<_> =
        manifest["custody"].as_array().unwrap().iter().map(|line| line["act"].clone()).collect();
    assert_eq!(acts, ["requested", "completed", "linked", "downloaded"]);
    app.delete(&path, &key).await.ok(204);
    app.get(&path, &key).await.problem("not-found", 404);
    let audit = app.events("_audit", &key).await;
    let operations: Vec<_> = audit
        .iter()
        .filter(|event| event["action"] == "attestary.export")
        .map(|event| event["metadata"]["operation"].as_str().unwrap())
        .collect();
    assert_eq!(operations, ["export.create", "export.link", "export.download", "export.delete"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_one_file_in_parts_and_nothing_after_it_is_gone() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 50).await;
    let export = made(&app, &key, "acme", &json!({ "format": "ndjson" })).await;
    let url = link(&app, &key, &export).await;
    let whole = send(app.client.get(&url)).await;
    let part = send(app.client.get(&url).header("range", "bytes=100-")).await;
    assert_eq!(part.status, 206);
    assert_eq!(part.body, whole.body[100..]);
    assert_eq!(
        part.headers["content-range"],
        format!("bytes 100-{}/{}", whole.body.len() - 1, whole.body.len())
    );
    let ten = send(app.client.get(&url).header("range", "bytes=5-14")).await;
    assert_eq!(ten.body, whole.body[5..15]);
    let changed = format!("{}A", &url[..url.len() - 1]);
    if changed != url {
        send(app.client.get(&changed)).await.problem("not-found", 404);
    }
    let path = format!("/v1/tenants/acme/exports/{}", export["id"].as_str().unwrap());
    app.delete(&path, &key).await.ok(204);
    send(app.client.get(&url)).await.problem("not-found", 404);
    // What is not complete has no link.
    let failed = made(&app, &key, "acme", &json!({ "format": "ndjson" })).await;
    app.delete("/v1/tenants/acme", &key).await.ok(204);
    let gone = format!("/v1/tenants/acme/exports/{}", failed["id"].as_str().unwrap());
    app.get(&gone, &key).await.problem("not-found", 404);
    assert_eq!(std::fs::read_dir(app.dir.path().join("exports")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_belongs_to_its_tenant() {
    let app = TestApp::start().await;
    let owner = app.key(&ALL, None).await;
    fill(&app, &owner, "acme", 5).await;
    app.tenant("other").await;
    let export = made(&app, &owner, "acme", &json!({ "format": "ndjson" })).await;
    let id = export["id"].as_str().unwrap();
    let foreign = app.key(&ALL, Some(&["other"])).await;
    for tenant in ["acme", "other"] {
        let path = format!("/v1/tenants/{tenant}/exports/{id}");
        app.get(&path, &foreign).await.problem("not-found", 404);
        app.get(&format!("{path}/manifest"), &foreign).await.problem("not-found", 404);
        app.post(&format!("{path}/link"), &foreign, &json!({})).await.problem("not-found", 404);
        app.delete(&path, &foreign).await.problem("not-found", 404);
    }
    let listed = app.get("/v1/tenants/other/exports", &foreign).await.ok(200);
    assert_eq!(listed["data"], json!([]));
    // The audit log is for keys of the whole environment.
    let audit = json!({ "format": "ndjson" });
    app.post("/v1/tenants/_audit/exports", &foreign, &audit).await.problem("not-found", 404);
    assert_eq!(made(&app, &owner, "_audit", &audit).await["state"], "complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_name_the_member() {
    let app = TestApp::start().await;
    let key = app.key(&[Scope::Export, Scope::Ingest], None).await;
    fill(&app, &key, "acme", 3).await;
    let check = async |body: Value, code: &str, pointer: &str| {
        let reply = app.post("/v1/tenants/acme/exports", &key, &body).await;
        let problem = reply.problem(code, 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    };
    check(json!({}), "invalid-body", "/format").await;
    check(json!({ "format": "xml" }), "invalid-body", "/format").await;
    check(json!({ "format": "csv", "prefix": "a b" }), "invalid-body", "/prefix").await;
    check(json!({ "format": "csv", "size": 9 }), "invalid-body", "/size").await;
    check(json!({ "format": "csv", "size": "9" }), "invalid-body", "/size").await;
    check(json!({ "format": "csv", "from": "today" }), "invalid-body", "/from").await;
    check(json!({ "format": "csv", "fliter": "" }), "invalid-body", "/fliter").await;
    check(json!({ "format": "csv", "filter": "(" }), "invalid-filter", "/filter").await;
    let times =
        json!({ "format": "csv", "from": "2026-11-22T00:00:00Z", "to": "2026-11-22T00:00:00Z" });
    check(times, "invalid-body", "/to").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_export_ends_with_the_same_bytes() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 3_000).await;
    let body = json!({ "format": "json", "size": 3_001 });
    let whole = made(&app, &key, "acme", &body).await;
    let queued = app.post("/v1/tenants/acme/exports", &key, &body).await.ok(202);
    let dir = app.stop().await;
    // What a kill leaves: bytes behind the last saved cursor.
    let name = format!("exports/{}.part", queued["id"].as_str().unwrap());
    if let Ok(mut part) = std::fs::File::options().append(true).open(dir.path().join(&name)) {
        std::io::Write::write_all(&mut part, b"half a line").unwrap();
    }
    let app = TestApp::start_in(Arc::clone(&dir), attestary_api::Settings::default(), None).await;
    let resumed = ended(&app, &key, "acme", queued["id"].as_str().unwrap()).await;
    assert_eq!(resumed["sha256"], whole["sha256"], "{resumed}");
    // An unfinished file that is shorter than the catalog says is made again from the beginning.
    let caller = Caller::installation(&EnvironmentId::parse(ENVIRONMENT).unwrap());
    assert_eq!(app.service.exports(&caller, "acme").await.unwrap().len(), 2);
}

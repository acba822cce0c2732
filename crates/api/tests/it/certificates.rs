//! The certificate of one transaction: what it holds, and that it proves it.

use attestary_ledger::{Entry, ProofFile, TrustFile};
use attestary_service::Scope;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::app::{ALL, TestApp, event, send};

const PATH: &str = "/v1/tenants/acme/certificate";

fn of(request: &str, action: &str) -> Value {
    let mut event = event("acme", action);
    event["context"] = json!({ "request_id": request, "session_id": "s1" });
    event
}

// seeds: ES-17
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_holds_the_events_of_one_transaction_and_proves_each() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for (request, action) in [
        ("r1", "LINK_SENT"),
        ("r2", "LINK_SENT"),
        ("r1\" OR action:*", "OPENED"),
        ("r1", "OPENED"),
        ("r1", "COMPLETED"),
    ] {
        app.post("/v1/events", &key, &of(request, action)).await.ok(201);
    }
    let trust = app.get("/v1/tenants/acme/trust", &key).await;
    let trust = TrustFile::parse(&trust.body).unwrap();
    for seal in [false, true] {
        if seal {
            app.service.store().seal().await;
        }
        let reply = app.get(&format!("{PATH}?transaction=r1"), &key).await;
        assert_eq!(reply.headers["content-type"], "application/json");
        let made = reply.ok(200);
        assert_eq!((&made["type"], &made["events"]), (&json!("attestary-certificate"), &json!(3)));
        assert_eq!(made["status"]["action"], "COMPLETED");
        let seqs: Vec<_> = made["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["event"]["seq"].clone())
            .collect();
        assert_eq!(seqs, [1, 4, 5]);
        for line in made["data"].as_array().unwrap() {
            let file = ProofFile::parse(line["proof"].as_str().unwrap().as_bytes()).unwrap();
            let entry = STANDARD.decode(line["entry"].as_str().unwrap()).unwrap();
            let entry = Entry::decode(&entry).unwrap();
            let accepted = trust.check_tenant(&file.checkpoint).unwrap().checkpoint;
            file.verify_inclusion(&entry.leaf_hash(), accepted.size, &accepted.root).unwrap();
            assert_eq!(file.checkpoint.to_string(), made["log"]["checkpoint"]);
            let leaf: String = entry.leaf_hash().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(line["event"]["leaf_hash"], leaf);
            // The event is that of the API, to the member.
            let id = line["event"]["id"].as_str().unwrap();
            let known = app.get(&format!("/v1/events/{id}?tenant=acme"), &key).await.ok(200);
            assert_eq!(line["event"], known);
        }
    }
    let by_session = app.get(&format!("{PATH}?transaction=s1&by=session_id"), &key).await.ok(200);
    assert_eq!(by_session["events"], 5);
    let odd = "r1%22%20OR%20action%3A*";
    assert_eq!(app.get(&format!("{PATH}?transaction={odd}"), &key).await.ok(200)["events"], 1);
    let pdf = app.get(&format!("{PATH}?transaction=r1&format=pdf"), &key).await;
    assert_eq!((pdf.status.as_u16(), &pdf.body[..8]), (200, &b"%PDF-1.7"[..]));
    assert_eq!(pdf.headers["content-type"], "application/pdf");
    assert_eq!(pdf.headers["content-disposition"], "attachment; filename=\"certificate.pdf\"");
    // Each is an export in the environment's own log.
    let trail =
        app.get("/v1/events?tenant=_audit&filter=action:attestary.export", &key).await.ok(200);
    let made: Vec<_> = trail["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["metadata"]["operation"] == "certificate.create")
        .map(|event| {
            (event["metadata"]["transaction"].clone(), event["metadata"]["result_count"].clone())
        })
        .collect();
    assert_eq!(made.len(), 5, "{made:?}");
    assert!(made.contains(&(json!("r1"), json!(3))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_certified_is_named() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &of("r1", "a.b")).await.ok(201);
    let check = async |query: &str, pointer: &str| {
        let problem = app.get(&format!("{PATH}{query}"), &key).await.problem("invalid-query", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    };
    check("", "/transaction").await;
    check("?transaction=", "/transaction").await;
    check("?transaction=r1&by=actor", "/by").await;
    check("?transaction=r1&format=docx", "/format").await;
    check("?transaction=r1&from=yesterday", "/from").await;
    check("?transaction=r1&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "/from").await;
    app.get(&format!("{PATH}?transaction=r2"), &key).await.problem("not-found", 404);
    let read = app.key(&[Scope::Read], None).await;
    app.get(&format!("{PATH}?transaction=r1"), &read).await.problem("scope-required", 403);
    let many: Vec<_> = (0..1_000).map(|_| of("many", "a.b")).collect();
    app.post("/v1/events", &key, &json!(many)).await.ok(201);
    let reply = send(app.request("GET", &format!("{PATH}?transaction=many"), &key)).await.ok(200);
    assert_eq!(reply["events"], 1_000);
    app.post("/v1/events", &key, &of("many", "a.b")).await.ok(201);
    check("?transaction=many", "/transaction").await;
}

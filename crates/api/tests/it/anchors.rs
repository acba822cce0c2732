//! Epochs and their anchors: slot proofs before the verifier, witnesses that answer, fail and remember, and forks.

use std::sync::Arc;

use attestary_ledger::{
    Checkpoint, Cosigner, EpochRecord, Note, SlotProof, TilePath, TrustFile, VerifierKey,
    tile::{self, source::TileSource},
    tree,
};
use attestary_service::{AnchorSettings, WitnessPolicy};
use attestary_store::{Clock as _, SystemClock};
use attestary_verify::{AnchorFiles, LogFiles, Options, Report, StepName, log, proof_file};
use attestary_witness::{Book, Witness};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{ALL, Lines, TestApp, event},
    proofs::copy,
};

/// A witness of ours on a port of its own.
struct Running {
    url: String,
    key: VerifierKey,
    stop: CancellationToken,
}

async fn witness(name: &str, log: &str, folder: &std::path::Path) -> Running {
    let cosigner = Cosigner::new(name, &[name.len() as u8; 32]).unwrap();
    let key = cosigner.verifier().clone();
    let log = VerifierKey::parse(log).unwrap();
    let witness = Witness::new(cosigner, vec![log], Book::open(folder).unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(attestary_witness::serve(listener, witness, stop.clone()));
    Running { url, key, stop }
}

fn policy(witnesses: &[(&Running, &str)], quorum: &str) -> AnchorSettings {
    let mut text = String::new();
    for (witness, name) in witnesses {
        text.push_str(&format!("witness {name} {} {}\n", witness.key, witness.url));
    }
    text.push_str(quorum);
    let witnesses = Some(WitnessPolicy::parse(&text).unwrap());
    let retry_pause = std::time::Duration::from_millis(1);
    AnchorSettings { witnesses, retry_pause, ..AnchorSettings::default() }
}

async fn start(dir: Arc<tempfile::TempDir>, anchors: AnchorSettings) -> TestApp {
    let settings = attestary_service::Settings {
        anchors,
        ..attestary_service::Settings::new(dir.path().to_owned())
    };
    TestApp::start_with(dir, settings, Lines::default()).await
}

async fn text(app: &TestApp, key: &str, path: &str) -> String {
    let reply = app.get(path, key).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.text()
}

async fn submit(app: &TestApp, key: &str, tenant: &str, count: usize) {
    let events: Vec<Value> = (0..count).map(|_| event(tenant, "doc.read")).collect();
    app.post("/v1/events", key, &json!(events)).await.ok(201);
}

/// What a verifier over HTTP sees.
struct Remote<'a> {
    app: &'a TestApp,
    key: &'a str,
    tenant: &'a str,
}

impl LogFiles for Remote<'_> {
    fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let path = format!("/v1/tenants/{}/{path}", self.tenant);
        let get = self.app.get(&path, self.key);
        let reply = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(get));
        match reply.status.as_u16() {
            200 => Ok(Some(reply.body.to_vec())),
            404 => Ok(None),
            _ => Err(reply.text()),
        }
    }

    fn fetch_head(&self, epoch: Option<u64>, size: u64) -> Result<Option<Vec<u8>>, String> {
        self.fetch(&format!("head?epoch={}&size={size}", epoch.unwrap_or_default()))
    }

    fn is_live(&self) -> bool {
        true
    }
}

async fn verify(app: &TestApp, key: &str, tenant: &str, trust: &str) -> Report {
    let options =
        Options { now_ms: SystemClock::default().now_ms(), threads: 1, ..Options::default() };
    log(&Remote { app, key, tenant }, trust.as_bytes(), &options, &|_| {})
}

#[track_caller]
fn holds(report: &Report) {
    let lines: Vec<_> = report.steps.iter().map(ToString::to_string).collect();
    assert_eq!(report.exit_code(), 0, "{lines:#?}");
}

#[track_caller]
fn fails(report: &Report, step: StepName) {
    let lines: Vec<_> = report.steps.iter().map(ToString::to_string).collect();
    assert_eq!(report.exit_code(), 1, "{lines:#?}");
    let failed = report.first(attestary_verify::Outcome::Failed).unwrap();
    assert_eq!(failed.name, step, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tenant_stands_at_its_slot_and_the_anchor_log_is_a_log_of_tiles() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for tenant in ["acme", "beta"] {
        submit(&app, &key, tenant, 5).await;
    }
    for _ in 0..300 {
        app.service.anchor_now().await.unwrap();
    }
    submit(&app, &key, "acme", 3).await;
    for tenant in ["acme", "beta", "_audit"] {
        let trust = text(&app, &key, &format!("/v1/tenants/{tenant}/trust?anchor=true")).await;
        let proof = text(&app, &key, &format!("/v1/tenants/{tenant}/slot-proof")).await;
        let parsed = SlotProof::parse(proof.as_bytes()).unwrap();
        assert_eq!((parsed.epoch, parsed.to_string()), (299, proof.clone()));
        let head = text(&app, &key, &format!("/v1/tenants/{tenant}/head?epoch=299")).await;
        let growth = attestary_verify::Growth::parse(head.as_bytes()).unwrap();
        let trusted = TrustFile::parse(trust.as_bytes()).unwrap();
        parsed.verify(&growth.text, &trusted).unwrap();
        holds(&verify(&app, &key, tenant, &trust).await);
    }
    // One event with its anchor beside it: proved when the head holds it, not decided when it is newer or the anchor is missing.
    let events = app.events("acme", &key).await;
    let trust = text(&app, &key, "/v1/tenants/acme/trust?anchor=true").await;
    let slot_proof = text(&app, &key, "/v1/tenants/acme/slot-proof").await.into_bytes();
    for (event, anchored) in [(&events[0], true), (&events[7], false)] {
        let path = format!("/v1/events/{}/proof?tenant=acme", event["id"].as_str().unwrap());
        let proof = text(&app, &key, &path).await;
        let head = text(&app, &key, "/v1/tenants/acme/head?epoch=299&size=9").await.into_bytes();
        let anchor = Some(AnchorFiles { slot_proof: slot_proof.clone(), head: Some(head) });
        let options =
            Options { now_ms: SystemClock::default().now_ms(), anchor, ..Options::default() };
        let report = proof_file(proof.as_bytes(), trust.as_bytes(), &options);
        let lines: Vec<_> = report.steps.iter().map(ToString::to_string).collect();
        assert_eq!(report.exit_code(), if anchored { 0 } else { 2 }, "{lines:#?}");
        let report = proof_file(proof.as_bytes(), trust.as_bytes(), &Options::default());
        assert_eq!(report.exit_code(), 2);
        let anchor = Some(AnchorFiles { slot_proof: slot_proof.clone(), head: None });
        let report = proof_file(proof.as_bytes(), trust.as_bytes(), &Options { anchor, ..options });
        fails(&report, StepName::Anchoring);
    }
    // Another tenant's proof, and none, are both noticed.
    let trust = text(&app, &key, "/v1/tenants/acme/trust?anchor=true").await;
    let trusted = TrustFile::parse(trust.as_bytes()).unwrap();
    let other = text(&app, &key, "/v1/tenants/beta/slot-proof").await;
    let head = text(&app, &key, "/v1/tenants/beta/head").await;
    let head = attestary_verify::Growth::parse(head.as_bytes()).unwrap();
    let other = SlotProof::parse(other.as_bytes()).unwrap();
    assert!(other.verify(&head.text, &trusted).is_err());
    // Without witnesses a trust file does not ask for an anchor by itself.
    assert!(!text(&app, &key, "/v1/tenants/acme/trust").await.contains("anchor"));

    // The anchor log reads like any other, with records for entries.
    let note = text(&app, &key, "/v1/anchor/checkpoint").await;
    let accepted = trusted.check_anchor(&Note::parse(note.as_bytes()).unwrap()).unwrap();
    let size = accepted.checkpoint.size;
    assert_eq!(size, 300);
    let mut tiles = std::collections::HashMap::new();
    for path in tile::tiles(size) {
        let reply = app.get(&format!("/v1/anchor/{path}"), &key).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        tiles.insert(path.to_string(), reply.body.to_vec());
    }
    let source = TileSource::new(size, |path: &TilePath| {
        tiles.get(&path.to_string()).cloned().ok_or("no such tile")
    });
    assert_eq!(tree::root(&source, size).unwrap(), accepted.checkpoint.root);
    let records = tile::bundle::decode(&tiles["tile/entries/001.p/44"], 44).unwrap();
    for (record, epoch) in records.into_iter().zip(256..) {
        let record = EpochRecord::parse(record).unwrap();
        assert_eq!((record.epoch, record.slots), (epoch, 4));
    }
    app.get("/v1/anchor/tile/0/001.p/45", &key).await.problem("not-found", 404);
    app.get("/v1/anchor/stamp", &key).await.problem("not-found", 404);
    app.get("/v1/tenants/acme/slot-proof?epoch=300", &key).await.problem("not-found", 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_epochs_are_proved_after_a_restart_and_a_deleted_tenant_keeps_its_place() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    submit(&app, &key, "acme", 5).await;
    submit(&app, &key, "gone", 5).await;
    app.service.anchor_now().await.unwrap();
    let first = app.service.store().last_epoch().unwrap();
    app.delete("/v1/tenants/gone", &key).await;
    submit(&app, &key, "acme", 5).await;
    app.service.anchor_now().await.unwrap();
    let trust = text(&app, &key, "/v1/tenants/acme/trust?anchor=true").await;
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    submit(&app, &key, "acme", 5).await;
    app.service.anchor_now().await.unwrap();
    let last = app.service.store().last_epoch().unwrap();
    assert_eq!((last.record.epoch, last.record.slots), (2, first.record.slots));
    let sizes: Vec<u64> = (0..last.record.slots).map(|slot| last.size(slot)).collect();
    assert!(sizes.iter().all(|size| *size > 0), "no slot falls vacant: {sizes:?}");
    for epoch in [0, 1, 2] {
        let proof = text(&app, &key, &format!("/v1/tenants/acme/slot-proof?epoch={epoch}")).await;
        let head = text(&app, &key, &format!("/v1/tenants/acme/head?epoch={epoch}")).await;
        let head = attestary_verify::Growth::parse(head.as_bytes()).unwrap();
        assert_eq!(head.checkpoint().unwrap().size, 6 + 5 * epoch);
        let proof = SlotProof::parse(proof.as_bytes()).unwrap();
        let trusted = TrustFile::parse(trust.as_bytes()).unwrap();
        assert_eq!(proof.verify(&head.text, &trusted).unwrap().record.epoch, epoch);
    }
    holds(&verify(&app, &key, "acme", &trust).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_of_witnesses_is_demanded_and_missing_ones_raise_the_alarm() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let log = app.service.anchor_key().unwrap();
    submit(&app, &key, "acme", 5).await;
    app.service.anchor_now().await.unwrap();
    let dir = app.stop().await;
    let books: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let one = witness("one.example.com", &log, books[0].path()).await;
    let two = witness("two2.example.com", &log, books[1].path()).await;
    let three = witness("three.example.com", &log, books[2].path()).await;
    let named = [(&one, "one"), (&two, "two"), (&three, "three")];
    let settings = policy(&named, "group most 2 one two three\nquorum most\n");
    let app = start(dir, settings.clone()).await;
    submit(&app, &key, "acme", 5).await;
    app.service.anchor_now().await.unwrap();
    let state = app.get("/v1/anchor", &key).await.ok(200);
    assert_eq!((&state["epochs"], &state["anchored"]), (&json!(2), &json!(2)), "{state}");
    assert!(state["unwitnessed_since"].is_null());
    let trust = text(&app, &key, "/v1/tenants/acme/trust").await;
    assert!(trust.contains("#attestary anchor attestary.local/anchor\n"), "{trust}");
    assert!(trust.contains("group most 2 one two three\nquorum most\n"), "{trust}");
    holds(&verify(&app, &key, "acme", &trust).await);

    // One of three is silent: still a quorum.
    three.stop.cancel();
    app.service.anchor_now().await.unwrap();
    let state = app.get("/v1/anchor", &key).await.ok(200);
    assert_eq!(state["anchored"], 3, "{state}");
    assert!(state["witnesses"][2]["refused"].is_string(), "{state}");
    // Two are silent: the epoch is there, marked, and the tenant's evidence rests on the last anchored one.
    two.stop.cancel();
    submit(&app, &key, "acme", 5).await;
    for _ in 0..2 {
        app.service.anchor_now().await.unwrap();
    }
    let state = app.get("/v1/anchor", &key).await.ok(200);
    assert_eq!((&state["epochs"], &state["anchored"]), (&json!(5), &json!(3)), "{state}");
    assert_eq!(state["unwitnessed_since"], 3);
    let metrics = app.get("/metrics", "").await.text();
    assert!(metrics.contains("attestary_epochs_unwitnessed 2"), "{metrics}");
    submit(&app, &key, "acme", 1).await;
    holds(&verify(&app, &key, "acme", &trust).await);
    let proof = text(&app, &key, "/v1/tenants/acme/slot-proof").await;
    assert_eq!(SlotProof::parse(proof.as_bytes()).unwrap().epoch, 2);

    // A restart keeps the alarm; it ends when a quorum answers, and both are told once.
    let dir = app.stop().await;
    let two = witness("two2.example.com", &log, books[1].path()).await;
    let named = [(&one, "one"), (&two, "two"), (&three, "three")];
    let settings = policy(&named, "group most 2 one two three\nquorum most\n");
    let app = start(dir, settings).await;
    app.service.anchor_now().await.unwrap();
    let state = app.get("/v1/anchor", &key).await.ok(200);
    assert_eq!(state["anchored"], 6, "{state}");
    assert!(state["unwitnessed_since"].is_null(), "{state}");
    let recorded = app.events("_audit", &key).await;
    let alarms: Vec<_> = recorded
        .iter()
        .filter(|event| event["action"] == "attestary.gap")
        .map(|event| event["metadata"]["operation"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(alarms, ["anchor.unwitnessed", "anchor.witnessed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_that_goes_on_is_caught_by_the_witness() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let log = app.service.anchor_key().unwrap();
    submit(&app, &key, "acme", 5).await;
    let dir = app.stop().await;
    let book = tempfile::tempdir().unwrap();
    let one = witness("one.example.com", &log, book.path()).await;
    let settings = policy(&[(&one, "one")], "quorum one\n");
    let app = start(dir, settings.clone()).await;
    app.service.anchor_now().await.unwrap();
    let dir = app.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy(dir.path(), backup.path());

    let app = start(dir, settings.clone()).await;
    submit(&app, &key, "acme", 5).await;
    for _ in 0..2 {
        app.service.anchor_now().await.unwrap();
    }
    let trust = text(&app, &key, "/v1/tenants/acme/trust").await;
    let dir = app.stop().await;

    // The data goes back; the register with it, so nothing here notices.
    std::fs::remove_dir_all(dir.path()).unwrap();
    copy(backup.path(), dir.path());
    let app = start(dir, settings.clone()).await;
    submit(&app, &key, "acme", 7).await;
    for size in 2..6 {
        app.service.anchor_now().await.unwrap();
        let state = app.get("/v1/anchor", &key).await.ok(200);
        assert_eq!((&state["epochs"], &state["anchored"]), (&json!(size), &json!(1)), "{state}");
        let refused = state["witnesses"][0]["refused"].as_str().unwrap();
        assert!(refused.contains("another history"), "{refused}");
    }
    // The old anchor still proves the old head, but the forked events behind it stay unanchored for ever.
    let report = verify(&app, &key, "acme", &trust).await;
    let tail = report.steps.iter().find(|step| step.name == StepName::Tail).unwrap();
    assert!(tail.detail.contains("are not anchored"), "{tail}");
    let dir = app.stop().await;

    // With a register that did not go back, no epoch is made at all.
    std::fs::remove_dir_all(dir.path()).unwrap();
    copy(backup.path(), dir.path());
    let register = dir.path().join("register/anchor");
    let text_before = std::fs::read_to_string(&register).unwrap();
    std::fs::write(&register, text_before.replace("batch 1\n", "batch 9\n")).unwrap();
    let app = start(dir, settings).await;
    assert!(app.service.anchor_now().await.is_err());
    assert!(app.service.store().epoch_refusal().is_some());
    let state = app.get("/v1/anchor", &key).await.ok(200);
    assert!(state["failed"].as_str().unwrap().contains("restored from a backup"), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_anchored_and_a_lie_about_the_anchor_is_named() {
    let app = TestApp::start().await;
    let log = app.service.anchor_key().unwrap();
    let key = app.key(&ALL, None).await;
    let dir = app.stop().await;
    let book = tempfile::tempdir().unwrap();
    let one = witness("one.example.com", &log, book.path()).await;
    let app = start(dir, policy(&[(&one, "one")], "quorum one\n")).await;
    submit(&app, &key, "acme", 20).await;
    // No epoch holds the tenant yet: asking for evidence makes one.
    let body = json!({ "format": "evidence" });
    let (archive, trust) = crate::evidence::evidence(&app, &key, &body).await;
    crate::evidence::holds(&archive, &trust, 21);
    submit(&app, &key, "acme", 20).await;
    let (archive, trust) = crate::evidence::evidence(&app, &key, &body).await;
    crate::evidence::holds(&archive, &trust, 41);
    let proof = crate::evidence::file(&archive, "slot-proof");
    let proof = SlotProof::parse(&proof).unwrap();
    let head = crate::evidence::file(&archive, "head");
    let head = attestary_verify::Growth::parse(&head).unwrap();
    assert_eq!(head.checkpoint().map(|head: Checkpoint| head.size), Some(21));
    let trusted = TrustFile::parse(trust.as_bytes()).unwrap();
    proof.verify(&head.text, &trusted).unwrap();
    // A trust file with another witness is not satisfied.
    let other = Cosigner::new("one.example.com", &[99; 32]).unwrap().verifier().to_string();
    let forged = trust.replace(&one.key.to_string(), &other);
    fails(&crate::evidence::verify(&archive, &forged, false), StepName::Anchoring);
    // Nor is one with another slot.
    let slot = format!("{} {}\n", trusted.origin(), trusted.slot());
    let moved = trust.replace(&slot, &format!("{} {}\n", trusted.origin(), trusted.slot() + 1));
    assert_ne!(moved, trust);
    fails(&crate::evidence::verify(&archive, &moved, false), StepName::Anchoring);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anchor_log_gets_a_new_key_from_the_next_epoch_on() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    submit(&app, &key, "acme", 8).await;
    app.service.anchor_now().await.unwrap();
    let old_trust = text(&app, &key, "/v1/tenants/acme/trust?anchor=true").await;
    let first = text(&app, &key, "/v1/anchor/checkpoint").await;
    let rotate = |key: String| {
        let app = &app;
        async move { app.post_text("/v1/anchor/rotate-key", &key, "application/json", "").await }
    };
    rotate(key.clone()).await.problem("scope-required", 403);
    let operator = app.operator();
    let rotated = rotate(operator.clone()).await.ok(200);
    assert_eq!((&rotated["epoch"], &rotated["first_size"]), (&1.into(), &2.into()));
    // Two rotations between two epochs: each key has at least one size.
    let again = rotate(operator).await.ok(200);
    assert_eq!((&again["epoch"], &again["first_size"]), (&2.into(), &3.into()));
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    for _ in 0..3 {
        app.service.anchor_now().await.unwrap();
    }
    let state = app.get("/v1/anchor", &key).await.ok(200);
    assert_eq!(state["verifier_key"], again["verifier_key"]);
    let last = text(&app, &key, "/v1/anchor/checkpoint").await;
    let trust = text(&app, &key, "/v1/tenants/acme/trust?anchor=true").await;
    let trusted = TrustFile::parse(trust.as_bytes()).unwrap();
    let note = |text: &str| Note::parse(text.as_bytes()).unwrap();
    assert_eq!(trusted.check_anchor(&note(&first)).unwrap().checkpoint.size, 1);
    assert_eq!(trusted.check_anchor(&note(&last)).unwrap().checkpoint.size, 4);
    let old = TrustFile::parse(old_trust.as_bytes()).unwrap();
    assert!(old.check_anchor(&note(&last)).is_err(), "the old key signs no more");
    holds(&verify(&app, &key, "acme", &trust).await);
}

//! Checkpoints, tiles, proof files, consistency and trust files, checked as a stranger would who holds the trust file.

use std::collections::HashMap;

use attestary_event::{EventId, Fields, Timestamp};
use attestary_ledger::{
    Checkpoint, ConsistencyProof, Disclosure, Entry, Hash, InclusionProof, Note, ProofFile,
    TilePath, TrustFile, disclosed_fields_hash, fields_hash, origin_id,
    tile::{self, source::TileSource},
    tree,
};
use attestary_service::Scope;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::app::{ALL, TestApp, event, id};

async fn text(app: &TestApp, key: &str, path: &str) -> String {
    let reply = app.get(path, key).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.headers["content-type"], "text/plain; charset=utf-8");
    reply.text()
}

async fn trust(app: &TestApp, key: &str, tenant: &str) -> TrustFile {
    let file = text(app, key, &format!("/v1/tenants/{tenant}/trust")).await;
    TrustFile::parse(file.as_bytes()).unwrap()
}

async fn head(app: &TestApp, key: &str, tenant: &str, trust: &TrustFile) -> Checkpoint {
    let note = text(app, key, &format!("/v1/tenants/{tenant}/checkpoint")).await;
    trust.check_tenant(&Note::parse(note.as_bytes()).unwrap()).unwrap().checkpoint
}

fn hash(base64: &Value) -> Hash {
    STANDARD.decode(base64.as_str().unwrap()).unwrap().try_into().unwrap()
}

/// Submits events in bodies of at most 500.
async fn fill(app: &TestApp, key: &str, tenant: &str, numbers: std::ops::Range<u64>) {
    let events: Vec<Value> = numbers
        .map(|number| {
            let mut event = event(tenant, "document.opened");
            event["id"] = id(number).into();
            event
        })
        .collect();
    for events in events.chunks(500) {
        app.post("/v1/events", key, &events.to_vec().into()).await.ok(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_proved_by_its_file_and_the_trust_file_alone() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 1..40).await;
    let trust = trust(&app, &key, "acme").await;
    for seal in [false, true] {
        if seal {
            app.service.store().seal().await;
        }
        for number in [1, 15, 16, 17, 39] {
            let event =
                app.get(&format!("/v1/events/{}?tenant=acme", id(number)), &key).await.ok(200);
            let path = format!("/v1/events/{}/proof?tenant=acme", id(number));
            let file = ProofFile::parse(text(&app, &key, &path).await.as_bytes()).unwrap();
            assert_eq!(file.index, event["seq"].as_u64().unwrap());
            let entry = Entry::decode(file.extra.as_deref().unwrap()).unwrap();
            let leaf: String = entry.leaf_hash().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(event["leaf_hash"], leaf);
            let accepted = trust.check_tenant(&file.checkpoint).unwrap().checkpoint;
            assert_eq!(accepted.size, 40);
            file.verify_inclusion(&entry.leaf_hash(), accepted.size, &accepted.root).unwrap();
            let other = Entry { seq: entry.seq + 1, ..entry };
            let forged = file.verify_inclusion(&other.leaf_hash(), accepted.size, &accepted.root);
            assert!(forged.is_err());
        }
    }
    app.get(&format!("/v1/events/{}/proof?tenant=acme", id(999)), &key)
        .await
        .problem("not-found", 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_give_the_root_and_bundles_give_the_leaves() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 1..700).await;
    let trust = trust(&app, &key, "acme").await;
    let first = head(&app, &key, "acme", &trust).await;
    app.service.store().seal().await;
    fill(&app, &key, "acme", 700..1_300).await;
    let second = head(&app, &key, "acme", &trust).await;
    assert_eq!((first.size, second.size), (700, 1_300));
    for checkpoint in [&first, &second] {
        let mut fetched: HashMap<String, Vec<u8>> = HashMap::new();
        for path in tile::tiles(checkpoint.size) {
            let reply = app.get(&format!("/v1/tenants/acme/{path}"), &key).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            fetched.insert(path.to_string(), reply.body.to_vec());
        }
        let source = TileSource::new(checkpoint.size, |path: &TilePath| {
            fetched.get(&path.to_string()).cloned().ok_or("no such tile")
        });
        assert_eq!(tree::root(&source, checkpoint.size).unwrap(), checkpoint.root);
        for path in
            tile::tiles(checkpoint.size).filter(|path| path.kind() == tile::TileKind::Entries)
        {
            let entries = tile::bundle::decode(&fetched[&path.to_string()], path.width()).unwrap();
            let leaves = &fetched[&path.to_string().replace("entries", "0")];
            for (entry, leaf) in entries.into_iter().zip(leaves.chunks(32)) {
                assert_eq!(Entry::decode(entry).unwrap().leaf_hash(), leaf);
            }
        }
    }
    for wrong in [
        "0/000.p/256",
        "0/0",
        "0/000.p/0",
        "9/000",
        "0/005.p/21",
        "1/001",
        "entries/006",
        "0/x000/000",
    ] {
        let reply = app.get(&format!("/v1/tenants/acme/tile/{wrong}"), &key).await;
        reply.problem("not-found", 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn growth_is_proved_between_any_two_sizes() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 1..300).await;
    app.service.store().seal().await;
    let trust = trust(&app, &key, "acme").await;
    let newest = head(&app, &key, "acme", &trust).await;
    for (from, to) in [(0, 300), (1, 2), (16, 300), (77, 256), (255, 257), (299, 300), (300, 300)] {
        let path = format!("/v1/tenants/acme/consistency?from={from}&to={to}");
        let found = app.get(&path, &key).await.ok(200);
        let hashes = found["hashes"].as_array().unwrap().iter().map(hash).collect();
        let proof = ConsistencyProof { old: from, new: to, hashes };
        let (old, new) = (hash(&found["from_root"]), hash(&found["to_root"]));
        proof.verify(&old, &new).unwrap();
        assert!(proof.verify(&[0; 32], &new).is_err());
        if to == newest.size {
            assert_eq!(new, newest.root);
        }
    }
    let check = async |query: &str, expected: &str| {
        let reply = app.get(&format!("/v1/tenants/acme/consistency{query}"), &key).await;
        let problem = reply.problem("invalid-query", 400);
        assert!(problem["detail"].as_str().unwrap().contains(expected), "{problem}");
    };
    check("", "\"from\" is required").await;
    check("?from=-1", "a whole number").await;
    check("?from=1&to=301", "\"to\" is beyond the newest checkpoint, which has 300 events").await;
    check("?from=9&to=8", "\"from\" is larger than \"to\", which is 8").await;
    check("?from=1&size=2", "no parameter \"size\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn submitters_may_wait_for_the_proof() {
    let app = TestApp::start().await;
    let (key, ingest) = (app.key(&ALL, None).await, app.key(&[Scope::Ingest], None).await);
    let mut one = event("acme", "user.login");
    one["id"] = id(1).into();
    one["metadata"] = serde_json::json!({ "big": 9_007_199_254_740_993_u64 });
    let receipt = app.post("/v1/events?wait=proof&receipt=full", &ingest, &one).await.ok(201);
    let again = app.post("/v1/events?receipt=full", &ingest, &one).await.ok(200);
    for member in ["entry", "seed", "payload", "origin", "seq", "leaf_hash"] {
        assert_eq!(receipt[member], again[member], "{member}");
    }
    let trust = trust(&app, &key, "acme").await;
    let file = ProofFile::parse(receipt["proof"].as_str().unwrap().as_bytes()).unwrap();
    let entry = STANDARD.decode(receipt["entry"].as_str().unwrap()).unwrap();
    assert_eq!(file.extra.as_deref(), Some(&entry[..]));
    let accepted = trust.check_tenant(&file.checkpoint).unwrap().checkpoint;
    let leaf = Entry::decode(&entry).unwrap().leaf_hash();
    file.verify_inclusion(&leaf, accepted.size, &accepted.root).unwrap();
    let batch =
        serde_json::json!([event("acme", "a.b"), event("other", "a.b"), event("acme", "a.b")]);
    let receipts = app.post("/v1/events?wait=proof", &ingest, &batch).await.ok(201);
    for receipt in receipts["data"].as_array().unwrap() {
        let file = ProofFile::parse(receipt["proof"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(file.index, receipt["seq"].as_u64().unwrap());
        assert_eq!(receipt["payload"], Value::Null);
    }
    for (query, expected) in [
        ("wait=head", "\"wait\" is one of proof"),
        ("receipt=1", "one of full"),
        ("w=1", "no parameter"),
    ] {
        let reply = app.post(&format!("/v1/events?{query}"), &ingest, &one).await;
        let problem = reply.problem("invalid-query", 400);
        assert!(problem["detail"].as_str().unwrap().contains(expected), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_outlive_the_process_and_a_restored_backup_is_not_signed() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 1..10).await;
    let trusted = trust(&app, &key, "acme").await;
    assert_eq!(head(&app, &key, "acme", &trusted).await.size, 10);
    let dir = app.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy(dir.path(), backup.path());

    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    assert_eq!(trust(&app, &key, "acme").await, trusted);
    fill(&app, &key, "acme", 10..20).await;
    assert_eq!(head(&app, &key, "acme", &trusted).await.size, 20);
    let dir = app.stop().await;

    // The data goes back in time; the register does not.
    let register = tempfile::tempdir().unwrap();
    copy(&dir.path().join("register"), register.path());
    std::fs::remove_dir_all(dir.path()).unwrap();
    copy(backup.path(), dir.path());
    copy(register.path(), &dir.path().join("register"));
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    fill(&app, &key, "acme", 30..40).await;
    let reply = app.get("/v1/tenants/acme/checkpoint", &key).await;
    let problem = reply.problem("signing-refused", 503);
    assert!(problem["detail"].as_str().unwrap().contains("restored from a backup"), "{problem}");
    let receipt = app.post("/v1/events?wait=proof", &key, &event("acme", "a.b")).await.ok(201);
    assert_eq!(receipt["proof"], Value::Null);
    assert!(receipt["proof_error"].as_str().unwrap().contains("nothing is signed"), "{receipt}");
    assert!(app.service.store().health().signing_refused);
}

pub(crate) fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_a_tree_needs_the_scope_and_is_recorded_once_a_minute() {
    let app = TestApp::start().await;
    let (key, ingest) = (app.key(&ALL, None).await, app.key(&[Scope::Ingest], None).await);
    fill(&app, &key, "acme", 1..3).await;
    for path in ["checkpoint", "trust", "tile/0/000.p/1", "consistency?from=1"] {
        let reply = app.get(&format!("/v1/tenants/acme/{path}"), &ingest).await;
        reply.problem("scope-required", 403);
        app.get(&format!("/v1/tenants/nobody/{path}"), &key).await.problem("not-found", 404);
    }
    for _ in 0..20 {
        app.get("/v1/tenants/acme/checkpoint", &key).await;
    }
    let recorded = app.events("_audit", &key).await;
    let reads = recorded.iter().filter(|event| {
        event["metadata"]["operation"] == "proofs.checkpoint" && event["outcome"] == "success"
    });
    // The minute may have turned once.
    assert!((1..=2).contains(&reads.count()), "{recorded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_signs_from_the_event_about_it_on() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 1..5).await;
    let old_trust = trust(&app, &key, "acme").await;
    let before = text(&app, &key, "/v1/tenants/acme/checkpoint").await;
    let rotated =
        app.post_text("/v1/tenants/acme/rotate-key", &key, "application/json", "").await.ok(200);
    assert_eq!((&rotated["epoch"], &rotated["first_size"]), (&1.into(), &6.into()));
    let after = text(&app, &key, "/v1/tenants/acme/checkpoint").await;
    let new_trust = trust(&app, &key, "acme").await;
    let note = |text: &str| Note::parse(text.as_bytes()).unwrap();
    assert_eq!(new_trust.check_tenant(&note(&before)).unwrap().checkpoint.size, 5);
    assert_eq!(new_trust.check_tenant(&note(&after)).unwrap().checkpoint.size, 6);
    assert!(old_trust.check_tenant(&note(&after)).is_err(), "the old key signs no more");
    let events = app.events("acme", &key).await;
    let event = events.last().unwrap();
    assert_eq!(event["action"], "attestary.key.rotated");
    assert_eq!(event["metadata"]["verifier_key"], rotated["verifier_key"]);
    // Epochs outlive the process.
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    assert_eq!(trust(&app, &key, "acme").await, new_trust);
    let again =
        app.post_text("/v1/tenants/acme/rotate-key", &key, "application/json", "").await.ok(200);
    assert_eq!(again["epoch"], 2);
}

/// Computes the leaf of each event from what a reader sees, and walks its path.
fn check_page(events: &[Value], page: &Value, trust: &TrustFile) -> usize {
    let note = Note::parse(page["checkpoint"].as_str().unwrap().as_bytes()).unwrap();
    let head = trust.check_tenant(&note).unwrap().checkpoint;
    for proved in page["data"].as_array().unwrap() {
        let event = events.iter().find(|event| event["seq"] == proved["seq"]).unwrap();
        let leaf = computed_leaf(event, proved, &head.origin);
        let hashes = proved["path"].as_array().unwrap().iter();
        let hashes = hashes.map(|at| hash(&page["hashes"][at.as_u64().unwrap() as usize]));
        let index = proved["seq"].as_u64().unwrap();
        let proof = InclusionProof { index, size: head.size, hashes: hashes.collect() };
        proof.verify(&leaf, &head.root).unwrap();
    }
    page["data"].as_array().unwrap().len()
}

fn bytes<const N: usize>(hex: &Value) -> [u8; N] {
    let hex = hex.as_str().unwrap();
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
}

fn computed_leaf(event: &Value, proved: &Value, origin: &str) -> Hash {
    let mut body = event.as_object().unwrap().clone();
    for name in ["id", "tenant", "environment", "seq", "received_at", "leaf_hash"] {
        body.remove(name);
    }
    let body = serde_json::to_vec(&body).unwrap();
    let fields = Fields::of_stored(&body);
    let (count, fields_hash) = match proved.get("fields") {
        None => {
            let list = fields
                .iter()
                .map(|field| (field.pointer, field.kind as u8, field.value.as_bytes()));
            (fields.len(), fields_hash(&bytes(&proved["seed"]), list))
        }
        Some(list) => {
            let list = list.as_array().unwrap();
            let salts: Vec<[u8; 16]> = list
                .iter()
                .filter(|field| field["salt"].is_string())
                .map(|field| bytes(&field["salt"]))
                .collect();
            let hidden: Vec<Hash> = list
                .iter()
                .filter(|field| field["hash"].is_string())
                .map(|field| bytes(&field["hash"]))
                .collect();
            let (mut salts, mut hidden) = (salts.iter(), hidden.iter());
            let disclosures: Vec<Disclosure<'_>> = list
                .iter()
                .map(|field| match field["pointer"].as_str() {
                    None => Disclosure::Hidden(hidden.next().unwrap()),
                    Some(pointer) => {
                        let shown = fields.get(pointer).unwrap();
                        let value = shown.value.as_bytes();
                        let salt = salts.next().unwrap();
                        Disclosure::Shown { salt, pointer, kind: shown.kind as u8, value }
                    }
                })
                .collect();
            (list.len(), disclosed_fields_hash(disclosures.into_iter()))
        }
    };
    let service = event["action"].as_str().unwrap().starts_with("attestary.");
    let received = Timestamp::parse(event["received_at"].as_str().unwrap()).unwrap();
    let entry = Entry {
        origin: origin_id(origin),
        seq: event["seq"].as_u64().unwrap(),
        received_ms: received.0 as u64,
        event_id: EventId::parse(event["id"].as_str().unwrap()).unwrap().0,
        n_fields: count as u16,
        flags: u16::from(service),
        fields_hash,
    };
    entry.leaf_hash()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_proved_from_what_a_reader_sees() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme", 1..40).await;
    for (seal, tenant) in [(false, "acme"), (true, "acme"), (true, "_audit")] {
        if seal {
            app.service.store().seal().await;
        }
        let trust = trust(&app, &key, tenant).await;
        let events = app.get(&format!("/v1/events?tenant={tenant}&limit=1000"), &key).await.ok(200);
        let events = events["data"].as_array().unwrap().clone();
        let proofs = |seqs: &str| {
            let (app, key) = (&app, &key);
            let path = format!("/v1/tenants/{tenant}/proofs?seqs={seqs}");
            async move { app.get(&path, key).await }
        };
        let last = events[0]["seq"].as_u64().unwrap();
        let page = proofs(&format!("0-{last}")).await.ok(200);
        assert_eq!(check_page(&events, &page, &trust), events.len(), "{tenant}");
        // In the order asked for, each once; what no checkpoint covers is left out.
        let page = proofs("3,1-2,3,999999").await.ok(200);
        let seqs: Vec<_> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(seqs, [3, 1, 2]);
        for bad in [
            "",
            "x",
            "5-4",
            "1,,2",
            "+1",
            "-1",
            "1-1001",
            "0-998,2000-2002",
            "0-18446744073709551615",
            "18446744073709551616",
        ] {
            proofs(bad).await.problem("invalid-query", 400);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_session_gets_proofs_without_salts_of_what_is_hidden() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for (number, document) in [(1, "doc_7"), (2, "doc_8"), (3, "doc_7")] {
        let body = serde_json::json!({
            "id": id(number), "tenant": "acme", "action": "document.opened", "actor": { "type": "user", "id": "u", "email": "a@b.example" },
            "targets": [{ "type": "document", "id": document }], "context": { "ip": "192.0.2.1" },
        });
        app.post("/v1/events", &key, &body).await.ok(201);
    }
    let trust = trust(&app, &key, "acme").await;
    let whole = app.get("/v1/tenants/acme/proofs?seqs=0-3", &key).await.ok(200);
    for (hide, fields) in
        [(serde_json::json!(["context.ip", "actor.email"]), true), (serde_json::json!([]), false)]
    {
        let body = serde_json::json!({ "actor": { "id": "u1" }, "origin": "https://app.example.com", "restrict": "target.id:doc_7", "hide_fields": hide });
        let made = app.post("/v1/tenants/acme/portal-sessions", &key, &body).await.ok(201);
        let token = made["token"].as_str().unwrap();
        let events = app.get("/v1/events", token).await.ok(200);
        let page = app.get("/v1/tenants/acme/proofs?seqs=0-3", token).await;
        assert_eq!(check_page(events["data"].as_array().unwrap(), &page.ok(200), &trust), 2);
        let other = whole["data"][2]["seed"].as_str().unwrap();
        assert!(!page.text().contains(other), "nothing of the other document is given");
        let seed = whole["data"][1]["seed"].as_str().unwrap();
        assert_eq!(page.text().contains(seed), !fields, "the seed tells every salt");
        // What shows the size and the hashes of the log only is open, its entries are not.
        for path in ["checkpoint", "trust", "consistency?from=1"] {
            assert_eq!(
                app.get(&format!("/v1/tenants/acme/{path}"), token).await.status,
                200,
                "{path}"
            );
        }
        for path in ["tile/entries/000.p/2", "tile/0/000.p/2"] {
            assert_eq!(
                app.get(&format!("/v1/tenants/acme/{path}"), token).await.status,
                403,
                "{path}"
            );
        }
        assert_eq!(app.get(&format!("/v1/events/{}/proof", id(1)), token).await.status, 403);
    }
}

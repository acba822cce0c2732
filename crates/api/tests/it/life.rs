//! The whole life of data in one script: a person is erased, retention is applied, a hold is placed, an export is made,
//! and whoever kept a checkpoint and a proof from before can still check all of it.

use std::{collections::HashMap, time::Duration};

use attestary_ledger::{
    Checkpoint, ConsistencyProof, Entry, Hash, Note, ProofFile, RemovalList, TilePath, TrustFile,
    removal::Extent,
    tile::{self, source::TileSource},
    tree,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    app::{ALL, TestApp, event, id},
    governance::SECRET,
};

const EVENTS: u64 = 40;

struct Stranger<'a> {
    app: &'a TestApp,
    key: &'a str,
    trust: TrustFile,
}

impl Stranger<'_> {
    async fn text(&self, path: &str) -> String {
        let reply = self.app.get(path, self.key).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.text()
    }

    async fn head(&self) -> Checkpoint {
        let note = self.text("/v1/tenants/acme/checkpoint").await;
        self.accept(&Note::parse(note.as_bytes()).unwrap())
    }

    fn accept(&self, note: &Note) -> Checkpoint {
        self.trust.check_tenant(note).unwrap().checkpoint
    }

    async fn proof(&self, number: u64) -> ProofFile {
        let path = format!("/v1/events/{}/proof?tenant=acme", id(number));
        ProofFile::parse(self.text(&path).await.as_bytes()).unwrap()
    }

    fn check_proof(&self, file: &ProofFile) -> Entry {
        let entry = Entry::decode(file.extra.as_deref().unwrap()).unwrap();
        let head = self.accept(&file.checkpoint);
        file.verify_inclusion(&entry.leaf_hash(), head.size, &head.root).unwrap();
        entry
    }

    /// The old checkpoint's tree begins the new one's.
    async fn check_growth(&self, old: &Checkpoint, new: &Checkpoint) {
        let path = format!("/v1/tenants/acme/consistency?from={}&to={}", old.size, new.size);
        let found: Value = serde_json::from_str(&self.text(&path).await).unwrap();
        let hashes = found["hashes"].as_array().unwrap().iter();
        let hash = |base64: &Value| -> Hash {
            STANDARD.decode(base64.as_str().unwrap()).unwrap().try_into().unwrap()
        };
        let proof =
            ConsistencyProof { old: old.size, new: new.size, hashes: hashes.map(hash).collect() };
        proof.verify(&old.root, &new.root).unwrap();
    }

    /// Every tile and every entry bundle is there and gives the root.
    async fn check_tiles(&self, head: &Checkpoint) {
        let mut fetched: HashMap<String, Vec<u8>> = HashMap::new();
        for path in tile::tiles(head.size) {
            let reply = self.app.get(&format!("/v1/tenants/acme/{path}"), self.key).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            fetched.insert(path.to_string(), reply.body.to_vec());
        }
        let source = TileSource::new(head.size, |path: &TilePath| {
            fetched.get(&path.to_string()).cloned().ok_or("no such tile")
        });
        assert_eq!(tree::root(&source, head.size).unwrap(), head.root);
        let bundles = tile::tiles(head.size).filter(|path| path.kind() == tile::TileKind::Entries);
        for path in bundles {
            let entries = tile::bundle::decode(&fetched[&path.to_string()], path.width()).unwrap();
            let leaves = &fetched[&path.to_string().replace("entries", "0")];
            for (entry, leaf) in entries.into_iter().zip(leaves.chunks(32)) {
                assert_eq!(Entry::decode(entry).unwrap().leaf_hash(), leaf);
            }
        }
    }
}

fn about(number: u64) -> Value {
    let action = if number == 7 { "contract.signed" } else { "doc.read" };
    let mut event = event("acme", action);
    event["id"] = json!(id(number));
    event["metadata"] = json!({ "number": number });
    match number {
        3 | 7 => event["actor"] = json!({ "type": "user", "id": "u_1", "email": SECRET }),
        11 => event["metadata"]["note"] = json!(format!("mail to {SECRET}")),
        _ => {}
    }
    event
}

async fn export(app: &TestApp, key: &str) -> (String, Value) {
    let asked = json!({ "format": "ndjson" });
    let begun = app.post("/v1/tenants/acme/exports", key, &asked).await.ok(202);
    let path = format!("/v1/tenants/acme/exports/{}", begun["id"].as_str().unwrap());
    loop {
        let seen = app.get(&path, key).await.ok(200);
        if seen["state"] == "complete" {
            return (path, seen);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

// seeds: WO-03 WO-05
#[tokio::test(flavor = "multi_thread")]
async fn erase_retain_hold_export_and_verify() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let events: Vec<Value> = (1..=EVENTS).map(about).collect();
    app.post("/v1/events", &key, &events.into()).await.ok(201);
    let trust = app.get("/v1/tenants/acme/trust", &key).await.text();
    let trust = TrustFile::parse(trust.as_bytes()).unwrap();
    let stranger = Stranger { app: &app, key: &key, trust };
    let old_head = stranger.head().await;
    let old_proofs = [stranger.proof(2).await, stranger.proof(3).await, stranger.proof(7).await];
    let old_leaves: Vec<Value> =
        app.events("acme", &key).await.iter().map(|event| event["leaf_hash"].clone()).collect();
    let (old_export, _) = export(&app, &key).await;
    assert!(!app.files_with_secret().is_empty(), "the search finds what is there");

    // A hold keeps the contract; a year and a half later retention takes the rest, but not what came since.
    let hold = json!({ "name": "case 1", "filter": "action:contract.*", "reason": "suit" });
    let hold = app.post("/v1/tenants/acme/holds", &key, &hold).await.ok(201);
    let policy = json!({
        "preset": "1y", "classes": [{ "name": "mail", "filter": "metadata.number:11", "keep": "6y" }],
    });
    app.put("/v1/tenants/acme/retention", &key, &policy).await.ok(200);
    app.later(500).await;
    let late: Vec<Value> = (EVENTS + 1..=EVENTS + 5).map(about).collect();
    app.post("/v1/events", &key, &late.into()).await.ok(201);
    let preview = app.post("/v1/tenants/acme/retention/preview", &key, &json!({})).await.ok(200);
    assert_eq!((&preview["events"], &preview["held"]), (&json!(EVENTS - 2), &json!(1)));
    let run = app.retain(&key).await;
    assert_eq!((&run["events"], &run["held"]), (&json!(EVENTS - 2), &json!(1)), "{run}");

    // The erasure waits for the hold, and reaches everything once that is released.
    let request = json!({ "subject": ["u_1", SECRET], "legal_basis": "GDPR art. 17(1)(b)" });
    let waiting = app.erase(&key, &request, "pending").await;
    assert_eq!(waiting["holds"], json!([hold["id"]]));
    let release = format!("/v1/tenants/acme/holds/{}/release", hold["id"].as_str().unwrap());
    app.post(&release, &key, &json!({})).await.ok(200);
    let done = app.erasure(&key, waiting["id"].as_str().unwrap(), "done").await;
    assert_eq!(done["exports"].as_array().unwrap().len(), 1, "{done}");
    app.get(&old_export, &key).await.problem("not-found", 404);
    assert_eq!(app.files_with_secret(), Vec::<std::path::PathBuf>::new());

    // What stayed is there, under the same leaf hashes.
    let after = app.events("acme", &key).await;
    for event in &after {
        let seq = event["seq"].as_u64().unwrap();
        if let Some(leaf) = old_leaves.get(seq as usize - 1) {
            assert_eq!(event["leaf_hash"], *leaf, "{event}");
        }
    }
    let kept: Vec<_> =
        after.iter().filter_map(|event| event["metadata"]["number"].as_u64()).collect();
    assert_eq!(kept, [7, 11, 41, 42, 43, 44, 45]);
    let contract = after.iter().find(|event| event["seq"] == 7).unwrap();
    assert_eq!(contract["actor"], json!({ "type": "user" }));

    // Old proofs and checkpoints hold, new ones too, and the tree is whole.
    for proof in &old_proofs {
        stranger.check_proof(proof);
    }
    let new_head = stranger.head().await;
    stranger.check_growth(&old_head, &new_head).await;
    stranger.check_tiles(&new_head).await;
    assert_eq!(stranger.check_proof(&stranger.proof(7).await).seq, 7);
    assert_eq!(
        stranger.check_proof(&stranger.proof(2).await).seq,
        2,
        "removed events are proved too"
    );

    // Each absence is covered by an event of the service that commits to its list.
    let removals = app.get("/v1/tenants/acme/removals", &key).await.ok(200);
    let mut gone = Vec::new();
    for removal in removals["data"].as_array().unwrap() {
        let path = format!("/v1/tenants/acme/removals/{}/list", removal["id"].as_str().unwrap());
        let list = RemovalList::parse(stranger.text(&path).await.as_bytes()).unwrap();
        let covering = after.iter().find(|event| event["seq"] == removal["covering_seq"]).unwrap();
        let digest: String = list.hash().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(covering["metadata"]["list_sha256"], digest);
        assert_eq!(covering["metadata"]["events"], json!(list.events()));
        gone.push(list);
    }
    let covers = |seq: u64| gone.iter().find_map(|list| list.of(seq));
    for seq in 1..=EVENTS {
        match seq {
            7 | 11 => assert!(matches!(covers(seq), Some(Extent::Fields(_))), "{seq}"),
            _ => assert_eq!(covers(seq), Some(Extent::Payload), "{seq}"),
        }
    }

    // Certificates are signed by the log and prove their covering events.
    let of_erasure = format!("/v1/tenants/acme/erasures/{}", done["id"].as_str().unwrap());
    let of_run = format!("/v1/tenants/acme/retention/runs/{}", run["id"].as_str().unwrap());
    for (of, basis) in [(of_erasure, json!("GDPR art. 17(1)(b)")), (of_run, Value::Null)] {
        let certificate = app.certificate("acme", &of, &key).await;
        assert_eq!(certificate["legal_basis"], basis);
        assert!(!certificate.to_string().contains(SECRET));
        let own = certificate["removals"].as_array().unwrap().iter();
        let own = own.filter(|removal| removal["origin"] == stranger.trust.origin());
        let proofs: Vec<_> = own.map(|removal| removal["proof"].as_str().unwrap()).collect();
        assert_eq!(proofs.len(), 1);
        let proof = ProofFile::parse(proofs[0].as_bytes()).unwrap();
        assert_eq!(stranger.check_proof(&proof).flags, 1);
    }

    // An export of now holds what is left and nothing else.
    let (_, fresh) = export(&app, &key).await;
    assert_eq!(fresh["events"].as_u64().unwrap() as usize, after.len() + 1, "{fresh}");
    assert_eq!(app.files_with_secret(), Vec::<std::path::PathBuf>::new());

    // Everything on disk is what it should be: each leaf, each root, each row of the catalog.
    let dir = app.stop().await;
    let path = dir.path().to_owned();
    let check = move || attestary_store::check::check(&path, None, &mut |_| {});
    let report = tokio::task::spawn_blocking(check).await.unwrap().unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert!(report.sealed_events > 0);
}

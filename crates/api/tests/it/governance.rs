//! Retention, legal holds and erasures, end to end.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use attestary_event::{EnvironmentId, EventId, TenantId};
use attestary_ledger::{Note, TrustFile};
use attestary_store::catalog::{RemovalKind, RemovalRow, RemovalState};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    app::{ALL, ENVIRONMENT, TestApp, event, id, send},
    proofs::copy,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
pub(crate) const SECRET: &str = "alice-wonder@example.com";

impl TestApp {
    pub(crate) async fn put(&self, path: &str, key: &str, body: &Value) -> crate::app::Reply {
        send(self.request("PUT", path, key).json(body)).await
    }

    /// Sets the clock forward and has an operator confirm it.
    pub(crate) async fn later(&self, days: u64) {
        self.ahead_ms.fetch_add(days * DAY_MS, Ordering::Relaxed);
        send(self.request("POST", "/v1/clock/confirm", &self.operator())).await.ok(200);
    }

    /// Runs retention and returns how that ended.
    pub(crate) async fn retain(&self, key: &str) -> Value {
        let begun = send(self.request("POST", "/v1/retention/runs", key)).await.ok(202);
        loop {
            let runs = self.get("/v1/retention/runs", key).await.ok(200);
            let run = &runs["data"][0];
            assert_eq!(run["id"], begun["id"]);
            if run["state"] != "running" {
                return run.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks for an erasure and waits until it is in `state`.
    pub(crate) async fn erase(&self, key: &str, body: &Value, state: &str) -> Value {
        let begun = self.post("/v1/tenants/acme/erasures", key, body).await.ok(202);
        self.erasure(key, begun["id"].as_str().unwrap(), state).await
    }

    pub(crate) async fn erasure(&self, key: &str, id: &str, state: &str) -> Value {
        loop {
            let seen = self.get(&format!("/v1/tenants/acme/erasures/{id}"), key).await.ok(200);
            if seen["state"] == state {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Reads a certificate, checks its signature against the log's key, and returns its document.
    pub(crate) async fn certificate(&self, tenant: &str, of: &str, key: &str) -> Value {
        let reply = self.get(&format!("{of}/certificate"), key).await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text());
        let note = Note::parse(&reply.body).unwrap();
        let trust = self.get(&format!("/v1/tenants/{tenant}/trust"), key).await.text();
        let trust = TrustFile::parse(trust.as_bytes()).unwrap();
        let keys: Vec<_> = trust.policy().logs().iter().map(|log| log.key.clone()).collect();
        note.verify(&keys).unwrap();
        let (form, rest) = note.text().split_once('\n').unwrap();
        assert_eq!(form, "attestary/deletion/v1");
        serde_json::from_str(rest.split_once('\n').unwrap().1).unwrap()
    }

    async fn actions(&self, key: &str) -> Vec<(u64, String)> {
        let events = self.events("acme", key).await;
        let action = |event: &Value| event["action"].as_str().unwrap().to_owned();
        events.iter().map(|event| (event["seq"].as_u64().unwrap(), action(event))).collect()
    }

    /// Returns the files of the data directory whose raw bytes hold the secret.
    pub(crate) fn files_with_secret(&self) -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if std::fs::read(&path).is_ok_and(|bytes| {
                    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
                }) {
                    found.push(path);
                }
            }
        }
        found
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn numbered(number: u64, action: &str) -> Value {
    let mut event = event("acme", action);
    event["id"] = json!(id(number));
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_set_inherited_bounded_and_locked() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    let read = |path: &'static str| app.get(path, &key);
    assert_eq!(read("/v1/tenants/acme/retention").await.ok(200)["source"], "default");
    assert_eq!(read("/v1/retention").await.ok(200)["policy"]["keep"], "unlimited");
    app.put("/v1/retention", &key, &json!({ "preset": "1y", "minimum": "30d", "maximum": "7y" }))
        .await
        .ok(200);
    let inherited = read("/v1/tenants/acme/retention").await.ok(200);
    assert_eq!(
        (&inherited["source"], &inherited["policy"]["keep"]),
        (&json!("environment"), &json!("1y"))
    );
    assert_eq!(inherited["policy"]["hot"], "90d");

    let path = "/v1/tenants/acme/retention";
    for (document, pointer) in [
        (json!({ "keep": "7d" }), "/keep"),
        (json!({ "keep": "unlimited" }), "/keep"),
        (
            json!({ "keep": "1y", "classes": [{ "name": "a", "filter": "((", "keep": "90d" }] }),
            "/classes/0/filter",
        ),
        (json!({ "keep": "1y", "clases": [] }), "/clases"),
    ] {
        let problem = app.put(path, &key, &document).await.problem("invalid-body", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let locked = json!({ "keep": "2y", "lock": true });
    assert_eq!(app.put(path, &key, &locked).await.ok(200)["source"], "tenant");
    app.put(path, &key, &json!({ "keep": "1y", "lock": true })).await.problem("conflict", 409);
    app.put(path, &key, &json!({ "keep": "2y" })).await.problem("conflict", 409);
    app.delete(path, &key).await.problem("conflict", 409);
    app.put(path, &key, &json!({ "keep": "3y", "lock": true })).await.ok(200);
    let basis = json!({ "subject": ["alice"], "legal_basis": "request" });
    app.post("/v1/tenants/acme/erasures", &key, &basis).await.problem("conflict", 409);
    app.delete("/v1/tenants/acme", &key).await.problem("conflict", 409);

    // Policies outlive a restart.
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    let kept = app.get(path, &key).await.ok(200);
    assert_eq!((&kept["policy"]["keep"], &kept["policy"]["lock"]), (&json!("3y"), &json!(true)));
    let audit = app
        .get("/v1/events?tenant=_audit&filter=metadata.operation:retention.set", &key)
        .await
        .ok(200);
    assert_eq!(audit["data"].as_array().unwrap().len(), 3, "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_goes_by_class_and_the_log_says_so() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for number in 1..=6 {
        let action = if number % 2 == 0 { "user.login" } else { "doc.read" };
        app.post("/v1/events", &key, &numbered(number, action)).await.ok(201);
    }
    let before: Vec<Value> = app.events("acme", &key).await;
    let policy = json!({
        "keep": "1y", "classes": [{ "name": "logins", "filter": "action:user.login", "keep": "90d" }],
    });
    app.put("/v1/tenants/acme/retention", &key, &policy).await.ok(200);
    assert_eq!(app.retain(&key).await["events"], 0);

    app.ahead_ms.fetch_add(100 * DAY_MS, Ordering::Relaxed);
    send(app.request("POST", "/v1/retention/runs", &key)).await.problem("conflict", 409);
    let clock = app.get("/v1/clock", &app.operator()).await.ok(200);
    assert!(clock["retention_paused_at"].is_string(), "{clock}");
    app.later(0).await;
    app.post("/v1/events", &key, &numbered(7, "user.login")).await.ok(201);

    let preview =
        send(app.request("POST", "/v1/tenants/acme/retention/preview", &key)).await.ok(200);
    assert_eq!(preview["events"], 3, "{preview}");
    assert_eq!(preview["ranges"][0], json!({ "first": 2, "last": 2 }));
    assert_eq!(preview["classes"][0], json!({ "name": "logins", "events": 3 }));
    let shorter = json!({ "policy": { "keep": "30d" } });
    let proposed = app.post("/v1/tenants/acme/retention/preview", &key, &shorter).await.ok(200);
    assert_eq!(proposed["events"], 6, "{proposed}");

    let run = app.retain(&key).await;
    assert_eq!((&run["state"], &run["events"]), (&json!("done"), &json!(3)), "{run}");
    let kept = app.events("acme", &key).await;
    let seqs: Vec<_> = kept.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [1, 3, 5, 7, 8]);
    assert_eq!(kept[0], before[0], "what stays is as it was");
    let covering = &kept[4];
    assert_eq!(covering["action"], "attestary.retention.applied");
    assert_eq!(covering["metadata"]["events"], 3);
    assert_eq!(covering["metadata"]["cause"], run["id"]);
    app.get(&format!("/v1/events/{}?tenant=acme", id(2)), &key).await.problem("not-found", 404);

    // The list that the event commits to.
    let removals = app.get("/v1/tenants/acme/removals", &key).await.ok(200);
    let removal = &removals["data"][0];
    assert_eq!((&removal["state"], &removal["covering_seq"]), (&json!("done"), &json!(8)));
    let path = format!("/v1/tenants/acme/removals/{}/list", removal["id"].as_str().unwrap());
    let list = app.get(&path, &key).await;
    assert!(list.text().ends_with("\n2-2\n4-4\n6-6\n"), "{}", list.text());
    let digest: String =
        Sha256::digest(&list.body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(covering["metadata"]["list_sha256"], digest.as_str());

    // A retry of a removed event is the old one; a second run finds nothing.
    let again = app.post("/v1/events", &key, &numbered(2, "user.login")).await.ok(200);
    assert_eq!(again["seq"], 2);
    assert_eq!(again["leaf_hash"], before[1]["leaf_hash"]);
    assert_eq!(app.retain(&key).await["events"], 0);
    let facets = app.get("/v1/events/facets?tenant=acme&fields=action", &key).await.ok(200);
    assert_eq!(facets["events"], 6, "the genesis event and five others: {facets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_what_it_selects_until_it_is_released() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for number in 1..=4 {
        let mut event = numbered(number, "doc.read");
        event["actor"]["id"] = json!(if number == 2 { "custodian" } else { "other" });
        app.post("/v1/events", &key, &event).await.ok(201);
    }
    app.put("/v1/retention", &key, &json!({ "keep": "90d" })).await.ok(200);
    let path = "/v1/tenants/acme/holds";
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({ "name": "h", "filter": "occurred_at>now-1d" }), "/filter"),
        (json!({ "name": "h", "custodian": [] }), "/custodian"),
    ] {
        let problem = app.post(path, &key, &body).await.problem("invalid-body", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let hold = json!({ "name": "case 1", "filter": "action:doc.*", "custodians": ["custodian"], "reason": "suit" });
    let hold = app.post(path, &key, &hold).await.ok(201);
    assert_eq!(hold["state"], "in_force");
    app.delete("/v1/tenants/acme", &key).await.problem("conflict", 409);
    app.later(100).await;
    let run = app.retain(&key).await;
    assert_eq!((&run["events"], &run["held"]), (&json!(3), &json!(1)), "{run}");
    let request = json!({ "subject": ["custodian"], "legal_basis": "request" });
    let waiting = app.erase(&key, &request, "pending").await;
    assert_eq!(waiting["holds"], json!([hold["id"]]));
    let seen: Vec<_> = app.actions(&key).await;
    assert!(seen.contains(&(2, "doc.read".to_owned())), "{seen:?}");
    assert!(seen.iter().any(|(_, action)| action == "attestary.hold.placed"));

    let one = format!("{path}/{}", hold["id"].as_str().unwrap());
    let released = send(app.request("POST", &format!("{one}/release"), &key)).await.ok(200);
    assert_eq!(released["state"], "released");
    send(app.request("POST", &format!("{one}/release"), &key)).await.problem("conflict", 409);
    let done = app.erasure(&key, waiting["id"].as_str().unwrap(), "done").await;
    assert!(done["events"].as_u64().unwrap() >= 1, "{done}");
    assert_eq!(
        app.get(&one, &key).await.ok(200)["custodians"],
        json!([]),
        "the hold named the person"
    );
    assert_eq!(app.retain(&key).await["events"], 1);
    assert!(!app.actions(&key).await.contains(&(2, "doc.read".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_erased_everywhere_and_the_rest_stays() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut about = numbered(1, "user.login");
    about["actor"] = json!({ "type": "user", "id": "u_1", "email": SECRET, "name": "Alice" });
    about["context"] = json!({ "ip": "203.0.113.9" });
    let mut target = numbered(2, "user.invite");
    target["targets"] =
        json!([{ "type": "user", "id": "u_1", "name": "Alice" }, { "type": "team", "id": "t1" }]);
    target["metadata"] = json!({ "note": format!("mail to {SECRET} sent"), "n": 1.50 });
    let bystander = numbered(3, "user.login");
    for event in [&about, &target, &bystander] {
        app.post("/v1/events", &key, event).await.ok(201);
    }
    app.get(&format!("/v1/events?tenant=acme&filter=actor.email:{SECRET}"), &key).await.ok(200);
    let before = app.events("acme", &key).await;
    assert!(!app.files_with_secret().is_empty());

    let path = "/v1/tenants/acme/erasures";
    for (body, pointer) in [
        (json!({ "legal_basis": "x" }), ""),
        (json!({ "subject": ["ab"], "legal_basis": "x" }), "/subject/0"),
        (
            json!({ "subject": [SECRET], "legal_basis": format!("request of {SECRET}") }),
            "/legal_basis",
        ),
        (json!({ "events": ["x"], "legal_basis": "x" }), "/events/0"),
        (json!({ "events": [id(1)], "fields": ["/action"], "legal_basis": "x" }), "/fields/0"),
        (json!({ "events": [id(1)] }), "/legal_basis"),
    ] {
        let problem = app.post(path, &key, &body).await.problem("invalid-body", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let request = json!({ "subject": ["u_1", SECRET], "legal_basis": "gdpr-17" });
    let done = app.erase(&key, &request, "done").await;
    assert_eq!((&done["by"], &done["not_reached"]), (&json!("subject"), &json!([])), "{done}");
    assert_eq!(app.files_with_secret(), Vec::<std::path::PathBuf>::new());

    let after = app.events("acme", &key).await;
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old["leaf_hash"], new["leaf_hash"]);
        assert!(!new.to_string().contains("Alice") && !new.to_string().contains(SECRET), "{new}");
    }
    assert_eq!(after[0]["actor"], json!({ "type": "user" }));
    assert_eq!(after[0].get("context"), None);
    assert_eq!(after[1]["targets"], json!([{ "type": "user" }, { "type": "team", "id": "t1" }]));
    assert_eq!(after[1]["metadata"], json!({ "n": 1.5 }));
    assert_eq!(after[2], before[2]);
    assert_eq!(after[3]["action"], "attestary.erasure.applied");
    assert_eq!(after[3]["metadata"]["legal_basis"], "gdpr-17");
    for filter in ["actor.id:u_1", "targets.id:u_1", "Alice"] {
        let page = app.get(&format!("/v1/events?tenant=acme&filter={filter}"), &key).await.ok(200);
        assert_eq!(page["data"], json!([]), "{filter}");
    }
    let certificate = app.certificate("acme", &format!("{path}/{}", text(&done["id"])), &key).await;
    assert_eq!(
        certificate["removals"].as_array().unwrap().len(),
        2,
        "the log and the audit log: {certificate}"
    );
    let removals = certificate["removals"].as_array().unwrap().iter();
    assert!(removals.clone().any(|removal| removal["covering_seq"] == 4), "{certificate}");
    assert!(!certificate.to_string().contains(SECRET));

    // It stays erased, and everything reads as before, after a restart.
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    assert_eq!(app.events("acme", &key).await, after);
    assert_eq!(app.files_with_secret(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_fields_are_erased_by_id_and_by_filter() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for number in 1..=4 {
        let mut event = numbered(number, if number == 4 { "b" } else { "a" });
        event["metadata"] = json!({ "keep": number, "drop": { "x": SECRET, "y": [1, 2] } });
        app.post("/v1/events", &key, &event).await.ok(201);
    }
    let before = app.events("acme", &key).await;
    app.erase(&key, &json!({ "events": [id(1), id(9)], "legal_basis": "x" }), "done").await;
    let fields = json!({ "filter": "action:a", "fields": ["/metadata/drop"], "legal_basis": "x" });
    let done = app.erase(&key, &fields, "done").await;
    assert_eq!((&done["events"], &done["fields"]), (&json!(2), &json!(6)), "{done}");
    let after = app.events("acme", &key).await;
    let seqs: Vec<_> = after.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [2, 3, 4, 5, 6]);
    assert_eq!(after[0]["metadata"], json!({ "keep": 2 }));
    assert_eq!(after[0]["leaf_hash"], before[1]["leaf_hash"]);
    assert_eq!(after[2], before[3]);
    app.erase(
        &key,
        &json!({ "events": [id(4)], "fields": ["/metadata"], "legal_basis": "x" }),
        "done",
    )
    .await;
    assert_eq!(app.files_with_secret(), Vec::<std::path::PathBuf>::new());
    // Nothing to erase is done at once and covers nothing.
    let nothing =
        app.erase(&key, &json!({ "filter": "action:nothing", "legal_basis": "x" }), "done").await;
    assert_eq!((&nothing["events"], &nothing["removals"]), (&json!(0), &json!([])));
    // What the service wrote stays whole.
    app.erase(&key, &json!({ "filter": "action:attestary.*", "legal_basis": "x" }), "done").await;
    let own = app.actions(&key).await;
    assert_eq!(own.iter().filter(|(_, action)| action == "attestary.erasure.applied").count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_behind_a_removal_goes_on_with_a_gap() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for number in 1..=3 {
        app.post("/v1/events", &key, &numbered(number, "doc.read")).await.ok(201);
    }
    app.put("/v1/retention", &key, &json!({ "keep": "90d" })).await.ok(200);
    app.later(100).await;
    app.post("/v1/events", &key, &numbered(4, "doc.late")).await.ok(201);
    assert_eq!(app.retain(&key).await["events"], 3);
    let destination = json!({ "name": "out", "type": "stdout", "start": "beginning" });
    let made = app.post("/v1/tenants/acme/destinations", &key, &destination).await.ok(201);
    loop {
        let written = String::from_utf8_lossy(&app.output.0.lock().unwrap()).into_owned();
        if written.contains("doc.late") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    loop {
        let events = app.events("acme", &key).await;
        if let Some(gap) = events.iter().find(|event| event["action"] == "attestary.gap") {
            assert_eq!(gap["targets"][0]["id"], made["id"]);
            assert_eq!(
                (&gap["metadata"]["first_seq"], &gap["metadata"]["last_seq"]),
                (&json!(1), &json!(3))
            );
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Enters a removal of the payload of one event as a stop would leave it.
fn interrupted(app: &TestApp, seq: u64, state: RemovalState) -> String {
    let tenant = TenantId::parse("acme").unwrap();
    let environment = EnvironmentId::parse(ENVIRONMENT).unwrap();
    let log = app.service.store().log(&environment, &tenant).unwrap();
    let list = format!("attestary/removal/v1\n{}\n{seq}-{seq}\n", log.origin).into_bytes();
    let row = RemovalRow {
        id: format!("rem_{seq}"),
        kind: RemovalKind::Retention,
        cause: "ret_1".into(),
        slot: log.slot,
        environment,
        tenant,
        origin: log.origin,
        event_id: EventId::parse(&id(1_000 + seq)).unwrap(),
        cover_seq: None,
        state,
        events: 1,
        sha256: Sha256::digest(&list).into(),
        list,
        created_ms: 1,
        done_ms: None,
    };
    app.service.store().catalog().create_removals(std::slice::from_ref(&row)).unwrap();
    row.id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_a_stop_interrupted_is_finished_or_forgotten() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for number in 1..=3 {
        app.post("/v1/events", &key, &numbered(number, "doc.read")).await.ok(201);
    }
    // The event that covers the third removal is in the log, but the catalog does not know yet.
    app.post("/v1/events", &key, &numbered(1_003, "doc.covers")).await.ok(201);
    app.service.store().seal().await;
    interrupted(&app, 1, RemovalState::Listed);
    let covered = interrupted(&app, 2, RemovalState::Covered);
    let late = interrupted(&app, 3, RemovalState::Listed);
    let dir = app.stop().await;
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    let removals = loop {
        let removals = app.get("/v1/tenants/acme/removals", &key).await.ok(200);
        let removals = removals["data"].as_array().unwrap().clone();
        if removals.iter().all(|removal| removal["state"] == "done") {
            break removals;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let ids: Vec<_> = removals.iter().map(|removal| removal["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [covered, late], "what the log never agreed to is forgotten");
    assert_eq!(removals[1]["covering_seq"], 4);
    let seqs: Vec<_> = app.actions(&key).await.into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(seqs, [1, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_does_not_bring_erased_values_back() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut about = numbered(1, "user.login");
    about["actor"] = json!({ "type": "user", "id": "u_1", "email": SECRET });
    app.post("/v1/events", &key, &about).await.ok(201);
    let dir = app.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy(dir.path(), backup.path());

    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    app.post("/v1/events", &key, &numbered(2, "doc.read")).await.ok(201);
    let request = json!({ "subject": [SECRET], "legal_basis": "gdpr-17" });
    app.erase(&key, &request, "done").await;
    let dir = app.stop().await;

    // The data goes back in time; the register and the erasure list beside it do not.
    let register = tempfile::tempdir().unwrap();
    copy(&dir.path().join("register"), register.path());
    std::fs::remove_dir_all(dir.path()).unwrap();
    copy(backup.path(), dir.path());
    copy(register.path(), &dir.path().join("register"));
    for again in [false, true] {
        let app =
            TestApp::start_in(Arc::clone(&dir), attestary_api::Settings::default(), None).await;
        assert_eq!(app.files_with_secret(), Vec::<std::path::PathBuf>::new(), "{again}");
        let events = app.events("acme", &key).await;
        assert_eq!(events[0]["actor"], json!({ "type": "user" }));
        let covering: Vec<_> =
            events.iter().filter(|event| event["action"] == "attestary.erasure.applied").collect();
        assert_eq!(covering.len(), 1, "{again}: {events:?}");
        app.stop().await;
    }
}

//! A data directory that went back in time: what was signed stays refused, and a person lets it go on under new names.

use std::{io::Cursor, sync::Arc};

use attestary_ledger::{Checkpoint, Hash, Note, TrustFile};
use attestary_store::{Renewals, Settings as StoreSettings, Store, SystemClock, SystemRng, check};
use attestary_verify::{Known, Options, Report, StepName, bundle};
use serde_json::{Value, json};

use crate::{
    app::{ALL, TestApp, event, id},
    evidence::{evidence, holds, verify},
    governance::SECRET,
    proofs::copy,
};

async fn fill(app: &TestApp, key: &str, numbers: std::ops::Range<u64>) {
    let events: Vec<Value> = numbers
        .map(|number| {
            let mut one = event("acme", "document.opened");
            one["id"] = id(number).into();
            if number == 7 {
                one["actor"]["id"] = SECRET.into();
            }
            one
        })
        .collect();
    app.post("/v1/events", key, &events.into()).await.ok(201);
}

/// The head of a checkpoint that the trust file accepts.
async fn head(app: &TestApp, key: &str) -> Checkpoint {
    let trust = app.get("/v1/tenants/acme/trust", key).await.text();
    let trust = TrustFile::parse(trust.as_bytes()).unwrap();
    let note = app.get("/v1/tenants/acme/checkpoint", key).await;
    assert_eq!(note.status, 200, "{}", note.text());
    trust.check_tenant(&Note::parse(&note.body).unwrap()).unwrap().checkpoint
}

async fn renew(dir: &std::path::Path) -> Renewals {
    let settings = StoreSettings::new(dir.to_owned());
    let open = move || {
        Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default()))
    };
    let store = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
    let renewed = store.renew().await.unwrap();
    store.close().await;
    renewed
}

fn seen(archive: &[u8], trust: &str, known: &Checkpoint, root: Hash) -> Report {
    let known = vec![Known { origin: known.origin.clone(), size: known.size, root }];
    let options = Options { known, now_ms: 1_795_400_000_000, threads: 2, ..Options::default() };
    bundle(Cursor::new(archive), trust.as_bytes(), &options, &|_| {})
}

fn sound(dir: &std::path::Path) {
    let checked = tokio::task::block_in_place(|| check::check(dir, None, &mut |_| {}));
    let report = checked.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_goes_on_as_new_incarnations_that_verify() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 1..30).await;
    app.post_text("/v1/tenants/acme/rotate-key", &key, "application/json", "").await.ok(200);
    let basis = json!({ "legal_basis": "request 1", "events": [id(5)] });
    app.erase(&key, &basis, "done").await;
    app.service.store().seal().await;
    fill(&app, &key, 30..50).await;
    let at_backup = head(&app, &key).await;
    app.service.anchor_now().await.unwrap();
    let old_anchor = app.service.store().anchor_origin();
    let dir = app.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy(dir.path(), backup.path());
    assert_eq!(renew(dir.path()).await.logs, [], "nothing went back in time");

    // The log goes on, is seen and signed, and somebody is erased.
    let app = TestApp::start_in(dir, attestary_api::Settings::default(), None).await;
    fill(&app, &key, 50..60).await;
    let lost = head(&app, &key).await;
    let subject = json!({ "legal_basis": "request 2", "subject": [SECRET] });
    app.erase(&key, &subject, "done").await;
    let (before, old_trust) = evidence(&app, &key, &json!({ "format": "evidence" })).await;
    app.service.anchor_now().await.unwrap();
    let dir = app.stop().await;

    let restore = || {
        let register = tempfile::tempdir().unwrap();
        copy(&dir.path().join("register"), register.path());
        std::fs::remove_dir_all(dir.path()).unwrap();
        copy(backup.path(), dir.path());
        std::fs::remove_dir_all(dir.path().join("register")).unwrap();
        copy(register.path(), &dir.path().join("register"));
    };
    restore();
    let app = TestApp::start_in(Arc::clone(&dir), attestary_api::Settings::default(), None).await;
    fill(&app, &key, 70..75).await;
    app.get("/v1/tenants/acme/checkpoint", &key).await.problem("signing-refused", 503);
    drop(app.stop().await);

    let stale = tempfile::tempdir().unwrap();
    copy(dir.path(), stale.path());
    let renewed = renew(dir.path()).await;
    let acme = renewed.logs.iter().find(|log| log.tenant == "acme").unwrap();
    assert_eq!(acme.previous, at_backup.origin);
    assert_ne!(acme.origin, acme.previous);
    assert!(renewed.logs_refused.is_some() && renewed.anchor.is_some());
    sound(dir.path());

    let app = TestApp::start_in(Arc::clone(&dir), attestary_api::Settings::default(), None).await;
    assert_ne!(app.service.store().anchor_origin(), old_anchor);
    assert_eq!(Some(app.service.store().anchor_origin()), renewed.anchor);
    fill(&app, &key, 80..90).await;
    app.service.anchor_now().await.unwrap();
    let told = app.events("acme", &key).await;
    let told: Vec<_> =
        told.iter().filter(|event| event["action"] == "attestary.restored").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["metadata"]["previous_origin"], at_backup.origin);
    assert_eq!(told[0]["metadata"]["previous_size"], acme.size);
    let (after, trust) = evidence(&app, &key, &json!({ "format": "evidence" })).await;
    let size = head(&app, &key).await.size;
    holds(&after, &trust, size);
    assert!(trust.contains(&acme.origin) && !trust.contains(&acme.previous));
    let shown = |report: &Report| -> String {
        report.steps.iter().map(|step| format!("\n{step}")).collect()
    };
    let agrees = seen(&after, &trust, &at_backup, at_backup.root);
    assert_eq!(agrees.exit_code(), 0, "{}", shown(&agrees));
    assert!(shown(&agrees).contains("1 known checkpoints of that log agree"), "{}", shown(&agrees));
    let report = seen(&after, &trust, &at_backup, [3; 32]);
    assert_eq!(report.exit_code(), 1, "{}", shown(&report));
    // The server kept more than the backup had, but what was signed after it is another history.
    let report = seen(&after, &trust, &lost, lost.root);
    assert!(lost.size > acme.size);
    assert_eq!(report.exit_code(), 2, "{}", shown(&report));
    // The old names keep what was said under them.
    assert_eq!(verify(&before, &old_trust, true).exit_code(), 0);
    let crossed = verify(&after, &old_trust, false);
    assert_eq!(crossed.first(attestary_verify::Outcome::Failed).unwrap().name, StepName::Trust);
    // What was erased after the backup is gone again.
    assert_eq!(app.files_with_secret(), Vec::<std::path::PathBuf>::new());
    let found = app.get(&format!("/v1/events/{}?tenant=acme", id(7)), &key).await;
    assert!(!found.text().contains(SECRET), "{}", found.text());
    // Everything else is there under the same seq, and repeats are still repeats.
    let mut again = event("acme", "document.opened");
    again["id"] = id(20).into();
    app.post("/v1/events", &key, &again).await.ok(200);
    drop(app.stop().await);
    sound(dir.path());
}

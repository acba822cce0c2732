//! A restored directory goes on under new names, wherever the process that lets it is stopped.

use std::{fs, path::Path};

use attestary_ledger::Frontier;

use super::*;
use crate::{
    check,
    store::removal::tests::{copy, during},
};

async fn submit(store: &Store, tenant: &str, numbers: std::ops::Range<u128>) {
    let tenant = TenantId::parse(tenant).unwrap();
    let events = numbers.map(|number| event(&tenant, number, "a.b")).collect();
    store.submit(events).await.unwrap();
}

async fn fixed(store: &Store, tenant: &str) -> Result<FixedHead, HeadError> {
    store.head(&names().0, &TenantId::parse(tenant).unwrap()).await
}

/// A directory that is older than its register: sealed, merged and unsealed events of two logs; and what was signed of them.
async fn went_back(dir: &tempfile::TempDir, partitions: u32) -> (FixedHead, AnchorHead) {
    let newer = tempfile::tempdir().unwrap();
    let store = partitions::open(&newer, partitions);
    for part in 0..9 {
        submit(&store, "acme", 20 * part..20 * part + 17).await;
        submit(&store, "beta", 20 * part..20 * part + 3).await;
        store.seal().await;
    }
    submit(&store, "acme", 500..507).await;
    let signed = fixed(&store, "acme").await.unwrap();
    fixed(&store, "beta").await.unwrap();
    store.make_epoch().await.unwrap();
    let anchor = store.anchor_head().await.unwrap().unwrap();
    store.close().await;
    drop(store);
    copy(newer.path(), dir.path());
    let store = open(&newer);
    submit(&store, "acme", 600..640).await;
    fixed(&store, "acme").await.unwrap();
    store.make_epoch().await.unwrap();
    store.close().await;
    fs::remove_dir_all(dir.path().join("register")).unwrap();
    copy(&newer.path().join("register"), &dir.path().join("register"));
    (signed, anchor)
}

fn sound(dir: &Path) {
    let report = check::check(dir, None, &mut |_| {}).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

fn renewed(dir: &tempfile::TempDir) -> Renewals {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = open(dir);
    runtime.block_on(store.seal());
    let renewed = store.0.renew().unwrap();
    runtime.block_on(store.close());
    renewed
}

#[test]
fn a_restored_directory_goes_on_wherever_it_is_stopped() {
    for partitions in [1, 3] {
        goes_on_wherever_it_is_stopped(partitions);
    }
}

fn goes_on_wherever_it_is_stopped(partitions: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (signed, anchor) = runtime.block_on(went_back(&dir, partitions));
    let stops = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let done = during(
        {
            let (stops, from) = (std::rc::Rc::clone(&stops), dir.path().to_owned());
            move |step: &str| {
                let stopped = tempfile::tempdir().unwrap();
                copy(&from, stopped.path());
                stops.borrow_mut().push((step.to_owned(), stopped));
            }
        },
        || renewed(&dir),
    );
    let acme = done.logs.iter().find(|log| log.tenant == "acme").unwrap();
    assert_eq!(
        (acme.previous.as_str(), acme.size, acme.root),
        (&*signed.origin, signed.size, signed.root)
    );
    assert_eq!(renewed(&dir).logs, [], "once is enough");
    let stops = stops.take();
    let steps: Vec<_> = stops.iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(steps, ["segments renewed", "renewal committed", "registers moved"]);
    for (step, stopped) in stops.into_iter().chain([("done".to_owned(), dir)]) {
        sound(stopped.path());
        let store = open(&stopped);
        runtime.block_on(async {
            if step == "segments renewed" {
                let refused = fixed(&store, "acme").await.unwrap_err();
                assert!(matches!(refused, HeadError::Refused(_)), "{step}: {refused}");
                return store.close().await;
            }
            submit(&store, "acme", 700..733).await;
            store.seal().await;
            let head = fixed(&store, "acme").await.unwrap();
            assert_eq!(
                (head.origin == signed.origin, head.size),
                (false, signed.size + 33),
                "{step}"
            );
            let entries = store.disclosed(&names().0, &names().1, 0..head.size).await.unwrap();
            let (mut old, mut new) = (Frontier::default(), Frontier::default());
            let older = store.catalog().incarnations(head.slot).unwrap();
            assert_eq!(older.len(), 1);
            for event in &entries {
                new.append(event.entry.leaf_hash());
                let older_entry = attestary_ledger::Entry {
                    origin: attestary_ledger::origin_id(&signed.origin),
                    ..event.entry
                };
                if event.entry.seq < signed.size {
                    old.append(match event.entry.seq {
                        0 => older[0].genesis,
                        _ => older_entry.leaf_hash(),
                    });
                }
            }
            assert_eq!((old.root(), new.root()), (signed.root, head.root), "{step}");
            // A repeat is known, and the epochs begin anew under another name.
            let again = store.submit(vec![event(&names().1, 3, "a.b")]).await.unwrap();
            assert!(matches!(again.as_slice(), [Outcome::Duplicate(_)]), "{step}: {again:?}");
            let record = store.make_epoch().await.unwrap();
            assert_eq!((record.epoch, anchor.size), (0, 1));
            assert!(store.anchor_origin().starts_with("attestary.local/anchor/"), "{step}");
            store.close().await;
        });
        drop(store);
        sound(stopped.path());
    }
}

/// Opening may have to clear away what a renewal replaced, which blocks.
fn opened(dir: &tempfile::TempDir) -> Store {
    tokio::task::block_in_place(|| open(dir))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_backup_begins_anew_under_other_names_each_time() {
    let dir = tempfile::tempdir().unwrap();
    went_back(&dir, 1).await;
    let again = tempfile::tempdir().unwrap();
    copy(dir.path(), again.path());
    let mut origins = Vec::new();
    for dir in [&dir, &again] {
        let store = opened(dir);
        let done = store.renew().await.unwrap();
        store.close().await;
        origins.extend(done.logs.iter().map(|log| log.origin.clone()).chain(done.anchor));
    }
    assert_eq!(origins.len(), 6);
    origins.sort();
    origins.dedup();
    assert_eq!(origins.len(), 6);
    // The register went on with the first one: the second, under the same register, is refused.
    fs::remove_dir_all(again.path().join("register")).unwrap();
    copy(&dir.path().join("register"), &again.path().join("register"));
    let store = opened(&again);
    assert!(matches!(fixed(&store, "acme").await, Err(HeadError::Refused(_))));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_events_do_not_get_a_new_name() {
    let dir = tempfile::tempdir().unwrap();
    went_back(&dir, 1).await;
    let segment =
        fs::read_dir(dir.path().join("segments")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let store = opened(&dir);
    assert!(store.renew().await.is_err());
    assert!(matches!(fixed(&store, "acme").await, Err(HeadError::Refused(_))));
    store.close().await;
}

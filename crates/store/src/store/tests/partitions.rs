//! Several partitions: one order for each log, one set of slots, and a number that changes without losing anything.

use std::{cell::RefCell, collections::BTreeMap, fs, path::Path, rc::Rc};

use attestary_ledger::Hash;

use super::*;
use crate::{
    check,
    store::removal::tests::{copy, during},
};

/// With three partitions, each has some of them.
const TENANTS: [&str; 6] = ["acme", "beta", "gamma", "globex", "tenant/ä", "other"];

fn settings(dir: &Path, partitions: Option<u32>) -> Settings {
    let journal_file_bytes = 1 << 20;
    Settings { partitions, journal_file_bytes, ..Settings::new(dir.to_owned()) }
}

fn try_open(dir: &Path, partitions: Option<u32>) -> Result<Store, OpenError> {
    let settings = settings(dir, partitions);
    Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default()))
}

/// Opening blocks, and seals when the number changes: that is for a thread of its own.
pub(super) fn open(dir: &tempfile::TempDir, partitions: u32) -> Store {
    std::thread::scope(|scope| {
        scope.spawn(|| try_open(dir.path(), Some(partitions)).unwrap()).join().unwrap()
    })
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// One event for each tenant and number.
fn events(numbers: std::ops::Range<u128>) -> Vec<Prepared> {
    let all = numbers.flat_map(|number| TENANTS.map(|name| (name, number)));
    all.map(|(name, number)| event(&tenant(name), number, "a.b")).collect()
}

/// What every log comes to: its name, size and root.
async fn roots(store: &Store) -> BTreeMap<&'static str, (String, u64, Hash)> {
    let mut roots = BTreeMap::new();
    for name in TENANTS {
        let head = store.head(&names().0, &tenant(name)).await.unwrap();
        roots.insert(name, (head.origin, head.size, head.root));
    }
    roots
}

fn checked(dir: &Path) -> check::Report {
    std::thread::scope(|scope| {
        scope.spawn(|| check::check(dir, None, &mut |_| {}).unwrap()).join().unwrap()
    })
}

fn sound(dir: &Path) {
    assert_eq!(checked(dir).findings, []);
}

fn journals(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("journal")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_over_all_partitions_is_answered_in_its_order() {
    for partitions in [1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(&dir, partitions);
        let sent = events(1..40);
        let first = store.submit(sent.clone()).await.unwrap();
        assert_eq!(first.len(), sent.len());
        for (at, (outcome, event)) in first.iter().zip(&sent).enumerate() {
            assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
            let receipt = receipt(outcome);
            assert_eq!((receipt.id, &receipt.tenant), (event.id, &event.tenant));
            assert_eq!(receipt.seq, 1 + (at / TENANTS.len()) as u64);
        }
        for round in 0..3 {
            // Repeats, conflicts and a new event of every tenant, mixed.
            let mut again = events(5..7);
            again.extend(TENANTS.map(|name| event(&tenant(name), 8, "other")));
            again.extend(events(100 + round..101 + round));
            let outcomes = store.submit(again.clone()).await.unwrap();
            for (at, (outcome, event)) in outcomes.iter().zip(&again).enumerate() {
                let receipt = receipt(outcome);
                assert_eq!((receipt.id, &receipt.tenant), (event.id, &event.tenant), "{round}");
                match at / TENANTS.len() {
                    0 | 1 => assert!(matches!(outcome, Outcome::Duplicate(_)), "{outcome:?}"),
                    2 => assert!(matches!(outcome, Outcome::Conflict(_)), "{outcome:?}"),
                    _ => assert_eq!(receipt.seq, 40 + round as u64, "{outcome:?}"),
                }
            }
            if round == 1 {
                store.close().await;
                drop(store);
                store = open(&dir, partitions);
            } else {
                store.seal().await;
                assert_eq!(store.health().unsealed_events, 0);
            }
        }
        for name in TENANTS {
            let read = store.read(&names().0, &tenant(name), 0, 1_000, usize::MAX).await.unwrap();
            let seqs: Vec<u64> = read.iter().map(|event| event.seq).collect();
            assert_eq!(seqs, Vec::from_iter(0..43), "{name}");
        }
        let before = roots(&store).await;
        store.close().await;
        drop(store);
        sound(dir.path());
        assert_eq!(journals(dir.path()).len(), partitions as usize);
        let store = open(&dir, partitions);
        assert_eq!(roots(&store).await, before);
        store.make_epoch().await.unwrap();
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_slot_is_given_twice() {
    for partitions in [1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let environment = names().0;
        for start in 0..4 {
            let store = open(&dir, partitions);
            // Some are sealed and some only in the journals.
            if start == 2 {
                store.seal().await;
            }
            let opened = (0..50).map(|number| {
                let (store, environment) = (store.clone(), environment.clone());
                let tenant = tenant(&format!("t{}", start * 50 + number));
                tokio::spawn(async move { store.open_log(&environment, &tenant).await.unwrap() })
            });
            for opened in opened.collect::<Vec<_>>() {
                opened.await.unwrap();
            }
            let logs = store.logs(&environment);
            assert_eq!(logs.len(), 50 * (start + 1));
            let mut slots: Vec<u64> = logs.iter().map(|log| log.slot).collect();
            slots.sort_unstable();
            slots.dedup();
            assert_eq!(slots.len(), logs.len(), "{partitions} partitions, start {start}");
            if partitions == 1 {
                assert_eq!(slots, Vec::from_iter(0..logs.len() as u64));
            }
            store.close().await;
        }
        sound(dir.path());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_partitions_changes_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (mut before, mut number) = (None, 1);
    for partitions in [1, 3, 2, 64, 3, 1] {
        let store = open(&dir, partitions);
        if let Some(before) = &before {
            assert_eq!(&roots(&store).await, before, "{partitions}");
        }
        let again = store.submit(events(1..2)).await.unwrap();
        assert!(number == 1 || again.iter().all(|one| matches!(one, Outcome::Duplicate(_))));
        store.submit(events(number + 1..number + 20)).await.unwrap();
        store.seal().await;
        store.submit(events(number + 20..number + 40)).await.unwrap();
        number += 40;
        before = Some(roots(&store).await);
        assert!(store.health().unsealed_events > 0);
        store.close().await;
        drop(store);
        sound(dir.path());
        assert_eq!(journals(dir.path()).len(), partitions as usize);
    }
    // Without a number the directory keeps its own.
    let store = std::thread::scope(|scope| {
        scope.spawn(|| try_open(dir.path(), None).unwrap()).join().unwrap()
    });
    assert_eq!(Some(roots(&store).await), before);
    store.close().await;
}

#[test]
fn a_change_of_their_number_may_stop_anywhere() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (from, to) in [(1, 3), (3, 2), (3, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let before = runtime.block_on(async {
            let store = open(&dir, from);
            store.submit(events(1..30)).await.unwrap();
            store.seal().await;
            store.submit(events(30..50)).await.unwrap();
            let before = roots(&store).await;
            store.close().await;
            before
        });
        let stops = Rc::new(RefCell::new(Vec::new()));
        let changed = during(
            {
                let (stops, from) = (Rc::clone(&stops), dir.path().to_owned());
                move |step: &str| {
                    let stopped = tempfile::tempdir().unwrap();
                    copy(&from, stopped.path());
                    stops.borrow_mut().push((step.to_owned(), stopped));
                }
            },
            || try_open(dir.path(), Some(to)).unwrap(),
        );
        runtime.block_on(changed.close());
        drop(changed);
        let stops = stops.take();
        assert_eq!(stops.len(), from as usize + 3, "a stop was missed");
        for (step, stopped) in stops.into_iter().chain([("done".to_owned(), dir)]) {
            let report = checked(stopped.path());
            assert!(report.is_clean(), "{from} to {to}, {step}: {:#?}", report.findings);
            // Whoever comes next may want any number.
            for next in [to, from, to] {
                let store = open(&stopped, next);
                runtime.block_on(async {
                    assert_eq!(roots(&store).await, before, "{from} to {to}, {step}, then {next}");
                    let again = store.submit(events(29..31)).await.unwrap();
                    assert!(again.iter().all(|one| matches!(one, Outcome::Duplicate(_))));
                    store.close().await;
                });
                drop(store);
                assert_eq!(journals(stopped.path()).len(), next as usize);
            }
            sound(stopped.path());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_cannot_be_is_refused_and_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, 1);
    store.submit(events(1..5)).await.unwrap();
    let before = roots(&store).await;
    store.close().await;
    drop(store);
    let refused = |partitions| {
        std::thread::scope(|scope| {
            scope.spawn(|| try_open(dir.path(), Some(partitions)).unwrap_err()).join().unwrap()
        })
    };
    assert!(matches!(refused(0), OpenError::Partitions { given: 0 }));
    assert!(matches!(refused(65), OpenError::Partitions { given: 65 }));
    // A journal of whoever knows: its events would become ours.
    let stranger = dir.path().join("journal/0002");
    copy(&dir.path().join("journal/0000"), &stranger);
    assert!(matches!(refused(3), OpenError::Stranger { path } if path == stranger));
    let noted = checked(dir.path());
    assert!(noted.is_clean() && noted.findings[0].place == "journal/0002", "{noted:?}");
    fs::remove_dir_all(stranger).unwrap();
    let store = open(&dir, 3);
    assert_eq!(roots(&store).await, before);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_keeps_the_number_and_stops_every_partition() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, 3);
    for number in 1..20 {
        store.submit(events(number..number + 1)).await.unwrap();
    }
    let batches = store.log(&names().0, &tenant("beta")).unwrap().size;
    store.close().await;
    drop(store);
    // The header of a batch in the middle of beta's journal.
    let path = dir.path().join("journal/0001/00000000.journal");
    let mut bytes = fs::read(&path).unwrap();
    let headers = bytes.windows(4).enumerate().filter(|(_, four)| four == b"ATB1");
    let middle = headers.map(|(at, _)| at).nth(9).unwrap();
    bytes[middle + 16] ^= 1;
    fs::write(&path, bytes).unwrap();
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| try_open(dir.path(), Some(1)).unwrap_err()).join().unwrap()
    });
    assert!(matches!(refused, OpenError::Damaged { from: 3, to: 1 }), "{refused}");
    let store = open(&dir, 3);
    let outcomes = store.submit(events(50..51)).await.unwrap();
    assert!(outcomes.iter().all(|one| *one == Outcome::Damaged), "{outcomes:?}");
    let read = store.read(&names().0, &tenant("acme"), 0, 1_000, usize::MAX).await.unwrap();
    assert_eq!(read.len() as u64, batches, "what is intact is served");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_fails_stops_intake_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, 3);
    store.submit(events(1..2)).await.unwrap();
    // There is no place for beta's next journal file.
    fs::remove_dir_all(dir.path().join("journal/0001")).unwrap();
    let long = "x".repeat(100 << 10);
    let mut number = 10;
    let failed = loop {
        number += 1;
        let both =
            [with_reason(&tenant("beta"), number, &long), event(&tenant("acme"), number, "a")];
        match store.submit(both.to_vec()).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, SubmitError::ReadOnly { .. }), "{failed}");
    assert!(!store.health().writable);
    let size = store.log(&names().0, &tenant("acme")).unwrap().size;
    let refused = store.submit(vec![event(&tenant("acme"), 4, "a")]).await.unwrap_err();
    assert_eq!(refused.to_string(), failed.to_string());
    let opened = store.open_log(&names().0, &tenant("new in 0")).await;
    assert!(matches!(opened, Err(SubmitError::ReadOnly { .. })), "{opened:?}");
    assert_eq!(store.log(&names().0, &tenant("acme")).unwrap().size, size);
    store.close().await;
}

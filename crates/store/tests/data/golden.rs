//! Every version of the formats is read, held against what it recorded, and written on.

use std::{fs, path::Path};

use attestary_event::{EnvironmentId, TenantId};
use attestary_store::{
    Outcome,
    backup::{restore, snapshots},
};

use crate::check::{checked, event, open};

/// The ids of a corpus are this and the number of the event.
const IDS: u128 = 0x8000_8000 << 48;

#[tokio::test]
async fn every_version_of_the_formats_is_read_and_written_on() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats");
    let mut found = 0;
    for entry in fs::read_dir(corpora).unwrap() {
        let corpus = entry.unwrap().path();
        if corpus.is_dir() {
            check_corpus(&corpus).await;
            found += 1;
        }
    }
    assert!(found >= 1);
}

async fn check_corpus(corpus: &Path) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    let snapshot = snapshots(corpus).unwrap().pop().unwrap();
    // A restore compares every event with its hash, and the roots with those that were recorded.
    let restored = std::thread::scope(|scope| {
        scope.spawn(|| restore(corpus, None, &dir, None, &mut |_| {}).unwrap()).join().unwrap()
    });
    assert_eq!((restored.snapshot, snapshot.events), (snapshot.clone(), 127));
    assert!(restored.report.unsealed_events > 0, "nothing is read from the journal");

    let store = open(&dir);
    let (environment, tenant) =
        (EnvironmentId::parse("production").unwrap(), TenantId::parse("acme").unwrap());
    let events = store.read(&environment, &tenant, 0, 10_000, usize::MAX).await.unwrap();
    // One in four of the 120 is another tenant's.
    let own = (1..=120).filter(|n| n % 4 != 0);
    let expected: Vec<_> = own.map(|n| format!("\"n\":{n},")).collect();
    assert_eq!(events.len(), 1 + expected.len());
    for (event, number) in events.iter().skip(1).zip(&expected) {
        let body = std::str::from_utf8(&event.body).unwrap();
        assert!(body.contains(number) && body.contains("Grüße"), "{number} is not in {body}");
    }
    // Sealed and unsealed ids are known, and a new one goes on after them.
    let again = [1, 119, 121].map(|number| event("acme", IDS | number));
    let outcomes = store.submit(again.to_vec()).await.unwrap();
    let seqs: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Conflict(receipt) => ("conflict", receipt.seq),
            Outcome::Accepted(receipt) => ("accepted", receipt.seq),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(seqs, [("conflict", 1), ("conflict", 90), ("accepted", 91)]);
    store.seal().await;
    store.close().await;
    drop(store);
    assert_eq!(checked(&dir).findings, []);
}

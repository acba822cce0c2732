mod partitions;
mod restored;

use attestary_event::{EventId, Fields, filter::Filter};

use super::*;
use crate::{
    Order, Outcome, Receipt, SystemClock, SystemRng,
    record::{Parts, Prepared},
};

fn open(dir: &tempfile::TempDir) -> Store {
    let mut settings = Settings::new(dir.path().to_owned());
    settings.journal_file_bytes = 1 << 20;
    settings.partitions = None;
    Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default())).unwrap()
}

fn names() -> (EnvironmentId, TenantId) {
    (EnvironmentId::parse("test").unwrap(), TenantId::parse("acme").unwrap())
}

fn event(tenant: &TenantId, number: u128, content: &str) -> Prepared {
    let body = format!(
        "{{\"action\":\"{content}\",\"actor\":{{\"type\":\"user\",\"id\":\"u{}\"}}}}",
        number % 3
    );
    let mut digest = [0; 16];
    digest[..content.len()].copy_from_slice(content.as_bytes());
    prepared(tenant, number, digest, &body)
}

fn with_reason(tenant: &TenantId, number: u128, reason: &str) -> Prepared {
    let body =
        format!("{{\"action\":\"a.b\",\"actor\":{{\"type\":\"user\"}},\"reason\":\"{reason}\"}}");
    prepared(tenant, number, [1; 16], &body)
}

fn prepared(tenant: &TenantId, number: u128, digest: [u8; 16], body: &str) -> Prepared {
    Prepared::new(Parts {
        environment: names().0,
        tenant: tenant.clone(),
        id: EventId(number.to_be_bytes()),
        client_id: true,
        service: false,
        seed: [1; 16],
        digest,
        occurred_ms: number as i64,
        severity: 3,
        fields: &Fields::of_stored(body.as_bytes()),
        body: body.as_bytes(),
    })
}

fn receipt(outcome: &Outcome) -> &Receipt {
    match outcome {
        Outcome::Accepted(receipt) | Outcome::Duplicate(receipt) | Outcome::Conflict(receipt) => {
            receipt
        }
        Outcome::Damaged => panic!("the log is damaged"),
    }
}

fn search(filter: &str, limit: usize, after: Option<u64>) -> Search {
    let filter = Filter::parse(filter).unwrap();
    Search {
        filter,
        from: None,
        to: None,
        order: Order::Descending,
        limit,
        bytes_max: usize::MAX,
        after,
        scan_budget: 100_000,
    }
}

async fn seqs(store: &Store, filter: &str) -> Vec<u64> {
    let (environment, tenant) = names();
    let page = store.query(&environment, &tenant, search(filter, 100, None)).await.unwrap();
    page.events.iter().map(|event| event.seq).collect()
}

#[tokio::test]
async fn events_are_found_before_and_after_sealing_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let (environment, tenant) = names();
    let mut store = open(&dir);
    let first = store.submit((1..=5).map(|n| event(&tenant, n, "a.b")).collect()).await.unwrap();
    assert_eq!(first.iter().map(|o| receipt(o).seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    for _ in 0..2 {
        assert_eq!(seqs(&store, "action:a.b").await, [5, 4, 3, 2, 1]);
        assert_eq!(seqs(&store, "actor.id:u1").await, [4, 1]);
        assert_eq!(seqs(&store, "action:attestary.genesis").await, [0]);
        let found = store
            .event(&environment, &tenant, EventId(3u128.to_be_bytes()))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((found.seq, found.leaf_hash), (3, receipt(&first[2]).leaf_hash));
        let read = store.read(&environment, &tenant, 2, 2, 1 << 20).await.unwrap();
        assert_eq!(read.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3]);
        store.seal().await;
    }
    assert_eq!(store.health().unsealed_events, 0);
    let sixth = store.submit(vec![event(&tenant, 6, "c")]).await.unwrap();
    store.close().await;
    drop(store);
    store = open(&dir);
    assert_eq!(seqs(&store, "").await, [6, 5, 4, 3, 2, 1, 0]);
    let seventh = store.submit(vec![event(&tenant, 7, "c")]).await.unwrap();
    assert_eq!((receipt(&sixth[0]).seq, receipt(&seventh[0]).seq), (6, 7));
    assert_eq!(store.log(&environment, &tenant).unwrap().size, 8);
}

#[tokio::test]
async fn what_one_journal_file_cannot_hold_is_stored_in_several() {
    let dir = tempfile::tempdir().unwrap();
    let (environment, tenant) = names();
    let mut store = open(&dir);
    let long = "x".repeat(100 << 10);
    // Three files' worth, a repeat of the first event behind it, and as many new logs as there is room for.
    let large = |n: u128| with_reason(&tenant, n, &long);
    let mut events: Vec<_> = (1..=30).map(large).collect();
    events.push(large(1));
    let longest = |n: u128| TenantId::parse(&format!("{n:0>64}")).unwrap();
    events.extend((100..1_500).map(|n| event(&longest(n), n, "a.b")));
    let outcomes = store.submit(events).await.unwrap();
    assert_eq!(
        outcomes[..30].iter().map(|o| receipt(o).seq).collect::<Vec<_>>(),
        Vec::from_iter(1..=30)
    );
    assert!(matches!(&outcomes[30], Outcome::Duplicate(again) if again == receipt(&outcomes[0])));
    assert!(outcomes[31..].iter().all(|outcome| receipt(outcome).seq == 1));
    for _ in 0..2 {
        assert_eq!(store.log(&environment, &tenant).unwrap().size, 31);
        assert_eq!(store.log(&environment, &longest(1_499)).unwrap().size, 2);
        store.close().await;
        drop(store);
        store = open(&dir);
    }
    assert_eq!(receipt(&store.submit(vec![event(&tenant, 99, "c")]).await.unwrap()[0]).seq, 31);
}

#[tokio::test]
async fn repeats_get_the_first_receipt_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (_, tenant) = names();
    let store = open(&dir);
    let first = store.submit(vec![event(&tenant, 9, "x"), event(&tenant, 9, "x")]).await.unwrap();
    assert!(matches!(&first[1], Outcome::Duplicate(again) if again == receipt(&first[0])));
    for _ in 0..3 {
        let again = store
            .submit(vec![event(&tenant, 10, "new"), event(&tenant, 9, "x"), event(&tenant, 9, "y")])
            .await
            .unwrap();
        assert!(
            matches!(&again[1], Outcome::Duplicate(again) if again == receipt(&first[0])),
            "{again:?}"
        );
        assert!(
            matches!(&again[2], Outcome::Conflict(again) if again == receipt(&first[0])),
            "{again:?}"
        );
        assert_eq!(receipt(&again[0]).seq, 2);
        store.seal().await;
    }
}

#[tokio::test]
async fn repeats_are_recognised_whatever_became_of_the_id_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (_, tenant) = names();
    let runs = dir.path().join("ids");
    let listed = || {
        let names = std::fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<_> = names.filter(|path| path.extension().is_some()).collect();
        names.sort();
        names
    };
    let store = open(&dir);
    let first = store.submit((1..=40).map(|n| event(&tenant, n, "x")).collect()).await.unwrap();
    store.seal().await;
    store.close().await;
    drop(store);
    let sound = listed();
    let bytes = std::fs::read(&sound[0]).unwrap();
    assert_eq!(sound.len(), 1);

    let spoil: [&dyn Fn(); 5] = [
        &|| (),
        &|| std::fs::remove_dir_all(&runs).unwrap(),
        &|| std::fs::write(&sound[0], &bytes[..5_000]).unwrap(),
        &|| std::fs::write(&sound[0], vec![0; bytes.len()]).unwrap(),
        &|| std::fs::write(runs.join("key"), [1; 16]).unwrap(),
    ];
    for (turn, spoil) in spoil.iter().enumerate() {
        spoil();
        std::fs::write(runs.join("01UNKNOWN.ids"), b"of no segment").unwrap_or_default();
        let store = open(&dir);
        let again =
            store.submit(vec![event(&tenant, 7, "x"), event(&tenant, 8, "y")]).await.unwrap();
        assert!(matches!(&again[0], Outcome::Duplicate(r) if r == receipt(&first[6])), "{turn}");
        assert!(matches!(&again[1], Outcome::Conflict(r) if r == receipt(&first[7])), "{turn}");
        let id = EventId(9u128.to_be_bytes());
        assert_eq!(store.event(&names().0, &tenant, id).await.unwrap().unwrap().seq, 9);
        // The run is made again in the background, or was sound.
        while std::fs::read(&sound[0]).is_ok_and(|now| now.len() != bytes.len())
            || listed() != sound
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_and_comes_back_as_another_log() {
    let dir = tempfile::tempdir().unwrap();
    let (environment, tenant) = names();
    let other = TenantId::parse("other").unwrap();
    let store = open(&dir);
    store.submit(vec![event(&tenant, 1, "secret"), event(&other, 2, "kept")]).await.unwrap();
    store.seal().await;
    store.submit(vec![event(&tenant, 3, "secret")]).await.unwrap();
    let before = store.log(&environment, &tenant).unwrap();
    assert!(store.delete_log(&environment, &tenant).await.unwrap());
    assert!(store.log(&environment, &tenant).is_none());
    assert!(!store.delete_log(&environment, &tenant).await.unwrap());
    assert!(
        store.event(&environment, &other, EventId(2u128.to_be_bytes())).await.unwrap().is_some()
    );
    let again = store.submit(vec![event(&tenant, 1, "fresh")]).await.unwrap();
    assert!(matches!(&again[0], Outcome::Accepted(receipt) if receipt.seq == 1));
    let after = store.log(&environment, &tenant).unwrap();
    assert!(after.slot > before.slot && after.log_id != before.log_id);
    store.close().await;
    drop(store);
    let store = open(&dir);
    assert_eq!(seqs(&store, "").await, [1, 0]);
    assert_eq!(seqs(&store, "action:secret").await, [0u64; 0]);
}

/// Waits until the store has `segments` segments.
async fn until_merged(store: &Store, segments: usize) {
    while store.health().segments != segments {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn segments_are_merged_and_nothing_else_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (environment, tenant) = names();
    let settings = || Settings { merge_runs: 3, ..Settings::new(dir.path().to_owned()) };
    let open = || {
        let (clock, rng) = (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
        Store::open(settings(), clock, rng).unwrap()
    };
    let store = open();
    let mut first = Vec::new();
    for n in 1..=9 {
        first.extend(store.submit(vec![event(&tenant, n, "x")]).await.unwrap());
        store.seal().await;
    }
    // Nine seals are three runs of level 1, and these one of level 2.
    until_merged(&store, 1).await;
    assert_eq!(seqs(&store, "").await, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    let again = store.submit(vec![event(&tenant, 2, "x"), event(&tenant, 5, "y")]).await.unwrap();
    assert!(matches!(&again[0], Outcome::Duplicate(again) if again == receipt(&first[1])));
    assert!(matches!(&again[1], Outcome::Conflict(again) if again == receipt(&first[4])));
    store.submit(vec![event(&TenantId::parse("other").unwrap(), 1, "x")]).await.unwrap();
    store.seal().await;
    store.close().await;
    drop(store);
    let files = || std::fs::read_dir(dir.path().join("segments")).unwrap().count();
    assert_eq!(files(), 2, "replaced segments are deleted");
    let runs = || std::fs::read_dir(dir.path().join("ids")).unwrap().count();
    assert_eq!(runs(), 3, "a run for each of them, and the key");

    let store = open();
    assert_eq!(seqs(&store, "").await.len(), 10);
    assert!(store.delete_log(&environment, &tenant).await.unwrap());
    assert_eq!((files(), runs()), (1, 2));
    store.close().await;
}

#[tokio::test]
async fn a_directory_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let settings = Settings::new(dir.path().to_owned());
    let second =
        Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    assert!(matches!(second, Err(OpenError::Locked { .. })));
    store.close().await;
}

#[tokio::test]
async fn readers_wake_when_the_log_grows() {
    let dir = tempfile::tempdir().unwrap();
    let (environment, tenant) = names();
    let store = open(&dir);
    store.open_log(&environment, &tenant).await.unwrap();
    let mut watch = store.watch(&environment, &tenant).unwrap();
    assert_eq!(*watch.borrow_and_update(), 1);
    store.submit(vec![event(&tenant, 1, "x")]).await.unwrap();
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow(), 2);
}

#[tokio::test(start_paused = true)]
async fn more_than_may_wait_is_pushed_back() {
    let dir = tempfile::tempdir().unwrap();
    let (_, tenant) = names();
    let mut settings = Settings::new(dir.path().to_owned());
    settings.unsealed_bytes_max = 1;
    let store =
        Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default()))
            .unwrap();
    store.submit(vec![event(&tenant, 1, "x")]).await.unwrap();
    let refused = store.submit(vec![event(&tenant, 2, "x")]).await;
    assert!(matches!(refused, Err(SubmitError::Pushback { .. })));
    store.seal().await;
    assert!(store.submit(vec![event(&tenant, 2, "x")]).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_while_waiting_gives_the_room_back() {
    let dir = tempfile::tempdir().unwrap();
    let (_, tenant) = names();
    let settings = Settings { unsealed_bytes_max: 1, ..Settings::new(dir.path().to_owned()) };
    let (clock, rng) = (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    let store = Store::open(settings, clock, rng).unwrap();
    store.submit(vec![event(&tenant, 1, "x")]).await.unwrap();
    let waiting = store.submit(vec![event(&tenant, 2, "x")]);
    assert!(tokio::time::timeout(Duration::from_secs(1), waiting).await.is_err());
    assert_eq!(store.health().queued_bytes, 0);
}

#[tokio::test]
async fn unfinished_segment_files_are_swept_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir).close().await;
    let unfinished = dir.path().join("segments/01ARYZ6S41.parquet#2");
    std::fs::write(&unfinished, b"half").unwrap();
    open(&dir).close().await;
    assert!(!unfinished.try_exists().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_from_memory_and_segments_equal_those_of_the_whole_tree() {
    use attestary_ledger::{ConsistencyProof, InclusionProof, MemoryTree, TilePath, tile};
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let (environment, tenant) = names();
    store.open_log(&environment, &tenant).await.unwrap();
    let genesis = store.disclosed(&environment, &tenant, 0..1).await.unwrap();
    let mut leaves = vec![genesis[0].entry.leaf_hash()];
    for number in 0..40_u128 {
        let events = (0..97).map(|at| event(&tenant, number * 97 + at + 1, "a")).collect();
        let outcomes = store.submit(events).await.unwrap();
        leaves.extend(outcomes.iter().map(|outcome| receipt(outcome).leaf_hash));
        if number % 13 == 5 {
            store.seal().await;
        }
        // Heads of every age: caches hold groups that were not full yet.
        let head = store.head(&environment, &tenant).await.unwrap();
        let tree: MemoryTree = leaves.iter().copied().collect();
        assert_eq!((head.size, head.root), (leaves.len() as u64, tree.root()));
        let size = head.size;
        for index in [0, 1, 15, 16, size / 2, size - 2, size - 1] {
            let proof = store.inclusion(&environment, &tenant, index, size).await.unwrap();
            assert_eq!(proof, InclusionProof::generate(&tree, index, size).unwrap(), "{index}");
            let proof = store.consistency(&environment, &tenant, index, size).await.unwrap();
            assert_eq!(proof, ConsistencyProof::generate(&tree, index, size).unwrap(), "{index}");
        }
    }
    let size = leaves.len() as u64;
    let path = TilePath::of(tile::TileKind::Hashes(0), 7, size).unwrap();
    let bytes = store.tile(&environment, &tenant, path).await.unwrap();
    assert_eq!(bytes, tile::encode(&leaves[7 * 256..8 * 256]));
    let beyond = store.inclusion(&environment, &tenant, 0, size + 1).await;
    assert!(matches!(beyond, Err(ProveError::Range { .. })));
    store.close().await;
    drop(store);

    let store = open(&dir);
    let tree: MemoryTree = leaves.iter().copied().collect();
    let head = store.last_head(&environment, &tenant).unwrap();
    assert_eq!((head.size, head.root), (size, tree.root()), "heads are there at once");
    for index in (0..size).step_by(61) {
        let proof = store.inclusion(&environment, &tenant, index, size).await.unwrap();
        assert_eq!(proof, InclusionProof::generate(&tree, index, size).unwrap(), "{index}");
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_events_under_its_head_is_not_signed() {
    let dir = tempfile::tempdir().unwrap();
    let (environment, tenant) = names();
    let store = open(&dir);
    store.submit(vec![event(&tenant, 1, "a")]).await.unwrap();
    store.seal().await;
    store.submit(vec![event(&tenant, 2, "b")]).await.unwrap();
    assert_eq!(store.head(&environment, &tenant).await.unwrap().size, 3);
    store.close().await;
    drop(store);
    // A head of more events than there are: what was restored lacks some.
    let catalog = Catalog::open(&dir.path().join("catalog.sqlite")).unwrap();
    let more = [crate::signing::Head { slot: 0, size: 9, root: [1; 32] }];
    let next = catalog.signing_committed(0).unwrap().mark.next(0, &more);
    catalog.commit_heads(0, &next, &more).unwrap();
    drop(catalog);
    let store = open(&dir);
    assert_eq!(store.last_head(&environment, &tenant), None);
    store.submit(vec![event(&tenant, 3, "c")]).await.unwrap();
    let refused = store.head(&environment, &tenant).await;
    let shorter = crate::signing::Refusal::Shorter { slot: 0, size: 3, signed: 9 };
    assert!(matches!(&refused, Err(HeadError::Refused(why)) if *why == shorter), "{refused:?}");
    assert!(store.health().signing_refused && store.signing_refusal().is_some());
    store.close().await;
}

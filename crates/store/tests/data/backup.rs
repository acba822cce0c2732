//! A backup under load, restored elsewhere, has the roots of a moment between its beginning and its end.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use attestary_event::{EnvironmentId, TenantId};

use attestary_store::{
    backup::{BackupError, Options, Snapshot, restore, snapshots, take},
    segment::{CacheLimits, Segments},
};

use crate::check::{checked, event, fill, open, spread};

fn backup(dir: &Path, repository: &Path, now_ms: u64, keep: Option<usize>) -> Snapshot {
    let options = Options { dir: dir.to_owned(), repository: repository.to_owned(), keep, now_ms };
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| {
            let segments = Segments::local(dir.to_owned(), CacheLimits::default()).unwrap();
            take(&options, &segments, &mut |_, _| {})
        });
        taken.join().unwrap().unwrap()
    })
}

fn try_restore(repository: &Path, name: Option<&str>, dir: &Path) -> Result<(), BackupError> {
    std::thread::scope(|scope| {
        let restored = scope.spawn(|| restore(repository, name, dir, None, &mut |_| {}).map(drop));
        restored.join().unwrap()
    })
}

#[tokio::test]
async fn what_is_restored_is_what_was_backed_up() {
    for (partitions, segments) in [(1, 2), (3, 4)] {
        is_what_was_backed_up(partitions, segments).await;
    }
}

async fn is_what_was_backed_up(partitions: u32, segments: usize) {
    let root = tempfile::tempdir().unwrap();
    let (data, repository, copy) =
        (root.path().join("data"), root.path().join("backup"), root.path().join("copy"));
    spread(&data, partitions).await;
    fill(&data).await;
    fs::write(data.join("master.key"), b"secret").unwrap();
    let taken = backup(&data, &repository, 1, None);
    assert_eq!((taken.logs, taken.events, taken.segments.len()), (2, 122, segments));
    try_restore(&repository, None, &copy).unwrap();
    assert_eq!(checked(&copy).findings, []);
    assert_eq!(fs::read(copy.join("master.key")).unwrap(), b"secret");
    let store = open(&copy);
    let (environment, tenant) =
        (EnvironmentId::parse("production").unwrap(), TenantId::parse("acme").unwrap());
    assert_eq!(store.log(&environment, &tenant).unwrap().size, 91);
    store.submit(vec![event("acme", 1), event("acme", 500)]).await.unwrap();
    assert_eq!(store.log(&environment, &tenant).unwrap().size, 92);
    store.close().await;
}

/// A batch ends with its last row's position and padding: mostly zeros, as many as its length makes them.
#[tokio::test]
async fn the_last_batch_is_copied_whatever_it_ends_with() {
    let root = tempfile::tempdir().unwrap();
    let (data, repository) = (root.path().join("data"), root.path().join("backup"));
    let store = open(&data);
    let mut events = 0;
    for digits in 0..16 {
        store.submit(vec![event("acme", 10_u128.pow(digits))]).await.unwrap();
        let taken = backup(&data, &repository, u64::from(digits), Some(1));
        assert!(taken.events > events, "{digits}: {} after {events}", taken.events);
        events = taken.events;
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_a_consistent_moment() {
    for partitions in [1, 3] {
        backup_under_load(partitions).await;
    }
}

async fn backup_under_load(partitions: u32) {
    let root = tempfile::tempdir().unwrap();
    let (data, repository) = (root.path().join("data"), root.path().join("backup"));
    spread(&data, partitions).await;
    fill(&data).await;
    let store = open(&data);
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (store, stop) = (store.clone(), std::sync::Arc::clone(&stop));
        async move {
            let mut number = 1_000;
            while !stop.load(Ordering::Relaxed) {
                let events = (number..number + 50).map(|n| event(&format!("t{}", n % 9), n));
                store.submit(events.collect()).await.unwrap();
                number += 50;
                // Seals recycle journal files under the copy.
                if number % 1_000 == 0 {
                    store.seal().await;
                }
            }
        }
    });
    for round in 0..6 {
        let taken = backup(&data, &repository, round, Some(2));
        let copy = root.path().join(format!("copy{round}"));
        try_restore(&repository, Some(&taken.name), &copy).unwrap();
        let report = checked(&copy);
        assert!(report.is_clean(), "{:?}", report.findings);
        assert_eq!(report.sealed_events + report.unsealed_events, taken.events);
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    store.close().await;
    assert_eq!(snapshots(&repository).unwrap().len(), 2);
}

/// Each event of one partition is sent when the one before it, of another, is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn journals_of_several_partitions_are_copied_as_of_one_moment() {
    let root = tempfile::tempdir().unwrap();
    let (data, repository) = (root.path().join("data"), root.path().join("backup"));
    spread(&data, 3).await;
    let store = open(&data);
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (store, stop) = (store.clone(), std::sync::Arc::clone(&stop));
        async move {
            for number in 1.. {
                // In the first, the last and the second partition.
                for tenant in ["acme", "globex", "initech"] {
                    store.submit(vec![event(tenant, number)]).await.unwrap();
                }
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
    });
    let environment = EnvironmentId::parse("production").unwrap();
    let acme = TenantId::parse("acme").unwrap();
    while store.log(&environment, &acme).is_none_or(|log| log.size < 20) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let mut last = 20;
    for round in 0..12 {
        let taken = backup(&data, &repository, round, Some(1));
        let copy = root.path().join(format!("copy{round}"));
        try_restore(&repository, Some(&taken.name), &copy).unwrap();
        let restored = open(&copy);
        let size = |tenant: &str| {
            let log = restored.log(&environment, &TenantId::parse(tenant).unwrap());
            log.map_or(0, |log| log.size)
        };
        let sizes = ["acme", "globex", "initech"].map(size);
        assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes[0] <= sizes[2] + 1, "{sizes:?}");
        assert!(sizes[0] >= last);
        last = sizes[0];
        restored.close().await;
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_second_backup_copies_only_what_is_new_and_old_ones_go() {
    let root = tempfile::tempdir().unwrap();
    let (data, repository) = (root.path().join("data"), root.path().join("backup"));
    fill(&data).await;
    backup(&data, &repository, 1, None);
    let kept: Vec<_> = fs::read_dir(repository.join("segments"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
        .collect();
    let store = open(&data);
    store.seal().await;
    store.close().await;
    let second = backup(&data, &repository, 2, Some(1));
    assert_eq!(second.segments.len(), 3);
    for (path, modified) in kept {
        assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), modified);
    }
    assert_eq!(snapshots(&repository).unwrap(), [second]);
}

#[tokio::test]
async fn nothing_is_written_over_and_damage_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (data, repository, copy) =
        (root.path().join("data"), root.path().join("backup"), root.path().join("copy"));
    fill(&data).await;
    let taken = backup(&data, &repository, 1, None);
    assert!(matches!(try_restore(&repository, None, &data), Err(BackupError::Exists { .. })));
    let unknown = try_restore(&repository, Some("7"), &copy);
    assert!(matches!(unknown, Err(BackupError::NotThere(_))));
    let segment = repository.join(&taken.segments[0]);
    let sound = fs::read(&segment).unwrap();
    let mut bytes = sound.clone();
    bytes[200] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    assert!(matches!(try_restore(&repository, None, &copy), Err(BackupError::Damaged(_))));
    fs::write(&segment, &sound).unwrap();
    let journal = repository.join(format!("snapshots/{}/{}", taken.name, taken.files[1].0));
    let mut bytes = fs::read(&journal).unwrap();
    bytes[2_000] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    assert!(matches!(try_restore(&repository, None, &copy), Err(BackupError::Differs { .. })));
    assert!(!copy.try_exists().unwrap());
}

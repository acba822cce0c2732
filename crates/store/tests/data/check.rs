//! A check of a sound directory is clean; a check of a damaged one names what the damage costs.

use std::{fs, path::Path, sync::Arc};

use attestary_event::{EnvironmentId, EventId, Fields, TenantId};

use attestary_store::{
    Settings, Store, SubmitError, SystemClock, SystemRng,
    check::{CheckError, Report, Severity, check},
    record::{Parts, Prepared},
};

/// As many partitions as the directory has.
pub(crate) fn settings(dir: &Path) -> Settings {
    let mut settings = Settings::new(dir.to_owned());
    settings.journal_file_bytes = 1 << 20;
    settings.partitions = None;
    settings
}

pub(crate) fn open(dir: &Path) -> Store {
    Store::open(settings(dir), Arc::new(SystemClock::default()), Arc::new(SystemRng::default()))
        .unwrap()
}

pub(crate) fn event(tenant: &str, number: u128) -> Prepared {
    let body = format!(
        "{{\"action\":\"doc.read\",\"actor\":{{\"type\":\"user\",\"id\":\"u{}\"}},\"metadata\":{{\"n\":{number}}}}}",
        number % 7
    );
    Prepared::new(Parts {
        environment: EnvironmentId::parse("production").unwrap(),
        tenant: TenantId::parse(tenant).unwrap(),
        id: EventId(number.to_be_bytes()),
        client_id: true,
        service: false,
        seed: [number as u8; 16],
        digest: [3; 16],
        occurred_ms: number as i64,
        severity: 3,
        fields: &Fields::of_stored(body.as_bytes()),
        body: body.as_bytes(),
    })
}

/// Spreads a directory over so many partitions.
pub(crate) async fn spread(dir: &Path, partitions: u32) {
    let settings = Settings { partitions: Some(partitions), ..settings(dir) };
    let (clock, rng) = (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    let opened = std::thread::scope(|scope| {
        scope.spawn(|| Store::open(settings, clock, rng).unwrap()).join().unwrap()
    });
    opened.close().await;
}

/// Two seals and a tail, for two tenants; the first one has 60 sealed events beside its genesis.
pub(crate) async fn fill(dir: &Path) {
    let store = open(dir);
    for part in 0..3u128 {
        let numbers = part * 40 + 1..part * 40 + 41;
        let events =
            numbers.map(|n| event(if n % 4 == 0 { "globex" } else { "acme" }, n)).collect();
        store.submit(events).await.unwrap();
        if part < 2 {
            store.seal().await;
        }
    }
    store.close().await;
}

/// A check blocks: it runs on a thread of its own.
fn try_check(dir: &Path) -> Result<Report, CheckError> {
    std::thread::scope(|scope| scope.spawn(|| check(dir, None, &mut |_| {})).join().unwrap())
}

pub(crate) fn checked(dir: &Path) -> Report {
    try_check(dir).unwrap()
}

fn crc(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher as _};
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(dir.join("segments")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_sound_directory_is_clean_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let listing = |dir: &Path| {
        let mut found = Vec::new();
        let mut open = vec![dir.to_owned()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            // Readers of SQLite leave an empty log and its index behind.
            } else if !path.to_string_lossy().contains("sqlite-") {
                found.push((path.clone(), crc(&fs::read(&path).unwrap())));
            }
        }
        found.sort();
        found
    };
    let before = listing(dir.path());
    let report = checked(dir.path());
    assert_eq!(report.findings, []);
    assert_eq!((report.segments, report.logs), (2, 2));
    assert_eq!((report.sealed_events, report.unsealed_events), (82, 40));
    assert_eq!(listing(dir.path()), before);
}

#[tokio::test]
async fn a_directory_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(try_check(dir.path()), Err(CheckError::NotThere { .. })));
    let store = open(dir.path());
    assert!(matches!(try_check(dir.path()), Err(CheckError::Locked { .. })));
    store.close().await;
}

#[tokio::test]
async fn a_damaged_page_costs_its_events_and_they_are_named() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    // The first bytes of a segment are in the page of slots; every segment is a page here.
    flip(&segments(dir.path())[0], 100);
    let report = checked(dir.path());
    assert!(!report.is_clean());
    let place = report.findings[0].place.clone();
    assert!(report.findings.iter().all(|f| f.place == place && f.severity == Severity::Damage));
    let costs: Vec<_> =
        report.findings.iter().map(|f| (f.tenant.clone().unwrap_or_default(), f.seqs)).collect();
    for (tenant, seqs) in &costs {
        assert!(matches!(tenant.as_str(), "acme" | "globex"), "{costs:?}");
        assert!(seqs.is_some_and(|(_, last)| last <= 30), "{costs:?}");
    }
}

#[tokio::test]
async fn a_missing_segment_costs_what_it_held() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    fs::remove_file(&segments(dir.path())[1]).unwrap();
    let report = checked(dir.path());
    let costs: Vec<_> = report.findings.iter().map(|f| (f.tenant.as_deref(), f.seqs)).collect();
    assert_eq!(costs, [(Some("acme"), Some((31, 60))), (Some("globex"), Some((11, 20)))]);
}

#[tokio::test]
async fn a_damaged_record_of_the_journal_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let file = dir.path().join("journal/0000/00000000.journal");
    let bytes = fs::read(&file).unwrap();
    let needle = b"\"n\":100}";
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    flip(&file, at + 5);
    let report = checked(dir.path());
    let costs: Vec<_> = report.findings.iter().map(|f| (f.tenant.as_deref(), f.seqs)).collect();
    // Every fourth event is the other tenant's, after its genesis: number 100 is its 25th.
    assert_eq!(costs, [(Some("globex"), Some((25, 25)))], "{:?}", report.findings);
}

#[tokio::test]
async fn a_changed_row_of_the_catalog_is_named_by_its_table() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let file = dir.path().join("catalog.sqlite");
    let bytes = fs::read(&file).unwrap();
    let needle = b"attestary.local";
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    flip(&file, at);
    let report = checked(dir.path());
    assert!(report.findings.iter().any(|f| f.detail.contains("table meta")), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_store_finds_damage_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    flip(&segments(dir.path())[0], 100);
    let store = open(dir.path());
    let upkeep = loop {
        let upkeep = store.upkeep();
        if upkeep.scrub_finished_ms.is_some() && !upkeep.findings.is_empty() {
            break upkeep;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert!(upkeep.findings.iter().all(|finding| finding.tenant.is_some()), "{upkeep:?}");
    assert!(upkeep.free_bytes > 0);
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_refuses_events_and_keeps_the_services_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    settings.reserve_bytes = u64::MAX;
    let (clock, rng) = (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    let store = Store::open(settings, clock, rng).unwrap();
    while !store.upkeep().disk_full {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let refused = store.submit(vec![event("acme", 1)]).await;
    assert!(matches!(refused, Err(SubmitError::DiskFull)), "{refused:?}");
    let environment = EnvironmentId::parse("production").unwrap();
    assert!(store.open_log(&environment, &TenantId::parse("acme").unwrap()).await.is_ok());
    store.close().await;
}

#[tokio::test]
async fn an_object_that_nothing_lists_is_a_note() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    fs::write(dir.path().join("segments/01J.parquet"), b"left over").unwrap();
    let report = checked(dir.path());
    assert!(report.is_clean());
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].place, "segments/01J.parquet");
}

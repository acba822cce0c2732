//! Tests of the catalog.

use attestary_event::{EnvironmentId, TenantId};

use super::*;

fn environment() -> EnvironmentId {
    EnvironmentId::restored("production")
}

fn tenant(id: &str) -> TenantRow {
    TenantRow {
        environment: environment(),
        id: TenantId::restored(id),
        name: None,
        state: TenantState::Open,
        created_ms: 1,
        changed_ms: 1,
    }
}

fn key(id: &str) -> KeyRow {
    KeyRow {
        id: id.to_owned(),
        environment: environment(),
        name: "intake of the shop".to_owned(),
        scopes: vec!["ingest".to_owned(), "read".to_owned()],
        tenants: Some(vec!["acme".to_owned(), "a\"b,c".to_owned()]),
        secret_sha256: Opaque([7; 32]),
        created_ms: u64::MAX,
        created_by: "key_0".to_owned(),
        expires_ms: Some(9),
        revoked_ms: None,
        last_used_ms: None,
    }
}

fn destination(id: &str, tenant: &str) -> DestinationRow {
    DestinationRow {
        id: id.to_owned(),
        environment: environment(),
        tenant: TenantId::restored(tenant),
        name: "SIEM".to_owned(),
        kind: "syslog".to_owned(),
        config: r#"{"address":"siem:514"}"#.to_owned(),
        format: r#"{"type":"cef"}"#.to_owned(),
        filter: "outcome:failure".to_owned(),
        batch: r#"{"events_max":7}"#.to_owned(),
        checkpoint_seconds: 0,
        secrets: Some(Opaque(vec![1, 2, 3])),
        managed_by: ManagedBy::Tenant,
        created_ms: 5,
        changed_ms: 5,
        state: r#"{"cursor":0}"#.to_owned(),
    }
}

fn attempt(number: u64) -> AttemptRow {
    AttemptRow {
        id: format!("att_{number}"),
        started_ms: number,
        duration_ms: 3,
        verdict: "delivered".to_owned(),
        seq_first: number,
        seq_last: number,
        events: 1,
        detail: "{}".to_owned(),
    }
}

fn segment(id: &str, slots: &[u64]) -> SegmentMeta {
    let extent = |(index, slot): (usize, &u64)| Extent {
        slot: *slot,
        row_start: index as u32 * 10,
        rows: 10,
        seq_first: 0,
        seq_last: 9,
        occurred_min_ms: -5,
        occurred_max_ms: 5,
        received_min_ms: 1,
        received_max_ms: u64::MAX,
    };
    SegmentMeta {
        level: 2,
        run: "run".to_owned(),
        id: id.to_owned(),
        path: format!("segments/{id}.parquet"),
        bytes: 1_000,
        events: slots.len() as u64 * 10,
        format_version: 1,
        sha256: [3; 32],
        crcs: vec![1, u32::MAX],
        partition: 0,
        created_ms: 4,
        extents: slots.iter().enumerate().map(extent).collect(),
    }
}

fn head(slot: u64, log_id: &str, size: u64) -> HeadRow {
    HeadRow {
        slot,
        environment: environment(),
        tenant: TenantId::restored(&format!("tenant-{slot}")),
        log_id: log_id.to_owned(),
        size,
        last_received_ms: 77,
        frontier: (0..size.count_ones()).map(|n| [n as u8; 32]).collect(),
        deleted: false,
    }
}

fn position(offset: u64, batch: u64, owner_epoch: u64) -> JournalPosition {
    JournalPosition { generation: 2, offset, batch, owner_epoch }
}

fn seal(id: &str, at: JournalPosition) -> SealCommit {
    SealCommit {
        partition: 0,
        position: at,
        next_slot: 3,
        new_segments: vec![segment(id, &[1, 2])],
        removed_segments: vec![],
        heads: vec![head(1, "log-1", 10), head(2, "log-2", 10)],
    }
}

#[test]
fn an_installation_is_fixed_once() {
    let catalog = Catalog::in_memory().unwrap();
    assert_eq!(catalog.installation().unwrap(), None);
    let installation = Installation {
        id: "i".to_owned(),
        log_name: "audit.example.com".to_owned(),
        created_ms: 1,
    };
    catalog.install(&installation).unwrap();
    let other = Installation { log_name: "other".to_owned(), ..installation.clone() };
    assert_eq!(catalog.install(&other).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(catalog.installation().unwrap(), Some(installation));
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.sqlite");
    let catalog = Catalog::open(&path).unwrap();
    let row =
        EnvironmentRow { name: environment(), closed: false, print_unknown: false, created_ms: 1 };
    catalog.create_environment(&row).unwrap();
    let row = EnvironmentRow { closed: true, print_unknown: true, ..row };
    catalog.update_environment(&row).unwrap();
    catalog.set_wall_clock(5).unwrap();
    catalog.set_wall_clock(4).unwrap();
    catalog.create_key(&key("key_1")).unwrap();
    catalog.create_destination(&destination("dst_1", "acme")).unwrap();
    catalog.commit_seal(&seal("s1", position(100, 5, 1))).unwrap();
    drop(catalog);

    let catalog = Catalog::open(&path).unwrap();
    assert_eq!(catalog.environments().unwrap(), [row]);
    assert_eq!(catalog.wall_clock().unwrap(), Some(4));
    assert_eq!(catalog.keys().unwrap(), [key("key_1")]);
    assert_eq!(catalog.destinations().unwrap(), [destination("dst_1", "acme")]);
    let loaded = catalog.load().unwrap();
    assert_eq!(loaded.heads, [head(1, "log-1", 10), head(2, "log-2", 10)]);
    assert_eq!(loaded.positions.into_iter().collect::<Vec<_>>(), [(0, position(100, 5, 1))]);
    assert_eq!(loaded.next_slot, 3);
    assert_eq!(loaded.manifest.segments, [Arc::new(segment("s1", &[1, 2]))]);
    assert_eq!(loaded.manifest.next_seq(2), 10);
    assert_eq!(loaded.manifest.next_seq(4), 0);
}

#[test]
fn a_newer_catalog_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.sqlite");
    drop(Catalog::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", FORMAT_VERSION + 1).unwrap();
    connection.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    let refused = Catalog::open(&path).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the catalog has format 3; this release reads up to 2: install a newer release"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_catalog_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.sqlite");
    std::fs::write(&path, "this is no database, however long it may be".repeat(40)).unwrap();
    assert_eq!(Catalog::open(&path).unwrap_err().kind(), ErrorKind::Corrupt);
    let nowhere = directory.path().join("missing").join("catalog.sqlite");
    assert_eq!(Catalog::open(&nowhere).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn the_connection_syncs_and_overwrites() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&directory.path().join("catalog.sqlite")).unwrap();
    let pragma = |name: &str| {
        let value = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
        catalog.connection.lock().pragma_query_value(None, name, value).unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
    assert_eq!(pragma("synchronous"), 2.into());
    assert_eq!(pragma("secure_delete"), 1.into());
    assert_eq!(pragma("foreign_keys"), 1.into());
}

#[test]
fn a_deleted_secret_is_in_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&directory.path().join("catalog.sqlite")).unwrap();
    let secret = b"needle-in-the-catalog".to_vec();
    let row =
        DestinationRow { secrets: Some(Opaque(secret.clone())), ..destination("dst_1", "acme") };
    let holds_secret = || {
        let files = std::fs::read_dir(directory.path()).unwrap();
        let mut bytes = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        bytes.any(|bytes| bytes.windows(secret.len()).any(|window| window == secret))
    };
    catalog.create_destination(&row).unwrap();
    assert!(holds_secret(), "the check can fail");
    catalog.delete_destination("dst_1").unwrap();
    catalog.purge().unwrap();
    assert!(!holds_secret());
}

#[test]
fn keys_are_revoked_once_and_used_forwards() {
    let catalog = Catalog::in_memory().unwrap();
    catalog.create_key(&key("key_1")).unwrap();
    assert_eq!(catalog.create_key(&key("key_1")).unwrap_err().kind(), ErrorKind::Conflict);
    catalog.revoke_key("key_1", 50).unwrap();
    catalog.revoke_key("key_1", 60).unwrap();
    catalog
        .touch_keys(&[("key_1".to_owned(), 9), ("key_1".to_owned(), 8), ("gone".to_owned(), 1)])
        .unwrap();
    let expected = KeyRow { revoked_ms: Some(50), last_used_ms: Some(9), ..key("key_1") };
    assert_eq!(catalog.key("key_1").unwrap(), Some(expected.clone()));
    assert_eq!(catalog.keys_of(&environment()).unwrap(), [expected]);
    assert_eq!(catalog.keys_of(&EnvironmentId::restored("other")).unwrap(), []);
    assert_eq!(catalog.revoke_key("gone", 1).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_damaged_tenant_list_is_no_unlimited_key() {
    let catalog = Catalog::in_memory().unwrap();
    catalog.create_key(&key("key_1")).unwrap();
    catalog.connection.lock().execute("UPDATE keys SET tenants = 'acme'", []).unwrap();
    assert_eq!(catalog.key("key_1").unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn secrets_are_not_printed() {
    assert!(!format!("{:?}", key("key_1")).contains("7, 7"));
    assert!(!format!("{:?}", destination("dst_1", "acme")).contains("1, 2, 3"));
}

#[test]
fn tenants_are_listed_in_pages_by_id() {
    let catalog = Catalog::in_memory().unwrap();
    let unknown = catalog.create_tenant(&tenant("acme")).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Conflict, "the environment is not there");
    let row =
        EnvironmentRow { name: environment(), closed: false, print_unknown: false, created_ms: 1 };
    catalog.create_environment(&row).unwrap();
    let ids = ["a", "Äpfel", "b", "zz"];
    catalog.create_tenants(&ids.map(tenant)).unwrap();
    catalog
        .set_tenant_state(&environment(), &TenantId::restored("b"), TenantState::Deleted, 9)
        .unwrap();
    let page = |after, limit| {
        let rows = catalog.tenants(&environment(), after, limit).unwrap();
        rows.iter().map(|row| row.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), ["a", "zz"]);
    assert_eq!(page(Some("a"), 9), ["zz", "Äpfel"]);
    assert_eq!(catalog.all_tenants().unwrap().len(), 4);
    assert_eq!(
        catalog.create_tenants(&["c", "a"].map(tenant)).unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_eq!(
        catalog.tenant(&environment(), &TenantId::restored("c")).unwrap(),
        None,
        "all or none"
    );
}

#[test]
fn a_deleted_tenant_comes_back_only_as_a_new_incarnation() {
    let catalog = Catalog::in_memory().unwrap();
    let row =
        EnvironmentRow { name: environment(), closed: false, print_unknown: false, created_ms: 1 };
    catalog.create_environment(&row).unwrap();
    let mut row = tenant("acme");
    catalog.create_tenant(&row).unwrap();
    assert_eq!(catalog.reopen_tenant(&row).unwrap_err().kind(), ErrorKind::NotFound);
    catalog.set_tenant_name(&row.environment, &row.id, Some("Acme")).unwrap();
    catalog.set_tenant_state(&row.environment, &row.id, TenantState::Closed, 2).unwrap();
    let found = catalog.tenant(&row.environment, &row.id).unwrap().unwrap();
    assert_eq!(
        (found.name.as_deref(), found.state, found.changed_ms),
        (Some("Acme"), TenantState::Closed, 2)
    );
    catalog.set_tenant_state(&row.environment, &row.id, TenantState::Deleted, 3).unwrap();
    let refused = catalog.set_tenant_state(&row.environment, &row.id, TenantState::Open, 4);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    row.created_ms = 10;
    catalog.reopen_tenant(&row).unwrap();
    assert_eq!(catalog.tenant(&row.environment, &row.id).unwrap(), Some(row));
}

#[test]
fn destinations_are_changed_but_their_state_is_delivery_s() {
    let catalog = Catalog::in_memory().unwrap();
    let mut row = destination("dst_1", "acme");
    catalog.create_destination(&row).unwrap();
    catalog.create_destination(&destination("dst_2", "other")).unwrap();
    row.filter = String::new();
    row.secrets = None;
    row.changed_ms = 6;
    catalog
        .update_destination(&DestinationRow { state: "ignored".to_owned(), ..row.clone() })
        .unwrap();
    assert_eq!(catalog.destination("dst_1").unwrap(), Some(row.clone()));
    assert_eq!(
        catalog.destinations_of(&environment(), &TenantId::restored("acme")).unwrap(),
        [row.clone()]
    );
    catalog.delete_destination("dst_1").unwrap();
    assert_eq!(catalog.destination("dst_1").unwrap(), None);
    assert_eq!(catalog.destinations().unwrap(), [destination("dst_2", "other")]);
    assert_eq!(catalog.update_destination(&row).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(catalog.delete_destination("dst_1").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        catalog.create_destination(&row).unwrap_err().kind(),
        ErrorKind::Conflict,
        "ids stay taken"
    );
}

#[test]
fn attempts_are_a_ring_and_quarantine_goes_with_the_cursor() {
    let catalog = Catalog::in_memory().unwrap();
    catalog.create_destination(&destination("dst_1", "acme")).unwrap();
    catalog.create_destination(&destination("dst_2", "acme")).unwrap();
    let quarantined =
        |seq| QuarantineRow { seq, quarantined_ms: 1, reason: "too large".to_owned() };
    let update = |destination: &str, numbers: std::ops::Range<u64>| DeliveryUpdate {
        destination: destination.to_owned(),
        state: format!("{{\"cursor\":{}}}", numbers.end),
        quarantined: vec![quarantined(numbers.start)],
        attempts: numbers.map(attempt).collect(),
        notes: vec![(7, format!("note of {destination}"))],
    };
    let updates =
        [update("dst_1", 0..150), update("gone", 900..902), update("dst_2", 1_000..1_001)];
    catalog.record_delivery(&updates).unwrap();
    catalog.record_delivery(&[update("dst_1", 150..260)]).unwrap();
    let attempts = catalog.attempts("dst_1", 1_000).unwrap();
    assert_eq!(attempts, (60..260).rev().map(attempt).collect::<Vec<_>>());
    assert_eq!(catalog.attempts("dst_1", 2).unwrap(), [attempt(259), attempt(258)]);
    assert_eq!(catalog.attempts("dst_2", 9).unwrap(), [attempt(1_000)]);
    assert_eq!(catalog.attempts("gone", 9).unwrap(), []);
    assert_eq!(catalog.quarantined("dst_1", None, 9).unwrap(), [quarantined(0), quarantined(150)]);
    assert_eq!(catalog.quarantined("dst_1", Some(0), 9).unwrap(), [quarantined(150)]);
    assert_eq!(catalog.destination("dst_1").unwrap().unwrap().state, "{\"cursor\":260}");
}

#[test]
fn a_seal_is_committed_wholly_or_not_at_all() {
    #[track_caller]
    fn check(spoil: impl FnOnce(&mut SealCommit), expected: Option<ErrorKind>) {
        let catalog = Catalog::in_memory().unwrap();
        catalog
            .intend(&["segments/s1.parquet".to_owned(), "segments/s2.parquet".to_owned()])
            .unwrap();
        catalog.commit_seal(&seal("s1", position(100, 5, 1))).unwrap();
        let before = catalog.load().unwrap();
        let mut commit = seal("s2", position(200, 6, 1));
        commit.heads = vec![head(1, "log-1", 20)];
        spoil(&mut commit);
        let refused = catalog.commit_seal(&commit).err().map(|error| error.kind());
        assert_eq!(refused, expected);
        let after = catalog.load().unwrap();
        assert_eq!(after == before, expected.is_some(), "{after:?}");
    }
    check(|_| (), None);
    check(|commit| commit.removed_segments.push("s1".to_owned()), None);
    check(|commit| commit.position = position(100, 5, 1), None);
    check(|commit| commit.position = JournalPosition { generation: 3, ..position(0, 6, 2) }, None);
    check(|commit| commit.removed_segments.push("s0".to_owned()), Some(ErrorKind::Conflict));
    check(|commit| commit.new_segments.push(segment("s1", &[1])), Some(ErrorKind::Conflict));
    check(|commit| commit.new_segments.push(segment("s2", &[1])), Some(ErrorKind::Conflict));
    check(|commit| commit.heads.push(head(2, "another log", 3)), Some(ErrorKind::Conflict));
    check(|commit| commit.position = position(99, 6, 1), Some(ErrorKind::Conflict));
    check(|commit| commit.position = position(200, 4, 1), Some(ErrorKind::Conflict));
    check(|commit| commit.position = position(200, 6, 0), Some(ErrorKind::Conflict));
}

#[test]
fn paths_are_known_from_intent_to_burial() {
    let catalog = Catalog::in_memory().unwrap();
    let path = |id: &str| format!("segments/{id}.parquet");
    catalog.intend(&[path("s1"), path("s2")]).unwrap();
    assert_eq!(catalog.intend(&[path("s1")]).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(catalog.commit_seal(&seal("s1", position(1, 1, 1))).unwrap(), 1);
    assert_eq!(catalog.load().unwrap().intents, [path("s2")]);
    let swap = SwapCommit {
        new_segments: vec![segment("s2", &[2])],
        removed_segments: vec!["s1".to_owned()],
        heads: vec![HeadRow { deleted: true, ..head(1, "log-1", 10) }],
    };
    assert_eq!(catalog.commit_swap(&swap).unwrap(), 2);
    assert_eq!(catalog.commit_swap(&swap).unwrap_err().kind(), ErrorKind::Conflict);
    let manifest = catalog.manifest(&Manifest::default()).unwrap();
    assert_eq!((manifest.version, &*manifest.segments), (2, &[Arc::new(segment("s2", &[2]))][..]));
    assert_eq!(catalog.load().unwrap().intents, [""; 0]);
    assert!(catalog.load().unwrap().heads[0].deleted);
    assert_eq!(catalog.tombstones().unwrap(), [path("s1")]);
    catalog.forget_paths(&[path("s1")]).unwrap();
    assert_eq!(catalog.tombstones().unwrap(), [""; 0]);
    assert_eq!(catalog.commit_seal(&seal("s3", position(2, 2, 2))).unwrap(), 3);
    let newer = catalog.manifest(&manifest).unwrap();
    assert_eq!(newer, catalog.load().unwrap().manifest);
    assert!(Arc::ptr_eq(&newer.segments[0], &manifest.segments[0]), "it is known and taken over");
}

#[test]
fn damaged_rows_are_refused() {
    #[track_caller]
    fn check(damage: &str) {
        let catalog = Catalog::in_memory().unwrap();
        catalog.commit_seal(&seal("s1", position(1, 1, 1))).unwrap();
        catalog.connection.lock().execute(damage, []).unwrap();
        assert_eq!(catalog.load().unwrap_err().kind(), ErrorKind::Corrupt, "{damage}");
    }
    check("UPDATE heads SET frontier = x'00'");
    check("UPDATE heads SET size = 11");
    check("UPDATE segments SET extents = x'00'");
    check("UPDATE segments SET extents = zeroblob(64)");
    check("UPDATE segments SET extents = substr(extents, 1, 127)");
}

#[tokio::test]
async fn calls_run_off_the_async_workers() {
    let catalog = Catalog::in_memory().unwrap();
    let caller = std::thread::current().id();
    let (thread, environments) =
        catalog.run(|catalog| (std::thread::current().id(), catalog.environments().unwrap())).await;
    assert_ne!(thread, caller);
    assert_eq!(environments, []);
}

#[test]
fn notes_wait_until_they_are_taken_and_replays_until_they_are_done() {
    let catalog = Catalog::in_memory().unwrap();
    catalog.create_destination(&destination("dst_1", "acme")).unwrap();
    let update = |note: &str| DeliveryUpdate {
        destination: "dst_1".to_owned(),
        state: "{}".to_owned(),
        attempts: Vec::new(),
        quarantined: Vec::new(),
        notes: vec![(5, note.to_owned())],
    };
    catalog.record_delivery(&[update("first"), update("second")]).unwrap();
    let notes = catalog.delivery_notes(9).unwrap();
    assert_eq!(notes.iter().map(|note| &note.note[..]).collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!((notes[0].tenant.as_str(), notes[0].made_ms), ("acme", 5));
    catalog.remove_delivery_note(notes[0].number).unwrap();
    assert_eq!(catalog.delivery_notes(9).unwrap(), notes[1..]);

    let row = |number: u64| ReplayRow {
        id: format!("rpl_{number:03}"),
        destination: "dst_1".to_owned(),
        from_seq: number,
        next_seq: number + 9,
        filter: "severity>=3".to_owned(),
        state: "{}".to_owned(),
        created_ms: 1,
        done_ms: None,
    };
    for number in 0..60 {
        catalog.create_replay(&row(number)).unwrap();
    }
    catalog.record_replay("rpl_059", "{\"cursor\":3}", "dst_1", Vec::new(), Vec::new()).unwrap();
    assert_eq!(catalog.open_replays().unwrap().len(), 60);
    for number in 0..59 {
        catalog.finish_replay(&format!("rpl_{number:03}"), 77).unwrap();
    }
    catalog.finish_replay("rpl_058", 99).unwrap();
    let left = catalog.replays_of("dst_1").unwrap();
    assert_eq!((left.len(), left[0].done_ms, left[1].done_ms), (50, None, Some(77)));
    assert_eq!(left[0].state, "{\"cursor\":3}");
    assert!(catalog.finish_replay("rpl_x", 1).is_err());
    catalog.delete_destination("dst_1").unwrap();
    assert_eq!(catalog.replays_of("dst_1").unwrap(), []);
}

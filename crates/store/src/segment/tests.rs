//! Tests of segments, and the sample logs that the tests of queries share.

use std::collections::BTreeMap;

use attestary_event::{Event, Fields, Limits, Timestamp};
use attestary_ledger::{Entry, Frontier, origin_id};
use object_store::memory::InMemory;

use super::{schema::Sizes, *};
use crate::{
    query::ReadView,
    record::{Decision, Parts, Prepared, Record, encode},
};

/// Sizes that put edges of groups, pages and windows into a log of a few dozen events.
pub(crate) const SMALL: Sizes = Sizes { row_group_rows: 16, page_rows: 8, body_page_rows: 4 };

pub(crate) const LOG_NAME: &str = "audit.example.com";

/// The log at any slot.
pub(crate) fn log(slot: u64) -> Option<Log> {
    Some(Log {
        environment: EnvironmentId::restored("production"),
        tenant: TenantId::restored(&format!("tenant-{slot}")),
        origin_id: origin_id(&format!("{LOG_NAME}/t/log-{slot}")),
    })
}

/// One event of a sample log, as the record that the journal would hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) record: Vec<u8>,
    pub(crate) node16: Option<Hash>,
}

impl Sample {
    pub(crate) fn record(&self) -> Record<'_> {
        Record::decode(&self.record).unwrap()
    }

    pub(crate) fn event(&self) -> Event {
        let log = log(self.record().slot()).unwrap();
        self.record().event(log.environment, log.tenant)
    }

    pub(crate) fn row(&self) -> Row<'_> {
        Row { record: self.record(), node16: self.node16 }
    }
}

/// Sequences (id, occurred, severity, other members of the body) into the log at `slot`.
pub(crate) fn sample_log(
    slot: u64,
    events: impl IntoIterator<Item = (u128, i64, u8, String)>,
) -> Vec<Sample> {
    let mut frontier = Frontier::default();
    let mut samples = Vec::new();
    for (seq, (id, occurred_ms, severity, members)) in events.into_iter().enumerate() {
        let seq = seq as u64;
        let body = format!(
            "{{\"occurred_at\":\"{}\",\"severity\":{severity}{members}}}",
            Timestamp(occurred_ms)
        );
        let fields = Fields::parse(body.as_bytes(), &Limits::default()).unwrap();
        let log = log(slot).unwrap();
        let prepared = Prepared::new(Parts {
            environment: log.environment,
            tenant: log.tenant,
            id: EventId(id.to_be_bytes()),
            client_id: id.is_multiple_of(2),
            service: seq == 0,
            seed: [seq as u8; 16],
            digest: [seq as u8 ^ 0xff; 16],
            occurred_ms,
            severity,
            fields: &fields,
            body: body.as_bytes(),
        });
        let received_ms = 1_000_000 + seq * 10;
        let entry = Entry {
            origin: log.origin_id,
            seq,
            received_ms,
            event_id: prepared.id.0,
            n_fields: prepared.n_fields,
            flags: prepared.flags,
            fields_hash: prepared.fields_hash,
        };
        let leaf_hash = entry.leaf_hash();
        let mut record = Vec::new();
        encode(&prepared, &Decision { slot, seq, received_ms, leaf_hash }, None, &mut record);
        samples.push(Sample { record, node16: frontier.append(leaf_hash) });
    }
    samples
}

/// `events` plain events.
pub(crate) fn plain_log(slot: u64, events: u64) -> Vec<Sample> {
    sample_log(
        slot,
        (0..events).map(|seq| {
            let members = format!(
                ",\"action\":\"user.login\",\"actor\":{{\"type\":\"user\",\"id\":\"u{}\"}}",
                seq % 3
            );
            (u128::from(slot * 1_000 + seq), 5_000 + seq as i64, (seq % 11) as u8, members)
        }),
    )
}

pub(crate) fn memory_segments() -> Segments {
    Segments::new(Arc::new(InMemory::new()), CacheLimits::default()).with_sizes(SMALL)
}

/// Seals samples, which need not be sorted, as the segment `id`.
pub(crate) fn seal(segments: &Segments, id: &str, samples: &[Sample]) -> SegmentMeta {
    let sorted: BTreeMap<_, _> = samples
        .iter()
        .map(|sample| ((sample.record().slot(), sample.record().seq()), sample))
        .collect();
    let written =
        write_sized(sorted.values().map(|sample| sample.row()), LOG_NAME, &log, SMALL).unwrap();
    segments.put(id, 0, 7, written).unwrap()
}

fn view<'a>(manifest: &'a crate::catalog::Manifest, segments: &'a Segments) -> ReadView<'a> {
    ReadView { manifest, segments, unsealed: &(), logs: &log }
}

fn manifest(metas: Vec<SegmentMeta>) -> crate::catalog::Manifest {
    crate::catalog::Manifest { version: 1, segments: metas.into_iter().map(Arc::new).collect() }
}

#[test]
fn a_sealed_event_is_read_back_with_the_leaf_hash_it_was_sealed_with() {
    let (a, b) = (plain_log(3, 45), plain_log(9, 20));
    let segments = memory_segments();
    let manifest = manifest(vec![seal(&segments, "s1", &[a.clone(), b.clone()].concat())]);
    let read = |slot| view(&manifest, &segments).read(slot, 0, 1_000, usize::MAX).unwrap();
    assert_eq!(read(3), a.iter().map(Sample::event).collect::<Vec<_>>());
    assert_eq!(read(9), b.iter().map(Sample::event).collect::<Vec<_>>());
    assert_eq!(read(4), vec![]);
}

#[test]
fn extents_say_where_a_tenant_is_and_when() {
    let segments = memory_segments();
    let meta = seal(&segments, "s1", &[plain_log(3, 45), plain_log(9, 20)].concat());
    assert_eq!(meta.events, 65);
    let extent = *meta.extent(9).unwrap();
    assert_eq!((extent.row_start, extent.rows, extent.seq_first, extent.seq_last), (45, 20, 0, 19));
    assert_eq!((extent.occurred_min_ms, extent.occurred_max_ms), (5_000, 5_019));
    assert_eq!((extent.received_min_ms, extent.received_max_ms), (1_000_000, 1_000_190));
    assert!(extent.is_dense());
    assert_eq!(meta.extent(4), None);
}

#[test]
fn rows_out_of_order_are_refused() {
    #[track_caller]
    fn check(rows: &[&Sample], expected: Option<(u64, u64)>) {
        let refused = match write(rows.iter().map(|sample| sample.row()), LOG_NAME, &log) {
            Ok(_) => None,
            Err(SegmentError::Unsorted { slot, seq }) => Some((slot, seq)),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(refused, expected);
    }
    let (a, b) = (plain_log(1, 3), plain_log(2, 2));
    check(&[&a[0], &a[1], &b[0]], None);
    check(&[&a[1], &a[0]], Some((1, 0)));
    check(&[&a[0], &a[0]], Some((1, 0)));
    check(&[&b[0], &a[0]], Some((1, 0)));
    check(&[&a[0], &b[0], &a[1]], Some((1, 1)));
}

#[test]
fn an_object_is_never_replaced() {
    let segments = memory_segments();
    seal(&segments, "s1", &plain_log(1, 2));
    let written = write(plain_log(1, 3).iter().map(Sample::row), LOG_NAME, &log).unwrap();
    assert!(matches!(segments.put("s1", 0, 7, written), Err(SegmentError::Store { .. })));
}

#[test]
fn a_missing_object_is_told_apart_from_a_damaged_one() {
    let directory = tempfile::tempdir().unwrap();
    let segments = Segments::local(directory.path().to_owned(), CacheLimits::default())
        .unwrap()
        .with_sizes(SMALL);
    let meta = seal(&segments, "s1", &plain_log(1, 30));
    segments.verify(&meta).unwrap();

    let file = directory.path().join(&meta.path);
    let intact = std::fs::read(&file).unwrap();
    let mut damaged = intact.clone();
    damaged[intact.len() / 2] ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    assert!(matches!(segments.verify(&meta), Err(SegmentError::Corrupt { .. })));
    std::fs::write(&file, &intact[..100]).unwrap();
    assert!(matches!(segments.open(&meta), Err(SegmentError::Corrupt { .. })));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(segments.open(&meta), Err(SegmentError::Missing { .. })));
    segments.delete(&meta.path).unwrap();
}

#[test]
fn every_flipped_bit_is_found_before_a_decoder_sees_it() {
    let events = plain_log(1, 12);
    let written = write_sized(events.iter().map(Sample::row), LOG_NAME, &log, SMALL).unwrap();
    let meta = written.meta("s1", 0, 7);
    let manifest = manifest(vec![meta.clone()]);
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("segments")).unwrap();
    for at in 0..written.bytes.len() {
        let mut damaged = written.bytes.to_vec();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(directory.path().join(&meta.path), &damaged).unwrap();
        let segments =
            Segments::local(directory.path().to_owned(), CacheLimits::default()).unwrap();
        let read = view(&manifest, &segments).read(1, 0, 100, usize::MAX);
        assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::Corrupt), "byte {at}");
    }
}

#[test]
fn a_damaged_block_spoils_only_reads_of_it() {
    let events = plain_log(1, 3_000);
    let segments = memory_segments();
    let mut meta = seal(&segments, "s1", &events);
    assert!(meta.crcs.len() > 4);
    meta.crcs[0] ^= 1;
    let manifest = manifest(vec![meta]);
    let read = |from_seq| view(&manifest, &segments).read(1, from_seq, 10, usize::MAX);
    assert_eq!(read(0).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(read(2_900).unwrap().len(), 10);
}

#[test]
fn a_foreign_or_newer_file_is_refused() {
    #[track_caller]
    fn check(magic: &str, version: &str, expected: &str) {
        use parquet::{arrow::ArrowWriter, file::metadata::KeyValue};
        let mut writer =
            ArrowWriter::try_new(Vec::new(), Arc::clone(&schema::SCHEMA), None).unwrap();
        writer.append_key_value_metadata(KeyValue::new(
            schema::MAGIC_KEY.to_owned(),
            magic.to_owned(),
        ));
        writer.append_key_value_metadata(KeyValue::new(
            schema::VERSION_KEY.to_owned(),
            version.to_owned(),
        ));
        let bytes = writer.into_inner().unwrap().into();
        let segments = memory_segments();
        let meta = segments.put("s1", 0, 7, Written { bytes, extents: vec![], events: 0 }).unwrap();
        let found =
            segments.open(&meta).map_or_else(|error| error.to_string(), |_| "opens".to_owned());
        assert_eq!(found, expected);
    }
    check(schema::MAGIC, "1", "opens");
    check(
        schema::MAGIC,
        "3",
        "segment segments/s1.parquet has format 3; this release reads up to 2",
    );
    check(
        schema::MAGIC,
        "one",
        "segment segments/s1.parquet is damaged: it names no format version",
    );
    check(
        "other",
        "1",
        "segment segments/s1.parquet is damaged: it is a Parquet file but not a segment",
    );
}

#[test]
fn a_tenant_is_removed_and_its_neighbours_stay_byte_for_byte() {
    let logs = [plain_log(1, 20), plain_log(2, 30), plain_log(3, 25)];
    let segments = memory_segments();
    let meta = seal(&segments, "s1", &logs.concat());
    for slot in 1..=3 {
        let written = rewrite::without(&segments, &meta, slot).unwrap().unwrap();
        let id = format!("without-{slot}");
        let manifest = manifest(vec![segments.put(&id, 0, 8, written).unwrap()]);
        for (other, log) in (1..).zip(&logs) {
            let expected =
                if other == slot { vec![] } else { log.iter().map(Sample::event).collect() };
            assert_eq!(
                view(&manifest, &segments).read(other, 0, 1_000, usize::MAX).unwrap(),
                expected
            );
        }
        let rest: Vec<_> = logs
            .iter()
            .flatten()
            .filter(|sample| sample.record().slot() != slot)
            .cloned()
            .collect();
        let expected = seal(&segments, &format!("expected-{slot}"), &rest);
        assert_eq!(manifest.segments[0].extents, expected.extents);
        // The writer is deterministic, so a rewrite equals a seal of the rest, every column included.
        assert_eq!(manifest.segments[0].sha256, expected.sha256);
    }
    let alone = seal(&segments, "s2", &logs[0]);
    assert_eq!(rewrite::without(&segments, &alone, 1).unwrap(), None);
}

#[test]
fn the_cache_keeps_its_limits() {
    let limits = CacheLimits { segments_max: 2, bytes_max: usize::MAX };
    let segments = Segments::new(Arc::new(InMemory::new()), limits).with_sizes(SMALL);
    let metas: Vec<_> =
        (0..4).map(|n| seal(&segments, &format!("s{n}"), &plain_log(n, 4))).collect();
    let first = segments.open(&metas[0]).unwrap();
    let one = segments.cached_bytes();
    for meta in &metas {
        segments.open(meta).unwrap();
    }
    assert!(segments.cached_bytes() < one * 3);
    assert!(
        !Arc::ptr_eq(&first, &segments.open(&metas[0]).unwrap()),
        "the least recently used one went"
    );
}

#[test]
fn rows_beyond_the_end_are_damage_and_no_panic() {
    let segments = memory_segments();
    let meta = seal(&segments, "s1", &plain_log(3, 20));
    let file = segments.open(&meta).unwrap();
    for rows in [0..21, 20..21, 21..25, std::ops::Range { start: 7, end: 3 }] {
        let read = file.batches(&[schema::Column::Seq], &[rows]).map(Iterator::count);
        assert!(matches!(read, Err(SegmentError::Corrupt { .. })), "{read:?}");
    }
    assert_eq!(
        file.batches(&[schema::Column::Seq], std::slice::from_ref(&(0..20))).unwrap().count(),
        1
    );
}

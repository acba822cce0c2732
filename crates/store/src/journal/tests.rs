use bytes::Bytes;

use super::*;
use crate::disk::RealDisk;

const FILE_BYTES: u64 = 4096;

#[derive(Default)]
struct Seen {
    records: Vec<String>,
    damage: Vec<Damage>,
}

impl Replay for Seen {
    fn batch(&mut self, bytes: Bytes, places: Vec<(u32, u32)>) {
        for (start, length) in places {
            let record = &bytes[start as usize..(start + length) as usize];
            self.records.push(String::from_utf8_lossy(record).into_owned());
        }
    }

    fn damage(&mut self, damage: Damage) {
        self.damage.push(damage);
    }
}

fn open(dir: &tempfile::TempDir, from: Position) -> (Journal<RealDisk>, Seen) {
    let mut seen = Seen::default();
    let disk = RealDisk::new(dir.path().to_owned()).unwrap();
    let journal = Journal::open(disk, 0, FILE_BYTES, from, 42, &mut seen).unwrap();
    (journal, seen)
}

fn append(journal: &mut Journal<RealDisk>, records: &[&str]) -> Position {
    let mut batch = BatchBuilder::default();
    batch.bytes.resize(BATCH_HEADER_BYTES, 0);
    for (seq, record) in records.iter().enumerate() {
        batch.push(5, seq as u64, |out| out.extend_from_slice(record.as_bytes()));
    }
    journal.append(&mut batch, 7).unwrap();
    journal.position()
}

fn flip(dir: &tempfile::TempDir, find: &str) {
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(find.len()).position(|window| window == find.as_bytes()) {
            bytes[at] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }
    }
}

#[test]
fn batches_come_back_in_order_from_any_position() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, seen) = open(&dir, Position::default());
    assert!(seen.records.is_empty());
    let big = "x".repeat(900);
    let mut middle = Position::default();
    let mut expected = Vec::new();
    for number in 0..20 {
        let record = format!("{number}{big}");
        let position = append(&mut journal, &[&record]);
        if number == 9 {
            middle = position;
        }
        expected.push(record);
    }
    drop(journal);
    let (journal, seen) = open(&dir, Position::default());
    assert_eq!(seen.records, expected);
    assert_eq!(seen.damage, []);
    drop(journal);
    let (_, seen) = open(&dir, middle);
    assert_eq!(seen.records, expected[10..]);
}

#[test]
fn trimmed_files_are_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&dir, Position::default());
    let big = "y".repeat(1500);
    let mut last = Position::default();
    for _ in 0..30 {
        last = append(&mut journal, &[&big]);
        journal.trim(last);
    }
    assert!(std::fs::read_dir(dir.path()).unwrap().count() <= 3);
    append(&mut journal, &["after"]);
    drop(journal);
    let (_, seen) = open(&dir, last);
    assert_eq!(seen.records, ["after"]);
}

#[test]
fn a_torn_tail_is_cut_and_damage_below_the_mark_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&dir, Position::default());
    append(&mut journal, &["first", "second", "third"]);
    append(&mut journal, &["fourth"]);
    drop(journal);
    flip(&dir, "fourth");
    let (mut journal, seen) = open(&dir, Position::default());
    assert_eq!(seen.records, ["first", "second", "third"]);
    assert_eq!(seen.damage, [], "nothing lies behind it: it was never acknowledged");
    append(&mut journal, &["fifth"]);
    drop(journal);
    flip(&dir, "second");
    let (_, seen) = open(&dir, Position::default());
    assert_eq!(seen.records, ["first", "third", "fifth"]);
    assert_eq!(seen.damage, [Damage::Record { slot: 5, seq: 1 }]);
}

#[test]
fn a_lost_batch_is_damage_and_reading_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&dir, Position::default());
    append(&mut journal, &["first"]);
    append(&mut journal, &["second"]);
    append(&mut journal, &["third"]);
    drop(journal);
    let path = dir.path().join("00000000.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    let second = bytes.windows(6).position(|window| window == b"second").unwrap();
    // The batch number in the header before it.
    bytes[second - BATCH_HEADER_BYTES + 16] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (_, seen) = open(&dir, Position::default());
    assert_eq!(seen.records, ["first", "third"]);
    assert_eq!(seen.damage, [Damage::Batches { first: 2, next: 3 }]);
}

#[test]
fn bytes_inside_an_event_never_pass_for_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&dir, Position::default());
    append(&mut journal, &["real"]);
    drop(journal);
    let mut copy = std::fs::read(dir.path().join("00000000.journal")).unwrap();
    let forged = copy.split_off(FILE_HEADER_BYTES as usize + BATCH_HEADER_BYTES);
    let (mut journal, _) = open(&dir, Position::default());
    let mut batch = BatchBuilder::default();
    batch.bytes.resize(BATCH_HEADER_BYTES, 0);
    batch.push(5, 1, |out| out.extend_from_slice(&forged[..1000]));
    journal.append(&mut batch, 7).unwrap();
    drop(journal);
    let (_, seen) = open(&dir, Position::default());
    assert_eq!(seen.records.len(), 2);
    assert_eq!(seen.damage, []);
}

#[test]
fn a_batch_larger_than_a_file_is_refused_and_nothing_is_poisoned() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&dir, Position::default());
    let mut batch = BatchBuilder::default();
    batch.bytes.resize(BATCH_HEADER_BYTES, 0);
    batch.push(5, 1, |out| out.extend_from_slice(&[0; FILE_BYTES as usize]));
    assert!(matches!(journal.append(&mut batch, 7), Err(JournalError::TooLarge { .. })));
    append(&mut journal, &["fits"]);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir, Position::default()));
    let path = dir.path().join("00000000.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    for copy in [0, 512] {
        bytes[copy + 8] = 2;
        let crc = crc32c::crc32c(&bytes[copy..copy + 32]);
        bytes[copy + 32..copy + 36].copy_from_slice(&crc.to_le_bytes());
    }
    std::fs::write(&path, bytes).unwrap();
    let disk = RealDisk::new(dir.path().to_owned()).unwrap();
    let refused = Journal::open(disk, 0, FILE_BYTES, Position::default(), 1, &mut Seen::default());
    assert!(matches!(refused, Err(JournalError::Version { version: 2, .. })));
}

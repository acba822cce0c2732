//! A small log in memory, verified whole and with every kind of damage.

use std::collections::BTreeMap;

use attestary_ledger::{MemoryTree, NodeSource as _, Note, NoteSigner, fields_hash};

use super::*;
use crate::{Known, Outcome};

const ORIGIN: &str = "audit.example.com/t/01JDA3WT9Z8Q4V6N2M0K5R7B1C";

#[derive(Clone)]
struct Files {
    files: BTreeMap<String, Vec<u8>>,
    live: bool,
}

impl LogFiles for Files {
    fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.files.get(path).cloned())
    }

    fn paths(&self) -> Option<Vec<String>> {
        (!self.live).then(|| self.files.keys().cloned().collect())
    }

    fn is_live(&self) -> bool {
        self.live
    }
}

fn entry(seq: u64) -> Entry {
    Entry {
        origin: origin_id(ORIGIN),
        seq,
        received_ms: 1_795_308_919_123 + seq,
        event_id: u128::from(seq).to_be_bytes(),
        n_fields: 0,
        flags: 0,
        fields_hash: fields_hash(&[seq as u8; 16], std::iter::empty()),
    }
}

fn signer() -> NoteSigner {
    NoteSigner::derive(&[7; 32], ORIGIN, 0).unwrap()
}

fn trust() -> String {
    let key = signer().verifier().to_string();
    format!("#attestary trust v1\n#attestary tenant {ORIGIN} 3\nlog {key}\nquorum none\n")
}

fn signed(size: u64, root: Hash) -> Vec<u8> {
    let mut note = Note::new(Checkpoint::new(ORIGIN, size, root).to_string()).unwrap();
    note.push(signer().sign(note.text())).unwrap();
    note.to_string().into_bytes()
}

fn made(entries: &[Entry]) -> (Files, MemoryTree) {
    let tree: MemoryTree = entries.iter().map(Entry::leaf_hash).collect();
    let size = entries.len() as u64;
    let mut files = BTreeMap::from([(CHECKPOINT.to_owned(), signed(size, tree.root()))]);
    for path in tile::tiles(size) {
        let first = path.index() * tile::TILE_WIDTH;
        let bytes = match path.kind() {
            TileKind::Hashes(level) => {
                let mut hashes = vec![[0; 32]; path.width()];
                let _ = tree.read(tile::TILE_HEIGHT * u32::from(level), first, &mut hashes);
                tile::encode(&hashes).to_vec()
            }
            TileKind::Entries => {
                let part = entries[first as usize..].iter().take(path.width()).map(Entry::encode);
                let part: Vec<_> = part.collect();
                tile::bundle::encode(part.iter().map(<[u8; 88]>::as_slice)).unwrap()
            }
        };
        files.insert(path.to_string(), bytes);
    }
    (Files { files, live: false }, tree)
}

fn verified(files: &Files, known: &[Known]) -> Report {
    let options = Options { known: known.to_vec(), ..Options::default() };
    log(files, trust().as_bytes(), &options, &|_| {})
}

#[track_caller]
fn check(files: &Files, known: &[Known], code: u8, step: StepName) {
    let report = verified(files, known);
    let lines: Vec<_> = report.steps.iter().map(ToString::to_string).collect();
    assert_eq!(report.exit_code(), code, "{lines:#?}");
    let outcome = if code == 1 { Outcome::Failed } else { Outcome::Undecided };
    assert_eq!(report.first(outcome).map(|step| step.name), Some(step), "{lines:#?}");
}

fn log_of(size: u64) -> (Files, MemoryTree) {
    made(&(0..size).map(entry).collect::<Vec<_>>())
}

fn known(size: u64, root: Hash) -> Known {
    Known { origin: ORIGIN.into(), size, root }
}

#[test]
fn a_whole_log_verifies_and_is_remembered() {
    for size in [1, 255, 256, 257, 700] {
        let (files, tree) = log_of(size);
        let report = verified(&files, &[]);
        assert_eq!(report.exit_code(), 0, "{:#?}", report.steps);
        assert_eq!((report.head, report.events), (Some((ORIGIN.into(), size, tree.root())), size));
    }
}

#[test]
fn every_flipped_byte_fails() {
    let (files, _) = log_of(300);
    for (path, bytes) in &files.files {
        for at in (0..bytes.len()).step_by(37).chain([bytes.len() - 1]) {
            let mut changed = files.clone();
            changed.files.get_mut(path).unwrap()[at] ^= 1;
            assert_eq!(verified(&changed, &[]).exit_code(), 1, "{path} byte {at}");
        }
        let mut shorter = files.clone();
        shorter.files.get_mut(path).unwrap().pop();
        assert_eq!(verified(&shorter, &[]).exit_code(), 1, "{path} cut");
        let mut fewer = files.clone();
        fewer.files.remove(path);
        assert_eq!(verified(&fewer, &[]).exit_code(), 1, "{path} missing");
    }
}

#[test]
fn files_of_no_such_tree_are_refused() {
    for extra in
        ["tile/0/002", "tile/1/000.p/2", "tile/0/000.p/256", "other", "tile/entries/000.p/300"]
    {
        let (mut files, _) = log_of(300);
        files.files.insert(extra.into(), vec![]);
        check(&files, &[], 1, StepName::Container);
    }
}

#[test]
fn entries_that_are_signed_but_wrong_fail() {
    let wrong = |change: fn(&mut Vec<Entry>)| {
        let mut entries: Vec<_> = (0..20).map(entry).collect();
        change(&mut entries);
        check(&made(&entries).0, &[], 1, StepName::Entries);
    };
    wrong(|entries| entries.swap(3, 4));
    wrong(|entries| entries[5] = entries[4]);
    wrong(|entries| _ = entries.remove(0));
    wrong(|entries| entries[7].origin = origin_id("audit.example.com/t/other"));
    wrong(|entries| entries[7].received_ms -= 2);
}

#[test]
fn another_key_or_log_is_refused() {
    let (mut files, tree) = log_of(20);
    let other = NoteSigner::derive(&[8; 32], ORIGIN, 0).unwrap();
    let mut note = Note::new(Checkpoint::new(ORIGIN, 20, tree.root()).to_string()).unwrap();
    note.push(other.sign(note.text())).unwrap();
    files.files.insert(CHECKPOINT.into(), note.to_string().into_bytes());
    check(&files, &[], 1, StepName::Notes);
    let mut anchored = trust();
    anchored.push_str("#attestary anchor audit.example.com/anchor\n");
    let anchor = NoteSigner::derive(&[7; 32], "audit.example.com/anchor", 0).unwrap();
    anchored.push_str(&format!("log {}\n", anchor.verifier()));
    let (files, _) = log_of(20);
    let report = log(&files, anchored.as_bytes(), &Options::default(), &|_| {});
    assert_eq!(report.first(Outcome::Failed).map(|step| step.name), Some(StepName::Anchoring));
}

#[test]
fn a_log_must_have_grown_out_of_what_was_seen() {
    let (files, _) = log_of(300);
    let older = |size| known(size, log_of(size).1.root());
    for size in [1, 16, 255, 256, 299, 300] {
        assert_eq!(verified(&files, &[older(size)]).exit_code(), 0, "{size}");
        check(&files, &[known(size, [9; 32])], 1, StepName::History);
    }
    check(&files, &[older(301)], 2, StepName::History);
    let live = Files { live: true, ..files };
    check(&live, &[older(301)], 1, StepName::History);
}

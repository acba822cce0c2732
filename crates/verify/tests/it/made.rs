//! A whole bundle made by hand: a log with removals, older checkpoints, an anchor with witnesses, and its trust file.

use std::{collections::BTreeMap, io::Cursor};

use attestary_event::{Fields, Limits};
use attestary_ledger::{
    Checkpoint, ConsistencyProof, Cosigner, Disclosure, Entry, EpochTree, Hash, InclusionProof,
    MemoryTree, NodeSource, Note, NoteSigner, ProofFile, RemovalList, SlotProof, TileKind,
    TilePath, disclosed_fields_hash, field::salt, fields_hash, origin_id,
};
use attestary_verify::{
    BundleWriter, Growth, Manifest, Options, Report, bundle,
    manifest::{FORM, Selection},
    needed_tiles, write_fields, write_gone, write_whole,
};

pub(crate) const ORIGIN: &str = "audit.example.com/t/01JDA3WT9Z8Q4V6N2M0K5R7B1C";
pub(crate) const OTHER: &str = "audit.example.com/t/01JDA3WT9Z8Q4V6N2M0K5R7B1D";
pub(crate) const ANCHOR: &str = "audit.example.com/anchor";
const MASTER: [u8; 32] = [0x2a; 32];
pub(crate) const SIZE: u64 = 600;
/// Size of the anchored head.
pub(crate) const HEAD: u64 = 550;
pub(crate) const SLOT: u64 = 5;
const START_MS: u64 = 1_795_308_919_123;
/// When the epoch was.
pub(crate) const EPOCH_MS: u64 = START_MS + 1_000_000;

/// Fields 1 and 3 of this event are erased.
pub(crate) const ERASED: u64 = 10;
/// The payloads of these are gone.
pub(crate) const GONE: [u64; 3] = [20, 21, 22];
/// Seqs of the service events that cover them.
pub(crate) const COVERS: [u64; 2] = [100, 101];

pub(crate) fn signer(origin: &str, epoch: u32) -> NoteSigner {
    NoteSigner::derive(&MASTER, origin, epoch).unwrap()
}

pub(crate) fn witness(number: u8) -> Cosigner {
    Cosigner::new(&format!("w{number}.example"), &[number; 32]).unwrap()
}

pub(crate) fn signed(text: String, signer: &NoteSigner) -> Note {
    let mut note = Note::new(text).unwrap();
    note.push(signer.sign(note.text())).unwrap();
    note
}

/// An event before it stands in a log.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) entry: Entry,
    pub(crate) payload: String,
    pub(crate) seed: [u8; 16],
}

impl Made {
    pub(crate) fn new(seq: u64, payload: String, service: bool) -> Self {
        let seed = [seq as u8; 16];
        let fields = Fields::parse(payload.as_bytes(), &Limits::default()).unwrap();
        let hashed = fields.iter().map(|f| (f.pointer, f.kind as u8, f.value.as_bytes()));
        let entry = Entry {
            origin: origin_id(ORIGIN),
            seq,
            received_ms: START_MS + seq,
            event_id: u128::from(seq + 1).to_be_bytes(),
            n_fields: fields.len() as u16,
            flags: u16::from(service),
            fields_hash: fields_hash(&seed, hashed),
        };
        Self { entry, payload, seed }
    }

    pub(crate) fn whole(&self, out: &mut Vec<u8>) {
        write_whole(&self.entry, self.payload.as_bytes(), &self.seed, out);
    }

    pub(crate) fn without(&self, hidden: &[u16], out: &mut Vec<u8>) {
        let fields = Fields::parse(self.payload.as_bytes(), &Limits::default()).unwrap();
        let salts: Vec<_> = (0..fields.len()).map(|j| salt(&self.seed, j as u32)).collect();
        let shown: Vec<_> = fields
            .iter()
            .zip(&salts)
            .map(|(f, salt)| Disclosure::Shown {
                salt,
                pointer: f.pointer,
                kind: f.kind as u8,
                value: f.value.as_bytes(),
            })
            .collect();
        let hashes: Vec<_> = shown.iter().map(Disclosure::hash).collect();
        assert_eq!(disclosed_fields_hash(shown.iter().copied()), self.entry.fields_hash);
        let given = shown.iter().enumerate().map(|(j, field)| {
            if hidden.contains(&(j as u16)) { Disclosure::Hidden(&hashes[j]) } else { *field }
        });
        write_fields(&self.entry, given, out);
    }
}

fn removed(origin: &str) -> (RemovalList, RemovalList) {
    let (mut erased, mut gone) = (RemovalList::new(origin), RemovalList::new(origin));
    assert!(erased.push_fields(ERASED, vec![1, 3]));
    GONE.iter().for_each(|&seq| assert!(gone.push_payload(seq)));
    (erased, gone)
}

pub(crate) fn covering(action: &str, list: &RemovalList) -> String {
    let sha256 = attestary_event::event::hex(&list.hash());
    let events = list.events();
    format!(
        r#"{{"action":"{action}","actor":{{"id":"installation","type":"service"}},"metadata":{{"events":{events},"list_sha256":"{sha256}"}}}}"#
    )
}

/// Everything from which a bundle is put together; tests change a part and put it together again.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) events: Vec<Made>,
    pub(crate) lines: Vec<Vec<u8>>,
    pub(crate) tree: MemoryTree,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) trust: String,
    pub(crate) key_epoch: u32,
    pub(crate) selection: Selection,
    /// Count that the manifest states; the number of lines when it is `None`.
    pub(crate) stated: Option<u64>,
}

impl World {
    pub(crate) fn new() -> Self {
        let (erased, gone) = removed(ORIGIN);
        let payload = |seq: u64| match seq {
            100 => covering("attestary.erasure.applied", &erased),
            101 => covering("attestary.retention.applied", &gone),
            seq => format!(
                r#"{{"action":"doc.read","actor":{{"email":"<b>\u00e4@example.com","id":"u{seq}"}},"metadata":{{"big":9007199254740993,"n":{seq},"tags":[]}}}}"#
            ),
        };
        let service = |seq| seq == 0 || COVERS.contains(&seq);
        let events: Vec<_> =
            (0..SIZE).map(|seq| Made::new(seq, payload(seq), service(seq))).collect();
        let mut world = Self {
            lines: Vec::new(),
            tree: MemoryTree::default(),
            files: BTreeMap::new(),
            trust: String::new(),
            key_epoch: 0,
            selection: Selection {
                filter: String::new(),
                from: None,
                to: None,
                as_of: "2026-11-22T00:00:00.000Z".into(),
            },
            stated: None,
            events,
        };
        for list in [erased, gone] {
            let name = format!("removals/{}", attestary_event::event::hex(&list.hash()));
            world.files.insert(name, list.to_string().into_bytes());
        }
        world.trust = trust(&[(ORIGIN, 0)], true, 3_600);
        world.relog();
        world
    }

    /// Makes lines, tree and everything that follows from the events again.
    pub(crate) fn relog(&mut self) {
        self.lines = self.events.iter().map(line).collect();
        self.tree = self.events.iter().map(|made| made.entry.leaf_hash()).collect();
        self.reprove();
    }

    /// Makes checkpoint, tiles, older checkpoints and slot proof for the present tree again.
    pub(crate) fn reprove(&mut self) {
        self.files.retain(|name, _| name.starts_with("removals/"));
        let size = self.tree.size();
        let checkpoint = Checkpoint::new(ORIGIN, size, self.tree.root());
        let note = signed(checkpoint.to_string(), &signer(ORIGIN, self.key_epoch));
        self.files.insert("checkpoint".into(), note.to_string().into_bytes());
        let touched = (0..size.div_ceil(256)).collect();
        for path in needed_tiles(size, &touched) {
            self.files.insert(path.to_string(), tile(&self.tree, &path));
        }
        for old in [300, 512] {
            self.files
                .insert(format!("prev/{old}"), self.growth(old, true).to_string().into_bytes());
        }
        self.files.insert("head".into(), self.growth(HEAD, false).to_string().into_bytes());
        let proof = slot_proof(&self.growth(HEAD, false).text, SLOT, 0, &[1, 2]);
        self.files.insert("slot-proof".into(), proof.into_bytes());
        self.files.insert("report.html".into(), b"<!doctype html>".to_vec());
    }

    pub(crate) fn growth(&self, old: u64, sign: bool) -> Growth {
        let tree: MemoryTree =
            self.events[..old as usize].iter().map(|made| made.entry.leaf_hash()).collect();
        let text = Checkpoint::new(ORIGIN, old, tree.root()).to_string();
        let to = self.tree.size();
        let hashes = ConsistencyProof::generate(&self.tree, old, to).unwrap().hashes;
        let note = sign.then(|| signed(text.clone(), &signer(ORIGIN, 0)));
        Growth { to, hashes, text, note }
    }

    /// Puts the archive together, with a manifest that the log signs.
    pub(crate) fn bundle(&self) -> Vec<u8> {
        let mut writer = BundleWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in &self.files {
            writer.add(name, bytes).unwrap();
        }
        writer.add("events.ndjson", &self.lines.concat()).unwrap();
        let manifest = Manifest {
            manifest: FORM.into(),
            origin: ORIGIN.into(),
            environment: "production".into(),
            tenant: "acme".into(),
            size: self.tree.size(),
            selection: self.selection.clone(),
            events: self.stated.unwrap_or(self.lines.len() as u64),
            numbering: None,
            files: Vec::new(),
        };
        let key = signer(ORIGIN, self.key_epoch);
        let done = writer.finish(manifest, |text| Ok::<_, std::io::Error>(signed(text, &key)));
        done.unwrap().into_inner()
    }

    pub(crate) fn verify(&self) -> Report {
        verify(&self.bundle(), &self.trust)
    }
}

pub(crate) fn line(made: &Made) -> Vec<u8> {
    let mut out = Vec::new();
    match made.entry.seq {
        ERASED => made.without(&[1, 3], &mut out),
        seq if GONE.contains(&seq) => write_gone(&made.entry, &mut out),
        _ => made.whole(&mut out),
    }
    out
}

pub(crate) fn tile(tree: &MemoryTree, path: &TilePath) -> Vec<u8> {
    let TileKind::Hashes(level) = path.kind() else { panic!("{path}") };
    let mut hashes: Vec<Hash> = vec![[0; 32]; path.width()];
    tree.read(8 * u32::from(level), path.index() * 256, &mut hashes).unwrap();
    hashes.as_flattened().to_vec()
}

/// The slot proof of a head in epoch 2 of an anchor log with three epochs.
pub(crate) fn slot_proof(head: &str, slot: u64, late_s: u64, witnesses: &[u8]) -> String {
    let mut heads = EpochTree::default();
    heads.set_head(9, &Checkpoint::new(OTHER, 1, [9; 32]).to_string());
    heads.set_head(slot, head);
    let record = heads.record(2, EPOCH_MS);
    let mut anchor = MemoryTree::default();
    for epoch in 0..2 {
        anchor.append(EpochTree::default().record(epoch, EPOCH_MS - 1_000).leaf_hash());
    }
    anchor.append(record.leaf_hash());
    let text = Checkpoint::new(ANCHOR, anchor.size(), anchor.root()).to_string();
    let mut checkpoint = signed(text, &signer(ANCHOR, 0));
    for number in witnesses {
        let cosigned =
            witness(*number).cosign(checkpoint.text(), EPOCH_MS / 1_000 + late_s).unwrap();
        checkpoint.push(cosigned).unwrap();
    }
    let hashes = InclusionProof::generate(&anchor, 2, 3).unwrap().hashes;
    let proof = heads.prove(slot).unwrap();
    SlotProof {
        epoch: 2,
        slot,
        slots: heads.slots(),
        hashes: proof.hashes,
        record: ProofFile {
            extra: Some(record.to_string().into_bytes()),
            index: 2,
            hashes,
            checkpoint,
        },
    }
    .to_string()
}

pub(crate) fn trust(keys: &[(&str, u32)], anchored: bool, age_s: u64) -> String {
    let mut text = format!("#attestary trust v1\n#attestary tenant {} {SLOT}\n", keys[0].0);
    for (origin, epoch) in keys {
        text.push_str(&format!("log {}\n", signer(origin, *epoch).verifier()));
    }
    if anchored {
        text.push_str(&format!(
            "#attestary anchor {ANCHOR}\nlog {}\n",
            signer(ANCHOR, 0).verifier()
        ));
        text.push_str(&format!("#attestary age {age_s}\n"));
        for number in [1, 2] {
            text.push_str(&format!("witness w{number} {}\n", witness(number).verifier()));
        }
        text.push_str("group all-of-them all w1 w2\nquorum all-of-them\n");
    } else {
        text.push_str("quorum none\n");
    }
    text
}

pub(crate) fn verify(archive: &[u8], trust: &str) -> Report {
    let options = Options { now_ms: EPOCH_MS + 60_000, threads: 2, ..Options::default() };
    bundle(Cursor::new(archive), trust.as_bytes(), &options, &|_| {})
}

//! The twelve steps over one bundle, in an order in which each rests on what was checked before.

use attestary_event::event::hex;
use std::{
    collections::{HashMap, HashSet},
    io::{BufReader, Read, Seek},
};

use attestary_ledger::{
    Checkpoint, Hash, TileKind, TilePath, TrustFile, leaf_hash, origin_id,
    tile::bundle as entry_bundle,
};

use crate::{
    anchor,
    container::{Container, Digested, MANIFEST_BYTES_MAX, Part, StampPart, name},
    cover,
    events::{Pass, Seen},
    history,
    manifest::{FORM, Manifest},
    notes,
    report::{Board, Progress, Report, StepName},
    stamped::StampFiles,
    tiles,
};

/// A head that was accepted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Name of the log.
    pub origin: String,
    /// Its leaves.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// What a verification is given besides bundle and trust file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Heads seen before.
    pub known: Vec<Known>,
    /// The present time in milliseconds since the epoch.
    pub now_ms: u64,
    /// Withheld fields and selections make the answer "cannot decide".
    pub require_complete: bool,
    /// A restore that lost events which were seen before is no reason for doubt: a person knows of it.
    pub accept_loss: bool,
    /// Threads that check lines.
    pub threads: usize,
    /// What proves the anchor of a single event; bundles and logs bring their own.
    pub anchor: Option<AnchorFiles>,
}

/// Files beside a proof file that show where its log stood in an epoch.
#[derive(Debug, Clone, Default)]
pub struct AnchorFiles {
    /// The slot-proof file.
    pub slot_proof: Vec<u8>,
    /// How the log grew from the head in it to the proof's checkpoint; none when they are the same.
    pub head: Option<Vec<u8>>,
}

/// Verifies a bundle. `progress` is told how many bytes of events there are, and how many more were checked.
pub fn bundle<R: Read + Seek>(
    reader: R,
    trust: &[u8],
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Report {
    let mut board = Board::default();
    let trust = match TrustFile::parse(trust) {
        Ok(trust) => trust,
        Err(error) => {
            board.undecided(StepName::Trust, notes::chain(&error));
            return board.finish(None, 0);
        }
    };
    let mut run = Run { trust, options, progress, board, events: 0 };
    let head = run.steps(reader);
    let head = head.map(|checkpoint| (checkpoint.origin, checkpoint.size, checkpoint.root));
    run.board.finish(head, run.events)
}

struct Run<'a> {
    trust: TrustFile,
    options: &'a Options,
    progress: &'a (dyn Fn(Progress) + Sync),
    board: Board,
    events: u64,
}

/// The small files of a bundle, with digests that agree with the manifest.
struct Files {
    manifest: Manifest,
    manifest_bytes: Vec<u8>,
    signature: Vec<u8>,
    checkpoint: Vec<u8>,
    slot_proof: Option<Vec<u8>>,
    head: Option<Vec<u8>>,
    stamp: StampFiles,
    prev: Vec<(String, u64, Vec<u8>)>,
    removals: HashMap<Hash, Vec<u8>>,
    tiles: HashMap<TilePath, Vec<u8>>,
    /// Digest that the manifest states for the events.
    events_sha256: String,
    events_bytes: u64,
}

impl Run<'_> {
    /// Returns the accepted checkpoint.
    fn steps<R: Read + Seek>(&mut self, reader: R) -> Option<Checkpoint> {
        let opened = Container::open(reader).and_then(|mut container| {
            let files = files(&mut container)?;
            Ok((container, files))
        });
        let (mut container, mut files) = match opened {
            Ok(opened) => opened,
            Err(why) => {
                self.board.fail(StepName::Container, why);
                return None;
            }
        };
        let (note, accepted) = notes::checkpoint(&files.checkpoint, &self.trust, &mut self.board)?;
        let checkpoint = accepted.checkpoint.clone();
        let signed =
            notes::manifest(&files.signature, &files.manifest_bytes, &accepted, &self.trust);
        if let Err(why) = signed {
            self.board.fail(StepName::Notes, why);
            return Some(checkpoint);
        }
        self.board
            .pass(StepName::Trust, format!("{}, slot {}", self.trust.origin(), self.trust.slot()));
        self.board
            .pass(StepName::Notes, format!("checkpoint of {} events, manifest", checkpoint.size));
        self.board.pass(StepName::KeyEpochs, "signed by the key that is valid for this size");
        let anchored = anchor::check(
            files.slot_proof.as_deref(),
            files.head.as_deref(),
            &checkpoint,
            note.text(),
            &self.trust,
            &mut self.board,
        );
        let seen = self.events(
            &mut container,
            &files,
            &checkpoint,
            anchored.as_ref().map(|head| head.size),
        );
        if let Some(seen) = &seen {
            self.events = seen.events;
            self.tree(&files, &checkpoint, seen);
            self.selection(&files.manifest, &checkpoint, seen);
            let removals = std::mem::take(&mut files.removals);
            let complete = self.options.require_complete;
            cover::check(seen, removals, &checkpoint.origin, complete, &mut self.board);
        }
        let (tiles, known) = (&files.tiles, &self.options.known);
        history::check(&files.prev, known, &checkpoint, tiles, &self.trust, &mut self.board);
        if let Some(seen) = &seen {
            seen.past.check(known, self.options.accept_loss, &mut self.board);
        }
        let received = seen.as_ref().and_then(|seen| seen.last_received_before_head);
        let now_ms = self.options.now_ms;
        anchor::times(
            anchored.as_ref(),
            received,
            &checkpoint,
            &self.trust,
            now_ms,
            &mut self.board,
        );
        files.stamp.check(&checkpoint, &self.trust, &mut self.board);
        Some(checkpoint)
    }

    /// Reads and checks every line; `None` when a line is wrong.
    fn events<R: Read + Seek>(
        &mut self,
        container: &mut Container<R>,
        files: &Files,
        checkpoint: &Checkpoint,
        head: Option<u64>,
    ) -> Option<Seen> {
        let pass = Pass {
            origin_id: origin_id(&checkpoint.origin),
            size: checkpoint.size,
            tiles: &files.tiles,
            head,
            known: &self.options.known,
            threads: self.options.threads,
            progress: self.progress,
        };
        (self.progress)(Progress::Total(files.events_bytes));
        let read = container.open_file(name::EVENTS).and_then(|file| {
            let mut file = Digested::new(BufReader::with_capacity(256 << 10, file));
            let seen = pass.run(&mut file, &mut self.board)?;
            let digest =
                file.finish().map_err(|error| format!("the events cannot be read: {error}"))?;
            Ok((seen, digest))
        });
        let wrong_line = [StepName::Tree, StepName::Entries, StepName::Payloads]
            .into_iter()
            .any(|step| self.board.has_failed(step));
        match read {
            _ if wrong_line => None,
            Err(why) => {
                self.board.fail(StepName::Container, why);
                None
            }
            Ok((_, (bytes, digest)))
                if bytes != files.events_bytes || hex(&digest) != files.events_sha256 =>
            {
                self.board.fail(StepName::Container, "the events are not those of the manifest");
                None
            }
            Ok((seen, _)) => {
                let count = files.tiles.len();
                self.board.pass(
                    StepName::Container,
                    format!("{count} tiles, {} files", files.manifest.files.len()),
                );
                self.board.pass(StepName::Payloads, "every payload is what its entry commits to");
                Some(seen)
            }
        }
    }

    fn tree(&mut self, files: &Files, checkpoint: &Checkpoint, seen: &Seen) {
        let checked = tiles::check(&files.tiles, checkpoint.size, &checkpoint.root, &seen.touched)
            .and_then(|detail| entry_bundles(&files.tiles, checkpoint.size).map(|()| detail));
        match checked {
            Ok(detail) => self.board.pass(StepName::Tree, detail),
            Err(why) => self.board.fail(StepName::Tree, why),
        }
    }

    /// Checks that the bundle holds what its signed manifest says.
    fn selection(&mut self, manifest: &Manifest, checkpoint: &Checkpoint, seen: &Seen) {
        let step = StepName::Entries;
        if manifest.origin != checkpoint.origin || manifest.size != checkpoint.size {
            return self.board.fail(step, "the manifest is of another log or size");
        }
        if manifest.events != seen.events {
            let why = format!(
                "{} events are there; the manifest states {}",
                seen.events, manifest.events
            );
            return self.board.fail(step, why);
        }
        let range = match (seen.first, seen.last) {
            (Some(first), Some(last)) => format!("{} events, seq {first} to {last}", seen.events),
            _ => "no events".into(),
        };
        if !manifest.selection.is_whole() {
            if self.options.require_complete {
                self.board.undecided(step, "the bundle is a selection of the log");
            }
            return self.board.pass(
                step,
                format!("{range}: a selection, which cannot show that it is complete"),
            );
        }
        if let Some(gap) = seen.gap {
            return self
                .board
                .fail(step, format!("seq {gap} is missing from a bundle of the whole log"));
        }
        if seen.first != Some(0)
            || seen.last.and_then(|last| last.checked_add(1)) != Some(checkpoint.size)
        {
            return self
                .board
                .fail(step, format!("{range}: not the whole log of {} events", checkpoint.size));
        }
        self.board.pass(step, format!("{range}: the whole log"));
    }
}

/// Reads every small file and compares all digests with the manifest.
fn files<R: Read + Seek>(container: &mut Container<R>) -> Result<Files, String> {
    if container.size(name::MANIFEST)? > MANIFEST_BYTES_MAX {
        return Err("the manifest is too long".into());
    }
    let manifest_bytes = container.read(name::MANIFEST)?;
    let manifest: Manifest = serde_json::from_slice(&manifest_bytes)
        .map_err(|error| format!("the manifest is malformed: {error}"))?;
    if manifest.manifest != FORM {
        return Err(format!("the manifest is not {FORM}"));
    }
    let mut files = Files {
        signature: container.read(name::SIGNATURE)?,
        manifest,
        manifest_bytes,
        checkpoint: Vec::new(),
        slot_proof: None,
        head: None,
        stamp: StampFiles::default(),
        prev: Vec::new(),
        removals: HashMap::new(),
        tiles: HashMap::new(),
        events_sha256: String::new(),
        events_bytes: 0,
    };
    let lines = std::mem::take(&mut files.manifest.files);
    let mut listed = HashSet::with_capacity(lines.len());
    for line in &lines {
        if !listed.insert(line.path.as_str()) {
            return Err(format!("the manifest lists {:?} twice", line.path));
        }
        files.take(container, line)?;
    }
    let listed_too =
        |name: &str| name == name::MANIFEST || name == name::SIGNATURE || listed.contains(name);
    if let Some((extra, _)) = container.files().iter().find(|(name, _)| !listed_too(name)) {
        return Err(format!("{extra:?} is not in the manifest"));
    }
    if files.checkpoint.is_empty() || !listed.contains(name::EVENTS) {
        return Err("a bundle has a checkpoint and events".into());
    }
    files.manifest.files = lines;
    Ok(files)
}

impl Files {
    fn take<R: Read + Seek>(
        &mut self,
        container: &mut Container<R>,
        line: &crate::manifest::FileLine,
    ) -> Result<(), String> {
        let path = line.path.as_str();
        let part = Part::of(path).ok_or_else(|| format!("{path:?} is no part of a bundle"))?;
        if container.size(path)? != line.bytes {
            return Err(format!("{path:?} does not have the size that the manifest states"));
        }
        if part == Part::Events {
            // Compared while the lines are read.
            (self.events_sha256, self.events_bytes) = (line.sha256.clone(), line.bytes);
            return Ok(());
        }
        let (digest, bytes) = if part == Part::Plain {
            let file = Digested::new(container.open_file(path)?);
            let digest =
                file.finish().map_err(|error| format!("{path:?} cannot be read: {error}"))?;
            (digest.1, Vec::new())
        } else {
            let bytes = container.read(path)?;
            (sha256(&bytes), bytes)
        };
        if hex(&digest) != line.sha256 {
            return Err(format!("{path:?} does not have the digest that the manifest states"));
        }
        match part {
            Part::Checkpoint => self.checkpoint = bytes,
            Part::SlotProof => self.slot_proof = Some(bytes),
            Part::Head => self.head = Some(bytes),
            Part::Stamp(StampPart::Reply) => self.stamp.reply = Some(bytes),
            Part::Stamp(StampPart::Text) => self.stamp.text = Some(bytes),
            Part::Stamp(StampPart::SlotProof) => self.stamp.slot_proof = Some(bytes),
            Part::Stamp(StampPart::Head) => self.stamp.head = Some(bytes),
            Part::Tile(tile) => _ = self.tiles.insert(tile, bytes),
            Part::Prev(size) => self.prev.push((path.to_owned(), size, bytes)),
            Part::Removals(hash) if hash == digest => _ = self.removals.insert(hash, bytes),
            Part::Removals(_) => {
                return Err(format!("{path:?} does not have the digest in its name"));
            }
            Part::Manifest | Part::Signature => {
                return Err(format!("the manifest cannot list {path:?}"));
            }
            Part::Plain | Part::Events => {}
        }
        Ok(())
    }
}

/// Checks that entry bundles hold the entries whose leaves stand in the tiles.
fn entry_bundles(tiles: &HashMap<TilePath, Vec<u8>>, size: u64) -> Result<(), String> {
    for (path, bytes) in tiles.iter().filter(|(path, _)| path.kind() == TileKind::Entries) {
        let entries = entry_bundle::decode(bytes, path.width())
            .map_err(|error| format!("{path}: {error}"))?;
        let hashes = TilePath::of(TileKind::Hashes(0), path.index(), size);
        let leaves =
            hashes.filter(|tile| tile.width() == path.width()).and_then(|tile| tiles.get(&tile));
        let leaves = leaves.ok_or_else(|| format!("{path} belongs to no tile of the bundle"))?;
        let same =
            entries.iter().zip(leaves.chunks(32)).all(|(entry, leaf)| leaf_hash(entry) == leaf);
        if !same {
            return Err(format!("{path} holds another entry than its tile"));
        }
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> Hash {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

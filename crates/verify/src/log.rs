//! A whole log as C2SP tiles: a folder, or a server that is read over HTTP. Twelve steps, as for a bundle.
//!
//! There are no payloads here: what is shown is that the log's entries are exactly those under the signed root, that they
//! are this log's, dense and in order of time, and that the log only grew since it was seen before.

use attestary_ledger::{
    Checkpoint, Entry, Frontier, Hash, SlotProof, TileKind, TilePath, TrustFile,
    entry::FLAG_SERVICE, leaf_hash, node_hash, origin_id, tile,
};

use crate::{
    Options, anchor, notes,
    report::{Board, Progress, Report, StepName},
};

/// Where the files of a log come from.
pub trait LogFiles {
    /// Returns a file, such as `checkpoint` or `tile/0/000`; `None` when there is none.
    ///
    /// # Errors
    /// With one sentence, when it cannot be told.
    fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, String>;

    /// Returns several files, in the order of `paths`; a source that is far away asks for them side by side.
    fn fetch_all(&self, paths: &[String]) -> Vec<Result<Option<Vec<u8>>, String>> {
        paths.iter().map(|path| self.fetch(path)).collect()
    }

    /// Returns the file `head`, which leads from the head of an epoch to a checkpoint of `size` events; a server makes the one
    /// that fits.
    ///
    /// # Errors
    /// With one sentence, when it cannot be told.
    fn fetch_head(&self, _epoch: Option<u64>, _size: u64) -> Result<Option<Vec<u8>>, String> {
        self.fetch(HEAD)
    }

    /// Returns the paths of all files, where that can be known.
    fn paths(&self) -> Option<Vec<String>> {
        None
    }

    /// Says whether this is the log itself and not a copy: then it must never be smaller than it was.
    fn is_live(&self) -> bool {
        false
    }
}

/// Files of a log beside its tiles.
const CHECKPOINT: &str = "checkpoint";
const SLOT_PROOF: &str = "slot-proof";
const HEAD: &str = "head";
/// Level-0 tiles, each with its entry bundle, that are asked for together: 500 KB.
const TOGETHER: u64 = 16;

/// Verifies a log. `progress` is told how many entries there are, and how many more were checked.
pub fn log(
    files: &dyn LogFiles,
    trust: &[u8],
    options: &Options,
    progress: &dyn Fn(Progress),
) -> Report {
    let mut board = Board::default();
    let trust = match TrustFile::parse(trust) {
        Ok(trust) => trust,
        Err(error) => {
            board.undecided(StepName::Trust, notes::chain(&error));
            return board.finish(None, 0);
        }
    };
    let mut run = Run { files, trust, options, progress, board };
    let (head, events) = run.steps().unwrap_or((None, 0));
    let head = head.map(|head| (head.origin, head.size, head.root));
    run.board.finish(head, events)
}

struct Run<'a> {
    files: &'a dyn LogFiles,
    trust: TrustFile,
    options: &'a Options,
    progress: &'a dyn Fn(Progress),
    board: Board,
}

/// What the pass over the leaves found.
struct Pass {
    frontier: Frontier,
    /// Computed nodes of the tile levels from 1 on.
    levels: Vec<Vec<Hash>>,
    /// Roots at the sizes that were seen before.
    older: Vec<(u64, Hash)>,
    last: Option<Entry>,
    last_before_head: Option<u64>,
}

impl Run<'_> {
    fn steps(&mut self) -> Option<(Option<Checkpoint>, u64)> {
        // First: on a server the log grows, and the checkpoint must cover what the slot proof speaks of.
        let slot_proof = match self.trust.anchor() {
            Some(_) => self.optional(SLOT_PROOF, self.files.fetch(SLOT_PROOF))?,
            None => None,
        };
        let bytes = self.file(StepName::Notes, CHECKPOINT)?;
        let (note, accepted) = notes::checkpoint(&bytes, &self.trust, &mut self.board)?;
        let head = accepted.checkpoint;
        self.board
            .pass(StepName::Trust, format!("{}, slot {}", self.trust.origin(), self.trust.slot()));
        self.board.pass(StepName::Notes, format!("checkpoint of {} events", head.size));
        self.board.pass(StepName::KeyEpochs, "signed by the key that is valid for this size");
        self.container(&head);
        let older = match self.trust.anchor() {
            Some(_) => {
                let proof = slot_proof.as_deref().and_then(|proof| SlotProof::parse(proof).ok());
                let found = self.files.fetch_head(proof.map(|proof| proof.epoch), head.size);
                self.optional(HEAD, found)?
            }
            None => None,
        };
        let (slot_proof, older) = (slot_proof.as_deref(), older.as_deref());
        let text = note.text();
        let anchored = anchor::check(slot_proof, older, &head, text, &self.trust, &mut self.board);
        let anchored_size = anchored.as_ref().map(|anchored| anchored.size);
        let pass = self.leaves(&head, anchored_size)?;
        self.upper_tiles(&head, &pass)?;
        if pass.frontier.root() == head.root {
            let detail =
                format!("root of {} events from {} tiles", head.size, tile_count(head.size));
            self.board.pass(StepName::Tree, detail);
        } else {
            self.board.fail(StepName::Tree, "the tiles lead to another root than the checkpoint's");
            return Some((None, head.size));
        }
        self.board.pass(
            StepName::Entries,
            format!("{} entries of this log, dense and in order", head.size),
        );
        self.board
            .pass(StepName::Payloads, "tiles hold no payloads; each entry commits to its own");
        self.board.pass(StepName::Absence, "no entry is missing");
        self.history(&head, &pass);
        let (received, now_ms) = (pass.last_before_head, self.options.now_ms);
        anchor::times(anchored.as_ref(), received, &head, &self.trust, now_ms, &mut self.board);
        let size = head.size;
        Some((Some(head), size))
    }

    /// Refuses files that belong to no tree of this size.
    fn container(&mut self, head: &Checkpoint) {
        let Some(paths) = self.files.paths() else {
            return self.board.pass(StepName::Container, "read from the server");
        };
        let known = |path: &str| {
            let tile = TilePath::parse(path).ok();
            let exact = tile.and_then(|tile| TilePath::of(tile.kind(), tile.index(), head.size));
            // Narrower tiles of smaller trees may have been kept.
            exact.zip(tile).is_some_and(|(exact, tile)| tile.width() <= exact.width())
                || matches!(path, CHECKPOINT | SLOT_PROOF | HEAD)
        };
        match paths.iter().find(|path| !known(path)) {
            Some(extra) => {
                let why = format!("{extra:?} belongs to no log of {} events", head.size);
                self.board.fail(StepName::Container, why);
            }
            None => self.board.pass(StepName::Container, format!("{} files", paths.len())),
        }
    }

    /// Reads level-0 tiles and bundles side by side.
    fn leaves(&mut self, head: &Checkpoint, anchored: Option<u64>) -> Option<Pass> {
        let mut pass = Pass {
            frontier: Frontier::default(),
            levels: vec![Vec::new()],
            older: Vec::new(),
            last: None,
            last_before_head: None,
        };
        let origin = origin_id(&head.origin);
        let sizes: Vec<u64> = self
            .options
            .known
            .iter()
            .filter(|known| known.origin == head.origin)
            .map(|known| known.size)
            .collect();
        (self.progress)(Progress::Total(head.size));
        let tiles = head.size.div_ceil(tile::TILE_WIDTH);
        for first in (0..tiles).step_by(TOGETHER as usize) {
            let indexes = first..tiles.min(first + TOGETHER);
            let paths: Vec<TilePath> = indexes
                .flat_map(|index| [(TileKind::Hashes(0), index), (TileKind::Entries, index)])
                .filter_map(|(kind, index)| TilePath::of(kind, index, head.size))
                .collect();
            let names: Vec<String> = paths.iter().map(ToString::to_string).collect();
            let mut files = self.files.fetch_all(&names).into_iter();
            for pair in paths.as_chunks::<2>().0 {
                let mut next = |path: &TilePath| {
                    let file = files.next().unwrap_or(Ok(None));
                    let step = step_of(path.kind());
                    self.given(step, &path.to_string(), file)
                };
                let (hashes, bundle) = (next(&pair[0])?, next(&pair[1])?);
                let leaves = match tile::decode(&hashes, pair[0].width()) {
                    Ok(leaves) => leaves,
                    Err(error) => {
                        return self.fail(StepName::Tree, format!("{}: {error}", pair[0]));
                    }
                };
                let entries = match tile::bundle::decode(&bundle, pair[1].width()) {
                    Ok(entries) => entries,
                    Err(error) => {
                        return self.fail(StepName::Entries, format!("{}: {error}", pair[1]));
                    }
                };
                for (leaf, entry) in leaves.iter().zip(entries) {
                    if sizes.contains(&pass.frontier.size()) {
                        pass.older.push((pass.frontier.size(), pass.frontier.root()));
                    }
                    if let Err(why) = place(&mut pass, leaf, entry, &origin, anchored) {
                        return self.fail(StepName::Entries, why);
                    }
                    pass.frontier.append(*leaf);
                }
                if leaves.len() as u64 == tile::TILE_WIDTH {
                    pass.levels[0].push(fold(leaves));
                }
                (self.progress)(Progress::Done(leaves.len() as u64));
            }
        }
        Some(pass)
    }

    /// Compares the tiles of the levels from 1 on with what the leaves give.
    fn upper_tiles(&mut self, head: &Checkpoint, pass: &Pass) -> Option<()> {
        let mut nodes = pass.levels[0].clone();
        for level in 1_u8..8 {
            if nodes.is_empty() {
                break;
            }
            for (index, hashes) in (0..).zip(nodes.chunks(256)) {
                let (path, bytes) = self.tile(TileKind::Hashes(level), index, head.size)?;
                if bytes != tile::encode(hashes) {
                    return self
                        .fail(StepName::Tree, format!("{path} is not what the leaves give"));
                }
            }
            nodes = nodes.chunks_exact(256).map(fold).collect();
        }
        Some(())
    }

    fn history(&mut self, head: &Checkpoint, pass: &Pass) {
        let mut agreed = 0;
        for known in self.options.known.iter().filter(|known| known.origin == head.origin) {
            let sizes = (known.size, head.size);
            let root = if sizes.0 == sizes.1 {
                Some(head.root)
            } else {
                pass.older.iter().find(|(size, _)| *size == known.size).map(|(_, root)| *root)
            };
            match root {
                Some(root) if root == known.root => agreed += 1,
                Some(_) => {
                    let why = format!(
                        "at size {} the log had another root when it was seen before: a fork",
                        known.size
                    );
                    return self.board.fail(StepName::History, why);
                }
                None if self.files.is_live() => {
                    let why = format!(
                        "a checkpoint of {} events was seen before; now there are {}: events are gone",
                        sizes.0, sizes.1
                    );
                    return self.board.fail(StepName::History, why);
                }
                None => {
                    let why = format!(
                        "a checkpoint of {} events is known; this one, of {}, is older than that",
                        sizes.0, sizes.1
                    );
                    self.board.undecided(StepName::History, why);
                }
            }
        }
        self.board.pass(StepName::History, format!("{agreed} known checkpoints agree"));
    }

    fn tile(&mut self, kind: TileKind, index: u64, size: u64) -> Option<(TilePath, Vec<u8>)> {
        let path = TilePath::of(kind, index, size)?;
        self.file(step_of(kind), &path.to_string()).map(|bytes| (path, bytes))
    }

    /// Returns a file that must be there.
    fn file(&mut self, step: StepName, path: &str) -> Option<Vec<u8>> {
        let file = self.files.fetch(path);
        self.given(step, path, file)
    }

    /// Says on the board what was not given.
    fn given(
        &mut self,
        step: StepName,
        path: &str,
        file: Result<Option<Vec<u8>>, String>,
    ) -> Option<Vec<u8>> {
        match file {
            Ok(Some(bytes)) => Some(bytes),
            Ok(None) => self.fail(step, format!("{path} is missing")),
            Err(why) => {
                self.board.undecided(step, format!("{path}: {why}"));
                None
            }
        }
    }

    /// Returns a file that may be missing; the outer `None` means that nobody knows.
    fn optional(
        &mut self,
        path: &str,
        found: Result<Option<Vec<u8>>, String>,
    ) -> Option<Option<Vec<u8>>> {
        match found {
            Ok(file) => Some(file),
            Err(why) => {
                self.board.undecided(StepName::Anchoring, format!("{path}: {why}"));
                None
            }
        }
    }

    fn fail<T>(&mut self, step: StepName, why: String) -> Option<T> {
        self.board.fail(step, why);
        None
    }
}

fn place(
    pass: &mut Pass,
    leaf: &Hash,
    bytes: &[u8],
    origin: &[u8; 16],
    anchored: Option<u64>,
) -> Result<(), String> {
    let seq = pass.frontier.size();
    if leaf_hash(bytes) != *leaf {
        return Err(format!("seq {seq} is not the leaf that stands in the tree"));
    }
    let entry = Entry::decode(bytes).map_err(|error| format!("seq {seq}: {error}"))?;
    if entry.origin != *origin {
        return Err(format!("seq {seq} is an entry of another log"));
    }
    if entry.seq != seq {
        return Err(format!("the entry at {seq} says seq {}", entry.seq));
    }
    if let Some(last) = pass.last.filter(|last| entry.received_ms < last.received_ms) {
        // A service event may have said that the clock stepped; its payload is not here.
        if last.flags & FLAG_SERVICE == 0 {
            return Err(format!("seq {seq} was received before the event ahead of it"));
        }
    }
    if anchored.is_some_and(|size| seq < size) {
        pass.last_before_head = Some(entry.received_ms);
    }
    pass.last = Some(entry);
    Ok(())
}

fn step_of(kind: TileKind) -> StepName {
    if kind == TileKind::Entries { StepName::Entries } else { StepName::Tree }
}

fn tile_count(size: u64) -> usize {
    tile::tiles(size).filter(|path| path.kind() != TileKind::Entries).count()
}

fn fold(nodes: &[Hash]) -> Hash {
    let mut nodes = nodes.to_vec();
    while nodes.len() > 1 {
        nodes =
            nodes.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    nodes.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! The pass over `events.ndjson`: one thread reads and cuts, several check lines, one puts the answers in order.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io::Read,
    sync::mpsc,
    thread,
};

use attestary_ledger::{Hash, TileKind, TilePath, tile::TILE_WIDTH};

use crate::{
    line::{Checked, LINE_BYTES_MAX, Missing, Said, Wrong, check},
    past::Past,
    report::{Board, Progress, StepName},
    verify::Known,
};

/// Bytes that one worker gets at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Ids that are remembered to find repeats: 64 MB.
const IDS_MAX: usize = 4 << 20;

/// What the pass found.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) events: u64,
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
    /// A seq between the first and the last one is not there.
    pub(crate) gap: Option<u64>,
    /// Level-0 tiles that hold an event.
    pub(crate) touched: BTreeSet<u64>,
    /// Events of which something is missing.
    pub(crate) missing: Vec<(u64, Missing)>,
    /// Service events that commit to removal lists.
    pub(crate) covers: Vec<(u64, Said)>,
    /// `received_ms` of the last event below [`Pass::head`].
    pub(crate) last_received_before_head: Option<u64>,
    pub(crate) repeats: u64,
    /// What the log goes on from.
    pub(crate) past: Past,
}

/// What lines are compared with.
pub(crate) struct Pass<'a> {
    pub(crate) origin_id: [u8; 16],
    pub(crate) size: u64,
    pub(crate) tiles: &'a HashMap<TilePath, Vec<u8>>,
    /// Size of the anchored head, if there is one.
    pub(crate) head: Option<u64>,
    /// Heads that were accepted before.
    pub(crate) known: &'a [Known],
    pub(crate) threads: usize,
    pub(crate) progress: &'a (dyn Fn(Progress) + Sync),
}

type Answer = (usize, Vec<Result<Checked, Wrong>>, u64);

impl Pass<'_> {
    /// Checks every line; what is wrong goes onto the board. The first wrong line ends the pass.
    pub(crate) fn run(&self, reader: &mut dyn Read, board: &mut Board) -> Result<Seen, String> {
        let threads = self.threads.max(1);
        let mut order = Order::new(self);
        let read = thread::scope(|scope| {
            let (answers, answered) = mpsc::sync_channel::<Answer>(2 * threads);
            let mut workers = Vec::new();
            for _ in 0..threads {
                let (chunks, work) = mpsc::sync_channel::<(usize, Vec<u8>)>(2);
                let answers = answers.clone();
                scope.spawn(move || {
                    for (number, chunk) in work {
                        let bytes = chunk.len() as u64;
                        let checked = lines(&chunk).map(check).collect();
                        if answers.send((number, checked, bytes)).is_err() {
                            return;
                        }
                    }
                });
                workers.push(chunks);
            }
            drop(answers);
            let ordering = scope.spawn({
                let order = &mut order;
                let board = &mut *board;
                move || {
                    let mut early: HashMap<usize, (Vec<Result<Checked, Wrong>>, u64)> =
                        HashMap::new();
                    let mut next = 0;
                    for (number, checked, bytes) in answered {
                        early.insert(number, (checked, bytes));
                        while let Some((checked, bytes)) = early.remove(&next) {
                            next += 1;
                            order.take(checked, board);
                            (order.pass.progress)(Progress::Done(bytes));
                        }
                        if order.broken {
                            // The receiver goes, the workers and the reader end.
                            return;
                        }
                    }
                }
            });
            let read = cut(reader, |number, chunk| {
                workers[number % threads].send((number, chunk)).is_ok()
            });
            drop(workers);
            let _ = ordering.join();
            read
        });
        if !order.broken {
            read?;
        }
        Ok(order.finish(board))
    }
}

/// Returns the lines of a chunk that are not empty.
fn lines(chunk: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b'\n', chunk).chain([chunk.len()]);
    let lines = ends.scan(0, |start, end| {
        let line = chunk.get(*start..end).unwrap_or_default();
        *start = end + 1;
        Some(line)
    });
    lines.filter(|line| !line.is_empty())
}

/// Cuts a stream into chunks of whole lines, until `give` takes no more.
fn cut(reader: &mut dyn Read, mut give: impl FnMut(usize, Vec<u8>) -> bool) -> Result<(), String> {
    let (mut number, mut carried) = (0, Vec::new());
    loop {
        let mut chunk = std::mem::take(&mut carried);
        let old = chunk.len();
        chunk.resize(old + CHUNK_BYTES, 0);
        let mut filled = old;
        while filled < chunk.len() {
            let count = reader
                .read(&mut chunk[filled..])
                .map_err(|error| format!("the events cannot be read: {error}"))?;
            if count == 0 {
                break;
            }
            filled += count;
        }
        let ended = filled < chunk.len();
        chunk.truncate(filled);
        if ended {
            if chunk.last().is_some_and(|byte| *byte != b'\n') {
                return Err("the last line of the events has no end".into());
            }
            give(number, chunk);
            return Ok(());
        }
        let end = chunk.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        carried = chunk.split_off(end);
        if carried.len() > LINE_BYTES_MAX {
            return Err(format!("a line of the events has more than {LINE_BYTES_MAX} bytes"));
        }
        if !chunk.is_empty() {
            if !give(number, chunk) {
                return Ok(());
            }
            number += 1;
        }
    }
}

/// Judges lines in their order.
struct Order<'a> {
    pass: &'a Pass<'a>,
    seen: Seen,
    ids: HashSet<[u8; 16]>,
    last_received: u64,
    last_action: Option<String>,
    /// The level-0 tile of the last event, and its hashes.
    tile: Option<(u64, &'a [u8])>,
    broken: bool,
}

impl<'a> Order<'a> {
    fn new(pass: &'a Pass<'a>) -> Self {
        Self {
            pass,
            seen: Seen::default(),
            ids: HashSet::new(),
            last_received: 0,
            last_action: None,
            tile: None,
            broken: false,
        }
    }

    fn take(&mut self, checked: Vec<Result<Checked, Wrong>>, board: &mut Board) {
        for line in checked {
            if self.broken {
                return;
            }
            let wrong = match line {
                Ok(checked) => self.place(checked).err(),
                Err(wrong) => Some(wrong),
            };
            if let Some(wrong) = wrong {
                board.fail(wrong.step, wrong.detail);
                self.broken = true;
            }
        }
    }

    fn place(&mut self, checked: Checked) -> Result<(), Wrong> {
        let entry = checked.entry;
        let seq = entry.seq;
        let wrong = |detail: String| Wrong { step: StepName::Entries, detail };
        if entry.origin != self.pass.origin_id {
            return Err(wrong(format!("seq {seq} is an entry of another log")));
        }
        if seq >= self.pass.size {
            return Err(wrong(format!("seq {seq} is not in a log of {} events", self.pass.size)));
        }
        if let Some(last) = self.seen.last {
            if seq <= last {
                return Err(wrong(format!("seq {seq} comes after seq {last}")));
            }
            if seq != last + 1 && self.seen.gap.is_none() {
                self.seen.gap = Some(last + 1);
            }
        }
        // A selection leaves out what lies between, and always holds the steps themselves.
        let follows_step = self.last_action.as_deref() == Some("attestary.clock.stepped");
        if entry.received_ms < self.last_received && !follows_step {
            return Err(wrong(format!("seq {seq} was received before the event ahead of it")));
        }
        self.compare_leaf(seq, &checked.leaf)?;
        if seq == 0 {
            self.seen.past = Past::of(checked.said.as_deref(), self.pass.known);
        } else {
            self.seen.past.add(&entry);
        }
        self.last_received = entry.received_ms;
        if self.pass.head.is_some_and(|head| seq < head) {
            self.seen.last_received_before_head = Some(entry.received_ms);
        }
        if self.ids.len() < IDS_MAX && !self.ids.insert(entry.event_id) {
            self.seen.repeats += 1;
        }
        self.seen.first = self.seen.first.or(Some(seq));
        self.seen.last = Some(seq);
        self.seen.events += 1;
        if checked.missing != Missing::Nothing {
            self.seen.missing.push((seq, checked.missing));
        }
        self.last_action = None;
        if let Some(said) = checked.said {
            self.last_action = Some(said.action.clone());
            if said.removal_sha256.is_some() {
                self.seen.covers.push((seq, *said));
            }
        }
        Ok(())
    }

    fn compare_leaf(&mut self, seq: u64, leaf: &Hash) -> Result<(), Wrong> {
        let index = seq / TILE_WIDTH;
        let tile = match self.tile {
            Some((last, tile)) if last == index => tile,
            _ => {
                self.seen.touched.insert(index);
                let path = TilePath::of(TileKind::Hashes(0), index, self.pass.size);
                let Some(tile) = path.and_then(|path| self.pass.tiles.get(&path)) else {
                    let detail = format!("the tile of seq {seq} is missing");
                    return Err(Wrong { step: StepName::Tree, detail });
                };
                self.tile = Some((index, tile));
                tile
            }
        };
        let at = (seq % TILE_WIDTH) as usize * 32;
        if tile.get(at..at + 32) == Some(leaf.as_slice()) {
            return Ok(());
        }
        let detail = format!("seq {seq} is not the leaf that stands in the tree");
        Err(Wrong { step: StepName::Entries, detail })
    }

    fn finish(self, board: &mut Board) -> Seen {
        if !self.broken && self.seen.repeats > 0 {
            board.pass(StepName::Entries, format!("{} repeated ids", self.seen.repeats));
        }
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_stands_between_newlines() {
        let check = |chunk: &str, expected: &[&str]| {
            let found: Vec<_> = lines(chunk.as_bytes()).collect();
            assert_eq!(found, expected.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());
        };
        check("", &[]);
        check("\n\n", &[]);
        check("a\n", &["a"]);
        check("a\nbc\n\nd", &["a", "bc", "d"]);
    }
}

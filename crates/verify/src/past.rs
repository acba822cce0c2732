//! Step 7 for a log that began anew after a restore: its genesis event names the older incarnations, and the entries that it
//! goes on from give their roots, because an entry of an older log differs in the log's name only.

use attestary_ledger::{Entry, Frontier, Hash, origin_id};

use crate::{
    line::{Previous, Said},
    report::{Board, StepName},
    verify::Known,
};

/// The older incarnations of a log, computed beside it while its entries come by.
#[derive(Debug, Default)]
pub(crate) struct Past {
    named: Vec<Previous>,
    trees: Vec<Tree>,
}

/// The tree of an older incarnation as far as this log holds it.
#[derive(Debug)]
struct Tree {
    origin: [u8; 16],
    frontier: Frontier,
    size: u64,
    /// Known sizes above the present one, ascending; their roots are wanted.
    wanted: Vec<u64>,
    roots: Vec<(u64, Hash)>,
    /// An event was left out: nothing more can be said.
    broken: bool,
}

impl Past {
    /// Begins with what the event at seq 0 says.
    pub(crate) fn of(genesis: Option<&Said>, known: &[Known]) -> Self {
        let named = genesis.filter(|said| said.action == "attestary.genesis");
        let named = named.map_or_else(Vec::new, |said| said.previous.clone());
        let trees = named.iter().map(|previous| Tree::of(previous, known)).collect();
        Self { named, trees }
    }

    /// Returns the older incarnations, the oldest first.
    pub(crate) fn named(&self) -> &[Previous] {
        &self.named
    }

    /// Takes the next entry of the log.
    pub(crate) fn add(&mut self, entry: &Entry) {
        for tree in self.trees.iter_mut().filter(|tree| entry.seq < tree.size) {
            tree.add(entry);
        }
    }

    /// Says what the log goes on from, and whether that agrees with itself and with what was known.
    pub(crate) fn check(&self, known: &[Known], accept_loss: bool, board: &mut Board) {
        for (previous, tree) in self.named.iter().zip(&self.trees) {
            let Previous { origin, size, .. } = previous;
            if tree.broken || tree.frontier.size() != *size {
                let why = format!(
                    "goes on from {origin} at {size} events, which a selection cannot show"
                );
                board.pass(StepName::History, why);
                continue;
            }
            if tree.frontier.root() != previous.root {
                let why =
                    format!("the events are not the {size} of {origin} that the log goes on from");
                return board.fail(StepName::History, why);
            }
            let mut agreed = 0;
            for head in known.iter().filter(|head| head.origin == *origin) {
                if head.size > *size {
                    lost(head, *size, accept_loss, board);
                } else if tree.roots.contains(&(head.size, head.root)) {
                    agreed += 1;
                } else {
                    let why = format!(
                        "at size {} the log {origin} had another root when it was seen before: a fork",
                        head.size
                    );
                    return board.fail(StepName::History, why);
                }
            }
            let detail = format!(
                "restored: goes on from {origin} at {size} events, {agreed} known checkpoints of that log agree"
            );
            board.pass(StepName::History, detail);
        }
    }
}

fn lost(head: &Known, size: u64, accept_loss: bool, board: &mut Board) {
    let what = format!(
        "{} had {} events when it was seen before; the restore kept {size}, seq {size} to {} are lost",
        head.origin,
        head.size,
        head.size - 1
    );
    if accept_loss {
        board.pass(StepName::History, what);
    } else {
        board.undecided(StepName::History, format!("{what} (--accept-loss if that is known)"));
    }
}

impl Tree {
    fn of(previous: &Previous, known: &[Known]) -> Self {
        let ours = known.iter().filter(|head| head.origin == previous.origin);
        let mut wanted: Vec<u64> =
            ours.map(|head| head.size).filter(|size| *size <= previous.size).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut tree = Self {
            origin: origin_id(&previous.origin),
            frontier: Frontier::default(),
            size: previous.size,
            wanted,
            roots: Vec::new(),
            broken: false,
        };
        tree.wanted.retain(|size| *size > 0);
        tree.append(previous.genesis);
        tree
    }

    fn add(&mut self, entry: &Entry) {
        self.broken |= entry.seq != self.frontier.size();
        if !self.broken {
            self.append(Entry { origin: self.origin, ..*entry }.leaf_hash());
        }
    }

    fn append(&mut self, leaf: Hash) {
        self.frontier.append(leaf);
        if self.wanted.binary_search(&self.frontier.size()).is_ok() {
            self.roots.push((self.frontier.size(), self.frontier.root()));
        }
    }
}

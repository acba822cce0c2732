//! Rebuilding the Merkle tree of every log from its events, and holding it against the head.

use std::collections::BTreeMap;

use attestary_ledger::{Frontier, Hash, origin_id};
use hashbrown::HashMap;

use super::Report;
use crate::{catalog::HeadRow, segment::Log};

/// Leaves under one kept node.
const NODE_LEAVES: u64 = 1 << Frontier::KEPT_LEVEL;

/// All logs, by slot.
pub(super) struct Logs {
    logs: HashMap<u64, Rebuilt>,
}

/// A log that is being rebuilt.
struct Rebuilt {
    log: Log,
    head: HeadRow,
    tree: Frontier,
    /// Leaves that came before their turn, by first seq: rewritten segments may hold older events.
    early: BTreeMap<u64, Vec<Leaf>>,
    /// Seqs whose content cannot be read; their leaves are unknown.
    lost: Vec<(u64, u64)>,
    /// The first kept node that does not follow from its leaves was named.
    named: bool,
}

/// One event's hash, and the kept node beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    pub(super) hash: Hash,
    pub(super) node: Option<Hash>,
}

impl Logs {
    pub(super) fn new(log_name: &str, heads: &[HeadRow]) -> Self {
        let live = heads.iter().filter(|head| !head.deleted);
        let logs = live.map(|head| {
            let log = Log {
                environment: head.environment.clone(),
                tenant: head.tenant.clone(),
                origin_id: origin_id(&format!("{log_name}/t/{}", head.log_id)),
            };
            let rebuilt = Rebuilt {
                log,
                head: head.clone(),
                tree: Frontier::default(),
                early: BTreeMap::new(),
                lost: Vec::new(),
                named: false,
            };
            (head.slot, rebuilt)
        });
        Self { logs: logs.collect() }
    }

    pub(super) fn log(&self, slot: u64) -> Option<&Log> {
        self.logs.get(&slot).map(|rebuilt| &rebuilt.log)
    }

    /// Returns environment and tenant of a log.
    pub(super) fn name(&self, slot: u64) -> Option<(&str, &str)> {
        let log = self.log(slot)?;
        Some((log.environment.as_str(), log.tenant.as_str()))
    }

    /// Takes consecutive leaves of a log from `first` on.
    pub(super) fn leaves(
        &mut self,
        slot: u64,
        first: u64,
        leaves: Vec<Leaf>,
        place: &str,
        report: &mut Report,
    ) {
        let Some(rebuilt) = self.logs.get_mut(&slot) else { return };
        rebuilt.check_nodes(first, &leaves, place, report);
        rebuilt.early.insert(first, leaves);
        rebuilt.advance();
    }

    /// Notes events whose content cannot be read; they are named already.
    pub(super) fn lost(&mut self, slot: u64, first: u64, last: u64) {
        if let Some(rebuilt) = self.logs.get_mut(&slot) {
            rebuilt.lost.push((first, last));
        }
    }

    /// Compares every tree with its head.
    pub(super) fn finish(self, report: &mut Report) {
        let mut slots: Vec<_> = self.logs.into_iter().collect();
        slots.sort_unstable_by_key(|(slot, _)| *slot);
        for (_, rebuilt) in slots {
            rebuilt.finish(report);
        }
    }
}

impl Rebuilt {
    /// Appends what has its turn; what was read twice is kept once.
    fn advance(&mut self) {
        while let Some((&first, _)) = self.early.first_key_value() {
            if first > self.tree.size() {
                return;
            }
            let Some((_, leaves)) = self.early.pop_first() else { return };
            let skip = (self.tree.size() - first) as usize;
            for leaf in leaves.iter().skip(skip) {
                self.tree.append(leaf.hash);
            }
        }
    }

    /// Each kept node covers sixteen leaves of which this run may hold all or some.
    fn check_nodes(&mut self, first: u64, leaves: &[Leaf], place: &str, report: &mut Report) {
        let start = (first.next_multiple_of(NODE_LEAVES) - first) as usize;
        for (index, group) in
            leaves.get(start..).unwrap_or_default().chunks_exact(NODE_LEAVES as usize).enumerate()
        {
            let mut tree = Frontier::default();
            let mut node = None;
            for leaf in group {
                node = tree.append(leaf.hash);
            }
            if group.last().and_then(|leaf| leaf.node) != node {
                let at = first + start as u64 + index as u64 * NODE_LEAVES;
                self.named = true;
                report.damaged_events(
                    place,
                    Some((self.log.environment.as_str(), self.log.tenant.as_str())),
                    (at, at + NODE_LEAVES - 1),
                    "the events do not hash to the tree node that was sealed with them",
                );
            }
        }
    }

    fn finish(mut self, report: &mut Report) {
        let size = self.head.size;
        let place = "segments";
        let name = (self.log.environment.as_str().to_owned(), self.log.tenant.as_str().to_owned());
        let name = Some((name.0.as_str(), name.1.as_str()));
        for (first, last) in self.missing(size) {
            let detail = "the events are in no segment and were sealed";
            report.damaged_events(place, name, (first, last), detail);
            self.lost.push((first, last));
        }
        let beyond = self
            .early
            .last_key_value()
            .map_or(self.tree.size(), |(first, leaves)| first + leaves.len() as u64);
        if beyond > size {
            let detail = "segments hold more events than the log's head counts";
            report.damaged_events(place, name, (size, beyond - 1), detail);
            return;
        }
        if !self.lost.is_empty() || self.named {
            return;
        }
        report.logs += 1;
        if self.tree.peaks() != self.head.frontier {
            let detail = "the events do not hash to the root of the log's head";
            report.damaged_events(place, name, (0, size.saturating_sub(1)), detail);
        }
    }

    /// Returns the ranges below `size` that no segment holds and that are not named yet.
    fn missing(&self, size: u64) -> Vec<(u64, u64)> {
        let mut held: Vec<(u64, u64)> = vec![(0, self.tree.size())];
        held.extend(self.early.iter().map(|(first, leaves)| (*first, first + leaves.len() as u64)));
        held.extend(self.lost.iter().map(|(first, last)| (*first, last + 1)));
        held.sort_unstable();
        let mut missing = Vec::new();
        let mut next = 0;
        for (first, end) in held {
            if first > next {
                missing.push((next, first - 1));
            }
            next = next.max(end);
        }
        if next < size {
            missing.push((next, size - 1));
        }
        missing
    }
}

//! Unsealed events in memory: the journal's own bytes, found by log and seq.

use std::sync::Arc;

use attestary_ledger::Hash;
use hashbrown::HashMap;

use crate::{partition::Applied, record::Record};

/// One unsealed record, shared with everybody who reads.
#[derive(Debug, Clone)]
pub struct Unsealed {
    batch: Arc<Applied>,
    index: u32,
}

impl Unsealed {
    /// Returns the record.
    pub fn record(&self) -> Record<'_> {
        self.batch.record(self.index as usize).expect("only decoded records were put into the tail")
    }

    /// Returns the level-4 tree node that the event completed, if it did.
    pub fn node(&self) -> Option<Hash> {
        self.batch.nodes[self.index as usize]
    }
}

/// The unsealed records of a partition, by slot, in the order of seq.
#[derive(Debug, Default)]
pub struct Tail {
    logs: HashMap<u64, Vec<Unsealed>>,
    events: usize,
    bytes: usize,
}

impl Tail {
    /// Adds one applied batch.
    pub fn push(&mut self, applied: Applied) {
        let batch = Arc::new(applied);
        self.bytes += batch.bytes.len();
        for index in 0..batch.places.len() {
            let Some(record) = batch.record(index) else { continue };
            let log = self.logs.entry(record.slot()).or_default();
            log.push(Unsealed { batch: Arc::clone(&batch), index: index as u32 });
            self.events += 1;
        }
    }

    /// Returns the number of events.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Returns the bytes of all batches.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the records of one log in the order of seq.
    pub fn log(&self, slot: u64) -> &[Unsealed] {
        self.logs.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// Returns the records of the logs whose slot `keep` wants, sorted by (slot, seq): the order of a segment.
    pub fn sorted(&self, keep: impl Fn(u64) -> bool) -> impl Iterator<Item = &Unsealed> {
        let mut slots: Vec<_> = self.logs.keys().copied().filter(|&slot| keep(slot)).collect();
        slots.sort_unstable();
        slots.into_iter().flat_map(|slot| self.log(slot))
    }

    /// Drops the records of one log.
    pub fn remove(&mut self, slot: u64) {
        if let Some(log) = self.logs.remove(&slot) {
            self.events -= log.len();
        }
    }
}

//! What readers see of a partition: its logs, its unsealed events and the manifest, always consistent.

use std::{
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use attestary_event::{EnvironmentId, TenantId};
use attestary_ledger::Hash;
use hashbrown::{HashMap, HashSet};
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::{
    catalog::Manifest,
    partition::Applied,
    segment,
    signing::Head,
    slots::Slots,
    state::{LogState, State},
    tail::{Tail, Unsealed},
};

/// A tenant's log as readers know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// Fixed number of the log.
    pub slot: u64,
    /// Namespace.
    pub environment: EnvironmentId,
    /// Whose log.
    pub tenant: TenantId,
    /// ULID of this incarnation.
    pub log_id: String,
    /// `<log_name>/t/<log id>`.
    pub origin: String,
    /// Number of events, the genesis event included.
    pub size: u64,
    /// `received_at` of the last event in milliseconds.
    pub last_received_ms: u64,
}

#[derive(Debug)]
struct LogEntry {
    environment: EnvironmentId,
    tenant: TenantId,
    log_id: Arc<str>,
    origin_id: [u8; 16],
    size: AtomicU64,
    last_received_ms: AtomicU64,
    watch: OnceLock<watch::Sender<u64>>,
    /// The newest head that may be signed: size and root.
    head: RwLock<Option<(u64, Hash)>>,
}

impl LogEntry {
    fn of(log: &LogState) -> Self {
        Self {
            environment: log.environment.clone(),
            tenant: log.tenant.clone(),
            log_id: log.log_id.clone(),
            origin_id: log.origin_id,
            size: AtomicU64::new(log.size()),
            last_received_ms: AtomicU64::new(log.last_received_ms),
            watch: OnceLock::new(),
            head: RwLock::default(),
        }
    }

    fn update(&self, log: &LogState) {
        self.size.store(log.size(), Ordering::Release);
        self.last_received_ms.store(log.last_received_ms, Ordering::Release);
        if let Some(watch) = self.watch.get() {
            raise(watch, log.size());
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    manifest: Arc<Manifest>,
    sealing: Option<Arc<Tail>>,
    live: Tail,
    logs: HashMap<u64, Arc<LogEntry>>,
    slots: Slots,
    /// Logs that grew since their head was last taken for signing.
    unsigned: HashSet<u64>,
}

/// The shared view. Locks are held for lines, never across an await or I/O.
#[derive(Debug, Default)]
pub(super) struct View {
    inner: RwLock<Inner>,
}

/// One log at one moment: what a query reads.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) manifest: Arc<Manifest>,
    pub(super) sealing: Option<Arc<Tail>>,
    pub(super) live: Vec<Unsealed>,
}

impl View {
    pub(super) fn new(state: &State, manifest: Manifest, replayed: Vec<Applied>) -> Self {
        let mut inner = Inner { manifest: Arc::new(manifest), ..Inner::default() };
        for applied in replayed {
            inner.live.push(applied);
        }
        for (slot, log) in state.logs() {
            inner.insert(slot, log);
        }
        Self { inner: RwLock::new(inner) }
    }

    /// Makes one applied batch visible.
    pub(super) fn publish(&self, state: &State, applied: Applied) {
        let mut touched: Vec<u64> = Vec::new();
        for index in 0..applied.places.len() {
            if let Some(record) = applied.record(index)
                && touched.last() != Some(&record.slot())
            {
                touched.push(record.slot());
            }
        }
        touched.sort_unstable();
        touched.dedup();
        let mut inner = self.inner.write();
        inner.live.push(applied);
        for slot in touched {
            let Some(log) = state.log(slot) else { continue };
            match inner.logs.get(&slot) {
                Some(entry) => entry.update(log),
                None => inner.insert(slot, log),
            }
            inner.unsigned.insert(slot);
        }
    }

    /// Takes the logs that grew since they were last taken.
    pub(super) fn take_unsigned(&self) -> Vec<u64> {
        std::mem::take(&mut self.inner.write().unsigned).into_iter().collect()
    }

    /// Gives logs back whose heads were not fixed after all.
    pub(super) fn put_back_unsigned(&self, slots: impl Iterator<Item = u64>) {
        self.inner.write().unsigned.extend(slots);
    }

    /// Returns the number of logs that grew since they were last taken.
    pub(super) fn unsigned(&self) -> usize {
        self.inner.read().unsigned.len()
    }

    /// Shows heads that are fixed; an older one never replaces a newer one.
    pub(super) fn set_heads(&self, heads: &[Head]) {
        let inner = self.inner.read();
        for head in heads {
            let Some(entry) = inner.logs.get(&head.slot) else { continue };
            let mut shown = entry.head.write();
            if shown.is_none_or(|(size, _)| size < head.size) {
                *shown = Some((head.size, head.root));
            }
        }
    }

    /// Returns the newest fixed head of a log.
    pub(super) fn fixed_head(&self, slot: u64) -> Option<Head> {
        let entry = self.inner.read().logs.get(&slot).cloned()?;
        let (size, root) = (*entry.head.read())?;
        Some(Head { slot, size, root })
    }

    /// Returns the number of events of a log.
    pub(super) fn size(&self, slot: u64) -> Option<u64> {
        Some(self.inner.read().logs.get(&slot)?.size.load(Ordering::Acquire))
    }

    /// Calls `f` with the unsealed records of `slot` that stand every `step` seqs within `seqs`, in order, and returns
    /// the manifest that holds all the others. One lock: no record is in neither.
    pub(super) fn visit_unsealed(
        &self,
        slot: u64,
        seqs: Range<u64>,
        step: usize,
        mut f: impl FnMut(&Unsealed),
    ) -> Arc<Manifest> {
        let inner = self.inner.read();
        let sealing = inner.sealing.as_ref().map_or(&[][..], |tail| tail.log(slot));
        let mut next = seqs.start;
        for records in [sealing, inner.live.log(slot)] {
            let mut at = records.partition_point(|record| record.record().seq() < next);
            while let Some(record) = records.get(at) {
                let seq = record.record().seq();
                if seq >= seqs.end {
                    break;
                }
                // No seq is missing, so the next one that counts is a step further on.
                let counts = (seq - seqs.start).is_multiple_of(step as u64);
                at += if counts { step } else { 1 };
                if counts {
                    f(record);
                    next = seq + 1;
                }
            }
        }
        Arc::clone(&inner.manifest)
    }

    /// Moves the live tail aside for a seal; it stays readable.
    pub(super) fn freeze(&self) -> Arc<Tail> {
        let mut inner = self.inner.write();
        let tail = Arc::new(std::mem::take(&mut inner.live));
        inner.sealing = Some(Arc::clone(&tail));
        tail
    }

    /// Swaps the manifest; with `sealed`, the tail that went into it is dropped in the same moment.
    pub(super) fn set_manifest(&self, manifest: Manifest, sealed: bool) {
        let mut inner = self.inner.write();
        inner.manifest = Arc::new(manifest);
        if sealed {
            inner.sealing = None;
        }
    }

    /// Removes a deleted log from sight.
    pub(super) fn delete(&self, slot: u64) {
        let mut inner = self.inner.write();
        inner.unsigned.remove(&slot);
        if let Some(entry) = inner.logs.remove(&slot) {
            inner.slots.remove(&entry.environment, &entry.tenant);
        }
        inner.live.remove(slot);
    }

    pub(super) fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.inner.read().manifest)
    }

    pub(super) fn snapshot(&self, slot: u64) -> Snapshot {
        let inner = self.inner.read();
        Snapshot {
            manifest: Arc::clone(&inner.manifest),
            sealing: inner.sealing.clone(),
            live: inner.live.log(slot).to_vec(),
        }
    }

    /// Returns the events and bytes that are not sealed.
    pub(super) fn unsealed(&self) -> (usize, usize) {
        let inner = self.inner.read();
        let sealing = inner.sealing.as_ref().map_or((0, 0), |tail| (tail.events(), tail.bytes()));
        (inner.live.events() + sealing.0, inner.live.bytes() + sealing.1)
    }

    /// Returns the events and bytes that the next seal would take.
    pub(super) fn live(&self) -> (usize, usize) {
        let inner = self.inner.read();
        (inner.live.events(), inner.live.bytes())
    }

    /// Returns true when there is a log at `slot` that was not deleted.
    pub(super) fn has(&self, slot: u64) -> bool {
        self.inner.read().logs.contains_key(&slot)
    }

    pub(super) fn slot(&self, environment: &EnvironmentId, tenant: &TenantId) -> Option<u64> {
        self.inner.read().slots.get(environment, tenant)
    }

    /// Returns the slots of several tenants' logs, in their order, under one lock.
    pub(super) fn slots<'a>(
        &self,
        names: impl Iterator<Item = (&'a EnvironmentId, &'a TenantId)>,
    ) -> Vec<Option<u64>> {
        let inner = self.inner.read();
        names.map(|(environment, tenant)| inner.slots.get(environment, tenant)).collect()
    }

    pub(super) fn head(&self, slot: u64, log_name: &str) -> Option<LogHead> {
        let entry = self.inner.read().logs.get(&slot).cloned()?;
        Some(LogHead {
            slot,
            environment: entry.environment.clone(),
            tenant: entry.tenant.clone(),
            log_id: entry.log_id.to_string(),
            origin: format!("{log_name}/t/{}", entry.log_id),
            size: entry.size.load(Ordering::Acquire),
            last_received_ms: entry.last_received_ms.load(Ordering::Acquire),
        })
    }

    pub(super) fn slots_of(&self, environment: &EnvironmentId) -> Vec<u64> {
        self.inner.read().slots.of(environment)
    }

    /// Returns a channel that always holds the log's size.
    pub(super) fn watch(&self, slot: u64) -> Option<watch::Receiver<u64>> {
        let entry = self.inner.read().logs.get(&slot).cloned()?;
        let sender =
            entry.watch.get_or_init(|| watch::Sender::new(entry.size.load(Ordering::Acquire)));
        // The size may have grown between reading it and storing the sender.
        raise(sender, entry.size.load(Ordering::Acquire));
        Some(sender.subscribe())
    }
}

/// Two threads may report sizes in either order: the larger one stays.
fn raise(watch: &watch::Sender<u64>, size: u64) {
    watch.send_if_modified(|seen| {
        let grown = size > *seen;
        *seen = size.max(*seen);
        grown
    });
}

impl Inner {
    fn insert(&mut self, slot: u64, log: &LogState) {
        if log.deleted {
            return;
        }
        self.slots.insert(&log.environment, &log.tenant, slot);
        self.logs.insert(slot, Arc::new(LogEntry::of(log)));
    }
}

impl segment::Logs for View {
    fn log(&self, slot: u64) -> Option<segment::Log> {
        let inner = self.inner.read();
        let entry = inner.logs.get(&slot)?;
        Some(segment::Log {
            environment: entry.environment.clone(),
            tenant: entry.tenant.clone(),
            origin_id: entry.origin_id,
        })
    }
}

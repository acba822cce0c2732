//! What readers see: the logs and unsealed events of every partition and the manifest, always consistent.

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

/// What a partition has not sealed.
#[derive(Debug, Default)]
struct Tails {
    sealing: Option<Arc<Tail>>,
    live: Tail,
}

/// What the next seals would take: of one partition and of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Live {
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) all_events: usize,
    pub(super) all_bytes: usize,
}

#[derive(Debug)]
struct LogEntry {
    partition: u32,
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
    fn of(partition: u32, log: &LogState) -> Self {
        Self {
            partition,
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
    /// By partition.
    tails: Vec<Tails>,
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
    pub(super) fn new(manifest: Manifest) -> Self {
        let inner = Inner { manifest: Arc::new(manifest), ..Inner::default() };
        Self { inner: RwLock::new(inner) }
    }

    /// Adds the next partition with what it replayed.
    pub(super) fn add(&self, state: &State, replayed: Vec<Applied>) {
        let mut inner = self.inner.write();
        let partition = inner.tails.len() as u32;
        let mut tails = Tails::default();
        for applied in replayed {
            tails.live.push(applied);
        }
        inner.tails.push(tails);
        for (slot, log) in state.logs() {
            inner.insert(partition, slot, log);
        }
    }

    /// Makes one applied batch of a partition visible.
    pub(super) fn publish(&self, partition: u32, state: &State, applied: Applied) {
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
        inner.tails[partition as usize].live.push(applied);
        for slot in touched {
            let Some(log) = state.log(slot) else { continue };
            match inner.logs.get(&slot) {
                Some(entry) => entry.update(log),
                None => inner.insert(partition, slot, log),
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
        let mut next = seqs.start;
        for records in inner.tails_of(slot).map_or([&[][..]; 2], |tails| tails.log(slot)) {
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

    /// Moves a partition's live tail aside for a seal; it stays readable.
    pub(super) fn freeze(&self, partition: u32) -> Arc<Tail> {
        let mut inner = self.inner.write();
        let tails = &mut inner.tails[partition as usize];
        let tail = Arc::new(std::mem::take(&mut tails.live));
        tails.sealing = Some(Arc::clone(&tail));
        tail
    }

    /// Swaps the manifest; the tail that a partition sealed into it is dropped in the same moment.
    pub(super) fn set_manifest(&self, manifest: Manifest, sealed: Option<u32>) {
        let mut inner = self.inner.write();
        inner.manifest = Arc::new(manifest);
        if let Some(partition) = sealed {
            inner.tails[partition as usize].sealing = None;
        }
    }

    /// Removes a deleted log from sight.
    pub(super) fn delete(&self, slot: u64) {
        let mut inner = self.inner.write();
        inner.unsigned.remove(&slot);
        if let Some(entry) = inner.logs.remove(&slot) {
            inner.slots.remove(&entry.environment, &entry.tenant);
            inner.tails[entry.partition as usize].live.remove(slot);
        }
    }

    pub(super) fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.inner.read().manifest)
    }

    pub(super) fn snapshot(&self, slot: u64) -> Snapshot {
        let inner = self.inner.read();
        let tails = inner.tails_of(slot);
        Snapshot {
            manifest: Arc::clone(&inner.manifest),
            sealing: tails.and_then(|tails| tails.sealing.clone()),
            live: tails.map_or_else(Vec::new, |tails| tails.live.log(slot).to_vec()),
        }
    }

    /// Returns the events and bytes that are not sealed.
    pub(super) fn unsealed(&self) -> (usize, usize) {
        let inner = self.inner.read();
        let tails = inner.tails.iter().flat_map(|tails| {
            tails.sealing.as_deref().into_iter().chain(std::iter::once(&tails.live))
        });
        tails.fold((0, 0), |sum, tail| (sum.0 + tail.events(), sum.1 + tail.bytes()))
    }

    /// Returns what the next seal of a partition would take, and those of all.
    pub(super) fn live(&self, partition: u32) -> Live {
        let inner = self.inner.read();
        let own = &inner.tails[partition as usize].live;
        Live {
            events: own.events(),
            bytes: own.bytes(),
            all_events: inner.tails.iter().map(|tails| tails.live.events()).sum(),
            all_bytes: inner.tails.iter().map(|tails| tails.live.bytes()).sum(),
        }
    }

    /// Returns for each slot the partition that has its log, if there is one that was not deleted.
    pub(super) fn partitions_of(&self, slots: &[u64]) -> Vec<Option<u32>> {
        let inner = self.inner.read();
        slots.iter().map(|slot| Some(inner.logs.get(slot)?.partition)).collect()
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

impl Tails {
    /// Returns the records of a log, older ones first.
    fn log(&self, slot: u64) -> [&[Unsealed]; 2] {
        [self.sealing.as_ref().map_or(&[][..], |tail| tail.log(slot)), self.live.log(slot)]
    }
}

impl Inner {
    fn tails_of(&self, slot: u64) -> Option<&Tails> {
        self.tails.get(self.logs.get(&slot)?.partition as usize)
    }

    fn insert(&mut self, partition: u32, slot: u64, log: &LogState) {
        if log.deleted {
            return;
        }
        self.slots.insert(&log.environment, &log.tenant, slot);
        self.logs.insert(slot, Arc::new(LogEntry::of(partition, log)));
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

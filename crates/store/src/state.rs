//! The state of a partition: a deterministic fold over journal records.
//!
//! [`State::apply`] only executes decisions that stand in the record; it reads no clock, draws nothing at random
//! and does no I/O. The normal path and recovery call the very same function, so a replayed state equals the live
//! one.

use std::sync::Arc;

use attestary_event::{EnvironmentId, EventId, TenantId};
use attestary_ledger::{Frontier, Hash, origin_id};
use hashbrown::HashMap;

use crate::{catalog::HeadRow, journal::Damage, record::Record, slots::Slots};

/// One tenant's log as the partition knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// Namespace.
    pub environment: EnvironmentId,
    /// Whose log.
    pub tenant: TenantId,
    /// ULID of this incarnation.
    pub log_id: Arc<str>,
    /// The log's identity inside entries.
    pub origin_id: [u8; 16],
    /// `received_at` of the last event in milliseconds.
    pub last_received_ms: u64,
    /// The right edge of the Merkle tree; its size is the next seq.
    pub frontier: Frontier,
    /// Acknowledged events are gone: the log can be read, not written.
    pub damaged: Vec<u64>,
    /// The tenant was deleted: the log takes no more events and its name is free.
    pub deleted: bool,
}

impl LogState {
    /// Returns the next seq.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Returns the row that a seal commits.
    pub fn head(&self, slot: u64) -> HeadRow {
        HeadRow {
            slot,
            environment: self.environment.clone(),
            tenant: self.tenant.clone(),
            log_id: self.log_id.to_string(),
            size: self.size(),
            last_received_ms: self.last_received_ms,
            frontier: self.frontier.peaks().to_vec(),
            deleted: self.deleted,
        }
    }
}

/// What an accepted event is remembered by while its id may come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Position.
    pub seq: u64,
    /// Clamped time in milliseconds.
    pub received_ms: u64,
    /// Hash of the entry.
    pub leaf_hash: Hash,
    /// Keyed digest of the submission.
    pub digest: [u8; 16],
}

/// The ids of events that are not sealed yet, by log.
pub type Ids = HashMap<(u64, EventId), Remembered>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct FrozenIds {
    number: u64,
    ids: Ids,
    sealed_as: Option<u64>,
}

/// The fold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    log_name: String,
    /// Behind pointers: half of a large table's places are empty.
    logs: HashMap<u64, Box<LogState>>,
    slots: Slots,
    next_slot: u64,
    ids: Ids,
    /// Ids of earlier freezes: a look-up in the segments that began before their seal cannot see them there.
    frozen_ids: Vec<FrozenIds>,
    freezes: u64,
    /// Submissions whose look-up saw an older manifest than this must look again.
    floor: u64,
    /// Slots that changed since the last freeze.
    dirty: Vec<u64>,
    /// Whole batches are gone, so nothing is known to be complete: no log may be written.
    read_only: bool,
}

impl State {
    /// Restores the state as of the last seal. `log_name` is the installation's part of every origin.
    pub fn restore(log_name: &str, next_slot: u64, heads: Vec<HeadRow>) -> Self {
        let mut state = Self { log_name: log_name.to_owned(), next_slot, ..Self::default() };
        for head in heads {
            let frontier = Frontier::restore(head.size, head.frontier);
            // A head whose parts do not fit is damage of the catalog: its log is read, never written.
            let damaged = if frontier.is_some() { vec![] } else { vec![head.size] };
            let log = LogState {
                origin_id: origin_id(&state.origin(&head.log_id)),
                environment: head.environment,
                tenant: head.tenant,
                log_id: head.log_id.into(),
                last_received_ms: head.last_received_ms,
                frontier: frontier.unwrap_or_default(),
                damaged,
                deleted: head.deleted,
            };
            state.insert(head.slot, log);
        }
        state
    }

    /// Returns the origin of a log: `<log_name>/t/<log id>`.
    pub fn origin(&self, log_id: &str) -> String {
        format!("{}/t/{log_id}", self.log_name)
    }

    fn insert(&mut self, slot: u64, log: LogState) {
        if !log.deleted {
            self.slots.insert(&log.environment, &log.tenant, slot);
        }
        self.next_slot = self.next_slot.max(slot + 1);
        self.logs.insert(slot, Box::new(log));
    }

    /// Executes one record. Returns the level-4 tree node when this event completes one.
    ///
    /// A record of an unknown log or before the log's size has no effect: it is a repeat or lies behind damage.
    pub fn apply(&mut self, record: &Record<'_>) -> Option<Hash> {
        let slot = record.slot();
        if let Some(name) = record.log()
            && !self.logs.contains_key(&slot)
        {
            let log = LogState {
                environment: EnvironmentId::restored(name.environment),
                tenant: TenantId::restored(name.tenant),
                log_id: name.log_id.into(),
                origin_id: origin_id(&self.origin(name.log_id)),
                last_received_ms: 0,
                frontier: Frontier::default(),
                damaged: vec![],
                deleted: false,
            };
            self.insert(slot, log);
        }
        let log = self.logs.get_mut(&slot)?;
        if record.seq() != log.size() {
            if record.seq() > log.size() && log.damaged.is_empty() {
                log.damaged.push(log.size());
            }
            return None;
        }
        let node = log.frontier.append(record.leaf_hash());
        log.last_received_ms = record.received_ms();
        self.dirty.push(slot);
        let remembered = Remembered {
            seq: record.seq(),
            received_ms: record.received_ms(),
            leaf_hash: record.leaf_hash(),
            digest: record.digest(),
        };
        self.ids.entry((slot, record.id())).or_insert(remembered);
        node
    }

    /// Notes that acknowledged bytes are gone.
    pub fn damage(&mut self, damage: Damage) {
        match damage {
            Damage::Record { slot, seq } => match self.logs.get_mut(&slot) {
                Some(log) => log.damaged.push(seq),
                // The record that named the log is gone: nobody knows whose it was.
                None => self.read_only = true,
            },
            Damage::Batches { .. } => self.read_only = true,
        }
    }

    /// Marks a log as deleted and frees its name.
    pub fn delete(&mut self, slot: u64) {
        if let Some(log) = self.logs.get_mut(&slot)
            && !log.deleted
        {
            log.deleted = true;
            self.slots.remove(&log.environment, &log.tenant);
            self.dirty.push(slot);
        }
    }

    /// Returns the slot of a tenant's present log.
    pub fn slot(&self, environment: &EnvironmentId, tenant: &TenantId) -> Option<u64> {
        self.slots.get(environment, tenant)
    }

    /// Returns the log at `slot`.
    pub fn log(&self, slot: u64) -> Option<&LogState> {
        self.logs.get(&slot).map(|log| &**log)
    }

    /// Returns all logs by slot, in no order.
    pub fn logs(&self) -> impl Iterator<Item = (u64, &LogState)> {
        self.logs.iter().map(|(&slot, log)| (slot, &**log))
    }

    /// Returns the lowest slot that was never given out.
    pub fn next_slot(&self) -> u64 {
        self.next_slot
    }

    /// Returns what an id was accepted as, if that was not sealed before the last but one freeze.
    pub fn remembered(&self, slot: u64, id: EventId) -> Option<&Remembered> {
        let key = (slot, id);
        let mut maps = self.frozen_ids.iter().map(|frozen| &frozen.ids).chain([&self.ids]);
        maps.find_map(|ids| ids.get(&key))
    }

    /// Returns the oldest manifest version that a look-up in the segments may have seen, for its "not there" to
    /// count together with [`Self::remembered`].
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Notes that nothing may be written.
    pub(crate) fn set_read_only(&mut self) {
        self.read_only = true;
    }

    /// Returns true when nothing may be written.
    pub fn read_only(&self) -> bool {
        self.read_only
    }

    /// Takes what a seal commits: the number of this freeze and the heads that changed since the last one.
    pub fn freeze(&mut self) -> (u64, Vec<HeadRow>) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        dirty.dedup();
        let heads =
            dirty.iter().filter_map(|&slot| Some(self.logs.get(&slot)?.head(slot))).collect();
        self.freezes += 1;
        // The next freeze will come at about the same size.
        let next = Ids::with_capacity(self.ids.len());
        let ids = std::mem::replace(&mut self.ids, next);
        self.frozen_ids.push(FrozenIds { number: self.freezes, ids, sealed_as: None });
        (self.freezes, heads)
    }

    /// Notes that freeze `number` is sealed as of `manifest_version`. Its ids stay for one more seal, so that a
    /// look-up that is under way need not be repeated.
    pub fn sealed(&mut self, number: u64, manifest_version: u64) {
        let old = |frozen: &FrozenIds| frozen.number < number;
        let floor =
            self.frozen_ids.iter().filter(|f| old(f)).filter_map(|frozen| frozen.sealed_as).max();
        self.floor = self.floor.max(floor.unwrap_or(0));
        self.frozen_ids.retain(|frozen| !(old(frozen) && frozen.sealed_as.is_some()));
        for frozen in &mut self.frozen_ids {
            if frozen.number == number {
                frozen.sealed_as = Some(manifest_version);
            }
        }
    }

    /// Forgets the ids, as a planted bug does.
    #[cfg(feature = "mutants")]
    pub(crate) fn forget_ids(&mut self) {
        self.ids.clear();
    }
}

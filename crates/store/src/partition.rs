//! The one function that gives events their place: de-duplicate, sequence, hash, append, sync, apply.
//!
//! A partition owns its journal and its state. It is driven from one thread; nothing here locks or waits for
//! anything but the disk.

use attestary_event::{EnvironmentId, EventId, TenantId, Timestamp};
use attestary_ledger::{Entry, Hash};
use bytes::Bytes;
use hashbrown::HashMap;

use crate::{
    catalog::HeadRow,
    disk::Disk,
    journal::{BatchBuilder, Damage, Journal, JournalError, Position, Replay},
    lease::Lease,
    planted::{Bug, planted},
    record::{self, Decision, LogName, Prepared, Record},
    slots::Slots,
    state::{Ids, Remembered, State},
};

/// What a submitter keeps: the evidence that an event was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Identity.
    pub id: EventId,
    /// Whose log.
    pub tenant: TenantId,
    /// Position in it.
    pub seq: u64,
    /// When it was sequenced.
    pub received_at: Timestamp,
    /// Hash of the entry.
    pub leaf_hash: Hash,
}

/// What a log's genesis event takes in the journal at most, its row of the batch's table included: its names are
/// bounded, and so is the installation's.
pub const GENESIS_BYTES_MAX: usize = 4096;

/// What became of one submitted event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// New and durable.
    Accepted(Receipt),
    /// Accepted before with the same content; the first receipt.
    Duplicate(Receipt),
    /// The id was accepted before with other content; the first receipt.
    Conflict(Receipt),
    /// Acknowledged events of this log are damaged: it takes no more until a person has looked.
    Damaged,
}

/// What a new log's genesis event is made of; built by the caller because it hashes.
pub trait Genesis {
    /// Returns the genesis event of a log in `slot`, and the id of its incarnation.
    fn genesis(
        &mut self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        slot: u64,
    ) -> (Prepared, String);
}

/// Random numbers for journal files.
pub trait Nonce {
    /// Returns eight random bytes.
    fn nonce(&mut self) -> u64;
}

/// A batch of applied records, as readers see it: shared bytes and where each record lies in them.
#[derive(Debug, Default)]
pub struct Applied {
    /// The batch's bytes; after a start, a part of its journal file's.
    pub bytes: Bytes,
    /// Start and length of each record.
    pub places: Vec<(u32, u32)>,
    /// The level-4 node that a record completes, if it does.
    pub nodes: Vec<Option<Hash>>,
}

impl Applied {
    /// Returns the record at `index`; `None` when its bytes are no record of this version.
    pub fn record(&self, index: usize) -> Option<Record<'_>> {
        let (start, length) = *self.places.get(index)?;
        Record::decode_written(&self.bytes[start as usize..(start + length) as usize]).ok()
    }
}

/// What a seal commits beside its segments.
#[derive(Debug, Clone)]
pub struct Frozen {
    /// Counts the freezes of this process.
    pub number: u64,
    /// The journal before it holds nothing that is not sealed then.
    pub position: Position,
    /// Lowest slot that was never given out.
    pub next_slot: u64,
    /// Heads of the logs that changed.
    pub heads: Vec<HeadRow>,
}

/// A partition: journal and state.
#[derive(Debug)]
pub struct Partition<D: Disk> {
    journal: Journal<D>,
    state: State,
    /// Slots for logs that begin here.
    lease: Lease,
}

/// What is decided in the batch that is being built and not yet applied.
#[derive(Default)]
struct Pending {
    logs: HashMap<u64, PendingLog>,
    slots: Slots,
    ids: Ids,
    lease: Lease,
}

struct PendingLog {
    origin_id: [u8; 16],
    size: u64,
    last_received_ms: u64,
    damaged: bool,
}

impl<D: Disk> Partition<D> {
    /// Opens the journal and folds everything after `from` into `state`, which is that of the last seal.
    ///
    /// Returns the partition and the replayed batches in order; they are on stable storage.
    pub fn recover(
        disk: D,
        number: u32,
        file_bytes: u64,
        from: Position,
        state: State,
        nonce: u64,
    ) -> Result<(Self, Vec<Applied>), JournalError> {
        let mut fold = Fold { state, applied: Vec::new() };
        let journal = Journal::open(disk, number, file_bytes, from, nonce, &mut fold)?;
        let Fold { state, applied } = fold;
        #[cfg(feature = "mutants")]
        let state = {
            let mut state = state;
            if planted(Bug::ForgetIds) {
                state.forget_ids();
            }
            state
        };
        let lease = Lease::All(state.next_slot());
        Ok((Self { journal, state, lease }, applied))
    }

    /// Returns the state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns the state for the changes that are not events.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Sets which slots logs get that begin here; without this, all from the lowest on that was never given out.
    pub(crate) fn set_lease(&mut self, lease: Lease) {
        self.lease = lease;
    }

    /// Returns the journal.
    pub fn journal(&mut self) -> &mut Journal<D> {
        &mut self.journal
    }

    /// Commits one group of events: when it returns `Ok`, every accepted event is on stable storage and applied.
    ///
    /// An error means that nothing of the group was acknowledged and the journal is poisoned.
    pub fn commit<'a>(
        &mut self,
        events: impl Iterator<Item = &'a Prepared> + Clone,
        now_ms: u64,
        world: &mut (impl Genesis + Nonce),
    ) -> Result<(Vec<Outcome>, Applied), JournalError> {
        // Decide. Nothing is visible yet; a crash here leaves no trace.
        let (count, bytes) =
            events.clone().fold((0, 0), |(count, bytes), event| (count + 1, bytes + event.bytes()));
        let mut pending = Pending {
            lease: self.lease.clone(),
            ids: Ids::with_capacity(count),
            ..Pending::default()
        };
        let mut batch = BatchBuilder::with_capacity(count, bytes);
        let outcomes = events
            .map(|event| self.decide(event, now_ms, &mut pending, &mut batch, world))
            .collect();
        if batch.is_empty() {
            return Ok((outcomes, Applied::default()));
        }
        let applied = self.write(batch, world)?;
        self.lease = pending.lease;
        Ok((outcomes, applied))
    }

    fn write(
        &mut self,
        mut batch: BatchBuilder,
        world: &mut impl Nonce,
    ) -> Result<Applied, JournalError> {
        // Append and sync. A crash before the sync may lose the group, which nobody was told of; after it,
        // recovery finds the group and applies it.
        self.journal.append(&mut batch, world.nonce())?;
        // Apply. The caller acknowledges after this.
        let (bytes, places) = batch.into_records();
        let nodes = apply(&mut self.state, &bytes, &places);
        Ok(Applied { bytes: bytes.into(), places, nodes })
    }

    /// Opens a tenant's log unless there is one. `Ok(Some(_))` means: its genesis event is on stable storage.
    pub fn open_log(
        &mut self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        now_ms: u64,
        world: &mut (impl Genesis + Nonce),
    ) -> Result<Option<Applied>, JournalError> {
        if self.state.slot(environment, tenant).is_some() {
            return Ok(None);
        }
        let mut pending = Pending { lease: self.lease.clone(), ..Pending::default() };
        let mut batch = BatchBuilder::with_capacity(1, 1024);
        self.begin_log(environment, tenant, now_ms, &mut pending, &mut batch, world);
        let applied = self.write(batch, world)?;
        self.lease = pending.lease;
        Ok(Some(applied))
    }

    /// Takes a consistent cut of everything applied so far. Events committed from now on belong to the next seal.
    pub fn freeze(&mut self) -> Frozen {
        let (number, heads) = self.state.freeze();
        let mut position = self.journal.position();
        if planted(Bug::PositionAhead) {
            position.batch += 1;
            position.offset += 64;
        }
        if planted(Bug::TrimBeforeCommit) {
            self.journal.trim(position);
        }
        Frozen { number, position, next_slot: self.state.next_slot(), heads }
    }

    /// Notes that a freeze is committed in the catalog as `manifest_version`: its journal files may be written again.
    pub fn sealed(&mut self, frozen: &Frozen, manifest_version: u64) {
        self.journal.trim(frozen.position);
        self.state.sealed(frozen.number, manifest_version);
    }

    /// Writes an empty batch, so that the mark covers the last one while nothing else arrives.
    pub fn mark(&mut self, world: &mut impl Nonce) -> Result<(), JournalError> {
        self.journal.append(&mut BatchBuilder::with_capacity(0, 0), world.nonce())
    }

    fn decide(
        &self,
        event: &Prepared,
        now_ms: u64,
        pending: &mut Pending,
        batch: &mut BatchBuilder,
        world: &mut impl Genesis,
    ) -> Outcome {
        let slot = match self.slot(event, pending) {
            Some(slot) => slot,
            None => {
                self.begin_log(&event.environment, &event.tenant, now_ms, pending, batch, world)
            }
        };
        self.load(slot, pending);
        if event.client_id
            && let Some(first) =
                pending.ids.get(&(slot, event.id)).or_else(|| self.state.remembered(slot, event.id))
        {
            return repeated(event, first);
        }
        let log = pending.logs.get_mut(&slot).expect("loaded above");
        if log.damaged {
            return Outcome::Damaged;
        }
        let receipt = sequence(event, slot, log, now_ms, None, batch);
        let remembered = Remembered {
            seq: receipt.seq,
            received_ms: receipt.received_at.0 as u64,
            leaf_hash: receipt.leaf_hash,
            digest: event.digest,
        };
        // An id that the service made cannot come again within the group that it was made for.
        if event.client_id {
            pending.ids.insert((slot, event.id), remembered);
        }
        Outcome::Accepted(receipt)
    }

    fn slot(&self, event: &Prepared, pending: &Pending) -> Option<u64> {
        let (environment, tenant) = (&event.environment, &event.tenant);
        self.state.slot(environment, tenant).or_else(|| pending.slots.get(environment, tenant))
    }

    /// Begins a log: its genesis event takes seq 0.
    fn begin_log(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        now_ms: u64,
        pending: &mut Pending,
        batch: &mut BatchBuilder,
        world: &mut impl Genesis,
    ) -> u64 {
        let slot = pending.lease.take();
        let (genesis, log_id) = world.genesis(environment, tenant, slot);
        let origin_id = attestary_ledger::origin_id(&self.state.origin(&log_id));
        let mut log =
            PendingLog { origin_id, size: 0, last_received_ms: 0, damaged: self.state.read_only() };
        if !log.damaged {
            let name = LogName {
                environment: environment.as_str(),
                tenant: tenant.as_str(),
                log_id: &log_id,
            };
            sequence(&genesis, slot, &mut log, now_ms, Some(name), batch);
        }
        pending.logs.insert(slot, log);
        pending.slots.insert(environment, tenant, slot);
        slot
    }

    fn load(&self, slot: u64, pending: &mut Pending) {
        pending.logs.entry(slot).or_insert_with(|| {
            let log = self.state.log(slot).expect("a slot that is not pending is in the state");
            PendingLog {
                origin_id: log.origin_id,
                size: log.size(),
                last_received_ms: log.last_received_ms,
                damaged: !log.damaged.is_empty() || self.state.read_only(),
            }
        });
    }
}

fn repeated(event: &Prepared, first: &Remembered) -> Outcome {
    let receipt = Receipt {
        id: event.id,
        tenant: event.tenant.clone(),
        seq: first.seq,
        received_at: Timestamp(first.received_ms as i64),
        leaf_hash: first.leaf_hash,
    };
    if first.digest == event.digest {
        Outcome::Duplicate(receipt)
    } else {
        Outcome::Conflict(receipt)
    }
}

/// Gives `event` the next seq of `log`, a time that does not decrease, and its leaf hash; writes its record.
fn sequence(
    event: &Prepared,
    slot: u64,
    log: &mut PendingLog,
    now_ms: u64,
    name: Option<LogName<'_>>,
    batch: &mut BatchBuilder,
) -> Receipt {
    let received_ms = now_ms.max(log.last_received_ms);
    let entry = Entry {
        origin: log.origin_id,
        seq: log.size,
        received_ms,
        event_id: event.id.0,
        n_fields: event.n_fields,
        flags: event.flags,
        fields_hash: event.fields_hash,
    };
    let decision = Decision { slot, seq: log.size, received_ms, leaf_hash: entry.leaf_hash() };
    batch.push(slot, log.size, |out| record::encode(event, &decision, name, out));
    log.size += 1;
    log.last_received_ms = received_ms;
    Receipt {
        id: event.id,
        tenant: event.tenant.clone(),
        seq: decision.seq,
        received_at: Timestamp(received_ms as i64),
        leaf_hash: decision.leaf_hash,
    }
}

/// Folds the records of one batch into `state`; the normal path and recovery both come through here.
fn apply(state: &mut State, bytes: &[u8], places: &[(u32, u32)]) -> Vec<Option<Hash>> {
    let record = |&(start, length): &(u32, u32)| &bytes[start as usize..(start + length) as usize];
    let records = places.iter().map(|place| Record::decode_written(record(place)).ok());
    records.map(|record| record.and_then(|record| state.apply(&record))).collect()
}

struct Fold {
    state: State,
    applied: Vec<Applied>,
}

impl Replay for Fold {
    fn batch(&mut self, bytes: Bytes, mut places: Vec<(u32, u32)>) {
        if planted(Bug::SeqReuse) {
            return;
        }
        // Bytes from the disk are checked whole, once; everything after this trusts them.
        places.retain(|&(start, length)| {
            Record::decode(&bytes[start as usize..(start + length) as usize]).is_ok()
        });
        let nodes = apply(&mut self.state, &bytes, &places);
        if !places.is_empty() {
            self.applied.push(Applied { bytes, places, nodes });
        }
    }

    fn damage(&mut self, damage: Damage) {
        self.state.damage(damage);
    }
}

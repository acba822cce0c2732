//! The engine behind one handle: partition threads, sealing thread, catalog, segments and queries.
//!
//! [`Store::submit`] answers after the events are on stable storage and applied. Reads never block the runtime:
//! segment and catalog work runs on blocking threads. Opening recovers; there is no other way in.

mod committing;
mod compaction;
mod compactor;
mod counting;
mod deletion;
mod epochs;
mod flow;
mod ids;
mod incarnations;
mod kept;
mod nodes;
mod opening;
mod proving;
mod reading;
mod recovery;
pub mod removal;
mod repartition;
mod sealer;
pub mod settings;
mod signer;
mod splitting;
mod submitting;
#[cfg(test)]
mod tests;
mod upkeep;
mod view;
mod world;
mod writer;

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    time::Duration,
};

use attestary_event::{EnvironmentId, TenantId};
pub use counting::Counted;
pub use deletion::DeleteError;
pub use epochs::{AnchorHead, Epoch};
pub use flow::Flow;
pub use incarnations::{Incarnation, RenewError, Renewals};
pub use opening::OpenError;
pub use proving::{Disclosed, FixedHead, HeadError, ProveError};
pub use reading::{ReadError, Search};
pub use settings::Settings;
pub use submitting::SubmitError;
use tokio::sync::{oneshot, watch};
pub use upkeep::Upkeep;
pub use view::LogHead;

use crate::{
    catalog::Catalog,
    id_filter::IdFilter,
    placement::Placement,
    segment::Segments,
    store::{
        nodes::NodeCache,
        signer::SignerHandle,
        view::View,
        world::World,
        writer::{Gauge, Message},
    },
};

/// An open data directory. Cloning is cheap; the directory stays locked until the last clone is gone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    settings: Settings,
    world: World,
    catalog: Arc<Catalog>,
    segments: Arc<Segments>,
    view: Arc<View>,
    ids: Arc<IdFilter>,
    gauge: Arc<Gauge>,
    found: Arc<upkeep::Found>,
    placement: Placement,
    /// Their queues.
    partitions: Arc<[SyncSender<Message>]>,
    manifest: Arc<parking_lot::Mutex<()>>,
    nodes: Arc<NodeCache>,
    epochs: Arc<epochs::EpochState>,
    signer: SignerHandle,
    /// Origin of the anchor log.
    anchor_origin: String,
    /// Epoch of this process as the owner of the first partition and of the registers.
    owner_epoch: u64,
    /// Ends what runs in the background.
    stop: Arc<AtomicBool>,
    threads: parking_lot::Mutex<Vec<std::thread::JoinHandle<()>>>,
    /// Held for its lock.
    _directory: File,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("directory", &self.0.settings.dir).finish_non_exhaustive()
    }
}

/// How the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Events can be accepted.
    pub writable: bool,
    /// Events that wait for their place, in bytes.
    pub queued_bytes: usize,
    /// Accepted events that are not in a segment.
    pub unsealed_events: usize,
    /// Their bytes.
    pub unsealed_bytes: usize,
    /// Segments in the manifest.
    pub segments: usize,
    /// Events in segments.
    pub sealed_events: u64,
    /// Bytes of all segments.
    pub sealed_bytes: u64,
    /// Sealed ids that are recognised when they come again.
    pub dedupe_ids: usize,
    /// Since when sealed ids are recognised, in milliseconds since the epoch, once older ones were given up.
    pub dedupe_from_ms: Option<u64>,
    /// Logs that grew since their head was last fixed for signing.
    pub unsigned_logs: usize,
    /// Signing batches of this process.
    pub signing_batches: u64,
    /// No head is signed until a person has looked; [`Store::signing_refusal`] says why.
    pub signing_refused: bool,
}

impl Store {
    /// Returns the catalog.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// Returns the installation's part of every log's origin.
    pub fn log_name(&self) -> &str {
        &self.0.world.log_name
    }

    /// Returns the origin of the log with this ULID.
    pub fn log_origin(&self, log_id: &str) -> String {
        format!("{}/t/{log_id}", self.0.world.log_name)
    }

    /// Returns a tenant's log, if there is one.
    pub fn log(&self, environment: &EnvironmentId, tenant: &TenantId) -> Option<LogHead> {
        let slot = self.0.view.slot(environment, tenant)?;
        self.0.view.head(slot, &self.0.world.log_name)
    }

    /// Returns true when the tenant has a log.
    pub fn has_log(&self, environment: &EnvironmentId, tenant: &TenantId) -> bool {
        self.0.view.slot(environment, tenant).is_some()
    }

    /// Returns for each tenant whether it has a log, in their order.
    pub fn have_logs<'a>(
        &self,
        environment: &'a EnvironmentId,
        tenants: impl Iterator<Item = &'a TenantId>,
    ) -> Vec<bool> {
        let slots = self.0.view.slots(tenants.map(|tenant| (environment, tenant)));
        slots.iter().map(Option::is_some).collect()
    }

    /// Returns all logs of an environment, system tenants included, in no order.
    pub fn logs(&self, environment: &EnvironmentId) -> Vec<LogHead> {
        let slots = self.0.view.slots_of(environment);
        slots
            .into_iter()
            .filter_map(|slot| self.0.view.head(slot, &self.0.world.log_name))
            .collect()
    }

    /// Returns a channel that always holds the log's size, if there is such a log.
    pub fn watch(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Option<watch::Receiver<u64>> {
        self.0.view.watch(self.0.view.slot(environment, tenant)?)
    }

    /// Returns how the engine is.
    pub fn health(&self) -> Health {
        let (unsealed_events, unsealed_bytes) = self.0.view.unsealed();
        let manifest = self.0.view.manifest();
        Health {
            writable: !self.0.gauge.failed.load(Ordering::Acquire),
            queued_bytes: self.0.gauge.queued.lock().total(),
            unsealed_events,
            unsealed_bytes,
            segments: manifest.segments.len(),
            sealed_events: manifest.segments.iter().map(|segment| segment.events).sum(),
            sealed_bytes: manifest.segments.iter().map(|segment| segment.bytes).sum(),
            dedupe_ids: self.0.ids.ids(),
            dedupe_from_ms: self.0.ids.window_from_ms(),
            unsigned_logs: self.0.view.unsigned(),
            signing_batches: self.0.signer.batches(),
            signing_refused: self.0.signer.refusal().is_some(),
        }
    }

    /// Returns true while segments wait to be merged or are being merged.
    pub fn is_merging(&self) -> bool {
        let fan_in = self.0.settings.merge_runs;
        fan_in >= 2 && compaction::next(&self.0.view.manifest(), fan_in).is_some()
    }

    /// Returns how the sealed data and the disk are.
    pub fn upkeep(&self) -> Upkeep {
        self.0.found.report()
    }

    /// Seals everything accepted so far and waits until that is committed.
    pub async fn seal(&self) {
        self.send_to_all(|reply| Message::Seal { reply }).await;
    }

    /// Stops the partitions after everything queued is durable. Later submissions are refused.
    pub async fn close(&self) {
        // Work in the background ends meanwhile.
        self.0.stop.store(true, Ordering::Relaxed);
        self.0.signer.stop().await;
        self.send_to_all(|reply| Message::Close { reply }).await;
        let threads = std::mem::take(&mut *self.0.threads.lock());
        // What rests between its turns is woken, so that it sees that it should stop.
        threads.iter().for_each(|thread| thread.thread().unpark());
        let join = move || threads.into_iter().for_each(|thread| drop(thread.join()));
        let _ = tokio::task::spawn_blocking(join).await;
    }

    /// Sends a control message to every partition and waits until all of them have answered or stopped.
    async fn send_to_all(&self, message: impl Fn(oneshot::Sender<()>) -> Message) {
        let mut answers = Vec::with_capacity(self.0.partitions.len());
        for partition in 0..self.0.placement.partitions() {
            let (reply, answer) = oneshot::channel();
            if self.send(partition, message(reply)).await {
                answers.push(answer);
            }
        }
        for answer in answers {
            let _ = answer.await;
        }
    }

    /// Sends a message to a partition, waiting for room in its queue. Returns false when the partition has stopped.
    async fn send(&self, partition: u32, message: Message) -> bool {
        use std::sync::mpsc::TrySendError;
        let mut message = message;
        loop {
            match self.0.partitions[partition as usize].try_send(message) {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => message = back,
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

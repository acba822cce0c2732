//! The signing thread: fixes the heads of logs that grew, a batch at a time, when somebody asks and otherwise now and then.
//!
//! It asks the partition for right edges of trees, which costs the partition a copy, and does the rest by itself, so
//! ingest never waits for it. One thread serves all logs; a log that did not grow costs nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    time::Duration,
};

use attestary_ledger::{Frontier, tree};
use hashbrown::{HashMap, HashSet};
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use super::{
    epochs::Epochs,
    nodes::{NodeCache, Nodes},
    view::View,
    writer::Message,
};
use crate::{
    catalog::{Catalog, CatalogError},
    seam::Clock,
    segment::Segments,
    signing::{
        Committed, Head, LocalHeads, Refusal, Signing, SigningError, register::FileRegister,
    },
    state::State,
};

/// Heads of one batch: 2,048 rows are committed in about 20 ms, for which the catalog is busy.
const BATCH_HEADS_MAX: usize = 2_048;

/// The catalog as the local half of the rule.
#[derive(Debug)]
pub(super) struct CatalogHeads {
    pub(super) catalog: Arc<Catalog>,
    pub(super) partition: u32,
}

impl LocalHeads for CatalogHeads {
    type Error = CatalogError;

    fn committed(&self) -> Result<Committed, CatalogError> {
        self.catalog.signing_committed(self.partition)
    }

    fn commit(&self, committed: &Committed, heads: &[Head]) -> Result<(), CatalogError> {
        self.catalog.commit_heads(self.partition, committed, heads)
    }
}

/// What is asked of the thread.
pub(super) enum Demand {
    /// Fix the present head of a log; answers when that is done or has failed.
    Head {
        slot: u64,
        reply: oneshot::Sender<Result<(), Failed>>,
    },
    /// Fix the heads of all logs that grew, and make an epoch over all heads.
    Epoch {
        reply: oneshot::Sender<Result<(), Failed>>,
    },
    Stop {
        reply: oneshot::Sender<()>,
    },
}

/// Why a head was not fixed.
#[derive(Debug, Clone)]
pub(super) enum Failed {
    /// Until a person has looked.
    Refused(Refusal),
    /// This time.
    Now(String),
}

/// What everybody knows about the thread.
#[derive(Debug, Default)]
pub(super) struct SignerState {
    refusal: RwLock<Option<Refusal>>,
    batches: AtomicU64,
}

/// The thread as the store sees it. It ends when this goes.
#[derive(Debug)]
pub(super) struct SignerHandle {
    state: Arc<SignerState>,
    demands: Mutex<Option<Sender<Demand>>>,
}

impl SignerHandle {
    /// Returns the handle, and what the thread is made with.
    pub(super) fn new() -> (Self, Arc<SignerState>, Receiver<Demand>) {
        // Not bounded by itself: every demand is held by a request that waits for it, and those are bounded.
        let (sender, demands) = mpsc::channel();
        let state = Arc::<SignerState>::default();
        let handle = Self { state: Arc::clone(&state), demands: Mutex::new(Some(sender)) };
        (handle, state, demands)
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.state.refusal.read().clone()
    }

    pub(super) fn batches(&self) -> u64 {
        self.state.batches.load(Ordering::Relaxed)
    }

    /// Sends a demand; false when the thread is gone.
    pub(super) fn demand(&self, demand: Demand) -> bool {
        self.demands.lock().as_ref().is_some_and(|sender| sender.send(demand).is_ok())
    }

    /// Fixes what is left and ends the thread.
    pub(super) async fn stop(&self) {
        let (reply, stopped) = oneshot::channel();
        let sender = self.demands.lock().take();
        if sender.is_some_and(|sender| sender.send(Demand::Stop { reply }).is_ok()) {
            let _ = stopped.await;
        }
    }
}

pub(super) struct Signer {
    pub(super) signing: Signing<CatalogHeads, FileRegister>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) segments: Arc<Segments>,
    pub(super) view: Arc<View>,
    pub(super) nodes: Arc<NodeCache>,
    pub(super) state: Arc<SignerState>,
    pub(super) partitions: Arc<[SyncSender<Message>]>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) every: Duration,
    pub(super) epochs: Epochs,
    /// Heads of an earlier process whose logs have grown since: compared with the tree before the next head.
    pub(super) unproved: HashMap<u64, Head>,
    /// The heads of earlier processes are shown.
    pub(super) ready: bool,
}

impl Signer {
    /// Compares the heads of earlier processes with the recovered logs, and notes which logs have grown since.
    pub(super) fn load(&mut self, states: &[&State]) -> Result<(), CatalogError> {
        let heads = self.catalog.signed_heads()?;
        let mut current = HashSet::new();
        for head in heads {
            let log = states.iter().find_map(|state| state.log(head.slot));
            let size = log.map_or(0, super::super::state::LogState::size);
            let damaged = log.is_some_and(|log| !log.damaged.is_empty());
            if head.size > size && !damaged {
                let (slot, signed) = (head.slot, head.size);
                self.refuse(Refusal::Shorter { slot, size, signed });
            } else if head.size == size {
                current.insert(head.slot);
                if log.is_some_and(|log| log.frontier.root() != head.root) {
                    self.refuse(Refusal::Root { slot: head.slot, size });
                }
            } else {
                self.unproved.insert(head.slot, head);
            }
        }
        if states.iter().any(|state| state.read_only()) {
            self.refuse(Refusal::Damaged);
        }
        let logs = states.iter().flat_map(|state| state.logs());
        let grown = logs.filter(|(slot, log)| !log.deleted && !current.contains(slot));
        self.view.put_back_unsigned(grown.map(|(slot, _)| slot));
        // Readers expect the heads of before from the first moment on; what fails now is tried again.
        if let Err(error) = self.show_earlier().and_then(|()| self.epochs.settle()) {
            tracing::warn!(error = &error as &dyn std::error::Error, "no head is signed yet");
        }
        Ok(())
    }

    pub(super) fn run(mut self, demands: &Receiver<Demand>) {
        let mut next = self.clock.monotonic() + self.every;
        loop {
            let wait = next.saturating_sub(self.clock.monotonic());
            match demands.recv_timeout(wait) {
                Ok(demand) => {
                    // Whatever waits joins the batch.
                    if let Some(stop) =
                        self.serve(std::iter::once(demand).chain(demands.try_iter()))
                    {
                        // The next start then has nothing to compare with the tree.
                        let _ = self.fix(self.view.take_unsigned());
                        let _ = stop.send(());
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.clock.monotonic() >= next {
                let _ = self.fix(self.view.take_unsigned());
                next = self.clock.monotonic() + self.every;
            }
        }
    }

    /// Fixes the heads that are asked for. Returns where to answer when the thread is to stop.
    fn serve(&mut self, demands: impl Iterator<Item = Demand>) -> Option<oneshot::Sender<()>> {
        let (mut stop, mut waiting, mut epochs) = (None, Vec::new(), Vec::new());
        for demand in demands {
            match demand {
                Demand::Head { slot, reply } => waiting.push((slot, reply)),
                Demand::Epoch { reply } => epochs.push(reply),
                Demand::Stop { reply } => stop = Some(reply),
            }
        }
        let slots: HashSet<u64> = waiting.iter().map(|(slot, _)| *slot).collect();
        let fixed = self.fix(slots.into_iter().collect());
        for (_, reply) in waiting {
            let _ = reply.send(fixed.clone());
        }
        if !epochs.is_empty() {
            let made = self.make_epoch();
            for reply in epochs {
                let _ = reply.send(made.clone());
            }
        }
        stop
    }

    /// Makes one epoch over all heads, once those of logs that grew are fixed.
    fn make_epoch(&mut self) -> Result<(), Failed> {
        self.fix(self.view.take_unsigned())?;
        let settled = self.show_earlier();
        settled.map_err(|error| self.failed(&error))?;
        let now_ms = self.clock.now_ms();
        self.epochs.make(&self.view, now_ms).map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the epoch was not made; this is tried again"
            );
            match error {
                SigningError::Refused(refusal) => Failed::Refused(refusal),
                error => Failed::Now(error.to_string()),
            }
        })
    }

    fn show(&mut self, heads: &[Head]) {
        self.view.set_heads(heads);
        self.epochs.changed.extend(heads.iter().map(|head| head.slot));
    }

    /// Fixes the heads of these logs, in batches; those that fail are tried again later.
    fn fix(&mut self, mut slots: Vec<u64>) -> Result<(), Failed> {
        slots.sort_unstable();
        let mut answer = Ok(());
        for slots in slots.chunks(BATCH_HEADS_MAX) {
            let fixed = self.show_earlier().and_then(|()| self.fix_batch(slots));
            if let Err(error) = fixed {
                self.view.put_back_unsigned(slots.iter().copied());
                answer = Err(self.failed(&error));
            }
        }
        answer
    }

    fn fix_batch(&mut self, slots: &[u64]) -> Result<(), SigningError<CatalogError>> {
        let heads = self.heads(slots)?;
        if heads.is_empty() {
            return Ok(());
        }
        let fixed = self.signing.fix(heads)?;
        self.show(&fixed);
        self.state.batches.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the present heads of those logs that have grown since their last one.
    fn heads(&mut self, slots: &[u64]) -> Result<Vec<Head>, SigningError<CatalogError>> {
        let mut heads = Vec::with_capacity(slots.len());
        for (slot, frontier) in self.frontiers(slots) {
            let shown = self.view.fixed_head(slot).map_or(0, |head| head.size);
            if frontier.size() > shown && self.proved(slot)? {
                heads.push(Head { slot, size: frontier.size(), root: frontier.root() });
            }
        }
        Ok(heads)
    }

    /// Asks every partition for the right edges of its own logs; a log that is gone or damaged has none.
    fn frontiers(&self, slots: &[u64]) -> Vec<(u64, Frontier)> {
        let mut own = vec![Vec::new(); self.partitions.len()];
        for (&slot, partition) in slots.iter().zip(self.view.partitions_of(slots)) {
            if let Some(partition) = partition {
                own[partition as usize].push(slot);
            }
        }
        let mut asked = Vec::with_capacity(own.len());
        for (partition, slots) in self.partitions.iter().zip(own) {
            let (reply, answer) = oneshot::channel();
            let message = Message::Frontiers { slots: slots.clone(), reply };
            if !slots.is_empty() && partition.send(message).is_ok() {
                asked.push((slots, answer));
            }
        }
        let mut frontiers = Vec::with_capacity(slots.len());
        for (slots, answer) in asked {
            let found = answer.blocking_recv().unwrap_or_default();
            let found = slots.into_iter().zip(found);
            frontiers.extend(found.filter_map(|(slot, frontier)| Some((slot, frontier?))));
        }
        // A batch hashes its heads in their order.
        frontiers.sort_unstable_by_key(|(slot, _)| *slot);
        frontiers
    }

    /// Says whether the log's last head, if another process fixed it, is one of this log's tree.
    fn proved(&mut self, slot: u64) -> Result<bool, SigningError<CatalogError>> {
        let Some(head) = self.unproved.get(&slot) else { return Ok(true) };
        let (view, segments, cache) = (&*self.view, &*self.segments, &*self.nodes);
        let nodes = Nodes { view, segments, cache, slot, size: head.size };
        match tree::root(&nodes, head.size) {
            Ok(root) if root == head.root => {
                self.unproved.remove(&slot);
                Ok(true)
            }
            Ok(_) => {
                let refusal = Refusal::Root { slot, size: head.size };
                self.refuse(refusal.clone());
                Err(SigningError::Refused(refusal))
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    slot,
                    "the log is not signed: its tree cannot be read"
                );
                self.view.put_back_unsigned(std::iter::once(slot));
                Ok(false)
            }
        }
    }

    /// Shows the heads of earlier processes once local batches and register agree.
    fn show_earlier(&mut self) -> Result<(), SigningError<CatalogError>> {
        let confirmed = self.signing.settle();
        self.note_refusal();
        self.show(&confirmed?);
        if !self.ready {
            let heads = self.catalog.signed_heads().map_err(SigningError::Local)?;
            self.show(&heads);
            self.ready = true;
        }
        Ok(())
    }

    fn failed(&mut self, error: &SigningError<CatalogError>) -> Failed {
        self.note_refusal();
        match error {
            SigningError::Refused(refusal) => Failed::Refused(refusal.clone()),
            error => {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "heads were not signed; this is tried again"
                );
                Failed::Now(error.to_string())
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.signing.refuse(refusal);
        self.note_refusal();
    }

    fn note_refusal(&self) {
        let Some(refusal) = self.signing.refusal() else { return };
        let mut known = self.state.refusal.write();
        if known.is_none() {
            tracing::error!(%refusal, "no head is signed until a person has looked");
            *known = Some(refusal.clone());
        }
    }
}

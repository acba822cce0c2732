//! The partition thread: takes submissions off a bounded queue, commits them in groups, and starts seals.
//!
//! Whatever queued up during the last sync is the next group. One thread per partition; the only thing it waits
//! for is its queue and the disk.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError},
    },
    time::Duration,
};

use attestary_event::{EnvironmentId, TenantId};
use attestary_ledger::Frontier;
use tokio::sync::oneshot;

use super::{
    flow::{Backlog, Flow, Shares},
    sealer::Seal,
    settings::Settings,
    view::View,
    world::World,
};
use crate::{
    disk::RealDisk,
    journal::{JournalError, Scrub, Scrubbed},
    partition::{Frozen, Outcome, Partition},
    record::Prepared,
};

/// Largest group of submissions that shares one sync: at 1 GB/s a group is written in 8 ms.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// How long the newest batch may go without a later one that carries its mark.
const MARK_DELAY: Duration = Duration::from_millis(100);
/// How often an idle partition looks at the age of what is unsealed.
const IDLE: Duration = Duration::from_secs(1);

/// Why submissions are refused.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// The look-up of ids in the segments is outdated; the events come back.
    LookAgain(Vec<Prepared>),
    /// The journal failed.
    Failed(String),
    /// There is no room for another journal file; nothing was written.
    Full,
}

pub(super) type Reply = oneshot::Sender<Result<Vec<Outcome>, Refusal>>;

pub(super) struct Submission {
    pub(super) events: Vec<Prepared>,
    /// Given back when the submission is answered.
    pub(super) room: Room,
    /// Manifest version that the look-up of client-made ids saw.
    pub(super) looked_at: u64,
    pub(super) reply: Reply,
}

impl Submission {
    /// Gives the room back, then answers: who has the answer finds the room free.
    pub(super) fn answer(self, answer: Result<Vec<Outcome>, Refusal>) {
        drop(self.room);
        let _ = self.reply.send(answer);
    }
}

pub(super) enum Message {
    Submit(Submission),
    /// Opens a log when there is none; answers when its genesis event is durable.
    OpenLog {
        environment: EnvironmentId,
        tenant: TenantId,
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    /// Takes a log's name away; what is left of it goes with the next seal.
    Delete {
        slot: u64,
        reply: oneshot::Sender<()>,
    },
    /// A seal is committed as this manifest version.
    Sealed {
        frozen: Box<Frozen>,
        version: u64,
    },
    /// Seals everything there is; answers when it is committed.
    Seal {
        reply: oneshot::Sender<()>,
    },
    /// Overwrites some of what journal files hold of sealed events.
    Scrub {
        scrub: Scrub,
        bytes_max: u64,
        reply: oneshot::Sender<(Scrub, Result<Scrubbed, String>)>,
    },
    Close {
        reply: oneshot::Sender<()>,
    },
    /// Asks for the right edges of logs, in their order; `None` for a log that is gone or damaged.
    Frontiers {
        slots: Vec<u64>,
        reply: oneshot::Sender<Vec<Option<Frontier>>>,
    },
}

/// What is known of all queues together without asking their threads.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// Locked for lines.
    pub(super) queued: parking_lot::Mutex<Shares>,
    /// A journal failed: nothing is accepted until the process starts again.
    pub(super) failed: AtomicBool,
    failure: OnceLock<String>,
}

impl Gauge {
    /// Notes that a journal failed. Returns the first reason there was.
    fn fail(&self, error: &JournalError) -> String {
        let reason = self.failure.get_or_init(|| {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the journal failed: intake stops until the service is started again"
            );
            error.to_string()
        });
        self.failed.store(true, Ordering::Release);
        reason.clone()
    }
}

/// Room in the queue, given back when this is dropped: also when the caller went away while it waited.
pub(super) struct Room {
    gauge: Arc<Gauge>,
    pub(super) flow: Flow,
    bytes: usize,
}

impl Room {
    /// Takes room, unless the flow or all of them have too much in the queue.
    pub(super) fn take(
        gauge: &Arc<Gauge>,
        flow: Flow,
        bytes: usize,
        bytes_max: usize,
    ) -> Option<Self> {
        let taken = gauge.queued.lock().take(flow, bytes, bytes_max);
        taken.then(|| Self { gauge: Arc::clone(gauge), flow, bytes })
    }

    /// Takes a part of the room out of this one.
    pub(super) fn split_off(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { gauge: Arc::clone(&self.gauge), flow: self.flow, bytes }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.gauge.queued.lock().give_back(self.flow, self.bytes);
    }
}

pub(super) struct Writer {
    pub(super) number: u32,
    pub(super) partitions: u32,
    pub(super) partition: Partition<RealDisk>,
    pub(super) backlog: Backlog<Submission>,
    pub(super) world: World,
    pub(super) settings: Settings,
    pub(super) view: Arc<View>,
    pub(super) gauge: Arc<Gauge>,
    pub(super) sealer: SyncSender<Seal>,
    pub(super) sealing: bool,
    pub(super) oldest_unsealed: Option<Duration>,
    pub(super) waiting: Vec<oneshot::Sender<()>>,
}

impl Writer {
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        loop {
            let message = if self.backlog.is_empty() {
                let wait = if self.partition.journal().mark_lags() { MARK_DELAY } else { IDLE };
                queue.recv_timeout(wait)
            } else {
                queue.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                })
            };
            match message {
                Ok(Message::Close { reply }) => {
                    self.commit_all();
                    self.mark();
                    let _ = reply.send(());
                    return;
                }
                Ok(message) => self.handle(message, queue),
                Err(RecvTimeoutError::Timeout) if self.backlog.is_empty() => self.mark(),
                Err(RecvTimeoutError::Timeout) => self.commit_group(),
                Err(RecvTimeoutError::Disconnected) => return self.commit_all(),
            }
            self.seal_when_due();
        }
    }

    /// Whatever waits joins the backlog, and a group of it is committed; a message of another kind comes after all
    /// submissions before it.
    fn handle(&mut self, message: Message, queue: &Receiver<Message>) {
        let mut next = Some(message);
        while let Some(message) = next.take() {
            match message {
                Message::Submit(submission) => {
                    self.push(submission);
                    next = queue.try_recv().ok();
                }
                other => {
                    self.commit_all();
                    self.control(other);
                }
            }
        }
        self.commit_group();
    }

    fn commit_all(&mut self) {
        while !self.backlog.is_empty() {
            self.commit_group();
        }
    }

    fn commit_group(&mut self) {
        let group = self.backlog.take(GROUP_BYTES_MAX);
        self.commit(group);
    }

    fn push(&mut self, submission: Submission) {
        let (flow, bytes) = (submission.room.flow, submission.room.bytes);
        self.backlog.push(flow, submission, bytes);
    }

    fn control(&mut self, message: Message) {
        match message {
            Message::Submit(submission) => self.push(submission),
            Message::OpenLog { environment, tenant, reply } => {
                let _ = reply.send(self.open_log(&environment, &tenant));
            }
            Message::Delete { slot, reply } => {
                self.partition.state_mut().delete(slot);
                self.view.delete(slot);
                let _ = reply.send(());
            }
            Message::Sealed { frozen, version } => self.sealed(&frozen, version),
            Message::Seal { reply } => {
                self.waiting.push(reply);
                self.seal();
            }
            Message::Scrub { mut scrub, bytes_max, reply } => {
                let done = self.scrub(&mut scrub, bytes_max);
                let _ = reply.send((scrub, done));
            }
            Message::Close { reply } => {
                self.mark();
                let _ = reply.send(());
            }
            Message::Frontiers { slots, reply } => {
                let _ = reply.send(slots.iter().map(|&slot| self.frontier(slot)).collect());
            }
        }
    }

    /// Everything applied is durable, so everything under this frontier is.
    fn frontier(&self, slot: u64) -> Option<Frontier> {
        let log = self.partition.state().log(slot)?;
        (!log.deleted && log.damaged.is_empty()).then(|| log.frontier.clone())
    }

    fn scrub(&mut self, scrub: &mut Scrub, bytes_max: u64) -> Result<Scrubbed, String> {
        self.heed_failure();
        let scrubbed = self.partition.journal().scrub(scrub, bytes_max);
        scrubbed.map_err(|error| self.fail(&error))
    }

    /// After a failed write or sync nobody knows what the disk holds: no more writes, in any partition, until recovery
    /// has read it.
    pub(super) fn fail(&self, error: &JournalError) -> String {
        self.gauge.fail(error)
    }

    /// What one partition's disk refused, the others do not try.
    pub(super) fn heed_failure(&mut self) {
        if self.has_failed() {
            self.partition.journal().poison();
        }
    }

    fn has_failed(&self) -> bool {
        self.gauge.failed.load(Ordering::Acquire)
    }

    fn open_log(&mut self, environment: &EnvironmentId, tenant: &TenantId) -> Result<(), Refusal> {
        self.heed_failure();
        let now_ms = self.world.clock.now_ms();
        match self.partition.open_log(environment, tenant, now_ms, &mut self.world) {
            Ok(Some(applied)) => {
                self.view.publish(self.number, self.partition.state(), applied);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) if error.is_full() => Err(Refusal::Full),
            Err(error) => Err(Refusal::Failed(self.fail(&error))),
        }
    }

    fn mark(&mut self) {
        if !self.has_failed()
            && self.partition.journal().mark_lags()
            && let Err(error) = self.partition.mark(&mut self.world)
            && !error.is_full()
        {
            self.fail(&error);
        }
    }

    fn seal_when_due(&mut self) {
        let live = self.view.live(self.number);
        let old = self.oldest_unsealed.is_some_and(|since| {
            self.world.clock.monotonic().saturating_sub(since) >= self.settings.seal_age
        });
        // The limits are those of all partitions together: whoever has its share or more of that seals.
        let share = |own: usize, all: usize| own.saturating_mul(self.partitions as usize) >= all;
        let full = |own, all, max| all >= max && share(own, all);
        if full(live.events, live.all_events, self.settings.seal_events_max)
            || full(live.bytes, live.all_bytes, self.settings.seal_bytes_max)
            || (old && live.events > 0)
        {
            self.seal();
        }
    }

    /// Freezes what there is and hands it to the sealing thread; one seal at a time.
    fn seal(&mut self) {
        if self.sealing || self.has_failed() {
            return;
        }
        let frozen = self.partition.freeze();
        let tail = self.view.freeze(self.number);
        self.oldest_unsealed = None;
        self.sealing = true;
        let waiting = std::mem::take(&mut self.waiting);
        if self.sealer.send(Seal { partition: self.number, frozen, tail, waiting }).is_err() {
            self.gauge.failed.store(true, Ordering::Release);
        }
        // A spare is made here, while nothing waits for it yet, so that switching files costs no allocation.
        match self.partition.journal().prepare_spare() {
            Err(error) if error.is_full() => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no spare journal file");
            }
            Err(error) => drop(self.fail(&error)),
            Ok(()) => {}
        }
    }

    fn sealed(&mut self, frozen: &Frozen, version: u64) {
        self.partition.sealed(frozen, version);
        self.sealing = false;
        if !self.waiting.is_empty() {
            self.seal();
        }
    }
}

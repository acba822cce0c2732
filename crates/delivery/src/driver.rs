//! The driver: one task per destination that does what the engine decides.
//!
//! The task reads and cuts a batch, saves what must be saved, sends, judges, and tells the engine. Between two sends
//! the state is saved, so that what is remembered lags the truth by at most what is in flight. A batch that failed
//! is dropped and read again at the next attempt: a dead destination costs a timer, not memory. Tasks share nothing
//! but the traits handed in, so a hanging destination slows no other.

mod checkpoints;
mod fill;
mod flight;
mod gather;
mod handle;
mod send;
#[cfg(test)]
mod simulation;
mod status;
#[cfg(test)]
mod tests;
mod width;

use std::{collections::VecDeque, ops::ControlFlow, path::PathBuf, sync::Arc, time::Duration};

use attestary_event::actions::KnownActions;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until},
};

pub use handle::{Handle, Stopped};
pub use status::Status;

use self::width::Width;
use crate::{
    attempt::Attempt,
    checkpoint::Due,
    engine::Engine,
    guard::Guard,
    health::{Cause, Reason},
    ports::{Clock, Facts, Log, Memory, Output, Rng, random_u64},
    secret::Secrets,
    spec::Spec,
    state::State,
    transport::{self, Transport},
};

/// Commands that may wait for a destination; more senders wait in turn.
const COMMANDS_MAX: usize = 16;
/// How long a stop waits for the attempt in flight. A stopping service has 30 s in all.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long passed-over events may stay unsaved while nothing is sent: they are only scanned again.
const SAVE_IDLE: Duration = Duration::from_secs(30);
/// How long an idle destination sleeps at most; it is woken by its log.
const IDLE_MAX: Duration = Duration::from_hours(1);
/// Longest pause between two tries to save the state.
const SAVE_RETRY_MAX: Duration = Duration::from_secs(30);

/// What a destination's task works with. Cheap to clone.
#[derive(Clone)]
pub struct Components {
    /// The tenant's log.
    pub log: Arc<dyn Log>,
    /// Where states are kept.
    pub memory: Arc<dyn Memory>,
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// The outbound guard.
    pub guard: Guard,
    /// Where `stdout` destinations write.
    pub output: Arc<dyn Output>,
    /// Directory of `file` destinations; without it they pause.
    pub file_root: Option<PathBuf>,
    /// The known actions of the environment.
    pub actions: Arc<KnownActions>,
}

impl std::fmt::Debug for Components {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Components")
            .field("guard", &self.guard)
            .field("file_root", &self.file_root)
            .finish_non_exhaustive()
    }
}

/// Starts the task of a destination that goes on from `state`.
///
/// Must be called within a Tokio runtime. Dropping the handle ends the task after the attempt in flight is dropped;
/// [`Handle::stop`] ends it in order.
pub fn spawn(spec: Spec, secrets: Secrets, state: State, parts: Components) -> Handle {
    spawn_with(spec, secrets, state, parts, Box::new(transport::open))
}

type Opener = Box<dyn Fn(&Spec, &Secrets, &Components) -> Box<dyn Transport> + Send>;

fn spawn_with(
    spec: Spec,
    secrets: Secrets,
    state: State,
    parts: Components,
    opener: Opener,
) -> Handle {
    // Boxed: the channel sets aside a place for 32 of them.
    let (commands, received) = mpsc::channel::<Box<Command>>(COMMANDS_MAX);
    let engine = Engine::new(spec.limits(), state);
    let (status, statuses) = watch::channel(status::snapshot(engine.state(), None, None));
    let size = parts.log.watch();
    let lanes = vec![opener(&spec, &secrets, &parts)];
    let now = Instant::now();
    // A fleet of failing destinations does not start in one instant.
    let wake_at = (engine.state().failures > 0)
        .then(|| now + Duration::from_millis(random_u64(&*parts.rng) % 1_000));
    let driver = Driver {
        width: Width::new(spec.limits().in_flight_max),
        spec,
        secrets,
        engine,
        lanes,
        opener,
        commands: received,
        deferred: VecDeque::new(),
        status,
        size: size.clone(),
        empty_at: None,
        oldest_ms: None,
        facts: Facts::default(),
        dirty: false,
        passed: false,
        saved_at: now,
        sent_at: None,
        wake_at,
        parts,
    };
    Handle::new(commands, statuses, size, tokio::spawn(driver.run()))
}

enum Command {
    Pause(String, oneshot::Sender<()>),
    Resume(oneshot::Sender<()>),
    Change(Box<(Spec, Secrets)>, oneshot::Sender<()>),
    Test(oneshot::Sender<Attempt>),
    Stop(oneshot::Sender<()>),
}

/// Completes when the connection of a stream breaks, as [`Transport::broken`] does. A stream has one lane.
async fn broken(lanes: &mut [Box<dyn Transport>]) -> Option<u64> {
    match lanes.first_mut() {
        Some(lane) => lane.broken().await,
        None => std::future::pending().await,
    }
}

struct Driver {
    spec: Spec,
    secrets: Secrets,
    engine: Engine,
    parts: Components,
    /// Transports that carry nothing at the moment.
    lanes: Vec<Box<dyn Transport>>,
    width: Width,
    opener: Opener,
    commands: mpsc::Receiver<Box<Command>>,
    /// Commands that came while an attempt was in flight; at most [`COMMANDS_MAX`].
    deferred: VecDeque<Box<Command>>,
    status: watch::Sender<Status>,
    size: watch::Receiver<u64>,
    /// The log's size when it last had nothing for us.
    empty_at: Option<u64>,
    /// When the oldest unconfirmed event was received, as far as it was read.
    oldest_ms: Option<i64>,
    /// What was not saved yet. Bounded: nothing is sent before it is.
    facts: Facts,
    /// The state must be saved before anything is sent or waited for.
    dirty: bool,
    /// Events were passed over since the last save; that may wait, for they would only be scanned again.
    passed: bool,
    saved_at: Instant,
    /// When the last batch went out.
    sent_at: Option<Instant>,
    wake_at: Option<Instant>,
}

/// `Break` ends the task.
type Flow = ControlFlow<()>;

/// What follows a look at the log.
enum Next {
    /// Another look.
    Again,
    /// Waiting for a fuller object: so long, or until the log has this size.
    Gather(Duration, u64),
    /// Waiting for the log to grow.
    Idle,
}

impl Driver {
    async fn run(mut self) {
        loop {
            self.publish();
            if self.step().await.is_break() {
                break;
            }
        }
    }

    async fn step(&mut self) -> Flow {
        if let Some(command) = self.deferred.pop_front() {
            return self.obey_or_end(Some(command)).await;
        }
        if self.engine.rests() {
            self.persist().await?;
            if !self.deferred.is_empty() {
                return Flow::Continue(());
            }
            let command = self.commands.recv().await;
            return self.obey_or_end(command).await;
        }
        if let Some(wake_at) = self.wake_at {
            self.persist().await?;
            if !self.deferred.is_empty() {
                return Flow::Continue(());
            }
            self.publish();
            tokio::select! {
                biased;
                command = self.commands.recv() => return self.obey_or_end(command).await,
                () = sleep_until(wake_at) => self.wake_at = None,
            }
        }
        if let Due::Now(mark) = self.next_checkpoint() {
            return Box::pin(self.send_checkpoint(mark)).await;
        }
        // What waits must be small, and what sends is not: it has a place of its own for as long as it takes.
        match Box::pin(self.deliver()).await? {
            Next::Again => Flow::Continue(()),
            Next::Gather(wait, size) => self.gather(wait, size).await,
            Next::Idle => self.idle().await,
        }
    }

    /// Reads, cuts and sends one batch.
    async fn deliver(&mut self) -> ControlFlow<(), Next> {
        let batch = match self.fill().await {
            Ok(batch) => batch,
            Err(error) => {
                self.unreadable(&error.to_string());
                return ControlFlow::Continue(Next::Again);
            }
        };
        if !batch.records.is_empty() {
            if let Some((wait, size)) = self.gathers(&batch) {
                return ControlFlow::Continue(Next::Gather(wait, size));
            }
            self.fly(batch).await?;
            return ControlFlow::Continue(Next::Again);
        }
        if batch.next_seq > batch.from_seq {
            self.engine.pass(&batch);
            self.passed = true;
            return ControlFlow::Continue(Next::Again);
        }
        ControlFlow::Continue(Next::Idle)
    }

    /// Waits until the log has something for us.
    async fn idle(&mut self) -> Flow {
        if self.dirty || !self.facts.is_empty() || self.saved_at.elapsed() >= SAVE_IDLE {
            self.persist().await?;
            if !self.deferred.is_empty() {
                return Flow::Continue(());
            }
        }
        self.publish();
        let size = *self.size.borrow_and_update();
        let grown = size > self.engine.state().cursor && self.empty_at != Some(size);
        if !grown {
            // A log that says it has more than it gives is asked again, but not in a tight loop.
            let again = match (size > self.engine.state().cursor, self.passed) {
                (true, _) => Duration::from_secs(1),
                (false, true) => SAVE_IDLE,
                (false, false) => IDLE_MAX,
            };
            let again = self.sleep_for_checkpoint(again);
            tokio::select! {
                biased;
                command = self.commands.recv() => return self.obey_or_end(command).await,
                lost = broken(&mut self.lanes) => self.rewind(lost),
                changed = self.size.changed() => {
                    if changed.is_ok() {
                        let size = *self.size.borrow();
                        return self.linger(size).await;
                    }
                    // The log is closed: only a command can follow.
                    let command = self.commands.recv().await;
                    return self.obey_or_end(command).await;
                }
                () = sleep(again) => self.empty_at = None,
            }
            return Flow::Continue(());
        }
        self.linger(size).await
    }

    /// Gives events that arrive together the time to become one batch: one that is not full keeps its distance to the
    /// batch before it. What comes after a rest leaves at once.
    async fn linger(&mut self, size: u64) -> Flow {
        let limits = self.spec.limits();
        self.empty_at = None;
        let full = self.engine.state().cursor.saturating_add(limits.events_max as u64);
        let due = self.sent_at.map(|at| at + Duration::from_millis(limits.linger_ms));
        let Some(until) = due.filter(|until| *until > Instant::now() && size < full) else {
            return Flow::Continue(());
        };
        tokio::select! {
            biased;
            command = self.commands.recv() => self.obey_or_end(command).await,
            () = async { drop(self.size.wait_for(|size| *size >= full).await) } => Flow::Continue(()),
            () = sleep_until(until) => Flow::Continue(()),
        }
    }

    async fn obey_or_end(&mut self, command: Option<Box<Command>>) -> Flow {
        match command {
            Some(command) => Box::pin(self.obey(command)).await,
            None => Flow::Break(()),
        }
    }

    /// Obeys a command while nothing is in flight. The answer is given when its effect is saved.
    async fn obey(&mut self, command: Box<Command>) -> Flow {
        let now = self.parts.clock.now();
        let done = match *command {
            Command::Pause(detail, done) => {
                self.engine.pause(&detail, now);
                done
            }
            Command::Resume(done) => {
                self.engine.resume(now);
                self.wake_at = None;
                done
            }
            Command::Change(change, done) => {
                let (spec, secrets) = *change;
                if spec.filter != self.spec.filter || spec.destination != self.spec.destination {
                    self.engine.renew_receipt();
                }
                (self.spec, self.secrets) = (spec, secrets);
                self.engine.change(self.spec.limits(), now);
                self.lanes = vec![self.open_lane()];
                self.width = Width::new(self.spec.limits().in_flight_max);
                self.wake_at = None;
                done
            }
            Command::Test(done) => {
                let attempt = self.test().await?;
                let _ = done.send(attempt);
                return self.persist().await;
            }
            Command::Stop(done) => {
                let flow = self.persist().await;
                let _ = done.send(());
                flow?;
                return Flow::Break(());
            }
        };
        self.dirty = true;
        self.persist().await?;
        self.publish();
        let _ = done.send(());
        Flow::Continue(())
    }

    fn open_lane(&self) -> Box<dyn Transport> {
        (self.opener)(&self.spec, &self.secrets, &self.parts)
    }

    /// Returns a transport that carries nothing.
    fn lane(&mut self) -> &mut dyn Transport {
        if self.lanes.is_empty() {
            self.lanes.push(self.open_lane());
        }
        &mut *self.lanes[0]
    }

    fn rewind(&mut self, lost: Option<u64>) {
        if let Some(seq) = lost {
            tracing::info!(destination.id = %self.spec.id, stream.seq = seq, "the connection broke; sending again from {seq}");
            self.engine.rewind(seq);
            self.dirty = true;
        }
    }

    fn unreadable(&mut self, error: &str) {
        let reason = Reason::new(Cause::Log, error);
        let settled =
            self.engine.unreadable(&reason, self.parts.clock.now(), random_u64(&*self.parts.rng));
        self.take(settled);
    }

    fn take(&mut self, settled: crate::engine::Settled) {
        self.dirty = true;
        self.wake_at = settled.wait.map(|wait| Instant::now() + wait);
        self.facts.notices.extend(settled.facts.notices);
        self.facts.quarantined.extend(settled.facts.quarantined);
        self.facts.gaps.extend(settled.facts.gaps);
    }

    /// Saves the state and the facts, trying until it succeeds. Commands that come meanwhile are deferred, so
    /// whoever waits for commands afterwards looks at those first.
    async fn persist(&mut self) -> Flow {
        let mut pause = Duration::from_secs(1);
        while self.dirty || self.passed || !self.facts.is_empty() {
            let saved =
                self.parts.memory.save(&self.spec.id, self.engine.state(), &self.facts).await;
            let Err(error) = saved else {
                self.facts = Facts::default();
                self.dirty = false;
                self.passed = false;
                self.saved_at = Instant::now();
                break;
            };
            tracing::warn!(destination.id = %self.spec.id, %error, "cannot save the state of a destination; it waits");
            tokio::select! {
                biased;
                command = self.commands.recv(), if self.deferred.len() < COMMANDS_MAX => match command.map(|command| *command) {
                    Some(Command::Stop(done)) => {
                        let _ = done.send(());
                        return Flow::Break(());
                    }
                    Some(command) => self.deferred.push_back(Box::new(command)),
                    None => return Flow::Break(()),
                },
                () = sleep(pause) => pause = (pause * 2).min(SAVE_RETRY_MAX),
            }
        }
        Flow::Continue(())
    }

    fn publish(&self) {
        let retry = self.wake_at.map(|at| at.saturating_duration_since(Instant::now()));
        let retry_at = retry.map(|wait| self.parts.clock.now().0 + wait.as_millis() as i64);
        self.status.send_replace(status::snapshot(self.engine.state(), retry_at, self.oldest_ms));
    }
}

//! Batches under way: usually one, several where the destination is set to take several.
//!
//! Each goes out over a lane of its own, which is a task with a transport, so that the next batch is read and encoded
//! while the receiver works on the one before. Answers are acted on in the order of the log: the cursor passes a batch
//! when everything before it is done with. After an answer that is not a confirmation nothing more goes out; what was
//! confirmed behind it meanwhile is remembered, and the engine goes on alone with the batch at the cursor.
//!
//! The first batch of a flight goes alone. Only its confirmation shows that the receiver works, and so a dead one
//! costs the reading and encoding of one batch an attempt, never of two.

use std::{collections::VecDeque, ops::ControlFlow, panic::resume_unwind, time::Duration};

use attestary_event::Timestamp;
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{COMMANDS_MAX, Command, Driver, Flow, STOP_GRACE};
use crate::{
    batch::Batch,
    checkpoint::Due,
    destination::Request,
    health::Cause,
    transport::Transport,
    verdict::{Failure, Reply, Verdict},
};

/// How long changed settings wait for the attempt in flight; they take effect within a second.
const CHANGE_GRACE: Duration = Duration::from_millis(800);

/// Batches under way, in log order.
pub(super) struct Flight {
    slots: VecDeque<Slot>,
    carried: JoinSet<Carried>,
    /// The next one, read while others were under way.
    next: Option<Batch>,
    /// What came back for a request that is no batch of the log.
    other: Option<Reply>,
    /// Nothing more goes out.
    ends: bool,
    /// A batch of it was confirmed.
    confirmed: bool,
    /// The batch at the cursor was not confirmed: those behind it are only waited for.
    failed: bool,
    /// The first seq it does not speak for.
    end: u64,
    /// Numbers the slots.
    launched: u64,
    /// Stops that came meanwhile, and when they no longer wait.
    stops: Vec<oneshot::Sender<()>>,
    stop_at: Option<Instant>,
    /// When changed settings no longer wait.
    change_at: Option<Instant>,
}

/// One batch of it.
struct Slot {
    number: u64,
    batch: Batch,
    at: Timestamp,
    begun: Instant,
    landed: Option<(Reply, Verdict)>,
}

impl Slot {
    /// Returns true when nothing is awaited for it.
    fn is_done(&self) -> bool {
        self.landed.is_some() || self.batch.records.is_empty()
    }
}

/// What a lane brought back.
struct Carried {
    number: u64,
    lane: Box<dyn Transport>,
    reply: Reply,
    took: Duration,
}

impl Flight {
    fn new(next: Option<Batch>) -> Self {
        Self {
            slots: VecDeque::new(),
            carried: JoinSet::new(),
            end: next.as_ref().map_or(0, |first| first.next_seq),
            next,
            other: None,
            ends: false,
            confirmed: false,
            failed: false,
            launched: 0,
            stops: Vec::new(),
            stop_at: None,
            change_at: None,
        }
    }

    /// Returns true when the batch at the cursor, or after a failure any, is done with.
    fn has_landed(&self) -> bool {
        let reach = if self.failed { usize::MAX } else { 1 };
        self.slots.iter().take(reach).any(Slot::is_done)
    }
}

impl Driver {
    /// Sends a batch, and those after it while there is more than enough for another full one.
    pub(super) async fn fly(&mut self, first: Batch) -> Flow {
        let mut flight = Flight::new(Some(first));
        let flow = loop {
            // What came back is acted on before anything else goes out: it is saved before the next send.
            if flight.has_landed() {
                self.settle_landed(&mut flight);
            } else if flight.carried.len() < self.width.now()
                && let Some(batch) = flight.next.take()
            {
                self.launch(&mut flight, batch).await?;
            } else if self.wants_more(&flight) {
                self.prepare(&mut flight).await;
            } else if flight.slots.is_empty() {
                break Flow::Continue(());
            } else if let Some(flow) = self.hear(&mut flight).await {
                break flow;
            }
        };
        self.defer(flight.stops);
        flow
    }

    /// Carries a request that is no batch of the log.
    pub(super) async fn carry(&mut self, request: Request) -> ControlFlow<(), Reply> {
        let mut flight = Flight::new(None);
        self.spawn(&mut flight, request);
        let reply = loop {
            if let Some(reply) = flight.other.take() {
                break reply;
            }
            if let Some(flow) = self.hear(&mut flight).await {
                flow?;
                break unanswered();
            }
        };
        self.defer(flight.stops);
        ControlFlow::Continue(reply)
    }

    /// A stop is obeyed before whatever else waits.
    fn defer(&mut self, stops: Vec<oneshot::Sender<()>>) {
        for done in stops {
            self.deferred.push_front(Box::new(Command::Stop(done)));
        }
    }

    /// Returns true when another batch should be read: the receiver works, and the log has a full one.
    fn wants_more(&self, flight: &Flight) -> bool {
        let state = self.engine.state();
        if flight.ends || !flight.confirmed || flight.next.is_some() || state.failures > 0 {
            return false;
        }
        // One more than may be under way: it is read while those are.
        let enough = flight.end.saturating_add(self.spec.limits().events_max as u64);
        flight.slots.len() <= self.width.now()
            && self.deferred.is_empty()
            && !self.engine.rests()
            && !matches!(self.next_checkpoint(), Due::Now(_))
            && *self.size.borrow() >= enough
    }

    /// Reads and cuts the batch behind those under way. One that is not full is left for later.
    async fn prepare(&mut self, flight: &mut Flight) {
        let window = self.engine.window_behind(flight.end);
        let Ok((batch, missing)) = self.cut(window).await else {
            // Met again at the cursor, where it is acted on.
            flight.ends = true;
            return;
        };
        let at_end = self.empty_at.take().is_some();
        if at_end || missing.is_some() || batch.next_seq == window.from_seq {
            flight.ends = true;
            return;
        }
        flight.end = batch.next_seq;
        flight.next = Some(batch);
    }

    /// Fixes and saves what must be before the batch goes out, and sends it.
    async fn launch(&mut self, flight: &mut Flight, batch: Batch) -> Flow {
        if flight.slots.is_empty() && batch.records.is_empty() {
            self.engine.pass(&batch);
            self.passed = true;
            return Flow::Continue(());
        }
        let alone = batch.from_seq == self.engine.state().cursor;
        let fresh = if alone { self.engine.fix(&batch) } else { self.engine.fix_behind(&batch) };
        self.dirty |= fresh && self.spec.destination.fixes_range();
        // What was confirmed before, and the range when it is part of the request, is saved before the send.
        self.persist().await?;
        let (at, begun) = (self.parts.clock.now(), Instant::now());
        if let Some((first, last)) = batch.first_seq().zip(batch.last_seq()) {
            let request = self.request(&batch, &format!("{}-{first}-{last}", self.spec.label()));
            self.sent_at = Some(begun);
            self.spawn(flight, request);
        } else {
            flight.launched += 1;
        }
        flight.slots.push_back(Slot { number: flight.launched, batch, at, begun, landed: None });
        Flow::Continue(())
    }

    /// Sends a request over a lane of its own.
    fn spawn(&mut self, flight: &mut Flight, request: Request) {
        flight.launched += 1;
        let (number, begun) = (flight.launched, Instant::now());
        let mut lane = self.lanes.pop().unwrap_or_else(|| self.open_lane());
        flight.carried.spawn(async move {
            let reply = lane.carry(request).await;
            Carried { number, lane, reply, took: begun.elapsed() }
        });
    }

    /// Waits for an answer or a command. `Some` ends the flight with attempts still under way.
    async fn hear(&mut self, flight: &mut Flight) -> Option<Flow> {
        if self.deferred.iter().any(|command| matches!(**command, Command::Change(..))) {
            flight.change_at.get_or_insert_with(|| Instant::now() + CHANGE_GRACE);
        }
        let room = self.deferred.len() + flight.stops.len() < COMMANDS_MAX;
        tokio::select! {
            biased;
            Some(carried) = flight.carried.join_next() => {
                match carried {
                    Ok(carried) => self.land(flight, carried),
                    Err(error) => resume_unwind(error.into_panic()),
                }
                None
            }
            () = at(flight.stop_at) => {
                // The outcome is unknown, so the batches count as not delivered.
                let _ = self.persist().await;
                Some(Flow::Break(()))
            }
            () = at(flight.change_at) => {
                self.give_up(flight).await;
                Some(Flow::Continue(()))
            }
            command = self.commands.recv(), if room => match command.map(|command| *command) {
                Some(command) => {
                    self.note(flight, command).await;
                    None
                }
                None => {
                    let _ = self.persist().await;
                    Some(Flow::Break(()))
                }
            },
        }
    }

    /// Commands that come meanwhile wait, except a pause, a resume and a stop; nothing more goes out.
    async fn note(&mut self, flight: &mut Flight, command: Command) {
        flight.ends = true;
        flight.next = None;
        match command {
            Command::Pause(detail, done) => {
                self.engine.pause(&detail, self.parts.clock.now());
                self.save_now().await;
                let _ = done.send(());
            }
            Command::Resume(done) if self.deferred.is_empty() => {
                // What is in flight is the attempt that was asked for.
                self.engine.resume(self.parts.clock.now());
                self.save_now().await;
                let _ = done.send(());
            }
            Command::Stop(done) => {
                flight.stop_at.get_or_insert_with(|| Instant::now() + STOP_GRACE);
                flight.stops.push(done);
            }
            command => self.deferred.push_back(Box::new(command)),
        }
    }

    /// Saves now if it can be; else with the outcome, before anything else is sent.
    async fn save_now(&mut self) {
        let saved = self.parts.memory.save(&self.spec.id, self.engine.state(), &self.facts).await;
        self.dirty = saved.is_err();
        self.publish();
    }

    /// Takes down an answer.
    fn land(&mut self, flight: &mut Flight, carried: Carried) {
        let Carried { number, lane, reply, took } = carried;
        self.lanes.push(lane);
        let Some(index) = flight.slots.iter().position(|slot| slot.number == number) else {
            flight.other = Some(reply);
            return;
        };
        let slot = &flight.slots[index];
        let verdict = self.spec.destination.judge(&reply, slot.batch.records.len());
        self.record(&slot.batch, &reply, &verdict, slot.at, took);
        if verdict == Verdict::Delivered {
            self.width.confirmed(took);
            flight.confirmed = true;
        } else {
            self.width.failed();
            flight.ends = true;
            flight.next = None;
        }
        flight.slots[index].landed = Some((reply, verdict));
    }

    /// Acts on what came back for the batch at the cursor, or behind one that failed.
    fn settle_landed(&mut self, flight: &mut Flight) {
        if flight.failed {
            return self.remember_rest(flight);
        }
        let Some(slot) = flight.slots.pop_front() else { return };
        let Some((reply, verdict)) = slot.landed else {
            self.engine.pass(&slot.batch);
            self.passed = true;
            return;
        };
        self.engine.fix(&slot.batch);
        self.settle(&slot.batch, &reply, &verdict);
        self.publish();
        flight.failed = verdict != Verdict::Delivered;
    }

    /// What was confirmed behind a batch that was not is not sent again. The others are, as they were.
    fn remember_rest(&mut self, flight: &mut Flight) {
        let (done, open) = std::mem::take(&mut flight.slots)
            .into_iter()
            .partition::<VecDeque<_>, _>(Slot::is_done);
        flight.slots = open;
        for slot in done {
            if let Some((_, Verdict::Delivered)) = slot.landed {
                self.engine.confirm_behind(slot.batch);
            }
        }
    }

    /// Leaves attempts whose receiver takes its time to answer: the settings that they were made with hold no more.
    async fn give_up(&mut self, flight: &mut Flight) {
        flight.carried.shutdown().await;
        let reply = unanswered();
        for slot in std::mem::take(&mut flight.slots) {
            if !slot.is_done() {
                let verdict = self.spec.destination.judge(&reply, slot.batch.records.len());
                self.record(&slot.batch, &reply, &verdict, slot.at, slot.begun.elapsed());
            }
        }
    }
}

/// Returns what stands for the answer that was not waited for.
fn unanswered() -> Reply {
    let detail = "there was no answer yet when the settings were changed";
    Reply::Failed(Failure::new(Cause::Timeout, detail))
}

/// Completes at a time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

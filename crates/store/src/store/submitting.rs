//! Submitting: look repeats up in the segments, wait for the partitions, answer with receipts.

use std::{
    sync::{atomic::Ordering, mpsc::TrySendError},
    time::Duration,
};

use attestary_event::{EnvironmentId, ErrorKind, TenantId, Timestamp};
use tokio::sync::oneshot;

use super::{
    LogHead, Store,
    flow::Flow,
    reading::ReadError,
    splitting::{Places, parts},
    writer::{Message, Refusal, Room, Submission},
};
use crate::{
    partition::{Outcome, Receipt},
    query::Found,
    record::Prepared,
};

/// Longest wait for sealing to catch up: well inside every client's own time-out.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(5);
const ROOM_POLL: Duration = Duration::from_millis(2);

const PUSHBACK: SubmitError = SubmitError::Pushback { retry_after: Duration::from_secs(1) };

/// Why submissions are refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Too much waits already; resending later is safe.
    #[error("too many events wait to be stored")]
    Pushback {
        /// When to try again.
        retry_after: Duration,
    },
    /// The disk is nearly full; nothing of the submission was stored.
    #[error("the disk is full: events are refused until there is room again")]
    DiskFull,
    /// The journal failed; nothing is accepted until the service is started again.
    #[error("events cannot be stored: {reason}")]
    ReadOnly {
        /// What failed.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Repeats could not be looked up in the segments.
    #[error("repeated ids cannot be looked up")]
    LookUp(#[source] ReadError),
}

impl SubmitError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Pushback { .. } | Self::DiskFull => ErrorKind::Pushback,
            Self::ReadOnly { .. } | Self::Closed => ErrorKind::Unavailable,
            Self::LookUp(error) => error.kind(),
        }
    }
}

impl Store {
    /// Stores events. When this returns `Ok`, every accepted event is on stable storage and visible to reads.
    ///
    /// The answers are in the order of `events`. A batch is not atomic: a repeated id with other content is
    /// refused on its own.
    pub async fn submit(&self, events: Vec<Prepared>) -> Result<Vec<Outcome>, SubmitError> {
        self.submit_for(Flow::SERVICE, events).await
    }

    /// [`Self::submit`] for one of many who share the engine: `flow` gets its fair part of the queue and no more.
    pub async fn submit_for(
        &self,
        flow: Flow,
        mut events: Vec<Prepared>,
    ) -> Result<Vec<Outcome>, SubmitError> {
        loop {
            let looked_at = self.0.view.manifest().version;
            let sealed = self.look_up(&mut events).await?;
            if events.is_empty() {
                return Ok(sealed.into_iter().flatten().collect());
            }
            match self.enqueue(flow, events, looked_at).await? {
                Ok(outcomes) => return Ok(merge(sealed, outcomes)),
                Err(Refusal::Failed(reason)) => return Err(SubmitError::ReadOnly { reason }),
                Err(Refusal::Full) => return Err(SubmitError::DiskFull),
                // Those that were found stay found: only the others came back.
                Err(Refusal::LookAgain(back)) if sealed.iter().all(Option::is_none) => {
                    events = back;
                }
                Err(Refusal::LookAgain(back)) => return self.resume(flow, sealed, back).await,
            }
        }
    }

    /// Goes on with the events that were not found, and puts their answers between those that were.
    async fn resume(
        &self,
        flow: Flow,
        sealed: Vec<Option<Outcome>>,
        back: Vec<Prepared>,
    ) -> Result<Vec<Outcome>, SubmitError> {
        let outcomes = Box::pin(self.submit_for(flow, back)).await?;
        Ok(merge(sealed, outcomes))
    }

    /// Asks whether a submission of about `bytes` bytes would be taken into the queue now. Takes no room, so it may be
    /// refused all the same: this is for who wants to save the work on a body that comes too early.
    pub fn ask_room(&self, flow: Flow, bytes: usize) -> Result<(), SubmitError> {
        if self.0.found.full.load(Ordering::Acquire) && flow != Flow::SERVICE {
            return Err(SubmitError::DiskFull);
        }
        let shares = self.0.gauge.queued.lock();
        let has_room = shares.has_room(flow, bytes, self.0.settings.queue_bytes_max);
        if has_room { Ok(()) } else { Err(PUSHBACK) }
    }

    async fn enqueue(
        &self,
        flow: Flow,
        events: Vec<Prepared>,
        looked_at: u64,
    ) -> Result<Result<Vec<Outcome>, Refusal>, SubmitError> {
        // What the service itself records goes on into the reserve.
        if self.0.found.full.load(Ordering::Acquire) && !events.iter().all(Prepared::is_service) {
            return Err(SubmitError::DiskFull);
        }
        let room = self.admit(flow, events.iter().map(Prepared::bytes).sum()).await?;
        match self.places(&events) {
            Places::One(partition) => {
                let (reply, answer) = oneshot::channel();
                self.hand_over(partition, Submission { events, room, looked_at, reply })?;
                answer.await.map_err(|_| SubmitError::Closed)
            }
            Places::Several(places) => {
                self.enqueue_parts(parts(events, &places), room, looked_at).await.map(Ok)
            }
        }
    }

    /// Puts a submission on a partition's queue, unless that is full.
    pub(super) fn hand_over(
        &self,
        partition: u32,
        submission: Submission,
    ) -> Result<(), SubmitError> {
        match self.0.partitions[partition as usize].try_send(Message::Submit(submission)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(PUSHBACK),
            Err(TrySendError::Disconnected(_)) => Err(SubmitError::Closed),
        }
    }

    /// Takes room in the queue. While sealing is behind, submissions wait here and are slowed down to its pace;
    /// what waits longer than [`ROOM_WAIT_MAX`], or finds no room, is pushed back.
    async fn admit(&self, flow: Flow, bytes: usize) -> Result<Room, SubmitError> {
        let gauge = &self.0.gauge;
        let room = Room::take(gauge, flow, bytes, self.0.settings.queue_bytes_max);
        let room = room.ok_or(PUSHBACK)?;
        let mut waited = Duration::ZERO;
        while self.0.view.unsealed().1 > self.0.settings.unsealed_bytes_max {
            if waited >= ROOM_WAIT_MAX || gauge.failed.load(Ordering::Acquire) {
                return Err(PUSHBACK);
            }
            tokio::time::sleep(ROOM_POLL).await;
            waited += ROOM_POLL;
        }
        Ok(room)
    }

    /// Answers for each event whether a segment has its id, and takes those that one has out of `events`.
    async fn look_up(
        &self,
        events: &mut Vec<Prepared>,
    ) -> Result<Vec<Option<Outcome>>, SubmitError> {
        // (slot, place in the batch), for ids that the client made and that may be in a segment of that log.
        let mut places: Vec<(u64, usize)> = Vec::new();
        for (index, event) in events.iter().enumerate() {
            if event.client_id && self.0.ids.may_hold(event.id) {
                let slot = self.0.view.slot(&event.environment, &event.tenant);
                places.extend(slot.map(|slot| (slot, index)));
            }
        }
        if places.is_empty() {
            return Ok(vec![]);
        }
        places.sort_unstable();
        let groups = places.chunk_by(|a, b| a.0 == b.0);
        let groups = groups
            .map(|group| (group[0].0, group.iter().map(|&(_, index)| events[index].id).collect()));
        let found = self.find_ids(groups.collect()).await.map_err(SubmitError::LookUp)?;
        let mut answers = vec![None; events.len()];
        for (&(_, index), found) in places.iter().zip(found) {
            answers[index] = found.map(|found| repeated(&events[index], &found));
        }
        if answers.iter().any(Option::is_some) {
            let mut found = answers.iter().map(Option::is_some);
            events.retain(|_| !found.next().unwrap_or(false));
        }
        Ok(answers)
    }

    /// Returns a tenant's log, opening it with its genesis event when there is none.
    pub async fn open_log(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<LogHead, SubmitError> {
        if let Some(head) = self.log(environment, tenant) {
            return Ok(head);
        }
        let (reply, answer) = oneshot::channel();
        let message =
            Message::OpenLog { environment: environment.clone(), tenant: tenant.clone(), reply };
        let partition = self.0.placement.of(environment, tenant);
        if !self.send(partition, message).await {
            return Err(SubmitError::Closed);
        }
        match answer.await {
            Ok(Ok(())) => self.log(environment, tenant).ok_or(SubmitError::Closed),
            Ok(Err(Refusal::Failed(reason))) => Err(SubmitError::ReadOnly { reason }),
            Ok(Err(Refusal::Full)) => Err(SubmitError::DiskFull),
            Ok(Err(Refusal::LookAgain(_))) | Err(_) => Err(SubmitError::Closed),
        }
    }
}

fn repeated(event: &Prepared, found: &Found) -> Outcome {
    let receipt = Receipt {
        id: event.id,
        tenant: event.tenant.clone(),
        seq: found.seq,
        received_at: Timestamp(found.received_ms as i64),
        leaf_hash: found.leaf_hash,
    };
    match found.digest {
        // After an erasure the digest is gone and the id alone decides.
        Some(digest) if digest != event.digest => Outcome::Conflict(receipt),
        _ => Outcome::Duplicate(receipt),
    }
}

/// Puts the partition's answers where the segments had none.
fn merge(sealed: Vec<Option<Outcome>>, outcomes: Vec<Outcome>) -> Vec<Outcome> {
    if sealed.iter().all(Option::is_none) {
        return outcomes;
    }
    let mut rest = outcomes.into_iter();
    sealed.into_iter().filter_map(|answer| answer.or_else(|| rest.next())).collect()
}

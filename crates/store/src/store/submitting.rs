//! Submitting: look repeats up in the segments, wait for the partition, answer with receipts.

use std::{
    sync::{atomic::Ordering, mpsc::TrySendError},
    time::Duration,
};

use attestary_event::{EnvironmentId, ErrorKind, TenantId, Timestamp};
use tokio::sync::oneshot;

use super::{
    LogHead, Store,
    reading::ReadError,
    writer::{Message, Refusal, Submission},
};
use crate::{
    partition::{Outcome, Receipt},
    query::Found,
    record::Prepared,
};

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
            Self::Pushback { .. } => ErrorKind::Pushback,
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
    pub async fn submit(&self, mut events: Vec<Prepared>) -> Result<Vec<Outcome>, SubmitError> {
        let mut sealed: Vec<Option<Outcome>> = vec![];
        loop {
            let looked_at = self.0.view.manifest().version;
            if events.iter().any(|event| event.client_id) {
                sealed = self.look_up(&events).await?;
                // Those found are answered from the segments; the others go on to the partition.
                if sealed.iter().any(Option::is_some) {
                    let mut found = sealed.iter().map(Option::is_some);
                    events.retain(|_| !found.next().unwrap_or(false));
                }
            }
            if events.is_empty() {
                return Ok(sealed.into_iter().flatten().collect());
            }
            // Looking again after a refusal needs the events once more; only those with client-made ids can meet it.
            let retry = events.iter().any(|event| event.client_id).then(|| events.clone());
            match self.enqueue(events, looked_at).await? {
                Ok(outcomes) => return Ok(merge(sealed, outcomes)),
                Err(Refusal::Failed(reason)) => return Err(SubmitError::ReadOnly { reason }),
                Err(Refusal::LookAgain) => events = retry.ok_or(SubmitError::Closed)?,
            }
        }
    }

    async fn enqueue(
        &self,
        events: Vec<Prepared>,
        looked_at: u64,
    ) -> Result<Result<Vec<Outcome>, Refusal>, SubmitError> {
        let bytes = events.iter().map(Prepared::bytes).sum();
        self.admit(bytes)?;
        let (reply, answer) = oneshot::channel();
        let submission = Submission { events, bytes, looked_at, reply };
        if let Err(error) = self.0.partition.try_send(Message::Submit(submission)) {
            self.0.gauge.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(match error {
                TrySendError::Full(_) => {
                    SubmitError::Pushback { retry_after: Duration::from_secs(1) }
                }
                TrySendError::Disconnected(_) => SubmitError::Closed,
            });
        }
        answer.await.map_err(|_| SubmitError::Closed)
    }

    fn admit(&self, bytes: usize) -> Result<(), SubmitError> {
        let gauge = &self.0.gauge;
        let queued = gauge.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = queued == 0 || queued + bytes <= self.0.settings.queue_bytes_max;
        if room && self.0.view.unsealed().1 <= self.0.settings.unsealed_bytes_max {
            return Ok(());
        }
        gauge.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(SubmitError::Pushback { retry_after: Duration::from_secs(1) })
    }

    /// Answers for each event whether a segment has its id.
    async fn look_up(&self, events: &[Prepared]) -> Result<Vec<Option<Outcome>>, SubmitError> {
        let mut answers = vec![None; events.len()];
        let mut by_slot: Vec<(u64, Vec<usize>)> = Vec::new();
        for (index, event) in events.iter().enumerate().filter(|(_, event)| event.client_id) {
            let Some(slot) = self.0.view.slot(&event.environment, &event.tenant) else { continue };
            match by_slot.iter_mut().find(|(known, _)| *known == slot) {
                Some((_, indexes)) => indexes.push(index),
                None => by_slot.push((slot, vec![index])),
            }
        }
        for (slot, indexes) in by_slot {
            let ids = indexes.iter().map(|&index| events[index].id).collect();
            let found = self.find_ids(slot, ids).await.map_err(SubmitError::LookUp)?;
            for (&index, found) in indexes.iter().zip(found) {
                answers[index] = found.map(|found| repeated(&events[index], &found));
            }
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
        if !self.send(message).await {
            return Err(SubmitError::Closed);
        }
        match answer.await {
            Ok(Ok(())) => self.log(environment, tenant).ok_or(SubmitError::Closed),
            Ok(Err(Refusal::Failed(reason))) => Err(SubmitError::ReadOnly { reason }),
            Ok(Err(Refusal::LookAgain)) | Err(_) => Err(SubmitError::Closed),
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

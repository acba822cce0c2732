//! Submissions with events of several partitions: each partition gets its own, and the answers come back in the order of
//! the submission.

use tokio::sync::oneshot::{self, Receiver};

use super::{
    Store,
    submitting::SubmitError,
    writer::{Message, Refusal, Room, Submission},
};
use crate::{partition::Outcome, record::Prepared};

/// Which partitions have the logs of a submission's events.
pub(super) enum Places {
    /// One has all.
    One(u32),
    /// One for each event.
    Several(Vec<u32>),
}

/// The events of one partition, and where each stands in the submission.
pub(super) struct Part {
    partition: u32,
    indexes: Vec<usize>,
    events: Vec<Prepared>,
}

/// Cuts a submission by partition; events keep their order.
pub(super) fn parts(events: Vec<Prepared>, places: &[u32]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (index, (event, &partition)) in events.into_iter().zip(places).enumerate() {
        let known = parts.iter_mut().find(|part| part.partition == partition);
        match known {
            Some(part) => {
                part.indexes.push(index);
                part.events.push(event);
            }
            None => parts.push(Part { partition, indexes: vec![index], events: vec![event] }),
        }
    }
    parts
}

/// Where the answers of a part go, and where they come from.
type Waiting = (Vec<usize>, Receiver<Result<Vec<Outcome>, Refusal>>);

impl Store {
    pub(super) fn places(&self, events: &[Prepared]) -> Places {
        let placement = self.0.placement;
        if placement.partitions() == 1 {
            return Places::One(0);
        }
        let places = events.iter().map(|event| placement.of(&event.environment, &event.tenant));
        let places: Vec<u32> = places.collect();
        match places.split_first() {
            Some((first, rest)) if rest.iter().all(|place| place == first) => Places::One(*first),
            _ => Places::Several(places),
        }
    }

    /// Puts every part on its partition's queue and waits for all of them, also when one is refused: who sends the
    /// events again finds those of the others in their logs.
    pub(super) async fn enqueue_parts(
        &self,
        parts: Vec<Part>,
        mut room: Room,
        looked_at: u64,
    ) -> Result<Vec<Outcome>, SubmitError> {
        let flow = room.flow;
        let mut outcomes = vec![None; parts.iter().map(|part| part.events.len()).sum()];
        let mut waiting: Vec<Waiting> = Vec::with_capacity(parts.len());
        for Part { partition, indexes, events } in parts {
            let (reply, answer) = oneshot::channel();
            let room = room.split_off(events.iter().map(Prepared::bytes).sum());
            let submission = Submission { events, room, looked_at, reply };
            if waiting.is_empty() {
                self.hand_over(partition, submission)?;
            } else if !self.send(partition, Message::Submit(submission)).await {
                // Others are on their way: there is no pushing back any more.
                return Err(SubmitError::Closed);
            }
            waiting.push((indexes, answer));
        }
        let mut refused = None;
        for (indexes, answer) in waiting {
            let decided = match answer.await {
                Ok(Ok(decided)) => Ok(decided),
                Ok(Err(Refusal::LookAgain(back))) => Box::pin(self.submit_for(flow, back)).await,
                Ok(Err(Refusal::Failed(reason))) => Err(SubmitError::ReadOnly { reason }),
                Ok(Err(Refusal::Full)) => Err(SubmitError::DiskFull),
                Err(_) => Err(SubmitError::Closed),
            };
            match decided {
                Ok(decided) => {
                    for (index, outcome) in indexes.into_iter().zip(decided) {
                        outcomes[index] = Some(outcome);
                    }
                }
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        match refused {
            Some(error) => Err(error),
            None => Ok(outcomes.into_iter().flatten().collect()),
        }
    }
}

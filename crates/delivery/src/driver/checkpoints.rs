//! The log's signed checkpoints between a stream's batches. What they are and promise: [`crate::checkpoint`].

use std::{ops::ControlFlow, time::Duration};

use attestary_event::View;
use tokio::time::Instant;

use super::{Driver, Flow};
use crate::{
    batch::{Batch, Kind},
    checkpoint::{self, Due, Mark, Signed},
    ports::random_u64,
    verdict::Reply,
};

impl Driver {
    /// Returns whether a checkpoint is due.
    pub(super) fn next_checkpoint(&self) -> Due {
        let seconds = if self.spec.replay.is_some() { 0 } else { self.spec.checkpoint_seconds };
        checkpoint::due(self.engine.state(), seconds, self.parts.clock.now())
    }

    /// Returns how long an idle destination may sleep before its next checkpoint.
    pub(super) fn sleep_for_checkpoint(&self, longest: Duration) -> Duration {
        match self.next_checkpoint() {
            Due::Now(_) => Duration::ZERO,
            Due::In(wait) => longest.min(wait),
            Due::Never => longest,
        }
    }

    /// Sends one checkpoint; whatever comes of it, events go on.
    pub(super) async fn send_checkpoint(&mut self, mark: Mark) -> Flow {
        let Some(signed) = self.signed(mark).await else { return Flow::Continue(()) };
        let batch = self.batch_of_checkpoint(mark, &signed);
        self.engine.mark_checkpoint(mark);
        self.dirty = true;
        // Size and time are part of what is sent: they are saved before.
        self.persist().await?;
        let request =
            self.request(&batch, &format!("{}-checkpoint-{}", self.spec.label(), mark.size));
        let (at, begun) = (self.parts.clock.now(), Instant::now());
        let reply = self.carry(request).await?;
        let verdict = self.spec.destination.judge(&reply, batch.records.len());
        self.record(&batch, &reply, &verdict, at, begun.elapsed());
        let (now, random) = (self.parts.clock.now(), random_u64(&*self.parts.rng));
        self.engine.mark_checkpoint(mark.after(&verdict, now, random));
        if let Reply::Failed(failure) = &reply {
            self.rewind(failure.resend_from);
        }
        ControlFlow::Continue(())
    }

    /// Returns the checkpoint over what the cursor has passed; without one now it is asked for again later.
    async fn signed(&mut self, mark: Mark) -> Option<Signed> {
        let reason = match self.parts.log.checkpoint(mark.size).await {
            Ok(Some(signed)) => return Some(signed),
            Ok(None) => "the log does not sign it".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(destination.id = %self.spec.id, size = mark.size, reason, "no checkpoint for the stream now");
        let (now, random) = (self.parts.clock.now(), random_u64(&*self.parts.rng));
        self.engine.mark_checkpoint(mark.postponed(None, now, random));
        self.dirty = true;
        None
    }

    fn batch_of_checkpoint(&self, mark: Mark, signed: &Signed) -> Batch {
        let event = checkpoint::event(&self.spec, signed, attestary_event::Timestamp(mark.at_ms));
        let fields = event.fields();
        let view = View { event: &event, fields: &fields };
        let mut bytes = Vec::new();
        // Whole, whatever parts of an event the receiver otherwise gets.
        let (format, actions) = (&self.spec.format, &self.parts.actions);
        self.spec.destination.encode_whole(&view, format, actions, &mut bytes);
        let mut batch = Batch::single(&event, bytes, Kind::Checkpoint);
        // What tells objects apart is made from leaf hashes, and this event has none.
        batch.records[0].leaf_hash = signed.root;
        batch
    }
}

#[cfg(test)]
mod tests;

//! What every attempt has: its request, its record, and what the engine is told; and the test that a person asks for.

use std::time::Duration;

use attestary_event::{Event, EventId, Timestamp, View};
use tokio::time::Instant;

use super::Driver;
use crate::{
    attempt::Attempt,
    batch::{Batch, Kind},
    destination::{Envelope, Request},
    diagnosis::diagnose,
    id::{AttemptId, ulid},
    ports::{random_10, random_u64},
    verdict::{Reply, Verdict},
};

impl Driver {
    /// Sends one synthetic event.
    pub(super) async fn test(&mut self) -> std::ops::ControlFlow<(), Attempt> {
        let at = self.parts.clock.now();
        let event = self.synthetic(at);
        let batch = self.batch_of(&event);
        let random = random_10(&*self.parts.rng);
        let request = self.request(
            &batch,
            &format!("{}-test-{}", self.spec.id, ulid(at.0.max(0).unsigned_abs(), random)),
        );
        let begun = Instant::now();
        let reply = self.lane().carry(request).await;
        let verdict = self.spec.destination.judge(&reply, batch.records.len());
        self.record(&batch, &reply, &verdict, at, begun.elapsed());
        if let Reply::Failed(failure) = &reply {
            self.rewind(failure.resend_from);
        }
        std::ops::ControlFlow::Continue(
            self.facts.attempts.last().expect("it was just recorded").clone(),
        )
    }

    pub(super) fn request(&self, batch: &Batch, id: &str) -> Request {
        let (at, secrets, format) = (self.parts.clock.now(), &self.secrets, &self.spec.format);
        let envelope = Envelope { id, at, secrets, format, spec: &self.spec };
        self.spec.destination.request(batch, &envelope)
    }

    /// Tells the engine what came back for the batch at the cursor.
    pub(super) fn settle(&mut self, batch: &Batch, reply: &Reply, verdict: &Verdict) {
        let before = self.engine.state().health.phase;
        let (now, random) = (self.parts.clock.now(), random_u64(&*self.parts.rng));
        let settled = self.engine.settle(batch, verdict, excerpt(reply), now, random);
        self.take(settled);
        if let Reply::Failed(failure) = reply {
            self.rewind(failure.resend_from);
        }
        let health = &self.engine.state().health;
        if health.phase != before {
            let (state, reason) = (health.phase.as_str(), &health.reason.detail);
            tracing::info!(destination.id = %self.spec.id, state, reason, "destination is now {state}");
        }
    }

    /// Writes an attempt down.
    pub(super) fn record(
        &mut self,
        batch: &Batch,
        reply: &Reply,
        verdict: &Verdict,
        at: Timestamp,
        took: Duration,
    ) {
        let range = batch.range();
        let status = if let Reply::Http(response) = reply { Some(response.status) } else { None };
        self.dirty = true;
        self.facts.attempts.push(Attempt {
            id: AttemptId::new(at.0.max(0).unsigned_abs(), random_10(&*self.parts.rng)),
            at_ms: at.0,
            duration_ms: took.as_millis() as u64,
            test: batch.kind == Kind::Test,
            checkpoint: batch.first_seq().filter(|_| batch.kind == Kind::Checkpoint),
            replay: self.spec.replay.clone(),
            request: self.spec.destination.summary(),
            first_seq: range.map(|(first, _)| first),
            last_seq: range.map(|(_, last)| last),
            events: batch.records.len() as u32,
            bytes: batch.bytes.len() as u64,
            status,
            verdict: verdict.name().to_owned(),
            reason: verdict.reason().map(|reason| reason.detail.clone()).unwrap_or_default(),
            excerpt: excerpt(reply).to_owned(),
            diagnosis: Some(diagnose(verdict, status)),
        });
    }

    /// Returns the event that a test sends: marked as the service's own, without a place in the log.
    fn synthetic(&self, now: Timestamp) -> Event {
        let random = random_10(&*self.parts.rng);
        let body = format!(
            r#"{{"action":"attestary.test","occurred_at":"{now}","actor":{{"type":"service","id":"attestary"}},"outcome":"success","severity":1,"category":"service","description":"This is a test. It stands in no log."}}"#
        );
        Event {
            id: EventId::v7(now.0.max(0).unsigned_abs(), random),
            tenant: self.spec.tenant.clone(),
            environment: self.spec.environment.clone(),
            seq: 0,
            received_at: now,
            flags: Event::SERVICE,
            leaf_hash: [0; 32],
            body: body.into_bytes().into(),
        }
    }

    fn batch_of(&self, event: &Event) -> Batch {
        let fields = event.fields();
        let mut bytes = Vec::new();
        let view = View { event, fields: &fields };
        self.spec.destination.encode(&view, &self.spec.format, &self.parts.actions, &mut bytes);
        Batch::single(event, bytes, Kind::Test)
    }
}

fn excerpt(reply: &Reply) -> &str {
    if let Reply::Http(response) = reply { &response.excerpt } else { "" }
}

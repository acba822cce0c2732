//! What delivery asks of its surroundings, on top of the store: a log to read and a memory to save to.

use std::sync::Arc;

use attestary_delivery::{
    DestinationId, Facts, Log, Memory, ReadError, SaveError, State, checkpoint::Signed,
};
use attestary_event::{EnvironmentId, Event, TenantId, Timestamp};
use attestary_store::{
    Store,
    catalog::{AttemptRow, Catalog, DeliveryUpdate, QuarantineRow},
};
use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};

use super::notes;
use crate::{Service, service::WeakService};

/// One tenant's log as delivery reads it.
pub(super) struct LogFeed {
    store: Store,
    /// Signs. Not held: the service holds the tasks that hold this.
    service: WeakService,
    environment: EnvironmentId,
    tenant: TenantId,
    size: watch::Receiver<u64>,
}

impl LogFeed {
    /// Returns the feed of a log that exists.
    pub(super) fn new(
        service: &Service,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Option<Self> {
        let store = service.store();
        let size = store.watch(environment, tenant)?;
        Some(Self {
            store: store.clone(),
            service: service.downgrade(),
            environment: environment.clone(),
            tenant: tenant.clone(),
            size,
        })
    }
}

impl Log for LogFeed {
    fn read(
        &self,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<Event>, ReadError>> {
        Box::pin(async move {
            let read =
                self.store.read(&self.environment, &self.tenant, from_seq, events_max, bytes_max);
            read.await.map_err(|error| ReadError(error.to_string()))
        })
    }

    fn checkpoint(&self, size: u64) -> BoxFuture<'_, Result<Option<Signed>, ReadError>> {
        Box::pin(async move {
            let Some(service) = self.service.upgrade() else { return Ok(None) };
            let signed = service.checkpoint_at(&self.environment, &self.tenant, size).await;
            signed.map_err(|error| ReadError(error.to_string()))
        })
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.size.clone()
    }
}

/// States and facts in the catalog.
pub(super) struct CatalogMemory {
    pub(super) catalog: Catalog,
    pub(super) clock: Arc<dyn attestary_store::Clock>,
    /// Told when there are new notes.
    pub(super) nudge: Arc<Notify>,
}

impl Memory for CatalogMemory {
    fn save<'a>(
        &'a self,
        id: &'a DestinationId,
        state: &'a State,
        facts: &'a Facts,
    ) -> BoxFuture<'a, Result<(), SaveError>> {
        let update = update(id, state, facts, self.clock.now_ms());
        Box::pin(async move {
            for gap in &facts.gaps {
                tracing::warn!(
                    destination.id = %id, gap.first_seq = gap.first_seq, gap.last_seq = gap.last_seq,
                    "retention removed events before the destination got them"
                );
            }
            let noted = !update.notes.is_empty();
            let saved = self.catalog.run(move |catalog| catalog.record_delivery(&[update])).await;
            saved.map_err(|error| SaveError(error.to_string()))?;
            if noted {
                self.nudge.notify_one();
            }
            Ok(())
        })
    }
}

/// The state of a replay, with its attempts beside the destination's.
pub(super) struct ReplayMemory {
    pub(super) catalog: Catalog,
    pub(super) replay: String,
}

impl Memory for ReplayMemory {
    fn save<'a>(
        &'a self,
        id: &'a DestinationId,
        state: &'a State,
        facts: &'a Facts,
    ) -> BoxFuture<'a, Result<(), SaveError>> {
        let (replay, update) = (self.replay.clone(), update(id, state, facts, 0));
        Box::pin(async move {
            let saved = self.catalog.run(move |catalog| {
                let DeliveryUpdate { destination, state, attempts, quarantined, .. } = update;
                catalog.record_replay(&replay, &state, &destination, attempts, quarantined)
            });
            saved.await.map_err(|error| SaveError(error.to_string()))
        })
    }
}

fn update(id: &DestinationId, state: &State, facts: &Facts, now_ms: u64) -> DeliveryUpdate {
    let attempts = facts.attempts.iter().map(|attempt| AttemptRow {
        id: attempt.id.to_string(),
        started_ms: attempt.at_ms.max(0) as u64,
        duration_ms: attempt.duration_ms,
        verdict: attempt.verdict.clone(),
        seq_first: attempt.first_seq.unwrap_or(0),
        seq_last: attempt.last_seq.unwrap_or(0),
        events: u64::from(attempt.events),
        detail: serde_json::to_string(attempt).expect("an attempt holds texts and numbers"),
    });
    let quarantined = facts.quarantined.iter().map(|event| QuarantineRow {
        seq: event.seq,
        quarantined_ms: event.at_ms.max(0) as u64,
        reason: event.reason.clone(),
    });
    DeliveryUpdate {
        destination: id.to_string(),
        state: state.to_json(),
        attempts: attempts.collect(),
        quarantined: quarantined.collect(),
        notes: notes::of(facts, now_ms),
    }
}

/// The service's wall clock.
pub(crate) struct Clock(pub(crate) Arc<dyn attestary_store::Clock>);

impl attestary_delivery::Clock for Clock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.now_ms() as i64)
    }
}

/// The service's randomness.
pub(super) struct Rng(pub(super) Arc<dyn attestary_store::Rng>);

impl attestary_delivery::Rng for Rng {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

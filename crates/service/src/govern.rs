//! The life of data: retention, legal holds, erasure.
//!
//! All three change what a log still holds, so they take turns: whatever decides about removals, carries them out or
//! forbids them holds one lock. A removal goes: its list durable, the event that covers it in the log, segments
//! rewritten, what held the bytes wiped. From the covering event on it is carried out whatever happens.

pub(crate) mod certificate;
pub(crate) mod clock;
pub(crate) mod erasures;
pub(crate) mod holds;
pub(crate) mod period;
pub(crate) mod policy;
pub(crate) mod redaction;
pub(crate) mod removals;
pub(crate) mod retention;
pub(crate) mod runs;
pub(crate) mod subject;

use std::{collections::HashMap, sync::Arc, time::Duration};

use attestary_event::{EnvironmentId, TenantId, redact::Redaction};
use attestary_store::catalog::PolicyRow;
use parking_lot::RwLock;

use crate::{Service, error::cause};
use erasures::TakeUp;
use policy::Policy;

/// How often the clock is looked at, unfinished work is taken up, and retention is found due.
const TICK: Duration = Duration::from_mins(1);

/// Kind of [`PolicyRow`].
pub(crate) const RETENTION: &str = "retention";
/// Kind of [`PolicyRow`].
pub(crate) const REDACTION: &str = "redaction";

type Place = (EnvironmentId, Option<TenantId>);

/// What the use cases of this module share.
pub(crate) struct Govern {
    /// Held by whoever removes events, or forbids it.
    turn: tokio::sync::Mutex<()>,
    policies: RwLock<HashMap<Place, Policy>>,
    redactions: RwLock<HashMap<Place, Arc<Redaction>>>,
    clock: clock::Watch,
}

impl Govern {
    /// Returns the policies as they were stored.
    pub(crate) fn restored(rows: Vec<PolicyRow>) -> Result<Self, serde_json::Error> {
        let (mut policies, mut redactions) = (HashMap::new(), HashMap::new());
        for row in rows {
            let place = (row.environment, row.tenant);
            match row.kind.as_str() {
                RETENTION => _ = policies.insert(place, Policy::restored(&row.document)?),
                REDACTION => {
                    let redaction = redaction::restored(&row.document)?;
                    redactions.insert(place, Arc::new(redaction));
                }
                _ => {}
            }
        }
        Ok(Self {
            turn: tokio::sync::Mutex::new(()),
            policies: RwLock::new(policies),
            redactions: RwLock::new(redactions),
            clock: clock::Watch::default(),
        })
    }

    /// Waits for the turn to remove something, or to forbid that.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Returns the policy set at a place.
    pub(crate) fn own(
        &self,
        environment: &EnvironmentId,
        tenant: Option<&TenantId>,
    ) -> Option<Policy> {
        self.policies.read().get(&(environment.clone(), tenant.cloned())).cloned()
    }

    /// Returns the policy that rules a tenant's log.
    pub(crate) fn ruling(&self, environment: &EnvironmentId, tenant: &TenantId) -> Policy {
        let of_environment = self.own(environment, None);
        match (self.own(environment, Some(tenant)), of_environment) {
            (Some(own), Some(bounds)) => own.within(&bounds),
            (Some(own), None) => own,
            (None, of_environment) => of_environment.unwrap_or_default(),
        }
    }

    /// Returns the redaction set at a place.
    pub(crate) fn own_redaction(
        &self,
        environment: &EnvironmentId,
        tenant: Option<&TenantId>,
    ) -> Option<Redaction> {
        let redactions = self.redactions.read();
        redactions.get(&(environment.clone(), tenant.cloned())).map(|own| (**own).clone())
    }

    /// Returns the redactions that rule a tenant's events, that of the environment first.
    pub(crate) fn redactions(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> redaction::Ruling {
        let redactions = self.redactions.read();
        if redactions.is_empty() {
            return Vec::new();
        }
        let at = |tenant| redactions.get(&(environment.clone(), tenant)).cloned();
        at(None).into_iter().chain(at(Some(tenant.clone()))).collect()
    }

    fn set_redaction(&self, place: Place, redaction: Option<Redaction>) {
        let mut redactions = self.redactions.write();
        match redaction {
            Some(redaction) => redactions.insert(place, Arc::new(redaction)),
            None => redactions.remove(&place),
        };
    }

    fn set(&self, place: Place, policy: Option<Policy>) {
        let mut policies = self.policies.write();
        match policy {
            Some(policy) => policies.insert(place, policy),
            None => policies.remove(&place),
        };
    }
}

impl Service {
    /// Takes up what a stop interrupted, and looks after the clock and retention until the service closes.
    pub(crate) fn start_governance(&self) {
        let service = self.clone();
        self.spawn(|stopping| async move {
            let mut which = TakeUp::All;
            loop {
                let stopped = tokio::select! {
                    () = stopping.cancelled() => true,
                    () = service.governance_tick(which) => false,
                };
                which = TakeUp::Running;
                let wait = tokio::time::timeout(TICK, stopping.cancelled());
                if stopped || wait.await.is_ok() {
                    return;
                }
            }
        });
    }

    async fn governance_tick(&self, which: TakeUp) {
        let ticked = async {
            self.resume_removals().await?;
            self.resume_erasures(which).await?;
            self.watch_clock().await?;
            self.run_retention_when_due().await
        };
        if let Err(error) = ticked.await {
            tracing::error!(
                error = &*cause(error) as &dyn std::error::Error,
                "retention or an erasure could not go on and is tried again"
            );
        }
    }
}

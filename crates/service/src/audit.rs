//! The service's own log: every read and every administrative act is an event in the environment's `_audit` tenant.
//!
//! Fail-closed: a change is made only after its event is durable, and a read is answered only after its event was
//! accepted. Nobody can switch that off. Reads of `_audit` itself, which would otherwise breed, are recorded once
//! a minute for each principal; so are refusals.

use std::collections::HashSet;

use attestary_event::{
    EnvironmentId, EventId, TenantId, Timestamp,
    actions::KnownActions,
    intake::{self, Door},
};
use attestary_store::{
    Outcome,
    record::{Parts, Prepared},
};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::{
    Caller, IntakeError, Principal, Scope, Service,
    error::{ItemViolation, cause},
    submit::submit_error,
};

/// The frozen names of what the service writes about itself.
pub(crate) mod action {
    pub(crate) const VIEW: &str = "attestary.view";
    pub(crate) const KEY: &str = "attestary.key.rotated";
    pub(crate) const POLICY: &str = "attestary.policy.changed";
    pub(crate) const EXPORT: &str = "attestary.export";
    pub(crate) const GAP: &str = "attestary.gap";
    pub(crate) const CLOCK: &str = "attestary.clock.stepped";
    pub(crate) const RETENTION_APPLIED: &str = "attestary.retention.applied";
    pub(crate) const ERASURE_APPLIED: &str = "attestary.erasure.applied";
    pub(crate) const HOLD_PLACED: &str = "attestary.hold.placed";
    pub(crate) const HOLD_RELEASED: &str = "attestary.hold.released";
    pub(crate) const RESTORED: &str = "attestary.restored";
    pub(crate) const ALERT: &str = "attestary.alert.raised";
    pub(crate) const DESTINATION: &str = "attestary.destination.changed";
}

/// One thing that somebody did or read.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    action: &'static str,
    outcome: &'static str,
    targets: Vec<Value>,
    changes: Vec<Value>,
    metadata: Map<String, Value>,
}

impl Act {
    /// Returns a successful act; `operation` names the use case, such as `tenant.close`.
    pub(crate) fn new(action: &'static str, operation: &'static str) -> Self {
        let mut metadata = Map::new();
        metadata.insert("operation".into(), operation.into());
        Self { action, outcome: "success", targets: Vec::new(), changes: Vec::new(), metadata }
    }

    /// Returns a refusal for lack of a scope.
    pub(crate) fn denied(operation: &'static str, scope: Scope) -> Self {
        let act = Self::new(action::VIEW, operation).with("scope", scope.name());
        Self { outcome: "denied", ..act }
    }

    /// Returns an attempt that was refused for lack of a valid credential.
    pub(crate) fn refused(action: &'static str, operation: &'static str) -> Self {
        Self { outcome: "denied", ..Self::new(action, operation) }
    }

    /// Says that it did not work.
    pub(crate) fn failed(self) -> Self {
        Self { outcome: "failure", ..self }
    }

    /// Names what was acted on.
    pub(crate) fn on(mut self, kind: &str, id: &str) -> Self {
        self.targets.push(json!({ "type": kind, "id": id }));
        self
    }

    /// Adds a fact.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Adds a fact when there is one.
    pub(crate) fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a change of a field; secrets never come here.
    pub(crate) fn changed(
        mut self,
        field: &str,
        old: impl Into<Value>,
        new: impl Into<Value>,
    ) -> Self {
        self.changes.push(json!({ "field": field, "old": old.into(), "new": new.into() }));
        self
    }

    /// Returns the event as the service submits it.
    pub(crate) fn json(self, caller: &Caller) -> Vec<u8> {
        let mut event = json!({
            "action": self.action,
            "outcome": self.outcome,
            "actor": actor(&caller.principal),
            "metadata": self.metadata,
        });
        let mut context = Map::new();
        if let Some(ip) = caller.origin.ip {
            context.insert("ip".into(), ip.to_string().into());
        }
        if !caller.origin.request_id.is_empty() {
            context.insert("request_id".into(), (&*caller.origin.request_id).into());
        }
        if let Some(session) = caller.session() {
            context.insert("session_id".into(), session.id.as_str().into());
        }
        for (name, value) in [
            ("context", Value::Object(context)),
            ("targets", Value::Array(self.targets)),
            ("changes", Value::Array(self.changes)),
        ] {
            let empty = value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(Map::is_empty);
            if !empty {
                event[name] = value;
            }
        }
        event.to_string().into_bytes()
    }
}

fn actor(principal: &Principal) -> Value {
    match principal {
        Principal::Key(key) => json!({ "type": "api_key", "id": key.id, "name": key.name }),
        Principal::Session(session) => session.person.actor(),
        Principal::Receiver(receiver) => json!({ "type": "service", "id": receiver.id }),
        Principal::Installation => json!({ "type": "service", "id": "installation" }),
    }
}

impl Service {
    /// Records an act in the `_audit` tenant of the environment acted on; durable when it returns.
    pub(crate) async fn record(&self, caller: &Caller, act: Act) -> Result<(), IntakeError> {
        let tenant = TenantId::audit();
        let prepared = self.prepare_own(&caller.environment, &tenant, act.json(caller), None)?;
        let outcomes = self.store().submit(vec![prepared]).await.map_err(submit_error)?;
        match outcomes.as_slice() {
            [Outcome::Accepted(_)] => Ok(()),
            _ => Err(IntakeError::Damaged),
        }
    }

    /// Records an act in a tenant's own log under a given id; returns its seq, durable.
    pub(crate) async fn record_in(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        id: EventId,
        act: Act,
    ) -> Result<u64, IntakeError> {
        let mut prepared = self.prepare_own(&caller.environment, tenant, act.json(caller), None)?;
        prepared.id = id;
        let outcomes = self.store().submit(vec![prepared]).await.map_err(submit_error)?;
        match outcomes.as_slice() {
            [Outcome::Accepted(receipt)] => Ok(receipt.seq),
            _ => Err(IntakeError::Damaged),
        }
    }

    /// Writes an act into the tenant's own log, where those who verify it look; durable when it returns.
    pub(crate) async fn note(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        act: Act,
    ) -> Result<(), IntakeError> {
        let id = self.event_id(self.clock().now_ms());
        self.record_in(caller, tenant, id, act).await.map(drop)
    }

    /// Records an act in a tenant's own log under an id that was fixed before; returns its seq, durable. Doing it
    /// again is no harm: only what the event says about itself may differ, such as its time.
    pub(crate) async fn record_once(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        id: EventId,
        act: Act,
    ) -> Result<u64, IntakeError> {
        let prepared = self.prepare_own(&caller.environment, tenant, act.json(caller), Some(id))?;
        match self.store().submit(vec![prepared]).await.map_err(submit_error)?.as_slice() {
            [Outcome::Accepted(receipt) | Outcome::Duplicate(receipt)]
            | [Outcome::Conflict(receipt)] => Ok(receipt.seq),
            _ => Err(IntakeError::Damaged),
        }
    }

    /// Records a read; reads of the audit log itself are coalesced.
    pub(crate) async fn record_read(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        act: Act,
    ) -> Result<(), IntakeError> {
        let minute = Minute::of(self.clock().now_ms());
        let again = tenant.is_system()
            && !self.coalescer().first(caller.principal.id(), caller.environment.as_str(), minute);
        if again { Ok(()) } else { self.record(caller, act).await }
    }

    /// Prepares an event of the service itself for a log. With an id, a repeat of the same event is recognised.
    pub(crate) fn prepare_own(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        json: Vec<u8>,
        id: Option<EventId>,
    ) -> Result<Prepared, IntakeError> {
        let now_ms = self.clock().now_ms();
        let context = intake::Context {
            now: Timestamp(now_ms as i64),
            actions: KnownActions::builtin(),
            limits: self.limits(),
            default_tenant: Some(tenant),
        };
        let accepted = intake::accept(&json, Door::Service, &context, self.digest_key())
            .map_err(|violations| IntakeError::Unavailable(cause(UnfitAct { violations })))?;
        Ok(Prepared::new(Parts {
            environment: environment.clone(),
            tenant: tenant.clone(),
            id: id.unwrap_or_else(|| self.event_id(now_ms)),
            client_id: id.is_some(),
            service: true,
            seed: self.seed(),
            digest: accepted.digest,
            occurred_ms: accepted.occurred_ms,
            severity: accepted.severity,
            fields: &accepted.fields,
            body: &accepted.body,
        }))
    }

    /// Returns an id for an event that brought none.
    pub(crate) fn event_id(&self, now_ms: u64) -> EventId {
        let mut random = [0; 10];
        self.rng().fill(&mut random);
        EventId::v7(now_ms, random)
    }

    /// Returns the source of an event's salts.
    pub(crate) fn seed(&self) -> [u8; 16] {
        let mut seed = [0; 16];
        self.rng().fill(&mut seed);
        seed
    }
}

#[derive(Debug, thiserror::Error)]
#[error("an audit event does not fit its own rules: {violations:?}")]
struct UnfitAct {
    violations: Vec<attestary_event::Violation>,
}

impl From<ItemViolation> for IntakeError {
    fn from(violation: ItemViolation) -> Self {
        Self::Invalid(vec![violation])
    }
}

/// A minute of wall-clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Minute(u64);

impl Minute {
    pub(crate) fn of(now_ms: u64) -> Self {
        Self(now_ms / 60_000)
    }
}

/// Topics remembered within one minute: 8 Ki of about 100 bytes are 1 MB; beyond, everything is recorded.
const TOPICS_MAX: usize = 8 * 1024;

/// Remembers what was recorded within the present minute.
#[derive(Debug)]
pub(crate) struct Coalescer(Mutex<(Minute, HashSet<String>)>);

impl Coalescer {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((Minute(0), HashSet::new())))
    }

    /// Returns true when `principal` did not do this within `minute` yet.
    pub(crate) fn first(&self, principal: &str, topic: &str, minute: Minute) -> bool {
        let mut state = self.0.lock();
        if state.0 != minute {
            *state = (minute, HashSet::new());
        }
        let name = format!("{principal} {topic}");
        if state.1.len() >= TOPICS_MAX {
            return !state.1.contains(&name);
        }
        state.1.insert(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_new_once_a_minute_for_each_principal() {
        let coalescer = Coalescer::new();
        let check = |principal: &str, topic: &str, minute: u64, expected: bool| {
            assert_eq!(
                coalescer.first(principal, topic, Minute(minute)),
                expected,
                "{principal} {topic} {minute}"
            );
        };
        check("key_a", "view", 1, true);
        check("key_a", "view", 1, false);
        check("key_b", "view", 1, true);
        check("key_a", "keys", 1, true);
        check("key_a", "view", 2, true);
    }

    #[test]
    fn what_does_not_fit_the_memory_is_recorded() {
        let coalescer = Coalescer::new();
        for at in 0..TOPICS_MAX {
            assert!(coalescer.first("p", &at.to_string(), Minute(1)));
        }
        assert!(coalescer.first("p", "one more", Minute(1)));
        assert!(coalescer.first("p", "one more", Minute(1)));
        assert!(!coalescer.first("p", "7", Minute(1)));
    }
}

//! Submit: the way of events from a body to their receipts.
//!
//! Cut the body, check every event (limits, names, types, the key's tenants), hash its fields, hand all of them to
//! the store, and answer in input order when they are durable. Validation and authorisation are all or nothing:
//! one bad event refuses the body, and every bad one is named.

use std::collections::BTreeSet;

use attestary_event::{
    EnvironmentId, TenantId, Timestamp, Violation,
    actions::KnownActions,
    intake::{self, Accepted, Door, Scratch},
    scan::{Batch, BatchForm, split_batch},
};
use attestary_store::{
    Flow, Outcome, SubmitError,
    record::{Parts, Prepared},
};
use bytes::Bytes;

use crate::{
    Caller, IntakeError, ItemViolation, Scope, Service, directory::Gate, error::cause, usage,
};

/// Violations listed for one body: enough to see the pattern, not enough to make the reply larger than the body.
const VIOLATIONS_MAX: usize = 100;

/// How a body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One object, or an array of objects.
    Json,
    /// One object a line.
    Ndjson,
}

impl From<Form> for BatchForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Json => Self::Json,
            Form::Ndjson => Self::Ndjson,
        }
    }
}

/// What became of a body's events.
#[derive(Debug)]
pub struct Submitted {
    /// The body was one object, not a list.
    pub single: bool,
    /// In input order.
    pub outcomes: Vec<Outcome>,
}

/// Events that passed all checks.
pub(crate) struct Checked {
    single: bool,
    prepared: Vec<Prepared>,
}

impl Service {
    /// Accepts the events of a native body.
    pub async fn submit(
        &self,
        caller: &Caller,
        body: Bytes,
        form: Form,
    ) -> Result<Submitted, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        if self.is_switched_off(caller.environment()?, "native", None) {
            return Err(IntakeError::SwitchedOff);
        }
        let bytes = body.len();
        let work = move |service: &Self, caller: &Caller| service.check_body(caller, &body, form);
        let checked = self.check(caller, bytes, work).await?;
        let outcomes = self.append(caller, checked.prepared).await?;
        Ok(Submitted { single: checked.single, outcomes })
    }

    /// Checks every event of a body. CPU work.
    fn check_body(&self, caller: &Caller, body: &[u8], form: Form) -> Result<Checked, IntakeError> {
        match split_batch(body, form.into(), self.limits())? {
            Batch::One(event) => {
                let prepared =
                    self.check_events(caller, &[event], Door::Native, caller.only_tenant())?;
                Ok(Checked { single: true, prepared })
            }
            Batch::Many(events) => {
                let prepared =
                    self.check_events(caller, &events, Door::Native, caller.only_tenant())?;
                Ok(Checked { single: false, prepared })
            }
        }
    }

    /// Checks events, or lists what is wrong with every bad one. CPU work.
    pub(crate) fn check_events(
        &self,
        caller: &Caller,
        events: &[&[u8]],
        door: Door,
        default_tenant: Option<&TenantId>,
    ) -> Result<Vec<Prepared>, IntakeError> {
        let now_ms = self.clock().now_ms();
        let context = intake::Context {
            now: Timestamp(now_ms as i64),
            actions: KnownActions::builtin(),
            limits: self.limits(),
            default_tenant,
        };
        let environment = caller.environment()?;
        let gate = self.directory().gate(environment);
        let mut findings = Findings::default();
        let mut scratch = Scratch::default();
        let mut prepared = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            match intake::accept_with(event, door, &context, self.digest_key(), &mut scratch) {
                Err(violations) => findings.invalid(index, violations),
                Ok(mut accepted) => {
                    let tenant = &accepted.tenant;
                    if self.is_unknown(caller, environment, &gate, tenant) {
                        findings.unknown_tenant(index, tenant);
                    } else if gate.is_tenant_closed(tenant) {
                        findings.closed_tenant(index, tenant);
                    } else if self.breaks_schema(environment, index, &accepted, &mut findings) {
                        // It is among the findings.
                    } else if findings.none() {
                        self.redact(environment, &mut accepted);
                        prepared.push(self.prepare(environment, &accepted, now_ms));
                    }
                    scratch.recycle(accepted);
                }
            }
        }
        findings.refuse()?;
        Ok(prepared)
    }

    /// Adds how the event breaks the schema of its action, where that is enforced.
    fn breaks_schema(
        &self,
        environment: &EnvironmentId,
        index: usize,
        accepted: &Accepted,
        findings: &mut Findings,
    ) -> bool {
        let wrong = self.schemas().refused(environment, &accepted.body);
        let breaks = !wrong.is_empty();
        for violation in wrong {
            push(&mut findings.schema, index, violation);
        }
        breaks
    }

    /// A tenant outside the key's list reads as one that does not exist.
    fn is_unknown(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        gate: &Gate,
        tenant: &TenantId,
    ) -> bool {
        !caller.covers(tenant) || (gate.closed && !self.store().has_log(environment, tenant))
    }

    fn prepare(&self, environment: &EnvironmentId, accepted: &Accepted, now_ms: u64) -> Prepared {
        Prepared::new(Parts {
            environment: environment.clone(),
            tenant: accepted.tenant.clone(),
            id: accepted.id.unwrap_or_else(|| self.event_id(now_ms)),
            client_id: accepted.id.is_some(),
            service: false,
            seed: self.seed(),
            digest: accepted.digest,
            occurred_ms: accepted.occurred_ms,
            severity: accepted.severity,
            fields: &accepted.fields,
            body: &accepted.body,
        })
    }

    /// Makes checked events durable and returns what became of each, or gives up in time: a client without patience of
    /// its own must not hang on a disk that does. What was taken is still made durable.
    pub(crate) async fn append(
        &self,
        caller: &Caller,
        prepared: Vec<Prepared>,
    ) -> Result<Vec<Outcome>, IntakeError> {
        if prepared.is_empty() {
            return Ok(Vec::new());
        }
        let time = self.settings().answer_time_max;
        match tokio::time::timeout(time, self.append_within(caller, prepared)).await {
            Ok(outcomes) => outcomes,
            Err(_) => Err(IntakeError::Late { time }),
        }
    }

    async fn append_within(
        &self,
        caller: &Caller,
        prepared: Vec<Prepared>,
    ) -> Result<Vec<Outcome>, IntakeError> {
        let environment = caller.environment()?;
        let key = caller.principal.id();
        let tenants = prepared.iter().map(|event| &event.tenant);
        self.limiter().events(key, environment, tenants)?;
        let sizes = usage::sizes(&prepared);
        self.within_quotas(environment, key, &sizes)?;
        self.enter_new_tenants(key, environment, &prepared).await?;
        let count = prepared.len() as u64;
        let submitted = self.store().submit_for(Flow::of(key), prepared).await;
        let outcomes = submitted.map_err(submit_error)?;
        self.counters().events_accepted.increment(count);
        self.count_usage(environment, key, sizes, &outcomes);
        Ok(outcomes)
    }

    /// Enters tenants that have their first event here; the partition opens their logs in the same group commit.
    async fn enter_new_tenants(
        &self,
        key: &str,
        environment: &EnvironmentId,
        prepared: &[Prepared],
    ) -> Result<(), IntakeError> {
        let tenants = || prepared.iter().map(|event| &event.tenant);
        let have_logs = self.store().have_logs(environment, tenants());
        let missing: BTreeSet<&TenantId> = tenants()
            .zip(have_logs)
            .filter(|(_, has_log)| !has_log)
            .map(|(name, _)| name)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.limiter().new_tenants(key, missing.len())?;
        self.enter_tenants(environment, missing.into_iter().cloned().collect()).await
    }
}

/// What is wrong with a body's events.
#[derive(Debug, Default)]
struct Findings {
    invalid: Vec<ItemViolation>,
    unknown: Vec<ItemViolation>,
    closed: Vec<ItemViolation>,
    schema: Vec<ItemViolation>,
}

impl Findings {
    fn none(&self) -> bool {
        self.invalid.is_empty()
            && self.unknown.is_empty()
            && self.closed.is_empty()
            && self.schema.is_empty()
    }

    fn invalid(&mut self, index: usize, violations: Vec<Violation>) {
        for violation in violations {
            push(&mut self.invalid, index, violation);
        }
    }

    fn unknown_tenant(&mut self, index: usize, tenant: &TenantId) {
        let detail = format!("there is no tenant \"{tenant}\" here that this key may write to");
        push(&mut self.unknown, index, Violation::new("/tenant", detail));
    }

    fn closed_tenant(&mut self, index: usize, tenant: &TenantId) {
        push(
            &mut self.closed,
            index,
            Violation::new("/tenant", format!("tenant \"{tenant}\" is closed")),
        );
    }

    /// Events that are not valid come first: until they are, nothing else about the body is certain.
    fn refuse(self) -> Result<(), IntakeError> {
        if !self.invalid.is_empty() {
            return Err(IntakeError::Invalid(self.invalid));
        }
        if !self.unknown.is_empty() {
            return Err(IntakeError::UnknownTenant(self.unknown));
        }
        if !self.closed.is_empty() {
            return Err(IntakeError::TenantClosed(self.closed));
        }
        if !self.schema.is_empty() {
            return Err(IntakeError::Schema(self.schema));
        }
        Ok(())
    }
}

fn push(list: &mut Vec<ItemViolation>, index: usize, violation: Violation) {
    if list.len() < VIOLATIONS_MAX {
        list.push(ItemViolation { index, violation });
    }
}

pub(crate) fn submit_error(error: SubmitError) -> IntakeError {
    match error {
        SubmitError::Pushback { retry_after } => IntakeError::Pushback { retry_after },
        SubmitError::DiskFull => IntakeError::DiskFull,
        SubmitError::ReadOnly { .. } => IntakeError::ReadOnly(cause(error)),
        other => IntakeError::Unavailable(cause(other)),
    }
}

/// Counters of the hot path, registered once.
pub(crate) struct Counters {
    pub(crate) events_accepted: metrics::Counter,
    pub(crate) ironcore_discarded: metrics::Counter,
    pub(crate) ironcore_printed: metrics::Counter,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            events_accepted: metrics::counter!("attestary_events_accepted_total"),
            ironcore_discarded: metrics::counter!("attestary_ironcore_discarded_total"),
            ironcore_printed: metrics::counter!("attestary_ironcore_printed_total"),
        }
    }
}

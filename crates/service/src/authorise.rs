//! Who is let in, and to what.
//!
//! The tenant comes from the credential: a tenant outside the key's list gets the same answer as one that does not
//! exist. A refusal for lack of a scope is recorded, once a minute for each key and operation.

use attestary_event::TenantId;

use crate::{
    AccessError, Caller, Origin, Principal, Scope, Service,
    audit::{Act, Minute},
    credential,
};

/// The operations that show a session with a restriction or hidden fields no more than it may see: those that apply
/// both, and those about the whole log that show its size and hashes only.
const LENS_OPERATIONS: [&str; 10] = [
    "events.search",
    "events.get",
    "events.histogram",
    "events.facets",
    "events.tail",
    "proofs.page",
    "proofs.checkpoint",
    "proofs.consistency",
    "proofs.trust",
    "proofs.slot",
];

impl Service {
    /// Returns the caller behind a presented key or session token.
    ///
    /// `environment` is what the request names; only operators may name another than their own.
    pub fn authenticate(
        &self,
        presented: &str,
        environment: Option<&str>,
        origin: Origin,
    ) -> Result<Caller, AccessError> {
        let now_ms = self.clock().now_ms();
        let principal = match credential::parse(presented) {
            Some(key) => self.keys().check(&key, now_ms).map(Principal::Key),
            None => self.sessions().check(presented, now_ms).map(Principal::Session),
        };
        let principal = principal.ok_or(AccessError::Unauthenticated)?;
        let (own, scopes) = match &principal {
            Principal::Key(key) => (&key.environment, key.scopes),
            Principal::Session(session) => (&session.environment, session.scopes),
            Principal::Receiver(_) | Principal::Installation => {
                return Err(AccessError::Unauthenticated);
            }
        };
        let environment = match environment {
            None => own.clone(),
            Some(name) if name == own.as_str() => own.clone(),
            Some(name) if scopes.has(Scope::Operator) => {
                self.directory().named(name).ok_or(AccessError::NotFound)?
            }
            Some(_) => return Err(AccessError::NotFound),
        };
        Ok(Caller { principal, environment, origin })
    }

    /// Checks a scope; a refusal leaves a trace.
    pub(crate) fn permit(
        &self,
        caller: &Caller,
        scope: Scope,
        operation: &'static str,
    ) -> Result<(), AccessError> {
        // Whatever does not apply a lens itself stays closed to sessions that have one.
        let within_lens = caller.lens().is_none() || LENS_OPERATIONS.contains(&operation);
        if caller.has(scope) && within_lens {
            return Ok(());
        }
        self.record_denial(caller, scope, operation);
        Err(AccessError::Scope { scope: scope.name() })
    }

    /// Returns the tenant that a request names, if the caller may see it and it exists.
    pub(crate) fn visible(&self, caller: &Caller, tenant: &str) -> Result<TenantId, AccessError> {
        let tenant = TenantId::parse(tenant).map_err(|_| AccessError::NotFound)?;
        let exists = self.store().log(caller.environment()?, &tenant).is_some();
        if exists && caller.covers(&tenant) { Ok(tenant) } else { Err(AccessError::NotFound) }
    }

    /// Recording a denial must not slow the refusal down, nor fill the log: once a minute, in the background.
    fn record_denial(&self, caller: &Caller, scope: Scope, operation: &'static str) {
        let minute = Minute::of(self.clock().now_ms());
        let topic = format!("denied {operation}");
        if !self.coalescer().first(caller.principal.id(), &topic, minute) {
            return;
        }
        metrics::counter!("attestary_access_denied_total").increment(1);
        let act = Act::denied(operation, scope);
        let (service, caller) = (self.clone(), caller.clone());
        self.runtime().spawn(async move {
            if let Err(error) = service.record(&caller, act).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a denial could not be recorded"
                );
            }
        });
    }
}

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

impl Service {
    /// Returns the caller behind a presented key.
    ///
    /// `environment` is what the request names; only operators may name another than their key's own.
    pub fn authenticate(
        &self,
        presented: &str,
        environment: Option<&str>,
        origin: Origin,
    ) -> Result<Caller, AccessError> {
        let presented = credential::parse(presented).ok_or(AccessError::Unauthenticated)?;
        let now_ms = self.clock().now_ms();
        let key = self.keys().check(&presented, now_ms).ok_or(AccessError::Unauthenticated)?;
        let environment = match environment {
            None => key.environment.clone(),
            Some(name) if name == key.environment.as_str() => key.environment.clone(),
            Some(name) if key.scopes.has(Scope::Operator) => {
                self.directory().named(name).ok_or(AccessError::NotFound)?
            }
            Some(_) => return Err(AccessError::NotFound),
        };
        Ok(Caller { principal: Principal::Key(key), environment, origin })
    }

    /// Checks a scope; a refusal leaves a trace.
    pub(crate) fn permit(
        &self,
        caller: &Caller,
        scope: Scope,
        operation: &'static str,
    ) -> Result<(), AccessError> {
        if caller.has(scope) {
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

//! Retention policies as people read, set and try them.

use attestary_event::{EnvironmentId, TenantId};
use attestary_store::catalog::PolicyRow;
use serde_json::{Map, Value};

use super::{RETENTION, period::Period, policy::Policy, runs::Preview};
use crate::{
    Caller, ChangeError, ReadError, Scope, Service,
    audit::{Act, action},
    keys::change_error,
};

/// The policy that rules a log, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    /// The policy as a document, with the periods that hold after the environment's bounds.
    pub policy: Value,
    /// `tenant`, `environment`, or `default` when none is set.
    pub source: &'static str,
}

impl Retention {
    /// Returns how many days events are kept that no class selects; `None` when for ever.
    pub fn days(&self) -> Option<u32> {
        match Period::parse(self.policy.get("keep")?.as_str()?)? {
            Period::Days(days) => Some(days),
            Period::Unlimited => None,
        }
    }
}

impl Service {
    /// Returns the policy of an environment, or the one that rules a tenant.
    pub async fn retention(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
    ) -> Result<Retention, ReadError> {
        self.permit(caller, Scope::Admin, "retention.get")?;
        let (environment, tenant) = self.place(caller, tenant)?;
        let act = Act::new(action::VIEW, "retention.get");
        self.record(caller, on(act, tenant.as_ref())).await.map_err(ReadError::Audit)?;
        Ok(self.retention_of(&environment, tenant.as_ref()))
    }

    fn retention_of(&self, environment: &EnvironmentId, tenant: Option<&TenantId>) -> Retention {
        let of_environment = self.govern().own(environment, None);
        let own = tenant.and_then(|tenant| self.govern().own(environment, Some(tenant)));
        let source = match (&own, &of_environment) {
            (Some(_), _) => "tenant",
            (None, Some(_)) => "environment",
            (None, None) => "default",
        };
        let policy = match tenant {
            Some(tenant) => self.govern().ruling(environment, tenant),
            None => of_environment.unwrap_or_default(),
        };
        Retention { policy: policy.document(), source }
    }

    /// Sets the policy of an environment or of a tenant. A locked one can only be made to keep more.
    pub async fn set_retention(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        document: &Map<String, Value>,
    ) -> Result<Retention, ChangeError> {
        self.permit(caller, Scope::Admin, "retention.set")?;
        let (environment, tenant) = self.place(caller, tenant)?;
        let next = Policy::parse(document).map_err(ChangeError::Invalid)?;
        let bounds = tenant.as_ref().and_then(|_| self.govern().own(&environment, None));
        let outside = next.out_of_bounds(bounds.as_ref());
        if !outside.is_empty() {
            return Err(ChangeError::Invalid(outside));
        }
        let _turn = self.govern().turn().await;
        self.change_retention(caller, environment, tenant, Some(next)).await
    }

    /// Sets how many days a tenant's events are kept. Classes stay as they ruled the tenant until now.
    pub(crate) async fn set_retention_days(
        &self,
        caller: &Caller,
        tenant: &str,
        days: u32,
    ) -> Result<Retention, ChangeError> {
        self.permit(caller, Scope::Admin, "retention.set")?;
        let (environment, tenant) = self.place(caller, Some(tenant))?;
        let _turn = self.govern().turn().await;
        let bounds = self.govern().own(&environment, None);
        let before = match self.govern().own(&environment, tenant.as_ref()) {
            Some(own) => own,
            // What the environment itself is bound to, or locked by, is not the tenant's.
            None => Policy {
                minimum: None,
                maximum: None,
                lock: false,
                ..bounds.clone().unwrap_or_default()
            },
        };
        let keep = Period::Days(days);
        let next = Policy { keep, hot: before.hot.map(|hot| hot.min(keep)), ..before };
        let outside = next.out_of_bounds(bounds.as_ref());
        if !outside.is_empty() {
            return Err(ChangeError::Invalid(outside));
        }
        self.change_retention(caller, environment, tenant, Some(next)).await
    }

    /// Takes a policy away: the tenant falls back to that of its environment, the environment to keeping everything.
    pub async fn unset_retention(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
    ) -> Result<Retention, ChangeError> {
        self.permit(caller, Scope::Admin, "retention.unset")?;
        let (environment, tenant) = self.place(caller, tenant)?;
        let _turn = self.govern().turn().await;
        self.change_retention(caller, environment, tenant, None).await
    }

    async fn change_retention(
        &self,
        caller: &Caller,
        environment: EnvironmentId,
        tenant: Option<TenantId>,
        next: Option<Policy>,
    ) -> Result<Retention, ChangeError> {
        let before = match &tenant {
            Some(tenant) => self.govern().ruling(&environment, tenant),
            None => self.govern().own(&environment, None).unwrap_or_default(),
        };
        let after = match (&next, &tenant) {
            (Some(next), _) => next.clone(),
            (None, Some(_)) => self.govern().own(&environment, None).unwrap_or_default(),
            (None, None) => Policy::default(),
        };
        if before.lock
            && let Some(reason) = before.shortened_by(&after)
        {
            return Err(ChangeError::Conflict { reason });
        }
        let act = Act::new(action::POLICY, "retention.set").changed(
            "retention",
            before.document().to_string(),
            after.document().to_string(),
        );
        self.record(caller, on(act, tenant.as_ref())).await.map_err(ChangeError::Audit)?;
        let row = PolicyRow {
            kind: RETENTION.to_owned(),
            environment: environment.clone(),
            tenant: tenant.clone(),
            document: after.document().to_string(),
            changed_ms: self.clock().now_ms(),
            changed_by: caller.principal.id().to_owned(),
        };
        let set = next.is_some();
        let change = move |catalog: &attestary_store::Catalog| {
            if set {
                return catalog.put_policy(&row);
            }
            catalog.delete_policy(RETENTION, &row.environment, row.tenant.as_ref()).map(drop)
        };
        self.catalog(change).await.map_err(change_error)?;
        self.govern().set((environment.clone(), tenant.clone()), next);
        Ok(self.retention_of(&environment, tenant.as_ref()))
    }

    /// Shows what a run would remove from a tenant's log now, under its policy or under a proposed one.
    pub async fn preview_retention(
        &self,
        caller: &Caller,
        tenant: &str,
        proposed: Option<&Map<String, Value>>,
    ) -> Result<Preview, ReadError> {
        self.permit(caller, Scope::Admin, "retention.preview")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let policy = match proposed {
            Some(document) => Policy::parse(document).map_err(ReadError::Invalid)?,
            None => self.govern().ruling(&environment, &tenant),
        };
        let preview = self.over_now(&environment, &tenant, policy).await?;
        let act = Act::new(action::VIEW, "retention.preview")
            .on("tenant", tenant.as_str())
            .with("result_count", preview.events);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(preview)
    }

    /// Returns the environment, and the tenant if one is named; keys of some tenants only reach those.
    pub(crate) fn place(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
    ) -> Result<(EnvironmentId, Option<TenantId>), crate::AccessError> {
        let environment = caller.environment()?.clone();
        match tenant {
            Some(tenant) => Ok((environment, Some(self.visible(caller, tenant)?))),
            None if caller.tenants().is_some() => Err(crate::AccessError::NotFound),
            None => Ok((environment, None)),
        }
    }
}

fn on(act: Act, tenant: Option<&TenantId>) -> Act {
    match tenant {
        Some(tenant) => act.on("tenant", tenant.as_str()),
        None => act,
    }
}

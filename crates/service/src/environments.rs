//! Environments: created, listed and closed by operators only.

use attestary_event::{EnvironmentId, TenantId};
use attestary_store::catalog::EnvironmentRow;

use crate::{
    AccessError, Caller, ChangeError, Environment, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
    keys::change_error,
};

/// Environments of one installation: they are namespaces, not tenants.
const ENVIRONMENTS_MAX: usize = 100;

impl Service {
    /// Creates an environment and opens its audit log.
    pub async fn create_environment(
        &self,
        caller: &Caller,
        name: &str,
        closed: bool,
    ) -> Result<Environment, ChangeError> {
        self.permit(caller, Scope::Operator, "environment.create")?;
        let name = EnvironmentId::parse(name)
            .map_err(|violation| ChangeError::invalid("/name", violation.detail))?;
        let environments = self.directory().environments();
        if environments.iter().any(|environment| environment.name == name) {
            return Err(ChangeError::Exists { what: format!("environment {name}") });
        }
        if environments.len() >= ENVIRONMENTS_MAX {
            let reason = format!("an installation has at most {ENVIRONMENTS_MAX} environments");
            return Err(ChangeError::Conflict { reason });
        }
        let act = Act::new(action::POLICY, "environment.create").on("environment", name.as_str());
        self.record(caller, act.changed("closed", (), closed)).await.map_err(ChangeError::Audit)?;
        self.store()
            .open_log(&name, &TenantId::audit())
            .await
            .map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let environment = Environment { name, closed, created_ms: self.clock().now_ms() };
        let row = EnvironmentRow {
            name: environment.name.clone(),
            closed,
            created_ms: environment.created_ms,
        };
        self.catalog(move |catalog| catalog.create_environment(&row))
            .await
            .map_err(change_error)?;
        self.directory().insert(&environment);
        Ok(environment)
    }

    /// Lists all environments by name.
    pub async fn list_environments(&self, caller: &Caller) -> Result<Vec<Environment>, ReadError> {
        self.permit(caller, Scope::Operator, "environment.list")?;
        let environments = self.directory().environments();
        self.recorded_list(caller, "environment.list", environments.len()).await?;
        Ok(environments)
    }

    /// Returns one environment.
    pub async fn environment(&self, caller: &Caller, name: &str) -> Result<Environment, ReadError> {
        self.permit(caller, Scope::Operator, "environment.get")?;
        let environment = self.environment_named(name)?;
        let act = Act::new(action::VIEW, "environment.get").on("environment", name);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(environment)
    }

    /// Opens or closes an environment for events of unknown tenants.
    pub async fn set_environment_closed(
        &self,
        caller: &Caller,
        name: &str,
        closed: bool,
    ) -> Result<Environment, ChangeError> {
        self.permit(caller, Scope::Operator, "environment.change")?;
        let before = self.environment_named(name)?;
        let act = Act::new(action::POLICY, "environment.change").on("environment", name).changed(
            "closed",
            before.closed,
            closed,
        );
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let environment = Environment { closed, ..before };
        let name = environment.name.clone();
        self.catalog(move |catalog| catalog.set_environment_closed(&name, closed))
            .await
            .map_err(change_error)?;
        self.directory().insert(&environment);
        Ok(environment)
    }

    fn environment_named(&self, name: &str) -> Result<Environment, AccessError> {
        let id = self.directory().named(name).ok_or(AccessError::NotFound)?;
        self.directory().environment(&id).ok_or(AccessError::NotFound)
    }

    /// Records that a list was read.
    pub(crate) async fn recorded_list(
        &self,
        caller: &Caller,
        operation: &'static str,
        results: usize,
    ) -> Result<(), ReadError> {
        let act = Act::new(action::VIEW, operation).with("result_count", results);
        self.record(caller, act).await.map_err(ReadError::Audit)
    }
}

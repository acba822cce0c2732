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

/// What of an environment is to be changed; what is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EnvironmentChange {
    /// Events for unknown tenants are refused.
    pub closed: Option<bool>,
    /// Doors that may not refuse them print them to standard output instead of throwing them away.
    pub print_unknown: Option<bool>,
}

impl Service {
    /// Creates an environment and opens its audit log.
    pub async fn create_environment(
        &self,
        caller: &Caller,
        name: &str,
        given: EnvironmentChange,
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
        let (closed, print_unknown) =
            (given.closed.unwrap_or_default(), given.print_unknown.unwrap_or_default());
        let act = Act::new(action::POLICY, "environment.create")
            .on("environment", name.as_str())
            .changed("closed", (), closed)
            .changed("unknown_events", (), word(print_unknown));
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.store()
            .open_log(&name, &TenantId::audit())
            .await
            .map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let created_ms = self.clock().now_ms();
        let environment = Environment { name, closed, print_unknown, created_ms };
        let row = row(&environment);
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

    /// Changes what an environment does with events of unknown tenants.
    pub async fn change_environment(
        &self,
        caller: &Caller,
        name: &str,
        change: EnvironmentChange,
    ) -> Result<Environment, ChangeError> {
        self.permit(caller, Scope::Operator, "environment.change")?;
        let before = self.environment_named(name)?;
        let mut act = Act::new(action::POLICY, "environment.change").on("environment", name);
        if let Some(closed) = change.closed {
            act = act.changed("closed", before.closed, closed);
        }
        if let Some(print) = change.print_unknown {
            act = act.changed("unknown_events", word(before.print_unknown), word(print));
        }
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let environment = Environment {
            closed: change.closed.unwrap_or(before.closed),
            print_unknown: change.print_unknown.unwrap_or(before.print_unknown),
            ..before
        };
        let row = row(&environment);
        self.catalog(move |catalog| catalog.update_environment(&row))
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

fn row(environment: &Environment) -> EnvironmentRow {
    EnvironmentRow {
        name: environment.name.clone(),
        closed: environment.closed,
        print_unknown: environment.print_unknown,
        created_ms: environment.created_ms,
    }
}

/// The words of the API.
fn word(print_unknown: bool) -> &'static str {
    if print_unknown { "stdout" } else { "discard" }
}

//! Who asks, from where, and on which environment.

use std::{net::IpAddr, sync::Arc};

use attestary_event::{EnvironmentId, TenantId};

use crate::{AccessError, Key, Scope};

/// The installation's own environment: operator keys and what concerns no single environment.
pub(crate) const SYSTEM: &str = "_system";

/// Where a request came from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The client's address, as far as trusted proxies tell.
    pub ip: Option<IpAddr>,
    /// Identity of the request, as shown to the client.
    pub request_id: Arc<str>,
}

/// Who acts.
#[derive(Debug, Clone)]
pub enum Principal {
    /// The holder of a key.
    Key(Arc<Key>),
    /// The installation itself: the command line on the server's machine.
    Installation,
}

impl Principal {
    /// Returns the id that stands in audit events.
    pub fn id(&self) -> &str {
        match self {
            Self::Key(key) => &key.id,
            Self::Installation => "installation",
        }
    }
}

/// One authenticated request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// The environment acted on; [`SYSTEM`] when an operator named none.
    pub(crate) environment: EnvironmentId,
    /// From where.
    pub origin: Origin,
}

impl Caller {
    /// Returns the installation acting on `environment`: for the command line and for tests.
    pub fn installation(environment: &EnvironmentId) -> Self {
        let origin = Origin { ip: None, request_id: "".into() };
        Self { principal: Principal::Installation, environment: environment.clone(), origin }
    }

    /// Returns the installation acting on itself.
    pub fn installation_itself() -> Self {
        Self::installation(&EnvironmentId::restored(SYSTEM))
    }

    /// Returns true when the principal holds `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        match &self.principal {
            Principal::Key(key) => key.scopes.has(scope),
            Principal::Installation => true,
        }
    }

    /// Returns the tenants that the key is limited to.
    pub fn tenants(&self) -> Option<&[TenantId]> {
        match &self.principal {
            Principal::Key(key) => key.tenants.as_deref(),
            Principal::Installation => None,
        }
    }

    /// Returns true when the key's tenant list allows `tenant`.
    pub fn covers(&self, tenant: &TenantId) -> bool {
        self.tenants().is_none_or(|tenants| tenants.contains(tenant))
    }

    /// Returns the one tenant that the key is limited to.
    pub fn only_tenant(&self) -> Option<&TenantId> {
        match self.tenants() {
            Some([only]) => Some(only),
            _ => None,
        }
    }

    /// Returns the environment, which operators must name.
    pub fn environment(&self) -> Result<&EnvironmentId, AccessError> {
        if self.environment.as_str() == SYSTEM {
            return Err(AccessError::EnvironmentRequired);
        }
        Ok(&self.environment)
    }
}

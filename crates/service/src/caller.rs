//! Who asks, from where, and on which environment.

use std::{net::IpAddr, sync::Arc};

use attestary_event::{EnvironmentId, TenantId};

use crate::{AccessError, Key, Scope, Session, doors::syslog::Receiver, lens::Lens};

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
    /// A person with a session.
    Session(Arc<Session>),
    /// A part of the installation that takes events in.
    Receiver(Arc<Receiver>),
    /// The installation itself: the command line on the server's machine.
    Installation,
}

impl Principal {
    /// Returns the id that stands in audit events.
    pub fn id(&self) -> &str {
        match self {
            Self::Key(key) => &key.id,
            Self::Session(session) => &session.id,
            Self::Receiver(receiver) => &receiver.id,
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
            Principal::Session(session) => session.scopes.has(scope),
            Principal::Receiver(_) => scope == Scope::Ingest,
            Principal::Installation => true,
        }
    }

    /// Returns the tenants that the key or session is limited to.
    pub fn tenants(&self) -> Option<&[TenantId]> {
        match &self.principal {
            Principal::Key(key) => key.tenants.as_deref(),
            Principal::Session(session) => session.tenants.as_deref(),
            Principal::Receiver(receiver) => Some(&receiver.tenants),
            Principal::Installation => None,
        }
    }

    /// Returns the session, when a person asks.
    pub fn session(&self) -> Option<&Session> {
        match &self.principal {
            Principal::Session(session) => Some(session),
            _ => None,
        }
    }

    /// Returns what limits the rows and fields that this caller sees.
    pub(crate) fn lens(&self) -> Option<&Lens> {
        self.session()?.portal.as_ref()?.lens.as_ref()
    }

    /// Returns true when the key's tenant list allows `tenant`.
    pub fn covers(&self, tenant: &TenantId) -> bool {
        self.tenants().is_none_or(|tenants| tenants.contains(tenant))
    }

    /// Returns the one tenant that the key or session is limited to.
    pub fn only_tenant(&self) -> Option<&TenantId> {
        match self.tenants() {
            Some([only]) => Some(only),
            _ => None,
        }
    }

    /// Returns the environment's name; `_system` when an operator named none.
    pub fn environment_name(&self) -> &str {
        self.environment.as_str()
    }

    /// Returns the environment, which operators must name.
    pub fn environment(&self) -> Result<&EnvironmentId, AccessError> {
        if self.environment.as_str() == SYSTEM {
            return Err(AccessError::EnvironmentRequired);
        }
        Ok(&self.environment)
    }
}

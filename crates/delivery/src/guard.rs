//! The outbound guard: every connection to a configured address goes through it.
//!
//! A name is resolved by our own resolver, every answer must pass the address rule, a passing address is dialled, and
//! the peer is checked once more when the connection stands. Nothing is looked up between check and dial, so a name
//! that changes its answer gains nothing. This is repeated for every connection. The check of a configuration is
//! only a courtesy to the user; the check at the dial is the control.
//!
//! Private and special addresses pass only by the operator's list (network, ports, environment, and usually tenant)
//! or, on a developer's machine, by the switch for loopback. Metadata services of clouds never pass.

mod address;
#[cfg(test)]
mod corpus;
mod dial;
mod host;
mod network;
mod proxy;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use attestary_event::{EnvironmentId, TenantId, Violation};
use futures::future::BoxFuture;

pub use address::allowed;
pub use dial::SystemResolver;
pub use host::Host;
pub use network::Network;
pub use proxy::Proxy;

use crate::destination::{DestinationConfig, sts, workload::ExternalAccount};

/// Turns names into addresses. A trait, so that tests can answer differently each time.
pub trait Resolver: Send + Sync + 'static {
    /// Returns all addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>>;
}

/// What kind of thing is dialled; decides which ports are usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A webhook or another HTTP API.
    Http,
    /// A syslog receiver.
    Syslog,
    /// A message broker; operators only.
    Broker,
    /// A mail server that takes messages for others (submission), or a relay.
    Mail,
}

impl Kind {
    /// Ports that may be dialled at public addresses without the operator's word.
    pub const fn ports(self) -> &'static [u16] {
        match self {
            // HEC, Elasticsearch, Loki and OTLP have ports of their own.
            Self::Http => &[443, 8443, 8088, 9200, 3100, 4318],
            Self::Syslog => &[514, 601, 1514, 5514, 6514],
            Self::Broker => &[4222, 9092, 9093, 9094, 9096],
            // Not 25: between servers it is rarely encrypted, and the operator can open it.
            Self::Mail => &[465, 587, 2525],
        }
    }
}

/// Where a destination wants to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or address.
    pub host: Host,
    /// Port.
    pub port: u16,
    /// What is expected there.
    pub kind: Kind,
    /// TLS or not.
    pub encrypted: bool,
}

/// Whose destination it is: the operator's list is by environment and tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Environment of the tenant.
    pub environment: EnvironmentId,
    /// The tenant.
    pub tenant: TenantId,
}

/// One line of the operator's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Addresses.
    pub network: Network,
    /// Ports; never empty.
    pub ports: Vec<u16>,
    /// Only for this environment.
    pub environment: EnvironmentId,
    /// Only for this tenant; absent for every tenant of the environment.
    pub tenant: Option<TenantId>,
}

impl Allow {
    fn covers(&self, owner: &Owner, address: SocketAddr) -> bool {
        self.environment == owner.environment
            && self.tenant.as_ref().is_none_or(|tenant| *tenant == owner.tenant)
            && self.ports.contains(&address.port())
            && self.network.contains(address.ip())
    }
}

/// What the operator has decided. The default allows public addresses, TLS and usual ports only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Loopback addresses pass, on any port, without TLS: on a developer's machine only.
    pub loopback: bool,
    /// Plain HTTP to public addresses.
    pub plain_http: bool,
    /// Further ports at public addresses.
    pub ports: Vec<u16>,
    /// Private networks that may be dialled.
    pub allow: Vec<Allow>,
    /// Our own listening addresses: never dialled.
    pub own: Vec<SocketAddr>,
    /// Our own names: never dialled.
    pub own_names: Vec<String>,
    /// Every TCP connection goes through this proxy.
    pub proxy: Option<Proxy>,
    /// Who this service is at Amazon, for destinations that bring no key.
    pub aws: Option<sts::Identity>,
    /// Who this service is at Google, for destinations that bring no key.
    pub google: Option<ExternalAccount>,
}

/// Why the guard refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The address is private, special or a metadata service.
    #[error("{0} is not a public address and the operator has not allowed it")]
    Address(IpAddr),
    /// The name can only be one inside our network.
    #[error("{0} is not a public name and the operator has not allowed its address")]
    Name(String),
    /// The port is not one of the usual ones.
    #[error("port {0} is not one of the allowed ports ({list})", list = list(.1))]
    Port(u16, Vec<u16>),
    /// The connection would not be encrypted.
    #[error("the URL must begin with https://")]
    Plain,
    /// It is this service.
    #[error("{0} is this service itself")]
    Own(String),
}

fn list(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// The guard. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    policy: Arc<Policy>,
    resolver: Arc<dyn Resolver>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Guard {
    /// Returns a guard that resolves with the given resolver.
    pub fn new(policy: Policy, resolver: Arc<dyn Resolver>) -> Self {
        Self { policy: Arc::new(policy), resolver }
    }

    /// Returns a guard that resolves as the system does.
    pub fn system(policy: Policy) -> Self {
        Self::new(policy, Arc::new(SystemResolver))
    }

    /// Checks a configuration as far as it can be checked without resolving a name.
    pub fn check(&self, owner: &Owner, config: &DestinationConfig) -> Vec<Violation> {
        let targets = config.targets();
        let refused = targets.iter().enumerate().filter_map(|(index, target)| {
            let member = match config {
                DestinationConfig::S3(_)
                | DestinationConfig::AzureBlob(_)
                | DestinationConfig::Gcs(_) => "/config/endpoint".to_owned(),
                DestinationConfig::Kafka(_) => format!("/config/brokers/{index}"),
                _ if target.kind == Kind::Http => "/config/url".to_owned(),
                _ => "/config/address".to_owned(),
            };
            let refusal = match &target.host {
                Host::Address(ip) => self.admit(owner, target, *ip).err(),
                Host::Name(name) => self.admit_name(owner, target, name).err(),
            };
            refusal.map(|refusal| Violation::new(member, refusal.to_string()))
        });
        refused.chain(self.check_token_url(owner, config)).collect()
    }

    fn check_token_url(&self, owner: &Owner, config: &DestinationConfig) -> Option<Violation> {
        let target = config.token_target()?;
        let refused = match &target.host {
            Host::Address(ip) => self.admit(owner, &target, *ip),
            Host::Name(name) => self.admit_name(owner, &target, name),
        };
        let member = match config {
            DestinationConfig::S3(_) => "/config/sts_endpoint",
            _ => "/config/token_url",
        };
        refused.err().map(|refusal| Violation::new(member, refusal.to_string()))
    }

    /// Returns who this service is at Amazon.
    pub(crate) fn aws(&self) -> Option<&sts::Identity> {
        self.policy.aws.as_ref()
    }

    /// Returns who this service is at Google.
    pub(crate) fn google(&self) -> Option<&ExternalAccount> {
        self.policy.google.as_ref()
    }

    /// Returns true when every connection goes through a proxy.
    pub(crate) fn is_proxied(&self) -> bool {
        self.policy.proxy.is_some()
    }

    /// Decides about one address of a target.
    pub fn admit(&self, owner: &Owner, target: &Target, ip: IpAddr) -> Result<(), Refusal> {
        let ip = address::unmapped(ip);
        let address = SocketAddr::new(ip, target.port);
        if address::is_metadata(ip) {
            return Err(Refusal::Address(ip));
        }
        if self.is_own(address) {
            return Err(Refusal::Own(address.to_string()));
        }
        if self.is_exempt(owner, address) {
            return Ok(());
        }
        if !allowed(ip) {
            return Err(Refusal::Address(ip));
        }
        if let Host::Name(name) = &target.host
            && host::is_internal(name)
        {
            return Err(Refusal::Name(name.clone()));
        }
        self.admit_public(target)
    }

    /// Decides what can be decided about a name before it is resolved.
    fn admit_name(&self, owner: &Owner, target: &Target, name: &str) -> Result<(), Refusal> {
        if host::is_metadata(name) {
            return Err(Refusal::Name(name.to_owned()));
        }
        if self.policy.own_names.iter().any(|own| host::same(own, name)) {
            return Err(Refusal::Own(name.to_owned()));
        }
        let listed = self.policy.loopback
            || self.policy.allow.iter().any(|allow| allow.environment == owner.environment);
        if listed {
            // The address may turn out to be on the operator's list, where other ports and plain HTTP are fine.
            return Ok(());
        }
        if host::is_internal(name) {
            return Err(Refusal::Name(name.to_owned()));
        }
        self.admit_public(target)
    }

    fn admit_public(&self, target: &Target) -> Result<(), Refusal> {
        if target.kind == Kind::Http && !target.encrypted && !self.policy.plain_http {
            return Err(Refusal::Plain);
        }
        let plain_port = target.kind == Kind::Http && !target.encrypted && target.port == 80;
        if plain_port
            || target.kind.ports().contains(&target.port)
            || self.policy.ports.contains(&target.port)
        {
            return Ok(());
        }
        let ports = target.kind.ports().iter().chain(&self.policy.ports).copied().collect();
        Err(Refusal::Port(target.port, ports))
    }

    fn is_exempt(&self, owner: &Owner, address: SocketAddr) -> bool {
        (self.policy.loopback && address.ip().is_loopback())
            || self.policy.allow.iter().any(|allow| allow.covers(owner, address))
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        self.policy.own.iter().any(|own| {
            // A listener on the unspecified address is reached through every address of this machine; of those,
            // only loopback can be told without asking the system.
            let reached = own.ip() == address.ip()
                || (own.ip().is_unspecified() && address.ip().is_loopback());
            own.port() == address.port() && (reached || address.ip().is_unspecified())
        })
    }
}

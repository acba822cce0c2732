//! Values of the HTTP edge.

use std::{net::IpAddr, sync::Arc, time::Duration};

use attestary_oidc::Provider;
use attestary_service::RoleMap;

use crate::network::Cidr;

/// Settings of the HTTP edge; the defaults are the documented ones.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Connections open at the same time; further ones wait to be accepted.
    pub connections_max: usize,
    /// Connections of one client address (of one /64 in IPv6), trusted proxies apart; further ones are closed.
    pub connections_per_address_max: usize,
    /// Time for the headers of a request, from their first byte.
    pub header_time_max: Duration,
    /// Time that a connection may stay open without a request.
    pub idle_time_max: Duration,
    /// Time for running requests after a stop was asked for.
    pub drain_time_max: Duration,
    /// Bytes of large bodies (more than 16 KiB) in memory at the same time; further ones are pushed back.
    pub body_bytes_in_flight_max: usize,
    /// `/metrics` answers on this listener.
    pub metrics: bool,
    /// Who else vouches for the console's people.
    pub sign_in: Option<SignIn>,
}

/// Sign-in by an OpenID provider.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The provider.
    pub provider: Arc<Provider>,
    /// What people see on the button: the provider's host, or a name that the operator gave it.
    pub name: String,
    /// What the provider's groups mean here.
    pub roles: RoleMap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            // 4,096 connections of about 20 KB are 80 MB.
            connections_max: 4_096,
            connections_per_address_max: 1_024,
            header_time_max: Duration::from_secs(10),
            idle_time_max: Duration::from_mins(1),
            drain_time_max: Duration::from_secs(30),
            // Sixteen of the largest bodies.
            body_bytes_in_flight_max: 160 * 1024 * 1024,
            metrics: true,
            sign_in: None,
        }
    }
}

impl Settings {
    /// Returns true when the address is that of a trusted proxy, which stands for many clients.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|range| range.contains(address))
    }
}

/// Headers of one request.
pub(crate) const HEADERS_MAX: usize = 64;
/// Bytes of all headers of one request.
pub(crate) const HEADER_BYTES_MAX: usize = 16 * 1024;

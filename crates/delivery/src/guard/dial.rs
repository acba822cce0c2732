//! Resolving, checking and dialling in one step.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::{
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use super::{Guard, Host, Owner, Refusal, Resolver, Target};
use crate::{health::Cause, verdict::Failure};

/// How long the resolver may take.
pub(super) const RESOLVE_MAX: Duration = Duration::from_secs(5);
/// How long a connection may take to stand, over all addresses of a name.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Addresses of one name that are looked at; every one must pass.
const ADDRESSES_MAX: usize = 64;

/// Resolves as the system does.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

impl Guard {
    /// Returns the addresses of a target that may be dialled. One bad answer fails the name.
    pub(crate) async fn addresses(
        &self,
        owner: &Owner,
        target: &Target,
    ) -> Result<Vec<SocketAddr>, Failure> {
        let ips = match &target.host {
            Host::Address(ip) => vec![*ip],
            Host::Name(name) => {
                self.admit_name(owner, target, name).map_err(|refusal| blocked(&refusal))?;
                self.resolve(name).await?
            }
        };
        for ip in &ips {
            self.admit(owner, target, *ip).map_err(|refusal| blocked(&refusal))?;
        }
        Ok(ips
            .into_iter()
            .map(|ip| SocketAddr::new(super::address::unmapped(ip), target.port))
            .collect())
    }

    /// Opens a TCP connection to a target.
    pub(crate) async fn connect(
        &self,
        owner: &Owner,
        target: &Target,
    ) -> Result<TcpStream, Failure> {
        let addresses = self.addresses(owner, target).await?;
        if let Some(proxy) = &self.policy.proxy {
            return match timeout(CONNECT_MAX, proxy.connect(&addresses)).await {
                Ok(connected) => connected.inspect(|stream| _ = stream.set_nodelay(true)),
                Err(_) => {
                    let detail = "the connection through the egress proxy took longer than 5 s";
                    Err(Failure::new(Cause::Timeout, detail))
                }
            };
        }
        let stream = match timeout(CONNECT_MAX, dial(&addresses)).await {
            Ok(dialled) => dialled.map_err(|error| {
                Failure::new(Cause::Connect, format!("cannot connect: {error}"))
            })?,
            Err(_) => {
                return Err(Failure::new(Cause::Timeout, "the connection took longer than 5 s"));
            }
        };
        self.check_peer(owner, target, &addresses, stream.peer_addr())?;
        // Batches are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Opens a UDP socket that only talks to a target.
    pub(crate) async fn connect_udp(
        &self,
        owner: &Owner,
        target: &Target,
    ) -> Result<UdpSocket, Failure> {
        if self.is_proxied() {
            let detail = "datagrams cannot go through the egress proxy: use tcp or tls";
            return Err(Failure::new(Cause::Configuration, detail));
        }
        let addresses = self.addresses(owner, target).await?;
        let address = addresses[0];
        let any: SocketAddr =
            if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let failed = |error: io::Error| {
            Failure::new(Cause::Connect, format!("cannot open a socket: {error}"))
        };
        let socket = UdpSocket::bind(any).await.map_err(failed)?;
        socket.connect(address).await.map_err(failed)?;
        self.check_peer(owner, target, &addresses, socket.peer_addr())?;
        Ok(socket)
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let failed = |detail: String| Failure::new(Cause::Resolve, detail);
        match timeout(RESOLVE_MAX, self.resolver.resolve(name)).await {
            Ok(Ok(ips)) if ips.is_empty() => Err(failed(format!("{name} has no address"))),
            Ok(Ok(ips)) if ips.len() > ADDRESSES_MAX => {
                Err(failed(format!("{name} has more than {ADDRESSES_MAX} addresses")))
            }
            Ok(Ok(ips)) => Ok(ips),
            Ok(Err(error)) => Err(failed(format!("cannot resolve {name}: {error}"))),
            Err(_) => Err(failed(format!("the resolver took longer than 5 s for {name}"))),
        }
    }

    fn check_peer(
        &self,
        owner: &Owner,
        target: &Target,
        dialled: &[SocketAddr],
        peer: io::Result<SocketAddr>,
    ) -> Result<(), Failure> {
        let peer = peer.map_err(|error| {
            Failure::new(Cause::Connect, format!("the connection has no peer: {error}"))
        })?;
        let ip = super::address::unmapped(peer.ip());
        if !dialled.contains(&SocketAddr::new(ip, peer.port())) {
            return Err(blocked(&Refusal::Address(ip)));
        }
        self.admit(owner, target, ip).map_err(|refusal| blocked(&refusal))
    }
}

async fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn blocked(refusal: &Refusal) -> Failure {
    Failure::new(Cause::Blocked, refusal.to_string())
}

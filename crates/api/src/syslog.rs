//! Syslog listeners: TCP, TLS and UDP, each for the tenants that its configuration names.
//!
//! There is no acknowledgement in syslog, so the only way to say "wait" is to stop reading: a connection's next bytes
//! are read when its last messages are durable, and senders feel that through TCP. Over UDP what does not fit the
//! socket's buffer is lost, as the protocol has it. Whatever is refused is counted by reason and named in the log, without
//! a word of its content.

mod datagram;
mod intake;
mod settings;
mod stream;

use std::{io, net::SocketAddr, sync::Arc};

use attestary_service::Service;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Tls, TlsError};
use intake::Listener;
pub use settings::{SyslogListener, SyslogSender, SyslogSettings, SyslogTls, SyslogTransport};

/// Why a listener cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyslogError {
    /// The address cannot be had.
    #[error("cannot listen for syslog on {address}")]
    Bind {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Listeners that have their ports and do not listen yet.
#[derive(Debug)]
pub struct SyslogListeners {
    settings: Arc<SyslogSettings>,
    bound: Vec<(SyslogListener, Socket)>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener, Option<Tls>),
    Udp(UdpSocket),
}

impl SyslogListeners {
    /// Takes the ports.
    pub async fn bind(settings: SyslogSettings) -> Result<Self, SyslogError> {
        let mut bound = Vec::with_capacity(settings.listeners.len());
        for listener in &settings.listeners {
            let failed = |source| SyslogError::Bind { address: listener.address.clone(), source };
            let tcp = async || TcpListener::bind(&listener.address).await.map_err(failed);
            let socket = match &listener.transport {
                SyslogTransport::Udp => {
                    Socket::Udp(UdpSocket::bind(&listener.address).await.map_err(failed)?)
                }
                SyslogTransport::Tcp => Socket::Tcp(tcp().await?, None),
                SyslogTransport::Tls(tls) => {
                    let (certificate, key) = (tls.certificate.clone(), tls.key.clone());
                    let tls = Tls::read_for_senders(certificate, key, tls.client_ca.clone())?;
                    Socket::Tcp(tcp().await?, Some(tls))
                }
            };
            bound.push((listener.clone(), socket));
        }
        Ok(Self { settings: Arc::new(settings), bound })
    }

    /// Returns the addresses listened on, in the order of the settings.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let address = |(_, socket): &(_, Socket)| match socket {
            Socket::Tcp(listener, _) => listener.local_addr().ok(),
            Socket::Udp(socket) => socket.local_addr().ok(),
        };
        self.bound.iter().filter_map(address).collect()
    }

    /// Returns the certificates in use, which can be read again.
    pub fn certificates(&self) -> Vec<Tls> {
        let tls = |(_, socket): &(_, Socket)| match socket {
            Socket::Tcp(_, tls) => tls.clone(),
            Socket::Udp(_) => None,
        };
        self.bound.iter().filter_map(tls).collect()
    }

    /// Takes messages until `shutdown`, and ends when what was read is durable or the service gives up.
    pub async fn run(self, service: Service, shutdown: CancellationToken) {
        let tasks = TaskTracker::new();
        for (listener, socket) in self.bound {
            let settings = Arc::clone(&self.settings);
            let intake = Arc::new(Listener::new(
                service.clone(),
                listener,
                Arc::clone(&settings),
                shutdown.clone(),
            ));
            match socket {
                Socket::Tcp(listener, tls) => {
                    let connections = tasks.clone();
                    tasks.spawn(stream::run(listener, tls, intake, connections));
                }
                Socket::Udp(socket) => _ = tasks.spawn(datagram::run(socket, intake)),
            }
        }
        shutdown.cancelled().await;
        tasks.close();
        tasks.wait().await;
    }
}

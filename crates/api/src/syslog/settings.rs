//! Values of the syslog listeners.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use attestary_service::SyslogRoute;

use crate::Cidr;

/// Settings of all syslog listeners; the defaults are the documented ones.
#[derive(Debug, Clone)]
pub struct SyslogSettings {
    /// The listeners.
    pub listeners: Vec<SyslogListener>,
    /// Bytes of one message at most; longer ones are refused.
    pub message_bytes_max: usize,
    /// Connections of one listener open at the same time; further ones wait to be accepted.
    pub connections_max: usize,
    /// Connections of one sender to one listener; further ones are closed.
    pub connections_per_address_max: usize,
    /// Time that a connection may stay open without a byte.
    pub idle_time_max: Duration,
}

impl Default for SyslogSettings {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            // Senders cut at 8 KiB by themselves; a CEF record with all its slots has up to 60 KiB.
            message_bytes_max: 64 * 1024,
            // Each takes 64 KiB for what was read and as much for a message.
            connections_max: 512,
            connections_per_address_max: 64,
            // Senders keep connections open, and lose a message when one is closed under them.
            idle_time_max: Duration::from_hours(4),
        }
    }
}

/// One listener.
#[derive(Debug, Clone)]
pub struct SyslogListener {
    /// Address and port; also its name in counts and in the log.
    pub address: String,
    /// How messages come.
    pub transport: SyslogTransport,
    /// Whose messages, by sender; the first one that fits counts.
    pub senders: Vec<SyslogSender>,
}

/// How messages come.
#[derive(Debug, Clone)]
pub enum SyslogTransport {
    /// Datagrams (RFC 5426).
    Udp,
    /// A stream in plain text (RFC 6587).
    Tcp,
    /// A stream over TLS (RFC 5425).
    Tls(SyslogTls),
}

/// Files of a TLS listener.
#[derive(Debug, Clone)]
pub struct SyslogTls {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// Who signs the certificates that senders must show; without it they need none.
    pub client_ca: Option<PathBuf>,
}

/// Senders and whose messages theirs are.
#[derive(Debug, Clone)]
pub struct SyslogSender {
    /// Their addresses; every address without it.
    pub network: Option<Cidr>,
    /// Whose messages, and which are taken.
    pub route: SyslogRoute,
}

impl SyslogListener {
    /// Returns the place among the senders of the one that an address belongs to.
    pub(super) fn sender(&self, address: IpAddr) -> Option<usize> {
        self.senders
            .iter()
            .position(|sender| sender.network.is_none_or(|network| network.contains(address)))
    }
}

//! Syslog (RFC 5424) over TCP, UDP or TLS.
//!
//! Plain TCP and TLS syslog have no acknowledgement: what stood in the connection's buffers when it broke is lost
//! without a sign. The transport therefore names the seq from which events may not have arrived, and the engine
//! sends them again. UDP promises nothing; a datagram counts as delivered when it left.

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, syslog};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ManagedBy, Members, Request};
use crate::{
    batch::Batch,
    guard::{Host, Target},
    tls,
};

/// Most bytes of a UDP payload over IPv4; over IPv6 it is a little more.
const DATAGRAM_BYTES_MAX: usize = 65_507;

/// How frames travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Plain TCP (RFC 6587): operators only.
    Tcp,
    /// UDP (RFC 5426): operators only.
    Udp,
    /// TLS (RFC 5425).
    Tls,
}

impl Transport {
    /// Returns the word used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Tls => "tls",
        }
    }
}

/// Configuration of a syslog destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// `host:port`; IPv6 addresses stand in brackets.
    pub address: String,
    /// How frames travel.
    pub transport: Transport,
    /// Certificates (PEM) that are trusted instead of the system's; TLS only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Header and framing of the messages.
    #[serde(flatten)]
    pub options: syslog::Options,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>, managed_by: ManagedBy) -> Option<Self> {
        let address = members.text_required("address");
        let transport = read_transport(members, managed_by);
        let ca = tls::read_ca(members);
        let names =
            ["framing", "facility", "hostname", "app_name", "enterprise_id", "frame_bytes_max"];
        let options: Option<syslog::Options> = members.options(&names);
        if let Some(address) = address
            && let Err(problem) = Host::parse_with_port(address)
        {
            members.refuse("address", problem);
        }
        let config =
            Self { address: address?.to_owned(), transport: transport?, ca, options: options? };
        config.refuse_what_does_not_fit(members);
        Some(config)
    }

    fn refuse_what_does_not_fit(&self, members: &mut Members<'_>) {
        if self.transport == Transport::Tls && self.options.framing == syslog::Framing::Lf {
            members.refuse("framing", "syslog over TLS is framed by octet counting (RFC 5425)");
        }
        if self.transport == Transport::Udp && self.options.frame_bytes_max > DATAGRAM_BYTES_MAX {
            let limit = format!("a datagram has at most {DATAGRAM_BYTES_MAX} bytes");
            members.refuse("frame_bytes_max", limit);
        }
        if self.transport != Transport::Tls && self.ca.is_some() {
            members.refuse("ca", "certificates are for the transport tls");
        }
    }

    pub(crate) fn target(&self) -> Target {
        let (host, port) = Host::parse_with_port(&self.address)
            .expect("the address was parsed when it was validated");
        Target {
            host,
            port,
            kind: crate::guard::Kind::Syslog,
            encrypted: self.transport == Transport::Tls,
        }
    }

    pub(super) fn encode(
        &self,
        view: &View<'_>,
        format: &Format,
        actions: &KnownActions,
        out: &mut Vec<u8>,
    ) {
        match self.transport {
            Transport::Udp => syslog::message(view, actions, format, &self.options, out),
            Transport::Tcp | Transport::Tls => {
                syslog::frame(view, actions, format, &self.options, out)
            }
        };
    }

    pub(super) fn request(&self, batch: &Batch) -> Request {
        match self.transport {
            Transport::Udp => {
                Request::Datagrams(batch.encoded().map(Bytes::copy_from_slice).collect())
            }
            Transport::Tcp | Transport::Tls => Request::Stream {
                bytes: Bytes::copy_from_slice(&batch.bytes),
                range: batch.range(),
            },
        }
    }
}

fn read_transport(members: &mut Members<'_>, managed_by: ManagedBy) -> Option<Transport> {
    let transport = match members.text_required("transport")? {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        "tls" => Transport::Tls,
        other => {
            members.refuse("transport", format!("must be tcp, udp or tls; this is {other:?}"));
            return None;
        }
    };
    if managed_by == ManagedBy::Tenant && transport != Transport::Tls {
        members.refuse("transport", "only operators may use syslog without TLS");
    }
    Some(transport)
}

//! A host as configured: parsed once by the WHATWG rules, so that `0x7f.1` is seen as the address it is.

use std::net::IpAddr;

use url::Url;

/// A name or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name in lower case, without the final dot.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl Host {
    /// Returns the host of a URL.
    pub fn of_url(url: &Url) -> Result<Self, String> {
        match url.host() {
            Some(url::Host::Ipv4(ip)) => Ok(Self::Address(ip.into())),
            Some(url::Host::Ipv6(ip)) => Ok(Self::Address(ip.into())),
            Some(url::Host::Domain(name)) => Self::name(name),
            None => Err("must name a host".to_owned()),
        }
    }

    /// Parses `host:port`; IPv6 addresses stand in brackets.
    pub fn parse_with_port(text: &str) -> Result<(Self, u16), String> {
        let problem = || "must be host:port; IPv6 addresses stand in brackets".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(problem)?;
        let port =
            Some(port).filter(|port| !port.starts_with('+')).and_then(|port| port.parse().ok());
        let port: u16 = port.filter(|port| *port != 0).ok_or_else(problem)?;
        match url::Host::parse(host).map_err(|_| problem())? {
            url::Host::Ipv4(ip) => Ok((Self::Address(ip.into()), port)),
            url::Host::Ipv6(ip) => Ok((Self::Address(ip.into()), port)),
            url::Host::Domain(name) => Ok((Self::name(&name)?, port)),
        }
    }

    fn name(name: &str) -> Result<Self, String> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if name.len() > 253 || !name.split('.').all(label) {
            return Err("must name a host: letters, digits, hyphens and dots".to_owned());
        }
        Ok(Self::Name(name))
    }
}

/// Names that only make sense inside a network; they pass only if their addresses are on the operator's list.
pub(super) fn is_internal(name: &str) -> bool {
    const SUFFIXES: [&str; 9] = [
        "localhost",
        "local",
        "internal",
        "intranet",
        "lan",
        "home",
        "corp",
        "home.arpa",
        "localdomain",
    ];
    let name = name.strip_suffix('.').unwrap_or(name);
    !name.contains('.')
        || SUFFIXES
            .iter()
            .any(|suffix| name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
}

/// Names of metadata services: they never pass.
pub(super) fn is_metadata(name: &str) -> bool {
    const NAMES: [&str; 5] = [
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "instance-data.ec2.internal",
    ];
    NAMES.iter().any(|metadata| same(metadata, name))
}

pub(super) fn same(a: &str, b: &str) -> bool {
    let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    bare(a) == bare(b)
}

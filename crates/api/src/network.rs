//! Who is at the other end: trusted proxies and the client's address behind them.
//!
//! `X-Forwarded-For` is believed only as far as trusted proxies wrote it: read from the right, the first address
//! that is not itself a trusted proxy is the client.

use std::net::IpAddr;

use http::HeaderMap;

/// A range of addresses, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Reads a range, or one address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().ok()?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => width,
        };
        (bits <= width).then_some(Self { base, bits })
    }

    /// Returns true when the address lies in the range. IPv4 addresses in IPv6 form count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.bits);
                shifted(u128::from(base.to_bits()), shift)
                    == shifted(u128::from(address.to_bits()), shift)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.bits);
                shifted(base.to_bits(), shift) == shifted(address.to_bits(), shift)
            }
            _ => false,
        }
    }
}

fn shifted(bits: u128, by: u32) -> u128 {
    bits.checked_shr(by).unwrap_or(0)
}

/// Returns the client's address.
pub(crate) fn client_ip(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(address) = hop_address(hop.trim()) else { break };
        client = address.to_canonical();
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// Returns true when the request came over HTTPS: to this server, or to a trusted proxy that says so.
pub(crate) fn is_https(tls: bool, peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> bool {
    let peer = peer.to_canonical();
    let proxied = trusted.iter().any(|range| range.contains(peer))
        && headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    tls || proxied
}

/// Some proxies write the port too: `1.2.3.4:5678` or `[::1]:5678`.
fn hop_address(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&str], expected: &str) {
        let trusted = [Cidr::parse("10.0.0.0/8").unwrap(), Cidr::parse("::1").unwrap()];
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        assert_eq!(client_ip(peer.parse().unwrap(), &headers, &trusted).to_string(), expected);
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("10.1.2.3", &["198.51.100.1"], "198.51.100.1");
        check("::ffff:10.1.2.3", &["198.51.100.1:4711"], "198.51.100.1");
        check("::1", &["[2001:db8::7]:443"], "2001:db8::7");
        check("10.1.2.3", &[], "10.1.2.3");
    }

    #[test]
    fn what_the_client_itself_wrote_is_not_believed() {
        check("10.1.2.3", &["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1");
        check("10.1.2.3", &["1.1.1.1", "198.51.100.1"], "198.51.100.1");
        check("10.1.2.3", &["1.1.1.1, junk"], "10.1.2.3");
        check("10.1.2.3", &["10.5.5.5, 10.6.6.6"], "10.5.5.5");
    }

    #[test]
    fn ranges_end_where_they_say() {
        let range = Cidr::parse("172.16.0.0/12").unwrap();
        for (address, inside) in [
            ("172.15.255.255", false),
            ("172.16.0.0", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("::1", false),
        ] {
            assert_eq!(range.contains(address.parse().unwrap()), inside, "{address}");
        }
        assert!(Cidr::parse("0.0.0.0/0").unwrap().contains("9.9.9.9".parse().unwrap()));
        assert!(Cidr::parse("::/0").unwrap().contains("2001::1".parse().unwrap()));
        for bad in
            ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "::/129", "host/8", "10.0.0.0/"]
        {
            assert!(Cidr::parse(bad).is_none(), "{bad}");
        }
    }
}

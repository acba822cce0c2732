//! A network in CIDR notation.

use std::{fmt, net::IpAddr, str::FromStr};

use super::address::unmapped;

/// An address and a prefix length, as in `10.20.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Returns true when the address lies in the network.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, unmapped(ip)) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                same(u32::from(net).into(), u32::from(ip).into(), 32, self.bits)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => same(net.into(), ip.into(), 128, self.bits),
            _ => false,
        }
    }
}

fn same(a: u128, b: u128, width: u32, bits: u8) -> bool {
    let shift = width - u32::from(bits);
    a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
}

impl FromStr for Network {
    type Err = String;

    /// Parses `address/bits`, or an address alone. Bits past the prefix must be zero, and /0 is refused.
    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("{text:?} is not a network such as 10.20.0.0/16");
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| problem())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => {
                bits.parse().ok().filter(|bits| (1..=width).contains(bits)).ok_or_else(problem)?
            }
            None => width,
        };
        let number = match address {
            IpAddr::V4(ip) => u128::from(u32::from(ip)) << 96,
            IpAddr::V6(ip) => ip.into(),
        };
        if bits < 128 && number << bits != 0 {
            return Err(format!("{text:?} has bits after its prefix"));
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_addresses() {
        #[track_caller]
        fn check(network: &str, ip: &str, expected: bool) {
            assert_eq!(network.parse::<Network>().unwrap().contains(ip.parse().unwrap()), expected);
        }
        check("10.20.0.0/16", "10.20.255.255", true);
        check("10.20.0.0/16", "10.21.0.0", false);
        check("10.20.0.0/16", "::ffff:10.20.0.1", true);
        check("10.20.0.0/16", "fd00::1", false);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3", "10.1.2.4", false);
        check("fd00:1::/32", "fd00:1:ffff::1", true);
        check("fd00:1::/32", "fd00:2::1", false);
        check("fd00::1", "fd00::1", true);
        check("128.0.0.0/1", "255.255.255.255", true);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/0",
            "::/0",
            "10.0.0.1/8",
            "fd00::1/8",
            "10.0.0/8",
            "a/8",
            "10.0.0.0/",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}

//! CIDR networks of both address families.
//!
//! An IPv4 address and its form mapped into IPv6 (`::ffff:192.0.2.1`) are one address, so a network is kept
//! in the IPv6 space whatever it was written in.

use std::net::IpAddr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    first: u128,
    mask: u128,
}

impl Network {
    /// Reads `address/length`, host bits ignored; an IPv6 address alone is a network of one.
    ///
    /// An IPv4 address alone has only one spelling and is compared as text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (shift, width) = if address.is_ipv4() { (96, 32) } else { (0, 128) };
        let length = match length {
            Some(length) => prefix_length(length).filter(|&length| length <= width)?,
            None if address.is_ipv6() => width,
            None => return None,
        };
        let mask = u128::MAX.checked_shl(128 - shift - length).unwrap_or(0);
        Some(Self { first: mapped(address) & mask, mask })
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        text.parse().is_ok_and(|address| mapped(address) & self.mask == self.first)
    }
}

fn prefix_length(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(network: &str, address: &str, expected: bool) {
        let parsed = Network::parse(network);
        assert_eq!(
            parsed.is_some_and(|network| network.contains(address)),
            expected,
            "{network} {address}"
        );
    }

    #[test]
    fn addresses_of_both_families_are_inside_or_outside() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.1.2.3/8", "10.9.9.9", true);
        check("10.0.0.0/8", "::ffff:10.1.1.1", true);
        check("::ffff:10.0.0.0/104", "10.1.1.1", true);
        check("0.0.0.0/0", "255.255.255.255", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("::/0", "2001:db8::1", true);
        check("::/0", "1.2.3.4", true);
        check("2001:db8::/32", "2001:0DB8:0::1", true);
        check("2001:db8::1", "2001:0db8:0:0:0:0:0:1", true);
        check("2001:db8::1", "2001:db8::2", false);
        check("10.0.0.1/32", "10.0.0.1", true);
        check("10.0.0.1/32", "10.0.0.2", false);
        check("10.0.0.0/8", "10.0.0.0/8", false);
        check("10.0.0.0/8", "", false);
    }

    #[test]
    fn other_texts_are_no_network() {
        for text in [
            "10.0.0.1",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10/8",
            "/8",
            "a/b",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}

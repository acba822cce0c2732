//! Which addresses are public: a table of our own, because the standard library's is not stable and unwraps too little.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not public (IANA special-purpose registry, multicast, reserved, 6to4 relays).
const V4_DENIED: [(u32, u32); 15] = [
    (0x0000_0000, 8),  // "this network"
    (0x0a00_0000, 8),  // private
    (0x6440_0000, 10), // carrier-grade NAT
    (0x7f00_0000, 8),  // loopback
    (0xa9fe_0000, 16), // link-local, metadata services
    (0xac10_0000, 12), // private
    (0xc000_0000, 24), // protocol assignments
    (0xc000_0200, 24), // documentation
    (0xc058_6300, 24), // 6to4 relay anycast
    (0xc0a8_0000, 16), // private
    (0xc612_0000, 15), // benchmarking
    (0xc633_6400, 24), // documentation
    (0xcb00_7100, 24), // documentation
    (0xe000_0000, 4),  // multicast
    (0xf000_0000, 4),  // reserved, broadcast
];

/// Parts of 2000::/3 that are not public: Teredo and other protocol blocks, documentation, 6to4.
const V6_DENIED: [(u128, u32); 4] = [
    (0x2001_0000 << 96, 23),
    (0x2001_0db8 << 96, 32),
    (0x2002_0000 << 96, 16),
    (0x3fff_0000 << 96, 20),
];

/// Public addresses at which clouds answer with credentials, beside the link-local ones: Azure's wire server.
const V4_METADATA: [Ipv4Addr; 1] = [Ipv4Addr::new(168, 63, 129, 16)];
/// Private ones that no list may open: link-local as a whole, Alibaba's, Oracle's.
const V4_METADATA_PRIVATE: [Ipv4Addr; 2] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
/// Amazon's over IPv6.
const V6_METADATA: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
];

/// Returns true for a public address.
pub fn allowed(ip: IpAddr) -> bool {
    match unmapped(ip) {
        IpAddr::V4(ip) => {
            !V4_DENIED.iter().any(|(net, bits)| u32::from(ip) >> (32 - bits) == net >> (32 - bits))
        }
        IpAddr::V6(ip) => {
            // An allow-list: everything outside global unicast is refused, embedded IPv4 addresses with it.
            let number = u128::from(ip);
            number >> 125 == 1
                && !V6_DENIED
                    .iter()
                    .any(|(net, bits)| number >> (128 - bits) == net >> (128 - bits))
        }
    }
}

/// Returns the IPv4 address inside `::ffff:0:0/96`, any other address as it is.
pub(super) fn unmapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// Returns true for addresses of metadata services, which no list of the operator opens.
pub(super) fn is_metadata(ip: IpAddr) -> bool {
    match unmapped(ip) {
        IpAddr::V4(ip) => {
            ip.is_link_local() || V4_METADATA.contains(&ip) || V4_METADATA_PRIVATE.contains(&ip)
        }
        IpAddr::V6(ip) => V6_METADATA.contains(&ip),
    }
}

//! A corpus of addresses that must not be reached, and one of addresses that must be.
//!
//! The first is every special network at its first, second, middle and last address, in every way of writing that
//! URL parsers or resolvers are known to accept; with names, schemes, ports and credentials beside them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{tests::Script, *};
use crate::destination::ManagedBy;

const SPECIAL_V4: &str = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4";
const SPECIAL_V6: &str = "::/8 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 2001:2::/48 2001:10::/28 2001:20::/28
    2001:db8::/32 2002::/16 3fff::/20 4000::/3 5f00::/16 fc00::/8 fd00::/8 fe80::/10 fec0::/10 ff00::/8";
const NAMES: &str = "localhost LOCALHOST localhost. foo.localhost localhost.localdomain siem printer router.lan
    siem.local siem.internal siem.corp siem.home siem.home.arpa siem.intranet metadata metadata.google.internal
    METADATA.GOOGLE.INTERNAL metadata.google.internal. metadata.goog metadata.azure.internal
    instance-data.ec2.internal";

fn v4_forms(ip: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = ip.octets();
    let number = u32::from(ip);
    let wide: String = ip.to_string().chars().map(wide).collect();
    vec![
        format!("{ip}"),
        format!("{ip}."),
        format!("{number}"),
        format!("{number:#x}"),
        format!("0{number:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{}", number & 0xff_ffff),
        format!("{a}.{b}.{}", number & 0xffff),
        format!("{a}.{b}.{c}.%3{}", d % 10),
        wide,
        format!("[::ffff:{ip}]"),
        format!("[::{ip}]"),
        format!("[64:ff9b::{ip}]"),
        format!("[2002:{:02x}{:02x}:{:02x}{:02x}::1]", a, b, c, d),
        format!("[::ffff:0:{ip}]"),
    ]
}

fn wide(c: char) -> char {
    match c {
        '0'..='9' => char::from_u32('０' as u32 + (c as u32 - '0' as u32)).unwrap(),
        '.' => '。',
        c => c,
    }
}

fn ends(network: &str) -> (u128, u32, u32) {
    let (address, bits) = network.split_once('/').unwrap();
    let bits: u32 = bits.parse().unwrap();
    match address.parse::<IpAddr>().unwrap() {
        IpAddr::V4(ip) => (u32::from(ip).into(), 32 - bits, 32),
        IpAddr::V6(ip) => (ip.into(), 128 - bits, 128),
    }
}

/// The first, second, a middle and the last address of a network.
fn samples(network: &str) -> Vec<IpAddr> {
    let (first, host_bits, width) = ends(network);
    let last = first | ((1 << host_bits) - 1);
    let numbers = [first, first + 1, first + (last - first) / 3 * 2, last];
    numbers
        .map(|number| match width {
            32 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap())),
            _ => IpAddr::V6(Ipv6Addr::from(number)),
        })
        .into()
}

fn hosts() -> Vec<String> {
    let v4 = SPECIAL_V4.split_whitespace().flat_map(samples);
    let v6 = SPECIAL_V6.split_whitespace().flat_map(samples);
    let mut hosts = Vec::new();
    for ip in v4.chain(v6) {
        match ip {
            IpAddr::V4(ip) => hosts.extend(v4_forms(ip)),
            IpAddr::V6(ip) => hosts.push(format!("[{ip}]")),
        }
    }
    hosts.extend(NAMES.split_whitespace().map(str::to_owned));
    hosts
}

fn urls() -> Vec<String> {
    let mut urls: Vec<String> = hosts().iter().map(|host| format!("https://{host}/hook")).collect();
    let odd = "http://siem.example.com/ ftp://siem.example.com/ file:///etc/passwd gopher://siem.example.com/
        javascript:alert(1) data:text/plain,x https:// https://user@siem.example.com/ https://a:b@siem.example.com/
        https://siem.example.com:22/ https://siem.example.com:25/ https://siem.example.com:6379/
        https://siem.example.com:0/ https://siem.example.com:65536/ https://8.8.8.8:80/
        https://127.0.0.1\\@siem.example.com/ https://127.0.0.1#@siem.example.com
        https://[::1%25lo]/ https://[fe80::1%25eth0]/ https://127.0.0.1%00.example.com/ //127.0.0.1/ 127.0.0.1
        https://siem.exa%0dmple.com/ https://①②⑦.0.0.1/ https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/ https://168.63.129.16/";
    urls.extend(odd.split_whitespace().map(str::to_owned));
    urls
}

/// Returns the addresses that a URL would be dialled at; names resolve to `answer`.
async fn reach(url: &str, answer: &str) -> Result<Vec<SocketAddr>, String> {
    let config = serde_json::json!({ "url": url });
    let (config, _) = DestinationConfig::validate("webhook", &config, ManagedBy::Tenant)
        .map_err(|violations| violations[0].detail.clone())?;
    let owner = Owner {
        environment: EnvironmentId::restored("production"),
        tenant: TenantId::restored("acme"),
    };
    let guard = Guard::new(Policy::default(), Script::new(&[&[answer]]));
    let reached = guard.addresses(&owner, &config.target().unwrap()).await;
    let checked = guard.check(&owner, &config);
    assert!(
        checked.is_empty() || reached.is_err(),
        "the check of the configuration is never stricter: {url}"
    );
    reached.map_err(|failure| failure.detail)
}

#[tokio::test]
async fn what_must_not_be_reached_is_not() {
    let urls = urls();
    assert!(urls.len() >= 500, "{}", urls.len());
    for url in urls {
        // A name that is no special one would resolve to a public address: the text itself must be refused.
        let reached = reach(&url, "8.8.8.8").await;
        assert!(reached.is_err(), "{url} reaches {reached:?}");
    }
}

#[tokio::test]
async fn a_harmless_name_with_a_special_address_is_not_reached() {
    let special =
        SPECIAL_V4.split_whitespace().chain(SPECIAL_V6.split_whitespace()).flat_map(samples);
    for ip in special {
        let reached = reach("https://siem.example.com/hook", &ip.to_string()).await;
        assert!(reached.is_err(), "{ip}");
    }
}

#[tokio::test]
async fn what_is_public_is_reached() {
    let v4 = (1_u32..=223).filter(|first| ![10, 100, 127, 169, 172, 192, 198, 203].contains(first));
    let v4 = v4.map(|first| format!("https://{first}.77.1.2/hook"));
    let v6 =
        (0_u32..40).map(|block| format!("https://[{:x}:{block:x}::1]/hook", 0x2003 + block * 0xc1));
    let names = (0..40)
        .map(|number| format!("https://in{number}.siem.example.com:8443/hook?token={number}"));
    let urls: Vec<String> = v4.chain(v6).chain(names).collect();
    assert!(urls.len() >= 100);
    for url in urls {
        let reached = reach(&url, "8.8.8.8").await;
        assert!(reached.is_ok(), "{url}: {reached:?}");
    }
}

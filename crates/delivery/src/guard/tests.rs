use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use proptest::prelude::*;

use super::*;
use crate::{destination::ManagedBy, health::Cause};

/// Answers with one list of addresses after the other, the last one for ever.
pub(super) struct Script {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    pub(super) asked: AtomicUsize,
}

impl Script {
    pub(super) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(parse).collect()),
            asked: AtomicUsize::new(0),
        })
    }
}

impl Resolver for Script {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(answer) })
    }
}

fn owner(tenant: &str) -> Owner {
    Owner { environment: EnvironmentId::restored("production"), tenant: TenantId::restored(tenant) }
}

fn target(url: &str) -> Target {
    let config = serde_json::json!({ "url": url });
    DestinationConfig::validate("webhook", &config, ManagedBy::Operator)
        .unwrap()
        .0
        .target()
        .unwrap()
}

fn syslog(address: &str) -> Target {
    let config = serde_json::json!({ "address": address, "transport": "tcp" });
    DestinationConfig::validate("syslog", &config, ManagedBy::Operator).unwrap().0.target().unwrap()
}

fn allow(network: &str, ports: &[u16], tenant: Option<&str>) -> Allow {
    Allow {
        network: network.parse().unwrap(),
        ports: ports.to_vec(),
        environment: EnvironmentId::restored("production"),
        tenant: tenant.map(TenantId::restored),
    }
}

async fn addresses(
    policy: Policy,
    target: &Target,
    answers: &[&[&str]],
) -> Result<Vec<SocketAddr>, Cause> {
    let guard = Guard::new(policy, Script::new(answers));
    guard.addresses(&owner("acme"), target).await.map_err(|failure| failure.cause)
}

#[test]
fn the_address_rule_holds_at_its_boundaries() {
    #[track_caller]
    fn check(list: &str, expected: bool) {
        for ip in list.split_whitespace() {
            assert_eq!(allowed(ip.parse().unwrap()), expected, "{ip}");
        }
    }
    check(
        "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255
         169.254.0.0 169.254.169.254 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.255 192.0.2.1 192.88.99.1
         192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.0 239.255.255.255
         240.0.0.0 255.255.255.255",
        false,
    );
    check(
        "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
         169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0
         198.17.255.255 198.20.0.0 223.255.255.255",
        true,
    );
    check(
        ":: ::1 ::127.0.0.1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 1fff::1 2001::1
         2001:1ff:ffff::1 2001:db8::1 2002:7f00:1::1 3fff::1 3fff:fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1
         fec0::1 ff02::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
    );
    check("2000::1 2001:200::1 2003::1 2606:4700::1111 3fff:1000::1 ::ffff:8.8.8.8", true);
}

proptest! {
    #[test]
    fn what_the_standard_library_calls_special_is_refused(bits in any::<u32>()) {
        let ip = std::net::Ipv4Addr::from(bits);
        let special = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast()
            || ip.is_broadcast() || ip.is_documentation() || ip.is_unspecified();
        prop_assert!(!(special && allowed(ip.into())));
        prop_assert_eq!(allowed(ip.into()), allowed(ip.to_ipv6_mapped().into()));
    }
}

#[tokio::test]
async fn every_answer_of_the_resolver_must_pass() {
    async fn check(answer: &[&str], expected: bool) {
        let found =
            addresses(Policy::default(), &target("https://siem.example.com/"), &[answer]).await;
        assert_eq!(found.is_ok(), expected, "{answer:?}: {found:?}");
    }
    check(&["8.8.8.8"], true).await;
    check(&["8.8.8.8", "2606:4700::1111"], true).await;
    check(&["8.8.8.8", "10.0.0.1"], false).await;
    check(&["2606:4700::1111", "::1"], false).await;
    check(&["127.0.0.1"], false).await;
    check(&[], false).await;
    check(&["8.8.8.8"; 65], false).await;
}

#[tokio::test]
async fn a_name_that_changes_its_answer_gains_nothing() {
    let script = Script::new(&[&["8.8.8.8"], &["127.0.0.1"]]);
    let guard = Guard::new(Policy::default(), script.clone());
    let target = target("https://rebinding.example.com/");
    let first = guard.addresses(&owner("acme"), &target).await.unwrap();
    assert_eq!(first, ["8.8.8.8:443".parse().unwrap()]);
    let second = guard.addresses(&owner("acme"), &target).await.unwrap_err();
    assert_eq!(second.cause, Cause::Blocked);
}

#[tokio::test]
async fn one_connection_asks_the_resolver_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let script = Script::new(&[&["127.0.0.1"], &["8.8.8.8"]]);
    let guard = Guard::new(Policy { loopback: true, ..Policy::default() }, script.clone());
    let target = syslog(&format!("siem.example.com:{}", listener.local_addr().unwrap().port()));
    let stream = guard.connect(&owner("acme"), &target).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    assert_eq!(script.asked.load(Ordering::Relaxed), 1);
}

struct Silent;

impl Resolver for Silent {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_does_not_answer_is_given_five_seconds() {
    let guard = Guard::new(Policy::default(), Arc::new(Silent));
    let begun = tokio::time::Instant::now();
    let failure =
        guard.addresses(&owner("acme"), &target("https://siem.example.com/")).await.unwrap_err();
    assert_eq!((failure.cause, begun.elapsed().as_secs()), (Cause::Resolve, 5));
}

#[test]
fn the_operators_list_is_by_network_port_and_tenant() {
    #[track_caller]
    fn check(tenant: &str, address: &str, expected: bool) {
        let policy = Policy {
            allow: vec![
                allow("10.1.0.0/16", &[9000], Some("acme")),
                allow("10.2.0.0/16", &[514], None),
            ],
            ..Policy::default()
        };
        let target = syslog(address);
        let Host::Address(ip) = target.host else { panic!("{address} is an address") };
        let admitted = Guard::system(policy).admit(&owner(tenant), &target, ip);
        assert_eq!(admitted.is_ok(), expected, "{tenant} {address}: {admitted:?}");
    }
    check("acme", "10.1.2.3:9000", true);
    check("acme", "[::ffff:10.1.2.3]:9000", true);
    check("acme", "10.1.2.3:9001", false);
    check("globex", "10.1.2.3:9000", false);
    check("globex", "10.2.0.1:514", true);
    check("acme", "10.3.0.1:514", false);
    let other = Owner {
        environment: EnvironmentId::restored("staging"),
        tenant: TenantId::restored("acme"),
    };
    let policy = Policy { allow: vec![allow("10.1.0.0/16", &[9000], None)], ..Policy::default() };
    assert!(
        Guard::system(policy)
            .admit(&other, &syslog("10.1.2.3:9000"), "10.1.2.3".parse().unwrap())
            .is_err()
    );
}

#[test]
fn no_list_opens_a_metadata_service() {
    let everything: Vec<Allow> = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]
        .map(|network| allow(network, &[443], None))
        .into();
    let policy =
        Policy { loopback: true, plain_http: true, allow: everything, ..Policy::default() };
    let guard = Guard::system(policy);
    for ip in [
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        assert!(
            guard.admit(&owner("acme"), &target("https://siem.example.com"), ip).is_err(),
            "{ip}"
        );
    }
    assert!(
        guard
            .admit(&owner("acme"), &target("https://siem.example.com"), "10.0.0.1".parse().unwrap())
            .is_ok()
    );
}

#[tokio::test]
async fn loopback_passes_only_by_its_switch() {
    async fn check(policy: Policy, url: &str, expected: bool) {
        let found = addresses(policy.clone(), &target(url), &[&["127.0.0.1"]]).await;
        assert_eq!(found.is_ok(), expected, "{policy:?} {url}");
    }
    let on = Policy { loopback: true, ..Policy::default() };
    check(on.clone(), "http://127.0.0.1:34567/", true).await;
    check(on.clone(), "http://localhost:34567/", true).await;
    check(on.clone(), "http://[::1]:34567/", true).await;
    check(on.clone(), "http://10.0.0.1/", false).await;
    check(on, "http://8.8.8.8/", false).await;
    check(Policy::default(), "https://127.0.0.1/", false).await;
    check(Policy::default(), "https://localhost/", false).await;
}

#[tokio::test]
async fn ports_schemes_and_internal_names_are_checked() {
    async fn check(policy: Policy, target: Target, expected: bool) {
        let found = addresses(policy, &target, &[&["8.8.8.8"]]).await;
        assert_eq!(found.is_ok(), expected, "{target:?}: {found:?}");
    }
    let default = Policy::default;
    check(default(), target("https://siem.example.com/"), true).await;
    check(default(), target("https://siem.example.com:8088/"), true).await;
    check(default(), target("https://siem.example.com:22/"), false).await;
    check(default(), target("https://siem.example.com:80/"), false).await;
    check(default(), target("http://siem.example.com/"), false).await;
    check(Policy { plain_http: true, ..default() }, target("http://siem.example.com/"), true).await;
    check(Policy { plain_http: true, ..default() }, target("http://siem.example.com:22/"), false)
        .await;
    check(
        Policy { ports: vec![9999], ..default() },
        target("https://siem.example.com:9999/"),
        true,
    )
    .await;
    check(default(), syslog("siem.example.com:6514"), true).await;
    check(default(), syslog("siem.example.com:25"), false).await;
    check(default(), target("https://siem/"), false).await;
    check(default(), target("https://siem.internal/"), false).await;
    check(default(), target("https://siem.corp/"), false).await;
    check(default(), target("https://metadata.google.internal/"), false).await;
    // An internal name passes when all its addresses are on the list, not when it resolves to a public one.
    let listed = Policy { allow: vec![allow("10.0.0.0/8", &[443], None)], ..default() };
    check(listed.clone(), target("https://siem.internal/"), false).await;
    let found =
        addresses(listed.clone(), &target("https://siem.internal/"), &[&["10.1.1.1"]]).await;
    assert!(found.is_ok(), "{found:?}");
    let found =
        addresses(listed, &target("https://metadata.google.internal/"), &[&["10.1.1.1"]]).await;
    assert_eq!(found, Err(Cause::Blocked));
}

#[tokio::test]
async fn the_service_never_dials_itself() {
    async fn check(own: &str, url: &str, expected: bool) {
        let policy = Policy {
            loopback: true,
            own: vec![own.parse().unwrap()],
            own_names: vec!["Audit.Example.com".to_owned()],
            ..Policy::default()
        };
        let found = addresses(policy, &target(url), &[&["8.8.8.8"]]).await;
        assert_eq!(found.is_ok(), expected, "{own} {url}: {found:?}");
    }
    check("127.0.0.1:8080", "http://127.0.0.1:8080/", false).await;
    check("127.0.0.1:8080", "http://127.0.0.1:8081/", true).await;
    check("0.0.0.0:8080", "http://127.0.0.1:8080/", false).await;
    check("[::]:8080", "http://[::1]:8080/", false).await;
    check("8.8.8.8:443", "https://siem.example.com/", false).await;
    check("127.0.0.1:8080", "https://audit.example.com/", false).await;
    check("127.0.0.1:8080", "https://siem.example.com/", true).await;
}

#[test]
fn a_configuration_is_checked_as_far_as_it_can_be() {
    #[track_caller]
    fn check(kind: &str, config: serde_json::Value, expected: &[&str]) {
        let (config, _) = DestinationConfig::validate(kind, &config, ManagedBy::Operator).unwrap();
        let violations = Guard::system(Policy::default()).check(&owner("acme"), &config);
        let pointers: Vec<&str> =
            violations.iter().map(|violation| violation.pointer.as_str()).collect();
        assert_eq!(pointers, expected);
    }
    check("webhook", serde_json::json!({"url": "https://siem.example.com"}), &[]);
    check("webhook", serde_json::json!({"url": "https://2130706433"}), &["/config/url"]);
    check("webhook", serde_json::json!({"url": "http://siem.example.com"}), &["/config/url"]);
    check("webhook", serde_json::json!({"url": "https://siem"}), &["/config/url"]);
    check(
        "syslog",
        serde_json::json!({"address": "10.0.0.1:514", "transport": "tcp"}),
        &["/config/address"],
    );
    check(
        "syslog",
        serde_json::json!({"address": "siem.example.com:514", "transport": "tcp"}),
        &[],
    );
    check("stdout", serde_json::json!({}), &[]);
}

/// A proxy that answers every CONNECT with a status and then says hello, as the receiver would.
async fn proxy(status: &'static str) -> (Proxy, Arc<Mutex<Vec<String>>>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let heads = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            heads.lock().unwrap().push(String::from_utf8(head).unwrap());
            let answer = format!("HTTP/1.1 {status}\r\nx: y\r\n\r\nhello");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let login = Some(crate::secret::Secret::new("u:p"));
    (Proxy { host: Host::Address([127, 0, 0, 1].into()), port, login }, seen)
}

#[tokio::test]
async fn every_connection_goes_through_the_proxy_to_the_checked_address() {
    use tokio::io::AsyncReadExt as _;
    let (proxy, seen) = proxy("200 ok").await;
    let policy = Policy { proxy: Some(proxy), ..Policy::default() };
    // The second answer of the resolver must never be asked for.
    let guard = Guard::new(policy, Script::new(&[&["93.184.216.34"], &["127.0.0.1"]]));
    let (owner, target) = (owner("acme"), target("https://siem.example.com/"));
    let mut stream = guard.connect(&owner, &target).await.unwrap();
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello", "nothing of the receiver's is lost");
    let head = seen.lock().unwrap()[0].clone();
    assert!(head.starts_with("CONNECT 93.184.216.34:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic dTpw\r\n"), "{head}");
    // The guard's own check comes first: the proxy is not asked for what may not be reached.
    let failure = guard.connect(&owner, &target).await.unwrap_err();
    assert_eq!((failure.cause, seen.lock().unwrap().len()), (Cause::Blocked, 1));
    let failure = guard.connect_udp(&owner, &target).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Configuration);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let (proxy, _) = proxy("407 no").await;
    let policy = Policy { proxy: Some(proxy), ..Policy::default() };
    let guard = Guard::new(policy, Script::new(&[&["93.184.216.34"]]));
    let failure =
        guard.connect(&owner("acme"), &target("https://siem.example.com/")).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Connect);
    assert!(failure.detail.contains("egress proxy answered 407"), "{}", failure.detail);
}

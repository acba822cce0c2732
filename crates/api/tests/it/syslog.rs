//! Syslog listeners: framings, contents, routes, limits, refusals, waiting.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use attestary_api::{
    Cidr, SyslogListener, SyslogListeners, SyslogSender, SyslogSettings, SyslogTls, SyslogTransport,
};
use attestary_event::{EnvironmentId, TenantId};
use attestary_service::{Rates, SyslogContent, SyslogRoute};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpStream, UdpSocket},
};
use tokio_util::sync::CancellationToken;

use crate::app::{ALL, ENVIRONMENT, TestApp};

const CEF: &str = "CEF:0|Acme|Shop|1|user.login|Login|3|suid=u_1 src=203.0.113.9 outcome=success";

fn route(tenant: &str, take: &[SyslogContent]) -> SyslogRoute {
    SyslogRoute {
        environment: EnvironmentId::parse(ENVIRONMENT).unwrap(),
        tenant: TenantId::parse(tenant).unwrap(),
        take: take.to_vec(),
    }
}

fn listener(transport: SyslogTransport, senders: Vec<SyslogSender>) -> SyslogListener {
    SyslogListener { address: "127.0.0.1:0".into(), transport, senders }
}

fn everybody(tenant: &str, take: &[SyslogContent]) -> Vec<SyslogSender> {
    vec![SyslogSender { network: None, route: route(tenant, take) }]
}

/// Listens for the app and returns the addresses.
async fn listen(app: &TestApp, settings: SyslogSettings) -> (Vec<SocketAddr>, CancellationToken) {
    let listeners = SyslogListeners::bind(settings).await.unwrap();
    let (addresses, shutdown) = (listeners.addresses(), CancellationToken::new());
    tokio::spawn(listeners.run(app.service.clone(), shutdown.clone()));
    (addresses, shutdown)
}

async fn send(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
}

/// Waits until the tenant has as many events, and returns them.
async fn events(app: &TestApp, tenant: &str, key: &str, count: usize) -> Vec<Value> {
    loop {
        let reply = app.get(&format!("/v1/events?tenant={tenant}&order=asc&limit=1000"), key).await;
        if reply.status == 200 {
            let page = reply.json();
            let found: Vec<Value> = page["data"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|e| e["seq"] != 0)
                .cloned()
                .collect();
            assert!(found.len() <= count, "{} events instead of {count}", found.len());
            if found.len() == count {
                return found;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn metric(app: &TestApp, line: &str) -> u64 {
    let text = app.client.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await;
    let text = text.unwrap();
    let found = text.lines().find_map(|own| own.strip_prefix(line));
    found.map_or(0, |count| count.trim().parse().unwrap())
}

// seeds: FO-01
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_both_framings_becomes_events_in_its_order() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let settings = SyslogSettings {
        listeners: vec![listener(SyslogTransport::Tcp, everybody("acme", &SyslogContent::ALL))],
        message_bytes_max: 2_000,
        ..SyslogSettings::default()
    };
    let (addresses, _stop) = listen(&app, settings).await;
    let line = include_str!("../../../formats/fixtures/formio/documented.log").lines().next();
    let line = line.unwrap();
    let counted = format!("<110>1 2026-11-22T00:39:11Z web app - - - {CEF}");
    let stream = format!(
        "{} {counted}<13>Nov 22 00:39:12 web formio: {line}\n<13>web: hello\n{} <13>{}\n<13>1 - w a - order.paid - paid\n",
        counted.len(),
        2_500,
        "x".repeat(2_496),
    );
    send(addresses[0], stream.as_bytes()).await;
    let events = events(&app, "acme", &key, 4).await;
    let actions: Vec<&str> = events.iter().map(|e| e["action"].as_str().unwrap()).collect();
    let mut sorted = actions.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["EAUTH_NOUSER", "order.paid", "syslog.message", "user.login"]);
    let login = events.iter().find(|event| event["action"] == "user.login").unwrap();
    assert_eq!(login["actor"], json!({ "type": "user", "id": "u_1" }));
    assert_eq!(login["context"]["ip"], "203.0.113.9");
    assert_eq!(login["source"]["fields"]["vendor"], "Acme");
    let formio = events.iter().find(|event| event["action"] == "EAUTH_NOUSER").unwrap();
    assert_eq!(formio["source"]["raw"], line);
    let name = r#"{listener="127.0.0.1:0",reason="too-long"} "#;
    assert_eq!(metric(&app, &format!("attestary_syslog_refused_total{name}")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_comes_again_is_the_same_event() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let settings = SyslogSettings {
        listeners: vec![listener(SyslogTransport::Tcp, everybody("acme", &[SyslogContent::Cef]))],
        ..SyslogSettings::default()
    };
    let (addresses, _stop) = listen(&app, settings).await;
    for _ in 0..2 {
        send(addresses[0], format!("<110>x: {CEF} externalId=77\n").as_bytes()).await;
    }
    // Without an id of its own, each record is an event; what is refused holds nothing back.
    let mixed = format!("<110>{CEF}\n<110>plain\n<110>CEF:0|broken\n<110>{CEF}\n");
    send(addresses[0], mixed.as_bytes()).await;
    events(&app, "acme", &key, 3).await;
    send(addresses[0], format!("<110>{CEF} externalId=78\n").as_bytes()).await;
    events(&app, "acme", &key, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_have_their_tenants_and_others_are_refused() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let sender = |network: &str, tenant: &str| SyslogSender {
        network: Some(Cidr::parse(network).unwrap()),
        route: route(tenant, &[SyslogContent::Message]),
    };
    let settings = SyslogSettings {
        listeners: vec![
            listener(
                SyslogTransport::Udp,
                vec![sender("10.0.0.0/8", "no"), sender("127.0.0.0/8", "mine")],
            ),
            listener(SyslogTransport::Tcp, vec![sender("10.0.0.0/8", "no")]),
        ],
        ..SyslogSettings::default()
    };
    let (addresses, _stop) = listen(&app, settings).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for number in 0..30 {
        let message = format!("<13>1 - h app - n.{number} - text");
        socket.send_to(message.as_bytes(), addresses[0]).await.unwrap();
    }
    let events = events(&app, "mine", &key, 30).await;
    assert_eq!(events[29]["action"], "n.29");
    let mut stream = TcpStream::connect(addresses[1]).await.unwrap();
    let closed = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "a stranger's connection is closed");
    app.get("/v1/events?tenant=no", &key).await.problem("not-found", 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_fast_waits_and_is_not_lost() {
    let rates = Rates { key_events_per_second: std::num::NonZeroU32::new(100), ..Rates::default() };
    let app = TestApp::start_limited(
        Arc::new(tempfile::tempdir().unwrap()),
        attestary_api::Settings::default(),
        None,
        rates,
    )
    .await;
    let key = app.key(&ALL, None).await;
    let settings = SyslogSettings {
        listeners: vec![listener(
            SyslogTransport::Tcp,
            everybody("acme", &[SyslogContent::Message]),
        )],
        ..SyslogSettings::default()
    };
    let (addresses, _stop) = listen(&app, settings).await;
    // Ten seconds' worth are saved up; one second's worth more has to wait.
    let lines: String = (0..1_100).map(|n| format!("<13>1 - h app - n.{n} - x\n")).collect();
    send(addresses[0], lines.as_bytes()).await;
    loop {
        let reply = app.get("/v1/events/facets?tenant=acme&group_by=actor.id", &key).await;
        if reply.status == 200 && reply.text().contains("1100") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_takes_messages_and_asks_for_certificates_where_told() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls");
    let tls = |client_ca: Option<&str>| {
        SyslogTransport::Tls(SyslogTls {
            certificate: format!("{folder}/certificate.pem").into(),
            key: format!("{folder}/key.pem").into(),
            client_ca: client_ca.map(|name| format!("{folder}/{name}").into()),
        })
    };
    let take = [SyslogContent::Cef];
    let settings = SyslogSettings {
        listeners: vec![
            listener(tls(None), everybody("acme", &take)),
            listener(tls(Some("certificate.pem")), everybody("closed", &take)),
        ],
        ..SyslogSettings::default()
    };
    let (addresses, _stop) = listen(&app, settings).await;
    for address in addresses {
        let _ = send_tls(address, format!("<110>{CEF}\n").as_bytes()).await;
    }
    assert_eq!(events(&app, "acme", &key, 1).await[0]["action"], "user.login");
    app.get("/v1/events?tenant=closed", &key).await.problem("not-found", 404);
    let missing = SyslogListeners::bind(SyslogSettings {
        listeners: vec![listener(tls(Some("nobody.pem")), everybody("acme", &take))],
        ..SyslogSettings::default()
    });
    assert!(missing.await.unwrap_err().to_string().contains("nobody.pem"));
}

async fn send_tls(address: SocketAddr, bytes: &[u8]) -> std::io::Result<()> {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    let mut roots = rustls::RootCertStore::empty();
    let pem = include_bytes!("tls/certificate.pem");
    roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await?;
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
    stream.write_all(bytes).await?;
    stream.shutdown().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_switched_off_is_thrown_away() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let settings = SyslogSettings {
        listeners: vec![listener(SyslogTransport::Tcp, everybody("acme", &SyslogContent::ALL))],
        ..SyslogSettings::default()
    };
    let (addresses, _stop) = listen(&app, settings).await;
    let body = json!({ "enabled": false, "area": "message" });
    crate::app::send(app.request("PUT", "/v1/sources/syslog", &key).json(&body)).await.ok(200);
    send(addresses[0], format!("<13>1 - h a - off - x\n<110>{CEF}\n").as_bytes()).await;
    assert_eq!(events(&app, "acme", &key, 1).await[0]["action"], "user.login");
}

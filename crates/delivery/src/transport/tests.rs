//! The transports against real sockets and files on this machine. Time is virtual: waiting costs nothing.

use std::{net::SocketAddr, sync::Arc};

use ::http::HeaderMap;
use attestary_event::{EnvironmentId, TenantId};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    time::Instant,
};
use url::Url;

use super::{
    datagram::Datagrams,
    file::{Files, Place},
    http::Http,
    output::Lines,
    stream::Stream,
    *,
};
use crate::{
    guard::{Guard, Host, Kind, Owner, Policy},
    verdict::Response,
};

fn guard() -> Guard {
    Guard::system(Policy { loopback: true, ..Policy::default() })
}

fn owner() -> Owner {
    Owner { environment: EnvironmentId::restored("production"), tenant: TenantId::restored("acme") }
}

fn target(address: SocketAddr, kind: Kind, encrypted: bool) -> Target {
    Target { host: Host::Address(address.ip()), port: address.port(), kind, encrypted }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn failure(reply: Reply) -> (Cause, Option<u64>) {
    match reply {
        Reply::Failed(failure) => (failure.cause, failure.resend_from),
        other => panic!("expected a failure, got {other:?}"),
    }
}

mod webhook {
    use super::*;

    fn post(address: SocketAddr, body: &'static [u8]) -> Request {
        let url = Url::parse(&format!("http://{address}/in?x=1")).unwrap();
        Request::Http { url, headers: HeaderMap::new(), body: Bytes::from_static(body) }
    }

    fn transport(address: SocketAddr) -> Http {
        Http::new(guard(), owner(), target(address, Kind::Http, false), None)
    }

    /// Reads one request (head and a body of known length) and returns its head.
    async fn read_request(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "the request ended early");
            text.extend_from_slice(&chunk[..read]);
            let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(text[..end].to_vec()).unwrap().to_ascii_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next())
                .unwrap_or("0");
            if text.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return head;
            }
        }
    }

    /// Answers each request of one connection with the next text.
    fn answer(
        listener: TcpListener,
        answers: &'static [&'static str],
    ) -> tokio::task::JoinHandle<Vec<String>> {
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heads = Vec::new();
            for answer in answers {
                heads.push(read_request(&mut stream).await);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            heads
        })
    }

    async fn check(answer_text: &'static [&'static str], expected: Response) {
        let (listener, address) = listener().await;
        let _server = answer(listener, answer_text);
        assert_eq!(transport(address).carry(post(address, b"[1]")).await, Reply::Http(expected));
    }

    fn response(status: u16, retry_after: Option<&str>, excerpt: &str) -> Response {
        Response {
            status,
            retry_after: retry_after.map(str::to_owned),
            excerpt: excerpt.to_owned(),
            body: excerpt.to_owned().into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn status_retry_after_and_the_bodys_beginning_come_back() {
        check(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"], response(200, None, "ok")).await;
        check(&["HTTP/1.1 204 No Content\r\n\r\n"], response(204, None, "")).await;
        check(
            &["HTTP/1.1 429 Slow\r\nretry-after: 17\r\ncontent-length: 0\r\n\r\n"],
            response(429, Some("17"), ""),
        )
        .await;
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        check(
            &["HTTP/1.1 503 Busy\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0\r\n\r\n"],
            response(503, Some(date), ""),
        )
        .await;
        check(
            &["HTTP/1.1 400 Bad\r\ncontent-length: 9\r\n\r\nno\u{a0}thing"],
            response(400, None, "no\u{a0}thing"),
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_redirect_is_not_followed() {
        let (listener, address) = listener().await;
        let (elsewhere, other) = super::listener().await;
        let text =
            format!("HTTP/1.1 302 Found\r\nlocation: http://{other}/\r\ncontent-length: 0\r\n\r\n");
        let _server = answer(listener, Vec::leak(vec![&*text.leak()]));
        assert_eq!(
            transport(address).carry(post(address, b"[]")).await,
            Reply::Http(response(302, None, ""))
        );
        let visited = tokio::time::timeout(Duration::from_secs(60), elsewhere.accept()).await;
        assert!(visited.is_err(), "nobody was redirected");
    }

    #[tokio::test(start_paused = true)]
    async fn one_connection_serves_several_requests_and_names_the_host() {
        let (listener, address) = listener().await;
        let server = answer(listener, &["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"; 2]);
        let mut http = transport(address);
        for _ in 0..2 {
            assert_eq!(
                http.carry(post(address, b"[1,2]")).await,
                Reply::Http(response(200, None, ""))
            );
        }
        for head in server.await.unwrap() {
            assert!(head.starts_with("post /in?x=1 http/1.1\r\n"), "{head}");
            assert!(
                head.contains(&format!("host: {address}")) && head.contains("content-length: 5"),
                "{head}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_closed_while_idle_is_opened_anew() {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                read_request(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            }
        });
        let mut http = transport(address);
        for _ in 0..2 {
            assert_eq!(
                http.carry(post(address, b"[]")).await,
                Reply::Http(response(200, None, ""))
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        server.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_for_five_minutes_at_most() {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            let mut streams = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                read_request(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                streams.push(stream);
            }
        });
        let mut http = transport(address);
        assert_eq!(http.carry(post(address, b"[]")).await, Reply::Http(response(200, None, "")));
        tokio::time::sleep(CONNECTION_MAX).await;
        assert_eq!(http.carry(post(address, b"[]")).await, Reply::Http(response(200, None, "")));
        server.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_accepts_and_never_answers_times_out() {
        let (listener, address) = listener().await;
        let _server = tokio::spawn(async move {
            let _stream = listener.accept().await.unwrap();
            std::future::pending::<()>().await;
        });
        let begun = Instant::now();
        assert_eq!(
            failure(transport(address).carry(post(address, b"[]")).await),
            (Cause::Timeout, None)
        );
        assert_eq!(begun.elapsed().as_secs(), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_times_out() {
        let (listener, address) = listener().await;
        let _server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
                let _ = stream.write_all(&[*byte]).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        assert_eq!(
            failure(transport(address).carry(post(address, b"[]")).await),
            (Cause::Timeout, None)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_does_not_hold_the_task() {
        let (listener, address) = listener().await;
        let _server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 100000\r\n\r\n").await;
            loop {
                let _ = stream.write_all(b"x").await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let begun = Instant::now();
        let Reply::Http(found) = transport(address).carry(post(address, b"[]")).await else {
            panic!("no status")
        };
        assert_eq!((found.status, begun.elapsed().as_secs()), (503, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_end_is_cut() {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await
                .unwrap();
            let mut sent = 0_usize;
            while stream.write_all(b"400\r\n").await.is_ok() {
                let chunk = [b'x'; 0x400 + 2];
                sent += chunk.len();
                let mut chunk = chunk;
                chunk[0x400..].copy_from_slice(b"\r\n");
                if stream.write_all(&chunk).await.is_err() {
                    break;
                }
            }
            sent
        });
        let Reply::Http(found) = transport(address).carry(post(address, b"[]")).await else {
            panic!("no status")
        };
        assert_eq!((found.status, found.excerpt.len()), (200, 1024));
        // The connection was dropped, so the receiver could not go on for ever.
        assert!(server.await.unwrap() < 64 << 20);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_http_is_a_protocol_error() {
        let (listener, address) = listener().await;
        let _server = answer(listener, &["220 mail.example.com ESMTP\r\n\r\n"]);
        assert_eq!(
            failure(transport(address).carry(post(address, b"[]")).await),
            (Cause::Protocol, None)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_port_is_a_failed_connection() {
        let (listener, address) = listener().await;
        drop(listener);
        assert_eq!(
            failure(transport(address).carry(post(address, b"[]")).await),
            (Cause::Connect, None)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_the_guard_refuses_is_not_dialled() {
        let (listener, address) = listener().await;
        let refusing = Guard::system(Policy::default());
        let mut http = Http::new(refusing, owner(), target(address, Kind::Http, false), None);
        assert_eq!(failure(http.carry(post(address, b"[]")).await), (Cause::Blocked, None));
        let dialled = tokio::time::timeout(Duration::from_secs(60), listener.accept()).await;
        assert!(dialled.is_err());
    }
}

mod syslog_stream {
    use super::*;

    fn transport(address: SocketAddr) -> Stream {
        Stream::new(guard(), owner(), target(address, Kind::Syslog, false), None)
    }

    fn frames(text: &'static str, range: (u64, u64)) -> Request {
        Request::Stream { bytes: Bytes::from_static(text.as_bytes()), range: Some(range) }
    }

    #[tokio::test(start_paused = true)]
    async fn frames_arrive_in_order_over_one_connection() {
        let (listener, address) = listener().await;
        let mut stream = transport(address);
        assert_eq!(stream.carry(frames("5 hello", (0, 0))).await, Reply::Written);
        assert_eq!(stream.carry(frames("5 world", (1, 1))).await, Reply::Written);
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut read = [0; 14];
        peer.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"5 hello5 world");
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_closed_peer_is_noticed_before_the_next_write() {
        let (listener, address) = listener().await;
        let mut stream = transport(address);
        assert_eq!(stream.carry(frames("a\n", (3, 5))).await, Reply::Written);
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.shutdown().await.unwrap();
        // Lets the runtime see what the other side did.
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(failure(stream.carry(frames("b\n", (6, 6))).await), (Cause::Broken, Some(3)));
        assert_eq!(stream.carry(frames("a\nb\n", (3, 6))).await, Reply::Written);
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut read = [0; 4];
        peer.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"a\nb\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_break_while_idle_is_noticed_with_what_may_be_lost() {
        let (listener, address) = listener().await;
        let mut stream = transport(address);
        assert_eq!(stream.carry(frames("a\n", (3, 5))).await, Reply::Written);
        drop(listener.accept().await.unwrap());
        assert_eq!(stream.broken().await, Some(3));
        let never = tokio::time::timeout(Duration::from_secs(60), stream.broken()).await;
        assert!(never.is_err(), "there is no connection to break");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_long_before_a_break_arrived() {
        let (listener, address) = listener().await;
        let mut stream = transport(address);
        assert_eq!(stream.carry(frames("a\n", (3, 5))).await, Reply::Written);
        let (peer, _) = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_secs(6)).await;
        drop(peer);
        assert_eq!(stream.broken().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_never_reads_times_out() {
        let (listener, address) = listener().await;
        let mut stream = transport(address);
        let begun = Instant::now();
        let bytes = Bytes::from(vec![b'x'; 32 << 20]);
        let reply = stream.carry(Request::Stream { bytes, range: Some((7, 9)) }).await;
        assert_eq!((failure(reply), begun.elapsed()), ((Cause::Timeout, Some(7)), EXCHANGE_MAX));
        drop(listener);
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_talks_without_end_is_left() {
        let (listener, address) = listener().await;
        let mut stream = transport(address);
        assert_eq!(stream.carry(frames("a\n", (3, 5))).await, Reply::Written);
        let (mut peer, _) = listener.accept().await.unwrap();
        let _talk =
            tokio::spawn(async move { while peer.write_all(&[b'x'; 4096]).await.is_ok() {} });
        assert_eq!(stream.broken().await, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_greeting_is_not_a_break() {
        let (listener, address) = listener().await;
        let mut stream = transport(address);
        assert_eq!(stream.carry(frames("a\n", (3, 5))).await, Reply::Written);
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(b"220 ready\r\n").await.unwrap();
        assert_eq!(stream.carry(frames("b\n", (6, 6))).await, Reply::Written);
    }
}

mod syslog_tls {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    use super::*;

    fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// Serves TLS once with a certificate for `name` and returns what it read.
    async fn serve(
        listener: TcpListener,
        issuer: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
        years: (i32, i32),
    ) -> tokio::task::JoinHandle<Option<Vec<u8>>> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream =
                tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.ok()?;
            let mut read = vec![0; 7];
            stream.read_exact(&mut read).await.ok()?;
            Some(read)
        })
    }

    async fn check(name: &str, years: (i32, i32), trusted: bool, expected: Result<(), Cause>) {
        let (listener, address) = listener().await;
        let issuer = authority("ours");
        let server = serve(listener, &issuer, name, years).await;
        let ca = if trusted { issuer.pem() } else { authority("theirs").pem() };
        let mut stream =
            Stream::new(guard(), owner(), target(address, Kind::Syslog, true), Some(ca));
        let request =
            Request::Stream { bytes: Bytes::from_static(b"5 hello"), range: Some((0, 0)) };
        let found = match stream.carry(request).await {
            Reply::Written => Ok(()),
            reply => Err(failure(reply).0),
        };
        assert_eq!(found, expected, "{name}");
        assert_eq!(server.await.unwrap().is_some(), expected.is_ok());
    }

    #[tokio::test]
    async fn certificate_errors_are_told_apart() {
        let valid = (2020, 2120);
        check("127.0.0.1", valid, true, Ok(())).await;
        check("127.0.0.1", valid, false, Err(Cause::CertificateUnknownAuthority)).await;
        check("siem.example.com", valid, true, Err(Cause::CertificateName)).await;
        check("127.0.0.1", (2001, 2002), true, Err(Cause::CertificateExpired)).await;
        check("127.0.0.1", (2110, 2120), true, Err(Cause::CertificateExpired)).await;
    }

    #[tokio::test]
    async fn there_is_no_way_back_to_plain_text() {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = [0; 64];
            let read_bytes = stream.read(&mut read).await.unwrap();
            stream.write_all(b"plain text only\r\n").await.unwrap();
            read[..read_bytes].to_vec()
        });
        let mut stream = Stream::new(
            guard(),
            owner(),
            target(address, Kind::Syslog, true),
            Some(authority("ours").pem()),
        );
        let request =
            Request::Stream { bytes: Bytes::from_static(b"5 hello"), range: Some((0, 0)) };
        let (cause, _) = failure(stream.carry(request).await);
        assert!(matches!(cause, Cause::Tls | Cause::Broken), "{cause:?}");
        assert!(!server.await.unwrap().windows(5).any(|five| five == b"hello"));
    }
}

#[tokio::test(start_paused = true)]
async fn one_event_is_one_datagram() {
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = peer.local_addr().unwrap();
    let mut datagrams = Datagrams::new(guard(), owner(), target(address, Kind::Syslog, false));
    let request = Request::Datagrams(vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")]);
    assert_eq!(datagrams.carry(request).await, Reply::Written);
    let mut read = [0; 16];
    for expected in [b"one", b"two"] {
        let bytes = peer.recv(&mut read).await.unwrap();
        assert_eq!(&read[..bytes], expected);
    }
}

mod files {
    use std::{fs, path::Path};

    use super::*;

    fn files(
        root: &Path,
        tenant: &str,
        file: &str,
        rotate_bytes: u64,
        files_max: Option<u32>,
    ) -> Files {
        let environment = EnvironmentId::restored("production");
        let place =
            Place::new(Some(root.to_owned()), &environment, &TenantId::restored(tenant), file);
        Files::new(place, rotate_bytes, files_max)
    }

    async fn write(files: &mut Files, text: &str) -> Reply {
        files.carry(Request::Lines(Bytes::copy_from_slice(text.as_bytes()))).await
    }

    fn read(root: &Path, name: &str) -> String {
        fs::read_to_string(root.join("production/acme").join(name)).unwrap()
    }

    fn names(root: &Path) -> Vec<String> {
        let entries = fs::read_dir(root.join("production/acme")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn lines_are_appended_across_restarts() {
        let root = tempfile::tempdir().unwrap();
        for text in ["a\n", "b\n"] {
            let mut files = files(root.path(), "acme", "audit.log", 1_000, None);
            assert_eq!(write(&mut files, text).await, Reply::Written);
        }
        assert_eq!(read(root.path(), "audit.log"), "a\nb\n");
    }

    #[tokio::test]
    async fn a_full_file_is_rotated_and_old_ones_go() {
        let root = tempfile::tempdir().unwrap();
        let mut files = files(root.path(), "acme", "audit.log", 4, Some(2));
        for number in 0..5 {
            assert_eq!(write(&mut files, &format!("{number}\n{number}\n")).await, Reply::Written);
        }
        assert_eq!(names(root.path()), ["audit.log", "audit.log.000003", "audit.log.000004"]);
        assert_eq!(read(root.path(), "audit.log.000003"), "2\n2\n");
        assert_eq!(read(root.path(), "audit.log"), "4\n4\n");
    }

    #[tokio::test]
    async fn all_rotated_files_are_kept_unless_told_otherwise() {
        let root = tempfile::tempdir().unwrap();
        let mut files = files(root.path(), "acme", "audit.log", 2, None);
        for number in 0..9 {
            assert_eq!(write(&mut files, &format!("{number}\n")).await, Reply::Written);
        }
        assert_eq!(names(root.path()).len(), 9);
    }

    #[tokio::test]
    async fn what_a_crash_left_of_a_line_is_cut_off() {
        #[track_caller]
        fn check(found: &str, expected: &str) {
            assert_eq!(found, expected);
        }
        for (left, expected) in
            [("a\nb\ntor", "a\nb\nc\n"), ("tor", "c\n"), ("a\n", "a\nc\n"), ("", "c\n")]
        {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("production/acme")).unwrap();
            fs::write(root.path().join("production/acme/audit.log"), left).unwrap();
            assert_eq!(
                write(&mut files(root.path(), "acme", "audit.log", 1_000, None), "c\n").await,
                Reply::Written
            );
            check(&read(root.path(), "audit.log"), expected);
        }
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("production/acme")).unwrap();
        let long = format!("a\n{}", "x".repeat(100_000));
        fs::write(root.path().join("production/acme/audit.log"), long).unwrap();
        assert_eq!(
            write(&mut files(root.path(), "acme", "audit.log", 1 << 20, None), "c\n").await,
            Reply::Written
        );
        check(&read(root.path(), "audit.log"), "a\nc\n");
    }

    #[tokio::test]
    async fn a_symbolic_link_is_never_followed() {
        async fn check(make: impl Fn(&Path, &Path)) {
            let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            fs::write(outside.path().join("target"), "precious\n").unwrap();
            make(root.path(), outside.path());
            let mut files = files(root.path(), "acme", "audit.log", 1_000, None);
            assert_eq!(failure(write(&mut files, "c\n").await), (Cause::Configuration, None));
            assert_eq!(fs::read_to_string(outside.path().join("target")).unwrap(), "precious\n");
            assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
        }
        use std::os::unix::fs::symlink;
        check(|root, outside| {
            fs::create_dir_all(root.join("production/acme")).unwrap();
            symlink(outside.join("target"), root.join("production/acme/audit.log")).unwrap();
        })
        .await;
        check(|root, outside| {
            fs::create_dir_all(root.join("production/acme")).unwrap();
            symlink(outside.join("dangling"), root.join("production/acme/audit.log")).unwrap();
        })
        .await;
        check(|root, outside| {
            fs::create_dir_all(root.join("production")).unwrap();
            symlink(outside, root.join("production/acme")).unwrap();
        })
        .await;
        check(|root, outside| symlink(outside, root.join("production")).unwrap()).await;
    }

    #[tokio::test]
    async fn a_file_that_was_moved_away_is_begun_anew() {
        let root = tempfile::tempdir().unwrap();
        let mut files = files(root.path(), "acme", "audit.log", 1_000, None);
        assert_eq!(write(&mut files, "a\n").await, Reply::Written);
        let path = root.path().join("production/acme/audit.log");
        fs::rename(&path, path.with_extension("moved")).unwrap();
        assert_eq!(write(&mut files, "b\n").await, Reply::Written);
        assert_eq!(
            (read(root.path(), "audit.moved"), read(root.path(), "audit.log")),
            ("a\n".into(), "b\n".into())
        );
    }

    #[tokio::test]
    async fn two_destinations_do_not_write_one_file() {
        let root = tempfile::tempdir().unwrap();
        let mut first = files(root.path(), "acme", "audit.log", 1_000, None);
        assert_eq!(write(&mut first, "a\n").await, Reply::Written);
        let mut second = files(root.path(), "acme", "audit.log", 1_000, None);
        assert_eq!(failure(write(&mut second, "b\n").await), (Cause::Configuration, None));
        let mut other = files(root.path(), "globex", "audit.log", 1_000, None);
        assert_eq!(write(&mut other, "c\n").await, Reply::Written);
    }

    #[tokio::test]
    async fn hostile_tenants_and_names_stay_inside() {
        let root = tempfile::tempdir().unwrap();
        let mut files = files(root.path(), "../../etc", "..%2f..", 1_000, None);
        assert_eq!(write(&mut files, "a\n").await, Reply::Written);
        let path = root.path().join("production/%2E%2E%2F%2E%2E%2Fetc/..%252f..");
        assert_eq!(fs::read_to_string(path).unwrap(), "a\n");
    }

    #[tokio::test]
    async fn without_a_root_the_destination_pauses() {
        let environment = EnvironmentId::restored("production");
        let place = Place::new(None, &environment, &TenantId::restored("acme"), "audit.log");
        assert_eq!(
            failure(write(&mut Files::new(place, 1_000, None), "a\n").await),
            (Cause::Configuration, None)
        );
    }

    #[tokio::test]
    async fn a_root_that_cannot_be_written_is_tried_again() {
        let root = tempfile::tempdir().unwrap();
        let blocked = root.path().join("file");
        fs::write(&blocked, "").unwrap();
        let mut files = files(&blocked, "acme", "audit.log", 1_000, None);
        assert_eq!(failure(write(&mut files, "a\n").await), (Cause::Storage, None));
    }
}

mod output {
    use super::*;

    async fn lines(transport: &mut Lines, text: &'static str) -> Reply {
        transport.carry(Request::Lines(Bytes::from_static(text.as_bytes()))).await
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_written_and_flushed() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut transport = Lines::new(Arc::new(LineWriter::new(near)));
        assert_eq!(lines(&mut transport, "a\nb\n").await, Reply::Written);
        let mut read = [0; 4];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"a\nb\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_blocked_output_times_out_and_never_tears_a_line() {
        let (near, mut far) = tokio::io::duplex(4);
        let output = Arc::new(LineWriter::new(near));
        let mut transport = Lines::new(output);
        assert_eq!(failure(lines(&mut transport, "first line\n").await), (Cause::Timeout, None));
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            String::from_utf8(all).unwrap()
        });
        assert_eq!(lines(&mut transport, "second\n").await, Reply::Written);
        drop(transport);
        assert_eq!(reader.await.unwrap(), "first line\nsecond\n");
    }
}

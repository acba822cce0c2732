//! The operator's egress proxy: every TCP connection goes through it, after the guard's own check.
//!
//! The proxy is asked (HTTP CONNECT, RFC 9110, 9.3.6) for the very address that was checked, never for a name, so
//! that nothing is looked up between check and connection. TLS to the receiver runs inside.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use zeroize::Zeroizing;

use super::Host;
use crate::{health::Cause, secret::Secret, verdict::Failure};

/// Longest head of the proxy's answer.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// An HTTP proxy through which every connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address of the proxy; the operator's own, so no rule of addresses holds for it.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// `user:password`, when it asks for one.
    pub login: Option<Secret>,
}

impl Proxy {
    /// Opens a connection through the proxy to one of the addresses, which were checked.
    pub(super) async fn connect(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
        let mut last = Failure::new(Cause::Connect, "the name has no address");
        for address in addresses {
            match self.connect_to(*address).await {
                Ok(stream) => return Ok(stream),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    async fn connect_to(&self, address: SocketAddr) -> Result<TcpStream, Failure> {
        let failed =
            |what: String| Failure::new(Cause::Connect, format!("the egress proxy {what}"));
        let io = |error: std::io::Error| failed(format!("cannot be used: {error}"));
        let mut stream = match &self.host {
            Host::Address(ip) => TcpStream::connect((*ip, self.port)).await,
            Host::Name(name) => TcpStream::connect((name.as_str(), self.port)).await,
        }
        .map_err(io)?;
        let login = self.login.as_ref().map(|login| {
            let login = Zeroizing::new(STANDARD.encode(login.danger_reveal()));
            format!("Proxy-Authorization: Basic {}\r\n", login.as_str())
        });
        let login = Zeroizing::new(login.unwrap_or_default());
        let head = Zeroizing::new(format!(
            "CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n{}\r\n",
            login.as_str()
        ));
        stream.write_all(head.as_bytes()).await.map_err(io)?;
        match read_status(&mut stream).await.map_err(io)? {
            Some(status) if (200..300).contains(&status) => Ok(stream),
            Some(status) => Err(failed(format!("answered {status} to a connection to {address}"))),
            None => Err(failed("does not speak HTTP".to_owned())),
        }
    }
}

/// Reads the answer's head and not one byte more: what follows is the receiver's.
async fn read_status(stream: &mut TcpStream) -> std::io::Result<Option<u16>> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES_MAX {
            return Ok(None);
        }
        head.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&head).ok().and_then(|head| head.lines().next());
    let mut words = line.unwrap_or_default().split(' ');
    let version = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    Ok(words.next().and_then(|status| status.parse().ok()).filter(|_| version))
}

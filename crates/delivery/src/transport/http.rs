//! One HTTP request at a time over a connection that the guard opened.
//!
//! Redirects are not followed, proxies are not asked, and nothing but status, `Retry-After` and the beginning of the
//! body is looked at. A body without end is cut: it cannot hold the destination's task, nor fill memory.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};
use url::Url;

use super::{CONNECTION_MAX, EXCHANGE_MAX, READ_MAX, Transport, too_slow, wrong_kind};
use crate::{
    attempt,
    destination::Request,
    guard::{Guard, Owner, Target},
    health::Cause,
    tls::{self, Identity},
    verdict::{Failure, Reply, Response},
};

/// How long the head of a response may take after the request was sent.
const HEAD_MAX: Duration = Duration::from_secs(15);
/// How long is waited for the body once the status is known: it only serves to explain.
const BODY_MAX: Duration = Duration::from_secs(5);

/// The HTTP transport.
pub(crate) struct Http {
    guard: Guard,
    owner: Owner,
    target: Target,
    ca: Option<String>,
    identity: Option<Identity>,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    opened: Instant,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Transport for Http {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Http { url, headers, body } = request else { return wrong_kind() };
            let parts = Parts { method: Method::POST, url, headers, body, reply_max: READ_MAX };
            match self.send(&parts).await {
                Ok(response) => Reply::Http(response),
                Err(failure) => Reply::Failed(failure),
            }
        })
    }
}

/// One request as it goes onto the wire, and how much of the answer is wanted.
pub(crate) struct Parts {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) reply_max: usize,
}

impl Http {
    pub(crate) fn new(guard: Guard, owner: Owner, target: Target, ca: Option<String>) -> Self {
        Self { guard, owner, target, ca, identity: None, tls: None, connection: None }
    }

    /// Shows a certificate to receivers that ask for one.
    pub(crate) fn with_identity(self, identity: Option<Identity>) -> Self {
        Self { identity, ..self }
    }

    /// Sends one request and returns what came back within the deadline.
    pub(super) async fn send(&mut self, parts: &Parts) -> Result<Response, Failure> {
        self.call(parts).await.map(|(response, _)| response)
    }

    /// As [`Self::send`], with the headers of the answer.
    pub(crate) async fn call(&mut self, parts: &Parts) -> Result<(Response, HeaderMap), Failure> {
        let sent = timeout(EXCHANGE_MAX, self.exchange(parts)).await;
        let sent = sent.unwrap_or_else(|_| Err(too_slow("the exchange")));
        if sent.is_err() {
            self.connection = None;
        }
        sent
    }

    async fn exchange(&mut self, parts: &Parts) -> Result<(Response, HeaderMap), Failure> {
        let mut kept =
            match self.connection.take().filter(|kept| kept.opened.elapsed() < CONNECTION_MAX) {
                Some(mut kept) => kept.sender.ready().await.is_ok().then_some(kept),
                None => None,
            };
        loop {
            let fresh = kept.is_none();
            let mut connection = match kept.take() {
                Some(kept) => kept,
                None => self.connect().await?,
            };
            let sent = connection.sender.try_send_request(request(parts));
            match timeout(HEAD_MAX, sent).await {
                Ok(Ok(response)) => {
                    return Ok(self.read(connection, response, parts.reply_max).await);
                }
                // A kept connection may have been closed under our hands before the request was written.
                Ok(Err(mut unsent)) => {
                    let untouched = unsent.take_message().is_some();
                    if fresh || !untouched {
                        return Err(broken(unsent.error()));
                    }
                }
                Err(_) => return Err(Failure::new(Cause::Timeout, "no answer within 15 s")),
            }
        }
    }

    async fn connect(&mut self) -> Result<Connection, Failure> {
        let stream = self.guard.connect(&self.owner, &self.target).await?;
        if !self.target.encrypted {
            return handshake(TokioIo::new(stream)).await;
        }
        let config = match &self.tls {
            Some(config) => config.clone(),
            None => {
                let config = tls::config_with(self.ca.as_deref(), self.identity.as_ref())?;
                self.tls.insert(config).clone()
            }
        };
        handshake(TokioIo::new(tls::wrap(config, &self.target.host, stream).await?)).await
    }

    /// Reads what is looked at, and keeps the connection only if the body ended within the limits.
    async fn read(
        &mut self,
        connection: Connection,
        response: http::Response<Incoming>,
        reply_max: usize,
    ) -> (Response, HeaderMap) {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = after.map(str::to_owned);
        let mut start = Vec::new();
        let ended = timeout(BODY_MAX, read_body(body, &mut start, reply_max)).await;
        self.connection = ended.is_ok_and(|ended| ended).then_some(connection);
        let excerpt = attempt::excerpt(&start);
        (Response { status, retry_after, excerpt, body: start.into() }, head.headers)
    }
}

/// Reads a body up to the limit. Returns whether it ended.
async fn read_body(mut body: Incoming, start: &mut Vec<u8>, reply_max: usize) -> bool {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Some(data) = frame.data_ref() else { continue };
        let room = reply_max - start.len();
        start.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return false;
        }
    }
    true
}

async fn handshake<I>(io: I) -> Result<Connection, Failure>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(READ_MAX)
        .handshake(io)
        .await
        .map_err(|error| broken(&error))?;
    let driver = tokio::spawn(async move {
        // Errors come back to the request that they belong to.
        let _ = connection.await;
    });
    Ok(Connection { sender, driver, opened: Instant::now() })
}

fn request(parts: &Parts) -> http::Request<Full<Bytes>> {
    let (url, headers) = (&parts.url, &parts.headers);
    let mut request = http::Request::new(Full::new(parts.body.clone()));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = url[url::Position::BeforePath..url::Position::AfterQuery]
        .parse()
        .expect("a parsed URL has an escaped path and query");
    *request.headers_mut() = headers.clone();
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let host = HeaderValue::from_str(host).expect("the host of a parsed URL is ASCII");
    request.headers_mut().insert(header::HOST, host);
    request
}

fn broken(error: &hyper::Error) -> Failure {
    let cause = if error.is_parse() { Cause::Protocol } else { Cause::Broken };
    let mut detail = format!("the exchange failed: {error}");
    if let Some(source) = std::error::Error::source(error) {
        detail.push_str(&format!(": {source}"));
    }
    Failure::new(cause, detail)
}

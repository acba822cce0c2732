//! The accept loop: plain or TLS, HTTP/1.1 and HTTP/2, with limits on everything a client could hold open.
//!
//! A stop drains: no new connections, running requests get their answers, idle connections end, and after
//! `drain_time_max` what is left is cut.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    App,
    cookie::Https,
    pace::{Paced, Requests},
    peers::{Held, Peers},
    routes::tail::Draining,
    settings::{HEADER_BYTES_MAX, HEADERS_MAX},
    tls::Tls,
};

/// Time for a TLS handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Wait after a failed accept: descriptors may be used up, and only time frees them.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 128;
/// Streams that a peer may reset before we answered; more is an attack.
const RESETS_MAX: usize = 64;

/// Serves connections until `shutdown`, then drains.
///
/// # Errors
/// When the listener's own address cannot be read.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    app: App,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let room = Arc::new(Semaphore::new(app.settings().connections_max));
    let peers = Peers::new(app.settings().connections_per_address_max);
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    tracing::info!(%address, tls = tls.is_some(), "listening");
    while let Some((stream, peer, permit)) = next(&listener, &room, &shutdown).await {
        let held = peers.hold(peer.ip());
        if held.is_none() && !app.settings().trusts(peer.ip()) {
            metrics::counter!("attestary_connections_refused_total").increment(1);
            continue;
        }
        let connection = Connection {
            app: app.clone(),
            peer,
            https: Https(tls.is_some()),
            shutdown: shutdown.clone(),
            _permit: permit,
            _held: held,
        };
        let (tls, cut) = (tls.clone(), cut.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection.run(stream, tls) => {}
                () = cut.cancelled() => {}
            }
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(app.settings().drain_time_max, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests still ran at the end of the drain time"
        );
        cut.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// Returns the next connection once there is room for it; `None` after `shutdown`.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accept = async {
        let permit = room.clone().acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, permit),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        accepted = accept => Some(accepted),
        () = shutdown.cancelled() => None,
    }
}

struct Connection {
    app: App,
    peer: SocketAddr,
    https: Https,
    shutdown: CancellationToken,
    _permit: OwnedSemaphorePermit,
    _held: Option<Held>,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<Tls>) {
        metrics::gauge!("attestary_connections").increment(1);
        // Small replies must not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.plain(stream).await,
            Some(tls) => self.handshake(stream, &tls).await,
        }
        metrics::gauge!("attestary_connections").decrement(1);
    }

    /// Some clients, those of gRPC above all, begin HTTP/2 without asking; its preface begins with `PRI`, which no method
    /// of HTTP/1.1 does.
    async fn plain(&self, stream: TcpStream) {
        let mut start = [0; 3];
        let first = tokio::select! {
            first = tokio::time::timeout(self.app.settings().idle_time_max, stream.peek(&mut start)) => first,
            () = self.shutdown.cancelled() => return,
        };
        match first {
            Ok(Ok(3)) if start == *b"PRI" => self.http2(stream).await,
            Ok(Ok(_)) => self.http1(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
            Err(_) => tracing::debug!("a connection was idle for too long"),
        }
    }

    async fn handshake(&self, stream: TcpStream, tls: &Tls) {
        let accept = tokio::time::timeout(HANDSHAKE_TIME_MAX, tls.acceptor().accept(stream));
        match accept.await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.http2(stream).await;
            }
            Ok(Ok(stream)) => self.http1(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn http1(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let requests = Requests::default();
        let settings = self.app.settings();
        let io = TokioIo::new(Paced::new(stream, requests.clone(), settings.header_time_max));
        let service = service_fn(move |request: http::Request<Incoming>| {
            let running = requests.begin();
            async {
                let answer = self.answer(request).await;
                drop(running);
                answer
            }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // hyper's timer also runs while a connection is idle; [`Paced`] has the shorter one for slow headers.
            .header_read_timeout(settings.idle_time_max)
            .max_headers(HEADERS_MAX)
            .max_header_size(HEADER_BYTES_MAX);
        let connection = builder.serve_connection(io, service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        note_end(ended);
    }

    async fn http2(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let settings = self.app.settings();
        let connection = self.clone_for_streams();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let connection = connection.clone();
            async move { connection.answer(request).await }
        });
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.idle_time_max / 2)
            .keep_alive_timeout(settings.idle_time_max / 2)
            .max_concurrent_streams(STREAMS_MAX)
            .max_pending_accept_reset_streams(RESETS_MAX)
            .max_header_list_size(HEADER_BYTES_MAX as u32);
        let served = builder.serve_connection(TokioIo::new(stream), service);
        let mut served = std::pin::pin!(served);
        let ended = tokio::select! {
            ended = &mut served => ended,
            () = self.shutdown.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        note_end(ended);
    }

    fn clone_for_streams(&self) -> Arc<Stream> {
        let (app, shutdown) = (self.app.clone(), self.shutdown.clone());
        Arc::new(Stream { app, peer: self.peer, https: self.https, shutdown })
    }

    async fn answer(
        &self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Body>, std::convert::Infallible> {
        Ok(answer(&self.app, request, self.peer, self.https, &self.shutdown).await)
    }
}

/// What a stream of an HTTP/2 connection needs.
struct Stream {
    app: App,
    peer: SocketAddr,
    https: Https,
    shutdown: CancellationToken,
}

impl Stream {
    async fn answer(
        &self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Body>, std::convert::Infallible> {
        Ok(answer(&self.app, request, self.peer, self.https, &self.shutdown).await)
    }
}

/// Answers a request; replies without an end learn from it when to end.
async fn answer(
    app: &App,
    mut request: http::Request<Incoming>,
    peer: SocketAddr,
    https: Https,
    shutdown: &CancellationToken,
) -> http::Response<Body> {
    request.extensions_mut().insert(https);
    request.extensions_mut().insert(Draining(shutdown.clone()));
    app.handle(request.map(Body::new), peer).await
}

/// A connection that breaks is the network's business, not an incident.
fn note_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

//! Connections: accepted up to a number, read message by message, closed when idle.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use attestary_service::{Frame, Frames, Refused, SyslogReader};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

use super::intake::{BYTES_MAX, Listener, MESSAGES_MAX, Patience};
use crate::{Tls, peers::Peers};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// Time for a TLS handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Wait after a failed accept: descriptors may be used up, and only time frees them.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the listener stops.
pub(super) async fn run(
    socket: TcpListener,
    tls: Option<Tls>,
    listener: Arc<Listener>,
    connections: TaskTracker,
) {
    let room = Arc::new(Semaphore::new(listener.settings.connections_max));
    let peers = Peers::new(listener.settings.connections_per_address_max);
    tracing::info!(address = %listener.listener.address, tls = tls.is_some(), "listening for syslog");
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (socket.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            next = next => next,
            () = listener.shutdown.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a syslog connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(sender) = listener.listener.sender(peer.ip()) else {
            listener.refuse(peer.ip(), &stranger());
            continue;
        };
        let Some(held) = peers.hold(peer.ip()) else {
            listener
                .refuse(peer.ip(), &refused("connections", "the sender has too many connections"));
            continue;
        };
        let (listener, tls) = (Arc::clone(&listener), tls.clone());
        connections.spawn(async move {
            Connection { listener, peer, sender }.run(stream, tls).await;
            drop((held, permit));
        });
    }
}

/// The refusal of a sender that no route is for.
pub(super) fn stranger() -> Refused {
    refused("sender", "nothing is taken from this address")
}

pub(super) fn refused(reason: &'static str, detail: &str) -> Refused {
    Refused { reason, detail: detail.to_owned() }
}

struct Connection {
    listener: Arc<Listener>,
    peer: SocketAddr,
    sender: usize,
}

impl Connection {
    async fn run(&self, stream: TcpStream, tls: Option<Tls>) {
        let Some(tls) = tls else { return self.messages(stream).await };
        match timeout(HANDSHAKE_TIME_MAX, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.messages(stream).await,
            Ok(Err(error)) => {
                let detail = format!("the TLS handshake failed: {error}");
                self.listener.refuse(self.peer.ip(), &refused("handshake", &detail));
            }
            Err(_) => {
                let late = refused("handshake", "the TLS handshake took too long");
                self.listener.refuse(self.peer.ip(), &late);
            }
        }
    }

    /// Reads until the end. Nothing is read while messages wait to become durable.
    async fn messages(&self, mut stream: impl AsyncRead + Unpin) {
        let mut frames = Frames::new(self.listener.settings.message_bytes_max);
        let mut reader = SyslogReader::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match self.read(&mut stream, &mut buffer).await {
                None => return,
                Some(0) => break,
                Some(read) => frames.push(&buffer[..read]),
            }
            while let Some(batch) = self.batch(|| frames.next()) {
                if !self.take(&mut reader, batch).await {
                    return;
                }
            }
        }
        if let Some(batch) = self.batch(|| frames.finish()) {
            self.take(&mut reader, batch).await;
        }
    }

    /// Returns how many bytes came; `None` when the connection is to be closed.
    async fn read(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        buffer: &mut [u8],
    ) -> Option<usize> {
        let idle = self.listener.settings.idle_time_max;
        let read = tokio::select! {
            read = timeout(idle, stream.read(buffer)) => read,
            () = self.listener.shutdown.cancelled() => return None,
        };
        match read {
            Ok(Ok(read)) => Some(read),
            // A TLS sender that goes without saying so still ends the stream.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Some(0),
            Ok(Err(error)) => {
                tracing::debug!(%error, sender = %self.peer, "a syslog connection broke");
                Some(0)
            }
            Err(_) => {
                tracing::debug!(sender = %self.peer, "a syslog connection was idle for too long");
                None
            }
        }
    }

    /// Collects what is there; `None` when there is nothing more.
    fn batch(&self, mut next: impl FnMut() -> Option<Frame>) -> Option<Vec<Vec<u8>>> {
        let (mut batch, mut bytes, mut seen) = (Vec::new(), 0, false);
        while batch.len() < MESSAGES_MAX && bytes < BYTES_MAX {
            let Some(frame) = next() else { break };
            seen = true;
            match frame {
                Frame::Message(message) => {
                    bytes += message.len();
                    batch.push(message);
                }
                Frame::TooLong => {
                    let limit = self.listener.settings.message_bytes_max;
                    let detail = format!("a message has at most {limit} bytes");
                    self.listener.refuse(self.peer.ip(), &refused("too-long", &detail));
                }
                Frame::CutShort => {
                    let cut = refused("cut-short", "the connection ended inside a message");
                    self.listener.refuse(self.peer.ip(), &cut);
                }
            }
        }
        seen.then_some(batch)
    }

    async fn take(&self, reader: &mut SyslogReader, batch: Vec<Vec<u8>>) -> bool {
        if batch.is_empty() {
            return true;
        }
        let from = self.peer.ip();
        self.listener.take(self.sender, from, reader, batch, Patience::Endless).await
    }
}

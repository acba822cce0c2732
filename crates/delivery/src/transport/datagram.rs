//! Syslog over UDP: one datagram an event, sent and forgotten.

use futures::future::BoxFuture;
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout},
};

use super::{CONNECTION_MAX, EXCHANGE_MAX, Transport, too_slow, wrong_kind};
use crate::{
    destination::Request,
    guard::{Guard, Owner, Target},
    health::Cause,
    verdict::{Failure, Reply},
};

/// The UDP transport.
pub(crate) struct Datagrams {
    guard: Guard,
    owner: Owner,
    target: Target,
    socket: Option<(UdpSocket, Instant)>,
}

impl Transport for Datagrams {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Datagrams(datagrams) = request else { return wrong_kind() };
            let failure = match timeout(EXCHANGE_MAX, self.send(&datagrams)).await {
                Ok(Ok(())) => return Reply::Written,
                Ok(Err(failure)) => failure,
                Err(_) => too_slow("sending"),
            };
            self.socket = None;
            Reply::Failed(failure)
        })
    }
}

impl Datagrams {
    pub(crate) fn new(guard: Guard, owner: Owner, target: Target) -> Self {
        Self { guard, owner, target, socket: None }
    }

    async fn send(&mut self, datagrams: &[bytes::Bytes]) -> Result<(), Failure> {
        let fresh = self.socket.take().filter(|(_, opened)| opened.elapsed() < CONNECTION_MAX);
        let (socket, opened) = match fresh {
            Some(kept) => kept,
            None => (self.guard.connect_udp(&self.owner, &self.target).await?, Instant::now()),
        };
        for datagram in datagrams {
            // A port that nobody listens on answers earlier datagrams with an error here.
            let sent = socket.send(datagram).await;
            sent.map_err(|error| Failure::new(Cause::Connect, format!("cannot send: {error}")))?;
        }
        self.socket = Some((socket, opened));
        Ok(())
    }
}

//! Datagrams: read as many as are there, made durable together, sender by sender.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use attestary_service::SyslogReader;
use tokio::{net::UdpSocket, time::Instant};

use super::{
    intake::{BYTES_MAX, Listener, MESSAGES_MAX, Patience},
    stream::{refused, stranger},
};

/// The largest datagram that IPv4 and IPv6 carry.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// How long messages of one sender may keep the others from being read.
const PATIENCE: Duration = Duration::from_secs(5);
/// Senders whose Form.io lines are told apart; with more, all are forgotten.
const READERS_MAX: usize = 1_024;

/// Messages of one sender, in order.
type Batch = HashMap<(usize, IpAddr), Vec<Vec<u8>>>;

/// Takes messages until the listener stops.
pub(super) async fn run(socket: UdpSocket, listener: Arc<Listener>) {
    tracing::info!(address = %listener.listener.address, "listening for syslog over UDP");
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut readers: HashMap<(usize, IpAddr), SyslogReader> = HashMap::new();
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = listener.shutdown.cancelled() => return,
        };
        let (mut batch, mut count, mut bytes) = (Batch::new(), 0, 0);
        let mut received = received;
        // Errors are those of single datagrams, such as an unreachable port.
        while let Ok((length, peer)) = received {
            put(&listener, &buffer[..length], peer, &mut batch);
            (count, bytes) = (count + 1, bytes + length);
            if count >= MESSAGES_MAX || bytes >= BYTES_MAX {
                break;
            }
            received = socket.try_recv_from(&mut buffer);
        }
        if readers.len() > READERS_MAX {
            readers.clear();
        }
        for ((sender, from), messages) in batch {
            let reader = readers.entry((sender, from)).or_default();
            let patience = Patience::Until(Instant::now() + PATIENCE);
            listener.take(sender, from, reader, messages, patience).await;
        }
    }
}

/// Sorts a datagram in, or refuses it.
fn put(listener: &Listener, message: &[u8], peer: SocketAddr, batch: &mut Batch) {
    let from = peer.ip();
    let limit = listener.settings.message_bytes_max;
    let Some(sender) = listener.listener.sender(from) else {
        return listener.refuse(from, &stranger());
    };
    if message.len() > limit {
        let detail = format!("a message has at most {limit} bytes");
        return listener.refuse(from, &refused("too-long", &detail));
    }
    let end = message.iter().rposition(|byte| !matches!(byte, 0 | b'\r' | b'\n'));
    let message = &message[..end.map_or(0, |end| end + 1)];
    if !message.is_empty() {
        batch.entry((sender, from)).or_default().push(message.to_vec());
    }
}

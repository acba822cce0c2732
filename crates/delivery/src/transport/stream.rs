//! Syslog over TCP or TLS: bytes out, and an eye on the other side closing.
//!
//! There is no acknowledgement. Written bytes may still stand in buffers when the connection breaks, so a break gives
//! back the seq of the oldest event written within the last seconds, and the engine sends from there again. An event
//! is given back once only: a receiver that closes after every batch does not get the same one for ever.

use std::{
    collections::VecDeque, future::poll_fn, io, pin::Pin, sync::Arc, task::Poll, time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use rustls::ClientConfig;
use tokio::{
    io::{
        AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf,
    },
    time::{Instant, timeout},
};

use super::{CONNECTION_MAX, EXCHANGE_MAX, READ_MAX, Transport, too_slow, wrong_kind};
use crate::{
    destination::Request,
    guard::{Guard, Owner, Target},
    health::Cause,
    tls,
    verdict::{Failure, Reply},
};

/// What was written this long before a break may not have arrived.
pub(crate) const DOUBT: Duration = Duration::from_secs(5);

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

struct Connection {
    reader: ReadHalf<Box<dyn Io>>,
    writer: WriteHalf<Box<dyn Io>>,
    opened: Instant,
    read: usize,
}

/// The stream transport.
pub(crate) struct Stream {
    guard: Guard,
    owner: Owner,
    target: Target,
    ca: Option<String>,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
    doubtful: Doubtful,
}

impl Transport for Stream {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Stream { bytes, range } = request else { return wrong_kind() };
            let begun = Instant::now();
            let failure = match timeout(EXCHANGE_MAX, self.send(&bytes, range)).await {
                Ok(Ok(())) => return Reply::Written,
                Ok(Err(failure)) => failure,
                Err(_) => too_slow("writing to a receiver that does not read"),
            };
            self.connection = None;
            // A receiver that stalled did so when this write began, not when it was given up.
            Reply::Failed(Failure { resend_from: self.doubtful.give_back(begun), ..failure })
        })
    }

    fn broken(&mut self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(async move {
            let Some(connection) = &mut self.connection else {
                return std::future::pending().await;
            };
            let _ = connection.wait_for_close().await;
            self.connection = None;
            self.doubtful.give_back(Instant::now())
        })
    }
}

impl Stream {
    pub(crate) fn new(guard: Guard, owner: Owner, target: Target, ca: Option<String>) -> Self {
        let doubtful = Doubtful::default();
        Self { guard, owner, target, ca, tls: None, connection: None, doubtful }
    }

    async fn send(&mut self, bytes: &Bytes, range: Option<(u64, u64)>) -> Result<(), Failure> {
        if let Some(connection) = &mut self.connection {
            connection.look().await.map_err(|error| broken(&error))?;
        }
        if self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.opened.elapsed() >= CONNECTION_MAX)
        {
            self.hang_up().await;
        }
        if self.connection.is_none() {
            self.connection = Some(self.connect().await?);
        }
        let connection = self.connection.as_mut().expect("it was just opened");
        if let Some(range) = range {
            self.doubtful.written(Instant::now(), range);
        }
        connection.write(bytes).await.map_err(|error| broken(&error))
    }

    async fn connect(&mut self) -> Result<Connection, Failure> {
        let stream = self.guard.connect(&self.owner, &self.target).await?;
        let io: Box<dyn Io> = if self.target.encrypted {
            let config = match &self.tls {
                Some(config) => config.clone(),
                None => self.tls.insert(tls::config(self.ca.as_deref())?).clone(),
            };
            Box::new(tls::wrap(config, &self.target.host, stream).await?)
        } else {
            Box::new(stream)
        };
        let (reader, writer) = tokio::io::split(io);
        Ok(Connection { reader, writer, opened: Instant::now(), read: 0 })
    }

    /// Closes in order: what was written is still delivered by the system.
    async fn hang_up(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            let _ = timeout(Duration::from_secs(1), connection.writer.shutdown()).await;
        }
    }
}

impl Connection {
    /// Writes everything while watching for the other side to close.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { reader, writer, read, .. } = self;
        let write = async {
            writer.write_all(bytes).await?;
            writer.flush().await
        };
        tokio::select! {
            biased;
            written = write => written,
            closed = drain(reader, read) => closed,
        }
    }

    /// Looks whether the other side has closed, without waiting.
    async fn look(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            let polled =
                poll_fn(|cx| match Pin::new(&mut self.reader).poll_read(cx, &mut buffer) {
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending => Poll::Ready(None),
                });
            match polled.await {
                None => return Ok(()),
                Some(result) => result?,
            }
            count(buffer.filled().len(), &mut self.read)?;
        }
    }

    async fn wait_for_close(&mut self) -> io::Result<()> {
        drain(&mut self.reader, &mut self.read).await
    }
}

/// Reads and forgets what a receiver says; ends, with an error, when it closes or says too much.
async fn drain(reader: &mut (impl AsyncRead + Unpin), read: &mut usize) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        count(reader.read(&mut buffer).await?, read)?;
    }
}

fn count(bytes: usize, read: &mut usize) -> io::Result<()> {
    *read += bytes;
    if bytes == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the receiver closed the connection",
        ));
    }
    if *read > READ_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the receiver sent more than 64 KiB",
        ));
    }
    Ok(())
}

fn broken(error: &io::Error) -> Failure {
    let is_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some();
    if is_tls {
        tls::failure(error)
    } else {
        Failure::new(Cause::Broken, format!("the connection broke: {error}"))
    }
}

/// Which events were written so recently that a break may have lost them.
#[derive(Debug, Default)]
struct Doubtful {
    written: VecDeque<(Instant, u64, u64)>,
    given_back: Option<u64>,
}

impl Doubtful {
    fn written(&mut self, now: Instant, (first_seq, last_seq): (u64, u64)) {
        self.forget(now);
        self.written.push_back((now, first_seq, last_seq));
    }

    /// Returns the seq from which events may be lost and were not given back before.
    fn give_back(&mut self, now: Instant) -> Option<u64> {
        self.forget(now);
        let unseen = self.given_back.map_or(0, |seq| seq + 1);
        let from = self
            .written
            .iter()
            .filter(|(_, _, last)| *last >= unseen)
            .map(|(_, first, _)| (*first).max(unseen));
        let from = from.min();
        let last = self.written.drain(..).map(|(_, _, last)| last).max();
        self.given_back = self.given_back.max(last);
        from
    }

    fn forget(&mut self, now: Instant) {
        while self.written.front().is_some_and(|(at, _, _)| now.duration_since(*at) > DOUBT) {
            self.written.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_gives_back_the_last_seconds_once() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut doubtful = Doubtful::default();
        assert_eq!(doubtful.give_back(at(0)), None);
        doubtful.written(at(0), (0, 9));
        doubtful.written(at(4), (10, 19));
        doubtful.written(at(6), (20, 29));
        // 0–9 were written 7 s ago: they arrived.
        assert_eq!(doubtful.give_back(at(7)), Some(10));
        // The same events again, with newer ones behind: only the newer ones are in doubt.
        doubtful.written(at(8), (10, 31));
        assert_eq!(doubtful.give_back(at(9)), Some(30));
        doubtful.written(at(9), (30, 31));
        assert_eq!(doubtful.give_back(at(9)), None);
        doubtful.written(at(20), (32, 32));
        assert_eq!(doubtful.give_back(at(26)), None);
    }
}

//! A connection that notices headers that come too slowly.
//!
//! hyper has one timer for both an idle connection and a slow header; they need different times here. This wrapper
//! sits under hyper: once bytes have come that no request was made of yet, the rest must follow in time, else
//! reading fails and the connection ends. On the usual path, where a request comes in one piece, no timer is made.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Told by the server when a request begins, its headers complete, and when it was answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicUsize,
    answered: AtomicUsize,
}

/// A request that runs: until this is dropped, what comes is its body.
pub(crate) struct Running(Arc<Counts>);

impl Requests {
    /// The headers of a request are complete.
    pub(crate) fn begin(&self) -> Running {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(&self.0))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// The wrapped connection.
pub(crate) struct Paced<S> {
    stream: S,
    requests: Requests,
    time_max: Duration,
    /// Requests that had begun when bytes were last looked at.
    begun: usize,
    /// Bytes have come that no request was made of.
    incomplete: bool,
    /// Runs while a header is incomplete.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, requests: Requests, time_max: Duration) -> Self {
        Self { stream, requests, time_max, begun: 0, incomplete: false, timer: None }
    }

    /// Notes whether what came before has become a request. Returns true while one runs.
    fn catch_up(&mut self) -> bool {
        let begun = self.requests.0.begun.load(Ordering::Relaxed);
        if begun != self.begun {
            self.begun = begun;
            self.incomplete = false;
            self.timer = None;
        }
        begun != self.requests.0.answered.load(Ordering::Relaxed)
    }

    /// Fails when the header that is coming has taken too long.
    fn check_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.incomplete {
            return Ok(());
        }
        let deadline = Instant::now() + self.time_max;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the headers came too slowly"))
            }
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let running = self.catch_up();
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                result?;
                // While a request runs these bytes are its body, or the next header sent ahead: hyper's timer has that.
                self.incomplete |= !running && buffer.filled().len() > before;
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                self.check_time(cx)?;
                Poll::Pending
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

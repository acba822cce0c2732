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
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Told by the server when a request begins: its headers are complete.
#[derive(Debug, Clone, Default)]
pub(crate) struct Begun(Arc<AtomicBool>);

impl Begun {
    /// The headers are complete.
    pub(crate) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The wrapped connection.
pub(crate) struct Paced<S> {
    stream: S,
    begun: Begun,
    time_max: Duration,
    /// Set while a header is incomplete.
    timer: Option<Pin<Box<Sleep>>>,
    incomplete: bool,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, begun: Begun, time_max: Duration) -> Self {
        Self { stream, begun, time_max, timer: None, incomplete: false }
    }

    /// Fails when the header that is coming has taken too long.
    fn check_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.begun.0.swap(false, Ordering::Relaxed) {
            self.incomplete = false;
            self.timer = None;
        }
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
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                result?;
                // A request that began used up what came before; these bytes may begin the next one.
                self.begun.0.store(false, Ordering::Relaxed);
                self.incomplete |= buffer.filled().len() > before;
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

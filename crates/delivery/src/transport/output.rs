//! Standard output, or whatever the service hands over in its place.

use std::{io, sync::Arc};

use bytes::{Buf as _, Bytes};
use futures::future::BoxFuture;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    sync::Mutex,
    time::timeout,
};

use super::{EXCHANGE_MAX, Transport, too_slow, wrong_kind};
use crate::{
    destination::Request,
    health::Cause,
    ports::Output,
    verdict::{Failure, Reply},
};

/// An [`Output`] over any writer. Lines never tear: what a dropped write left is finished before the next one.
#[derive(Debug)]
pub struct LineWriter<W> {
    inner: Mutex<(W, Bytes)>,
}

impl<W> LineWriter<W> {
    /// Returns an output that writes to `writer`.
    pub fn new(writer: W) -> Self {
        Self { inner: Mutex::new((writer, Bytes::new())) }
    }
}

impl<W: AsyncWrite + Unpin + Send + 'static> Output for LineWriter<W> {
    fn write_lines(&self, lines: Bytes) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let mut inner = self.inner.lock().await;
            let (writer, rest) = &mut *inner;
            drain(writer, rest).await?;
            *rest = lines;
            drain(writer, rest).await?;
            writer.flush().await
        })
    }
}

async fn drain(writer: &mut (impl AsyncWrite + Unpin), rest: &mut Bytes) -> io::Result<()> {
    while !rest.is_empty() {
        let written = writer.write(rest).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest.advance(written);
    }
    Ok(())
}

/// The transport of `stdout` destinations.
pub(crate) struct Lines {
    output: Arc<dyn Output>,
}

impl Lines {
    pub(crate) fn new(output: Arc<dyn Output>) -> Self {
        Self { output }
    }
}

impl Transport for Lines {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Lines(lines) = request else { return wrong_kind() };
            match timeout(EXCHANGE_MAX, self.output.write_lines(lines)).await {
                Ok(Ok(())) => Reply::Written,
                Ok(Err(error)) => {
                    Reply::Failed(Failure::new(Cause::Storage, format!("cannot write: {error}")))
                }
                Err(_) => Reply::Failed(too_slow("writing")),
            }
        })
    }
}

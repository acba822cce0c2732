//! The built-in receiver of `attestary dev`: a syslog listener on loopback that shows what a SIEM would get.
//!
//! It takes octet-counted and LF-terminated frames over TCP, prints each and appends it to a file that is kept
//! below a fixed size. It is a display, not a store: what it drops, the log still has.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;

use crate::{output, table};

/// Longest frame; a longer one ends the connection, since nothing after it could be trusted.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Size at which the file becomes `receiver.log.1` and a new one is begun: two of them stay below 33 MB.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Connections served at the same time; the demo destination holds one.
const CONNECTIONS_MAX: usize = 8;

/// Where received frames go.
pub(crate) struct Sink {
    path: PathBuf,
    print: bool,
    file: Mutex<(File, u64)>,
}

impl Sink {
    /// The file's name inside the data directory.
    pub(crate) const FILE: &str = "receiver.log";

    /// Opens the file in `data_dir`; frames are also printed when `print` is set.
    pub(crate) fn open(data_dir: &Path, print: bool) -> io::Result<Self> {
        let path = data_dir.join(Self::FILE);
        let file = Mutex::new(open_file(&path)?);
        Ok(Self { path, print, file })
    }

    /// Takes one frame.
    fn take(&self, frame: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(frame);
        if self.print {
            output::line(format!("receiver | {}", table::escaped(&text)));
        }
        let mut line = text.replace('\n', "\\n").into_bytes();
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.1 + line.len() as u64 > FILE_BYTES_MAX {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
            *file = open_file(&self.path)?;
        }
        file.1 += line.len() as u64;
        file.0.write_all(&line)
    }
}

fn open_file(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// A listener that has its port but takes no connection yet.
pub(crate) struct Receiver(TcpListener);

impl Receiver {
    /// Takes a free port on loopback.
    pub(crate) async fn bind() -> io::Result<Self> {
        Ok(Self(TcpListener::bind(("127.0.0.1", 0)).await?))
    }

    /// Returns the address that destinations send to.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Receives until `shutdown`.
    pub(crate) async fn run(self, sink: Arc<Sink>, shutdown: CancellationToken) {
        let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                accepted = self.0.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            let (Ok((stream, _)), Ok(permit)) = (accepted, Arc::clone(&room).acquire_owned().await)
            else {
                continue;
            };
            let (sink, shutdown) = (Arc::clone(&sink), shutdown.clone());
            tokio::spawn(async move {
                let _permit = permit;
                let received = tokio::select! {
                    received = receive(BufReader::new(stream), &sink) => received,
                    () = shutdown.cancelled() => Ok(()),
                };
                if let Err(error) = received {
                    tracing::warn!(%error, "the built-in receiver dropped a connection");
                }
            });
        }
    }
}

/// Reads frames to the end of the connection.
async fn receive(mut input: BufReader<impl AsyncRead + Unpin>, sink: &Sink) -> io::Result<()> {
    while let Some(frame) = next_frame(&mut input).await? {
        sink.take(&frame)?;
    }
    Ok(())
}

/// Returns the next frame: `LENGTH SP MESSAGE` when it begins with a digit, else up to LF (RFC 6587, section 3.4).
async fn next_frame(input: &mut BufReader<impl AsyncRead + Unpin>) -> io::Result<Option<Vec<u8>>> {
    let Some(first) = input.fill_buf().await?.first().copied() else { return Ok(None) };
    if !first.is_ascii_digit() {
        let mut line = until(input, b'\n', FRAME_BYTES_MAX).await?;
        if line.ends_with(b"\n") {
            line.pop();
        }
        return Ok(Some(line));
    }
    let digits = until(input, b' ', 8).await?;
    let length =
        str::from_utf8(&digits).ok().and_then(|text| text.strip_suffix(' ')?.parse::<usize>().ok());
    let Some(length) = length.filter(|length| *length <= FRAME_BYTES_MAX) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame's length is not a number or too large",
        ));
    };
    let mut frame = vec![0; length];
    input.read_exact(&mut frame).await?;
    Ok(Some(frame))
}

/// Reads through `end`, or to the end of input; more than `bytes_max` bytes are an error.
async fn until(
    input: &mut BufReader<impl AsyncRead + Unpin>,
    end: u8,
    bytes_max: usize,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(bytes_max as u64 + 1).read_until(end, &mut bytes).await?;
    if bytes.len() > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is longer than 64 KiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frames(text: &str) -> Result<Vec<String>, String> {
        let mut input = BufReader::with_capacity(7, text.as_bytes());
        let mut found = Vec::new();
        loop {
            match next_frame(&mut input).await {
                Ok(Some(frame)) => found.push(String::from_utf8(frame).unwrap()),
                Ok(None) => return Ok(found),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    async fn check(text: &str, expected: Result<&[&str], &str>) {
        let expected = expected
            .map(|frames| frames.iter().map(|frame| (*frame).to_owned()).collect())
            .map_err(str::to_owned);
        assert_eq!(frames(text).await, expected, "{text}");
    }

    #[tokio::test]
    async fn both_framings_are_read() {
        check("", Ok(&[])).await;
        check("5 ab\ncd6 <1>xyz", Ok(&["ab\ncd", "<1>xyz"])).await;
        check("<1>one\n<2>two\n", Ok(&["<1>one", "<2>two"])).await;
        check("<1>no end", Ok(&["<1>no end"])).await;
        check("0 5 hello", Ok(&["", "hello"])).await;
    }

    #[tokio::test]
    async fn frames_out_of_bounds_end_the_connection() {
        check("99999999 x", Err("a frame is longer than 64 KiB")).await;
        check("70000 x", Err("a frame's length is not a number or too large")).await;
        check("5x hello", Err("a frame's length is not a number or too large")).await;
        check(&format!("<{}", "x".repeat(70_000)), Err("a frame is longer than 64 KiB")).await;
        assert!(frames("9 short").await.is_err());
    }

    #[test]
    fn the_file_is_kept_below_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let sink = Sink::open(dir.path(), false).unwrap();
        let frame = vec![b'x'; 1024 * 1024];
        for _ in 0..40 {
            sink.take(&frame).unwrap();
        }
        let sizes: Vec<u64> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size <= FILE_BYTES_MAX));
    }
}

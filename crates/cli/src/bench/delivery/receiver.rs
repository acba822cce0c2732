//! A receiver of the benchmark: reads each request whole, answers it after a set time, and remembers when ranges came.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// How long is waited for the last event of a phase.
const PATIENCE: Duration = Duration::from_secs(60);

/// One receiver; it stops when this is dropped.
pub(super) struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: AtomicU64,
    ranges: Mutex<Vec<(u64, u64, Instant)>>,
}

/// When stretches of the log arrived first.
pub(super) struct Arrivals(Vec<(u64, u64, Instant)>);

impl Arrivals {
    /// Returns when an event arrived.
    pub(super) fn of(&self, seq: u64) -> Option<Instant> {
        let index = self.0.partition_point(|(first, ..)| *first <= seq).checked_sub(1)?;
        let (first, last, at) = self.0[index];
        (first..=last).contains(&seq).then_some(at)
    }
}

impl Receiver {
    /// Starts a receiver on loopback that answers with a status after a delay.
    pub(super) async fn start(delay: Duration, status: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = shared.clone();
                tokio::spawn(async move {
                    // A connection that ends is no news.
                    let _ = serve(stream, &seen, delay, status).await;
                });
            }
        });
        Ok(Self { address, seen, task })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(super) fn requests(&self) -> u64 {
        self.seen.requests.load(Ordering::Relaxed)
    }

    pub(super) fn forget(&self) {
        self.seen.ranges.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn arrivals(&self) -> Arrivals {
        let mut ranges = self.seen.ranges.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ranges.sort();
        Arrivals(ranges)
    }

    /// Waits until a request came that holds this seq.
    pub(super) async fn wait_for(&self, seq: u64) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.arrivals().of(seq).is_none() {
            ensure!(begun.elapsed() < PATIENCE, "seq {seq} did not arrive");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, seen: &Seen, delay: Duration, status: u16) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(256 * 1024, stream);
    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
    let (mut line, mut body) = (String::new(), vec![0; 1 << 20]);
    loop {
        let (mut length, mut range) = (0, None);
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().map_err(io::Error::other)?;
            } else if name.eq_ignore_ascii_case("webhook-id") {
                let mut parts = value.rsplit('-');
                let last = parts.next().and_then(|text| text.parse::<u64>().ok());
                range = parts.next().and_then(|text| text.parse::<u64>().ok()).zip(last);
            }
        }
        while length > 0 {
            let part = length.min(body.len());
            length -= stream.read_exact(&mut body[..part]).await?;
        }
        let at = Instant::now();
        seen.requests.fetch_add(1, Ordering::Relaxed);
        if let Some((first, last)) = range {
            let mut ranges = seen.ranges.lock().unwrap_or_else(PoisonError::into_inner);
            ranges.push((first, last, at));
        }
        tokio::time::sleep(delay).await;
        stream.get_mut().write_all(answer.as_bytes()).await?;
    }
}

//! Request bodies: read under a size limit and a minimum rate, then decompressed under a size and a ratio limit.
//!
//! Nothing here parses. A body that is refused is still read to its end, up to a bound, so that the client sees the
//! reply and the connection lives on. Memory: the body as sent plus the body decompressed, each at most `bytes_max`.

use std::{
    io::{self, Read as _},
    time::Duration,
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use crate::problem::{
    INVALID_BODY, INVALID_ENCODING, Problem, REQUEST_TIMEOUT, TOO_LARGE, UNSUPPORTED_ENCODING,
};

/// Time before the minimum rate counts.
const RATE_GRACE: Duration = Duration::from_secs(5);
/// Bytes a second that a body must arrive with after the grace.
const RATE_BYTES_MIN: u64 = 1024;
/// Bytes of a refused body that are read and thrown away before the connection is given up: 32 MiB, three
/// times the largest body, so that a client that is a little over the limit still reads the answer.
const DRAIN_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Output below this is never a bomb, whatever its ratio.
const RATIO_FREE_BYTES: usize = 1024 * 1024;
/// Bodies from this size on are worth a worker thread.
pub(crate) const WORKER_BYTES_MIN: usize = 16 * 1024;
/// log2 of the largest zstd window: 8 MiB, what level 19 and below use.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How far a body may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes, as sent and after decompression.
    pub bytes_max: usize,
    /// Decompressed bytes allowed per compressed byte.
    pub ratio_max: usize,
}

/// A content encoding that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// Reads and decompresses a body.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limits: Limits,
) -> Result<Bytes, Problem> {
    let outcome = match encoding(headers) {
        Ok(encoding) => {
            collect(headers, &mut body, limits.bytes_max).await.map(|bytes| (encoding, bytes))
        }
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok((Encoding::Identity, bytes)) => Ok(bytes),
        Ok((encoding, bytes)) => decompressed(encoding, bytes, limits).await,
        Err(problem) => {
            drain(body).await;
            Err(problem)
        }
    }
}

/// Reads what is left of a refused body, up to a bound.
pub(crate) async fn drain(mut body: Body) {
    let mut pace = Pace::new();
    while pace.seen <= DRAIN_BYTES_MAX {
        match tokio::time::timeout_at(pace.deadline(), body.frame()).await {
            Ok(Some(Ok(frame))) => {
                pace.seen += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Ok(Some(Err(_)) | None) | Err(_) => return,
        }
    }
}

/// Reads `Content-Encoding`.
pub(crate) fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Encoding::Identity) };
    match value.to_str().unwrap_or("").trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        "zstd" => Ok(Encoding::Zstd),
        _ => Err(Problem::new(
            &UNSUPPORTED_ENCODING,
            "a body is sent as it is, or compressed with gzip or zstd",
        )),
    }
}

struct Pace {
    started: Instant,
    seen: u64,
}

impl Pace {
    fn new() -> Self {
        Self { started: Instant::now(), seen: 0 }
    }

    /// Returns when the next bytes must have come.
    fn deadline(&self) -> Instant {
        self.started
            + RATE_GRACE
            + Duration::from_millis(self.seen.saturating_mul(1000) / RATE_BYTES_MIN)
    }
}

async fn collect(headers: &HeaderMap, body: &mut Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if let Some(declared) = declared
        && declared > bytes_max as u64
    {
        return Err(too_large(declared, bytes_max));
    }
    let mut pace = Pace::new();
    let mut whole = Bytes::new();
    let mut parts = BytesMut::new();
    loop {
        let frame = match tokio::time::timeout_at(pace.deadline(), body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => {
                return Err(Problem::new(
                    &INVALID_BODY,
                    "the body ended before its announced length",
                ));
            }
            Ok(None) => break,
            Err(_) => return Err(too_slow()),
        };
        let Ok(data) = frame.into_data() else { continue };
        pace.seen += data.len() as u64;
        if pace.seen > bytes_max as u64 {
            return Err(too_large(pace.seen, bytes_max));
        }
        // One frame is the common case: it is handed on without copying.
        if whole.is_empty() && parts.is_empty() {
            whole = data;
            continue;
        }
        if parts.is_empty() {
            let expected = declared.map_or(whole.len() + data.len(), |declared| declared as usize);
            parts.reserve(expected);
            parts.extend_from_slice(&whole);
        }
        parts.extend_from_slice(&data);
    }
    Ok(if parts.is_empty() { whole } else { parts.freeze() })
}

fn too_large(seen: u64, limit: usize) -> Problem {
    Problem::new(
        &TOO_LARGE,
        format!("a body has at most {limit} bytes; this one has {seen} or more"),
    )
}

fn too_slow() -> Problem {
    Problem::new(
        &REQUEST_TIMEOUT,
        format!(
            "after {} s a body must arrive with {RATE_BYTES_MIN} bytes a second",
            RATE_GRACE.as_secs()
        ),
    )
}

/// Decompresses a whole body, a large one on a worker thread.
pub(crate) async fn decompressed(
    encoding: Encoding,
    bytes: Bytes,
    limits: Limits,
) -> Result<Bytes, Problem> {
    if bytes.len() < WORKER_BYTES_MIN / 16 {
        return Ok(decompress(encoding, &bytes, limits)?.into());
    }
    let worker = tokio::task::spawn_blocking(move || decompress(encoding, &bytes, limits));
    Ok(worker.await.expect("decompression does not panic")?.into())
}

/// Decompresses a whole body, stopping at the limits.
pub(crate) fn decompress(
    encoding: Encoding,
    bytes: &[u8],
    limits: Limits,
) -> Result<Vec<u8>, DecompressError> {
    let ratio_bytes = bytes.len().saturating_mul(limits.ratio_max).max(RATIO_FREE_BYTES);
    let allowed = limits.bytes_max.min(ratio_bytes);
    let mut out = Vec::with_capacity(allowed.min(bytes.len().saturating_mul(4)));
    let read = match encoding {
        Encoding::Identity => io::Read::take(bytes, allowed as u64 + 1).read_to_end(&mut out),
        Encoding::Gzip => {
            flate2::read::MultiGzDecoder::new(bytes).take(allowed as u64 + 1).read_to_end(&mut out)
        }
        Encoding::Zstd => zstd_reader(bytes)
            .and_then(|reader| reader.take(allowed as u64 + 1).read_to_end(&mut out)),
    };
    // The limit is looked at first: what a bomb holds behind it does not matter.
    if out.len() > limits.bytes_max {
        return Err(DecompressError::Size { limit: limits.bytes_max });
    }
    if out.len() > allowed {
        return Err(DecompressError::Ratio { limit: limits.ratio_max, compressed: bytes.len() });
    }
    match read {
        Ok(_) => Ok(out),
        Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
            Err(DecompressError::Truncated)
        }
        Err(_) => Err(DecompressError::Damaged),
    }
}

fn zstd_reader(bytes: &[u8]) -> io::Result<zstd::stream::read::Decoder<'static, &[u8]>> {
    let mut reader = zstd::stream::read::Decoder::with_buffer(bytes)?;
    reader.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(reader)
}

/// Why a compressed body was refused.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecompressError {
    /// More bytes than a body may have.
    #[error("decompressed, a body has at most {limit} bytes; this one has more")]
    Size {
        /// Bytes allowed.
        limit: usize,
    },
    /// Too many bytes for the size of the compressed form.
    #[error(
        "a body may grow at most {limit} times when it is decompressed; this one of {compressed} bytes grows further"
    )]
    Ratio {
        /// Times allowed.
        limit: usize,
        /// Bytes as sent.
        compressed: usize,
    },
    /// The stream ends early.
    #[error("the compressed body is cut short")]
    Truncated,
    /// The stream is not of its format, or its checksum is wrong.
    #[error("the compressed body is damaged, or not of the encoding it is said to have")]
    Damaged,
}

impl From<DecompressError> for Problem {
    fn from(error: DecompressError) -> Self {
        let kind = match error {
            DecompressError::Size { .. } | DecompressError::Ratio { .. } => &TOO_LARGE,
            DecompressError::Truncated | DecompressError::Damaged => &INVALID_ENCODING,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests;

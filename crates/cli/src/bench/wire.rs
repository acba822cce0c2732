//! A keep-alive HTTP/1.1 connection for load: it writes prepared request bytes and reads replies with few copies.
//!
//! A general client would spend more processor time on a request than the server under test, on the same cores.
//! This one knows only what our own server sends: a status line, `content-length` or chunked, no redirects.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Longest reply head that is read.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Longest reply body that is read: receipts of 1,000 events take about 220 KiB, a page of 50 events about 50 KiB.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// One keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// A reply: its status and where its body lies in the connection's buffer.
pub(crate) struct Reply<'a> {
    /// HTTP status code.
    pub(crate) status: u16,
    /// The body's bytes.
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects without Nagle's delay.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; HEAD_BYTES_MAX], filled: 0 })
    }

    /// Sends prepared request bytes and reads the reply.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let head_end = self.read_head().await?;
        let head = parse_head(&self.buffer[..head_end])?;
        let body_end = match head.length {
            Some(length) => self.read_to(head_end + length).await?,
            None => self.read_chunks(head_end).await?,
        };
        Ok(Reply { status: head.status, body: &self.buffer[head_end..body_end] })
    }

    async fn read_head(&mut self) -> io::Result<usize> {
        loop {
            self.read_some().await?;
            if let Some(end) = find(&self.buffer[..self.filled], b"\r\n\r\n") {
                return Ok(end + 4);
            }
            if self.filled > HEAD_BYTES_MAX {
                return Err(io::Error::other("the reply's head is too long"));
            }
        }
    }

    async fn read_to(&mut self, end: usize) -> io::Result<usize> {
        while self.filled < end {
            self.read_some().await?;
        }
        Ok(end)
    }

    /// Reads a chunked body and moves its chunks together, so that the body is one slice.
    async fn read_chunks(&mut self, start: usize) -> io::Result<usize> {
        let (mut from, mut to) = (start, start);
        loop {
            let line_end = loop {
                if let Some(end) = find(&self.buffer[from..self.filled], b"\r\n") {
                    break from + end;
                }
                self.read_some().await?;
            };
            let size = str::from_utf8(&self.buffer[from..line_end])
                .ok()
                .and_then(|text| usize::from_str_radix(text, 16).ok());
            let size = size
                .filter(|size| *size <= BODY_BYTES_MAX)
                .ok_or_else(|| io::Error::other("bad chunk size"))?;
            self.read_to(line_end + 2 + size + 2).await?;
            self.buffer.copy_within(line_end + 2..line_end + 2 + size, to);
            from = line_end + 2 + size + 2;
            to += size;
            if size == 0 {
                return Ok(to);
            }
        }
    }

    async fn read_some(&mut self) -> io::Result<()> {
        if self.filled == self.buffer.len() {
            if self.filled > HEAD_BYTES_MAX + BODY_BYTES_MAX {
                return Err(io::Error::other("the reply is too long"));
            }
            self.buffer.resize(self.filled * 2, 0);
        }
        match self.stream.read(&mut self.buffer[self.filled..]).await? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            )),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// `None` when the body is chunked.
    length: Option<usize>,
}

fn parse_head(head: &[u8]) -> io::Result<Head> {
    let bad = || io::Error::other("the reply is not HTTP/1.1 as this client knows it");
    let text = str::from_utf8(head).map_err(|_| bad())?;
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .ok_or_else(bad)?;
    let header = |name: &str| {
        text.lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    if let Some(length) = header("content-length") {
        let length =
            length.parse().ok().filter(|length| *length <= BODY_BYTES_MAX).ok_or_else(bad)?;
        return Ok(Head { status, length: Some(length) });
    }
    match header("transfer-encoding") {
        Some("chunked") => Ok(Head { status, length: None }),
        _ => Ok(Head { status, length: Some(0) }),
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn check(replies: &[&str], expected: &[(u16, &str)]) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let replies: Vec<String> = replies.iter().map(|reply| (*reply).to_owned()).collect();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for reply in replies {
                let mut request = [0; 4];
                stream.read_exact(&mut request).await.unwrap();
                for part in reply.as_bytes().chunks(7) {
                    stream.write_all(part).await.unwrap();
                }
            }
        });
        let mut connection = Connection::open(address).await.unwrap();
        for (status, body) in expected {
            let reply = connection.exchange(b"ping").await.unwrap();
            assert_eq!((reply.status, reply.body), (*status, body.as_bytes()));
        }
        server.await.unwrap();
    }

    #[tokio::test]
    async fn replies_are_read_whole_and_the_connection_goes_on() {
        let long = "x".repeat(40_000);
        check(
            &[
                "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello",
                "HTTP/1.1 204 No Content\r\n\r\n",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                &format!("HTTP/1.1 200 OK\r\ncontent-length: 40000\r\n\r\n{long}"),
            ],
            &[(201, "hello"), (204, ""), (200, "abcde"), (200, &long)],
        )
        .await;
    }

    #[test]
    fn anything_else_is_an_error() {
        assert!(parse_head(b"SSH-2.0\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").is_err());
        assert_eq!(
            parse_head(b"HTTP/1.1 503 x\r\n\r\n").unwrap(),
            Head { status: 503, length: Some(0) }
        );
    }
}

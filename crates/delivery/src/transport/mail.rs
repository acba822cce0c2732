//! Messages to an SMTP server (RFC 5321), over a connection that the outbound guard dialled.
//!
//! The dialogue is strict: one command, one answer, nothing read ahead. A connection is used for one message: mail is
//! rare, and a server that closes idle connections would look like one that fails. What a server says is bounded and
//! never repeated to anyone: it is a stranger's text.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use super::{EXCHANGE_MAX, READ_MAX, Transport, too_slow, wrong_kind};
use crate::{
    destination::{
        Request,
        mail::{Config, Mail, Security},
    },
    guard::{Guard, Owner, Target},
    health::Cause,
    secret::{Secret, Secrets},
    tls,
    verdict::{Failure, Reply},
};

/// Longest line of an answer; RFC 5321 allows 512 bytes.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// The transport of a mail destination.
pub(crate) struct Smtp {
    guard: Guard,
    owner: Owner,
    config: Config,
    password: Option<Secret>,
}

impl Transport for Smtp {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Mail(mail) = request else { return wrong_kind() };
            match timeout(EXCHANGE_MAX, self.send(&mail)).await {
                Ok(Ok(())) => Reply::Written,
                Ok(Err(reply)) => reply,
                Err(_) => Reply::Failed(too_slow("sending the message")),
            }
        })
    }
}

impl Smtp {
    pub(crate) fn new(guard: Guard, owner: Owner, config: Config, secrets: &Secrets) -> Self {
        let password = Config::password(secrets).cloned();
        Self { guard, owner, config, password }
    }

    async fn send(&self, mail: &Mail) -> Result<(), Reply> {
        let target = self.config.target();
        let stream = self.guard.connect(&self.owner, &target).await.map_err(Reply::Failed)?;
        let mut dialogue = match self.config.security {
            Security::Tls => self.encrypted(stream, &target).await?,
            Security::None | Security::Starttls => Dialogue::new(Stream::Plain(stream)),
        };
        dialogue.answer("2").await.map_err(|error| error.reply(Step::Greeting))?;
        let mut offers = self.greet(&mut dialogue).await?;
        if self.config.security == Security::Starttls {
            dialogue = self.upgrade(dialogue, &offers, &target).await?;
            // What was offered before the encryption may be anybody's word.
            offers = self.greet(&mut dialogue).await?;
        }
        self.log_in(&mut dialogue, &offers).await?;
        self.hand_over(&mut dialogue, mail).await.map_err(|error| error.reply(Step::Message))?;
        // It is taken; how the connection ends does not matter.
        let _ = dialogue.command("QUIT", "2").await;
        Ok(())
    }

    async fn encrypted(&self, stream: TcpStream, target: &Target) -> Result<Dialogue, Reply> {
        let config = tls::config(self.config.ca.as_deref()).map_err(Reply::Failed)?;
        let stream = tls::wrap(config, &target.host, stream).await.map_err(Reply::Failed)?;
        Ok(Dialogue::new(Stream::Encrypted(Box::new(stream))))
    }

    /// Says who we are; returns what the server offers, a line each in capitals.
    async fn greet(&self, dialogue: &mut Dialogue) -> Result<Vec<String>, Reply> {
        let greeting = format!("EHLO {}", self.config.sender_host());
        let answer = dialogue.command(&greeting, "2").await;
        let answer = answer.map_err(|error| error.reply(Step::Greeting))?;
        Ok(answer.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect())
    }

    /// Encrypts the connection (RFC 3207); without the server's offer nothing more is said.
    async fn upgrade(
        &self,
        mut dialogue: Dialogue,
        offers: &[String],
        target: &Target,
    ) -> Result<Dialogue, Reply> {
        if !offers.iter().any(|offer| offer == "STARTTLS") {
            let detail = "the server does not offer STARTTLS, and nothing is sent without it";
            return Err(Reply::Failed(Failure::new(Cause::Configuration, detail)));
        }
        let answer = dialogue.command("STARTTLS", "2").await;
        answer.map_err(|error| error.reply(Step::Greeting))?;
        // Whatever stands behind the plain answer was slipped in there and must not pass for an encrypted one.
        match dialogue.into_plain() {
            Some(stream) => self.encrypted(stream, target).await,
            None => {
                let detail = "the server spoke on behind its answer to STARTTLS";
                Err(Reply::Failed(Failure::new(Cause::Tls, detail)))
            }
        }
    }

    async fn log_in(&self, dialogue: &mut Dialogue, offers: &[String]) -> Result<(), Reply> {
        let Some((user, password)) = self.config.user.as_ref().zip(self.password.as_ref()) else {
            return Ok(());
        };
        let password = password.danger_reveal();
        let knows = |wanted: &str| {
            let words = offers.iter().filter_map(|offer| offer.strip_prefix("AUTH "));
            words.flat_map(str::split_whitespace).any(|word| word == wanted)
        };
        let entered = if knows("PLAIN") {
            let words = Zeroizing::new(format!("\0{user}\0{password}"));
            let command =
                Zeroizing::new(format!("AUTH PLAIN {}", STANDARD.encode(words.as_bytes())));
            dialogue.command(&command, "2").await
        } else if knows("LOGIN") {
            let (user, password) =
                (STANDARD.encode(user), Zeroizing::new(STANDARD.encode(password)));
            match dialogue.command("AUTH LOGIN", "3").await {
                Ok(_) => match dialogue.command(&user, "3").await {
                    Ok(_) => dialogue.command(&password, "2").await,
                    refused => refused,
                },
                refused => refused,
            }
        } else {
            let detail = "the server offers no login that is spoken here (PLAIN, LOGIN)";
            return Err(Reply::Failed(Failure::new(Cause::Credentials, detail)));
        };
        entered.map(|_| ()).map_err(|error| error.reply(Step::Login))
    }

    async fn hand_over(&self, dialogue: &mut Dialogue, mail: &Mail) -> Result<(), Refused> {
        dialogue.command(&format!("MAIL FROM:<{}>", mail.from), "2").await?;
        for to in &mail.to {
            dialogue.command(&format!("RCPT TO:<{to}>"), "2").await?;
        }
        dialogue.command("DATA", "3").await?;
        dialogue.write(&stuffed(&mail.message)).await?;
        dialogue.answer("2").await?;
        Ok(())
    }
}

/// Returns the message with its end: a line that begins with a dot gets one more (RFC 5321, 4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 64 + 8);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

/// Where in the dialogue it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Greeting,
    Login,
    Message,
}

/// Why a command was not obeyed.
#[derive(Debug)]
enum Refused {
    /// The server answered with another code.
    Code(u16),
    /// The answer is no SMTP.
    Protocol(&'static str),
    /// The connection broke.
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Refused {
    fn reply(&self, step: Step) -> Reply {
        let failed = |cause, detail: String| Reply::Failed(Failure::new(cause, detail));
        match self {
            Self::Io(error) if is_tls(error) => Reply::Failed(tls::failure(error)),
            Self::Io(error) => failed(Cause::Broken, format!("the connection broke: {error}")),
            Self::Protocol(what) => failed(Cause::Protocol, format!("the mail server {what}")),
            Self::Code(552) if step == Step::Message => Reply::TooLarge,
            Self::Code(code @ (530 | 534 | 535 | 538)) => failed(
                Cause::Credentials,
                format!("the mail server answered {code}: it does not accept the credentials"),
            ),
            Self::Code(code @ 400..=499) => failed(
                Cause::Unavailable,
                format!("the mail server answered {code}: it cannot take messages now"),
            ),
            Self::Code(code) if step == Step::Login => {
                failed(Cause::Credentials, format!("the mail server answered {code} to the login"))
            }
            Self::Code(code) => failed(
                Cause::Refused,
                format!(
                    "the mail server answered {code}: it refuses the sender, a recipient or the message"
                ),
            ),
        }
    }
}

fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some())
}

/// An answer: its text line by line, without codes.
#[derive(Debug)]
struct Answer {
    lines: Vec<String>,
}

/// One side of the conversation.
struct Dialogue {
    stream: BufReader<Stream>,
    read: usize,
}

impl Dialogue {
    fn new(stream: Stream) -> Self {
        Self { stream: BufReader::new(stream), read: 0 }
    }

    /// Sends one line and reads the answer, whose code must begin with `wanted`.
    async fn command(&mut self, line: &str, wanted: &str) -> Result<Answer, Refused> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(line.len() + 2));
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
        self.write(&bytes).await?;
        self.answer(wanted).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.stream.get_mut().write_all(bytes).await?;
        Ok(self.stream.get_mut().flush().await?)
    }

    /// Reads one answer of one or more lines.
    async fn answer(&mut self, wanted: &str) -> Result<Answer, Refused> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let code: u16 = match line.get(..3).map(str::parse) {
                Some(Ok(code)) => code,
                _ => return Err(Refused::Protocol("does not speak SMTP")),
            };
            lines.push(line.get(4..).unwrap_or_default().trim_end().to_owned());
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            let fits = line.starts_with(wanted);
            return if fits { Ok(Answer { lines }) } else { Err(Refused::Code(code)) };
        }
    }

    async fn line(&mut self) -> Result<String, Refused> {
        let mut line = Vec::new();
        loop {
            let byte = match self.stream.read_u8().await {
                Ok(byte) => byte,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    let closed = "the receiver closed the connection";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, closed).into());
                }
                Err(error) => return Err(error.into()),
            };
            self.read += 1;
            if line.len() >= LINE_BYTES_MAX || self.read > READ_MAX {
                return Err(Refused::Protocol("says more than it may"));
            }
            if byte == b'\n' {
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            line.push(byte);
        }
    }

    /// Returns the plain stream, if nothing was read beyond the last answer.
    fn into_plain(self) -> Option<TcpStream> {
        if !self.stream.buffer().is_empty() {
            return None;
        }
        match self.stream.into_inner() {
            Stream::Plain(stream) => Some(stream),
            Stream::Encrypted(_) => None,
        }
    }
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, out),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_at_the_beginning_of_a_line_does_not_end_the_message() {
        assert_eq!(stuffed(b".\r\na\r\n..b\r\n"), b"..\r\na\r\n...b\r\n.\r\n");
        assert_eq!(stuffed(b"a"), b"a\r\n.\r\n");
        assert_eq!(stuffed(b""), b"\r\n.\r\n");
    }

    #[test]
    fn an_answer_says_what_to_do() {
        #[track_caller]
        fn check(code: u16, step: Step, expected: Option<Cause>) {
            let found = match Refused::Code(code).reply(step) {
                Reply::Failed(failure) => Some(failure.cause),
                Reply::TooLarge => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{code} {step:?}");
        }
        check(421, Step::Greeting, Some(Cause::Unavailable));
        check(451, Step::Message, Some(Cause::Unavailable));
        check(552, Step::Message, None);
        check(552, Step::Greeting, Some(Cause::Refused));
        check(550, Step::Message, Some(Cause::Refused));
        check(535, Step::Login, Some(Cause::Credentials));
        check(530, Step::Message, Some(Cause::Credentials));
        check(504, Step::Login, Some(Cause::Credentials));
        check(354, Step::Message, Some(Cause::Refused));
    }
}

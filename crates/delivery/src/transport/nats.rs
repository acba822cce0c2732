//! Messages to a NATS JetStream, each confirmed by its stream.

use std::{collections::VecDeque, error::Error as _, time::Duration};

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions,
    jetstream::{
        self, Context, ErrorCode,
        context::{PublishAckFuture, PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use futures::future::BoxFuture;
use tokio::time::timeout;

use super::{EXCHANGE_MAX, Transport, too_slow, wrong_kind};
use crate::{
    destination::{Request, nats},
    guard::{Guard, Host, Owner},
    health::Cause,
    secret::{Secret, Secrets},
    tls,
    verdict::{Failure, Reply},
};

/// Messages that wait for their confirmation at the same time.
const OPEN_MAX: usize = 256;
/// How long a connection and a confirmation may take.
const STEP_MAX: Duration = Duration::from_secs(5);

/// The transport of a NATS destination.
pub(crate) struct Nats {
    guard: Guard,
    owner: Owner,
    config: nats::Config,
    password: Option<Secret>,
    token: Option<Secret>,
    connected: Option<(Client, Context)>,
}

impl Transport for Nats {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Messages(messages) = request else { return wrong_kind() };
            let reply = match timeout(EXCHANGE_MAX, self.publish(messages)).await {
                Ok(Ok(())) => return Reply::Written,
                Ok(Err(reply)) => reply,
                Err(_) => Reply::Failed(too_slow("publishing")),
            };
            // What was sent and not confirmed must not arrive behind its own repeat.
            self.connected = None;
            reply
        })
    }
}

impl Nats {
    pub(crate) fn new(guard: Guard, owner: Owner, config: nats::Config, secrets: &Secrets) -> Self {
        let (password, token) = nats::Config::credentials(secrets);
        let (password, token) = (password.cloned(), token.cloned());
        Self { guard, owner, config, password, token, connected: None }
    }

    async fn publish(&mut self, messages: Vec<nats::Message>) -> Result<(), Reply> {
        let context = self.context().await.map_err(Reply::Failed)?;
        let mut open: VecDeque<PublishAckFuture> = VecDeque::new();
        for message in messages {
            if open.len() >= OPEN_MAX
                && let Some(oldest) = open.pop_front()
            {
                oldest.await.map_err(|error| refused(&error))?;
            }
            let publish = PublishMessage::build().payload(message.payload).message_id(message.id);
            let sent = context.send_publish(message.subject, publish).await;
            open.push_back(sent.map_err(|error| refused(&error))?);
        }
        for ack in open {
            ack.await.map_err(|error| refused(&error))?;
        }
        Ok(())
    }

    async fn context(&mut self) -> Result<Context, Failure> {
        if let Some((_, context)) = &self.connected {
            return Ok(context.clone());
        }
        if self.guard.is_proxied() {
            let detail = "the client of NATS cannot use the egress proxy";
            return Err(Failure::new(Cause::Configuration, detail));
        }
        let target = self.config.target();
        // The client resolves again: the operator, who alone may use this type, answers for the name.
        self.guard.addresses(&self.owner, &target).await?;
        let mut options = ConnectOptions::new()
            .name("attestary")
            .connection_timeout(STEP_MAX)
            .request_timeout(Some(STEP_MAX))
            .ignore_discovered_servers()
            .max_reconnects(1)
            .require_tls(self.config.tls);
        if self.config.tls {
            let config = tls::config(self.config.ca.as_deref())?;
            options = options.tls_client_config((*config).clone());
        }
        if let Some((user, password)) = self.config.user.clone().zip(self.password.as_ref()) {
            options = options.user_and_password(user, password.danger_reveal().to_owned());
        }
        if let Some(token) = &self.token {
            options = options.token(token.danger_reveal().to_owned());
        }
        let scheme = if self.config.tls { "tls" } else { "nats" };
        let host = match &target.host {
            Host::Name(name) => name.clone(),
            Host::Address(ip) if ip.is_ipv6() => format!("[{ip}]"),
            Host::Address(ip) => ip.to_string(),
        };
        let url = format!("{scheme}://{host}:{}", target.port);
        let client = options.connect(url).await.map_err(|error| {
            let cause = match error.kind() {
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    Cause::Credentials
                }
                ConnectErrorKind::Dns => Cause::Resolve,
                ConnectErrorKind::TimedOut => Cause::Timeout,
                ConnectErrorKind::Tls => Cause::Tls,
                _ => Cause::Connect,
            };
            Failure::new(cause, format!("cannot connect: {}", error.kind()))
        })?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(STEP_MAX);
        self.connected = Some((client, context.clone()));
        Ok(context)
    }
}

/// Returns true when the stream takes messages, but none of this size.
fn is_above_the_streams_limit(error: &PublishError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    source.is_some_and(|said| said.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}

fn refused(error: &PublishError) -> Reply {
    if is_above_the_streams_limit(error) {
        return Reply::TooLarge;
    }
    let failed = |cause, detail: &str| Reply::Failed(Failure::new(cause, detail));
    match error.kind() {
        PublishErrorKind::StreamNotFound => {
            failed(Cause::Configuration, "no JetStream stream takes the subject")
        }
        PublishErrorKind::MaxPayloadExceeded => Reply::TooLarge,
        PublishErrorKind::TimedOut => failed(Cause::Timeout, "no confirmation within 5 s"),
        PublishErrorKind::BrokenPipe => failed(Cause::Broken, "the connection broke"),
        _ => failed(Cause::Unavailable, &format!("the stream takes no messages now: {error}")),
    }
}

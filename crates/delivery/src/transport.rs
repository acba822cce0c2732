//! Transports: the only code of this crate that touches sockets and files.
//!
//! A transport belongs to one destination and is used by one task. It carries one request at a time within a
//! deadline, and brings back a reply for `judge`. It never retries: that is the engine's decision.

mod datagram;
mod exchange;
pub(crate) mod file;
pub(crate) mod http;
mod kafka;
mod mail;
mod nats;
pub(crate) mod object;
mod output;
mod session;
pub(crate) mod sigv4;
mod stream;
#[cfg(test)]
mod tests;
mod tokens;

use std::time::Duration;

use futures::future::BoxFuture;

pub use output::LineWriter;

use crate::{
    destination::{DestinationConfig, Request, http::Endpoint, syslog, webhook},
    driver::Components,
    guard::Target,
    health::Cause,
    secret::Secrets,
    spec::Spec,
    tls::Identity,
    verdict::{Failure, Reply},
};

/// How long one exchange may take, from the first look-up to the last byte read.
pub(crate) const EXCHANGE_MAX: Duration = Duration::from_secs(30);
/// How long a connection is used before its address is checked anew.
pub(crate) const CONNECTION_MAX: Duration = Duration::from_mins(5);
/// Most bytes that are read from a receiver for one reply, or on one stream.
pub(crate) const READ_MAX: usize = 64 * 1024;

/// Carries requests for one destination.
pub(crate) trait Transport: Send {
    /// Carries one request. Dropping the future leaves the transport usable.
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply>;

    /// Completes when an idle connection breaks: with the seq from which events may not have arrived, if any.
    fn broken(&mut self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(std::future::pending())
    }
}

/// Returns the transport of a destination. Opens nothing yet.
pub(crate) fn open(spec: &Spec, secrets: &Secrets, parts: &Components) -> Box<dyn Transport> {
    match &spec.destination {
        DestinationConfig::Webhook(config) => {
            let target = config.target();
            let key = secrets.value(webhook::CLIENT_KEY).cloned();
            let identity = config.client_certificate.clone().zip(key);
            let identity = identity.map(|(chain, key)| Identity { chain, key });
            if config.token_url.is_some() {
                let endpoint = Endpoint { url: config.url.clone(), ca: config.ca.clone() };
                let exchanges = exchange::Exchanges::new(
                    &parts.guard,
                    spec.owner(),
                    &endpoint,
                    parts.clock.clone(),
                );
                return Box::new(exchanges.with_identity(identity));
            }
            let http =
                http::Http::new(parts.guard.clone(), spec.owner(), target, config.ca.clone());
            Box::new(http.with_identity(identity))
        }
        DestinationConfig::Syslog(config) => {
            let target = config.target();
            match config.transport {
                syslog::Transport::Udp => {
                    Box::new(datagram::Datagrams::new(parts.guard.clone(), spec.owner(), target))
                }
                syslog::Transport::Tcp | syslog::Transport::Tls => Box::new(stream::Stream::new(
                    parts.guard.clone(),
                    spec.owner(),
                    target,
                    config.ca.clone(),
                )),
            }
        }
        DestinationConfig::S3(config) => objects(spec, parts, config.target(), config.ca.clone()),
        DestinationConfig::Gcs(config) => objects(spec, parts, config.target(), config.ca.clone()),
        DestinationConfig::AzureBlob(config) => {
            objects(spec, parts, config.target(), config.ca.clone())
        }
        DestinationConfig::Nats(config) => {
            Box::new(nats::Nats::new(parts.guard.clone(), spec.owner(), config.clone(), secrets))
        }
        DestinationConfig::Mail(config) => {
            Box::new(mail::Smtp::new(parts.guard.clone(), spec.owner(), config.clone(), secrets))
        }
        DestinationConfig::Kafka(config) => {
            Box::new(kafka::Kafka::new(parts.guard.clone(), spec.owner(), config.clone(), secrets))
        }
        DestinationConfig::File(config) => {
            // A file has one writer, and a replay runs beside the live cursor: it writes a file of its own.
            let path = match &spec.replay {
                Some(replay) => format!("{}.{replay}", config.path),
                None => config.path.clone(),
            };
            let place =
                file::Place::new(parts.file_root.clone(), &spec.environment, &spec.tenant, &path);
            Box::new(file::Files::new(place, config.rotate_bytes, config.files_max))
        }
        DestinationConfig::Stdout(_) => Box::new(output::Lines::new(parts.output.clone())),
        other => match other.http() {
            Some(http) => Box::new(exchange::Exchanges::new(
                &parts.guard,
                spec.owner(),
                http.endpoint(),
                parts.clock.clone(),
            )),
            None => Box::new(output::Lines::new(parts.output.clone())),
        },
    }
}

fn objects(
    spec: &Spec,
    parts: &Components,
    target: Target,
    ca: Option<String>,
) -> Box<dyn Transport> {
    let http = http::Http::new(parts.guard.clone(), spec.owner(), target, ca);
    Box::new(object::Objects::new(http, &parts.guard, spec.owner(), parts.clock.clone()))
}

/// What a transport answers to a request of another kind; only a bug can cause it.
fn wrong_kind() -> Reply {
    Reply::Failed(Failure::new(Cause::Configuration, "the request does not fit the transport"))
}

fn too_slow(what: &str) -> Failure {
    Failure::new(Cause::Timeout, format!("{what} took longer than {} s", EXCHANGE_MAX.as_secs()))
}

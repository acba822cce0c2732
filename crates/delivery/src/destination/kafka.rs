//! Apache Kafka and what speaks its protocol: one record an event, confirmed by all replicas in sync.
//!
//! The key is the tenant's id, so a tenant's events stand in one partition in the order of their seq. Id, seq and leaf
//! hash travel as headers of the record, whatever the format. A batch is one record batch of one partition: it is
//! taken whole or not at all. Operators only, because brokers name the addresses of others; each of those passes the
//! outbound guard like the configured ones.

pub mod scram;
pub mod wire;

use attestary_event::{View, actions::KnownActions, event::hex};
use attestary_formats::Format;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Envelope, Members, Request};
use crate::{
    batch::Batch,
    guard::{Host, Kind, Target},
    health::{Cause, Reason},
    secret::{Secret, Secrets},
    tls,
    verdict::{Failure, Reply, Verdict},
};

pub(crate) const PASSWORD: &str = "password";
pub(crate) const CLIENT_KEY: &str = "client_key";
/// Brokers to begin with; the cluster names the others.
const BROKERS_MAX: usize = 8;
/// Longest name of a topic, by Kafka's own rule.
const TOPIC_BYTES_MAX: usize = 249;

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    /// User and password as they are (RFC 4616); only over TLS unless the operator's network allows it.
    #[serde(rename = "plain")]
    Plain,
    /// A proof of the password (RFC 7677).
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// A proof of the password, with SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

/// Whether record batches are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// gzip, which every client reads.
    #[default]
    Gzip,
    /// Not at all.
    None,
}

/// Configuration of a Kafka destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// `host:port` of brokers to begin with; IPv6 addresses stand in brackets.
    pub brokers: Vec<String>,
    /// Name of the topic; it must exist.
    pub topic: String,
    /// TLS; without it, what is sent can be read on the way.
    #[serde(default)]
    pub tls: bool,
    /// Certificates (PEM) that are trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Certificate chain (PEM) shown to brokers that ask for one; its key is kept apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    /// How the user is authenticated; absent for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<Mechanism>,
    /// User name; its password is kept apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Compression of record batches.
    #[serde(default)]
    pub compression: Compression,
}

/// What goes to Kafka in one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Produce {
    /// The key of every record.
    pub(crate) key: Bytes,
    /// The records in order.
    pub(crate) records: Vec<wire::Record>,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let brokers = read_brokers(members);
        let topic = super::s3::checked(members, "topic", topic_problem);
        let encrypted = members.take("tls").map(serde_json::Value::as_bool);
        if encrypted == Some(None) {
            members.refuse("tls", "must be true or false");
        }
        let encrypted = encrypted.flatten().unwrap_or_default();
        let ca = tls::read_ca(members);
        let identity = tls::read_identity(members);
        if identity.is_some() && !encrypted {
            members.refuse("client_certificate", "is shown over TLS only: set tls to true");
        }
        let mechanism = read_choice::<Mechanism>(members, "mechanism");
        let user = members.text("user");
        let password = members.secret_optional(PASSWORD);
        if mechanism.is_some() != user.is_some() || user.is_some() != password.is_some() {
            members.refuse("mechanism", "mechanism, user and password go together");
        }
        if user.is_some_and(|user| user.is_empty() || user.len() > 256 || !printable(user)) {
            members.refuse("user", "must have 1 to 256 printable ASCII characters");
        }
        let compression = read_choice(members, "compression").unwrap_or_default();
        let (client_certificate, client_key) = identity.unzip();
        let given = [(PASSWORD, password), (CLIENT_KEY, client_key)];
        let given = given.into_iter().filter_map(|(name, secret)| Some((name, secret?)));
        let config = Self {
            brokers: brokers?,
            topic: topic?.to_owned(),
            tls: encrypted,
            ca,
            client_certificate,
            mechanism,
            user: user.map(str::to_owned),
            compression,
        };
        Some((config, Some(Secrets::named(given))))
    }

    /// Returns where it connects first. At least one.
    pub(crate) fn targets(&self) -> Vec<Target> {
        self.brokers.iter().filter_map(|broker| self.target_of(broker)).collect()
    }

    fn target_of(&self, broker: &str) -> Option<Target> {
        let (host, port) = Host::parse_with_port(broker).ok()?;
        Some(Target { host, port, kind: Kind::Broker, encrypted: self.tls })
    }

    /// Returns a broker that the cluster named; it passes the guard like every other target.
    pub(crate) fn broker(&self, broker: &wire::Broker) -> Result<Target, Failure> {
        let host = if broker.host.contains(':') {
            format!("[{}]", broker.host)
        } else {
            broker.host.clone()
        };
        self.target_of(&format!("{host}:{}", broker.port)).ok_or_else(|| {
            Failure::new(
                Cause::Configuration,
                "the cluster names a broker without a usable address",
            )
        })
    }

    /// Returns what is shown to brokers that ask for a certificate.
    pub(crate) fn identity(&self, secrets: &Secrets) -> Option<tls::Identity> {
        let chain = self.client_certificate.clone()?;
        Some(tls::Identity { chain, key: secrets.value(CLIENT_KEY)?.clone() })
    }

    /// Returns mechanism, user and password.
    pub(crate) fn login(&self, secrets: &Secrets) -> Option<(Mechanism, String, Secret)> {
        Some((self.mechanism?, self.user.clone()?, secrets.value(PASSWORD)?.clone()))
    }

    /// Appends the value of one record.
    pub(super) fn encode(
        view: &View<'_>,
        format: &Format,
        actions: &KnownActions,
        out: &mut Vec<u8>,
    ) {
        format.encode(view, actions, out);
    }

    pub(super) fn request(batch: &Batch, envelope: &Envelope<'_>) -> Request {
        let content_type = Bytes::from_static(envelope.format.content_type().as_bytes());
        let records = batch.records.iter().map(|record| wire::Record {
            at_ms: record.received_at.0,
            value: Bytes::copy_from_slice(&batch.bytes[record.bytes.clone()]),
            headers: vec![
                ("attestary-event-id", record.id.to_string().into()),
                ("attestary-seq", record.seq.to_string().into()),
                ("attestary-leaf-hash", hex(&record.leaf_hash).into()),
                ("content-type", content_type.clone()),
            ],
        });
        let key = Bytes::copy_from_slice(envelope.spec.tenant.as_str().as_bytes());
        Request::Produce(Box::new(Produce { key, records: records.collect() }))
    }

    pub(super) fn summary(&self) -> String {
        format!("kafka {}/{}", self.brokers.join(","), self.topic)
    }
}

/// Returns what a broker's error code means, in words and as a reply.
///
/// <https://kafka.apache.org/protocol#protocol_error_codes>
pub(crate) fn refusal(code: i16) -> Reply {
    let failed = |cause, detail: &str| {
        Reply::Failed(Failure::new(cause, format!("the broker answered {code}: {detail}")))
    };
    match code {
        10 | 18 => Reply::TooLarge,
        87 | 32 => Reply::Refused(format!("the broker answered {code}: it refuses a record")),
        3 => failed(Cause::Configuration, "there is no such topic or partition"),
        17 => failed(Cause::Configuration, "this cannot be the name of a topic"),
        33 => failed(Cause::Configuration, "it does not offer this mechanism"),
        34 => failed(Cause::Credentials, "it wants a login first"),
        35 => failed(Cause::Configuration, "it is older than Kafka 1.0"),
        44 => failed(Cause::Configuration, "a policy of the topic forbids the records"),
        76 => failed(Cause::Configuration, "it does not take gzip"),
        29 | 31 => failed(Cause::Credentials, "the user may not write to the topic"),
        58 => failed(Cause::Credentials, "it does not accept user and password"),
        5 | 6 | 8 | 9 | 72 => failed(Cause::Unavailable, "the partition has no leader now"),
        19 | 20 => failed(Cause::Unavailable, "too few replicas are in sync"),
        7 => failed(Cause::Timeout, "the replicas did not confirm in time"),
        89 => failed(Cause::Throttled, "the quota is used up"),
        _ => failed(Cause::Unavailable, "it takes no records now"),
    }
}

/// Judges a refusal that concerns an event.
pub(super) fn judge_refused(detail: &str) -> Verdict {
    Verdict::Reject { reason: Reason::new(Cause::Refused, detail) }
}

fn read_brokers(members: &mut Members<'_>) -> Option<Vec<String>> {
    let given = members.take("brokers");
    let list = given.and_then(serde_json::Value::as_array).map(|list| {
        list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    let Some(Some(brokers)) = list else {
        members.refuse("brokers", "is required: a list of host:port");
        return None;
    };
    if brokers.is_empty() || brokers.len() > BROKERS_MAX {
        members.refuse("brokers", format!("must name 1 to {BROKERS_MAX} brokers"));
        return None;
    }
    for (index, broker) in brokers.iter().enumerate() {
        if let Err(problem) = Host::parse_with_port(broker) {
            members.refuse(&format!("brokers/{index}"), problem);
            return None;
        }
    }
    Some(brokers)
}

fn read_choice<T: serde::de::DeserializeOwned>(
    members: &mut Members<'_>,
    name: &'static str,
) -> Option<T> {
    match serde_json::from_value(members.take(name)?.clone()) {
        Ok(choice) => Some(choice),
        Err(error) => {
            members.refuse(name, error.to_string());
            None
        }
    }
}

fn printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Returns why a text cannot name a topic.
fn topic_problem(name: &str) -> Option<&'static str> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (name.is_empty()
        || name.len() > TOPIC_BYTES_MAX
        || !name.bytes().all(fine)
        || matches!(name, "." | ".."))
    .then_some("must have 1 to 249 letters, digits, dots, underscores and dashes")
}

#[cfg(test)]
mod tests;

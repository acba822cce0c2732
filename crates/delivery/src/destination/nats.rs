//! NATS JetStream: one message an event, confirmed by the stream that takes its subject.
//!
//! `Nats-Msg-Id` is the event's id, so a stream drops repeats within its window for duplicates (two minutes unless
//! configured otherwise). The client dials by itself, so this type is the operator's alone: addresses are checked
//! by the guard before each connection, and servers that a server names are not followed.

use attestary_event::{View, actions::KnownActions};
use attestary_formats::Format;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Members, Request, object};
use crate::{
    batch::Batch,
    guard::{Host, Kind, Target},
    secret::{Secret, Secrets},
    tls,
};

const PASSWORD: &str = "password";
const TOKEN: &str = "token";
/// Longest template of a subject.
const SUBJECT_BYTES_MAX: usize = 256;
/// Subject unless configured otherwise.
const SUBJECT: &str = "audit.{tenant}.{action}";
/// Separates subject and payload of a record until the request is made.
const SEPARATOR: u8 = 0;

/// Configuration of a NATS destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// `host:port`; IPv6 addresses stand in brackets.
    pub address: String,
    /// TLS; without it, what is sent can be read on the way.
    #[serde(default)]
    pub tls: bool,
    /// Certificates (PEM) that are trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Subject with `{environment}`, `{tenant}` and `{action}`.
    #[serde(default = "subject")]
    pub subject: String,
    /// User name; its password is kept apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

fn subject() -> String {
    SUBJECT.to_owned()
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) subject: String,
    /// The event's id.
    pub(crate) id: String,
    pub(crate) payload: Bytes,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let address = members.text_required("address");
        let tls = members.take("tls").map(serde_json::Value::as_bool);
        if tls == Some(None) {
            members.refuse("tls", "must be true or false");
        }
        let ca = tls::read_ca(members);
        let subject = members.text("subject").unwrap_or(SUBJECT);
        if let Some(problem) = subject_problem(subject) {
            members.refuse("subject", problem);
        }
        let user = members.text("user");
        let password = members.secret_optional(PASSWORD);
        let token = members.secret_optional(TOKEN);
        if user.is_some() != password.is_some() {
            members.refuse("user", "user and password go together");
        }
        if user.is_some() && token.is_some() {
            members.refuse("token", "use either a token or user and password");
        }
        let address = address?;
        if let Err(problem) = Host::parse_with_port(address) {
            members.refuse("address", problem);
        }
        let given = [(PASSWORD, password), (TOKEN, token)];
        let given = given.into_iter().filter_map(|(name, secret)| Some((name, secret?)));
        let config = Self {
            address: address.to_owned(),
            tls: tls.flatten().unwrap_or_default(),
            ca,
            subject: subject.to_owned(),
            user: user.map(str::to_owned),
        };
        Some((config, Some(Secrets::named(given))))
    }

    pub(crate) fn target(&self) -> Target {
        let (host, port) = Host::parse_with_port(&self.address)
            .expect("the address was parsed when it was validated");
        Target { host, port, kind: Kind::Broker, encrypted: self.tls }
    }

    /// Returns password and token.
    pub(crate) fn credentials(secrets: &Secrets) -> (Option<&Secret>, Option<&Secret>) {
        (secrets.value(PASSWORD), secrets.value(TOKEN))
    }

    /// Appends subject, separator and payload.
    pub(super) fn encode(
        &self,
        view: &View<'_>,
        format: &Format,
        actions: &KnownActions,
        out: &mut Vec<u8>,
    ) {
        let action = view.fields.get("/action").and_then(|field| field.text()).unwrap_or_default();
        let action: Vec<String> = action.split('.').map(object::id).collect();
        let subject = self
            .subject
            .replace("{environment}", &object::id(view.event.environment.as_str()))
            .replace("{tenant}", &object::id(view.event.tenant.as_str()))
            .replace("{action}", &action.join("."));
        out.extend_from_slice(subject.as_bytes());
        out.push(SEPARATOR);
        format.encode(view, actions, out);
    }

    pub(super) fn request(&self, batch: &Batch) -> Request {
        let messages = batch.records.iter().map(|record| {
            let bytes = &batch.bytes[record.bytes.clone()];
            let end = bytes.iter().position(|byte| *byte == SEPARATOR).unwrap_or(bytes.len());
            Message {
                subject: String::from_utf8_lossy(&bytes[..end]).into_owned(),
                id: record.id.to_string(),
                payload: Bytes::copy_from_slice(bytes.get(end + 1..).unwrap_or_default()),
            }
        });
        Request::Messages(messages.collect())
    }
}

/// Returns why a text cannot be the template of a subject.
fn subject_problem(subject: &str) -> Option<&'static str> {
    let plain =
        subject.replace("{environment}", "e").replace("{tenant}", "t").replace("{action}", "a");
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if subject.len() > SUBJECT_BYTES_MAX {
        Some("must have at most 256 bytes")
    } else if plain.split('.').any(str::is_empty) || !plain.bytes().all(fine) {
        Some(
            "is words of letters, digits, - and _, and of {environment}, {tenant}, {action}, joined by dots",
        )
    } else if !subject.contains("{tenant}") {
        Some("must hold {tenant}: the logs of tenants must not mix")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_keeps_tenants_apart() {
        #[track_caller]
        fn check(subject: &str, expected: bool) {
            assert_eq!(subject_problem(subject).is_none(), expected, "{subject}");
        }
        check(SUBJECT, true);
        check("x.{environment}.{tenant}", true);
        check("audit.{action}", false);
        check("audit..{tenant}", false);
        check("audit.>.{tenant}", false);
        check("audit.* {tenant}", false);
        check("audit.{tenant}.{other}", false);
    }
}

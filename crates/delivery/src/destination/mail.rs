//! E-mail over SMTP: one message a batch, its records in the text or in one attached file.
//!
//! A message counts as delivered when the server has taken it for every recipient; what becomes of it behind that
//! server, SMTP does not say. `Message-ID` is the id of the batch, so a repeat of a message is known as one.

use attestary_event::{View, actions::KnownActions};
use attestary_formats::Format;
use mail_builder::{
    MessageBuilder,
    headers::{content_type::ContentType, raw::Raw},
    mime::{BodyPart, MimePart},
};
use serde::{Deserialize, Serialize};

use super::{
    Envelope, ManagedBy, Members, Request,
    payload::{Carriage, Payload},
};
use crate::{
    batch::Batch,
    guard::{Host, Kind, Target},
    health::{Cause, Reason},
    secret::{Secret, Secrets},
    tls,
    verdict::{Failure, Verdict, judge_failure},
};

const PASSWORD: &str = "password";
/// Recipients of one message.
const RECIPIENTS_MAX: usize = 20;
/// Longest subject and user name in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// Subject unless configured otherwise.
const SUBJECT: &str = "Audit events of {tenant}: {count}";

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// The connection begins plain and is encrypted before anything is said (RFC 3207). A server that does not offer
    /// it gets nothing.
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all: operators only.
    None,
}

/// Configuration of a mail destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// `host:port`; IPv6 addresses stand in brackets.
    pub address: String,
    /// How the connection is protected.
    pub security: Security,
    /// Certificates (PEM) that are trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// User name; its password is kept apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The sender, `name@host`.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// Subject with `{tenant}`, `{environment}`, `{count}`, `{first}` and `{last}`.
    #[serde(default = "subject")]
    pub subject: String,
    /// Encoding, carriage and parts of the payload.
    #[serde(default, skip_serializing_if = "Payload::is_plain")]
    pub payload: Payload,
}

fn subject() -> String {
    SUBJECT.to_owned()
}

/// A message with its way.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: Vec<u8>,
}

impl Config {
    pub(super) fn read(
        members: &mut Members<'_>,
        managed_by: ManagedBy,
    ) -> Option<(Self, Option<Secrets>)> {
        let address = members.text_required("address");
        let security = read_security(members, managed_by);
        let ca = tls::read_ca(members);
        let user = super::http::read_label(members, "user", TEXT_BYTES_MAX);
        let password = members.secret_optional(PASSWORD);
        if user.is_some() != password.is_some() {
            members.refuse("user", "user and password go together");
        }
        let from = members.text_required("from");
        if let Some(from) = from
            && let Some(problem) = address_problem(from)
        {
            members.refuse("from", problem);
        }
        let to = read_recipients(members);
        let subject =
            super::http::read_label(members, "subject", TEXT_BYTES_MAX).unwrap_or_else(subject);
        let payload = Payload::read(members);
        let address = address?;
        if let Err(problem) = Host::parse_with_port(address) {
            members.refuse("address", problem);
        }
        let security = security?;
        if security == Security::None && ca.is_some() {
            members.refuse("ca", "certificates are for connections with TLS");
        }
        let config = Self {
            address: address.to_owned(),
            security,
            ca,
            user,
            from: from?.to_owned(),
            to: to?,
            subject,
            payload: payload?,
        };
        Some((config, password.map(|secret| Secrets::named([(PASSWORD, secret)]))))
    }

    pub(crate) fn target(&self) -> Target {
        let (host, port) = Host::parse_with_port(&self.address)
            .expect("the address was parsed when it was validated");
        Target { host, port, kind: Kind::Mail, encrypted: self.security != Security::None }
    }

    /// Returns the password.
    pub(crate) fn password(secrets: &Secrets) -> Option<&Secret> {
        secrets.value(PASSWORD)
    }

    /// Returns the host of the sender: what this side calls itself.
    pub(crate) fn sender_host(&self) -> &str {
        self.from.rsplit('@').next().unwrap_or_default()
    }

    /// One record a line.
    pub(super) fn encode(
        view: &View<'_>,
        format: &Format,
        actions: &KnownActions,
        out: &mut Vec<u8>,
    ) {
        format.encode(view, actions, out);
        out.push(b'\n');
    }

    pub(super) fn request(&self, batch: &Batch, envelope: &Envelope<'_>) -> Request {
        let message = MessageBuilder::new()
            .from(self.from.as_str())
            .to(self.to.iter().map(String::as_str).collect::<Vec<_>>())
            .subject(self.subject_of(batch, envelope))
            .message_id(format!("{}@{}", envelope.id, self.sender_host()))
            .date(envelope.at.0.div_euclid(1_000))
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .body(self.body(batch, envelope));
        let message = message.write_to_vec().expect("a vector takes all that is written");
        Request::Mail(Box::new(Mail { from: self.from.clone(), to: self.to.clone(), message }))
    }

    /// The records as text, or a sentence with the records as a file. Lines that are longer than mail allows are cut by
    /// the transfer encoding; readers join them again.
    fn body(&self, batch: &Batch, envelope: &Envelope<'_>) -> MimePart<'static> {
        let (plain_type, extension) = kind_of(envelope.format, batch.records.len() == 1);
        let name = format!("{}.{extension}", envelope.id);
        // The carriage is the message's own: a form is for HTTP.
        let steps = Payload { carriage: Carriage::Text, ..self.payload.clone() };
        let key = envelope.secrets.signing.first();
        let encoded = steps.encode(batch.bytes.clone(), plain_type, &name, key);
        let text = |text: String| {
            let kind = ContentType::new("text/plain").attribute("charset", "utf-8");
            MimePart::new(kind, BodyPart::Text(text.into()))
        };
        if self.payload.carriage == Carriage::Text && !encoded.binary {
            return text(String::from_utf8_lossy(&encoded.bytes).into_owned());
        }
        let (kind, name) = match encoded.content_encoding {
            // A mail reader does not undo a content encoding: the file is what it is.
            Some(_) => ("application/gzip", format!("{name}.gz")),
            None => (media_type(&encoded.content_type), format!("{name}{}", encoded.suffix)),
        };
        let said = format!(
            "{} audit events of {} ({}) are attached as {name}.\r\n",
            batch.records.len(),
            envelope.spec.tenant,
            envelope.spec.environment
        );
        let file = MimePart::new(kind, BodyPart::Binary(encoded.bytes.into())).attachment(name);
        // The id of the batch cannot stand alone on a line of either part.
        let kind = ContentType::new("multipart/mixed")
            .attribute("boundary", format!("attestary-{}", envelope.id));
        MimePart::new(kind, BodyPart::Multipart(vec![text(said), file]))
    }

    fn subject_of(&self, batch: &Batch, envelope: &Envelope<'_>) -> String {
        let seq = |seq: Option<u64>| seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
        let mut out = String::new();
        let mut rest = self.subject.as_str();
        // Each placeholder is replaced once, in order: what a value holds is never read as one.
        while let Some(start) = rest.find('{') {
            out.push_str(&rest[..start]);
            rest = &rest[start..];
            let Some(end) = rest.find('}') else { break };
            match &rest[1..end] {
                "tenant" => out.push_str(envelope.spec.tenant.as_str()),
                "environment" => out.push_str(envelope.spec.environment.as_str()),
                "count" => out.push_str(&batch.records.len().to_string()),
                "first" => out.push_str(&seq(batch.first_seq())),
                "last" => out.push_str(&seq(batch.last_seq())),
                other => {
                    out.push('{');
                    out.push_str(other);
                    out.push('}');
                }
            }
            rest = &rest[end + 1..];
        }
        out.push_str(rest);
        out.retain(|c| !c.is_control());
        out
    }
}

/// Judges a message that was not taken: what a server refuses for good, a person must look at.
pub(super) fn judge(failure: &Failure) -> Verdict {
    match failure.cause {
        Cause::Refused => {
            Verdict::Pause { reason: Reason::new(Cause::Refused, failure.detail.clone()) }
        }
        _ => judge_failure(failure),
    }
}

/// Media type and file extension of the records.
fn kind_of(format: &Format, single: bool) -> (&'static str, &'static str) {
    match format {
        Format::Csv(_) => ("text/csv", "csv"),
        _ if format.is_json() && single => ("application/json", "json"),
        _ if format.is_json() => ("application/x-ndjson", "ndjson"),
        _ => ("text/plain", "log"),
    }
}

fn read_security(members: &mut Members<'_>, managed_by: ManagedBy) -> Option<Security> {
    let security = match members.text("security").unwrap_or("starttls") {
        "starttls" => Security::Starttls,
        "tls" => Security::Tls,
        "none" => Security::None,
        other => {
            members.refuse("security", format!("must be starttls, tls or none; this is {other:?}"));
            return None;
        }
    };
    if managed_by == ManagedBy::Tenant && security == Security::None {
        members.refuse("security", "only operators may send mail without TLS");
    }
    Some(security)
}

fn read_recipients(members: &mut Members<'_>) -> Option<Vec<String>> {
    let value = members.take("to");
    let texts: Option<Vec<String>> = match value {
        Some(serde_json::Value::String(one)) => Some(vec![one.clone()]),
        Some(serde_json::Value::Array(many)) => {
            many.iter().map(|one| one.as_str().map(str::to_owned)).collect()
        }
        _ => None,
    };
    let Some(to) = texts.filter(|to| (1..=RECIPIENTS_MAX).contains(&to.len())) else {
        members.refuse("to", format!("must be 1 to {RECIPIENTS_MAX} addresses"));
        return None;
    };
    for (index, one) in to.iter().enumerate() {
        if let Some(problem) = address_problem(one) {
            members.refuse(&format!("to/{index}"), problem);
        }
    }
    Some(to)
}

/// Returns why a text cannot be an address: it goes into the dialogue with the server as it stands.
fn address_problem(text: &str) -> Option<&'static str> {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let fine = text.rsplit_once('@').is_some_and(|(name, host)| {
        (1..=64).contains(&name.len())
            && name.bytes().all(is_plain)
            && name.split('.').all(|part| !part.is_empty())
            && matches!(Host::parse_with_port(&format!("{host}:25")), Ok((Host::Name(_), _)))
    });
    (!fine).then_some("must be an address such as name@example.com, in ASCII")
}

/// Returns a media type without its parameters.
fn media_type(content_type: &str) -> &'static str {
    match content_type.split(';').next().unwrap_or_default() {
        "application/json" => "application/json",
        "application/x-ndjson" => "application/x-ndjson",
        "application/jose" => "application/jose",
        "text/csv" => "text/csv",
        "text/plain" => "text/plain",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;

//! What is done with a payload before it goes out: which parts of an event it holds, how it is encoded, and whether it
//! travels as text or as a file.
//!
//! Steps are applied in the order given: `[gzip, base64]` is base64 of gzip. A signature of the request, where the
//! type has one, covers what goes out.

mod seal;

use std::io::Write as _;

use attestary_event::{Event, View};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::Signer as _;
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Members;
use crate::secret::SigningSecret;
pub use seal::{PublicKey, Recipient};

/// Steps of one payload.
const STEPS_MAX: usize = 4;
/// Recipients of one age file.
const RECIPIENTS_MAX: usize = 10;
/// What the inside of an encrypted payload is when it was compressed first.
const GZIP: &str = "application/gzip";

/// One step of the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// One gzip member.
    Gzip,
    /// Standard base64 with padding, in one line.
    Base64,
    /// A JSON Web Signature in compact form (RFC 7515), signed with Ed25519 (RFC 8037) by the destination's own key.
    Jws,
    /// A JSON Web Encryption in compact form (RFC 7516) for the key in `jwe`.
    Jwe,
    /// An age file for the recipients in `age`.
    Age,
}

/// How a payload travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carriage {
    /// The payload is the body.
    #[default]
    Text,
    /// The payload is the one file of a form (`multipart/form-data`).
    File,
}

/// Parts of an event that can be left out. What says what happened, when and with which outcome always stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// `actor`, `impersonator`, `on_behalf_of`.
    Actor,
    /// `targets`.
    Targets,
    /// `context`.
    Context,
    /// `changes`.
    Changes,
    /// `metadata`.
    Metadata,
    /// `description`, `reason`, `labels`.
    Description,
    /// `source`: what an adapter kept of a foreign form.
    Source,
}

impl Group {
    /// Returns the group of a member; `None` for what always stays.
    fn of(member: &str) -> Option<Self> {
        Some(match member {
            "actor" | "impersonator" | "on_behalf_of" => Self::Actor,
            "targets" => Self::Targets,
            "context" => Self::Context,
            "changes" => Self::Changes,
            "metadata" => Self::Metadata,
            "description" | "reason" | "labels" => Self::Description,
            "source" => Self::Source,
            _ => return None,
        })
    }
}

/// What is done with a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Payload {
    /// Steps in order; none sends the payload as the format gives it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub encode: Vec<Step>,
    /// How it travels.
    pub carriage: Carriage,
    /// The parts of an event that are sent; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
    /// Whose key the step `jwe` encrypts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwe: Option<PublicKey>,
    /// Whose keys the step `age` encrypts for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub age: Vec<Recipient>,
}

/// A payload as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) content_type: String,
    /// `Content-Encoding`, when the last step was gzip.
    pub(super) content_encoding: Option<&'static str>,
    /// Whether the bytes are no text.
    pub(super) binary: bool,
    /// What the file's name ends with besides its usual extension.
    pub(super) suffix: &'static str,
}

impl Payload {
    /// Reads the member `payload`.
    pub(super) fn read(members: &mut Members<'_>) -> Option<Self> {
        let Some(value) = members.take("payload") else { return Some(Self::default()) };
        let payload: Self = match serde_json::from_value(value.clone()) {
            Ok(payload) => payload,
            Err(error) => {
                members.refuse("payload", error.to_string());
                return None;
            }
        };
        if payload.encode.len() > STEPS_MAX {
            members.refuse("payload/encode", format!("must have at most {STEPS_MAX} steps"));
        }
        let has = |step| payload.encode.contains(&step);
        if has(Step::Jwe) != payload.jwe.is_some() {
            members.refuse("payload/jwe", "a step jwe and a public key (JWK) go together");
        }
        if has(Step::Age) == payload.age.is_empty() || payload.age.len() > RECIPIENTS_MAX {
            let detail = format!("a step age and 1 to {RECIPIENTS_MAX} recipients go together");
            members.refuse("payload/age", detail);
        }
        Some(payload)
    }

    /// Returns true when nothing is to be done.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Returns true when a step signs.
    pub(super) fn signs(&self) -> bool {
        self.encode.contains(&Step::Jws)
    }

    /// Returns the event with the chosen parts only; `None` when all are sent.
    ///
    /// The members are cut out as they stand, so numbers keep their form. The leaf hash stays that of the whole event.
    pub(super) fn reduced(&self, view: &View<'_>) -> Option<Event> {
        let groups = self.groups.as_ref()?;
        let members: std::collections::BTreeMap<&str, &RawValue> =
            serde_json::from_slice(&view.event.body).ok()?;
        let kept = members
            .iter()
            .filter(|(name, _)| Group::of(name).is_none_or(|group| groups.contains(&group)));
        let mut body = vec![b'{'];
        for (name, value) in kept {
            if body.len() > 1 {
                body.push(b',');
            }
            attestary_event::scan::write_string(name, &mut body);
            body.push(b':');
            body.extend_from_slice(value.get().as_bytes());
        }
        body.push(b'}');
        Some(Event { body: body.into(), ..view.event.clone() })
    }

    /// Encodes a payload. `key` signs where a step asks for it.
    pub(super) fn encode(
        &self,
        payload: Vec<u8>,
        content_type: &str,
        file_name: &str,
        key: Option<&SigningSecret>,
    ) -> Encoded {
        let mut out = Encoded {
            bytes: payload,
            content_type: content_type.to_owned(),
            content_encoding: None,
            binary: false,
            suffix: "",
        };
        for step in &self.encode {
            match step {
                Step::Gzip => {
                    out.bytes = gzip(&out.bytes);
                    out.content_encoding = Some("gzip");
                    (out.binary, out.suffix) = (true, "");
                    continue;
                }
                Step::Base64 => {
                    out.bytes = STANDARD.encode(&out.bytes).into_bytes();
                    out.content_type = "text/plain; charset=us-ascii".to_owned();
                }
                Step::Jws => {
                    out.bytes = jws(&out.bytes, content_type, out.content_encoding, key);
                    out.content_type = "application/jose".to_owned();
                }
                Step::Jwe => {
                    let inner = out.content_encoding.map_or(out.content_type.as_str(), |_| GZIP);
                    let sealed = self.jwe.as_ref().and_then(|key| key.encrypt(&out.bytes, inner));
                    // Nothing goes out rather than plain text.
                    out.bytes = sealed.unwrap_or_default();
                    out.content_type = "application/jose".to_owned();
                }
                Step::Age => {
                    out.bytes = seal::age(&out.bytes, &self.age).unwrap_or_default();
                    out.content_type = "application/octet-stream".to_owned();
                    out.content_encoding = None;
                    (out.binary, out.suffix) = (true, ".age");
                    continue;
                }
            }
            out.content_encoding = None;
            (out.binary, out.suffix) = (false, "");
        }
        if self.carriage == Carriage::File {
            let file_name = format!("{file_name}{}", out.suffix);
            out = form(out, &file_name);
        }
        out
    }
}

/// The same bytes give the same bytes: no name and no time is in the header.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder =
        GzBuilder::new().write(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).expect("a vector takes all that is written");
    encoder.finish().expect("a vector takes all that is written")
}

/// Returns the compact serialisation: header, payload and signature in base64url, separated by dots.
fn jws(
    payload: &[u8],
    content_type: &str,
    content_encoding: Option<&str>,
    key: Option<&SigningSecret>,
) -> Vec<u8> {
    let Some((signer, public)) = key.and_then(SigningSecret::signer) else {
        // Validation gives every destination that signs a key; without one nothing may pass as signed.
        return Vec::new();
    };
    let mut header = serde_json::json!({ "alg": "EdDSA", "kid": public, "cty": content_type });
    if let Some(encoding) = content_encoding {
        header["zip"] = encoding.into();
    }
    let mut text = URL_SAFE_NO_PAD.encode(header.to_string());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    let signature = signer.sign(text.as_bytes());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut text);
    text.into_bytes()
}

/// Wraps a payload as the only file of a form. The boundary is the payload's own hash, so it cannot stand in it.
fn form(encoded: Encoded, file_name: &str) -> Encoded {
    use sha2::Digest as _;
    let mut boundary = b"attestary-".to_vec();
    attestary_event::event::write_hex(&sha2::Sha256::digest(&encoded.bytes), &mut boundary);
    let boundary = String::from_utf8(boundary).expect("hexadecimal is ASCII");
    let mut bytes = Vec::with_capacity(encoded.bytes.len() + 400);
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\ncontent-type: {}\r\n",
        encoded.content_type
    );
    bytes.extend_from_slice(head.as_bytes());
    if let Some(encoding) = encoded.content_encoding {
        bytes.extend_from_slice(format!("content-encoding: {encoding}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&encoded.bytes);
    bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let content_type = format!("multipart/form-data; boundary={boundary}");
    Encoded { bytes, content_type, content_encoding: None, binary: true, suffix: "" }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use attestary_event::{EnvironmentId, EventId, TenantId, Timestamp};

    use super::*;

    fn encoded(json: &str, payload: &[u8]) -> Encoded {
        let how: Payload = serde_json::from_str(json).unwrap();
        let key = SigningSecret::new_pair([7; 32]);
        how.encode(payload.to_vec(), "application/json", "dst_1-1-2.json", Some(&key))
    }

    #[test]
    fn steps_are_applied_in_order() {
        let out = encoded(r#"{"encode":["gzip","base64"]}"#, b"[1,2]");
        assert_eq!(
            (out.content_type.as_str(), out.content_encoding),
            ("text/plain; charset=us-ascii", None)
        );
        let packed = STANDARD.decode(&out.bytes).unwrap();
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, b"[1,2]");
        let out = encoded(r#"{"encode":["base64","gzip"]}"#, b"[1,2]");
        assert_eq!(out.content_encoding, Some("gzip"));
        assert!(encoded("{}", b"[1,2]").bytes == b"[1,2]");
    }

    #[test]
    fn a_signed_payload_verifies_with_the_public_key() {
        let out = encoded(r#"{"encode":["jws"]}"#, b"[1,2]");
        assert_eq!(out.content_type, "application/jose");
        let text = String::from_utf8(out.bytes).unwrap();
        let parts: Vec<&str> = text.split('.').collect();
        let signed = format!("{}.{}", parts[0], parts[1]);
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
        let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
        key.verify_strict(signed.as_bytes(), &signature).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(parts[1]).unwrap(), b"[1,2]");
    }

    #[test]
    fn a_file_is_one_part_of_a_form() {
        let out = encoded(r#"{"encode":["gzip"],"carriage":"file"}"#, b"[1,2]");
        let boundary = out.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let text = String::from_utf8_lossy(&out.bytes);
        assert!(
            text.starts_with(&format!("--{boundary}\r\n"))
                && text.ends_with(&format!("\r\n--{boundary}--\r\n"))
        );
        assert!(
            text.contains("filename=\"dst_1-1-2.json\"")
                && text.contains("content-encoding: gzip\r\n")
        );
    }

    #[test]
    fn groups_that_are_not_chosen_are_left_out_and_the_rest_keeps_its_form() {
        let how: Payload = serde_json::from_str(r#"{"groups":["actor"]}"#).unwrap();
        let body = br#"{"action":"a.b","actor":{"id":"u"},"context":{"ip":"10.0.0.1"},"metadata":{"n":1.50},"outcome":"success"}"#;
        let event = Event {
            id: EventId([1; 16]),
            tenant: TenantId::restored("acme"),
            environment: EnvironmentId::restored("production"),
            seq: 1,
            received_at: Timestamp(0),
            flags: 0,
            leaf_hash: [1; 32],
            body: Box::from(*body),
        };
        let fields = event.fields();
        let reduced = how.reduced(&View { event: &event, fields: &fields }).unwrap();
        assert_eq!(&*reduced.body, br#"{"action":"a.b","actor":{"id":"u"},"outcome":"success"}"#);
        let all: Payload = serde_json::from_str(r#"{"groups":["metadata"]}"#).unwrap();
        let reduced = all.reduced(&View { event: &event, fields: &fields }).unwrap();
        assert!(reduced.body.windows(4).any(|part| part == b"1.50"));
        assert!(Payload::default().reduced(&View { event: &event, fields: &fields }).is_none());
    }
}

//! HTTP POST of a JSON array of events, signed as Standard Webhooks says.
//!
//! `webhook-id` is the destination and the range of seqs, fixed before the first attempt, so a receiver can tell a
//! repeat; `webhook-timestamp` is the time of the attempt; `webhook-signature` holds one `v1` signature (HMAC-SHA256
//! of `id.timestamp.body`) for each valid secret. See standard-webhooks/standard-webhooks, spec/standard-webhooks.md.

pub(super) mod headers;
#[cfg(test)]
mod tests;

use attestary_event::{View, actions::KnownActions, event::hex, scan::write_string};
use attestary_formats::Format;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use ed25519_dalek::Signer as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use url::Url;

use super::{Envelope, Members, Request, grant::Grant, http::Exchange, payload::Payload};
use crate::{
    batch::Batch,
    guard::Target,
    secret::{Secrets, SigningSecret},
    tls,
};

/// Events whose ids, seqs and leaf hashes fit into headers: about 110 bytes each, and servers take 8 KB.
const EVENTS_IN_HEADERS_MAX: usize = 50;

/// Configuration of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to. May hold a token in path or query: only the origin appears in attempts.
    pub url: Url,
    /// Names of extra headers, lower-case; their values are secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Certificates (PEM) that are trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// How requests are signed.
    #[serde(default)]
    pub signature: Scheme,
    /// The client's certificate (PEM, leaf first), for receivers that ask for one; its key is kept apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    /// Where a token is fetched (OAuth 2.0 client credentials) that goes with every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<Url>,
    /// Who asks for the token; the secret is kept apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What the token is asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Encoding, carriage and parts of the payload.
    #[serde(default, skip_serializing_if = "Payload::is_plain")]
    pub payload: Payload,
}

/// How requests are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// HMAC-SHA256 with a secret that both sides know.
    #[default]
    V1,
    /// Ed25519: whoever verifies cannot sign.
    V1a,
}

/// Name of the client certificate's key among the secrets.
pub(crate) const CLIENT_KEY: &str = "client_key";
/// Name of the secret that fetches tokens.
const CLIENT_SECRET: &str = "client_secret";

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let url = members.text_required("url");
        let values = headers::read(members);
        let ca = tls::read_ca(members);
        let signature = match members.text("signature") {
            None | Some("v1") => Scheme::V1,
            Some("v1a") => Scheme::V1a,
            Some(other) => {
                members.refuse("signature", format!("must be v1 or v1a; this is {other:?}"));
                Scheme::V1
            }
        };
        let identity = tls::read_identity(members);
        let token_url = match members.text("token_url").map(parse) {
            Some(Ok(url)) => Some(url),
            Some(Err(problem)) => {
                members.refuse("token_url", problem);
                None
            }
            None => None,
        };
        let client_id = super::http::read_label(members, "client_id", 256);
        let scope = super::http::read_label(members, "scope", 1_024).unwrap_or_default();
        let client_secret = members.secret_optional(CLIENT_SECRET);
        let given = [token_url.is_some(), client_id.is_some(), client_secret.is_some()];
        if given.contains(&true) && given.contains(&false) {
            members.refuse("token_url", "token_url, client_id and client_secret go together");
        }
        let payload = Payload::read(members);
        let url = match parse(url?) {
            Ok(url) => url,
            Err(problem) => {
                members.refuse("url", problem);
                return None;
            }
        };
        let payload = payload?;
        if payload.signs() && signature != Scheme::V1a {
            members.refuse("payload/encode", "the step jws needs \"signature\": \"v1a\"");
        }
        let (client_certificate, key) = identity.unzip();
        let named = key.map(|key| (CLIENT_KEY, key)).into_iter();
        let named = named.chain(client_secret.map(|secret| (CLIENT_SECRET, secret)));
        let secrets = Secrets { headers: values, ..Secrets::named(named) };
        let headers = secrets.headers.keys().cloned().collect();
        let config = Self {
            url,
            headers,
            ca,
            signature,
            client_certificate,
            token_url,
            client_id,
            scope,
            payload,
        };
        Some((config, Some(secrets)))
    }

    pub(crate) fn target(&self) -> Target {
        super::http::target(&self.url)
    }

    pub(super) fn request(&self, batch: &Batch, envelope: &Envelope<'_>) -> Request {
        let content_type = envelope.format.array_content_type();
        let key = envelope.secrets.signing.first();
        let file_name = format!("{}.json", envelope.id);
        let encoded = self.payload.encode(body(batch), content_type, &file_name, key);
        let body = Bytes::from(encoded.bytes);
        let mut headers = HeaderMap::new();
        let content_type = HeaderValue::from_str(&encoded.content_type)
            .expect("media types and boundaries are ASCII");
        headers.insert(http::header::CONTENT_TYPE, content_type);
        if let Some(encoding) = encoded.content_encoding {
            headers.insert(http::header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        headers.insert(http::header::USER_AGENT, HeaderValue::from_static("attestary"));
        for (name, value) in &envelope.secrets.headers {
            if let Some((name, value)) = headers::pair(name, value) {
                headers.insert(name, value);
            }
        }
        self.sign(&mut headers, envelope, &body);
        if !envelope.format.holds_leaf_hash() {
            name_events(&mut headers, batch);
        }
        match self.grant(envelope.secrets) {
            Some(grant) => {
                let mut exchange = Exchange::post(self.url.clone(), Vec::new());
                (exchange.headers, exchange.body) = (headers, body);
                // The signature covers the body as it goes out.
                (exchange.gzip, exchange.grant) = (false, Some(grant));
                Request::Exchange(Box::new(exchange))
            }
            None => Request::Http { url: self.url.clone(), headers, body },
        }
    }

    /// Returns how a token is fetched, when one is needed.
    fn grant(&self, secrets: &Secrets) -> Option<Grant> {
        Some(Grant::ClientCredentials {
            url: self.token_url.clone()?,
            client_id: self.client_id.clone()?,
            client_secret: secrets.value(CLIENT_SECRET)?.clone(),
            scope: self.scope.clone(),
        })
    }

    fn sign(&self, headers: &mut HeaderMap, envelope: &Envelope<'_>, body: &[u8]) {
        let seconds = envelope.at.0.div_euclid(1_000).to_string();
        let signatures: Vec<String> = envelope
            .secrets
            .signing
            .iter()
            .map(|secret| signature(secret, envelope.id, &seconds, body))
            .collect();
        put(headers, "webhook-id", envelope.id);
        put(headers, "webhook-timestamp", &seconds);
        put(headers, "webhook-signature", &signatures.join(" "));
    }
}

/// Parses the URL; what it may point at is the guard's question.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    super::http::parse_url(text, "; use headers")
}

/// Formats that hold neither seq nor leaf hash carry them as headers, which have less room than a body.
pub(super) fn events_ceiling(format: &Format) -> usize {
    if format.holds_leaf_hash() { usize::MAX } else { EVENTS_IN_HEADERS_MAX }
}

/// Appends one event as a JSON value and a comma.
pub(super) fn encode(view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
    if format.is_json() {
        format.encode(view, actions, out);
    } else {
        let mut line = Vec::with_capacity(1_024);
        format.encode(view, actions, &mut line);
        write_string(&String::from_utf8_lossy(&line), out);
    }
    out.push(b',');
}

fn body(batch: &Batch) -> Vec<u8> {
    let mut body = Vec::with_capacity(batch.bytes.len() + 2);
    body.push(b'[');
    body.extend_from_slice(batch.bytes.strip_suffix(b",").unwrap_or(&batch.bytes));
    body.push(b']');
    body
}

/// Returns `v1,` and the base64 form of HMAC-SHA256 over `id.timestamp.body`, or `v1a,` and that of the Ed25519
/// signature.
fn signature(secret: &SigningSecret, id: &str, seconds: &str, body: &[u8]) -> String {
    if let Some((signer, _)) = secret.signer() {
        let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
        return format!("v1a,{}", STANDARD.encode(signer.sign(&signed).to_bytes()));
    }
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&secret.key()).expect("HMAC takes keys of any length");
    for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn name_events(headers: &mut HeaderMap, batch: &Batch) {
    let list = |text: &dyn Fn(&crate::batch::Record) -> String| {
        batch.records.iter().map(text).collect::<Vec<_>>().join(",")
    };
    put(headers, "attestary-event-id", &list(&|record| record.id.to_string()));
    put(headers, "attestary-seq", &list(&|record| record.seq.to_string()));
    put(headers, "attestary-leaf-hash", &list(&|record| hex(&record.leaf_hash)));
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).expect("ids, numbers and base64 are visible ASCII");
    headers.insert(HeaderName::from_static(name), value);
}

//! Tokens: how a destination gets the bearer token that its receiver wants. Pure; the transport sends and keeps.
//!
//! Two ways: OAuth 2.0 client credentials (RFC 6749, 4.4), and a service account's signed assertion (RFC 7523) as
//! Google takes it. A token is fetched through the same guard as everything else, whatever URL a credential names.

use std::time::Duration;

use attestary_event::Timestamp;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, header};
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::{Envelope, ManagedBy, Members, http::Exchange};
use crate::{
    health::Cause,
    secret::{Secret, Secrets},
    verdict::{Failure, Response},
};

/// Lifetime that a token without one is given.
const LIFETIME: Duration = Duration::from_mins(5);
/// Longest lifetime that is believed.
const LIFETIME_MAX: Duration = Duration::from_hours(24);
/// Longest token that is sent on.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// How a token is got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grant {
    /// OAuth 2.0 client credentials.
    ClientCredentials { url: Url, client_id: String, client_secret: Secret, scope: String },
    /// A service account's assertion, signed at `at`.
    ServiceAccount { account: Box<ServiceAccount>, scope: &'static str, at: Timestamp },
    /// The service's own identity at Google.
    Workload { scope: &'static str },
}

/// What a Google service account's key file holds, as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ServiceAccount {
    pub(crate) client_email: String,
    #[serde(default)]
    pub(crate) private_key_id: String,
    pub(crate) private_key: Secret,
    #[serde(default = "google_token_url")]
    pub(crate) token_uri: Url,
}

fn google_token_url() -> Url {
    Url::parse("https://oauth2.googleapis.com/token").expect("a constant URL parses")
}

impl ServiceAccount {
    /// Parses a key file; the problem names no part of it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let account: Self = serde_json::from_str(text)
            .map_err(|_| "must be the JSON key file of a service account")?;
        account.key().map_err(|_| "holds no usable RSA private key")?;
        Ok(account)
    }

    fn key(&self) -> Result<KeyPair, ()> {
        let pem = self.private_key.danger_reveal().as_bytes();
        match PrivateKeyDer::from_pem_slice(pem).map_err(|_| ())? {
            PrivateKeyDer::Pkcs8(der) => {
                KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| ())
            }
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| ()),
            _ => Err(()),
        }
    }

    /// Returns the signed assertion (JWT, RS256), valid for an hour.
    fn assertion(&self, scope: &str, at: Timestamp) -> Result<Zeroizing<String>, Failure> {
        let failed = || Failure::new(Cause::Configuration, "the service account's key cannot sign");
        let seconds = at.0.div_euclid(1_000);
        let head = serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": self.private_key_id});
        let claims = serde_json::json!({
            "iss": self.client_email, "scope": scope, "aud": self.token_uri.as_str(),
            "iat": seconds, "exp": seconds + 3_600,
        });
        let mut token = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(head.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let key = self.key().map_err(|()| failed())?;
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| failed())?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(Zeroizing::new(token))
    }
}

/// Name of a service account's key file among the secrets.
const CREDENTIALS: &str = "credentials";

/// Reads the member `credentials`: a service account's key file, as text or as the object itself. An operator may leave
/// it out: the service's own identity is used then.
pub(super) fn read_credentials(
    members: &mut Members<'_>,
    managed_by: ManagedBy,
) -> Option<Secrets> {
    let kept = members.kept_secret(CREDENTIALS).is_some();
    if managed_by == ManagedBy::Operator && !members.present(CREDENTIALS) && !kept {
        members.know(&[CREDENTIALS]);
        return Some(Secrets::default());
    }
    let secret = members.secret_json(CREDENTIALS)?;
    match ServiceAccount::parse(secret.danger_reveal()) {
        Ok(_) => Some(Secrets::named([(CREDENTIALS, secret)])),
        Err(problem) => {
            members.refuse(CREDENTIALS, problem);
            None
        }
    }
}

/// Returns how a destination at Google gets its token; `None` when what should be there cannot be read.
pub(super) fn google(envelope: &Envelope<'_>, scope: &'static str) -> Option<Grant> {
    match envelope.secrets.value(CREDENTIALS) {
        Some(secret) => {
            let account = Box::new(ServiceAccount::parse(secret.danger_reveal()).ok()?);
            Some(Grant::ServiceAccount { account, scope, at: envelope.at })
        }
        // Nobody but an operator speaks in the service's own name.
        None if envelope.spec.managed_by == ManagedBy::Operator => Some(Grant::Workload { scope }),
        None => None,
    }
}

impl Grant {
    /// Returns where the token is fetched; `None` when only the service knows.
    pub(crate) fn url(&self) -> Option<&Url> {
        match self {
            Self::ClientCredentials { url, .. } => Some(url),
            Self::ServiceAccount { account, .. } => Some(&account.token_uri),
            Self::Workload { .. } => None,
        }
    }

    /// Returns true when a token of the other is as good.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::ServiceAccount { account, scope, .. },
                Self::ServiceAccount { account: other, scope: other_scope, .. },
            ) => account == other && scope == other_scope,
            _ => self == other,
        }
    }

    /// Returns the request for a token.
    pub(crate) fn request(&self) -> Result<Exchange, Failure> {
        let Some(url) = self.url() else {
            return Err(Failure::new(
                Cause::Configuration,
                "the service's identity is asked for in steps",
            ));
        };
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        match self {
            Self::ClientCredentials { client_id, client_secret, scope, .. } => {
                form.append_pair("grant_type", "client_credentials")
                    .append_pair("client_id", client_id)
                    .append_pair("client_secret", client_secret.danger_reveal());
                if !scope.is_empty() {
                    form.append_pair("scope", scope);
                }
            }
            Self::ServiceAccount { account, scope, at } => {
                let assertion = account.assertion(scope, *at)?;
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                    .append_pair("assertion", &assertion);
            }
            Self::Workload { .. } => {}
        }
        let mut exchange = Exchange::post(url.clone(), form.finish().into_bytes());
        exchange.headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        exchange.gzip = false;
        Ok(exchange)
    }
}

/// A token and how long it may be used.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) value: Secret,
    pub(crate) lifetime: Duration,
}

/// Reads the answer to a request for a token.
pub(crate) fn token(response: &Response) -> Result<Token, Failure> {
    #[derive(Deserialize)]
    struct Granted {
        access_token: Secret,
        #[serde(default)]
        expires_in: Option<serde_json::Value>,
    }
    let failed = |cause, what: &str| {
        Err(Failure::new(cause, format!("the token endpoint answered {}: {what}", response.status)))
    };
    match response.status {
        200 => {}
        400 | 401 | 403 => {
            return failed(Cause::Credentials, &refusal(response));
        }
        408 | 425 | 429 | 500..=599 => return failed(Cause::Unavailable, "it gives no tokens now"),
        _ => return failed(Cause::Configuration, "this is no token endpoint"),
    }
    let Ok(granted) = serde_json::from_slice::<Granted>(&response.body) else {
        return failed(Cause::Configuration, "the answer holds no token");
    };
    let text = granted.access_token.danger_reveal();
    if text.is_empty()
        || text.len() > TOKEN_BYTES_MAX
        || !text.bytes().all(|b| b.is_ascii_graphic())
    {
        return failed(Cause::Configuration, "the token cannot stand in a header");
    }
    // Some write the number as text.
    let seconds = granted.expires_in.and_then(|value| match value {
        serde_json::Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    });
    let lifetime = seconds.map_or(LIFETIME, Duration::from_secs).min(LIFETIME_MAX);
    Ok(Token { value: granted.access_token, lifetime })
}

/// Returns the error's code (RFC 6749, 5.2): a word from a short list, so no text of strangers.
fn refusal(response: &Response) -> String {
    const WORDS: [&str; 6] = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ];
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let word = body["error"].as_str().and_then(|code| WORDS.iter().find(|word| **word == code));
    match word {
        Some(word) => format!("it refuses the credentials ({word})"),
        None => "it refuses the credentials".to_owned(),
    }
}

#[cfg(test)]
mod tests;

//! Who this service is at Google without a key: workload identity federation. Pure; the transport reads and asks.
//!
//! The platform writes a token into a file and renews it. Google's token service exchanges it (RFC 8693) for a token of
//! its own, and that one, where the operator says so, for a service account's.
//! <https://google.aip.dev/auth/4117>

use std::{path::PathBuf, time::Duration};

use attestary_event::Timestamp;
use http::{HeaderValue, header};
use serde::Deserialize;
use url::Url;

use super::{grant::Token, http::Exchange};
use crate::{
    health::Cause,
    secret::Secret,
    verdict::{Failure, Response},
};

/// What Google's token service is asked for when a service account is to be had with its token.
const PLATFORM_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Lifetime that is asked for.
const LIFETIME: &str = "3600s";
/// Longest token of a service account that is sent on.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// An external account: the file that `gcloud iam workload-identity-pools create-cred-config` writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExternalAccount {
    #[serde(rename = "type")]
    kind: Kind,
    audience: String,
    subject_token_type: String,
    /// Where tokens are exchanged.
    pub token_url: Url,
    /// Where a service account's token is had, if there is to be one.
    #[serde(default)]
    pub service_account_impersonation_url: Option<Url>,
    credential_source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Kind {
    #[serde(rename = "external_account")]
    ExternalAccount,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Source {
    file: PathBuf,
    #[serde(default)]
    format: Option<SourceFormat>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum SourceFormat {
    Text,
    Json { subject_token_field_name: String },
}

impl ExternalAccount {
    /// Parses such a file. Only platforms that write their token into a file are known.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        serde_json::from_str(text)
            .map_err(|_| "is no external account (JSON) whose token stands in a file")
    }

    /// Returns where the platform's token stands.
    pub(crate) fn file(&self) -> &PathBuf {
        &self.credential_source.file
    }

    /// Returns the platform's token from the content of its file.
    pub(crate) fn subject(&self, content: &str) -> Result<Secret, Failure> {
        let found = match &self.credential_source.format {
            None | Some(SourceFormat::Text) => Some(content.trim().to_owned()),
            Some(SourceFormat::Json { subject_token_field_name }) => {
                let parsed = serde_json::from_str::<serde_json::Value>(content).unwrap_or_default();
                parsed[subject_token_field_name].as_str().map(str::to_owned)
            }
        };
        match found.filter(|token| !token.is_empty()) {
            Some(token) => Ok(Secret::new(token)),
            None => {
                Err(Failure::new(Cause::Configuration, "the platform's token file holds no token"))
            }
        }
    }

    /// Returns the request that exchanges the platform's token.
    pub(crate) fn exchange(&self, subject: &Secret, scope: &str) -> Exchange {
        let scope = match self.service_account_impersonation_url {
            Some(_) => PLATFORM_SCOPE,
            None => scope,
        };
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")
            .append_pair("audience", &self.audience)
            .append_pair("scope", scope)
            .append_pair("subject_token_type", &self.subject_token_type)
            .append_pair("subject_token", subject.danger_reveal())
            .finish();
        post(&self.token_url, form.into_bytes(), "application/x-www-form-urlencoded")
    }
}

/// Returns the request for a service account's token.
pub(crate) fn impersonate(url: &Url, scope: &str, token: &Secret) -> Result<Exchange, Failure> {
    let body = serde_json::json!({"scope": [scope], "lifetime": LIFETIME}).to_string();
    let mut exchange = post(url, body.into_bytes(), "application/json");
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.danger_reveal()))
        .map_err(|_| Failure::new(Cause::Configuration, "the token cannot stand in a header"))?;
    value.set_sensitive(true);
    exchange.headers.insert(header::AUTHORIZATION, value);
    Ok(exchange)
}

/// Reads a service account's token.
pub(crate) fn impersonated(response: &Response, now: Timestamp) -> Result<Token, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Granted {
        access_token: Secret,
        expire_time: String,
    }
    let failed = |cause, what: &str| {
        let said = format!("the service account's endpoint answered {}: {what}", response.status);
        Err(Failure::new(cause, said))
    };
    match response.status {
        200 => {}
        400 | 401 | 403 | 404 => {
            return failed(
                Cause::Credentials,
                "this service may not act as the account; it needs roles/iam.workloadIdentityUser",
            );
        }
        408 | 429 | 500..=599 => return failed(Cause::Unavailable, "it gives no tokens now"),
        _ => return failed(Cause::Configuration, "this is no such endpoint"),
    }
    let Ok(granted) = serde_json::from_slice::<Granted>(&response.body) else {
        return failed(Cause::Configuration, "the answer holds no token");
    };
    let token = granted.access_token.danger_reveal();
    let printable = token.bytes().all(|byte| byte.is_ascii_graphic());
    let until = Timestamp::parse(&granted.expire_time);
    match until {
        Some(until) if !token.is_empty() && token.len() <= TOKEN_BYTES_MAX && printable => {
            let lifetime =
                Duration::from_millis(until.0.saturating_sub(now.0).max(0).unsigned_abs());
            Ok(Token { value: granted.access_token, lifetime })
        }
        _ => failed(Cause::Configuration, "the answer holds no token"),
    }
}

fn post(url: &Url, body: Vec<u8>, kind: &'static str) -> Exchange {
    let mut exchange = Exchange::post(url.clone(), body);
    exchange.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    exchange.gzip = false;
    exchange
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"type":"external_account","audience":"//iam.googleapis.com/projects/1/x",
        "subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://sts.googleapis.com/v1/token",
        "credential_source":{"file":"/var/run/token","format":{"type":"json","subject_token_field_name":"t"}}}"#;

    #[test]
    fn the_file_of_gcloud_is_read() {
        let account = ExternalAccount::parse(FILE).unwrap();
        assert_eq!(account.file().to_str(), Some("/var/run/token"));
        assert_eq!(account.subject(r#"{"t":"abc"}"#).unwrap().danger_reveal(), "abc");
        assert!(account.subject(r#"{"u":"abc"}"#).is_err());
        let body = account.exchange(&Secret::new("a b&c"), "scope").body;
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("subject_token=a+b%26c") && text.contains("scope=scope"), "{text}");
        for bad in [
            FILE.replace("external_account", "service_account"),
            FILE.replace(r#""file":"/var/run/token""#, r#""url":"http://169.254.169.254/""#),
            FILE.replace(r#""audience""#, r#""other""#),
        ] {
            assert!(ExternalAccount::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_service_accounts_token_lasts_until_it_says() {
        let answer = |status, body: &str| Response {
            status,
            body: body.to_owned().into(),
            ..Response::default()
        };
        let body = r#"{"accessToken":"ya29.x","expireTime":"2026-11-22T01:00:00Z"}"#;
        let now = Timestamp::parse("2026-11-22T00:00:00Z").unwrap();
        let token = impersonated(&answer(200, body), now).unwrap();
        assert_eq!((token.value.danger_reveal(), token.lifetime.as_secs()), ("ya29.x", 3_600));
        assert_eq!(impersonated(&answer(403, ""), now).unwrap_err().cause, Cause::Credentials);
        assert_eq!(impersonated(&answer(503, ""), now).unwrap_err().cause, Cause::Unavailable);
        assert_eq!(impersonated(&answer(200, "{}"), now).unwrap_err().cause, Cause::Configuration);
    }
}

//! Credentials of Amazon: a key, or a role that is assumed (STS). Pure; the transport asks and keeps.
//!
//! A role is assumed with an external id that this service makes: the id of the destination. The owner of the role
//! writes it into the role's trust policy, so that no other tenant can have the role assumed by naming it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-user_externalid.html>

use attestary_event::Timestamp;
use url::Url;

use crate::{
    health::Cause,
    secret::Secret,
    verdict::{Failure, Response},
};

/// Lifetime that is asked for, in seconds: what every role allows.
const LIFETIME_SECONDS: u32 = 3_600;
/// Longest value of a credential that is sent on.
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// A long-lived key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key's id.
    pub access_key_id: String,
    /// The key.
    pub secret: Secret,
}

/// Who this service is at Amazon: the operator's setting, for destinations that bring no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A key.
    Key(Key),
    /// A role assumed with a token that the platform writes into a file and renews (IAM roles for service accounts).
    WebIdentity {
        /// The service's own role.
        role_arn: String,
        /// Path of the token.
        token_file: std::path::PathBuf,
    },
}

/// What signs requests of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signer {
    /// The destination's own key; `None` stands for the service's identity.
    Direct(Option<Key>),
    /// A role, assumed by one of these.
    Role(Box<Role>),
}

/// A role to be assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) external_id: String,
    pub(crate) session: String,
    /// Who assumes it; `None` for the service's identity.
    pub(crate) by: Option<Key>,
}

/// Credentials that are used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) key: Key,
    /// Of temporary credentials.
    pub(crate) token: Option<Secret>,
    /// When they end.
    pub(crate) until: Option<Timestamp>,
}

/// Returns the usual endpoint of a region.
pub(crate) fn endpoint(region: &str) -> Url {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    Url::parse(&format!("https://sts.{region}.amazonaws.com{suffix}/"))
        .expect("the region was checked when it was validated")
}

/// Returns the form that assumes a role with an external id.
pub(crate) fn assume(role: &Role) -> String {
    form(&[
        ("Action", "AssumeRole"),
        ("RoleArn", &role.arn),
        ("RoleSessionName", &role.session),
        ("ExternalId", &role.external_id),
    ])
}

/// Returns the form that assumes a role with a platform's token.
pub(crate) fn assume_with_token(role_arn: &str, session: &str, token: &str) -> String {
    form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", role_arn),
        ("RoleSessionName", session),
        ("WebIdentityToken", token),
    ])
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Version", "2011-06-15")
        .append_pair("DurationSeconds", &LIFETIME_SECONDS.to_string())
        .extend_pairs(pairs)
        .finish()
}

/// Reads the answer of STS.
pub(crate) fn credentials(response: &Response) -> Result<Credentials, Failure> {
    let body = String::from_utf8_lossy(&response.body);
    let failed = |cause, what: &str| {
        let code = element(&body, "Code").filter(|code| {
            code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        let code = code.map(|code| format!(" {code}")).unwrap_or_default();
        Err(Failure::new(cause, format!("STS answered {}{code}: {what}", response.status)))
    };
    match response.status {
        200 => {}
        400 | 401 | 403 => {
            return failed(
                Cause::Credentials,
                "the role cannot be assumed; its trust policy must name this service and the external id",
            );
        }
        408 | 429 | 500..=599 => return failed(Cause::Unavailable, "it gives no credentials now"),
        _ => return failed(Cause::Configuration, "this is no endpoint of STS"),
    }
    let value = |name| {
        element(&body, name).filter(|text| {
            !text.is_empty()
                && text.len() <= VALUE_BYTES_MAX
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        })
    };
    let found = (value("AccessKeyId"), value("SecretAccessKey"), value("SessionToken"));
    let until = value("Expiration").and_then(Timestamp::parse);
    let ((Some(id), Some(secret), Some(token)), Some(until)) = (found, until) else {
        return failed(Cause::Configuration, "the answer holds no credentials");
    };
    let key = Key { access_key_id: id.to_owned(), secret: Secret::new(secret) };
    Ok(Credentials { key, token: Some(Secret::new(token)), until: Some(until) })
}

/// Returns the text of the first element of a name. Credentials and codes need no unescaping.
fn element<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}

/// Returns why a text cannot name a role.
pub(super) fn role_problem(arn: &str) -> Option<&'static str> {
    let mut parts = arn.splitn(6, ':');
    let fine = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let path = |part: &str| {
        part.strip_prefix("role/").is_some_and(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&byte))
        })
    };
    let good = arn.len() <= 2_048
        && parts.next() == Some("arn")
        && parts.next().is_some_and(fine)
        && parts.next() == Some("iam")
        && parts.next() == Some("")
        && parts
            .next()
            .is_some_and(|part| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit()))
        && parts.next().is_some_and(path);
    (!good).then_some("is the ARN of a role such as arn:aws:iam::123456789012:role/audit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, body: body.to_owned().into(), ..Response::default() }
    }

    #[test]
    fn credentials_are_read() {
        let body = "<AssumeRoleResponse><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
            <SecretAccessKey>s/+=</SecretAccessKey><SessionToken> t/+== </SessionToken>\
            <Expiration>2026-11-22T01:00:00Z</Expiration></Credentials></AssumeRoleResponse>";
        let read = credentials(&answer(200, body)).unwrap();
        assert_eq!(read.key.access_key_id, "ASIA1");
        assert_eq!(read.token.unwrap().danger_reveal(), "t/+==");
        assert_eq!(read.until, Some(Timestamp::parse("2026-11-22T01:00:00Z").unwrap()));
        for cut in ["", "<AccessKeyId>", "<AccessKeyId>a b</AccessKeyId>"] {
            assert_eq!(credentials(&answer(200, cut)).unwrap_err().cause, Cause::Configuration);
        }
    }

    #[test]
    fn a_refusal_names_the_code() {
        let body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
        let failure = credentials(&answer(403, body)).unwrap_err();
        assert_eq!(failure.cause, Cause::Credentials);
        assert!(failure.detail.contains("403 AccessDenied"), "{}", failure.detail);
        assert_eq!(credentials(&answer(503, "")).unwrap_err().cause, Cause::Unavailable);
    }

    #[test]
    fn only_roles_are_roles() {
        #[track_caller]
        fn check(arn: &str, expected: bool) {
            assert_eq!(role_problem(arn).is_none(), expected, "{arn}");
        }
        check("arn:aws:iam::123456789012:role/audit", true);
        check("arn:aws-cn:iam::123456789012:role/path/audit.x", true);
        check("arn:aws:iam::123456789012:user/audit", false);
        check("arn:aws:iam::12345:role/audit", false);
        check("arn:aws:iam:eu-central-1:123456789012:role/a", false);
        check("role/audit", false);
        check("arn:aws:iam::123456789012:role/a&Action=x", false);
    }
}

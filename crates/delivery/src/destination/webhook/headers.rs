//! Extra headers of a webhook: which names are allowed, and what a value may hold.
//!
//! A configured header must not take part in framing or routing, must not imitate ours, and must not turn the
//! request into one that a cloud's metadata service would answer.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    destination::Members,
    secret::{Secret, Secrets},
};

const HEADERS_MAX: usize = 16;
const VALUE_BYTES_MAX: usize = 4_096;

/// Names that are refused: framing, routing and hop-by-hop (RFC 9110, 7.6.1), ours, and metadata services'.
const REFUSED: [&str; 21] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "forwarded",
    "via",
    "http2-settings",
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
    "metadata",
    "metadata-flavor",
    "metadata-token",
    "x-google-metadata-request",
    "x-identity-header",
];
const REFUSED_PREFIXES: [&str; 4] = ["proxy-", "webhook-", "attestary-", "x-forwarded-"];

/// Reads the member `headers`: an object of names and values.
pub(in crate::destination) fn read(members: &mut Members<'_>) -> BTreeMap<String, Secret> {
    let Some(value) = members.take("headers") else { return BTreeMap::new() };
    let Some(object) = value.as_object().filter(|object| object.len() <= HEADERS_MAX) else {
        members.refuse("headers", format!("must be an object of at most {HEADERS_MAX} headers"));
        return BTreeMap::new();
    };
    let mut headers = BTreeMap::new();
    for (name, value) in object {
        let pointer = format!("headers/{}", name.replace('~', "~0").replace('/', "~1"));
        match value.as_str().map(|value| check(name, value)) {
            Some(Ok(())) => drop(
                headers
                    .insert(name.to_ascii_lowercase(), Secret::new(value.as_str().unwrap_or(""))),
            ),
            Some(Err(problem)) => members.refuse(&pointer, problem),
            None => members.refuse(&pointer, "must be a string"),
        }
    }
    headers
}

/// Returns the header for the wire; `None` for what validation would not have let through.
pub(in crate::destination) fn pair(
    name: &str,
    value: &Secret,
) -> Option<(HeaderName, HeaderValue)> {
    let mut line = HeaderValue::from_str(value.danger_reveal()).ok()?;
    line.set_sensitive(true);
    check(name, value.danger_reveal()).ok()?;
    Some((name.parse().ok()?, line))
}

/// Adds the extra headers to those of a request.
pub(in crate::destination) fn put(headers: &mut HeaderMap, secrets: &Secrets) {
    headers.extend(secrets.headers.iter().filter_map(|(name, value)| pair(name, value)));
}

fn check(name: &str, value: &str) -> Result<(), String> {
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || name.len() > 128 || lower.parse::<HeaderName>().is_err() {
        return Err("is not the name of a header".to_owned());
    }
    if REFUSED.contains(&lower.as_str())
        || REFUSED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
    {
        return Err("this header cannot be configured".to_owned());
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(format!("must have at most {VALUE_BYTES_MAX} bytes; this has {}", value.len()));
    }
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("must hold printable ASCII only".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_header(name: &str, value: &str, expected: bool) {
        assert_eq!(check(name, value).is_ok(), expected, "{name}: {value:?}");
    }

    #[test]
    fn credentials_and_own_headers_are_allowed() {
        check_header("Authorization", "Bearer abc.def", true);
        check_header("X-Api-Key", "k", true);
        check_header("X-Scope-OrgID", "7", true);
    }

    #[test]
    fn headers_that_frame_route_or_imitate_are_refused() {
        let all = REFUSED.iter().copied().chain([
            "HOST",
            "Connection",
            "Proxy-Authorization",
            "webhook-id",
            "Webhook-Signature",
            "Attestary-Seq",
            "X-Forwarded-For",
            "Metadata-Flavor",
        ]);
        all.for_each(|name| check_header(name, "x", false));
    }

    #[test]
    fn a_header_cannot_smuggle_another() {
        check_header("x-a", "1\r\nhost: evil", false);
        check_header("x-a", "1\n", false);
        check_header("x-a", "\0", false);
        check_header("x-a\r\nhost", "1", false);
        check_header("x a", "1", false);
        check_header("", "1", false);
        check_header("x-a", "é", false);
        check_header("x-a", &"x".repeat(4_097), false);
    }
}

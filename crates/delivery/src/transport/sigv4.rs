//! Amazon's Signature Version 4 for one request, by Amazon's own signer. No clock: the time is a parameter.

use std::time::{Duration, SystemTime};

use attestary_event::Timestamp;
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::{destination::sts, health::Cause, verdict::Failure};

/// What signs, and for which service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    /// Region, as in the credential's scope.
    pub(crate) region: &'a str,
    /// Service, as in the credential's scope.
    pub(crate) service: &'a str,
    /// What signs.
    pub(crate) credentials: &'a sts::Credentials,
}

/// Adds the headers that sign a request: all of `headers`, host, time and the body's hash are covered.
///
/// `body_sha256` is in hexadecimal. Paths are taken as they are encoded in the URL.
pub(crate) fn apply(
    key: &Key<'_>,
    method: &Method,
    url: &Url,
    headers: &mut HeaderMap,
    body_sha256: &str,
    at: Timestamp,
) -> Result<(), Failure> {
    let failed = |what: String| Failure::new(Cause::Configuration, what);
    let id = key.credentials.key.access_key_id.as_str();
    let secret = key.credentials.key.secret.danger_reveal();
    let token = key.credentials.token.as_ref().map(|token| token.danger_reveal().to_owned());
    let identity: Identity = Credentials::new(id, secret, token, None, "destination").into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(at.0.max(0).unsigned_abs());
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(key.region)
        .name(key.service)
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| failed(format!("the request cannot be signed: {error}")))?
        .into();
    let pairs: Vec<(&str, &str)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let body = SignableBody::Precomputed(body_sha256.to_owned());
    let request = SignableRequest::new(method.as_str(), url.as_str(), pairs.into_iter(), body)
        .map_err(|error| failed(format!("the request cannot be signed: {error}")))?;
    let (instructions, _) = sign(request, &params)
        .map_err(|error| failed(format!("the request cannot be signed: {error}")))?
        .into_parts();
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(value);
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(failed("the signature does not fit into headers".to_owned()));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// Example "PUT Object" of Amazon's description of the signature for S3: key, time and signature are published
    /// there.
    #[test]
    fn a_published_example_has_the_published_signature() {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let access_key_id = "AKIAIOSFODNN7EXAMPLE".to_owned();
        let key = sts::Key { access_key_id, secret };
        let credentials = sts::Credentials { key, token: None, until: None };
        let key = Key { region: "us-east-1", service: "s3", credentials: &credentials };
        let url = Url::parse("https://examplebucket.s3.amazonaws.com/test%24file.text").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("date", HeaderValue::from_static("Fri, 24 May 2013 00:00:00 GMT"));
        headers.insert("x-amz-storage-class", HeaderValue::from_static("REDUCED_REDUNDANCY"));
        let at = Timestamp::parse("2013-05-24T00:00:00Z").unwrap();
        let body = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        apply(&key, &Method::PUT, &url, &mut headers, body, at).unwrap();
        assert_eq!(
            headers["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, \
             Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
    }
}

//! Google Cloud Storage: one object a batch, put with the condition that there is none (generation 0).
//!
//! The XML interface is used, whose put takes condition and metadata as headers, so that the put is the one that all
//! object stores share. Permitted by a service account's token,
//! or by that of the service's own identity.

use http::HeaderName;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Envelope, ManagedBy, Members, Request,
    grant::{self, read_credentials},
    object::{self, Layout, Metadata},
    s3,
};
use crate::{batch::Batch, guard::Target, secret::Secrets, tls, transport::object::Signature};

/// What the token is asked for: reading and writing objects, nothing else.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
/// Usual endpoint.
const ENDPOINT: &str = "https://storage.googleapis.com/";

/// Configuration of a Cloud Storage destination. The service account's key file is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Name of the bucket.
    pub bucket: String,
    /// Another endpoint than `https://storage.googleapis.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Url>,
    /// Certificates (PEM) that are trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Keys and sizes of objects.
    #[serde(flatten)]
    pub layout: Layout,
}

impl Config {
    pub(super) fn read(
        members: &mut Members<'_>,
        managed_by: ManagedBy,
    ) -> Option<(Self, Option<Secrets>)> {
        let bucket = s3::checked(members, "bucket", bucket_problem);
        let endpoint = s3::read_endpoint(members);
        let credentials = read_credentials(members, managed_by);
        let ca = tls::read_ca(members);
        let layout = Layout::read(members);
        let config = Self { bucket: bucket?.to_owned(), endpoint: endpoint?, ca, layout };
        Some((config, Some(credentials?)))
    }

    fn base(&self) -> Url {
        let root = self.endpoint.clone();
        let root = root.unwrap_or_else(|| Url::parse(ENDPOINT).expect("a constant URL parses"));
        object::url(&root, &self.bucket)
    }

    pub(crate) fn target(&self) -> Target {
        super::http::target(&self.base())
    }

    pub(super) fn request(&self, batch: &Batch, envelope: &Envelope<'_>) -> Request {
        let signature = match grant::google(envelope, SCOPE) {
            Some(grant) => Signature::Bearer(Box::new(grant)),
            None => Signature::Missing,
        };
        let metadata = Metadata {
            digest: HeaderName::from_static("x-goog-meta-attestary-digest"),
            destination: HeaderName::from_static("x-goog-meta-attestary-destination"),
        };
        let mut put = object::put(&self.base(), &self.layout, metadata, batch, envelope, signature);
        // Google's form of "if there is none".
        put.headers.remove(http::header::IF_NONE_MATCH);
        put.header(HeaderName::from_static("x-goog-if-generation-match"), "0");
        Request::Object(Box::new(put))
    }

    pub(super) fn summary(&self) -> String {
        format!("PUT gs://{}", self.bucket)
    }
}

/// Returns why a text cannot name a bucket. <https://cloud.google.com/storage/docs/buckets#naming>
fn bucket_problem(name: &str) -> Option<&'static str> {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| edge(byte) || b"-_.".contains(&byte);
    let bytes = name.as_bytes();
    let ends = || edge(bytes[0]) && edge(bytes[bytes.len() - 1]);
    (!(3..=222).contains(&bytes.len()) || !bytes.iter().copied().all(inner) || !ends())
        .then_some("must have 3 to 222 lower-case letters, digits, - _ and ., and begin and end with a letter or digit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_named_as_google_says() {
        #[track_caller]
        fn check(name: &str, expected: bool) {
            assert_eq!(bucket_problem(name).is_none(), expected, "{name}");
        }
        check("audit-acme", true);
        check("audit_1.example.com", true);
        check("a", false);
        check("", false);
        check("Audit", false);
        check("-audit", false);
        check("audit/..", false);
    }
}

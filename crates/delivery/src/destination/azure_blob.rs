//! Azure Blob Storage: one block blob a batch, put with `If-None-Match: *`, permitted by a shared access signature.
//!
//! The signature (SAS) is made by the container's owner for this container with the permissions create, write and
//! read; it stands in the query of every request and is a secret.

use http::HeaderName;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Envelope, Members, Request,
    object::{self, Layout, Metadata},
    s3,
};
use crate::{
    batch::Batch,
    guard::Target,
    secret::{Secret, Secrets},
    tls,
    transport::object::Signature,
};

/// Name of the signature among the secrets.
const SECRET: &str = "sas";
/// Version of the protocol whose rules for conditional puts are meant.
const VERSION: &str = "2021-12-02";

/// Configuration of an Azure Blob destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Name of the storage account.
    pub account: String,
    /// Name of the container.
    pub container: String,
    /// Another endpoint than `https://<account>.blob.core.windows.net`, account included where its path needs it.
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
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let account = s3::checked(members, "account", account_problem);
        let container = s3::checked(members, "container", container_problem);
        let endpoint = s3::read_endpoint(members);
        let sas = members.secret(SECRET);
        if let Some(problem) = sas.as_ref().and_then(|sas| sas_problem(sas.danger_reveal())) {
            members.refuse(SECRET, problem);
        }
        let ca = tls::read_ca(members);
        let layout = Layout::read(members);
        let sas = sas?;
        let sas = sas.danger_reveal().trim_start_matches('?');
        let config = Self {
            account: account?.to_owned(),
            container: container?.to_owned(),
            endpoint: endpoint?,
            ca,
            layout,
        };
        Some((config, Some(Secrets::named([(SECRET, Secret::new(sas))]))))
    }

    fn base(&self) -> Url {
        let root = self.endpoint.clone().unwrap_or_else(|| {
            let text = format!("https://{}.blob.core.windows.net/", self.account);
            Url::parse(&text).expect("the account's name was checked when it was validated")
        });
        object::url(&root, &self.container)
    }

    pub(crate) fn target(&self) -> Target {
        super::http::target(&self.base())
    }

    pub(super) fn request(&self, batch: &Batch, envelope: &Envelope<'_>) -> Request {
        let secret = envelope.secrets.value(SECRET).cloned().unwrap_or_else(|| Secret::new(""));
        let metadata = Metadata {
            digest: HeaderName::from_static("x-ms-meta-attestary_digest"),
            destination: HeaderName::from_static("x-ms-meta-attestary_destination"),
        };
        let signature = Signature::Query(secret);
        let mut put = object::put(&self.base(), &self.layout, metadata, batch, envelope, signature);
        put.header(HeaderName::from_static("x-ms-blob-type"), "BlockBlob");
        put.header(HeaderName::from_static("x-ms-version"), VERSION);
        // The blob's own encoding; Azurite takes the request's for how the request is encoded.
        if put.packing == object::Packing::Gzip {
            put.header(HeaderName::from_static("x-ms-blob-content-encoding"), "gzip");
        }
        Request::Object(Box::new(put))
    }

    pub(super) fn summary(&self) -> String {
        format!("PUT azure://{}/{}", self.account, self.container)
    }
}

fn account_problem(name: &str) -> Option<&'static str> {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (!(3..=24).contains(&name.len()) || !name.bytes().all(fine))
        .then_some("must have 3 to 24 lower-case letters and digits")
}

fn container_problem(name: &str) -> Option<&'static str> {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edges = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    (!(3..=63).contains(&name.len()) || edges || !name.bytes().all(fine))
        .then_some("must have 3 to 63 lower-case letters, digits and single dashes")
}

/// Returns why a text cannot be a shared access signature: it goes into a query as it stands.
fn sas_problem(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches('?');
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%=&:/+,".contains(&byte);
    if text.is_empty() || text.len() > 2_048 || !text.bytes().all(fine) {
        return Some("is the query of a SAS URL: at most 2048 characters");
    }
    let signed = text.split('&').any(|pair| pair.starts_with("sig="));
    (!signed).then_some("has no signature (sig=…); give the query of the SAS URL")
}

#[cfg(test)]
mod tests;

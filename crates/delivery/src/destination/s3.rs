//! Amazon S3, and what speaks its protocol: one object a batch, put with `If-None-Match: *`.
//!
//! The bucket is addressed as a host name of its own where Amazon's rules allow it, and as the first part of the
//! path at other endpoints. Requests are signed with Signature Version 4 over every header and the body's SHA-256.

use attestary_event::{Timestamp, event::hex};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    Envelope, ManagedBy, Members, Request,
    object::{self, Layout, Metadata, Packing, Put},
    sts::{self, Signer},
    webhook,
};
use crate::{
    batch::{Batch, Kind},
    guard::Target,
    secret::{Secret, Secrets},
    tls,
    transport::object::Signature,
};

/// Name under which the key's secret stands among the secrets.
const SECRET: &str = "secret_access_key";

/// Metadata with the digest of what an object holds.
const DIGEST: &str = "x-amz-meta-attestary-digest";

/// External id and session of what belongs to no destination.
const SINGLE: &str = "anchors";

/// How long and how strictly an object is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Who may still remove it.
    pub mode: LockMode,
    /// For how many days after it was written.
    pub days: u32,
}

/// The modes of Object Lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Nobody, not even the account's owner.
    Compliance,
    /// Those with a special permission.
    Governance,
}

/// Configuration of an S3 destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Name of the bucket.
    pub bucket: String,
    /// Region, as in the signature.
    pub region: String,
    /// Other services' endpoint; absent for Amazon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Url>,
    /// The key's id; its secret is kept apart. Absent where the service's own identity signs or assumes the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// Role that is assumed, with the destination's id as external id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// Where the role is assumed; absent for the region's usual endpoint. Operators only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sts_endpoint: Option<Url>,
    /// Lock of every object; the bucket must have Object Lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<Lock>,
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
        let bucket = checked(members, "bucket", bucket_problem);
        let region = checked(members, "region", region_problem);
        let endpoint = read_url(members, "endpoint");
        let sts_endpoint = read_url(members, "sts_endpoint");
        let keyless = !members.present("access_key_id");
        let role_arn = members.present("role_arn");
        let role_arn = role_arn.then(|| checked(members, "role_arn", sts::role_problem));
        let access_key_id = (!keyless).then(|| checked(members, "access_key_id", key_problem));
        let secret = if keyless { None } else { members.secret(SECRET) };
        members.know(&["access_key_id", SECRET, "role_arn"]);
        if keyless && members.present(SECRET) {
            members.refuse("access_key_id", "is required with secret_access_key");
        }
        if managed_by == ManagedBy::Tenant {
            if keyless && role_arn.is_none() {
                members.refuse("access_key_id", "is required, or a role_arn");
            }
            if matches!(&sts_endpoint, Some(Some(_))) {
                members.refuse("sts_endpoint", "only operators may name another endpoint");
            }
        }
        if !keyless && secret.is_none() {
            return None;
        }
        let object_lock = read_lock(members);
        let ca = tls::read_ca(members);
        let mut layout = Layout::read(members);
        layout.security_lake = object::Lake::read(members, region.unwrap_or_default());
        if layout.security_lake.is_some() {
            layout.content = object::Content::Parquet;
        }
        let secrets = Secrets::named(secret.map(|secret| (SECRET, secret)));
        let given = |given: Option<Option<&str>>| match given {
            None => Some(None),
            Some(text) => text.map(|text| Some(text.to_owned())),
        };
        let config = Self {
            bucket: bucket?.to_owned(),
            region: region?.to_owned(),
            endpoint: endpoint?,
            access_key_id: given(access_key_id)?,
            role_arn: given(role_arn)?,
            sts_endpoint: sts_endpoint?,
            object_lock,
            ca,
            layout,
        };
        Some((config, Some(secrets)))
    }

    /// Returns the URL of the bucket.
    fn base(&self) -> Url {
        match &self.endpoint {
            Some(endpoint) => object::url(endpoint, &self.bucket),
            None => {
                let suffix = if self.region.starts_with("cn-") { ".cn" } else { "" };
                // Amazon's certificate covers one label: a bucket with dots goes into the path.
                let text = if self.bucket.contains('.') {
                    format!("https://s3.{}.amazonaws.com{suffix}/{}", self.region, self.bucket)
                } else {
                    format!("https://{}.s3.{}.amazonaws.com{suffix}/", self.bucket, self.region)
                };
                Url::parse(&text).expect("bucket and region were checked when they were validated")
            }
        }
    }

    pub(crate) fn target(&self) -> Target {
        super::http::target(&self.base())
    }

    pub(super) fn request(&self, batch: &Batch, envelope: &Envelope<'_>) -> Request {
        let signature = self.signature(envelope.secrets, envelope.spec.id.as_str());
        let metadata = Metadata {
            digest: HeaderName::from_static(DIGEST),
            destination: HeaderName::from_static("x-amz-meta-attestary-destination"),
        };
        let mut put = object::put(&self.base(), &self.layout, metadata, batch, envelope, signature);
        if batch.kind != Kind::Test {
            self.lock(&mut put, envelope.at);
        }
        Request::Object(Box::new(put))
    }

    /// Returns the put of one object that is no batch.
    pub(crate) fn single(&self, key: &str, body: Bytes, at: Timestamp, secrets: &Secrets) -> Put {
        let prefix = self.layout.prefix.as_str();
        let key = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") };
        let digest = hex(&Sha256::digest(&body));
        let name = HeaderName::from_static(DIGEST);
        let mut put = Put {
            url: object::url(&self.base(), &key),
            headers: HeaderMap::new(),
            body,
            packing: Packing::Plain,
            digest: (name.clone(), digest.clone()),
            signature: self.signature(secrets, SINGLE),
        };
        put.header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
        put.header(header::IF_NONE_MATCH, "*");
        put.header(name, &digest);
        self.lock(&mut put, at);
        put
    }

    fn signature(&self, secrets: &Secrets, external_id: &str) -> Signature {
        Signature::Aws {
            region: self.region.clone(),
            service: "s3",
            signer: self.signer(secrets, external_id),
            sts: self.sts(),
        }
    }

    fn lock(&self, put: &mut Put, at: Timestamp) {
        let Some(lock) = self.object_lock else { return };
        let mode = match lock.mode {
            LockMode::Compliance => "COMPLIANCE",
            LockMode::Governance => "GOVERNANCE",
        };
        let until = Timestamp(at.0 + i64::from(lock.days) * 86_400_000).to_string();
        put.header(HeaderName::from_static("x-amz-object-lock-mode"), mode);
        put.header(HeaderName::from_static("x-amz-object-lock-retain-until-date"), &until);
    }

    fn sts(&self) -> Url {
        self.sts_endpoint.clone().unwrap_or_else(|| sts::endpoint(&self.region))
    }

    /// Returns where a role is assumed; `None` where a key of the destination's own signs.
    pub(super) fn sts_target(&self) -> Option<Target> {
        self.role_arn.as_ref().map(|_| super::http::target(&self.sts()))
    }

    fn signer(&self, secrets: &Secrets, external_id: &str) -> Signer {
        let secret = || secrets.value(SECRET).cloned().unwrap_or_else(|| Secret::new(""));
        let key = self.access_key_id.clone();
        let key = key.map(|access_key_id| sts::Key { access_key_id, secret: secret() });
        match &self.role_arn {
            None => Signer::Direct(key),
            Some(arn) => Signer::Role(Box::new(sts::Role {
                arn: arn.clone(),
                external_id: external_id.to_owned(),
                session: format!("attestary-{external_id}"),
                by: key,
            })),
        }
    }

    pub(super) fn summary(&self) -> String {
        format!("PUT s3://{}", self.bucket)
    }
}

/// Returns a member that must be there and pass a check.
pub(super) fn checked<'a>(
    members: &mut Members<'a>,
    name: &'static str,
    problem: fn(&str) -> Option<&'static str>,
) -> Option<&'a str> {
    let text = members.text_required(name)?;
    match problem(text) {
        None => Some(text),
        Some(problem) => {
            members.refuse(name, problem);
            None
        }
    }
}

/// Returns why a text cannot name a bucket (the rules of general purpose buckets).
fn bucket_problem(name: &str) -> Option<&'static str> {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| edge(byte) || byte == b'-' || byte == b'.';
    let bytes = name.as_bytes();
    if !(3..=63).contains(&bytes.len()) {
        return Some("must have 3 to 63 bytes");
    }
    if !bytes.iter().copied().all(inner) || !edge(bytes[0]) || !edge(bytes[bytes.len() - 1]) {
        return Some(
            "may hold lower-case letters, digits, - and . and begins and ends without them",
        );
    }
    if name.contains("..") || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some("must not have two dots in a row nor be an address");
    }
    None
}

fn region_problem(name: &str) -> Option<&'static str> {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (name.is_empty() || name.len() > 64 || !name.bytes().all(fine))
        .then_some("is a region such as eu-central-1: lower-case letters, digits and -")
}

fn key_problem(text: &str) -> Option<&'static str> {
    (text.is_empty() || text.len() > 256 || !text.bytes().all(|byte| byte.is_ascii_graphic()))
        .then_some("must have 1 to 256 visible ASCII characters")
}

/// Reads the member `endpoint`. The outer `None` means that it is wrong.
#[expect(clippy::option_option, reason = "wrong, absent and given are three things")]
pub(super) fn read_endpoint(members: &mut Members<'_>) -> Option<Option<Url>> {
    read_url(members, "endpoint")
}

#[expect(clippy::option_option, reason = "wrong, absent and given are three things")]
fn read_url(members: &mut Members<'_>, name: &'static str) -> Option<Option<Url>> {
    let Some(text) = members.text(name) else { return Some(None) };
    match webhook::parse(text) {
        Ok(url) if url.query().is_none() => Some(Some(url)),
        Ok(_) => {
            members.refuse(name, "must not have a query");
            None
        }
        Err(problem) => {
            members.refuse(name, problem);
            None
        }
    }
}

fn read_lock(members: &mut Members<'_>) -> Option<Lock> {
    let value = members.take("object_lock")?;
    match serde_json::from_value::<Lock>(value.clone()) {
        Ok(lock) if (1..=36_500).contains(&lock.days) => Some(lock),
        Ok(_) => {
            members.refuse("object_lock/days", "must be between 1 and 36500");
            None
        }
        Err(error) => {
            members.refuse("object_lock", error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests;

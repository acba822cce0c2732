//! What every object store shares: the key of a batch, the put that writes it once, and what the answers mean.
//!
//! One batch is one object. Its key is a function of the events in it and of how they are written, never of time or
//! attempt, and it is put only if nothing is there yet. The range is saved before the first attempt, so a repeat
//! after a crash meets its own object and counts as delivered: every event is in exactly one object. Whether the
//! object found is the batch's own is told by its digest, which is made from leaf hashes. An erasure between two
//! attempts changes the bytes and not the digest, so it does not make the batch a stranger to itself.

mod lake;
pub(crate) mod table;

use attestary_event::{Timestamp, View, actions::KnownActions, event::hex};
use attestary_formats::Format;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use url::Url;

pub use self::lake::Lake;
use super::{Envelope, Members};
use crate::{
    batch::{Batch, BatchLimits, Kind},
    health::{Cause, Reason},
    spec::Spec,
    transport::object::Signature,
    verdict::{Response, RetryAfter, Verdict, judge_http},
};

/// Longest prefix of keys in bytes. Stores take keys of 1,024 bytes, of which the rest may need 700.
const PREFIX_BYTES_MAX: usize = 256;
/// Everything but the unreserved characters of RFC 3986: the form in which signatures see a path.
const KEY: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// A tenant's or environment's id inside a key.
const ID: AsciiSet = NON_ALPHANUMERIC.remove(b'-');

/// Whether objects are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// One gzip member (RFC 1952).
    #[default]
    Gzip,
    /// As the format gives it.
    None,
}

/// What an object is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// One event a line.
    #[default]
    Lines,
    /// One event a row of a Parquet file, compressed by column.
    Parquet,
}

/// What is done with the events of a batch before they go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Nothing.
    Plain,
    /// One gzip member.
    Gzip,
    /// A table.
    Table(table::Rules),
}

/// Members of OCSF that hold what applications name. Amazon's documentation asks for rows in the order of time.
const OCSF: table::Rules = table::Rules { free: &["unmapped"], sorted_by: Some("time") };
/// Those of the other formats.
const OTHERS: table::Rules =
    table::Rules { free: &["metadata", "source", "old", "new"], sorted_by: None };

/// What all object stores are configured with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Put before every key, without slashes at its ends; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Whether objects are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// What an object is.
    #[serde(default)]
    pub content: Content,
    /// Where objects lie in Amazon Security Lake; `s3` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_lake: Option<Lake>,
    /// Most events in an object.
    #[serde(default = "events_max")]
    pub events_max: usize,
    /// Most bytes in an object before compression; a single larger event still goes, alone.
    #[serde(default = "bytes_max")]
    pub bytes_max: usize,
    /// How old the first event may become before its object is written, in seconds.
    #[serde(default = "age_seconds")]
    pub age_seconds: u64,
    /// Most objects that are written at the same time. Their keys hold the order.
    #[serde(default = "in_flight_max")]
    pub in_flight_max: usize,
}

/// Bounded by what the driver looks at before it obeys commands.
const EVENTS_CEILING: u64 = 20_000;
/// Times the destinations that write at the same moment, this bounds delivery's memory.
const BYTES_CEILING: u64 = 16_000_000;
const AGE_CEILING_SECONDS: u64 = 3_600;
/// Times the bytes of an object, this bounds one destination's memory.
const IN_FLIGHT_CEILING: u64 = 8;

fn events_max() -> usize {
    10_000
}

fn bytes_max() -> usize {
    8_000_000
}

fn age_seconds() -> u64 {
    60
}

fn in_flight_max() -> usize {
    4
}

impl Layout {
    /// Reads the shared members.
    pub(super) fn read(members: &mut Members<'_>) -> Self {
        let prefix = members.text("prefix").unwrap_or_default();
        if let Some(problem) = prefix_problem(prefix) {
            members.refuse("prefix", problem);
        }
        let compression = match members.text("compression") {
            None | Some("gzip") => Compression::Gzip,
            Some("none") => Compression::None,
            Some(other) => {
                members.refuse("compression", format!("must be gzip or none; this is {other:?}"));
                Compression::Gzip
            }
        };
        let content = match members.text("content") {
            None | Some("lines") => Content::Lines,
            Some("parquet") => Content::Parquet,
            Some(other) => {
                members.refuse("content", format!("must be lines or parquet; this is {other:?}"));
                Content::Lines
            }
        };
        let events = members.integer("events_max", 1, EVENTS_CEILING);
        let bytes = members.integer("bytes_max", 10_000, BYTES_CEILING);
        let age_seconds =
            members.integer("age_seconds", 1, AGE_CEILING_SECONDS).unwrap_or_else(age_seconds);
        let in_flight = members.integer("in_flight_max", 1, IN_FLIGHT_CEILING);
        Self {
            prefix: prefix.to_owned(),
            compression,
            content,
            security_lake: None,
            events_max: events.map_or_else(events_max, |count| count as usize),
            bytes_max: bytes.map_or_else(bytes_max, |count| count as usize),
            age_seconds,
            in_flight_max: in_flight.map_or_else(in_flight_max, |count| count as usize),
        }
    }

    /// Returns the limits of a batch.
    pub(super) fn limits(&self) -> BatchLimits {
        BatchLimits {
            events_max: self.events_max,
            bytes_max: self.bytes_max,
            linger_ms: 0,
            in_flight_max: self.in_flight_max,
        }
    }

    /// Returns why events in a format cannot be written so.
    pub(super) fn refuses(&self, format: &Format) -> Option<&'static str> {
        if let Some(problem) = self.security_lake.as_ref().and_then(|lake| lake.refuses(format)) {
            return Some(problem);
        }
        (self.content == Content::Parquet && !format.is_json())
            .then_some("must be a format of JSON objects for Parquet")
    }

    /// Returns true when events that were received then do not stand in one object.
    pub(super) fn separates(&self, first: Timestamp, next: Timestamp) -> bool {
        const DAY_MS: i64 = 86_400_000;
        self.security_lake.is_some() && first.0.div_euclid(DAY_MS) != next.0.div_euclid(DAY_MS)
    }

    fn packing(&self, format: &Format) -> Packing {
        match (self.content, self.compression) {
            (Content::Parquet, _) if matches!(format, Format::Ocsf(_)) => Packing::Table(OCSF),
            (Content::Parquet, _) => Packing::Table(OTHERS),
            (Content::Lines, Compression::Gzip) => Packing::Gzip,
            (Content::Lines, Compression::None) => Packing::Plain,
        }
    }

    /// Returns how long a batch that is not full may wait.
    pub(super) fn gathers(&self) -> Duration {
        Duration::from_secs(self.age_seconds)
    }
}

/// Returns why a text cannot be the beginning of keys.
fn prefix_problem(prefix: &str) -> Option<&'static str> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!*'()/=".contains(&byte);
    if prefix.len() > PREFIX_BYTES_MAX {
        Some("must have at most 256 bytes")
    } else if !prefix.bytes().all(safe) {
        Some("may hold letters, digits and - _ . ! * ' ( ) / = only")
    } else if !prefix.is_empty()
        && prefix.split('/').any(|part| part.is_empty() || part == "." || part == "..")
    {
        Some("must not begin or end with a slash, nor have empty parts or parts . and ..")
    } else {
        None
    }
}

/// An object to be written if nothing is there yet.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    /// Where to, key included.
    pub(crate) url: Url,
    /// Condition, lock and metadata; what signs the request is added by the transport.
    pub(crate) headers: HeaderMap,
    /// The events, not compressed yet.
    pub(crate) body: Bytes,
    /// What the transport does with the body.
    pub(crate) packing: Packing,
    /// Metadata that tells whether an object that is there is this one.
    pub(crate) digest: (HeaderName, String),
    /// How the request is signed.
    pub(crate) signature: Signature,
}

/// Names of the metadata that every object has.
pub(super) struct Metadata {
    /// Of the digest.
    pub(super) digest: HeaderName,
    /// Of the destination.
    pub(super) destination: HeaderName,
}

/// Returns the put of a batch below `base`, and nowhere where something is.
pub(super) fn put(
    base: &Url,
    layout: &Layout,
    metadata: Metadata,
    batch: &Batch,
    envelope: &Envelope<'_>,
    signature: Signature,
) -> Put {
    let digest = digest(batch, envelope.format, layout.content);
    let packing = layout.packing(envelope.format);
    let mut put = Put {
        url: url(base, &key(layout, batch, envelope, &digest)),
        headers: HeaderMap::new(),
        body: batch.bytes.clone().into(),
        packing,
        digest: (metadata.digest.clone(), digest.clone()),
        signature,
    };
    put.header(
        header::CONTENT_TYPE,
        match packing {
            Packing::Table(_) => "application/vnd.apache.parquet",
            _ => envelope.format.content_type(),
        },
    );
    if packing == Packing::Gzip {
        put.header(header::CONTENT_ENCODING, "gzip");
    }
    put.header(header::IF_NONE_MATCH, "*");
    put.header(metadata.digest, &digest);
    put.header(metadata.destination, &owner(envelope.spec));
    put
}

impl Put {
    /// Adds a header; `value` is made of ids, dates and hashes.
    pub(super) fn header(&mut self, name: HeaderName, value: &str) {
        let value = HeaderValue::from_str(value).expect("ids, dates and hashes are ASCII");
        self.headers.insert(name, value);
    }
}

/// Returns the digest of a batch: which events, in which order, written how.
pub(super) fn digest(batch: &Batch, format: &Format, content: Content) -> String {
    let mut hash = Sha256::new_with_prefix(b"attestary object v1\n");
    hash.update(serde_json::to_vec(format).expect("a format is JSON"));
    if content == Content::Parquet {
        hash.update(b"\nparquet\n");
    }
    for record in &batch.records {
        hash.update(record.leaf_hash);
    }
    hex(&hash.finalize())
}

/// Returns the key of a batch.
///
/// `<prefix>/environment=…/tenant=…/dt=YYYY-MM-DD/hour=HH/<first>-<last>-<digest>.ndjson.gz`; day and hour are
/// those in which the service received the first event. A checkpoint is `checkpoint-<size>-<digest>…` beside them, a test
/// stands under `<prefix>/attestary-test/`.
pub(super) fn key(layout: &Layout, batch: &Batch, envelope: &Envelope<'_>, digest: &str) -> String {
    let mut key = layout.prefix.clone();
    if !key.is_empty() {
        key.push('/');
    }
    let ending = match (layout.packing(envelope.format), envelope.format.is_json()) {
        (Packing::Table(_), _) => "parquet",
        (Packing::Gzip, true) => "ndjson.gz",
        (Packing::Plain, true) => "ndjson",
        (Packing::Gzip, false) => "txt.gz",
        (Packing::Plain, false) => "txt",
    };
    if batch.kind == Kind::Test {
        return format!("{key}attestary-test/{}.{ending}", envelope.id);
    }
    let spec = envelope.spec;
    let (environment, tenant) = (id(spec.environment.as_str()), id(spec.tenant.as_str()));
    let received = batch.records.first().map_or(envelope.at, |record| record.received_at);
    let directory = layout.security_lake.as_ref().map(|lake| lake.directory(received));
    let directory = directory.unwrap_or_else(|| {
        let received = received.to_string();
        let (day, hour) = (&received[..10], &received[11..13]);
        format!("environment={environment}/tenant={tenant}/dt={day}/hour={hour}/")
    });
    let (first, last) = batch.first_seq().zip(batch.last_seq()).unwrap_or_default();
    let name = match batch.kind {
        Kind::Checkpoint => format!("checkpoint-{first:020}"),
        _ => format!("{first:020}-{last:020}"),
    };
    format!("{key}{directory}{name}-{}.{ending}", &digest[..16])
}

/// Returns an id as it stands in names: everything outside `[A-Za-z0-9-]` as `%XX`.
pub(super) fn id(text: &str) -> String {
    utf8_percent_encode(text, &ID).to_string()
}

/// Returns the URL of a key below a base, which may have a path.
pub(super) fn url(base: &Url, key: &str) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{}", base.path().trim_end_matches('/'), utf8_percent_encode(key, &KEY));
    url.set_path(&path);
    url
}

/// Appends one event as a line.
pub(super) fn encode(view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
    format.encode(view, actions, out);
    out.push(b'\n');
}

/// Judges the answer to a put. 4xx never speaks about an event here, so nothing is set aside.
pub(super) fn judge(response: &Response) -> Verdict {
    let code = error_code(&response.excerpt);
    let told = |what: &str| match code {
        Some(code) => {
            format!("the object store answered {} {code}: {what}", response.status)
        }
        None => format!("the object store answered {}: {what}", response.status),
    };
    let retry = |what: &str| {
        let after = response.retry_after.as_deref().and_then(RetryAfter::parse);
        Verdict::Retry { after, reason: Reason::new(Cause::Unavailable, told(what)) }
    };
    let pause = |what: &str| Verdict::Pause { reason: Reason::new(Cause::Refused, told(what)) };
    match (response.status, code) {
        (_, Some("RequestTimeTooSkewed")) => pause("the clocks differ too much"),
        (400, Some("RequestTimeout" | "IncompleteBody")) => retry("the upload was cut short"),
        // Another conditional write to the same key is under way; what came of it is seen at the next attempt.
        (409, _) => retry("another write to the object is under way"),
        (301 | 307 | 308, _) => pause("the bucket is in another region or at another endpoint"),
        (400, Some("ExpiredToken" | "InvalidToken")) => pause("the credentials are not valid"),
        (400 | 422, _) => pause("it refuses the request"),
        (403, _) => pause("the credentials may not write this object"),
        (404, _) => pause("there is no such bucket"),
        _ => judge_http(response),
    }
}

/// Returns the stable code in an error document (`<Code>…</Code>`), as far as the excerpt holds it.
fn error_code(excerpt: &str) -> Option<&str> {
    let (_, rest) = excerpt.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(code)
}

/// Judges an object that was there already.
pub(super) fn judge_existing(same: bool) -> Verdict {
    if same {
        return Verdict::Delivered;
    }
    let detail = "another object stands where the batch belongs; nothing is overwritten: remove it or change the prefix";
    Verdict::Pause { reason: Reason::new(Cause::Configuration, detail) }
}

/// Returns whose object it is, for the metadata of the object.
pub(super) fn owner(spec: &Spec) -> String {
    spec.id.to_string()
}

#[cfg(test)]
mod tests;

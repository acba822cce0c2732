//! What all destinations that speak HTTP have in common: an endpoint, a request that may be compressed, authorised
//! and confirmed, and what the receiver is known to take.
//!
//! A destination says what goes out and what an answer means. How it goes out (sockets, tokens, compression,
//! polling for a confirmation) is the transport's work.

use std::time::Duration;

use attestary_event::{
    Timestamp, View, actions::KnownActions, event::write_hex, scan::write_string,
};
use attestary_formats::Format;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Envelope, Members, grant::Grant};
use crate::{
    batch::Batch,
    guard::{Host, Kind, Target},
    secret::Secret,
    tls,
    verdict::{Response, Verdict, judge_http},
};

/// Longest URL in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Most bytes of an answer that only explains.
pub(crate) const REPLY_BYTES: usize = 64 * 1024;

/// A destination that speaks HTTP: pure functions over its configuration.
pub(crate) trait HttpDestination {
    /// Returns where it connects to.
    fn endpoint(&self) -> &Endpoint;

    /// Returns what the receiver is known to take.
    fn limits(&self) -> Limits;

    /// Returns the format of a destination that names none.
    fn default_format(&self) -> Format {
        Format::default()
    }

    /// Returns why it cannot carry a format.
    fn refuses(&self, _format: &Format) -> Option<String> {
        None
    }

    /// Returns the URL at which its tokens are fetched, when the configuration names one.
    fn token_url(&self) -> Option<&Url> {
        None
    }

    /// Appends one event in the form in which it stands in a batch.
    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>);

    /// Turns a batch into one exchange.
    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange;

    /// Turns the answer to a batch of `events` events into a verdict.
    fn judge(&self, response: &Response, _events: usize) -> Verdict {
        judge_http(response)
    }
}

/// Where a destination connects to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Base or full URL, as the destination's page says.
    pub url: Url,
    /// Certificates (PEM) that are trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

impl Endpoint {
    /// Reads the members `url`, which must be there, and `ca`.
    pub(super) fn read(members: &mut Members<'_>) -> Option<Self> {
        let url = members.text_required("url");
        Self::of(members, url)
    }

    /// Reads the members `url`, for which `usual` stands when it is absent, and `ca`.
    pub(super) fn read_or(members: &mut Members<'_>, usual: Option<&str>) -> Option<Self> {
        let url = members.text("url").or(usual);
        Self::of(members, url)
    }

    fn of(members: &mut Members<'_>, url: Option<&str>) -> Option<Self> {
        let ca = tls::read_ca(members);
        Some(Self { url: read_url(members, "url", url?)?, ca })
    }

    /// Returns the network address.
    pub(crate) fn target(&self) -> Target {
        target(&self.url)
    }

    /// Returns the URL with segments appended to its path and no query.
    pub(super) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        url.set_query(None);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

/// Reads a URL; what it may point at is the guard's question.
pub(super) fn read_url(members: &mut Members<'_>, name: &'static str, text: &str) -> Option<Url> {
    match parse_url(text, "") {
        Ok(url) => Some(url),
        Err(problem) => {
            members.refuse(name, problem);
            None
        }
    }
}

/// Parses a URL; what it may point at is the guard's question. `advice` says where user names and passwords belong.
pub(super) fn parse_url(text: &str, advice: &str) -> Result<Url, String> {
    if text.len() > URL_BYTES_MAX {
        return Err(format!("must have at most {URL_BYTES_MAX} bytes; this has {}", text.len()));
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("must begin with https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("must not hold a user name or password{advice}"));
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment".to_owned());
    }
    Host::of_url(&url).map(|_| url)
}

/// Returns the network address of a URL that was parsed by this module.
pub(crate) fn target(url: &Url) -> Target {
    let host = Host::of_url(url).expect("the URL was checked when it was validated");
    let port = url.port_or_known_default().expect("http and https have default ports");
    Target { host, port, kind: Kind::Http, encrypted: url.scheme() == "https" }
}

/// One exchange: a request, and what it takes to send it and to believe the answer.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body is compressed on its way out; the headers do not say so yet.
    pub(crate) gzip: bool,
    /// A token is fetched and sent as `Authorization: Bearer`.
    pub(crate) grant: Option<Grant>,
    /// The answer to this confirms nothing yet: it is polled for.
    pub(crate) confirm: Option<Confirm>,
    /// Most bytes of the answer that are read.
    pub(crate) reply_max: usize,
}

/// How a confirmation is asked for after the batch was taken.
#[derive(Debug, Clone)]
pub(crate) struct Confirm {
    /// Where to ask.
    pub(crate) url: Url,
    /// With which headers.
    pub(crate) headers: HeaderMap,
    /// A receiver that confirms nothing fails the batch, rather than being taken at its word.
    pub(crate) required: bool,
}

impl Exchange {
    /// Returns a POST of JSON.
    pub(super) fn post(url: Url, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("attestary"));
        Self {
            method: Method::POST,
            url,
            headers,
            body: body.into(),
            gzip: true,
            grant: None,
            confirm: None,
            reply_max: REPLY_BYTES,
        }
    }

    /// Adds a header that is no secret.
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds a header whose value is a secret, after a prefix such as `Bearer `.
    pub(super) fn secret(
        mut self,
        name: HeaderName,
        prefix: &str,
        secret: Option<&Secret>,
    ) -> Self {
        let text = format!("{prefix}{}", secret.map_or("", Secret::danger_reveal));
        if let Ok(mut value) = HeaderValue::from_str(&text) {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }
}

/// What a receiver is known to take; the engine cuts batches accordingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of encoded events in one batch, before compression.
    pub bytes_max: usize,
    /// Events in one batch.
    pub events_max: usize,
    /// Bytes of one event; a longer one is shortened and says so.
    pub event_bytes_max: usize,
    /// Older events vanish silently there; they are sent with the time of sending, their own beside it.
    pub age_max: Option<Duration>,
    /// Later events are refused there; they are sent with the time of sending, their own beside it.
    pub future_max: Option<Duration>,
    /// The receiver drops repeats of an event, within a window of its own.
    pub deduplicates: bool,
}

impl Limits {
    /// The rule that is safe everywhere: 1 MB and 500 events (the envelope of a batch has room in it).
    pub const SAFE: Self = Self {
        bytes_max: 950_000,
        events_max: 500,
        event_bytes_max: 900_000,
        age_max: None,
        future_max: None,
        deduplicates: false,
    };

    /// Returns the time to send for an event of time `own`, at the time `at`; the second value tells whether it
    /// had to be another.
    pub(crate) fn stamp(&self, own: i64, at: Timestamp) -> (i64, bool) {
        let span = |limit: Option<Duration>| {
            limit.map_or(i64::MAX, |limit| i64::try_from(limit.as_millis()).unwrap_or(i64::MAX))
        };
        let early = own < at.0.saturating_sub(span(self.age_max).saturating_sub(MARGIN_MS));
        let late = own > at.0.saturating_add(span(self.future_max).saturating_sub(MARGIN_MS));
        if early || late { (at.0, true) } else { (own, false) }
    }
}

/// Kept from a receiver's age limit: clocks differ, and a batch may wait for an attempt.
const MARGIN_MS: i64 = 10 * 60 * 1_000;

/// Returns when an event happened, in milliseconds; the time of receipt when it does not say or names a year
/// outside 1970 to 9999, which receivers refuse.
pub(crate) fn occurred_at(view: &View<'_>) -> Timestamp {
    let own = view.text("/occurred_at").and_then(Timestamp::parse);
    own.filter(|at| (0..=253_402_300_799_999).contains(&at.0)).unwrap_or(view.event.received_at)
}

/// Appends the event's record as a JSON value: an object, or a string for formats that are no JSON.
pub(super) fn put_record(
    view: &View<'_>,
    format: &Format,
    actions: &KnownActions,
    bytes_max: usize,
    out: &mut Vec<u8>,
) {
    if format.is_json() {
        format.encode_within(view, actions, bytes_max, out);
    } else {
        // As a JSON string a line grows by its quotes, backslashes and non-printing bytes.
        write_string(&record_text(view, format, actions, bytes_max / 2), out);
    }
}

/// Returns the event's record as text.
pub(super) fn record_text(
    view: &View<'_>,
    format: &Format,
    actions: &KnownActions,
    bytes_max: usize,
) -> String {
    let mut line = Vec::with_capacity(1_024);
    format.encode_within(view, actions, bytes_max, &mut line);
    String::from_utf8(line)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Appends `"key":"value"`, escaped, after a comma unless an object has just begun.
pub(super) fn put_text(out: &mut Vec<u8>, key: &str, value: &str) {
    separate(out);
    write_string(key, out);
    out.push(b':');
    write_string(value, out);
}

/// Appends `"key":` and what follows is JSON already.
pub(super) fn put_key(out: &mut Vec<u8>, key: &str) {
    separate(out);
    write_string(key, out);
    out.push(b':');
}

fn separate(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}

/// Appends the members that every copy of an event carries: id, seq and leaf hash, as texts.
pub(super) fn put_identity(out: &mut Vec<u8>, view: &View<'_>, prefix: &str) {
    put_text(out, &format!("{prefix}id"), &view.event.id.to_string());
    put_text(out, &format!("{prefix}seq"), &view.event.seq.to_string());
    put_text(out, &format!("{prefix}leaf_hash"), &leaf_hash(view));
}

/// Returns the leaf hash in hexadecimal.
pub(super) fn leaf_hash(view: &View<'_>) -> String {
    let mut hex = Vec::with_capacity(64);
    write_hex(&view.event.leaf_hash, &mut hex);
    String::from_utf8(hex).expect("hexadecimal is ASCII")
}

/// Appends a record whose time may have to be changed when it is sent: `time`, a space, and the rest of an object.
///
/// The time of an event is settled when it is sent, because only then is known whether it is too old.
pub(super) fn put_timed(out: &mut Vec<u8>, at: Timestamp, rest: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(at.0.to_string().as_bytes());
    out.push(b' ');
    rest(out);
}

/// Splits a record that [`put_timed`] wrote.
pub(super) fn timed(record: &[u8]) -> (i64, &[u8]) {
    let space = record.iter().position(|byte| *byte == b' ').unwrap_or(0);
    let time = std::str::from_utf8(&record[..space]).ok().and_then(|text| text.parse().ok());
    (time.unwrap_or(0), record.get(space + 1..).unwrap_or_default())
}

/// Returns the encoded events, joined.
pub(super) fn joined(batch: &Batch, open: &[u8], separator: &[u8], close: &[u8]) -> Vec<u8> {
    let room = batch.bytes.len() + batch.records.len() * separator.len();
    let mut body = Vec::with_capacity(room + open.len() + close.len());
    body.extend_from_slice(open);
    for (index, record) in batch.encoded().enumerate() {
        if index > 0 {
            body.extend_from_slice(separator);
        }
        body.extend_from_slice(record);
    }
    body.extend_from_slice(close);
    body
}

/// Reads an optional text of bounded length without control characters.
pub(super) fn read_label(
    members: &mut Members<'_>,
    name: &'static str,
    bytes_max: usize,
) -> Option<String> {
    let text = members.text(name)?;
    if text.is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
        members.refuse(name, format!("must have 1 to {bytes_max} bytes and no control characters"));
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_outside_the_receivers_limits_becomes_the_time_of_sending() {
        const HOUR: i64 = 3_600_000;
        let limits = Limits {
            age_max: Some(Duration::from_hours(18)),
            future_max: Some(Duration::from_hours(24)),
            ..Limits::SAFE
        };
        #[track_caller]
        fn check(limits: Limits, own: i64, expected: (i64, bool)) {
            assert_eq!(limits.stamp(own, Timestamp(1_000 * HOUR)), expected, "{own}");
        }
        check(limits, 1_000 * HOUR, (1_000 * HOUR, false));
        check(limits, 983 * HOUR, (983 * HOUR, false));
        check(limits, 982 * HOUR, (1_000 * HOUR, true));
        check(limits, 1_023 * HOUR, (1_023 * HOUR, false));
        check(limits, 1_024 * HOUR, (1_000 * HOUR, true));
        check(Limits::SAFE, 0, (0, false));
        check(Limits::SAFE, i64::MAX, (i64::MAX, false));
    }

    #[test]
    fn a_timed_record_comes_apart_again() {
        let mut out = Vec::new();
        put_timed(&mut out, Timestamp(17), |out| out.extend_from_slice(b"{\"a\":1 }"));
        assert_eq!(timed(&out), (17, b"{\"a\":1 }".as_slice()));
        assert_eq!(timed(b""), (0, b"".as_slice()));
    }

    #[test]
    fn segments_are_appended_to_a_base() {
        #[track_caller]
        fn check(base: &str, expected: &str) {
            let endpoint = Endpoint { url: parse_url(base, "").unwrap(), ca: None };
            assert_eq!(endpoint.join(&["a b", "_bulk"]).as_str(), expected);
        }
        check("https://es.example.com", "https://es.example.com/a%20b/_bulk");
        check("https://es.example.com:9200/x/?y=1", "https://es.example.com:9200/x/a%20b/_bulk");
    }
}

//! Elasticsearch and OpenSearch: `_bulk` with `create` and the event's id, into a data stream or an index a day.
//!
//! `create` under the event's id makes delivery exactly-once within one backing index: a repeat is answered 409,
//! which is success. The answer 200 hides failures of single documents; each is judged by itself: 409 is success,
//! 429 and 5xx are sent again, the others are set aside. What concerns the index and not the document pauses.
//!
//! An index a day takes the day of `@timestamp`, so a replay goes to the same index and meets the same ids.

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, product};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header;
use serde::{Deserialize, Serialize};

use super::{
    Envelope, Members,
    http::{
        Endpoint, Exchange, HttpDestination, Limits, occurred_at, put_identity, put_key, put_text,
        record_text,
    },
};
use crate::{
    attempt,
    batch::Batch,
    health::{Cause, Reason},
    secret::{Secret, Secrets},
    verdict::{Item, Partial, Response, Verdict, judge_http},
};

/// Most bytes of an answer: a thousand items that failed with a reason of some hundred bytes.
const REPLY_BYTES: usize = 2 * 1024 * 1024;
/// What is asked back of every item: the rest is long and of no use.
const FILTER_PATH: &str = "errors,error,status,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason";

/// How one index name becomes many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// A data stream or an alias: the cluster rolls it over.
    #[default]
    DataStream,
    /// An index a day: `name-YYYY.MM.DD`.
    Daily,
}

/// Choices of which each has a usual answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// How one index name becomes many.
    pub layout: Layout,
}

/// Configuration. Secrets: `api_key`, or `username` and `password`, or `bearer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The cluster, with a path if it has one.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// Name of the data stream or alias, or the beginning of the names of daily indices.
    pub index: String,
    /// How one index name becomes many.
    #[serde(flatten)]
    pub options: Options,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let endpoint = Endpoint::read(members);
        let index = members.text_required("index");
        let options = members.options(&["layout"]);
        let names = ["api_key", "username", "password", "bearer"];
        let secrets = names.map(|name| (name, members.secret_optional(name)));
        if let Some(problem) = index.and_then(name_problem) {
            members.refuse("index", problem);
        }
        let given = |name: &str| secrets.iter().any(|(own, value)| *own == name && value.is_some());
        let ways = [given("api_key"), given("username") || given("password"), given("bearer")];
        if ways.iter().filter(|way| **way).count() > 1 {
            members.refuse(
                "api_key",
                "give api_key, or username and password, or bearer: one of them",
            );
        }
        if given("username") != given("password") {
            members.refuse("password", "username and password belong together");
        }
        let found = secrets.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let config = Self { endpoint: endpoint?, index: index?.to_owned(), options: options? };
        Some((config, Some(Secrets::named(found))))
    }
}

/// Returns why a text cannot name an index (the rules of both products).
fn name_problem(name: &str) -> Option<&'static str> {
    // A daily index appends eleven characters; names have at most 255 bytes.
    if name.is_empty() || name.len() > 200 {
        return Some("must have 1 to 200 bytes");
    }
    if name.starts_with(['-', '_', '+', '.']) {
        return Some("must not begin with -, _, + or a dot");
    }
    let fine = |c: char| {
        !c.is_uppercase() && !c.is_control() && !c.is_whitespace() && !"\\/*?\"<>|,#:%".contains(c)
    };
    (!name.chars().all(fine)).then_some(
        "must be lower case without spaces, control characters and \\ / * ? \" < > | , # : %",
    )
}

impl HttpDestination for Config {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        Limits { deduplicates: true, ..Limits::SAFE }
    }

    fn default_format(&self) -> Format {
        Format::Ecs(product::Options::default())
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        let at = occurred_at(view).to_string();
        out.extend_from_slice(b"{\"create\":{");
        if self.options.layout == Layout::Daily {
            let day = at.get(..10).unwrap_or_default().replace('-', ".");
            put_text(out, "_index", &format!("{}-{day}", self.index));
        }
        put_text(out, "_id", &view.event.id.to_string());
        out.extend_from_slice(b"}}\n");
        put_document(view, format, actions, &at, self.limits().event_bytes_max, out);
        out.push(b'\n');
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let mut url = match self.options.layout {
            Layout::DataStream => self.endpoint.join(&[&self.index, "_bulk"]),
            Layout::Daily => self.endpoint.join(&["_bulk"]),
        };
        url.query_pairs_mut().append_pair("filter_path", FILTER_PATH);
        let mut exchange = Exchange::post(url, batch.bytes.clone())
            .header(header::CONTENT_TYPE, "application/x-ndjson");
        exchange.reply_max = REPLY_BYTES;
        let secrets = envelope.secrets;
        if let Some(key) = secrets.value("api_key") {
            exchange.secret(header::AUTHORIZATION, "ApiKey ", Some(key))
        } else if let Some(token) = secrets.value("bearer") {
            exchange.secret(header::AUTHORIZATION, "Bearer ", Some(token))
        } else if let Some((user, password)) =
            secrets.value("username").zip(secrets.value("password"))
        {
            let pair = format!("{}:{}", user.danger_reveal(), password.danger_reveal());
            let pair = Secret::new(STANDARD.encode(pair));
            exchange.secret(header::AUTHORIZATION, "Basic ", Some(&pair))
        } else {
            exchange
        }
    }

    fn judge(&self, response: &Response, events: usize) -> Verdict {
        match response.status {
            200 => judge_items(response, events),
            // A whole request that is refused: malformed, or too many bytes for a proxy before the cluster.
            _ => judge_http(response),
        }
    }
}

/// Appends the document: the record itself when it is JSON, with `@timestamp` and identity where it lacks them.
fn put_document(
    view: &View<'_>,
    format: &Format,
    actions: &KnownActions,
    at: &str,
    bytes_max: usize,
    out: &mut Vec<u8>,
) {
    let record = record_text(view, format, actions, bytes_max);
    out.push(b'{');
    let inner = record.strip_prefix('{').filter(|_| format.is_json());
    if !inner.is_some_and(|inner| inner.starts_with("\"@timestamp\":")) {
        put_text(out, "@timestamp", at);
    }
    match inner {
        Some(inner) => {
            if !format.holds_leaf_hash() {
                put_key(out, "attestary");
                out.push(b'{');
                put_identity(out, view, "");
                out.push(b'}');
            }
            if !matches!(out.last(), Some(b'{')) && inner != "}" {
                out.push(b',');
            }
            out.extend_from_slice(inner.as_bytes());
        }
        None => {
            put_text(out, "message", &record);
            put_key(out, "attestary");
            out.push(b'{');
            put_identity(out, view, "");
            put_text(out, "tenant", view.event.tenant.as_str());
            out.extend_from_slice(b"}}");
        }
    }
}

#[derive(Debug, Deserialize)]
struct Bulk {
    errors: bool,
    #[serde(default)]
    items: Vec<Entry>,
}

/// `{"create": {…}}`; other operations are never sent.
#[derive(Debug, Deserialize)]
struct Entry {
    create: Outcome,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    status: u16,
    #[serde(default)]
    error: Option<Problem>,
}

#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reason: String,
}

/// Errors that concern the index or the cluster, whatever the document: nothing may be set aside for them.
const CLUSTER: [&str; 8] = [
    "index_not_found_exception",
    "index_closed_exception",
    "cluster_block_exception",
    "security_exception",
    "validation_exception",
    "invalid_index_name_exception",
    "no_write_index_exception",
    "invalid_alias_name_exception",
];

fn judge_items(response: &Response, events: usize) -> Verdict {
    let Ok(bulk) = serde_json::from_slice::<Bulk>(&response.body) else {
        return unreadable(response, events);
    };
    if !bulk.errors {
        return Verdict::Delivered;
    }
    if bulk.items.len() != events {
        let detail = format!("the answer names {} of {events} documents", bulk.items.len());
        return Verdict::Retry { after: None, reason: Reason::new(Cause::Protocol, detail) };
    }
    let (mut rejected, mut retry) = (Vec::new(), Vec::new());
    let mut reason = Reason::ok();
    for (index, outcome) in bulk.items.into_iter().map(|entry| entry.create).enumerate() {
        let problem = outcome.error.unwrap_or_default();
        match outcome.status {
            200..=299 | 409 => {}
            429 | 500..=599 => {
                reason = said(Cause::Throttled, outcome.status, &problem);
                retry.push(index);
            }
            401 | 403 | 404 => {
                return Verdict::Pause { reason: said(Cause::Refused, outcome.status, &problem) };
            }
            _ if CLUSTER.contains(&problem.kind.as_str()) => {
                return Verdict::Pause { reason: said(Cause::Refused, outcome.status, &problem) };
            }
            status => {
                let reason = said(Cause::Refused, status, &problem);
                let excerpt = Some(attempt::excerpt(problem.reason.as_bytes()));
                rejected.push(Item { index, reason, excerpt });
            }
        }
    }
    if rejected.is_empty() && retry.is_empty() {
        return Verdict::Delivered;
    }
    if reason == Reason::ok() {
        reason = rejected[0].reason.clone();
    }
    Verdict::Partial(Partial { rejected, retry, after: None, reason, doubtful: false })
}

/// An answer that is too long to read may be right: less of it is asked for. Any other is not of this kind.
fn unreadable(response: &Response, events: usize) -> Verdict {
    if response.body.len() >= REPLY_BYTES && events > 1 {
        let reason = Reason::new(Cause::Protocol, "the answer is too long to be read");
        return Verdict::Split { reason };
    }
    let detail = "the answer is not one of the bulk API: is this URL that of a cluster?";
    Verdict::Pause { reason: Reason::new(Cause::Protocol, detail) }
}

fn said(cause: Cause, status: u16, problem: &Problem) -> Reason {
    // What follows names the document and shows its content, which has no place in a reason.
    let what = problem.reason.split(" in document with id").next().unwrap_or_default();
    let what = &what[..what.floor_char_boundary(200)];
    Reason::new(
        cause,
        format!("the cluster answered {status} for a document: {} {what}", problem.kind),
    )
}

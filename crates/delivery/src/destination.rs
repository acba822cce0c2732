//! The destinations: configuration, and two pure functions that turn a batch into a request and a reply into a
//! verdict. They open nothing, read no clock and hold no state.
//!
//! Adding one means: a configuration with its validation, `encode`, `request`, `judge`, and their tests.

pub mod azure_blob;
#[cfg(test)]
mod contract;
pub mod datadog;
pub mod elasticsearch;
pub mod file;
pub mod gcs;
pub mod google;
pub(crate) mod grant;
pub(crate) mod http;
pub mod kafka;
pub mod loki;
pub mod mail;
pub mod members;
pub mod nats;
pub mod newrelic;
pub mod object;
pub mod otlp;
pub mod payload;
pub mod s3;
pub mod sentinel;
pub mod splunk;
pub mod stdout;
pub mod sts;
pub mod sumo;
pub mod syslog;
pub mod template;
pub mod webhook;
pub mod workload;

use ::http::HeaderMap;
use std::time::Duration;

use attestary_event::{Event, Timestamp, View, Violation, actions::KnownActions};
use attestary_formats::Format;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

pub use self::http::{Endpoint, Limits};
use self::http::{Exchange, HttpDestination};
use crate::{
    batch::{Batch, BatchLimits},
    guard::Target,
    health::{Cause, Reason},
    id::DestinationId,
    secret::Secrets,
    spec::Spec,
    verdict::{Reply, Verdict, judge_failure, judge_http},
};
use members::Members;
use webhook::headers;

/// Who answers for a destination, and so what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ManagedBy {
    /// The people who run the service: every type.
    Operator,
    /// The tenant's own administrators: nothing that is unencrypted or writes on the service's machine.
    Tenant,
}

/// Type and configuration, in the form of the API: `{"type": …, "config": {…}}`. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "config", rename_all = "lowercase")]
pub enum DestinationConfig {
    /// Syslog over TCP, UDP or TLS.
    Syslog(syslog::Config),
    /// HTTP POST, signed as Standard Webhooks.
    Webhook(webhook::Config),
    /// A rotating file.
    File(file::Config),
    /// The service's standard output.
    Stdout(stdout::Config),
    /// Splunk's HTTP Event Collector.
    Splunk(splunk::Config),
    /// Elasticsearch or OpenSearch.
    Elasticsearch(elasticsearch::Config),
    /// Datadog logs.
    Datadog(datadog::Config),
    /// Microsoft Sentinel.
    Sentinel(sentinel::Config),
    /// Google Cloud Logging.
    #[serde(rename = "google-cloud-logging")]
    CloudLogging(google::Logging),
    /// Google Security Operations.
    #[serde(rename = "google-secops")]
    SecOps(google::SecOps),
    /// OTLP over HTTP.
    Otlp(otlp::Config),
    /// Grafana Loki.
    Loki(loki::Config),
    /// Sumo Logic.
    Sumo(sumo::Config),
    /// New Relic.
    NewRelic(newrelic::Config),
    /// Generic HTTP from a template.
    Http(template::Config),
    /// Objects in S3 or what speaks its protocol.
    S3(s3::Config),
    /// Blobs in Azure.
    #[serde(rename = "azure_blob")]
    AzureBlob(azure_blob::Config),
    /// Messages to NATS JetStream.
    Nats(nats::Config),
    /// E-mail over SMTP.
    Mail(mail::Config),
    /// Records in Apache Kafka.
    Kafka(kafka::Config),
    /// Objects in Google Cloud Storage.
    Gcs(gcs::Config),
}

/// What goes out in one attempt.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// An exchange over HTTP with all that goes with it.
    Exchange(Box<Exchange>),
    /// An HTTP POST.
    Http { url: Url, headers: HeaderMap, body: Bytes },
    /// Bytes of a stream that is not acknowledged; the seqs of its first and last event, absent for a test.
    Stream { bytes: Bytes, range: Option<(u64, u64)> },
    /// One datagram an event.
    Datagrams(Vec<Bytes>),
    /// Whole lines.
    Lines(Bytes),
    /// One object.
    Object(Box<object::Put>),
    /// One message an event.
    Messages(Vec<nats::Message>),
    /// One e-mail.
    Mail(Box<mail::Mail>),
    /// Records of one partition.
    Produce(Box<kafka::Produce>),
}

/// What `request` needs besides the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    /// The same for every attempt of a batch.
    pub(crate) id: &'a str,
    /// When the attempt is made.
    pub(crate) at: Timestamp,
    /// The secrets.
    pub(crate) secrets: &'a Secrets,
    /// The format of the records.
    pub(crate) format: &'a Format,
    /// Whose request it is.
    pub(crate) spec: &'a Spec,
}

impl DestinationConfig {
    /// The types, as in the API.
    pub const TYPES: [&str; 21] = [
        "syslog",
        "webhook",
        "file",
        "stdout",
        "splunk",
        "elasticsearch",
        "datadog",
        "sentinel",
        "google-cloud-logging",
        "google-secops",
        "otlp",
        "loki",
        "sumo",
        "newrelic",
        "http",
        "s3",
        "azure_blob",
        "nats",
        "mail",
        "kafka",
        "gcs",
    ];

    /// Reads type and configuration given from outside; takes the secrets out of it.
    ///
    /// Pointers of violations are relative to the body that holds `type` and `config`. Whether the address may be
    /// reached is the guard's question: [`crate::Guard::check`].
    pub fn validate(
        kind: &str,
        config: &Value,
        managed_by: ManagedBy,
    ) -> Result<(Self, Secrets), Vec<Violation>> {
        Self::validate_change(kind, config, managed_by, None)
    }

    /// Reads a configuration that replaces another: secrets that are absent are those of `before`, as long as they
    /// go to the same address.
    pub fn validate_change(
        kind: &str,
        config: &Value,
        managed_by: ManagedBy,
        before: Option<(&Self, &Secrets)>,
    ) -> Result<(Self, Secrets), Vec<Violation>> {
        if !Self::TYPES.contains(&kind) {
            let known = Self::TYPES.join(", ");
            return Err(vec![Violation::new(
                "/type",
                format!("there is no destination type {kind:?}; known: {known}"),
            )]);
        }
        let mut members = Members::new(config)?;
        if let Some((_, secrets)) = before {
            members.keep(secrets);
        }
        let made = match kind {
            "syslog" => syslog::Config::read(&mut members, managed_by)
                .map(|config| (Self::Syslog(config), None)),
            "webhook" => webhook::Config::read(&mut members)
                .map(|(config, secrets)| (Self::Webhook(config), secrets)),
            "s3" => with(s3::Config::read(&mut members, managed_by), Self::S3),
            "gcs" => with(gcs::Config::read(&mut members, managed_by), Self::Gcs),
            "azure_blob" => azure_blob::Config::read(&mut members)
                .map(|(config, secrets)| (Self::AzureBlob(config), secrets)),
            "nats" => nats::Config::read(&mut members)
                .map(|(config, secrets)| (Self::Nats(config), secrets)),
            "mail" => mail::Config::read(&mut members, managed_by)
                .map(|(config, secrets)| (Self::Mail(config), secrets)),
            "kafka" => with(kafka::Config::read(&mut members), Self::Kafka),
            "file" => file::Config::read(&mut members).map(|config| (Self::File(config), None)),
            "splunk" => with(splunk::Config::read(&mut members), Self::Splunk),
            "elasticsearch" => with(elasticsearch::Config::read(&mut members), Self::Elasticsearch),
            "datadog" => with(datadog::Config::read(&mut members), Self::Datadog),
            "sentinel" => with(sentinel::Config::read(&mut members), Self::Sentinel),
            "google-cloud-logging" => {
                with(google::Logging::read(&mut members, managed_by), Self::CloudLogging)
            }
            "google-secops" => with(google::SecOps::read(&mut members, managed_by), Self::SecOps),
            "otlp" => with(otlp::Config::read(&mut members), Self::Otlp),
            "loki" => with(loki::Config::read(&mut members), Self::Loki),
            "sumo" => with(sumo::Config::read(&mut members), Self::Sumo),
            "newrelic" => with(newrelic::Config::read(&mut members), Self::NewRelic),
            "http" => with(template::Config::read(&mut members), Self::Http),
            _ => Some((Self::Stdout(stdout::Config {}), None)),
        };
        if managed_by == ManagedBy::Tenant
            && matches!(kind, "file" | "stdout" | "http" | "nats" | "kafka")
        {
            members.refuse_type(format!("only operators may have destinations of type {kind}"));
        }
        let moved = members.reused().filter(|_| {
            let address = |config: &Self| (config.targets(), config.token_target());
            let now = made.as_ref().map(|(config, _)| address(config));
            before.map(|(config, _)| address(config)) != now
        });
        if let Some(name) = moved.filter(|_| made.is_some()) {
            members.refuse(name, "must be given again, because the address changes");
        }
        let violations = members.finish();
        match made {
            Some((config, secrets)) if violations.is_empty() => {
                Ok((config, secrets.unwrap_or_default()))
            }
            _ => Err(violations),
        }
    }

    /// Returns the type as in the API.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Syslog(_) => "syslog",
            Self::Webhook(_) => "webhook",
            Self::File(_) => "file",
            Self::Stdout(_) => "stdout",
            Self::Splunk(_) => "splunk",
            Self::Elasticsearch(_) => "elasticsearch",
            Self::Datadog(_) => "datadog",
            Self::Sentinel(_) => "sentinel",
            Self::CloudLogging(_) => "google-cloud-logging",
            Self::SecOps(_) => "google-secops",
            Self::Otlp(_) => "otlp",
            Self::Loki(_) => "loki",
            Self::Sumo(_) => "sumo",
            Self::NewRelic(_) => "newrelic",
            Self::Http(_) => "http",
            Self::S3(_) => "s3",
            Self::AzureBlob(_) => "azure_blob",
            Self::Nats(_) => "nats",
            Self::Mail(_) => "mail",
            Self::Kafka(_) => "kafka",
            Self::Gcs(_) => "gcs",
        }
    }

    /// Returns what the destinations that speak HTTP have in common; `None` for the others.
    pub(crate) fn http(&self) -> Option<&dyn HttpDestination> {
        match self {
            Self::Splunk(config) => Some(config),
            Self::Elasticsearch(config) => Some(config),
            Self::Datadog(config) => Some(config),
            Self::Sentinel(config) => Some(config),
            Self::CloudLogging(config) => Some(config),
            Self::SecOps(config) => Some(config),
            Self::Otlp(config) => Some(config),
            Self::Loki(config) => Some(config),
            Self::Sumo(config) => Some(config),
            Self::NewRelic(config) => Some(config),
            Self::Http(config) => Some(config),
            _ => None,
        }
    }

    /// Returns the format of a destination that names none.
    pub fn default_format(&self) -> Format {
        self.http().map_or_else(Format::default, HttpDestination::default_format)
    }

    /// Returns why it cannot carry a format; the pointer is relative to the body that holds `format`.
    pub fn check_format(&self, format: &Format) -> Result<(), Violation> {
        let refused = match self.layout() {
            Some(layout) => layout.refuses(format).map(str::to_owned),
            None => self.http().and_then(|http| http.refuses(format)),
        };
        refused.map_or(Ok(()), |detail| Err(Violation::new("/format", detail)))
    }

    /// Returns what the receiver is known to take; `None` where nothing is.
    pub fn receiver_limits(&self) -> Option<Limits> {
        self.http().map(HttpDestination::limits)
    }

    /// Returns what to tell a person before events are sent of which the receiver would drop some for their age.
    ///
    /// They are sent with the time of sending, their own time beside it.
    pub fn age_warning<'a>(
        &self,
        events: impl IntoIterator<Item = &'a Event>,
        at: Timestamp,
    ) -> Option<String> {
        let limits = self.receiver_limits()?;
        let old = events.into_iter().filter(|event| {
            let fields = event.fields();
            let own = http::occurred_at(&View { event, fields: &fields });
            limits.stamp(own.0, at).1
        });
        let (count, hours) = (old.count(), limits.age_max?.as_secs() / 3_600);
        (count > 0).then(|| {
            format!(
                "{count} events are older than the {hours} h that this receiver takes, or of its future: they are \
                 sent with the time of sending, and their own time stands in the event"
            )
        })
    }

    /// Returns what the owner of a role writes into its trust policy for this destination; `None` where no role is
    /// assumed.
    pub fn external_id(&self, id: &DestinationId) -> Option<String> {
        matches!(self, Self::S3(config) if config.role_arn.is_some()).then(|| id.to_string())
    }

    /// Returns the address of the endpoint that gives tokens, for the outbound guard.
    pub(crate) fn token_target(&self) -> Option<Target> {
        match self {
            Self::Webhook(config) => config.token_url.as_ref().map(http::target),
            Self::S3(config) => config.sts_target(),
            _ => self.http()?.token_url().map(http::target),
        }
    }

    /// Returns the network address it dials, for the outbound guard; `None` for files and standard output.
    pub fn target(&self) -> Option<Target> {
        match self {
            Self::Syslog(config) => Some(config.target()),
            Self::Webhook(config) => Some(config.target()),
            Self::S3(config) => Some(config.target()),
            Self::AzureBlob(config) => Some(config.target()),
            Self::Gcs(config) => Some(config.target()),
            Self::Nats(config) => Some(config.target()),
            Self::Mail(config) => Some(config.target()),
            Self::Kafka(config) => config.targets().into_iter().next(),
            _ => self.http().map(|http| http.endpoint().target()),
        }
    }

    /// Returns every network address that the configuration names, but that of tokens.
    pub fn targets(&self) -> Vec<Target> {
        match self {
            Self::Kafka(config) => config.targets(),
            _ => self.target().into_iter().collect(),
        }
    }

    /// Returns whether a batch's range is saved before its first attempt, because it is in what is sent.
    pub(crate) fn fixes_range(&self) -> bool {
        matches!(self, Self::Webhook(_) | Self::Http(_) | Self::Mail(_)) || self.layout().is_some()
    }

    /// Returns true when one batch at a time goes out, because the receiver or the connection knows no other order.
    pub fn keeps_order(&self) -> bool {
        match self {
            Self::Loki(_) => true,
            Self::Webhook(_) => false,
            _ => self.http().is_none() && self.layout().is_none(),
        }
    }

    /// Returns keys and sizes of objects; `None` for what is no object store.
    fn layout(&self) -> Option<&object::Layout> {
        match self {
            Self::S3(config) => Some(&config.layout),
            Self::AzureBlob(config) => Some(&config.layout),
            Self::Gcs(config) => Some(&config.layout),
            _ => None,
        }
    }

    /// Returns the kind of signing secret that it needs; `None` for what does not sign.
    pub fn signs(&self) -> Option<webhook::Scheme> {
        match self {
            Self::Webhook(config) => Some(config.signature),
            Self::Mail(config) if config.payload.signs() => Some(webhook::Scheme::V1a),
            _ => None,
        }
    }

    /// Returns whether the type says in its configuration how large its batches are.
    pub fn limits_itself(&self) -> bool {
        self.own_limits().is_some()
    }

    /// Returns the limits of its batches, when the type has its own.
    pub(crate) fn own_limits(&self) -> Option<BatchLimits> {
        self.layout().map(object::Layout::limits)
    }

    /// Returns why its streams cannot have checkpoints; `None` when they can.
    pub fn refuses_checkpoints(&self, format: &Format) -> Option<&'static str> {
        if matches!(format, Format::Easysend(_) | Format::Formio(_)) {
            return Some("this format has no place for a checkpoint");
        }
        let lake = self.layout().is_some_and(|layout| layout.security_lake.is_some());
        lake.then_some("a source of Security Lake has events of one class only")
    }

    /// Returns true when the receiver takes events of this kind; the others are passed over, as if a filter excluded them.
    pub fn takes(&self, view: &View<'_>, actions: &KnownActions) -> bool {
        let lake = self.layout().and_then(|layout| layout.security_lake.as_ref());
        lake.is_none_or(|lake| lake.takes(view, actions))
    }

    /// Returns true when events that were received then do not go out in one batch.
    pub(crate) fn separates(&self, first: Timestamp, next: Timestamp) -> bool {
        self.layout().is_some_and(|layout| layout.separates(first, next))
    }

    /// Returns how long a batch that is not full waits for more events, counted from its first event.
    pub(crate) fn gathers(&self) -> Option<Duration> {
        self.layout().map(object::Layout::gathers)
    }

    /// Returns the most events in a batch that this destination can carry in this format.
    pub(crate) fn events_ceiling(&self, format: &Format) -> usize {
        match self {
            Self::Webhook(_) => webhook::events_ceiling(format),
            _ => self.http().map_or(usize::MAX, |http| http.limits().events_max),
        }
    }

    /// Returns the most bytes of events that this destination can carry in a batch.
    pub(crate) fn bytes_ceiling(&self) -> usize {
        self.http().map_or(usize::MAX, |http| http.limits().bytes_max)
    }

    /// Appends one event in the form in which it stands in a batch.
    pub(crate) fn encode(
        &self,
        view: &View<'_>,
        format: &Format,
        actions: &KnownActions,
        out: &mut Vec<u8>,
    ) {
        let reduced = match self {
            Self::Webhook(config) => config.payload.reduced(view),
            Self::Mail(config) => config.payload.reduced(view),
            _ => None,
        };
        if let Some(event) = &reduced {
            let fields = event.fields();
            return self.encode_whole(&View { event, fields: &fields }, format, actions, out);
        }
        self.encode_whole(view, format, actions, out);
    }

    pub(crate) fn encode_whole(
        &self,
        view: &View<'_>,
        format: &Format,
        actions: &KnownActions,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Syslog(config) => config.encode(view, format, actions, out),
            Self::Webhook(_) => webhook::encode(view, format, actions, out),
            Self::S3(_) | Self::AzureBlob(_) | Self::Gcs(_) => {
                object::encode(view, format, actions, out);
            }
            Self::Nats(config) => config.encode(view, format, actions, out),
            Self::Mail(_) => mail::Config::encode(view, format, actions, out),
            Self::Kafka(_) => kafka::Config::encode(view, format, actions, out),
            _ => match self.http() {
                Some(http) => http.encode(view, format, actions, out),
                None => {
                    format.encode(view, actions, out);
                    out.push(b'\n');
                }
            },
        }
    }

    /// Turns a batch into what goes out.
    pub(crate) fn request(&self, batch: &Batch, envelope: &Envelope<'_>) -> Request {
        match self {
            Self::Syslog(config) => config.request(batch),
            Self::Webhook(config) => config.request(batch, envelope),
            Self::S3(config) => config.request(batch, envelope),
            Self::AzureBlob(config) => config.request(batch, envelope),
            Self::Gcs(config) => config.request(batch, envelope),
            Self::Nats(config) => config.request(batch),
            Self::Mail(config) => config.request(batch, envelope),
            Self::Kafka(_) => kafka::Config::request(batch, envelope),
            _ => match self.http() {
                Some(http) => Request::Exchange(Box::new(http.exchange(batch, envelope))),
                None => Request::Lines(Bytes::copy_from_slice(&batch.bytes)),
            },
        }
    }

    /// Turns what came back for a batch of `events` events into a verdict.
    pub(crate) fn judge(&self, reply: &Reply, events: usize) -> Verdict {
        match reply {
            Reply::Http(response) if self.layout().is_some() => object::judge(response),
            Reply::Http(response) => match self.http() {
                Some(http) => http.judge(response, events),
                None => judge_http(response),
            },
            Reply::TooLarge => Verdict::Split {
                reason: Reason::new(Cause::Refused, "an event is larger than the receiver takes"),
            },
            Reply::Refused(detail) => kafka::judge_refused(detail),
            Reply::Existing { same } => object::judge_existing(*same),
            Reply::Written => Verdict::Delivered,
            Reply::Failed(failure) if matches!(self, Self::Mail(_)) => mail::judge(failure),
            Reply::Failed(failure) => judge_failure(failure),
        }
    }

    /// Judges an HTTP answer to a batch of `events` events, as the driver does. For whoever feeds it hostile bytes.
    pub fn judge_answer(&self, status: u16, body: &[u8], events: usize) -> Verdict {
        let body = Bytes::copy_from_slice(body);
        let excerpt = crate::attempt::excerpt(&body);
        let response = crate::verdict::Response { status, body, excerpt, ..Default::default() };
        self.judge(&Reply::Http(response), events)
    }

    /// Returns where to and how, without paths, queries and headers.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::Syslog(config) => {
                format!("syslog {}://{}", config.transport.as_str(), config.address)
            }
            Self::Webhook(config) => {
                format!("POST {}", config.url[..url::Position::BeforePath].trim_end_matches('/'))
            }
            Self::File(config) => format!("file {}", config.path),
            Self::Stdout(_) => "stdout".to_owned(),
            Self::S3(config) => config.summary(),
            Self::AzureBlob(config) => config.summary(),
            Self::Gcs(config) => config.summary(),
            Self::Nats(config) => format!("nats {}", config.address),
            Self::Mail(config) => format!("mail {}", config.address),
            Self::Kafka(config) => config.summary(),
            _ => self.http().map_or_else(String::new, |http| {
                let url = &http.endpoint().url;
                let origin = url[..url::Position::BeforePath].trim_end_matches('/');
                format!("{} {origin}", self.kind())
            }),
        }
    }
}

fn with<T>(
    read: Option<(T, Option<Secrets>)>,
    make: impl FnOnce(T) -> DestinationConfig,
) -> Option<(DestinationConfig, Option<Secrets>)> {
    read.map(|(config, secrets)| (make(config), secrets))
}

#[cfg(test)]
mod tests;

//! What every destination that speaks HTTP keeps to: the bytes of its requests (golden files), and what it makes of
//! every answer (tables). The same fixtures serve the tests of single destinations.

mod answers;
mod bodies;
mod configurations;

use attestary_event::{EnvironmentId, EventId, TenantId};
use serde_json::{Value, json};

use super::*;
use crate::{batch::Record, spec::sample};

/// When requests of these tests are made.
pub(super) const AT: Timestamp = Timestamp(1_795_308_919_123);

/// An RSA key made for these tests alone; PKCS #8.
pub(super) const TEST_KEY: &str = include_str!("contract/service-account.pem");

/// A type, its configuration and its format (`null` for the usual one), for every destination that speaks HTTP.
pub(super) fn all() -> Vec<(&'static str, Value, Value)> {
    let account = json!({
        "type": "service_account", "client_email": "log@example.iam.gserviceaccount.com",
        "private_key_id": "k1", "private_key": TEST_KEY,
    });
    vec![
        (
            "splunk",
            json!({"url": "https://splunk.example.com:8088", "token": "t0ken", "index": "audit"}),
            json!(null),
        ),
        (
            "elasticsearch",
            json!({"url": "https://es.example.com:9200", "index": "audit-acme", "api_key": "k3y"}),
            json!(null),
        ),
        (
            "datadog",
            json!({"api_key": "k3y", "site": "datadoghq.eu", "tags": "team:sec"}),
            json!(null),
        ),
        (
            "sentinel",
            json!({
                "url": "https://dce.westeurope-1.ingest.monitor.azure.com", "rule": "dcr-0011",
                "stream": "Custom-Audit_CL", "directory": "d1r", "client_id": "c1", "client_secret": "s3cret",
            }),
            json!(null),
        ),
        ("google-cloud-logging", json!({"project": "p1", "credentials": account}), json!(null)),
        (
            "google-secops",
            json!({"project": "p1", "region": "us", "instance": "i1", "credentials": account}),
            json!(null),
        ),
        (
            "otlp",
            json!({"url": "https://otel.example.com:4318", "headers": {"x-key": "k3y"}}),
            json!(null),
        ),
        (
            "loki",
            json!({"url": "https://loki.example.com:3100", "org_id": "acme", "labels": {"app": "x"}}),
            json!(null),
        ),
        (
            "sumo",
            json!({"url": "https://endpoint.sumologic.com/receiver/v1/http/s3cret==", "category": "audit"}),
            json!(null),
        ),
        ("newrelic", json!({"api_key": "k3y", "region": "eu"}), json!(null)),
        (
            "http",
            json!({
                "url": "https://siem.example.com/in?x=1", "method": "PUT", "headers": {"authorization": "Bearer t"},
                "open": "{\"events\":[", "close": "]}",
                "record": "{\"n\":{{seq}},\"who\":\"{{/actor/id}}\",\"what\":\"{{ /action }}\",\"raw\":{{event}}}",
            }),
            json!(null),
        ),
    ]
}

/// Returns an event with this body and, for a place, its seq.
pub(super) fn event(seq: u64, body: &str) -> Event {
    let mut id = [0x11; 16];
    id[15] = seq as u8;
    Event {
        id: EventId(id),
        tenant: TenantId::restored("acme"),
        environment: EnvironmentId::restored("production"),
        seq,
        received_at: Timestamp(1_795_308_918_000),
        flags: 0,
        leaf_hash: [seq as u8; 32],
        body: body.as_bytes().into(),
    }
}

/// A plain event, one whose text breaks careless encoders, and one of long ago.
pub(super) fn events() -> Vec<Event> {
    vec![
        event(
            7,
            r#"{"action":"user.login","occurred_at":"2026-11-22T00:39:11.123Z","actor":{"type":"user","id":"u1"},"outcome":"success","severity":3}"#,
        ),
        event(
            8,
            r#"{"action":"note.added","occurred_at":"2026-11-22T00:39:12.000Z","actor":{"type":"user","id":"a\"b\\c|d=e\r\nf\u0000g\u2028h\u202e𝄞<&'>"},"description":"he said \"hi\"\n{\"create\":{}}\n{{event}}","metadata":{"n":9007199254740993}}"#,
        ),
        event(
            9,
            r#"{"action":"user.login","occurred_at":"2019-01-01T00:00:00Z","actor":{"type":"user","id":"u1"}}"#,
        ),
    ]
}

pub(super) struct Made {
    pub(super) config: DestinationConfig,
    pub(super) secrets: Secrets,
    pub(super) format: Format,
}

/// Makes a destination as the service does.
#[track_caller]
pub(super) fn make(kind: &str, config: &Value, format: &Value) -> Made {
    let (config, secrets) = DestinationConfig::validate(kind, config, ManagedBy::Operator)
        .unwrap_or_else(|bad| panic!("{kind}: {bad:?}"));
    let format = match format {
        Value::Null => config.default_format(),
        given => serde_json::from_value(given.clone()).unwrap(),
    };
    config.check_format(&format).unwrap();
    Made { config, secrets, format }
}

impl Made {
    /// Returns the exchange for a batch of these events.
    pub(super) fn exchange(&self, events: &[Event]) -> Exchange {
        let (mut bytes, mut records) = (Vec::new(), Vec::new());
        for event in events {
            let fields = event.fields();
            let start = bytes.len();
            let view = View { event, fields: &fields };
            self.config.encode(&view, &self.format, KnownActions::builtin(), &mut bytes);
            records.push(Record {
                seq: event.seq,
                id: event.id,
                received_at: event.received_at,
                leaf_hash: event.leaf_hash,
                bytes: start..bytes.len(),
            });
        }
        let (from_seq, last) = (events[0].seq, events[events.len() - 1].seq);
        let batch =
            Batch { from_seq, next_seq: last + 1, records, bytes, kind: crate::Kind::Events };
        let spec = sample(self.config.clone());
        let envelope = Envelope {
            id: "dst_X-7-9",
            at: AT,
            secrets: &self.secrets,
            format: &self.format,
            spec: &spec,
        };
        match self.config.request(&batch, &envelope) {
            Request::Exchange(exchange) => *exchange,
            other => panic!("not an exchange: {other:?}"),
        }
    }
}

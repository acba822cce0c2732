//! Grafana Loki: the push API with one stream a tenant, identity and action as structured metadata.
//!
//! Few labels, because every combination is a stream of its own. Loki keeps one of several entries that are equal in
//! time, labels and line, so a repeat costs nothing. It refuses entries that are older than a limit of its own
//! (seven days unless configured): those are sent with the time of sending, their own in the line.

use std::{collections::BTreeMap, time::Duration};

use attestary_event::{View, actions::KnownActions};
use attestary_formats::Format;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, header};
use serde::{Deserialize, Serialize};

use super::{
    Envelope, Members,
    http::{
        Endpoint, Exchange, HttpDestination, Limits, occurred_at, put_identity, put_key, put_text,
        put_timed, read_label, record_text, timed,
    },
};
use crate::{
    batch::Batch,
    secret::{Secret, Secrets},
};

const LABELS_MAX: usize = 8;

/// Configuration. Secrets: `username` and `password`, or `bearer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The receiver; without a path, `/loki/api/v1/push` is meant.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// `X-Scope-OrgID`: the tenant of a Loki that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// Labels beside `service_name`, `tenant` and `environment`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Hours after which this Loki refuses an entry as too old.
    #[serde(default = "age_hours")]
    pub age_hours_max: u64,
}

fn age_hours() -> u64 {
    7 * 24
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let endpoint = Endpoint::read(members);
        let org_id = read_label(members, "org_id", 150);
        let labels = read_labels(members);
        let age_hours_max = members.integer("age_hours_max", 1, 87_600).unwrap_or_else(age_hours);
        let names = ["username", "password", "bearer"];
        let secrets = names.map(|name| (name, members.secret_optional(name)));
        let [user, password, bearer] = [0, 1, 2].map(|index: usize| secrets[index].1.is_some());
        if user != password {
            members.refuse("password", "username and password belong together");
        }
        if user && bearer {
            members.refuse("bearer", "give username and password, or bearer: one of them");
        }
        let found = secrets.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let config = Self { endpoint: endpoint?, org_id, labels, age_hours_max };
        Some((config, Some(Secrets::named(found))))
    }
}

fn read_labels(members: &mut Members<'_>) -> BTreeMap<String, String> {
    let Some(value) = members.take("labels") else { return BTreeMap::new() };
    let found: Result<BTreeMap<String, String>, _> = serde_json::from_value(value.clone());
    let name = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && name.len() <= 64
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !["service_name", "tenant", "environment"].contains(&name)
    };
    match found {
        Ok(labels)
            if labels.len() <= LABELS_MAX
                && labels.keys().all(|key| name(key))
                && labels.values().all(|value| (1..=256).contains(&value.len())) =>
        {
            labels
        }
        _ => {
            let rule = format!(
                "must be an object of at most {LABELS_MAX} labels: names of letters, digits and _, texts of 1 to \
                 256 bytes; service_name, tenant and environment are set already"
            );
            members.refuse("labels", rule);
            BTreeMap::new()
        }
    }
}

impl HttpDestination for Config {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        Limits {
            // `max_line_size` is 256 KB unless configured, and a longer line is refused.
            event_bytes_max: 200_000,
            age_max: Some(Duration::from_hours(self.age_hours_max)),
            deduplicates: true,
            ..Limits::SAFE
        }
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        put_timed(out, occurred_at(view), |out| {
            let mut labels = vec![b'{'];
            put_text(&mut labels, "service_name", "attestary");
            put_text(&mut labels, "tenant", view.event.tenant.as_str());
            put_text(&mut labels, "environment", view.event.environment.as_str());
            // One batch has one tenant: its labels stand once, before the first entry.
            out.extend_from_slice(&labels);
            for (key, value) in &self.labels {
                put_text(out, key, value);
            }
            out.extend_from_slice(b"}\n");
            let line = record_text(view, format, actions, self.limits().event_bytes_max);
            attestary_event::scan::write_string(&line, out);
            out.extend_from_slice(b",{");
            put_identity(out, view, "");
            if let Some(action) = view.text("/action") {
                put_text(out, "action", action);
            }
            out.extend_from_slice(b"}]");
        });
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let mut body = Vec::with_capacity(batch.bytes.len());
        body.extend_from_slice(b"{\"streams\":[{");
        for (index, record) in batch.encoded().enumerate() {
            let (own, rest) = timed(record);
            let (at, _) = self.limits().stamp(own, envelope.at);
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(0);
            if index == 0 {
                put_key(&mut body, "stream");
                body.extend_from_slice(&rest[..end]);
                put_key(&mut body, "values");
                body.push(b'[');
            } else {
                body.push(b',');
            }
            // Times are nanoseconds, as text.
            body.extend_from_slice(format!("[\"{at}000000\",").as_bytes());
            body.extend_from_slice(rest.get(end + 1..).unwrap_or_default());
        }
        body.extend_from_slice(b"]}]}");
        let url = match self.endpoint.url.path() {
            "" | "/" => self.endpoint.join(&["loki", "api", "v1", "push"]),
            _ => self.endpoint.url.clone(),
        };
        let mut exchange = Exchange::post(url, body);
        if let Some(org) = &self.org_id {
            exchange = exchange.header(HeaderName::from_static("x-scope-orgid"), org);
        }
        let secrets = envelope.secrets;
        if let Some(token) = secrets.value("bearer") {
            return exchange.secret(header::AUTHORIZATION, "Bearer ", Some(token));
        }
        match secrets.value("username").zip(secrets.value("password")) {
            Some((user, password)) => {
                let pair = format!("{}:{}", user.danger_reveal(), password.danger_reveal());
                let pair = Secret::new(STANDARD.encode(pair));
                exchange.secret(header::AUTHORIZATION, "Basic ", Some(&pair))
            }
            None => exchange,
        }
    }
}

//! Sumo Logic: an HTTP source, one event a line. The URL itself is the credential, so it is kept as a secret and
//! only its origin is shown. Nothing drops repeats.

use attestary_event::{View, actions::KnownActions};
use attestary_formats::Format;
use http::{HeaderName, header};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Envelope, Members,
    http::{Endpoint, Exchange, HttpDestination, Limits, read_label, read_url},
};
use crate::{
    batch::Batch,
    secret::{Secret, Secrets},
};

/// Configuration. The URL is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The origin of the source's URL.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// `X-Sumo-Category`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// `X-Sumo-Name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `X-Sumo-Host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<(Self, Option<Secrets>)> {
        let secret = members.secret("url");
        let ca = crate::tls::read_ca(members);
        let [category, name, host] =
            ["category", "name", "host"].map(|name| read_header(members, name));
        let secret = whole(members, secret?)?;
        let mut url = read_url(members, "url", secret.danger_reveal())?;
        url.set_path("/");
        url.set_query(None);
        let config = Self { endpoint: Endpoint { url, ca }, category, name, host };
        Some((config, Some(Secrets::named([("url", secret)]))))
    }
}

/// Returns the URL with its token: what is shown of a URL, given back, stands for the URL that is known.
fn whole(members: &mut Members<'_>, given: Secret) -> Option<Secret> {
    let url = read_url(members, "url", given.danger_reveal())?;
    if url.path() != "/" || url.query().is_some() {
        return Some(given);
    }
    let known = members.kept_secret("url").cloned();
    let same = |known: &Secret| {
        Url::parse(known.danger_reveal()).is_ok_and(|known| known.origin() == url.origin())
    };
    if known.as_ref().is_some_and(same) {
        return known;
    }
    members.refuse("url", "must be the whole URL of the source, with its token");
    None
}

/// Reads a text that stands in a header.
fn read_header(members: &mut Members<'_>, name: &'static str) -> Option<String> {
    let text = read_label(members, name, 256)?;
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        members.refuse(name, "must hold printable ASCII only");
        return None;
    }
    Some(text)
}

impl HttpDestination for Config {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn limits(&self) -> Limits {
        // A message is cut at 64 KB, and what is cut off becomes a message of its own.
        Limits { event_bytes_max: 63_000, ..Limits::SAFE }
    }

    fn encode(&self, view: &View<'_>, format: &Format, actions: &KnownActions, out: &mut Vec<u8>) {
        format.encode_within(view, actions, self.limits().event_bytes_max, out);
        out.push(b'\n');
    }

    fn exchange(&self, batch: &Batch, envelope: &Envelope<'_>) -> Exchange {
        let full = envelope.secrets.value("url").map(Secret::danger_reveal);
        let url = full.and_then(|text| Url::parse(text).ok());
        let kind = if envelope.format.is_json() { "application/x-ndjson" } else { "text/plain" };
        let mut exchange =
            Exchange::post(url.unwrap_or_else(|| self.endpoint.url.clone()), batch.bytes.clone())
                .header(header::CONTENT_TYPE, kind);
        for (header, value) in [
            ("x-sumo-category", &self.category),
            ("x-sumo-name", &self.name),
            ("x-sumo-host", &self.host),
        ] {
            if let Some(value) = value {
                exchange = exchange.header(HeaderName::from_static(header), value);
            }
        }
        exchange
    }
}

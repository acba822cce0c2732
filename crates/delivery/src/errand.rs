//! Single requests that the service makes for itself: to witnesses, to time-stamping authorities, to the store that keeps
//! anchor checkpoints. They pass the same guard and the same limits as deliveries; when and how often is the caller's decision.

use std::sync::Arc;

use attestary_event::{EnvironmentId, TenantId, Timestamp};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
pub use url::Url;

use crate::{
    destination::{self, s3},
    guard::{Guard, Owner},
    ports::Clock,
    secret::Secrets,
    transport::{
        Transport as _,
        http::{Http, Parts},
        object::Objects,
    },
    verdict::{Failure, Reply},
};

/// The installation, which owns what the service does for itself.
const INSTALLATION: &str = "_system";

/// A request to be posted.
#[derive(Debug, Clone)]
pub struct Errand {
    /// Where to.
    pub url: Url,
    /// Type of the body.
    pub media_type: &'static str,
    /// The body.
    pub body: Bytes,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca: Option<String>,
    /// Most bytes that are read of the answer.
    pub reply_max: usize,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Type of the body, without parameters and in small letters; may be empty.
    pub media_type: String,
    /// The body as far as it was read.
    pub body: Bytes,
}

/// Posts a request within the deadline of all exchanges. Redirects are not followed.
pub async fn post(guard: &Guard, errand: Errand) -> Result<Answer, Failure> {
    let target = destination::http::target(&errand.url);
    let mut http = Http::new(guard.clone(), owner(), target, errand.ca);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(errand.media_type));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("attestary"));
    let (url, body, reply_max) = (errand.url, errand.body, errand.reply_max);
    let parts = Parts { method: Method::POST, url, headers, body, reply_max };
    let (response, headers) = http.call(&parts).await?;
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default();
    Ok(Answer {
        status: response.status,
        media_type: media_type.trim().to_ascii_lowercase(),
        body: response.body,
    })
}

/// Writes an object under `key` and the configured prefix, locked as configured, if nothing is there yet. An object that is
/// there with the same content counts as written.
///
/// # Errors
/// With one sentence for people.
pub async fn keep(
    guard: &Guard,
    clock: Arc<dyn Clock>,
    config: &s3::Config,
    secrets: &Secrets,
    key: &str,
    body: Bytes,
) -> Result<(), String> {
    let now: Timestamp = clock.now();
    let put = config.single(key, body, now, secrets);
    let http = Http::new(guard.clone(), owner(), config.target(), config.ca.clone());
    let mut objects = Objects::new(http, guard, owner(), clock);
    match objects.carry(destination::Request::Object(Box::new(put))).await {
        Reply::Http(response) if (200..300).contains(&response.status) => Ok(()),
        Reply::Existing { same: true } => Ok(()),
        Reply::Existing { same: false } => Err(format!("another object is there under {key}")),
        Reply::Http(response) => {
            Err(format!("the object store answered {}: {}", response.status, response.excerpt))
        }
        Reply::Failed(failure) => Err(failure.detail),
        Reply::Written | Reply::TooLarge | Reply::Refused(_) => {
            Err("the object store gave no answer".into())
        }
    }
}

fn owner() -> Owner {
    Owner { environment: EnvironmentId::restored(INSTALLATION), tenant: TenantId::audit() }
}

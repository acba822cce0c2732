//! The HTTP client behind every command that speaks to a running server.
//!
//! Which server and which key: `--url` and `--key`, else `ATTESTARY_URL` and `ATTESTARY_KEY`, else the file that
//! `attestary dev` leaves in its data directory. A reply other than 2xx becomes a [`Failure`] that shows the
//! problem's detail and the next step.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    credentials::Credentials,
    exit::{Exit, Failure},
};

/// How long a server may take to answer one request. Imports send at most 10 MiB at a time.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// How long a reply may last that is read piece by piece: as good as for ever.
const REPLY_TIME_MAX: Duration = Duration::from_hours(24 * 365);

/// Where the server is and who asks; the same options on every client command.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// Base URL of the server
    #[arg(long, env = "ATTESTARY_URL", value_name = "URL", global = true)]
    pub(crate) url: Option<String>,
    /// API key; without it, the keys of a `dev` server are taken from its data directory
    #[arg(long, env = "ATTESTARY_KEY", value_name = "KEY", hide_env_values = true, global = true)]
    pub(crate) key: Option<String>,
    /// Environment to act in (operator keys only; other keys belong to one)
    #[arg(long, env = "ATTESTARY_ENVIRONMENT", value_name = "NAME", global = true)]
    pub(crate) environment: Option<String>,
    /// Data directory of a `dev` server, searched for its credentials
    #[arg(
        long,
        env = "ATTESTARY_DATA",
        value_name = "DIR",
        default_value = "attestary-data",
        global = true
    )]
    pub(crate) data: PathBuf,
}

/// Which of a `dev` server's keys a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Submits events.
    Ingest,
    /// Reads events.
    Read,
    /// Administers tenants, keys and destinations.
    Admin,
}

/// A server and a key for it.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
    environment: Option<String>,
}

/// The members of an RFC 9457 problem that are shown to a person.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    request_id: Option<String>,
    errors: Vec<ProblemItem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProblemItem {
    index: Option<u64>,
    pointer: String,
    detail: String,
}

/// How many items of a refused batch are shown.
const ITEMS_SHOWN_MAX: usize = 10;

impl Client {
    /// Returns a client for the server that `target` names, or finds the `dev` server's credentials.
    pub(crate) fn new(target: &Target, role: Role) -> anyhow::Result<Self> {
        let credentials = match (&target.url, &target.key) {
            (Some(_), Some(_)) => None,
            _ => Credentials::read(&target.data).with_context(|| {
                format!("cannot read the credentials in {}", target.data.display())
            })?,
        };
        let base =
            target.url.clone().or_else(|| credentials.as_ref().map(|found| found.url.clone()));
        let key = target.key.clone().or_else(|| credentials.map(|found| key_for(found, role)));
        let (Some(base), Some(key)) = (base, key) else {
            let message = format!(
                "no server is named, and {} holds no credentials of one",
                target.data.display()
            );
            return Err(Failure::new(Exit::Usage, message)
                .hint("start one with `attestary dev`, or pass --url and --key (ATTESTARY_URL, ATTESTARY_KEY)")
                .into());
        };
        let http = reqwest::Client::builder()
            .timeout(REQUEST_TIME_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot set up the HTTP client")?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http, base, key, environment: target.environment.clone() })
    }

    /// Returns the server's address, without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Starts a request to a path under the base URL.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request =
            self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        match &self.environment {
            Some(environment) => request.header("attestary-environment", environment),
            None => request,
        }
    }

    /// Sends a request and returns the body of its 2xx reply.
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<bytes::Bytes> {
        let reply = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = reply.status();
        let body = reply.bytes().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() { Ok(body) } else { Err(refusal(status, &body).into()) }
    }

    /// Sends a request whose 2xx reply is read piece by piece, for as long as it lasts.
    pub(crate) async fn open(&self, request: RequestBuilder) -> anyhow::Result<reqwest::Response> {
        let begun = tokio::time::timeout(REQUEST_TIME_MAX, request.timeout(REPLY_TIME_MAX).send());
        let reply = begun.await.map_err(|_| self.silent(REQUEST_TIME_MAX))?;
        let reply = reply.map_err(|error| self.unreachable(&error))?;
        let status = reply.status();
        if status.is_success() {
            return Ok(reply);
        }
        let body = reply.bytes().await.map_err(|error| self.unreachable(&error))?;
        Err(refusal(status, &body).into())
    }

    /// Returns the next piece of a reply, `None` at its end. More than `silence_max` without one is a failure.
    pub(crate) async fn piece(
        &self,
        reply: &mut reqwest::Response,
        silence_max: Duration,
    ) -> anyhow::Result<Option<bytes::Bytes>> {
        let piece = tokio::time::timeout(silence_max, reply.chunk()).await;
        let piece = piece.map_err(|_| self.silent(silence_max))?;
        Ok(piece.map_err(|error| self.unreachable(&error))?)
    }

    fn silent(&self, time: Duration) -> Failure {
        let message = format!("{} has sent nothing for {} s", self.base, time.as_secs());
        Failure::new(Exit::Unreachable, message)
    }

    /// Sends a request that makes something; that it is there already is fine.
    pub(crate) async fn send_unless_there(&self, request: RequestBuilder) -> anyhow::Result<()> {
        let reply = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = reply.status();
        if status.is_success() || status == StatusCode::CONFLICT {
            return Ok(());
        }
        let body = reply.bytes().await.map_err(|error| self.unreachable(&error))?;
        Err(refusal(status, &body).into())
    }

    /// Sends a request and parses its 2xx reply.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> anyhow::Result<T> {
        let body = self.send(request).await?;
        serde_json::from_slice(&body)
            .context("the server's reply is not the JSON that this version expects")
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), deepest);
        Failure::new(Exit::Unreachable, format!("{} does not answer: {cause}", self.base))
            .hint("is the server running? `attestary dev` starts one; --url names another")
    }
}

fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn key_for(credentials: Credentials, role: Role) -> String {
    match role {
        Role::Ingest => credentials.ingest_key,
        Role::Read => credentials.read_key,
        Role::Admin => credentials.admin_key,
    }
}

/// Returns what a refused request shows: detail, the bad items, the next step, the request id.
fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let mut message = match (problem.title.as_str(), problem.detail.as_str()) {
        ("", "") => format!("the server answered {status}"),
        (title, "") => format!("{title} ({status})"),
        ("", detail) => format!("{detail} ({status})"),
        (title, detail) => format!("{title}: {detail} ({status})"),
    };
    for item in problem.errors.iter().take(ITEMS_SHOWN_MAX) {
        let index = item.index.map_or_else(String::new, |index| format!("item {index} "));
        message.push_str(&format!("\n  {index}{}: {}", item.pointer, item.detail));
    }
    if problem.errors.len() > ITEMS_SHOWN_MAX {
        message.push_str(&format!("\n  and {} more", problem.errors.len() - ITEMS_SHOWN_MAX));
    }
    if let Some(request_id) = problem.request_id {
        message.push_str(&format!("\n  request {request_id}"));
    }
    let exit = if status.is_server_error() { Exit::Unavailable } else { Exit::Refused };
    let failure = Failure::new(exit, message);
    match next_step(status) {
        Some(step) => failure.hint(step),
        None => failure,
    }
}

fn next_step(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::UNAUTHORIZED => Some("pass a valid key with --key or ATTESTARY_KEY"),
        StatusCode::FORBIDDEN => {
            Some("use a key with the scope named above; `attestary keys list` shows scopes")
        }
        StatusCode::NOT_FOUND => {
            Some("check the id and the tenant; another tenant's things are never found")
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Some("wait a moment and send it again")
        }
        _ => None,
    }
}

/// Percent-encodes text for one segment of a path or one query value (RFC 3986, unreserved characters stay).
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str) {
        assert_eq!(
            refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes()).to_string(),
            expected
        );
    }

    #[test]
    fn a_refusal_shows_the_detail_and_the_next_step() {
        check(
            409,
            r#"{"title":"Conflict","detail":"id taken"}"#,
            "Conflict: id taken (409 Conflict)",
        );
        check(500, "oops", "the server answered 500 Internal Server Error");
        check(
            401,
            r#"{"title":"Key refused","request_id":"r1"}"#,
            "Key refused (401 Unauthorized)\n  request r1\n  next: pass a valid key with --key or ATTESTARY_KEY",
        );
        check(
            400,
            r#"{"title":"Invalid","detail":"2 bad","errors":[{"index":3,"pointer":"/3/action","detail":"missing"}]}"#,
            "Invalid: 2 bad (400 Bad Request)\n  item 3 /3/action: missing",
        );
    }

    #[test]
    fn path_segments_are_percent_encoded() {
        assert_eq!(encode("acme/ä ü"), "acme%2F%C3%A4%20%C3%BC");
        assert_eq!(encode("a-b._~9"), "a-b._~9");
    }
}

//! Amazon's credentials of one destination: its key, the service's identity, or a role assumed by one of them.
//!
//! Temporary credentials are kept until shortly before they end. STS is asked through the outbound guard.

use std::{path::Path, time::Duration};

use attestary_event::{Timestamp, event::hex};
use http::{HeaderMap, HeaderValue, Method, header};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    READ_MAX,
    http::{Http, Parts},
    sigv4,
};
use crate::{
    destination::{
        http::target,
        sts::{self, Credentials, Identity, Role, Signer},
    },
    guard::{Guard, Owner},
    health::Cause,
    verdict::{Failure, Response},
};

/// Credentials are not used in the last part of their life.
const MARGIN: Duration = Duration::from_mins(5);
/// Longest token of a platform.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;
/// Name of sessions that the service's own identity opens.
const OWN_SESSION: &str = "attestary";

/// The credentials of one destination.
pub(super) struct Session {
    guard: Guard,
    owner: Owner,
    kept: Option<(Signer, Credentials)>,
}

/// Where STS is asked, and when.
pub(super) struct Asked<'a> {
    pub(super) region: &'a str,
    pub(super) endpoint: &'a Url,
    pub(super) at: Timestamp,
}

impl Session {
    pub(super) fn new(guard: Guard, owner: Owner) -> Self {
        Self { guard, owner, kept: None }
    }

    /// Forgets temporary credentials: the receiver does not take them any more.
    pub(super) fn forget(&mut self) {
        self.kept = None;
    }

    /// Returns what signs now.
    pub(super) async fn credentials(
        &mut self,
        signer: &Signer,
        asked: &Asked<'_>,
    ) -> Result<Credentials, Failure> {
        if let Signer::Direct(Some(key)) = signer {
            return Ok(Credentials { key: key.clone(), token: None, until: None });
        }
        let fits = |(kept, credentials): &&(Signer, Credentials)| {
            let margin = MARGIN.as_millis() as i64;
            kept == signer && credentials.until.is_none_or(|until| until.0 - margin > asked.at.0)
        };
        if let Some((_, credentials)) = self.kept.as_ref().filter(fits) {
            return Ok(credentials.clone());
        }
        let made = match signer {
            Signer::Direct(_) => self.own(asked).await?,
            Signer::Role(role) => self.assumed(role, asked).await?,
        };
        self.kept = Some((signer.clone(), made.clone()));
        Ok(made)
    }

    async fn assumed(&self, role: &Role, asked: &Asked<'_>) -> Result<Credentials, Failure> {
        let by = match &role.by {
            Some(key) => Credentials { key: key.clone(), token: None, until: None },
            None => self.own(asked).await?,
        };
        self.ask(&sts::assume(role), Some(&by), asked).await
    }

    /// Returns credentials of the service itself.
    async fn own(&self, asked: &Asked<'_>) -> Result<Credentials, Failure> {
        match self.guard.aws() {
            Some(Identity::Key(key)) => {
                Ok(Credentials { key: key.clone(), token: None, until: None })
            }
            Some(Identity::WebIdentity { role_arn, token_file }) => {
                let token = platform_token(token_file).await?;
                let form = sts::assume_with_token(role_arn, OWN_SESSION, &token);
                self.ask(&form, None, asked).await
            }
            None => {
                let detail = "this service has no identity at Amazon: give a key, or have the operator set delivery.aws";
                Err(Failure::new(Cause::Configuration, detail))
            }
        }
    }

    async fn ask(
        &self,
        form: &str,
        by: Option<&Credentials>,
        asked: &Asked<'_>,
    ) -> Result<Credentials, Failure> {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(credentials) = by {
            let key = sigv4::Key { region: asked.region, service: "sts", credentials };
            let sum = hex(&Sha256::digest(form.as_bytes()));
            sigv4::apply(&key, &Method::POST, asked.endpoint, &mut headers, &sum, asked.at)?;
        }
        let parts = Parts {
            method: Method::POST,
            url: asked.endpoint.clone(),
            headers,
            body: form.to_owned().into(),
            reply_max: READ_MAX,
        };
        let target = target(asked.endpoint);
        let mut http = Http::new(self.guard.clone(), self.owner.clone(), target, None);
        let response: Response = http.send(&parts).await.map_err(|failure| {
            Failure::new(failure.cause, format!("cannot ask STS: {}", failure.detail))
        })?;
        sts::credentials(&response)
    }
}

/// Reads the token that the platform wrote for this service.
pub(super) async fn platform_token(path: &Path) -> Result<String, Failure> {
    let failed = |what: String| {
        Failure::new(Cause::Configuration, format!("cannot read the platform's token: {what}"))
    };
    let size = tokio::fs::metadata(path).await.map_err(|error| failed(error.to_string()))?.len();
    if size > TOKEN_BYTES_MAX {
        return Err(failed(format!("it has more than {TOKEN_BYTES_MAX} bytes")));
    }
    let token = tokio::fs::read_to_string(path).await.map_err(|error| failed(error.to_string()))?;
    Ok(token.trim().to_owned())
}

//! Bearer tokens: fetched through the guard over a connection of their own, and kept until shortly before they expire.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::time::Instant;

use super::{exchange::parts, http::Http, session::platform_token};
use crate::{
    destination::{
        grant::{self, Grant, Token},
        http::{Exchange, target},
        workload,
    },
    guard::{Guard, Owner, Target},
    health::Cause,
    ports::Clock,
    secret::Secret,
    verdict::{Failure, Response},
};

/// A token is not used in the last part of its life: the request still has to arrive.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// The tokens of one destination.
pub(super) struct Tokens {
    guard: Guard,
    owner: Owner,
    clock: Arc<dyn Clock>,
    endpoint: Option<(Target, Http)>,
    kept: Option<Kept>,
}

struct Kept {
    grant: Grant,
    value: Secret,
    until: Instant,
}

impl Tokens {
    pub(super) fn new(guard: Guard, owner: Owner, clock: Arc<dyn Clock>) -> Self {
        Self { guard, owner, clock, endpoint: None, kept: None }
    }

    /// Returns true when a token for this grant is at hand.
    pub(super) fn holds(&self, grant: &Grant) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.fits(grant))
    }

    /// Forgets the token: the receiver does not take it any more.
    pub(super) fn forget(&mut self) {
        self.kept = None;
    }

    /// Returns the value of the header `Authorization`.
    pub(super) async fn bearer(&mut self, grant: &Grant) -> Result<HeaderValue, Failure> {
        if !self.holds(grant) {
            self.kept = Some(self.fetch(grant).await?);
        }
        let text = self.kept.as_ref().map_or("", |kept| kept.value.danger_reveal());
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| {
            Failure::new(Cause::Configuration, "the token cannot stand in a header")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn fetch(&mut self, grant: &Grant) -> Result<Kept, Failure> {
        let token = match grant {
            Grant::Workload { scope } => self.own(scope).await?,
            _ => grant::token(&self.ask(grant.request()?).await?)?,
        };
        let until = Instant::now() + token.lifetime.saturating_sub(TOKEN_MARGIN);
        Ok(Kept { grant: grant.clone(), value: token.value, until })
    }

    /// Returns a token of the service's own identity at Google.
    async fn own(&mut self, scope: &str) -> Result<Token, Failure> {
        let Some(account) = self.guard.google().cloned() else {
            let detail = "this service has no identity at Google: give credentials, or have the operator set delivery.google_credentials_file";
            return Err(Failure::new(Cause::Configuration, detail));
        };
        let subject = account.subject(&platform_token(account.file()).await?)?;
        let token = grant::token(&self.ask(account.exchange(&subject, scope)).await?)?;
        let Some(url) = &account.service_account_impersonation_url else { return Ok(token) };
        let response = self.ask(workload::impersonate(url, scope, &token.value)?).await?;
        workload::impersonated(&response, self.clock.now())
    }

    async fn ask(&mut self, exchange: Exchange) -> Result<Response, Failure> {
        let request = parts(exchange).await?;
        let target = target(&request.url);
        if self.endpoint.as_ref().is_none_or(|(known, _)| *known != target) {
            let http = Http::new(self.guard.clone(), self.owner.clone(), target.clone(), None);
            self.endpoint = Some((target, http));
        }
        let Some((_, http)) = &mut self.endpoint else {
            return Err(Failure::new(Cause::Configuration, "no token endpoint"));
        };
        http.send(&request).await.map_err(|failure| {
            Failure::new(failure.cause, format!("cannot fetch a token: {}", failure.detail))
        })
    }
}

impl Kept {
    fn fits(&self, grant: &Grant) -> bool {
        self.grant.same(grant) && Instant::now() < self.until
    }
}

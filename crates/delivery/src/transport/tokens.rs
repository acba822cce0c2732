//! Bearer tokens: fetched through the guard over a connection of their own, and kept until shortly before they expire.

use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;

use super::{exchange::parts, http::Http};
use crate::{
    destination::{
        grant::{self, Grant},
        http::target,
    },
    guard::{Guard, Owner, Target},
    health::Cause,
    secret::Secret,
    verdict::Failure,
};

/// A token is not used in the last part of its life: the request still has to arrive.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// The tokens of one destination.
pub(super) struct Tokens {
    guard: Guard,
    owner: Owner,
    endpoint: Option<(Target, Http)>,
    kept: Option<Kept>,
}

struct Kept {
    grant: Grant,
    value: Secret,
    until: Instant,
}

impl Tokens {
    pub(super) fn new(guard: Guard, owner: Owner) -> Self {
        Self { guard, owner, endpoint: None, kept: None }
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
        let request = parts(grant.request()?).await?;
        let target = target(grant.url());
        if self.endpoint.as_ref().is_none_or(|(known, _)| *known != target) {
            let http = Http::new(self.guard.clone(), self.owner.clone(), target.clone(), None);
            self.endpoint = Some((target, http));
        }
        let Some((_, http)) = &mut self.endpoint else {
            return Err(Failure::new(Cause::Configuration, "no token endpoint"));
        };
        let response = http.send(&request).await.map_err(|failure| {
            Failure::new(failure.cause, format!("cannot fetch a token: {}", failure.detail))
        })?;
        let token = grant::token(&response)?;
        let until = Instant::now() + token.lifetime.saturating_sub(TOKEN_MARGIN);
        Ok(Kept { grant: grant.clone(), value: token.value, until })
    }
}

impl Kept {
    fn fits(&self, grant: &Grant) -> bool {
        self.grant.same(grant) && Instant::now() < self.until
    }
}

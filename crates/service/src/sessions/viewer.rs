//! Tokens of embedded viewers whose page is not known when the token is made.
//!
//! Retraced's publishers ask for a token without saying on which page the viewer will stand. So the page that uses the
//! token first, within five minutes, is the one whose origin the session is bound to. Whoever holds the token got it from the
//! application, as with every other link. Other than these it works more than once, for that page: the viewer's package asks
//! twice when it is mounted, and forgets the session that it has when the second answer is a refusal.

use attestary_event::TenantId;

use super::{Grant, Origin, Person, Portal, Started, WebOrigin, full};
use crate::{
    AccessError, Caller, ChangeError, Scope, Secret, Service,
    audit::{Act, action},
};

/// How long a token works, and how long its session lasts.
const TOKEN_MS: u64 = 5 * 60 * 1000;
const SESSION_MS: u64 = 15 * 60 * 1000;
/// The origin of a session that no page has begun: nobody's, as RFC 2606 has it.
const NOBODY: &str = "https://viewer.invalid";

impl Service {
    /// Makes a token that begins one viewer's session of a tenant's log.
    pub async fn create_viewer_token(
        &self,
        caller: &Caller,
        tenant: &str,
        person: Person,
        admin: bool,
    ) -> Result<Secret, ChangeError> {
        self.permit(caller, Scope::Portal, "portal.create")?;
        // A viewer never may more than who lets it in.
        let admin = admin && caller.has(Scope::Admin);
        let tenant: TenantId = self.visible(caller, tenant)?;
        if tenant.is_system() {
            return Err(AccessError::NotFound.into());
        }
        let mut violations = Vec::new();
        person.check("/actor", &mut violations);
        let origin =
            WebOrigin::parse(NOBODY).map_err(|detail| ChangeError::invalid("/origin", detail))?;
        if !violations.is_empty() {
            return Err(ChangeError::Invalid(violations));
        }
        let now_ms = self.clock().now_ms();
        let scopes = [Scope::Read, Scope::Export];
        let act = Act::new(action::KEY, "portal.create")
            .on("tenant", tenant.as_str())
            .on("user", &person.id)
            .with("scopes", scopes.map(Scope::name).to_vec())
            .with("viewer", "retraced")
            .with("admin", admin);
        let grant = Grant {
            person,
            role: None,
            scopes: scopes.into_iter().collect(),
            environment: caller.environment()?.clone(),
            tenants: Some(vec![tenant]),
            created_by: caller.principal.id().to_owned(),
            portal: Some(Portal {
                origin,
                locale: None,
                theme: None,
                hide_fields: Vec::new(),
                lens: None,
                until_ms: now_ms + SESSION_MS,
                admin,
                made_with: None,
            }),
        };
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let until_ms = now_ms + TOKEN_MS;
        let link = self.sessions().add_link(grant, now_ms, until_ms, until_ms, self.rng());
        link.map(|link| link.code).ok_or_else(full)
    }

    /// Begins the session of a viewer's token, on the page that uses it.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`] for a token that is unknown, too old, used by another page, or used too often.
    pub async fn start_viewer_session(
        &self,
        token: &str,
        page: Option<&str>,
        origin: Origin,
    ) -> Result<Started, ChangeError> {
        let now_ms = self.clock().now_ms();
        let page = page.map(WebOrigin::parse).transpose();
        let page = page.map_err(|detail| ChangeError::invalid("/origin", detail))?;
        let viewers = |grant: &Grant| {
            grant.portal.as_ref().is_some_and(|portal| portal.origin.as_str() == NOBODY)
        };
        let lent = self.sessions().lend_link(token, page.as_ref(), now_ms, viewers);
        let Some(mut grant) = lent else {
            self.record_refused_link(origin);
            return Err(AccessError::Unauthenticated.into());
        };
        let until_ms = now_ms + SESSION_MS;
        if let Some(portal) = &mut grant.portal {
            portal.until_ms = until_ms;
            portal.origin = page.unwrap_or_else(|| portal.origin.clone());
        }
        let started =
            self.sessions().start(grant, now_ms, until_ms, self.rng()).ok_or_else(full)?;
        self.record_start(started, origin).await
    }
}

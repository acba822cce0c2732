//! Sessions of people: operators who sign in to the console, and tenants' people whom an application lets in.
//!
//! A session begins with a link that works once. Sign-in links are made by administrators (or printed by `dev`) and give
//! a role; portal sessions are made by the application for one of its own people and see one tenant, perhaps only
//! some rows and fields of it. Sessions live in memory: a restart ends all of them, which people notice as one more
//! sign-in and embedded viewers not at all, since they fetch tokens anew every few minutes anyway.

mod identity;
mod index;
mod portal;
mod viewer;
mod web_origin;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use attestary_event::{EnvironmentId, TenantId, Violation};
use serde_json::{Value, json};

pub use identity::RoleMap;
pub(crate) use index::Sessions;
pub use portal::{NewPortalSession, OpenPortal, Portal, PortalCreated};
pub use web_origin::WebOrigin;

use crate::{
    AccessError, Caller, ChangeError, Origin, Scope, Scopes, Secret, Service,
    audit::{Act, Minute, action},
    credential::SecretHash,
    keys::tenant_list,
};

/// A signed-in session that is not used for so long ends (OWASP ASVS 7.3.1).
const IDLE_MS_MAX: u64 = 30 * 60 * 1000;
/// A signed-in session ends after so long in any case (OWASP ASVS 7.3.2).
const SESSION_MS_MAX: u64 = 12 * 60 * 60 * 1000;
/// How long a sign-in link waits when its maker does not say, and at most.
const LINK_SECONDS_DEFAULT: u64 = 10 * 60;
const LINK_SECONDS_MAX: u64 = 24 * 60 * 60;
/// Bytes of each text about a person.
const PERSON_BYTES_MAX: usize = 200;

/// What a signed-in person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything but submitting events.
    Operator,
    /// Reads events.
    Reader,
    /// Reads events and makes exports.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Operator, Self::Reader, Self::Auditor];

    /// Returns the name used in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Reader => "reader",
            Self::Auditor => "auditor",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Returns the scopes; of the installation only when whoever made the link manages it.
    fn scopes(self, operator: bool) -> Scopes {
        let scopes: &[Scope] = match self {
            Self::Operator => {
                &[Scope::Read, Scope::Export, Scope::Destinations, Scope::Portal, Scope::Admin]
            }
            Self::Reader => &[Scope::Read],
            Self::Auditor => &[Scope::Read, Scope::Export],
        };
        let own = (self == Self::Operator && operator).then_some(Scope::Operator);
        scopes.iter().copied().chain(own).collect()
    }
}

/// Whose session it is; stands as the actor in audit events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// Identity in the system that vouches for the person.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Address.
    pub email: Option<String>,
}

impl Person {
    /// Returns the person as an event's actor.
    pub(crate) fn actor(&self) -> Value {
        let mut actor = json!({ "type": "user", "id": self.id });
        for (name, value) in [("name", &self.name), ("email", &self.email)] {
            if let Some(value) = value {
                actor[name] = value.as_str().into();
            }
        }
        actor
    }

    fn check(&self, pointer: &str, violations: &mut Vec<Violation>) {
        let empty = String::new();
        for (name, text) in [
            ("id", &self.id),
            ("name", self.name.as_ref().unwrap_or(&empty)),
            ("email", self.email.as_ref().unwrap_or(&empty)),
        ] {
            if text.len() > PERSON_BYTES_MAX {
                let detail =
                    format!("has at most {PERSON_BYTES_MAX} bytes; this one has {}", text.len());
                violations.push(Violation::new(format!("{pointer}/{name}"), detail));
            }
        }
        if self.id.is_empty() {
            violations.push(Violation::new(format!("{pointer}/id"), "is required"));
        }
    }
}

/// What a session gives, fixed when it or its link is made.
#[derive(Debug, Clone)]
struct Grant {
    person: Person,
    role: Option<Role>,
    scopes: Scopes,
    environment: EnvironmentId,
    tenants: Option<Vec<TenantId>>,
    portal: Option<Portal>,
    created_by: String,
}

/// A running session.
pub struct Session {
    /// `ses_` and a ULID.
    pub id: String,
    /// Whose it is.
    pub person: Person,
    /// The role, for those who signed in.
    pub role: Option<Role>,
    /// What it may do.
    pub scopes: Scopes,
    /// Where it is valid.
    pub environment: EnvironmentId,
    /// The only tenants it may touch.
    pub tenants: Option<Vec<TenantId>>,
    /// Set for portal sessions.
    pub portal: Option<Portal>,
    /// Who made its link.
    pub created_by: String,
    /// When it began, in milliseconds since the epoch.
    pub created_ms: u64,
    /// When it ends in any case.
    pub expires_ms: u64,
    /// When it was last used.
    used_ms: AtomicU64,
    secret_hash: SecretHash,
    /// Tokens that its viewer made and has not been shown yet, by id.
    pub(crate) fresh_tokens: parking_lot::Mutex<Vec<(String, Secret)>>,
}

impl Session {
    /// Returns true when it may touch this tenant and was made for it.
    fn is_of(&self, environment: &EnvironmentId, tenant: &TenantId) -> bool {
        self.environment == *environment
            && self.tenants.as_ref().is_some_and(|own| own.contains(tenant))
    }

    /// Returns when the session ends unless it is used before, in milliseconds since the epoch.
    pub fn idle_expires_ms(&self) -> u64 {
        match self.portal {
            Some(_) => self.expires_ms,
            None => (self.used_ms.load(Ordering::Relaxed) + IDLE_MS_MAX).min(self.expires_ms),
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// What a sign-in link is made from.
#[derive(Debug, Clone, Default)]
pub struct NewLink {
    /// Who will sign in.
    pub person: Person,
    /// As what; a reader when it is not said.
    pub role: Option<Role>,
    /// The only tenants that the session may touch.
    pub tenants: Option<Vec<String>>,
    /// How long the link waits.
    pub ttl_s: Option<u64>,
}

/// A link that begins one session.
#[derive(Debug)]
pub struct Link {
    /// `lnk_` and a ULID.
    pub id: String,
    /// What the link carries; shown this once.
    pub code: Secret,
    /// Until when it works, in milliseconds since the epoch.
    pub expires_ms: u64,
}

/// A session that just began.
#[derive(Debug)]
pub struct Started {
    /// The session.
    pub session: Arc<Session>,
    /// What its requests present.
    pub token: Secret,
}

impl Service {
    /// Makes a link that signs a person in once.
    pub async fn create_sign_in_link(
        &self,
        caller: &Caller,
        new: NewLink,
    ) -> Result<Link, ChangeError> {
        let operator = caller.has(Scope::Operator);
        if !operator {
            self.permit(caller, Scope::Admin, "session.link")?;
        }
        let role = new.role.unwrap_or(Role::Reader);
        let (tenants, ttl_s) = checked(caller, &new, operator)?;
        let grant = Grant {
            person: new.person,
            role: Some(role),
            scopes: role.scopes(operator && tenants.is_none()),
            environment: caller.environment.clone(),
            tenants,
            portal: None,
            created_by: caller.principal.id().to_owned(),
        };
        let now_ms = self.clock().now_ms();
        let act = Act::new(action::KEY, "session.link")
            .on("user", &grant.person.id)
            .with("role", role.name())
            .with("ttl_s", ttl_s);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.sessions()
            .add_link(grant, now_ms, now_ms + ttl_s * 1000, now_ms + ttl_s * 1000, self.rng())
            .ok_or_else(full)
    }

    /// Begins the session of a link; every code works once.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`] for a code that is unknown, used or too old.
    pub async fn start_session(&self, code: &str, origin: Origin) -> Result<Started, ChangeError> {
        let now_ms = self.clock().now_ms();
        let Some(grant) = self.sessions().take_link(code, now_ms) else {
            self.record_refused_link(origin);
            return Err(AccessError::Unauthenticated.into());
        };
        let until = grant.portal.as_ref().map_or(now_ms + SESSION_MS_MAX, |portal| portal.until_ms);
        let started = self.sessions().start(grant, now_ms, until, self.rng()).ok_or_else(full)?;
        self.record_start(started, origin).await
    }

    /// Records that a session began; one that cannot be recorded ends at once.
    async fn record_start(&self, started: Started, origin: Origin) -> Result<Started, ChangeError> {
        let caller = Caller {
            environment: started.session.environment.clone(),
            principal: crate::Principal::Session(Arc::clone(&started.session)),
            origin,
        };
        let act = Act::new(action::KEY, "session.start").on("session", &started.session.id);
        if let Err(error) = self.record(&caller, act).await {
            self.sessions().end(&started.session);
            return Err(ChangeError::Audit(error));
        }
        Ok(started)
    }

    /// Ends the caller's own session; keys have none.
    pub async fn end_session(&self, caller: &Caller) -> Result<(), ChangeError> {
        let Some(session) = caller.session() else { return Err(AccessError::NotFound.into()) };
        let act = Act::new(action::KEY, "session.end").on("session", &session.id);
        // Ended before it is recorded: a full disk must not keep a person signed in.
        self.sessions().end(session);
        self.record(caller, act).await.map_err(ChangeError::Audit)
    }

    /// Returns true when some portal session is shown on pages of this origin.
    pub fn knows_origin(&self, origin: &str) -> bool {
        self.sessions().knows_origin(origin, self.clock().now_ms())
    }

    /// Returns the origin whose pages may frame the portal page of this link.
    pub fn frame_origin(&self, link_id: &str) -> Option<WebOrigin> {
        self.sessions().frame_origin(link_id, self.clock().now_ms())
    }

    /// Codes that do not work are recorded once a minute for each address, in the background.
    fn record_refused_link(&self, origin: Origin) {
        let minute = Minute::of(self.clock().now_ms());
        let from = origin.ip.map_or_else(String::new, |ip| ip.to_string());
        if !self.coalescer().first(&from, "refused link", minute) {
            return;
        }
        let service = self.clone();
        self.runtime().spawn(async move {
            let caller = Caller { origin, ..Caller::installation_itself() };
            let act = Act::refused(action::KEY, "session.start");
            if let Err(error) = service.record(&caller, act).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a refused link could not be recorded"
                );
            }
        });
    }
}

type Checked = (Option<Vec<TenantId>>, u64);

fn checked(caller: &Caller, new: &NewLink, operator: bool) -> Result<Checked, ChangeError> {
    let mut violations = Vec::new();
    new.person.check("", &mut violations);
    let ttl_s = new.ttl_s.unwrap_or(LINK_SECONDS_DEFAULT);
    if !(1..=LINK_SECONDS_MAX).contains(&ttl_s) {
        let detail = format!("is 1 to {LINK_SECONDS_MAX} seconds; this is {ttl_s}");
        violations.push(Violation::new("/ttl_s", detail));
    }
    let tenants = new.tenants.as_ref().map(|ids| tenant_list(caller, ids, &mut violations));
    if caller.tenants().is_some() && tenants.is_none() {
        let detail = "your key is limited to tenants, so the session must be too";
        violations.push(Violation::new("/tenants", detail));
    }
    if operator && caller.environment().is_err() && new.role != Some(Role::Operator) {
        return Err(AccessError::EnvironmentRequired.into());
    }
    if violations.is_empty() { Ok((tenants, ttl_s)) } else { Err(ChangeError::Invalid(violations)) }
}

/// There is no room for one more session.
fn full() -> ChangeError {
    ChangeError::Conflict {
        reason: format!(
            "there are {} sessions or links at once, which is the limit; wait until some end",
            index::SESSIONS_MAX
        ),
    }
}

//! Portal sessions: an application lets one of its own people see a tenant's log for a few minutes.

use attestary_event::{Hidden, Violation, filter::Filter};

use super::{Grant, Person, WebOrigin, full};
use crate::{
    AccessError, Caller, ChangeError, FilterProblem, ReadError, Scope, Scopes, Secret, Service,
    audit::{Act, action},
    lens::Lens,
    search::parse_filter,
};

/// How long a portal session lasts at most, and when it is not said: 15 minutes.
const TTL_SECONDS_MAX: u64 = 15 * 60;
/// How long the link of a portal session works.
const LINK_MS: u64 = 60 * 1000;
/// Hidden fields of one session.
const HIDE_FIELDS_MAX: usize = 50;
/// Bytes of a locale.
const LOCALE_BYTES_MAX: usize = 35;

/// What a portal session has beyond other sessions.
#[derive(Debug, Clone)]
pub struct Portal {
    /// The pages that show it.
    pub origin: WebOrigin,
    /// Language of the page, such as `de-AT`.
    pub locale: Option<String>,
    /// light, dark or system.
    pub theme: Option<String>,
    /// The fields that are not shown, as they were given.
    pub hide_fields: Vec<String>,
    pub(crate) lens: Option<Lens>,
    pub(super) until_ms: u64,
    /// Whether its viewer may make tokens that read the tenant.
    pub(crate) admin: bool,
    /// Of what begins with the session's link: the id of the session that was made with it.
    pub(super) made_with: Option<String>,
}

/// What a portal session is made from.
#[derive(Debug, Clone, Default)]
pub struct NewPortalSession {
    /// Who looks.
    pub person: Person,
    /// read, export, destinations; `read` when there is none.
    pub scopes: Vec<Scope>,
    /// Only events that this filter selects.
    pub restrict: String,
    /// Paths of fields that are not shown.
    pub hide_fields: Vec<String>,
    /// The pages that show it.
    pub origin: String,
    /// Language of the page.
    pub locale: Option<String>,
    /// light, dark or system.
    pub theme: Option<String>,
    /// How long it lasts.
    pub ttl_s: Option<u64>,
    /// How long its link waits to be opened: 60 seconds unless it is said, and no longer than the session.
    pub link_ttl_s: Option<u64>,
}

/// A portal session that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPortal {
    /// `ses_` and a ULID.
    pub id: String,
    /// Who looks.
    pub person: Person,
    /// What it may do.
    pub scopes: Scopes,
    /// The pages that show it.
    pub origin: String,
    /// The key or session that made it.
    pub created_by: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
    /// When it ends, in milliseconds since the epoch.
    pub expires_ms: u64,
}

/// A portal session that was just made.
#[derive(Debug)]
pub struct PortalCreated {
    /// `ses_` and a ULID.
    pub id: String,
    /// For pages that embed the viewer.
    pub token: Secret,
    /// When the session ends, in milliseconds since the epoch.
    pub expires_ms: u64,
    /// `lnk_…` of the page for browsers.
    pub link_id: String,
    /// The page's code, which works once.
    pub code: Secret,
}

impl Service {
    /// Makes a portal session of one tenant.
    pub async fn create_portal_session(
        &self,
        caller: &Caller,
        tenant: &str,
        new: NewPortalSession,
    ) -> Result<PortalCreated, ChangeError> {
        self.permit(caller, Scope::Portal, "portal.create")?;
        let tenant = self.visible(caller, tenant)?;
        if tenant.is_system() {
            return Err(AccessError::NotFound.into());
        }
        let now_ms = self.clock().now_ms();
        let ttl_s = new.ttl_s.unwrap_or(TTL_SECONDS_MAX);
        let (restrict, text) = (new.restrict.clone(), new.hide_fields.clone());
        let (scopes, portal) = checked(new.clone(), now_ms, ttl_s)?;
        let act = Act::new(action::KEY, "portal.create")
            .on("tenant", tenant.as_str())
            .on("user", &new.person.id)
            .with("scopes", scopes.iter().map(Scope::name).collect::<Vec<_>>())
            .with("restrict", restrict)
            .with("hide_fields", text)
            .with("origin", portal.origin.as_str())
            .with("ttl_s", ttl_s);
        let grant = Grant {
            person: new.person,
            role: None,
            scopes,
            environment: caller.environment()?.clone(),
            tenants: Some(vec![tenant]),
            created_by: caller.principal.id().to_owned(),
            portal: Some(portal),
        };
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let expires_ms = now_ms + ttl_s * 1000;
        let link_ms = new.link_ttl_s.map_or(LINK_MS, |seconds| seconds.saturating_mul(1000));
        let link_ms = now_ms.saturating_add(link_ms).min(expires_ms);
        let started = self
            .sessions()
            .start(grant.clone(), now_ms, expires_ms, self.rng())
            .ok_or_else(full)?;
        let portal = grant
            .portal
            .map(|portal| Portal { made_with: Some(started.session.id.clone()), ..portal });
        let link = self
            .sessions()
            .add_link(Grant { portal, ..grant }, now_ms, link_ms, expires_ms, self.rng())
            .ok_or_else(full)?;
        Ok(PortalCreated {
            id: started.session.id.clone(),
            token: started.token,
            expires_ms,
            link_id: link.id,
            code: link.code,
        })
    }

    /// Lists the portal sessions of a tenant that go on, newest first.
    pub async fn list_portal_sessions(
        &self,
        caller: &Caller,
        tenant: &str,
    ) -> Result<Vec<OpenPortal>, ReadError> {
        self.permit(caller, Scope::Portal, "portal.list")?;
        let tenant = self.visible(caller, tenant)?;
        let now_ms = self.clock().now_ms();
        let open = self.sessions().portals(caller.environment()?, &tenant, now_ms);
        let act = Act::new(action::VIEW, "portal.list")
            .on("tenant", tenant.as_str())
            .with("result_count", open.len());
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(open)
    }

    /// Ends a portal session, its link and what began with the link: all are refused from the next request on.
    pub async fn revoke_portal_session(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<(), ChangeError> {
        self.permit(caller, Scope::Portal, "portal.revoke")?;
        let tenant = self.visible(caller, tenant)?;
        // Ended before it is recorded: a full disk must not keep the door open.
        let now_ms = self.clock().now_ms();
        if !self.sessions().revoke_portal(caller.environment()?, &tenant, id, now_ms) {
            return Err(AccessError::NotFound.into());
        }
        let act =
            Act::new(action::KEY, "portal.revoke").on("tenant", tenant.as_str()).on("session", id);
        self.record(caller, act).await.map_err(ChangeError::Audit)
    }
}

fn checked(
    new: NewPortalSession,
    now_ms: u64,
    ttl_s: u64,
) -> Result<(Scopes, Portal), ChangeError> {
    let mut violations = Vec::new();
    new.person.check("/actor", &mut violations);
    if !(1..=TTL_SECONDS_MAX).contains(&ttl_s) {
        let detail = format!("is 1 to {TTL_SECONDS_MAX} seconds; this is {ttl_s}");
        violations.push(Violation::new("/ttl_s", detail));
    }
    let restrict = restriction(&new.restrict)?;
    let hidden = hidden(&new.hide_fields, &mut violations);
    let limited = !restrict.is_everything() || !hidden.is_empty();
    let scopes = scopes(&new.scopes, limited, &mut violations);
    let origin = WebOrigin::parse(&new.origin);
    if let Err(detail) = &origin {
        violations.push(Violation::new("/origin", detail.clone()));
    }
    let locale_is_plain = |text: &String| {
        text.len() <= LOCALE_BYTES_MAX
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !new.locale.as_ref().is_none_or(locale_is_plain) {
        violations.push(Violation::new("/locale", "is a language tag, such as en or de-AT"));
    }
    if !matches!(new.theme.as_deref(), None | Some("light" | "dark" | "system")) {
        violations.push(Violation::new("/theme", "is light, dark or system"));
    }
    let Some(origin) = origin.ok().filter(|_| violations.is_empty()) else {
        return Err(ChangeError::Invalid(violations));
    };
    let portal = Portal {
        origin,
        locale: new.locale,
        theme: new.theme,
        hide_fields: new.hide_fields,
        lens: limited.then_some(Lens { restrict, hidden }),
        until_ms: now_ms + ttl_s * 1000,
        admin: false,
        made_with: None,
    };
    Ok((scopes, portal))
}

/// The offsets of a bad restriction are those of the member `restrict`.
fn restriction(text: &str) -> Result<Filter, ChangeError> {
    parse_filter(text).map_err(|problem| {
        let detail = format!("restrict is not valid: {}", problem.detail);
        ChangeError::Filter(FilterProblem { detail, ..problem })
    })
}

fn hidden(paths: &[String], violations: &mut Vec<Violation>) -> Hidden {
    if paths.len() > HIDE_FIELDS_MAX {
        let detail = format!("has at most {HIDE_FIELDS_MAX} paths; this one has {}", paths.len());
        violations.push(Violation::new("/hide_fields", detail));
        return Hidden::default();
    }
    Hidden::parse(paths).unwrap_or_else(|(at, detail)| {
        violations.push(Violation::new(format!("/hide_fields/{at}"), detail));
        Hidden::default()
    })
}

/// Exports and destinations would carry whole events out, so a session that sees less may only read.
fn scopes(wanted: &[Scope], limited: bool, violations: &mut Vec<Violation>) -> Scopes {
    for (at, scope) in wanted.iter().enumerate() {
        let allowed = match scope {
            Scope::Read => true,
            Scope::Export | Scope::Destinations => !limited,
            _ => false,
        };
        if !allowed {
            let detail = if limited {
                "a session with a restriction or hidden fields takes the scope read only"
            } else {
                "a portal session takes the scopes read, export and destinations only"
            };
            violations.push(Violation::new(format!("/scopes/{at}"), detail));
        }
    }
    if wanted.is_empty() {
        [Scope::Read].into_iter().collect()
    } else {
        wanted.iter().copied().collect()
    }
}

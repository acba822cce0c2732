//! `/v1/session`, `/v1/sign-in-links` and `/v1/tenants/{tenant}/portal-sessions`: people at the console and in portals.

use attestary_event::Violation;
use attestary_service::{
    Caller, NewLink, NewPortalSession, Origin, Person, PortalCreated, Principal, Role, Scope,
    Scopes, Started,
};
use axum::{
    Extension,
    extract::{Path, Request, State as Shared},
    response::Response,
};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{done, reply, time};
use crate::{
    app::State,
    body::{self, Limits},
    cookie::{self, Https},
    extract::{Authed, Posted, media_type, unsupported},
    members::Members,
    problem::Problem,
};

/// Bytes of a body that begins a session.
const CODE_BODY_BYTES_MAX: usize = 4 * 1024;

/// Who asks, and what they may do.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    /// key, sign-in or portal.
    kind: &'static str,
    id: String,
    /// Name of the key or of the person.
    name: Option<String>,
    email: Option<String>,
    /// operator, reader or auditor; null for keys and portal sessions.
    role: Option<&'static str>,
    /// `_system` for operators, who name one in the header `Attestary-Environment`.
    environment: String,
    scopes: Vec<&'static str>,
    /// The only tenants that can be touched; null: every tenant of the environment.
    tenants: Option<Vec<String>>,
    expires_at: Option<String>,
    /// When the session ends unless it is used before.
    idle_expires_at: Option<String>,
    /// Of a portal session: the pages that may show it.
    origin: Option<String>,
    /// Of a portal session: the fields that are not shown.
    hide_fields: Option<Vec<String>>,
    /// Of a portal session: language of the page.
    locale: Option<String>,
    /// Of a portal session: light, dark or system.
    theme: Option<String>,
}

/// A session that began. A signed-in one has no token here: its cookie holds it.
#[derive(Serialize, ToSchema)]
pub(crate) struct StartedSession<'a> {
    #[serde(flatten)]
    session: SessionView,
    /// Of a portal session: goes into the header `Authorization: Bearer …`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// A link that signs in once.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignInLink {
    id: String,
    /// Path and fragment, to be put behind the address of this server; shown this once.
    url: String,
    expires_at: String,
}

/// A portal session.
#[derive(Serialize, ToSchema)]
pub(crate) struct PortalSession<'a> {
    id: String,
    /// Path and fragment of a page that works once, within 60 seconds; to be put behind the address of this server.
    url: String,
    /// For the embedded viewer: goes into the header `Authorization: Bearer …`.
    token: &'a str,
    expires_at: String,
}

/// A portal session that goes on.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenPortalSession {
    id: String,
    /// Who looks.
    actor: PortalActorView,
    scopes: Vec<&'static str>,
    /// The pages that show it; `https://viewer.invalid` until a page began a viewer's session.
    origin: String,
    /// The key or session that made it.
    created_by: String,
    created_at: String,
    expires_at: String,
}

/// Who looks.
#[derive(Serialize, ToSchema)]
pub(crate) struct PortalActorView {
    id: String,
    name: Option<String>,
    email: Option<String>,
}

/// Portal sessions, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenPortalSessionList {
    data: Vec<OpenPortalSession>,
}

/// What a sign-in link is made from.
#[derive(ToSchema)]
#[schema(as = NewSignInLink)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewLinkShape {
    /// Identity of the person; the actor in audit events.
    id: String,
    name: Option<String>,
    email: Option<String>,
    /// reader (default), auditor or operator.
    role: Option<String>,
    /// The only tenants that the session may touch.
    tenants: Option<Vec<String>>,
    /// How long the link waits: 600 by default, at most 86,400.
    ttl_s: Option<u64>,
}

/// The code of a link.
#[derive(ToSchema)]
#[schema(as = NewSession)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewSessionShape {
    code: String,
}

/// Who looks.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct PortalActor {
    id: String,
    name: Option<String>,
    email: Option<String>,
}

/// What a portal session is made from.
#[derive(ToSchema)]
#[schema(as = NewPortalSession)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewPortalSessionShape {
    actor: PortalActor,
    /// read (default), export, destinations; a session with a restriction or hidden fields takes read only.
    scopes: Option<Vec<String>>,
    /// Only events that this filter selects.
    restrict: Option<String>,
    /// Paths of fields that are not shown, and that no filter may name.
    hide_fields: Option<Vec<String>>,
    /// The pages that show it, such as `https://app.example.com`.
    origin: String,
    locale: Option<String>,
    /// light, dark or system.
    theme: Option<String>,
    /// 1 to 900; 900 by default.
    ttl_s: Option<u64>,
}

/// Begin the session of a link. A sign-in link sets the session cookie; a portal link gives a token.
#[utoipa::path(
    post, path = "/v1/session", tag = "sessions", request_body = NewSessionShape, security(()),
    responses((status = 201, description = "Begun", body = StartedSession))
)]
pub(crate) async fn start(
    Shared(state): Shared<State>,
    Extension(origin): Extension<Origin>,
    Extension(https): Extension<Https>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    // No page of another origin may sign a browser in as somebody else.
    if let Err(problem) = cookie::of_the_console(&parts.headers) {
        body::drain(body).await;
        return Err(problem);
    }
    let limits = Limits { bytes_max: CODE_BODY_BYTES_MAX, ratio_max: 1 };
    let body = body::read(&parts.headers, body, limits).await?;
    let mut members = match media_type(&parts.headers).as_deref() {
        Some("application/json") => Members::parse(&body)?,
        other => return Err(unsupported(other.unwrap_or(""), "application/json")),
    };
    let code = members.required_text("code");
    members.finish()?;
    let Started { session, token } = state.service.start_session(&code, origin.clone()).await?;
    let portal = session.portal.is_some();
    let seconds = session.expires_ms.saturating_sub(session.created_ms) / 1000;
    let caller = state.service.authenticate(token.reveal(), None, origin)?;
    let view = StartedSession { session: view(&caller), token: portal.then(|| token.reveal()) };
    let mut response = reply(StatusCode::CREATED, &view);
    if !portal {
        let value = cookie::set(token.reveal(), seconds, https);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// Say who asks, and what they may do.
#[utoipa::path(
    get, path = "/v1/session", tag = "sessions",
    responses((status = 200, description = "The key or session", body = SessionView))
)]
pub(crate) async fn own(Authed(caller): Authed) -> Response {
    reply(StatusCode::OK, &view(&caller))
}

/// End the caller's session.
#[utoipa::path(
    delete, path = "/v1/session", tag = "sessions",
    responses((status = 204, description = "Ended; keys have no session and get a 404"))
)]
pub(crate) async fn end(
    Shared(state): Shared<State>,
    Extension(https): Extension<Https>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    state.service.end_session(&caller).await?;
    let mut response = done();
    response.headers_mut().insert(header::SET_COOKIE, cookie::clear(https));
    Ok(response)
}

/// Make a link that signs a person in once.
#[utoipa::path(
    post, path = "/v1/sign-in-links", tag = "sessions", request_body = NewLinkShape,
    responses((status = 201, description = "Made; the link is shown this once", body = SignInLink))
)]
pub(crate) async fn create_link(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewLink {
        person: Person {
            id: members.required_text("id"),
            name: members.text("name"),
            email: members.text("email"),
        },
        role: role(&mut members),
        tenants: members.texts("tenants"),
        ttl_s: seconds(&mut members),
    };
    members.finish()?;
    let link = state.service.create_sign_in_link(&posted.caller, new).await?;
    let view = SignInLink {
        url: sign_in_path(link.code.reveal()),
        id: link.id,
        expires_at: time(link.expires_ms),
    };
    Ok(reply(StatusCode::CREATED, &view))
}

/// Returns the path of the page that signs in with a code. Fragments stay out of logs and are sent to no server.
pub fn sign_in_path(code: &str) -> String {
    format!("/console/#code={code}")
}

/// Returns the path of the page that a portal session's link opens.
pub(crate) fn portal_path(made: &PortalCreated) -> String {
    format!("/console/portal/{}#code={}", made.link_id, made.code.reveal())
}

/// Make a portal session: one of the application's people sees one tenant's log for a few minutes.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/portal-sessions", tag = "sessions",
    request_body = NewPortalSessionShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 201, description = "Made; url and token are shown this once", body = PortalSession))
)]
pub(crate) async fn create_portal(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewPortalSession {
        person: actor(&mut members),
        scopes: super::keys::scopes(&mut members),
        restrict: members.text("restrict").unwrap_or_default(),
        hide_fields: members.texts("hide_fields").unwrap_or_default(),
        origin: members.required_text("origin"),
        locale: members.text("locale"),
        theme: members.text("theme"),
        ttl_s: seconds(&mut members),
        link_ttl_s: None,
    };
    members.finish()?;
    let made = state.service.create_portal_session(&posted.caller, &tenant, new).await?;
    let view = PortalSession {
        url: portal_path(&made),
        id: made.id,
        token: made.token.reveal(),
        expires_at: time(made.expires_ms),
    };
    Ok(reply(StatusCode::CREATED, &view))
}

/// List the portal sessions of a tenant that go on.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/portal-sessions", tag = "sessions",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "Newest first; without their secrets", body = OpenPortalSessionList))
)]
pub(crate) async fn list_portal(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    let open = state.service.list_portal_sessions(&caller, &tenant).await?;
    let data = open.into_iter().map(|open| OpenPortalSession {
        id: open.id,
        actor: PortalActorView {
            id: open.person.id,
            name: open.person.name,
            email: open.person.email,
        },
        scopes: open.scopes.iter().map(Scope::name).collect(),
        origin: open.origin,
        created_by: open.created_by,
        created_at: time(open.created_ms),
        expires_at: time(open.expires_ms),
    });
    Ok(reply(StatusCode::OK, &OpenPortalSessionList { data: data.collect() }))
}

/// Revoke a portal session, its link, and what began with the link.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/portal-sessions/{id}", tag = "sessions",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The portal session's id"),
    ),
    responses((status = 204, description = "Ended; 404 when no such session goes on"))
)]
pub(crate) async fn revoke_portal(
    Shared(state): Shared<State>,
    Path((tenant, id)): Path<(String, String)>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    state.service.revoke_portal_session(&caller, &tenant, &id).await?;
    Ok(done())
}

fn role(members: &mut Members) -> Option<Role> {
    let name = members.text("role")?;
    let role = Role::parse(&name);
    if role.is_none() {
        members.refuse(Violation::new("/role", "is operator, reader or auditor"));
    }
    role
}

fn seconds(members: &mut Members) -> Option<u64> {
    let value = members.take("ttl_s")?;
    let seconds = value.as_u64();
    if seconds.is_none() {
        members.refuse(Violation::new("/ttl_s", "must be a whole number of seconds"));
    }
    seconds
}

fn actor(members: &mut Members) -> Person {
    let object = members.object("actor").unwrap_or_default();
    let known = ["id", "name", "email"];
    for (name, value) in &object {
        if !known.contains(&name.as_str()) {
            let shown = &name[..name.floor_char_boundary(64)];
            let detail = format!("there is no member \"{shown}\"; known are {}", known.join(", "));
            members.refuse(Violation::new("/actor", detail));
        } else if !value.is_string() && !value.is_null() {
            members.refuse(Violation::new(format!("/actor/{name}"), "must be a string"));
        }
    }
    let text = |name: &str| member_text(&object, name);
    Person { id: text("id").unwrap_or_default(), name: text("name"), email: text("email") }
}

fn member_text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

fn view(caller: &Caller) -> SessionView {
    let mut view = SessionView {
        kind: "key",
        id: caller.principal.id().to_owned(),
        name: None,
        email: None,
        role: None,
        environment: caller.environment_name().to_owned(),
        scopes: Vec::new(),
        tenants: caller.tenants().map(|ids| ids.iter().map(ToString::to_string).collect()),
        expires_at: None,
        idle_expires_at: None,
        origin: None,
        hide_fields: None,
        locale: None,
        theme: None,
    };
    let names = |scopes: Scopes| scopes.iter().map(Scope::name).collect();
    match &caller.principal {
        Principal::Key(key) => {
            view.name = Some(key.name.clone());
            view.scopes = names(key.scopes);
            view.expires_at = key.expires_ms.map(time);
        }
        Principal::Session(session) => {
            view.kind = if session.portal.is_some() { "portal" } else { "sign-in" };
            view.name = session.person.name.clone().or_else(|| Some(session.person.id.clone()));
            view.email.clone_from(&session.person.email);
            view.role = session.role.map(Role::name);
            view.scopes = names(session.scopes);
            view.expires_at = Some(time(session.expires_ms));
            view.idle_expires_at = Some(time(session.idle_expires_ms()));
            if let Some(portal) = &session.portal {
                view.origin = Some(portal.origin.to_string());
                view.hide_fields = Some(portal.hide_fields.clone());
                view.locale.clone_from(&portal.locale);
                view.theme.clone_from(&portal.theme);
            }
        }
        Principal::Receiver(_) | Principal::Installation => {}
    }
    view
}

//! `/v1/keys`: API keys of an environment.

use attestary_event::{Timestamp, Violation};
use attestary_service::{Key, NewKey, Scope};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{List, done, reply, time};
use crate::{
    app::State,
    extract::{Authed, Posted},
    members::Members,
    problem::Problem,
    query::Query,
};

/// A key without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyView {
    id: String,
    name: String,
    environment: String,
    /// ingest, read, export, destinations, portal, admin, operator; none implies another.
    scopes: Vec<&'static str>,
    /// The only tenants it may touch; null: every tenant of the environment.
    tenants: Option<Vec<String>>,
    created_at: String,
    /// The key that made it, or `installation`.
    created_by: String,
    expires_at: Option<String>,
    /// Up to a minute late.
    last_used_at: Option<String>,
}

/// A new key with its text, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedKey<'a> {
    #[serde(flatten)]
    key: KeyView,
    /// Goes into the header `Authorization: Bearer …`.
    secret: &'a str,
}

/// The valid keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyList {
    data: Vec<KeyView>,
    next_cursor: Option<String>,
}

/// What a key is made from.
#[derive(ToSchema)]
#[schema(as = NewKey)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewKeyShape {
    name: Option<String>,
    /// At least one of ingest, read, export, destinations, portal, admin, operator.
    scopes: Vec<String>,
    /// The only tenants it may touch.
    tenants: Option<Vec<String>>,
    /// When it stops being valid by itself.
    expires_at: Option<String>,
}

fn view(key: &Key) -> KeyView {
    KeyView {
        id: key.id.clone(),
        name: key.name.clone(),
        environment: key.environment.to_string(),
        scopes: key.scopes.iter().map(Scope::name).collect(),
        tenants: key
            .tenants
            .as_ref()
            .map(|tenants| tenants.iter().map(ToString::to_string).collect()),
        created_at: time(key.created_ms),
        created_by: key.created_by.clone(),
        expires_at: key.expires_ms.map(time),
        last_used_at: key.last_used_ms().map(time),
    }
}

/// Make a key.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys", request_body = NewKeyShape,
    responses((status = 201, description = "Made; the secret is shown this once", body = CreatedKey))
)]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewKey {
        name: members.text("name").unwrap_or_default(),
        scopes: scopes(&mut members),
        tenants: members.texts("tenants"),
        expires_ms: expiry(&mut members),
    };
    members.finish()?;
    let created = state.service.create_key(&posted.caller, new).await?;
    let body = CreatedKey { key: view(&created.key), secret: created.secret.reveal() };
    Ok(reply(StatusCode::CREATED, &body))
}

pub(crate) fn scopes(members: &mut Members) -> Vec<Scope> {
    let names = members.texts("scopes").unwrap_or_default();
    let mut scopes = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        match Scope::parse(name) {
            Some(scope) => scopes.push(scope),
            None => {
                let known = Scope::ALL.map(Scope::name).join(", ");
                let shown = &name[..name.floor_char_boundary(64)];
                let detail = format!("there is no scope \"{shown}\"; known are {known}");
                members.refuse(Violation::new(format!("/scopes/{at}"), detail));
            }
        }
    }
    scopes
}

fn expiry(members: &mut Members) -> Option<u64> {
    let text = members.text("expires_at")?;
    let time = Timestamp::parse(&text).and_then(|time| u64::try_from(time.0).ok());
    if time.is_none() {
        members.refuse(Violation::new(
            "/expires_at",
            "must be a time with an offset, such as 2027-01-01T00:00:00Z",
        ));
    }
    time
}

/// List the valid keys of the environment, oldest first.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys",
    responses((status = 200, description = "The valid keys", body = KeyList))
)]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref(), &[])?;
    let keys = state.service.list_keys(&caller).await?;
    Ok(reply(StatusCode::OK, &List::whole(keys.iter().map(|key| view(key)).collect())))
}

/// Read one key.
#[utoipa::path(
    get, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "key_…")),
    responses((status = 200, description = "The key", body = KeyView))
)]
pub(crate) async fn one(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &view(&*state.service.key(&caller, &id).await?)))
}

/// Revoke a key: it is refused from the next request on.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "key_…")),
    responses((status = 204, description = "Revoked"))
)]
pub(crate) async fn revoke(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    state.service.revoke_key(&caller, &id).await?;
    Ok(done())
}

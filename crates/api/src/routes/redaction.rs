//! Redaction at intake: rules of the environment and of tenants, dry runs, and the look-up of tokens.

use attestary_service::RedactionPreview;
use axum::{
    extract::{Path, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::reply;
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
};

/// What is redacted before an event is hashed.
#[derive(ToSchema)]
#[schema(as = Redaction)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct RedactionShape {
    /// The first that names a field decides; at most 100.
    rules: Option<Vec<RuleShape>>,
    /// Whether secrets (keys, tokens, card numbers) are looked for in all other strings: off, report or mask.
    secrets: Option<String>,
    /// What is looked for; absent or empty means everything: aws_key, git_token, slack_token, payment_key, google_key,
    /// model_key, attestary_key, jwt, private_key, authorization, url_password, card.
    detectors: Option<Vec<String>>,
}

/// Which fields, and what becomes of them.
#[derive(ToSchema)]
#[schema(as = RedactionRule)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct RuleShape {
    name: String,
    /// JSON pointers, * for any one segment; each names everything below it. Without, everything in the event that may
    /// be redacted.
    pointers: Option<Vec<String>>,
    /// Only events that carry this label.
    label: Option<String>,
    /// drop, mask or hmac.
    action: String,
}

/// A dry run.
#[derive(ToSchema)]
#[schema(as = RedactionPreviewRequest)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct PreviewShape {
    /// A proposed redaction; what is in force when absent.
    redaction: Option<RedactionShape>,
    /// An event to try it on; the tenant's newest thousand when absent.
    #[schema(value_type = Option<Object>)]
    event: Option<Value>,
}

/// What a dry run found.
#[derive(Serialize, ToSchema)]
#[schema(as = RedactionPreview)]
pub(crate) struct PreviewView {
    /// The event as it would be committed, when one was given.
    #[schema(value_type = Option<Object>)]
    event: Option<Value>,
    /// Events looked at.
    events: usize,
    /// Events of which something would be redacted.
    redacted: usize,
    hits: Vec<HitView>,
}

/// What one rule or detector found.
#[derive(Serialize, ToSchema)]
#[schema(as = RedactionHit)]
pub(crate) struct HitView {
    /// Name of the rule or the detector.
    by: String,
    /// Fields.
    fields: u64,
    /// Pointers of some of them; never values.
    pointers: Vec<String>,
}

/// A value whose token is wanted.
#[derive(ToSchema)]
#[schema(as = RedactionLookup)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct LookupShape {
    value: String,
}

/// What stands in the log for a value.
#[derive(Serialize, ToSchema)]
#[schema(as = RedactionToken)]
pub(crate) struct TokenView {
    /// Search for it as for any other value.
    token: String,
}

fn preview_view(preview: RedactionPreview) -> PreviewView {
    let hits = preview.hits.into_iter();
    PreviewView {
        event: preview.event,
        events: preview.events,
        redacted: preview.redacted,
        hits: hits.map(|(by, fields, pointers)| HitView { by, fields, pointers }).collect(),
    }
}

async fn set(state: State, posted: Posted, tenant: Option<&str>) -> Result<Response, Problem> {
    let document = posted.members()?.into_map();
    let set = state.service.set_redaction(&posted.caller, tenant, Some(&document)).await?;
    Ok(reply(StatusCode::OK, &set))
}

/// Read the redaction of the environment.
#[utoipa::path(
    get, path = "/v1/redaction", tag = "governance",
    responses((status = 200, description = "The redaction", body = RedactionShape))
)]
pub(crate) async fn of_environment(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &state.service.redaction(&caller, None).await?))
}

/// Set the redaction of the environment: it comes before that of each tenant.
#[utoipa::path(
    put, path = "/v1/redaction", tag = "governance", request_body = RedactionShape,
    responses((status = 200, description = "Set", body = RedactionShape))
)]
pub(crate) async fn set_of_environment(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    set(state, posted, None).await
}

/// Take the redaction of the environment away.
#[utoipa::path(
    delete, path = "/v1/redaction", tag = "governance",
    responses((status = 200, description = "Taken away", body = RedactionShape))
)]
pub(crate) async fn unset_of_environment(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &state.service.set_redaction(&caller, None, None).await?))
}

/// Read a tenant's own redaction.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/redaction", tag = "governance",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The redaction", body = RedactionShape))
)]
pub(crate) async fn of_tenant(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &state.service.redaction(&caller, Some(&tenant)).await?))
}

/// Set a tenant's own redaction.
#[utoipa::path(
    put, path = "/v1/tenants/{tenant}/redaction", tag = "governance", request_body = RedactionShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "Set", body = RedactionShape))
)]
pub(crate) async fn set_of_tenant(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    set(state, posted, Some(&tenant)).await
}

/// Take a tenant's own redaction away; that of the environment stays.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}/redaction", tag = "governance",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "Taken away", body = RedactionShape))
)]
pub(crate) async fn unset_of_tenant(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &state.service.set_redaction(&caller, Some(&tenant), None).await?))
}

/// Show what a redaction does to an event, or would have done to the tenant's newest events; nothing changes.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/redaction/preview", tag = "governance", request_body = PreviewShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "What was found", body = PreviewView))
)]
pub(crate) async fn preview(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let (proposed, event) = (members.object("redaction"), members.object("event"));
    members.finish()?;
    let previewed = state
        .service
        .preview_redaction(&posted.caller, &tenant, proposed.as_ref(), event.as_ref())
        .await?;
    Ok(reply(StatusCode::OK, &preview_view(previewed)))
}

/// Look up what stands in a tenant's log for a value that a rule replaces by its HMAC.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/redaction/lookup", tag = "governance", request_body = LookupShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The token", body = TokenView))
)]
pub(crate) async fn lookup(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let value = members.required_text("value");
    members.finish()?;
    let token = state.service.redaction_token(&posted.caller, &tenant, &value).await?;
    Ok(reply(StatusCode::OK, &TokenView { token }))
}

//! Erasures: requests to remove events, fields or what is known of a person, and their certificates.

use attestary_service::{ErasureRow, NewErasure};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::page;
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    routes::{List, proofs, reply, time},
};

/// An erasure and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Erasure)]
pub(crate) struct ErasureView {
    id: String,
    /// running, pending (a hold keeps what is asked for) or done.
    state: String,
    /// events, filter or subject.
    by: Option<String>,
    legal_basis: String,
    created_at: String,
    created_by: String,
    done_at: Option<String>,
    /// Holds that it waits for.
    holds: Vec<String>,
    /// Events that lost their payload or fields, in the tenant's log and in the audit log.
    events: Option<u64>,
    /// Single fields among what went.
    fields: Option<u64>,
    /// The removals that carried it out.
    removals: Vec<String>,
    /// Segments rewritten, and their bytes before and after.
    segments: Option<u64>,
    bytes_before: Option<u64>,
    bytes_after: Option<u64>,
    /// Exports that were deleted, since they held what went.
    exports: Vec<String>,
    /// Things that people wrote and that still name the person: change them by hand.
    #[schema(value_type = Vec<MentionShape>)]
    not_reached: Value,
}

/// Something that people wrote and that names the person.
#[derive(ToSchema)]
#[schema(as = Mention)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct MentionShape {
    /// destination, hold, retention or saved_view.
    r#type: String,
    id: Option<String>,
}

/// A page of erasures, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErasureList {
    data: Vec<ErasureView>,
    next_cursor: Option<String>,
}

/// What is to be erased: exactly one of events, filter and subject.
#[derive(ToSchema)]
#[schema(as = NewErasure)]
#[expect(dead_code, reason = "the shape for the OpenAPI document")]
pub(crate) struct NewErasureShape {
    /// Ids of events; at most 1,000.
    events: Option<Vec<String>>,
    /// Text in the filter language, without "now".
    filter: Option<String>,
    /// Values that name a person: ids, e-mail addresses, names; at most 16 of 3 to 1,024 bytes.
    subject: Option<Vec<String>>,
    /// JSON pointers of the fields that go, with all below them; without, whole payloads go.
    fields: Option<Vec<String>>,
    /// Stands in the log for ever; must not name anybody.
    legal_basis: String,
}

fn erasure(row: ErasureRow) -> ErasureView {
    let result: Value = serde_json::from_str(&row.result).unwrap_or_default();
    let texts = |name: &str| {
        let texts = result[name].as_array().into_iter().flatten();
        texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let pending = row.state == "pending";
    ErasureView {
        by: result["by"].as_str().map(str::to_owned),
        legal_basis: row.legal_basis,
        created_at: time(row.created_ms),
        created_by: row.created_by,
        done_at: row.done_ms.map(time),
        holds: if pending { texts("holds") } else { vec![] },
        events: result["events"].as_u64(),
        fields: result["fields"].as_u64(),
        removals: texts("removals"),
        exports: texts("exports"),
        segments: result["segments"].as_u64(),
        bytes_before: result["bytes_before"].as_u64(),
        bytes_after: result["bytes_after"].as_u64(),
        not_reached: result.get("not_reached").cloned().unwrap_or_else(|| Value::Array(vec![])),
        id: row.id,
        state: row.state,
    }
}

/// Ask for an erasure: values leave every place that the service keeps, proofs stay.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/erasures", tag = "governance", request_body = NewErasureShape,
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 202, description = "Begun", body = ErasureView))
)]
pub(crate) async fn request_erasure(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let mut members = posted.members()?;
    let new = NewErasure {
        events: members.texts("events"),
        filter: members.text("filter"),
        subject: members.texts("subject"),
        fields: members.texts("fields"),
        legal_basis: members.required_text("legal_basis"),
    };
    members.finish()?;
    let begun = state.service.request_erasure(&posted.caller, &tenant, new).await?;
    Ok(reply(StatusCode::ACCEPTED, &erasure(begun)))
}

/// List a tenant's erasures, newest first.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/erasures", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 by default"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page", body = ErasureList))
)]
pub(crate) async fn erasures(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (limit, cursor) = page(query.as_deref())?;
    let page = state.service.list_erasures(&caller, &tenant, cursor.as_deref(), limit).await?;
    let data = page.erasures.into_iter().map(erasure).collect();
    Ok(reply(StatusCode::OK, &List { data, next_cursor: page.next_cursor }))
}

/// Read one erasure.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/erasures/{id}", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The erasure's id"),
    ),
    responses((status = 200, description = "The erasure", body = ErasureView))
)]
pub(crate) async fn one_erasure(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(reply(StatusCode::OK, &erasure(state.service.erasure(&caller, &tenant, &id).await?)))
}

/// Read the certificate of an erasure that is done: what went by position, when, why, and what proves it, as a note
/// signed by the log.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/erasures/{id}/certificate", tag = "governance",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("id" = String, Path, description = "The erasure's id"),
    ),
    responses((status = 200, description = "The signed note", body = String, content_type = "text/plain"))
)]
pub(crate) async fn certificate(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let note = state.service.erasure_certificate(&caller, &tenant, &id).await?;
    Ok(proofs::text(note.to_string()))
}

//! Doors for standard forms: CloudEvents, Kubernetes audit webhooks, lines of JSON with a field map.

use attestary_service::FieldMap;
use axum::{
    extract::{RawQuery, State as Shared},
    response::Response,
};

use super::easysend::{TakenView, taken};
use crate::{
    app::State,
    extract::{Posted, media_type, unsupported},
    problem::{INVALID_BODY, INVALID_QUERY, Problem},
    query::Query,
};

/// Accept CloudEvents: structured, as a batch, or with the attributes in `ce-` headers.
#[utoipa::path(
    post, path = "/ingest/cloudevents", tag = "adapters",
    request_body(content((serde_json::Value = "application/cloudevents+json"), (serde_json::Value = "application/cloudevents-batch+json"), (serde_json::Value = "application/json"))),
    params(("tenant" = Option<String>, Query, description = "Whose events; without it the extension tenant or tenantid names it")),
    responses((status = 200, description = "Accepted", body = TakenView))
)]
pub(crate) async fn cloudevents(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
    posted: Posted,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["tenant"])?;
    let body = match media_type(&posted.headers).as_deref() {
        Some("application/cloudevents+json" | "application/cloudevents-batch+json") => posted.body,
        None | Some("application/json") if posted.headers.contains_key("ce-specversion") => {
            binary(&posted)?.into()
        }
        None | Some("application/json") => posted.body,
        Some(other) => {
            return Err(unsupported(other, "application/cloudevents+json or application/json"));
        }
    };
    let done = state.service.cloudevents(&posted.caller, body, query.text("tenant")).await?;
    Ok(taken(&done))
}

/// Puts the attributes in the headers and the body together.
fn binary(posted: &Posted) -> Result<Vec<u8>, Problem> {
    let mut attributes = Vec::new();
    for (name, value) in &posted.headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else { continue };
        let text = value.to_str().map_err(|_| {
            Problem::new(&INVALID_BODY, format!("the header ce-{name} is not printable text"))
        })?;
        attributes.push((name, text));
    }
    Ok(attestary_service::structured_cloudevent(attributes, &posted.body))
}

/// Accept audit events of a Kubernetes API server's audit webhook.
#[utoipa::path(
    post, path = "/ingest/kubernetes", tag = "adapters",
    request_body(content = serde_json::Value, description = "An EventList of audit.k8s.io/v1"),
    params(("tenant" = Option<String>, Query, description = "Whose events; needed unless the key is limited to one tenant")),
    responses((status = 200, description = "Accepted", body = TakenView))
)]
pub(crate) async fn kubernetes(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
    posted: Posted,
) -> Result<Response, Problem> {
    // The API server adds a time-out of its own.
    let query = Query::parse(query.as_deref(), &["tenant", "timeout"])?;
    let done =
        state.service.kubernetes_events(&posted.caller, posted.body, query.text("tenant")).await?;
    Ok(taken(&done))
}

/// Accept lines of JSON, by a map of their members.
#[utoipa::path(
    post, path = "/ingest/ndjson", tag = "adapters",
    request_body(content = String, content_type = "application/x-ndjson", description = "One JSON object a line; gzip or zstd too"),
    params(
        ("map" = String, Query, description = "Where each member comes from: {\"fields\":{\"action\":\"/event\",\"tenant\":\"=acme\"}}"),
        ("tenant" = Option<String>, Query, description = "Whose events; outranks the map"),
    ),
    responses((status = 200, description = "Accepted", body = TakenView))
)]
pub(crate) async fn ndjson(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
    posted: Posted,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["tenant", "map"])?;
    let refused = |detail: String| Problem::new(&INVALID_QUERY, detail.clone()).at("/map", detail);
    let map =
        query.text("map").ok_or_else(|| refused("the parameter \"map\" is required".into()))?;
    let map = FieldMap::parse(map)
        .map_err(|detail| refused(format!("the map is not valid: {detail}")))?;
    let done =
        state.service.mapped_lines(&posted.caller, posted.body, map, query.text("tenant")).await?;
    Ok(taken(&done))
}

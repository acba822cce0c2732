//! `/health/live`, `/health/ready`, `/metrics` and the OpenAPI document: no key needed, nothing of a tenant in them.

use axum::{
    extract::State as Shared,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply;
use crate::{app::State, metrics::install, openapi, receipts::json};

/// How the service is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// ok or unavailable.
    status: &'static str,
}

/// Whether the process runs.
#[utoipa::path(
    get, path = "/health/live", tag = "health", security(()),
    responses((status = 200, description = "It runs", body = Health))
)]
pub(crate) async fn live() -> Response {
    reply(StatusCode::OK, &Health { status: "ok" })
}

/// Whether events can be made durable now.
#[utoipa::path(
    get, path = "/health/ready", tag = "health", security(()),
    responses(
        (status = 200, description = "Events can be accepted", body = Health),
        (status = 503, description = "Events cannot be accepted now", body = Health),
    )
)]
pub(crate) async fn ready(Shared(state): Shared<State>) -> Response {
    if state.service.is_ready() {
        reply(StatusCode::OK, &Health { status: "ok" })
    } else {
        reply(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "unavailable" })
    }
}

/// The metrics of the process in Prometheus's text form.
pub(crate) async fn metrics(Shared(state): Shared<State>) -> Response {
    let health = state.service.store().health();
    metrics::gauge!("attestary_store_writable").set(f64::from(u8::from(health.writable)));
    metrics::gauge!("attestary_store_unsealed_events").set(health.unsealed_events as f64);
    metrics::gauge!("attestary_store_unsealed_bytes").set(health.unsealed_bytes as f64);
    metrics::gauge!("attestary_store_queued_bytes").set(health.queued_bytes as f64);
    metrics::gauge!("attestary_store_segments").set(health.segments as f64);
    let is_merging = state.service.store().is_merging();
    metrics::gauge!("attestary_store_merging").set(f64::from(u8::from(is_merging)));
    metrics::gauge!("attestary_store_sealed_events").set(health.sealed_events as f64);
    metrics::gauge!("attestary_dedupe_ids").set(health.dedupe_ids as f64);
    if let Some(from_ms) = health.dedupe_from_ms {
        metrics::gauge!("attestary_dedupe_from_timestamp_seconds").set(from_ms as f64 / 1e3);
    }
    metrics::gauge!("attestary_signing_refused").set(f64::from(u8::from(health.signing_refused)));
    metrics::gauge!("attestary_signing_unsigned_logs").set(health.unsigned_logs as f64);
    metrics::counter!("attestary_signing_batches_total").absolute(health.signing_batches);
    anchors(&state);
    metrics::gauge!("attestary_store_sealed_bytes").set(health.sealed_bytes as f64);
    let upkeep = state.service.store().upkeep();
    metrics::gauge!("attestary_disk_free_bytes").set(upkeep.free_bytes as f64);
    metrics::gauge!("attestary_disk_full").set(f64::from(u8::from(upkeep.disk_full)));
    metrics::gauge!("attestary_scrubbed_bytes").set(upkeep.scrubbed_bytes as f64);
    metrics::gauge!("attestary_scrub_findings").set(upkeep.findings.len() as f64);
    if let Some(finished_ms) = upkeep.scrub_finished_ms {
        metrics::gauge!("attestary_scrub_finished_timestamp_seconds").set(finished_ms as f64 / 1e3);
    }
    let mut response = install().render().into_response();
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

/// Epochs, and how many of them wait for a quorum of witnesses.
fn anchors(state: &State) {
    let Some(status) = state.service.anchor_status() else { return };
    metrics::counter!("attestary_epochs_total").absolute(status.epochs);
    if let Some(last_ms) = status.last_ms {
        metrics::gauge!("attestary_epoch_timestamp_seconds").set(last_ms as f64 / 1e3);
    }
    let since = status.unwitnessed_since;
    let unwitnessed = since.map_or(0, |first| status.epochs.saturating_sub(first));
    metrics::gauge!("attestary_epochs_unwitnessed").set(unwitnessed as f64);
    metrics::gauge!("attestary_epoch_failed").set(f64::from(u8::from(status.failed.is_some())));
}

/// This document.
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "health", security(()),
    responses((status = 200, description = "The OpenAPI 3.1 document", body = serde_json::Value))
)]
pub(crate) async fn openapi() -> Response {
    json(StatusCode::OK, openapi::document().into_bytes())
}

//! All routes. Each native route stands in the OpenAPI document; the others are the paths of foreign clients.

pub(crate) mod actions;
pub(crate) mod alerts;
pub(crate) mod anchor;
pub(crate) mod blueprints;
pub(crate) mod certificates;
pub(crate) mod console;
pub(crate) mod counts;
pub(crate) mod deliveries;
pub(crate) mod destinations;
pub(crate) mod easysend;
pub(crate) mod environments;
pub(crate) mod events;
pub(crate) mod exports;
pub(crate) mod foreign;
pub(crate) mod formio;
pub(crate) mod governance;
pub(crate) mod health;
pub(crate) mod ironcore;
pub(crate) mod keys;
pub(crate) mod otlp;
pub(crate) mod proofs;
pub(crate) mod redaction;
pub(crate) mod retraced;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod sources;
pub(crate) mod standard;
pub(crate) mod tail;
pub(crate) mod tenants;
pub(crate) mod usage;
pub(crate) mod views;
pub(crate) mod workos;

use attestary_event::Timestamp;
use axum::{
    Router,
    extract::Request,
    response::{IntoResponse as _, Response},
    routing::{get, patch, post, put},
};
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::State,
    problem::{METHOD_NOT_ALLOWED, Problem},
    receipts::json,
    settings::Settings,
};

/// Returns the routes.
pub(crate) fn all(settings: &Settings) -> Router<State> {
    let mut router = native().merge(governed()).merge(foreign()).merge(console());
    if settings.metrics {
        router = router.route("/metrics", get(health::metrics));
    }
    router.fallback(nothing_here).method_not_allowed_fallback(wrong_method)
}

fn native() -> Router<State> {
    Router::new()
        .route("/v1/events", post(events::submit).get(events::search))
        .route("/v1/events/histogram", get(counts::histogram))
        .route("/v1/events/facets", get(counts::facets))
        .route("/v1/events/tail", get(tail::tail))
        .route("/v1/events/check", post(actions::check))
        .route("/v1/actions", get(actions::list).put(actions::set_mode))
        .route("/v1/actions/{name}", get(actions::versions).post(actions::create))
        .route("/v1/events/{id}", get(events::one))
        .route("/v1/events/{id}/proof", get(proofs::event))
        .route("/v1/tenants", post(tenants::create).get(tenants::list))
        .route("/v1/tenants/{tenant}", get(tenants::one).delete(tenants::delete))
        .route("/v1/tenants/{tenant}/checkpoint", get(proofs::checkpoint))
        .route("/v1/tenants/{tenant}/proofs", get(proofs::page))
        .route("/v1/tenants/{tenant}/consistency", get(proofs::consistency))
        .route("/v1/tenants/{tenant}/tile/{*path}", get(proofs::tile))
        .route("/v1/tenants/{tenant}/trust", get(proofs::trust))
        .route("/v1/tenants/{tenant}/slot-proof", get(anchor::slot_proof))
        .route("/v1/tenants/{tenant}/head", get(anchor::head))
        .route("/v1/anchor", get(anchor::state))
        .route("/v1/anchor/rotate-key", post(anchor::rotate_key))
        .route("/v1/anchor/checkpoint", get(anchor::checkpoint))
        .route("/v1/anchor/tile/{*path}", get(anchor::tile))
        .route("/v1/anchor/stamp", get(anchor::stamp))
        .route("/v1/tenants/{tenant}/rotate-key", post(proofs::rotate_key))
        .route("/v1/tenants/{tenant}/close", post(tenants::close))
        .route("/v1/tenants/{tenant}/open", post(tenants::open))
        .route(
            "/v1/tenants/{tenant}/destinations",
            post(destinations::create).get(destinations::list),
        )
        .route(
            "/v1/tenants/{tenant}/destinations/{id}",
            get(destinations::one).patch(destinations::change).delete(destinations::delete),
        )
        .route("/v1/destination-blueprints", post(blueprints::create).get(blueprints::list))
        .route(
            "/v1/destination-blueprints/{id}",
            axum::routing::delete(blueprints::delete).patch(blueprints::change),
        )
        .route("/v1/tenants/{tenant}/destinations/{id}/pause", post(destinations::pause))
        .route("/v1/tenants/{tenant}/destinations/{id}/resume", post(destinations::resume))
        .route("/v1/tenants/{tenant}/destinations/{id}/test", post(destinations::test))
        .route("/v1/tenants/{tenant}/destinations/{id}/attempts", get(destinations::attempts))
        .route("/v1/tenants/{tenant}/destinations/event-families", get(deliveries::families))
        .route("/v1/tenants/{tenant}/destinations/preview", post(deliveries::preview_new))
        .route("/v1/tenants/{tenant}/destinations/{id}/preview", get(deliveries::preview))
        .route("/v1/tenants/{tenant}/destinations/{id}/receipt", get(deliveries::receipt))
        .route(
            "/v1/tenants/{tenant}/destinations/{id}/replays",
            post(deliveries::replay).get(deliveries::replays),
        )
        .route(
            "/v1/tenants/{tenant}/destinations/{id}/replays/{replay}",
            axum::routing::delete(deliveries::stop_replay),
        )
        .route("/v1/tenants/{tenant}/destinations/{id}/quarantine", get(deliveries::quarantine))
        .route("/v1/tenants/{tenant}/destinations/{id}/rotate", post(deliveries::rotate))
        .route("/v1/tenants/{tenant}/certificate", get(certificates::one))
        .route("/v1/tenants/{tenant}/exports", post(exports::create).get(exports::list))
        .route("/v1/tenants/{tenant}/exports/{id}", get(exports::one).delete(exports::delete))
        .route("/v1/tenants/{tenant}/exports/{id}/manifest", get(exports::manifest))
        .route("/v1/tenants/{tenant}/exports/{id}/link", post(exports::link))
        .route("/v1/downloads/{token}", get(exports::download))
        .route("/v1/usage", get(usage::report))
        .route("/v1/tenants/{tenant}/quota", put(usage::set_of_tenant))
        .route("/v1/keys/{id}/quota", put(usage::set_of_key))
        .route("/v1/environments", post(environments::create).get(environments::list))
        .route("/v1/environments/{name}", patch(environments::change).get(environments::one))
        .route("/v1/keys", post(keys::create).get(keys::list))
        .route("/v1/keys/{id}", get(keys::one).delete(keys::revoke))
        .route("/v1/session", post(sessions::start).get(sessions::own).delete(sessions::end))
        .route("/v1/sign-in-links", post(sessions::create_link))
        .route(
            "/v1/tenants/{tenant}/portal-sessions",
            post(sessions::create_portal).get(sessions::list_portal),
        )
        .route(
            "/v1/tenants/{tenant}/portal-sessions/{id}",
            axum::routing::delete(sessions::revoke_portal),
        )
        .route("/v1/sources", get(sources::list))
        .route("/v1/tenants/{tenant}/alerts", post(alerts::create).get(alerts::list))
        .route(
            "/v1/tenants/{tenant}/alerts/{id}",
            get(alerts::get).patch(alerts::change).delete(alerts::delete),
        )
        .route("/v1/tenants/{tenant}/saved-views", post(views::create).get(views::list))
        .route(
            "/v1/tenants/{tenant}/saved-views/{id}",
            axum::routing::delete(views::delete).patch(views::change),
        )
        .route("/v1/tenants/{tenant}/saved-views/{id}/results", get(views::results))
        .route("/v1/sources/{system}", put(sources::switch))
        .route("/v1/openapi.json", get(health::openapi))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
}

fn console() -> Router<State> {
    Router::new()
        .route("/", get(console::root))
        .route("/v1/sign-in", get(sign_in::methods))
        .route("/console/sign-in", get(sign_in::begin))
        .route("/console/sign-in/callback", get(sign_in::finish))
        .route("/console", get(console::index))
        .route("/console/", get(console::index))
        .route("/console/portal/{link}", get(console::portal))
        .route("/console/{*path}", get(console::below))
}

fn governed() -> Router<State> {
    use governance::{erasures, holds, removals, retention};
    Router::new()
        .route(
            "/v1/retention",
            get(retention::environment_retention)
                .put(retention::set_environment_retention)
                .delete(retention::unset_environment_retention),
        )
        .route(
            "/v1/retention/runs",
            get(retention::retention_runs).post(retention::run_environment_retention),
        )
        .route(
            "/v1/tenants/{tenant}/retention",
            get(retention::tenant_retention)
                .put(retention::set_tenant_retention)
                .delete(retention::unset_tenant_retention),
        )
        .route("/v1/tenants/{tenant}/retention/preview", post(retention::preview_retention))
        .route("/v1/tenants/{tenant}/retention/runs", post(retention::run_tenant_retention))
        .route("/v1/tenants/{tenant}/holds", get(holds::holds).post(holds::place_hold))
        .route("/v1/tenants/{tenant}/holds/{id}", get(holds::one_hold))
        .route("/v1/tenants/{tenant}/holds/{id}/release", post(holds::release_hold))
        .route(
            "/v1/tenants/{tenant}/erasures",
            get(erasures::erasures).post(erasures::request_erasure),
        )
        .route("/v1/tenants/{tenant}/erasures/{id}", get(erasures::one_erasure))
        .route("/v1/tenants/{tenant}/erasures/{id}/certificate", get(erasures::certificate))
        .route(
            "/v1/tenants/{tenant}/retention/runs/{id}/certificate",
            get(retention::retention_certificate),
        )
        .route("/v1/tenants/{tenant}/removals", get(removals::removals))
        .route("/v1/tenants/{tenant}/removals/{id}/list", get(removals::removal_list))
        .route(
            "/v1/redaction",
            get(redaction::of_environment)
                .put(redaction::set_of_environment)
                .delete(redaction::unset_of_environment),
        )
        .route(
            "/v1/tenants/{tenant}/redaction",
            get(redaction::of_tenant)
                .put(redaction::set_of_tenant)
                .delete(redaction::unset_of_tenant),
        )
        .route("/v1/tenants/{tenant}/redaction/preview", post(redaction::preview))
        .route("/v1/tenants/{tenant}/redaction/lookup", post(redaction::lookup))
        .route("/v1/clock", get(governance::clock_state))
        .route("/v1/clock/confirm", post(governance::confirm_clock))
}

fn foreign() -> Router<State> {
    Router::new()
        .route("/ingest/formio", post(formio::import))
        .merge(retraced::routes())
        .nest("/auditlog", retraced::routes())
        .merge(workos::routes())
        .nest("/workos", workos::routes())
        .merge(ironcore::routes())
        .nest("/tsp", ironcore::routes())
        .route("/v1/logs", post(otlp::logs))
        .route(otlp::grpc::PATH, post(otlp::grpc::export))
        .route("/ingest/cloudevents", post(standard::cloudevents))
        .route("/ingest/kubernetes", post(standard::kubernetes))
        .route("/ingest/ndjson", post(standard::ndjson))
        .route("/ingest/easysend", post(easysend::import))
        .route("/player/api/get-security-logs", get(easysend::logs))
}

async fn nothing_here(request: Request) -> Problem {
    crate::body::drain(request.into_body()).await;
    Problem::not_found()
}

async fn wrong_method(request: Request) -> Problem {
    let detail = format!("{} is not a method of this path", request.method());
    crate::body::drain(request.into_body()).await;
    Problem::new(&METHOD_NOT_ALLOWED, detail)
}

/// A list on the wire.
#[derive(Serialize)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

impl<T> List<T> {
    /// Returns a list that is complete.
    pub(crate) fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }
}

/// Returns a JSON reply.
pub(crate) fn reply(status: StatusCode, body: &impl Serialize) -> Response {
    json(status, serde_json::to_vec(body).expect("views hold texts, numbers and lists of them"))
}

/// Returns a reply without a body.
pub(crate) fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Returns a time in milliseconds as the text used everywhere.
pub(crate) fn time(ms: u64) -> String {
    Timestamp(ms as i64).to_string()
}

/// Returns a time in milliseconds as the text used everywhere.
pub(crate) fn signed_time(ms: i64) -> String {
    Timestamp(ms).to_string()
}

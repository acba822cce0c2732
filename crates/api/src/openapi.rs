//! The OpenAPI 3.1 document, generated from the handlers; `docs/openapi.json` is its checked-in copy.

use std::sync::LazyLock;

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, RefOr, Response,
        content::ContentBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::routes::{
    actions, alerts, anchor, blueprints, certificates, counts, deliveries, destinations, easysend,
    environments, events, exports, formio, governance, health, keys, proofs, redaction, sessions,
    sign_in, sources, standard, tail, tenants, usage, views,
};

/// Returns the document as indented JSON with a line end.
pub fn document() -> String {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut text =
            Api::openapi().to_pretty_json().expect("the document is made of texts and numbers");
        text.push('\n');
        text
    });
    TEXT.clone()
}

/// An RFC 9457 problem; docs/reference/errors.md lists every type.
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "the shape for the document")]
struct ProblemShape {
    /// Stable: `/problems/` and the code.
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    /// The path of the request.
    instance: Option<String>,
    request_id: Option<String>,
    /// Every bad item.
    errors: Option<Vec<ProblemItem>>,
    /// Of an invalid filter: byte offset of the mistake.
    offset: Option<u64>,
    /// Of an invalid filter: bytes concerned.
    length: Option<u64>,
    /// Of an invalid filter: what would have been valid there.
    expected: Option<Vec<String>>,
}

/// One bad item.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the shape for the document")]
struct ProblemItem {
    /// Index of the event in its batch.
    index: Option<u64>,
    /// RFC 6901 pointer; for query parameters `/` and the name.
    pointer: String,
    detail: String,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Attestary",
        description = "Audit and security event log. Requests carry an API key as `Authorization: Bearer …`; operators name the environment in the header `Attestary-Environment`.",
        version = "1",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        events::submit, events::search, events::one, counts::histogram, counts::facets, tail::tail,
        proofs::event, proofs::page, proofs::checkpoint, proofs::tile, proofs::consistency, proofs::trust,
        proofs::rotate_key, anchor::state, anchor::checkpoint, anchor::tile, anchor::stamp, anchor::slot_proof,
        anchor::head, anchor::rotate_key,
        tenants::create, tenants::list, tenants::one, tenants::close, tenants::open, tenants::delete,
        blueprints::list, blueprints::create, blueprints::change, blueprints::delete,
        destinations::create, destinations::list, destinations::one, destinations::change, destinations::pause,
        destinations::resume, destinations::delete, destinations::test, destinations::attempts,
        deliveries::receipt, deliveries::replay, deliveries::replays, deliveries::stop_replay, deliveries::quarantine,
        deliveries::preview, deliveries::preview_new, deliveries::families, deliveries::rotate,
        certificates::one, exports::create, exports::list, exports::one, exports::manifest, exports::link, exports::delete,
        exports::download,
        environments::create, environments::list, environments::one, environments::change,
        keys::create, keys::list, keys::one, keys::revoke,
        usage::report, usage::set_of_tenant, usage::set_of_key,
sessions::start, sessions::own, sessions::end, sessions::create_link, sessions::create_portal, sessions::list_portal, sessions::revoke_portal, sign_in::methods, formio::import, easysend::import, sources::list, sources::switch, actions::list, actions::set_mode, actions::versions, actions::create, actions::check, standard::cloudevents, standard::kubernetes, standard::ndjson, alerts::list, alerts::create, alerts::get, alerts::change, alerts::delete, views::list, views::create, views::change, views::delete, views::results,
        governance::retention::environment_retention, governance::retention::set_environment_retention,
        governance::retention::unset_environment_retention, governance::retention::tenant_retention, governance::retention::set_tenant_retention,
        governance::retention::unset_tenant_retention, governance::retention::preview_retention, governance::retention::run_environment_retention,
        governance::retention::run_tenant_retention, governance::retention::retention_runs, governance::holds::place_hold, governance::holds::holds,
        governance::holds::one_hold, governance::holds::release_hold, governance::erasures::request_erasure, governance::erasures::erasures,
        governance::erasures::one_erasure, governance::erasures::certificate, governance::retention::retention_certificate, governance::removals::removals, governance::removals::removal_list,
        governance::clock_state, governance::confirm_clock,
        redaction::of_environment, redaction::set_of_environment, redaction::unset_of_environment, redaction::of_tenant,
        redaction::set_of_tenant, redaction::unset_of_tenant, redaction::preview, redaction::lookup,
        health::live, health::ready, health::openapi,
    ),
    components(schemas(ProblemShape)),
    security(("key" = [])),
    modifiers(&Common),
)]
struct Api;

/// What every operation has in common: the key, and problems for every refusal.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key"))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
        let problem = utoipa::openapi::Ref::from_schema_name("Problem");
        for item in document.paths.paths.values_mut() {
            let operations =
                [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete, &mut item.put];
            for operation in operations.into_iter().flatten() {
                let mut response = Response::new("A problem");
                let content = ContentBuilder::new().schema(Some(problem.clone())).build();
                response.content.insert("application/problem+json".into(), RefOr::T(content));
                operation.responses.responses.insert("default".into(), RefOr::T(response));
            }
        }
    }
}

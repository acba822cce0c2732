//! The OpenAPI document: its checked-in copy, and that it says what the routes do.

use serde_json::Value;

use crate::{
    access::documented,
    app::{ALL, TestApp, event, send},
};

#[test]
fn the_checked_in_document_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == attestary_api::openapi_document(),
        "docs/openapi.json differs: cargo run -q -p attestary-api --example openapi > docs/openapi.json"
    );
}

#[test]
fn the_document_is_openapi_31_with_a_problem_for_every_operation() {
    let document: Value = serde_json::from_str(&attestary_api::openapi_document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for operation in documented() {
        let (method, path) = operation.split_once(' ').unwrap();
        let operation = &document["paths"][path][method.to_lowercase()];
        assert!(
            operation["responses"]["default"]["content"]["application/problem+json"].is_object(),
            "{method} {path}"
        );
        assert!(
            !operation["summary"].as_str().unwrap_or_default().is_empty(),
            "{method} {path} has no summary"
        );
    }
    // References lead somewhere.
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is not defined");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_have_the_documented_members() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    let document = app.get("/v1/openapi.json", &key).await.ok(200);
    let members = |schema: &str| -> Vec<String> {
        let properties =
            document["components"]["schemas"][schema]["properties"].as_object().unwrap();
        properties.keys().cloned().collect()
    };
    let check = |schema: &str, value: &Value| {
        let known = members(schema);
        for member in value.as_object().unwrap().keys() {
            assert!(known.contains(member), "{schema} has an undocumented member {member}");
        }
    };
    check("Tenant", &app.get("/v1/tenants/acme", &key).await.ok(200));
    check("Key", &app.get("/v1/keys", &key).await.ok(200)["data"][0]);
    let stdout = serde_json::json!({ "name": "n", "type": "stdout" });
    check("Destination", &app.post("/v1/tenants/acme/destinations", &key, &stdout).await.ok(201));
    check("Environment", &app.get("/v1/environments/production", &app.operator()).await.ok(200));
    check("Receipt", &app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201));
    let report = app.post_text("/ingest/formio?tenant=x", &key, "text/plain", "x").await.ok(200);
    check("FormioReport", &report);
    let histogram = app.get("/v1/events/histogram?tenant=acme", &key).await.ok(200);
    check("Histogram", &histogram);
    check("Bucket", &histogram["data"][0]);
    let facets = app.get("/v1/events/facets?tenant=acme&fields=action", &key).await.ok(200);
    check("Facets", &facets);
    check("Facet", &facets["data"][0]);
    check("FacetValue", &facets["data"][0]["values"][0]);
    let exported = serde_json::json!({ "format": "json" });
    check("Export", &app.post("/v1/tenants/acme/exports", &key, &exported).await.ok(202));
    check("Problem", &app.get("/v1/events?tenant=acme&filter=%28", &key).await.json());
    check("Health", &send(app.client.get(format!("{}/health/ready", app.url))).await.ok(200));
}

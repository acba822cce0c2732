//! Whose things are whose: every route of the OpenAPI document against a foreign tenant's key and a foreign environment's.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{ALL, ENVIRONMENT, TestApp, event, id, send};

/// What a foreign key gets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    /// The uniform answer.
    NotFound,
    /// The uniform answer of submitting.
    UnknownTenant,
    /// The scope is missing before anything is looked at.
    Forbidden,
    /// A code counts here, and only the console may send it.
    ByCode,
    /// A list, or a report, that holds nothing of the owner.
    Hides,
    /// The path is the credential; this one opens nothing.
    ByLink,
    /// Of the whole environment: a key of one tenant does not reach it.
    Whole,
    /// No key needed and nothing of a tenant in it.
    Public,
    /// Concerns nobody but the caller.
    Own,
    /// Concerns the whole environment: a limited key finds nothing, a key of another environment its own.
    Elsewhere,
    /// Says that there is no such tenant, and stores nothing.
    Checks,
}

struct Case {
    route: &'static str,
    path: String,
    body: Option<Value>,
    expected: Expected,
}

fn cases(destination: &str, key_id: &str) -> Vec<Case> {
    use Expected::{
        ByCode, ByLink, Checks, Elsewhere, Forbidden, Hides, NotFound, Own, Public, UnknownTenant,
        Whole,
    };
    let tenant = "/v1/tenants/owner".to_owned();
    let one = format!("{tenant}/destinations/{destination}");
    let export = format!("{tenant}/exports/exp_01ARYZ6S410000000000000000");
    let webhook =
        json!({ "name": "x", "type": "webhook", "config": { "url": "https://siem.example/" } });
    let case = |route, path: &str, body: Option<Value>, expected| Case {
        route,
        path: path.to_owned(),
        body,
        expected,
    };
    vec![
        case("POST /v1/events", "/v1/events", Some(event("owner", "x.y")), UnknownTenant),
        case("GET /v1/events", "/v1/events?tenant=owner", None, NotFound),
        case("GET /v1/events/histogram", "/v1/events/histogram?tenant=owner", None, NotFound),
        case(
            "GET /v1/events/facets",
            "/v1/events/facets?tenant=owner&fields=action",
            None,
            NotFound,
        ),
        case("GET /v1/events/tail", "/v1/events/tail?tenant=owner", None, NotFound),
        case("GET /v1/events/{id}", &format!("/v1/events/{}?tenant=owner", id(1)), None, NotFound),
        case(
            "GET /v1/events/{id}/proof",
            &format!("/v1/events/{}/proof?tenant=owner", id(1)),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/checkpoint",
            &format!("{tenant}/checkpoint"),
            None,
            NotFound,
        ),
        case("GET /v1/tenants/{tenant}/proofs", &format!("{tenant}/proofs?seqs=0"), None, NotFound),
        case(
            "GET /v1/tenants/{tenant}/consistency",
            &format!("{tenant}/consistency?from=1"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/tile/{path}",
            &format!("{tenant}/tile/0/000.p/1"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/rotate-key",
            &format!("{tenant}/rotate-key"),
            None,
            NotFound,
        ),
        case("GET /v1/tenants/{tenant}/trust", &format!("{tenant}/trust"), None, NotFound),
        case(
            "GET /v1/tenants/{tenant}/slot-proof",
            &format!("{tenant}/slot-proof"),
            None,
            NotFound,
        ),
        case("GET /v1/tenants/{tenant}/head", &format!("{tenant}/head"), None, NotFound),
        case("GET /v1/anchor", "/v1/anchor", None, Hides),
        case("POST /v1/anchor/rotate-key", "/v1/anchor/rotate-key", None, Forbidden),
        case("GET /v1/anchor/checkpoint", "/v1/anchor/checkpoint", None, NotFound),
        case("GET /v1/anchor/tile/{path}", "/v1/anchor/tile/0/000", None, NotFound),
        case("GET /v1/anchor/stamp", "/v1/anchor/stamp", None, NotFound),
        case("POST /v1/tenants", "/v1/tenants", Some(json!({ "id": "owner" })), NotFound),
        case("GET /v1/tenants", "/v1/tenants", None, Hides),
        case("GET /v1/tenants/{tenant}", &tenant, None, NotFound),
        case("DELETE /v1/tenants/{tenant}", &tenant, None, NotFound),
        case("POST /v1/tenants/{tenant}/close", &format!("{tenant}/close"), None, NotFound),
        case("POST /v1/tenants/{tenant}/open", &format!("{tenant}/open"), None, NotFound),
        case(
            "POST /v1/tenants/{tenant}/destinations",
            &format!("{tenant}/destinations"),
            Some(webhook),
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/destinations",
            &format!("{tenant}/destinations"),
            None,
            NotFound,
        ),
        case("GET /v1/tenants/{tenant}/destinations/{id}", &one, None, NotFound),
        case(
            "PATCH /v1/tenants/{tenant}/destinations/{id}",
            &one,
            Some(json!({ "name": "y" })),
            NotFound,
        ),
        case("DELETE /v1/tenants/{tenant}/destinations/{id}", &one, None, NotFound),
        case(
            "POST /v1/tenants/{tenant}/destinations/{id}/pause",
            &format!("{one}/pause"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/destinations/{id}/resume",
            &format!("{one}/resume"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/destinations/{id}/test",
            &format!("{one}/test"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/destinations/{id}/attempts",
            &format!("{one}/attempts"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/destinations/{id}/receipt",
            &format!("{one}/receipt?compare=true"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/destinations/{id}/replays",
            &format!("{one}/replays"),
            Some(json!({ "from": 0 })),
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/destinations/{id}/replays",
            &format!("{one}/replays"),
            None,
            NotFound,
        ),
        case(
            "DELETE /v1/tenants/{tenant}/destinations/{id}/replays/{replay}",
            &format!("{one}/replays/rpl_01ARYZ6S410000000000000000"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/destinations/{id}/quarantine",
            &format!("{one}/quarantine"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/destinations/{id}/preview",
            &format!("{one}/preview"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/destinations/event-families",
            &format!("{tenant}/destinations/event-families"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/destinations/preview",
            &format!("{tenant}/destinations/preview"),
            Some(
                json!({ "name": "x", "type": "webhook", "config": { "url": "https://siem.example/" } }),
            ),
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/destinations/{id}/rotate",
            &format!("{one}/rotate"),
            Some(json!({})),
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/exports",
            &format!("{tenant}/exports"),
            Some(json!({ "format": "ndjson" })),
            NotFound,
        ),
        case("GET /v1/tenants/{tenant}/exports", &format!("{tenant}/exports"), None, NotFound),
        case("GET /v1/tenants/{tenant}/exports/{id}", &export, None, NotFound),
        case("DELETE /v1/tenants/{tenant}/exports/{id}", &export, None, NotFound),
        case(
            "GET /v1/tenants/{tenant}/exports/{id}/manifest",
            &format!("{export}/manifest"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/exports/{id}/link",
            &format!("{export}/link"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/certificate",
            &format!("{tenant}/certificate?transaction=x"),
            None,
            NotFound,
        ),
        case("GET /v1/downloads/{token}", "/v1/downloads/AAAA", None, ByLink),
        case(
            "POST /v1/environments",
            "/v1/environments",
            Some(json!({ "name": "mine" })),
            Forbidden,
        ),
        case("GET /v1/environments", "/v1/environments", None, Forbidden),
        case("GET /v1/environments/{name}", "/v1/environments/production", None, Forbidden),
        case(
            "PATCH /v1/environments/{name}",
            "/v1/environments/production",
            Some(json!({ "closed": true })),
            Forbidden,
        ),
        case(
            "POST /v1/keys",
            "/v1/keys",
            Some(json!({ "scopes": ["read"], "tenants": ["other"] })),
            Own,
        ),
        case("GET /v1/keys", "/v1/keys", None, Hides),
        case("GET /v1/keys/{id}", &format!("/v1/keys/{key_id}"), None, NotFound),
        case("DELETE /v1/keys/{id}", &format!("/v1/keys/{key_id}"), None, NotFound),
        case("POST /v1/session", "/v1/session", Some(json!({ "code": "x" })), ByCode),
        case("GET /v1/session", "/v1/session", None, Own),
        case("DELETE /v1/session", "/v1/session", None, NotFound),
        case(
            "POST /v1/sign-in-links",
            "/v1/sign-in-links",
            Some(json!({ "id": "eve", "tenants": ["other"] })),
            Own,
        ),
        case(
            "POST /v1/tenants/{tenant}/portal-sessions",
            &format!("{tenant}/portal-sessions"),
            Some(json!({ "actor": { "id": "eve" }, "origin": "https://a.example" })),
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/portal-sessions",
            &format!("{tenant}/portal-sessions"),
            None,
            NotFound,
        ),
        case(
            "DELETE /v1/tenants/{tenant}/portal-sessions/{id}",
            &format!("{tenant}/portal-sessions/ses_01ARYZ6S410000000000000000"),
            None,
            NotFound,
        ),
        case("GET /v1/retention", "/v1/retention", None, Whole),
        case("PUT /v1/retention", "/v1/retention", Some(json!({ "keep": "1y" })), Whole),
        case("DELETE /v1/retention", "/v1/retention", None, Whole),
        case("GET /v1/retention/runs", "/v1/retention/runs", None, Whole),
        case("POST /v1/retention/runs", "/v1/retention/runs", None, Whole),
        case("GET /v1/tenants/{tenant}/retention", &format!("{tenant}/retention"), None, NotFound),
        case(
            "PUT /v1/tenants/{tenant}/retention",
            &format!("{tenant}/retention"),
            Some(json!({ "keep": "1y" })),
            NotFound,
        ),
        case(
            "DELETE /v1/tenants/{tenant}/retention",
            &format!("{tenant}/retention"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/retention/preview",
            &format!("{tenant}/retention/preview"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/retention/runs",
            &format!("{tenant}/retention/runs"),
            None,
            NotFound,
        ),
        case("GET /v1/tenants/{tenant}/holds", &format!("{tenant}/holds"), None, NotFound),
        case(
            "POST /v1/tenants/{tenant}/holds",
            &format!("{tenant}/holds"),
            Some(json!({ "name": "h" })),
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/holds/{id}",
            &format!("{tenant}/holds/hold_1"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/holds/{id}/release",
            &format!("{tenant}/holds/hold_1/release"),
            None,
            NotFound,
        ),
        case("GET /v1/tenants/{tenant}/erasures", &format!("{tenant}/erasures"), None, NotFound),
        case(
            "POST /v1/tenants/{tenant}/erasures",
            &format!("{tenant}/erasures"),
            Some(json!({ "subject": ["owner-u1"], "legal_basis": "request" })),
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/erasures/{id}",
            &format!("{tenant}/erasures/era_1"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/erasures/{id}/certificate",
            &format!("{tenant}/erasures/era_1/certificate"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/retention/runs/{id}/certificate",
            &format!("{tenant}/retention/runs/ret_1/certificate"),
            None,
            NotFound,
        ),
        case("GET /v1/tenants/{tenant}/removals", &format!("{tenant}/removals"), None, NotFound),
        case(
            "GET /v1/tenants/{tenant}/removals/{id}/list",
            &format!("{tenant}/removals/rem_1/list"),
            None,
            NotFound,
        ),
        case("GET /v1/destination-blueprints", "/v1/destination-blueprints", None, Whole),
        case(
            "POST /v1/destination-blueprints",
            "/v1/destination-blueprints",
            Some(
                json!({ "name": "x", "type": "webhook", "config": { "url": "https://siem.example/", "signature": "v1a" } }),
            ),
            Whole,
        ),
        case(
            "PATCH /v1/destination-blueprints/{id}",
            "/v1/destination-blueprints/bpr_01ARYZ6S410000000000000000",
            Some(json!({ "name": "y" })),
            NotFound,
        ),
        case(
            "DELETE /v1/destination-blueprints/{id}",
            "/v1/destination-blueprints/bpr_01ARYZ6S410000000000000000",
            None,
            NotFound,
        ),
        case("GET /v1/redaction", "/v1/redaction", None, Whole),
        case("PUT /v1/redaction", "/v1/redaction", Some(json!({})), Whole),
        case("DELETE /v1/redaction", "/v1/redaction", None, Whole),
        case("GET /v1/tenants/{tenant}/redaction", &format!("{tenant}/redaction"), None, NotFound),
        case(
            "PUT /v1/tenants/{tenant}/redaction",
            &format!("{tenant}/redaction"),
            Some(json!({ "secrets": "mask" })),
            NotFound,
        ),
        case(
            "DELETE /v1/tenants/{tenant}/redaction",
            &format!("{tenant}/redaction"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/redaction/preview",
            &format!("{tenant}/redaction/preview"),
            Some(json!({})),
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/redaction/lookup",
            &format!("{tenant}/redaction/lookup"),
            Some(json!({ "value": "x" })),
            NotFound,
        ),
        case("GET /v1/clock", "/v1/clock", None, Forbidden),
        case("POST /v1/clock/confirm", "/v1/clock/confirm", None, Forbidden),
        case("POST /ingest/formio", "/ingest/formio?tenant=owner", None, Hides),
        case(
            "POST /ingest/easysend",
            "/ingest/easysend?tenant=owner",
            Some(json!({ "security_event_type": "OPENED" })),
            UnknownTenant,
        ),
        case("GET /v1/tenants/{tenant}/alerts", &format!("{tenant}/alerts"), None, NotFound),
        case(
            "POST /v1/tenants/{tenant}/alerts",
            &format!("{tenant}/alerts"),
            Some(json!({ "name": "x", "threshold": 1, "window_seconds": 1 })),
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/alerts/{id}",
            &format!("{tenant}/alerts/alr_1"),
            None,
            NotFound,
        ),
        case(
            "PATCH /v1/tenants/{tenant}/alerts/{id}",
            &format!("{tenant}/alerts/alr_1"),
            Some(json!({ "name": "x" })),
            NotFound,
        ),
        case(
            "DELETE /v1/tenants/{tenant}/alerts/{id}",
            &format!("{tenant}/alerts/alr_1"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/saved-views",
            &format!("{tenant}/saved-views"),
            None,
            NotFound,
        ),
        case(
            "POST /v1/tenants/{tenant}/saved-views",
            &format!("{tenant}/saved-views"),
            Some(json!({ "name": "x" })),
            NotFound,
        ),
        case(
            "PATCH /v1/tenants/{tenant}/saved-views/{id}",
            &format!("{tenant}/saved-views/view_1"),
            Some(json!({ "name": "x" })),
            NotFound,
        ),
        case(
            "DELETE /v1/tenants/{tenant}/saved-views/{id}",
            &format!("{tenant}/saved-views/view_1"),
            None,
            NotFound,
        ),
        case(
            "GET /v1/tenants/{tenant}/saved-views/{id}/results",
            &format!("{tenant}/saved-views/failed-logins/results"),
            None,
            NotFound,
        ),
        case(
            "POST /ingest/cloudevents",
            "/ingest/cloudevents?tenant=owner",
            Some(json!({ "specversion": "1.0", "id": "1", "source": "s", "type": "t" })),
            UnknownTenant,
        ),
        case(
            "POST /ingest/kubernetes",
            "/ingest/kubernetes?tenant=owner",
            Some(json!({ "kind": "Event", "auditID": "a", "stage": "s", "verb": "get" })),
            UnknownTenant,
        ),
        case(
            "POST /ingest/ndjson",
            "/ingest/ndjson?tenant=owner&map=%7B%22fields%22%3A%7B%22action%22%3A%22%2Fa%22%7D%7D",
            Some(json!({ "a": "x" })),
            UnknownTenant,
        ),
        case("GET /v1/actions", "/v1/actions", None, Hides),
        case("PUT /v1/actions", "/v1/actions", Some(json!({ "mode": "off" })), Elsewhere),
        case("GET /v1/actions/{name}", "/v1/actions/nothing", None, NotFound),
        case("POST /v1/actions/{name}", "/v1/actions/x", Some(json!({})), Elsewhere),
        case("POST /v1/events/check", "/v1/events/check", Some(event("owner", "a.b")), Checks),
        case("GET /v1/usage", "/v1/usage", None, Hides),
        case(
            "PUT /v1/tenants/{tenant}/quota",
            &format!("{tenant}/quota"),
            Some(json!({})),
            NotFound,
        ),
        case(
            "PUT /v1/keys/{id}/quota",
            &format!("/v1/keys/{key_id}/quota"),
            Some(json!({})),
            NotFound,
        ),
        case("GET /v1/sources", "/v1/sources", None, Hides),
        case(
            "PUT /v1/sources/{system}",
            "/v1/sources/nothing",
            Some(json!({ "enabled": false })),
            NotFound,
        ),
        case("GET /v1/sign-in", "/v1/sign-in", None, Public),
        case("GET /health/live", "/health/live", None, Public),
        case("GET /health/ready", "/health/ready", None, Public),
        case("GET /v1/openapi.json", "/v1/openapi.json", None, Public),
    ]
}

/// Returns `METHOD path` for every operation of the document.
pub(crate) fn documented() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&attestary_api::openapi_document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .keys()
            .map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

#[test]
fn every_documented_route_has_a_case() {
    let tried: BTreeSet<String> =
        cases("d", "k").iter().map(|case| case.route.to_owned()).collect();
    assert_eq!(tried, documented());
}

// seeds: IC-02
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_finds_nothing_of_the_owner_on_any_route() {
    let app = TestApp::start().await;
    let owner = app.key(&ALL, None).await;
    let mut first = event("owner", "user.login");
    first["id"] = json!(id(1));
    app.post("/v1/events", &owner, &first).await.ok(201);
    app.tenant("other").await;
    let webhook =
        json!({ "name": "siem", "type": "webhook", "config": { "url": "https://127.0.0.1:9/" } });
    let made = app.post("/v1/tenants/owner/destinations", &owner, &webhook).await.ok(201);
    let destination = made["id"].as_str().unwrap().to_owned();
    let keys = app.get("/v1/keys", &owner).await.ok(200);
    let key_id = keys["data"][0]["id"].as_str().unwrap().to_owned();

    // A key of another tenant, one of another environment, and none at all.
    let foreign = app.key(&ALL, Some(&["other"])).await;
    send(
        app.request("POST", "/v1/environments", &app.operator())
            .json(&json!({ "name": "staging" })),
    )
    .await
    .ok(201);
    let elsewhere = app.key_in("staging", &ALL, None).await;
    for case in cases(&destination, &key_id) {
        check(&app, &case, &foreign, case.expected).await;
        let there = match case.expected {
            // In its own environment, a tenant of that name may be made and written to.
            Expected::UnknownTenant | Expected::Hides | Expected::Own => continue,
            Expected::Elsewhere | Expected::Checks => continue,
            Expected::Whole => continue,
            _ if case.route == "POST /v1/tenants" => continue,
            expected => expected,
        };
        check(&app, &case, &elsewhere, there).await;
        if !matches!(case.expected, Expected::Public | Expected::ByLink | Expected::ByCode) {
            let (method, _) = case.route.split_once(' ').unwrap();
            send(app.request(method, &case.path, "atsk1nokey"))
                .await
                .problem("unauthenticated", 401);
        }
    }
    assert_eq!(
        app.events("owner", &owner).await.len(),
        1,
        "nothing was written to the owner's log"
    );
    app.get(&format!("/v1/tenants/owner/destinations/{destination}"), &owner).await.ok(200);
    app.get(&format!("/v1/keys/{key_id}"), &owner).await.ok(200);
}

async fn check(app: &TestApp, case: &Case, key: &str, expected: Expected) {
    let (method, _) = case.route.split_once(' ').unwrap();
    let mut request = app.request(method, &case.path, key);
    if let Some(body) = &case.body {
        request = request.json(body);
    }
    let reply = send(request).await;
    let seen = (reply.status.as_u16(), reply.text());
    match expected {
        Expected::NotFound | Expected::Whole => {
            assert_eq!(reply.problem("not-found", 404)["detail"], NOT_FOUND, "{}", case.route);
        }
        Expected::ByLink => drop(reply.problem("not-found", 404)),
        Expected::Elsewhere => drop(reply.problem("not-found", 404)),
        Expected::Checks => assert!(seen.1.contains("there is no tenant"), "{seen:?}"),
        Expected::UnknownTenant => drop(reply.problem("unknown-tenant", 404)),
        Expected::Forbidden => drop(reply.problem("scope-required", 403)),
        Expected::ByCode => drop(reply.problem("forbidden-origin", 403)),
        Expected::Hides => {
            assert!(seen.0 == 200 && !seen.1.contains("owner"), "{}: {seen:?}", case.route);
        }
        Expected::Public => assert_eq!(seen.0, 200, "{}", case.route),
        Expected::Own => {
            assert!(matches!(seen.0, 200 | 201), "{}: {}", case.route, seen.1);
            assert!(!seen.1.contains("owner"), "{}: {}", case.route, seen.1);
        }
    }
}

/// Reads of a log's tree.
const TREE: [&str; 8] = [
    "/checkpoint",
    "/consistency",
    "/proofs",
    "/tile/",
    "/trust",
    "/slot-proof",
    "{tenant}/head",
    "/v1/anchor",
];

const NOT_FOUND: &str = "nothing of that name exists here for this key";

#[tokio::test(flavor = "multi_thread")]
async fn each_route_asks_for_its_own_scope() {
    use attestary_service::Scope;
    let app = TestApp::start().await;
    app.tenant("acme").await;
    let scope_of = |route: &str| match route {
        "POST /v1/events" | "POST /v1/events/check" => Some(Scope::Ingest),
        route if route.starts_with("POST /ingest/") => Some(Scope::Ingest),
        // Readers find tenants as administrators do.
        "GET /v1/tenants" => None,
        route if route.ends_with("/v1/session") || route.ends_with("/v1/sign-in") => None,
        route if route.contains("portal-sessions") => Some(Scope::Portal),
        route if route.contains("/v1/events") => Some(Scope::Read),
        "POST /v1/anchor/rotate-key" => Some(Scope::Operator),
        route if TREE.iter().any(|part| route.contains(part)) => Some(Scope::Read),
        route if route.contains("/exports") || route.contains("{tenant}/certificate") => {
            Some(Scope::Export)
        }
        route if route.contains("/downloads") => None,
        route if route.starts_with("GET") && route.contains("/saved-views") => Some(Scope::Read),
        route if route.contains("/destination") || route.contains("/alerts") => {
            Some(Scope::Destinations)
        }
        route if route.contains("/removals") => Some(Scope::Read),
        route if route.contains("/v1/environments") || route.contains("/v1/clock") => {
            Some(Scope::Operator)
        }
        route if route.contains("health") || route.contains("openapi") => None,
        _ => Some(Scope::Admin),
    };
    for scope in ALL {
        let key = app.key(&[scope], None).await;
        for case in cases("dst_01ARYZ6S410000000000000000", "key_01ARYZ6S410000000000000000") {
            let Some(needed) = scope_of(case.route) else { continue };
            let (method, _) = case.route.split_once(' ').unwrap();
            let mut request = app.request(method, &case.path, &key);
            if let Some(body) = &case.body {
                request = request.json(body);
            }
            // The status alone: a tail has no end.
            let status = request.send().await.unwrap().status().as_u16();
            assert_eq!(status == 403, scope != needed, "{} with {scope:?}: {status}", case.route);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_is_named_by_operators_only() {
    let app = TestApp::start().await;
    let operator = app.operator();
    app.get("/v1/tenants", &operator).await.problem("environment-required", 400);
    let named = |key: &str, name: &str| {
        app.request("GET", "/v1/tenants", key).header("attestary-environment", name)
    };
    send(named(&operator, ENVIRONMENT)).await.ok(200);
    send(named(&operator, "nowhere")).await.problem("not-found", 404);
    let key = app.key(&ALL, None).await;
    send(named(&key, ENVIRONMENT)).await.ok(200);
    send(named(&key, "staging")).await.problem("not-found", 404);
}

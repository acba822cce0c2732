//! Retraced's embedded viewer: token, session, pages of other origins, searches, saved exports.

use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, send};

const PUBLISHER: &str = "/auditlog/publisher/v1/project/production";
const VIEWER: &str = "/auditlog/viewer/v1";
const PAGE: &str = "https://app.example.com";

struct Viewer<'a> {
    app: &'a TestApp,
    token: String,
}

impl Viewer<'_> {
    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let method = method.parse().unwrap();
        let url = format!("{}{VIEWER}{path}", self.app.url);
        let mut request = self.app.client.request(method, url);
        request = request.header("authorization", &self.token).header("origin", PAGE);
        send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    async fn search(&self, variables: Value) -> Reply {
        let document = "query Search($query: String!, $last: Int, $before: String) { search(query: $query, last: $last, before: $before) { totalCount edges { cursor node { id } } } }";
        let body = json!({ "query": document, "variables": variables });
        self.call("POST", "/graphql?skipViewLogEvent=true", Some(&body)).await
    }
}

async fn viewer_token(app: &TestApp, key: &str, group: &str) -> Reply {
    token_of(app, key, group, false).await
}

async fn token_of(app: &TestApp, key: &str, group: &str, admin: bool) -> Reply {
    let url = format!(
        "{}{PUBLISHER}/viewertoken?group_id={group}&actor_id=u_9&is_admin={admin}&view_log_action=x",
        app.url
    );
    send(app.client.get(url).header("authorization", format!("Token token={key}"))).await
}

async fn begin<'a>(app: &'a TestApp, key: &str) -> Viewer<'a> {
    begin_as(app, key, false).await
}

async fn begin_as<'a>(app: &'a TestApp, key: &str, admin: bool) -> Viewer<'a> {
    let token = token_of(app, key, "acme", admin).await.ok(200)["token"].clone();
    let url = format!("{}{VIEWER}/viewersession", app.url);
    let begun = app.client.post(&url).header("origin", PAGE).json(&json!({ "token": token }));
    let begun = send(begun).await;
    assert_eq!(begun.headers["access-control-allow-origin"], PAGE);
    let begun = begun.ok(200);
    assert_eq!(begun["project_id"], "production");
    // A token works for the page that used it first, and for no other.
    let again = send(app.client.post(&url).json(&json!({ "token": token }))).await;
    assert_eq!(again.status.as_u16(), 401, "{}", again.text());
    Viewer { app, token: begun["token"].as_str().unwrap().to_owned() }
}

async fn publish(app: &TestApp, key: &str, group: &str, action: &str, crud: &str) {
    let event =
        json!({ "action": action, "crud": crud, "group": { "id": group }, "actor": { "id": "u" } });
    let url = format!("{}{PUBLISHER}/event", app.url);
    let request = app.client.post(url).header("authorization", format!("token={key}"));
    send(request.json(&event)).await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_its_group_on_its_page() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for number in 0..25 {
        publish(&app, &key, "acme", &format!("doc.{number}"), "c").await;
    }
    publish(&app, &key, "acme", "doc.read", "r").await;
    publish(&app, &key, "other", "doc.other", "c").await;
    let viewer = begin(&app, &key).await;
    let first =
        viewer.search(json!({ "query": "crud:c,u,d", "last": 20, "before": "" })).await.ok(200);
    let found = &first["data"]["search"];
    assert_eq!(found["totalCount"], 25);
    let edges = found["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 20);
    assert_eq!(edges[0]["node"]["action"], "doc.24");
    let before = &edges[19]["cursor"];
    let rest = viewer.search(json!({ "query": "crud:c,u,d", "last": 20, "before": before })).await;
    assert_eq!(rest.ok(200)["data"]["search"]["edges"].as_array().unwrap().len(), 5);
    // Another group is nothing that exists, and the read is on record.
    let other = viewer.search(json!({ "query": "group.id:other", "last": 1 })).await;
    assert!(other.json()["errors"][0]["message"].is_string(), "{}", other.text());
    let reads = app.get("/v1/events?tenant=_audit&filter=actor.id:u_9", &key).await.ok(200);
    assert!(!reads["data"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_begin_a_few_times_with_its_token() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    publish(&app, &key, "acme", "doc.a", "c").await;
    let token = token_of(&app, &key, "acme", false).await.ok(200)["token"].clone();
    let url = format!("{}{VIEWER}/viewersession", app.url);
    let begin = |page: &'static str| {
        send(app.client.post(&url).header("origin", page).json(&json!({ "token": token })))
    };
    let mut begun = Vec::new();
    for _ in 0..8 {
        begun.push(begin(PAGE).await.ok(200)["token"].as_str().unwrap().to_owned());
        assert_eq!(begin("https://other.example.com").await.status.as_u16(), 401);
    }
    assert_eq!(begin(PAGE).await.status.as_u16(), 401, "eight sessions are enough");
    // What the package holds when it has asked twice goes on, whichever answer it kept.
    for token in [&begun[0], &begun[7]] {
        let viewer = Viewer { app: &app, token: token.clone() };
        viewer.search(json!({ "query": "", "last": 1 })).await.ok(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_tell_a_wrong_query_from_an_ended_session() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    publish(&app, &key, "acme", "doc.a", "c").await;
    let viewer = begin(&app, &key).await;
    let wrong = viewer.search(json!({ "query": "toic:1" })).await;
    assert!(wrong.json()["errors"][0]["message"].as_str().unwrap().contains("toic"));
    let body = json!({ "query": "{ counts { x } }" });
    let wrong = viewer.call("POST", "/graphql", Some(&body)).await;
    assert!(wrong.json()["errors"][0]["message"].as_str().unwrap().contains("counts"));
    let ended = Viewer { app: &app, token: "atse1nonsense".into() };
    let reply = ended.search(json!({ "query": "" })).await;
    assert_eq!(reply.status.as_u16(), 401);
    assert!(reply.json().get("errors").is_none() && reply.json().get("data").is_none());
    // The token of a page is refused on another page, and no key is made with it.
    let url = format!("{}{VIEWER}/graphql", app.url);
    let elsewhere = app.client.post(url).header("authorization", &viewer.token);
    let elsewhere = send(elsewhere.header("origin", "https://evil.example").json(&json!({}))).await;
    assert_eq!(elsewhere.status.as_u16(), 403);
    assert!(elsewhere.headers.get("access-control-allow-origin").is_none());
    for (method, path) in [("GET", "s"), ("POST", ""), ("DELETE", "/x")] {
        let path = format!("/project/production/eitapi_token{path}");
        assert_eq!(viewer.call(method, &path, None).await.status.as_u16(), 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_for_groups_that_the_key_sees() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    publish(&app, &key, "acme", "doc.a", "c").await;
    assert_eq!(viewer_token(&app, &key, "nobody").await.status.as_u16(), 404);
    assert_eq!(viewer_token(&app, &key, "").await.status.as_u16(), 400);
    assert_eq!(viewer_token(&app, "nonsense", "acme").await.status.as_u16(), 401);
    let reads = app.key(&[attestary_service::Scope::Read], None).await;
    assert_eq!(viewer_token(&app, &reads, "acme").await.status.as_u16(), 403);
    // Links of other kinds begin no viewer.
    let body = json!({ "actor": { "id": "u" }, "origin": PAGE });
    let link = app.post("/v1/tenants/acme/portal-sessions", &key, &body).await.ok(201);
    let code = link["url"].as_str().unwrap().split_once("#code=").unwrap().1;
    let url = format!("{}{VIEWER}/viewersession", app.url);
    let reply = send(app.client.post(url).json(&json!({ "token": code }))).await;
    assert_eq!(reply.status.as_u16(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_saved_and_fetched_as_a_file() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for (action, crud) in [("doc.a", "c"), ("doc.b", "d"), ("doc.c", "r"), ("team.a", "c")] {
        publish(&app, &key, "acme", action, crud).await;
    }
    let viewer = begin(&app, &key).await;
    let body = json!({ "name": "Documents", "exportBody": { "searchQuery": "action:\"doc.*\"", "showCreate": true,
        "showRead": false, "showUpdate": true, "showDelete": true, "version": 1 } });
    let made = viewer.call("POST", "/project/production/export", Some(&body)).await.ok(201);
    let listed = viewer.call("GET", "/project/production/exports?limit=5", None).await.ok(200);
    assert_eq!([&listed[0]["id"], &listed[0]["name"]], [&made["id"], &json!("Documents")]);
    let path = format!("/project/production/export/{}/rendered", made["id"].as_str().unwrap());
    let file = viewer.call("GET", &path, None).await;
    assert_eq!(file.status.as_u16(), 200, "{}", file.text());
    assert!(file.headers["content-disposition"].to_str().unwrap().contains("filename="));
    let exposed = file.headers["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("content-disposition"));
    let text = file.text();
    assert!(text.contains("doc.a") && text.contains("doc.b"), "{text}");
    assert!(!text.contains("doc.c") && !text.contains("team.a"), "{text}");
    let bad = json!({ "exportBody": { "searchQuery": "toic:1" } });
    let reply = viewer.call("POST", "/project/production/export", Some(&bad)).await;
    assert_eq!(reply.status.as_u16(), 400);
    assert_eq!(viewer.call("GET", "/project/other/exports", None).await.status.as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_viewer_makes_tokens_that_read_its_group() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    publish(&app, &key, "acme", "doc.a", "c").await;
    publish(&app, &key, "other", "doc.b", "c").await;
    let viewer = begin_as(&app, &key, true).await;
    let (tokens, token) = ("/project/production/eitapi_tokens", "/project/production/eitapi_token");
    let name = |name: &str| json!({ "displayName": name });
    assert_eq!(viewer.call("GET", tokens, None).await.ok(200), json!([]));
    let made = viewer.call("POST", token, Some(&name("stream"))).await.ok(201);
    // The dialog shows what the list says, so the list tells the secret: once, and to this session alone.
    let colleague = begin_as(&app, &key, true).await;
    assert_eq!(colleague.call("GET", tokens, None).await.ok(200)[0], made);
    let listed = viewer.call("GET", tokens, None).await.ok(200);
    let secret = listed[0]["id"].as_str().unwrap().to_owned();
    assert_ne!(secret, made["id"].as_str().unwrap());
    assert_eq!(viewer.call("GET", tokens, None).await.ok(200)[0], made);

    app.get("/v1/events?tenant=acme", &secret).await.ok(200);
    app.get("/v1/events?tenant=other", &secret).await.problem("not-found", 404);
    app.get("/v1/tenants/acme/exports", &secret).await.problem("scope-required", 403);
    // By its id, or by what the dialog still shows.
    let renamed =
        viewer.call("PUT", &format!("{token}/{secret}"), Some(&name("SIEM"))).await.ok(200);
    assert_eq!(renamed, json!({ "id": made["id"], "display_name": "SIEM" }));
    assert_eq!(viewer.call("GET", tokens, None).await.ok(200), json!([renamed]));
    app.get("/v1/events?tenant=acme", &secret).await.ok(200);
    let keys = app.get("/v1/keys", &key).await.ok(200);
    let own = keys["data"].as_array().unwrap().iter().find(|key| key["id"] == made["id"]).unwrap();
    assert_eq!((&own["name"], &own["scopes"]), (&json!("SIEM"), &json!(["read"])));

    for bad in [json!({}), name(""), name(&"x".repeat(129))] {
        let reply = viewer.call("POST", token, Some(&bad)).await;
        assert_eq!(reply.status.as_u16(), 400, "{}", reply.text());
        assert!(reply.text().contains("displayName"));
    }
    // Keys that no viewer made are none of its business.
    let vendors = app
        .post("/v1/keys", &key, &json!({ "name": "v", "scopes": ["read"], "tenants": ["acme"] }))
        .await;
    let vendors = format!("{token}/{}", vendors.ok(201)["id"].as_str().unwrap());
    assert_eq!(viewer.call("DELETE", &vendors, None).await.status.as_u16(), 404);
    let path = format!("{token}/{}", made["id"].as_str().unwrap());
    assert_eq!(viewer.call("DELETE", &path, None).await.status.as_u16(), 204);
    app.get("/v1/events?tenant=acme", &secret).await.problem("unauthenticated", 401);
    assert_eq!(viewer.call("DELETE", &path, None).await.status.as_u16(), 404);
    // What the publisher's key may not do, no viewer may that it lets in.
    let publisher = app.key(&[attestary_service::Scope::Portal], None).await;
    let limited = begin_as(&app, &publisher, true).await;
    assert_eq!(limited.call("POST", token, Some(&name("x"))).await.status.as_u16(), 403);
    let trail = json!(app.events("_audit", &key).await).to_string();
    assert!(trail.contains("key.rename") && !trail.contains(&secret));
}

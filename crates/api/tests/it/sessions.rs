//! People's sessions: links that work once, the cookie and its guards, and portal sessions that never show more than they may.

use attestary_service::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, event, id, send};

const ORIGIN: &str = "https://app.customer.example";

/// Returns the code that a link carries behind `#code=`.
fn code(url: &str) -> String {
    url.split_once("#code=").unwrap().1.to_owned()
}

async fn begin(app: &TestApp, code: &str) -> Reply {
    let request =
        app.client.post(format!("{}/v1/session", app.url)).header("attestary-console", "1");
    send(request.json(&json!({ "code": code }))).await
}

/// Returns the cookie of a person who signed in.
async fn signed_in(app: &TestApp, admin: &str, role: &str) -> String {
    let link = json!({ "id": "ada", "name": "Ada", "role": role });
    let made = app.post("/v1/sign-in-links", admin, &link).await.ok(201);
    let reply = begin(app, &code(made["url"].as_str().unwrap())).await;
    reply.ok(201);
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

fn with_cookie(app: &TestApp, method: Method, path: &str, cookie: &str) -> reqwest::RequestBuilder {
    app.client.request(method, format!("{}{path}", app.url)).header("cookie", cookie)
}

async fn console_get(app: &TestApp, path: &str, cookie: &str) -> Reply {
    send(with_cookie(app, Method::GET, path, cookie).header("attestary-console", "1")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_link_works_once_and_the_cookie_is_guarded() {
    let app = TestApp::start().await;
    let admin = app.key(&[Scope::Admin], None).await;
    let made = app
        .post("/v1/sign-in-links", &admin, &json!({ "id": "ada", "role": "operator" }))
        .await
        .ok(201);
    let code = code(made["url"].as_str().unwrap());

    // Without the header that foreign pages cannot send, the link is not even looked at.
    let bare = app.client.post(format!("{}/v1/session", app.url)).json(&json!({ "code": code }));
    send(bare).await.problem("forbidden-origin", 403);
    let first = begin(&app, &code).await;
    let session = first.ok(201);
    assert_eq!(session["kind"], "sign-in");
    assert_eq!(session["role"], "operator");
    assert!(session.get("token").is_none(), "the cookie alone holds the token");
    let cookie = first.headers["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    begin(&app, &code).await.problem("unauthenticated", 401);

    let cookie = cookie.split(';').next().unwrap().to_owned();
    console_get(&app, "/v1/keys", &cookie).await.ok(200);
    send(with_cookie(&app, Method::GET, "/v1/keys", &cookie))
        .await
        .problem("forbidden-origin", 403);
    let cross =
        with_cookie(&app, Method::GET, "/v1/keys", &cookie).header("attestary-console", "1");
    send(cross.header("sec-fetch-site", "cross-site")).await.problem("forbidden-origin", 403);

    let out =
        with_cookie(&app, Method::DELETE, "/v1/session", &cookie).header("attestary-console", "1");
    let out = send(out).await;
    out.ok(204);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    console_get(&app, "/v1/keys", &cookie).await.problem("unauthenticated", 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_scopes_and_every_act_of_a_session_is_recorded() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &event("acme", "user.login")).await.ok(201);
    for (role, keys, events) in
        [("operator", 200, 200), ("reader", 403, 200), ("auditor", 403, 200)]
    {
        let cookie = signed_in(&app, &key, role).await;
        assert_eq!(console_get(&app, "/v1/keys", &cookie).await.status.as_u16(), keys, "{role}");
        let search = console_get(&app, "/v1/events?tenant=acme", &cookie).await;
        assert_eq!(search.status.as_u16(), events, "{role}");
        let post =
            with_cookie(&app, Method::POST, "/v1/events", &cookie).header("attestary-console", "1");
        send(post.json(&event("acme", "x.y"))).await.problem("scope-required", 403);
    }
    let trail = app.events("_audit", &key).await;
    let operations: Vec<&str> =
        trail.iter().filter_map(|event| event["metadata"]["operation"].as_str()).collect();
    for operation in ["session.link", "session.start", "key.list", "events.search"] {
        assert!(operations.contains(&operation), "{operation} is not in {operations:?}");
    }
    let start =
        trail.iter().find(|event| event["metadata"]["operation"] == "session.start").unwrap();
    assert_eq!(start["actor"]["type"], "user");
    assert_eq!(start["actor"]["id"], "ada");
    assert_eq!(start["context"]["session_id"], start["targets"][0]["id"]);
    assert!(!json!(trail).to_string().contains("atse1"), "no token is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_links_and_sessions_are_named() {
    let app = TestApp::start().await;
    let admin = app.key(&[Scope::Admin, Scope::Portal], Some(&["acme"])).await;
    app.tenant("acme").await;
    let link = |body: Value| {
        let (app, admin) = (&app, &admin);
        async move { app.post("/v1/sign-in-links", admin, &body).await }
    };
    let check = |problem: Value, pointer: &str| {
        let pointers: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
        assert!(pointers.contains(&json!(pointer)), "{problem}");
    };
    check(link(json!({ "tenants": ["acme"] })).await.problem("invalid-body", 400), "/id");
    check(
        link(json!({ "id": "a", "tenants": ["acme"], "ttl_s": 86401 }))
            .await
            .problem("invalid-body", 400),
        "/ttl_s",
    );
    check(
        link(json!({ "id": "a", "tenants": ["acme"], "role": "root" }))
            .await
            .problem("invalid-body", 400),
        "/role",
    );
    check(link(json!({ "id": "a" })).await.problem("invalid-body", 400), "/tenants");
    check(
        link(json!({ "id": "a", "tenants": ["other"] })).await.problem("invalid-body", 400),
        "/tenants/0",
    );

    let portal = |body: Value| {
        let (app, admin) = (&app, &admin);
        async move { app.post("/v1/tenants/acme/portal-sessions", admin, &body).await }
    };
    let with = |extra: Value| {
        let mut body = json!({ "actor": { "id": "u1" }, "origin": ORIGIN });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    portal(with(json!({}))).await.ok(201);
    check(portal(with(json!({ "ttl_s": 901 }))).await.problem("invalid-body", 400), "/ttl_s");
    check(
        portal(with(json!({ "origin": "https://a.example/" }))).await.problem("invalid-body", 400),
        "/origin",
    );
    check(portal(with(json!({ "origin": "*" }))).await.problem("invalid-body", 400), "/origin");
    check(
        portal(with(json!({ "scopes": ["admin"] }))).await.problem("invalid-body", 400),
        "/scopes/0",
    );
    check(
        portal(with(json!({ "scopes": ["destinations"], "restrict": "a:b" })))
            .await
            .problem("invalid-body", 400),
        "/scopes/0",
    );
    check(
        portal(with(json!({ "hide_fields": ["context.ip", "action"] })))
            .await
            .problem("invalid-body", 400),
        "/hide_fields/1",
    );
    check(
        portal(with(json!({ "actor": { "id": "u", "role": "x" } })))
            .await
            .problem("invalid-body", 400),
        "/actor",
    );
    let problem =
        portal(with(json!({ "restrict": "target.id:(" }))).await.problem("invalid-filter", 400);
    assert_eq!(problem["offset"], 10);
    app.post("/v1/tenants/other/portal-sessions", &admin, &with(json!({})))
        .await
        .problem("not-found", 404);
}

/// Two documents, one address, one secret: what the restricted session may see is the first document without addresses.
async fn seeded(app: &TestApp) -> String {
    let key = app.key(&ALL, None).await;
    for (number, document, ip) in
        [(1, "doc_7", "192.0.2.7"), (2, "doc_8", "192.0.2.8"), (3, "doc_7", "192.0.2.9")]
    {
        let body = json!({
            "id": id(number), "tenant": "acme", "action": "document.opened", "outcome": "success",
            "actor": { "type": "user", "id": format!("user{number}"), "email": format!("secret{number}@acme.example") },
            "targets": [{ "type": "document", "id": document }],
            "context": { "ip": ip, "user_agent": "agent" },
        });
        app.post("/v1/events", &key, &body).await.ok(201);
    }
    key
}

async fn restricted(app: &TestApp, key: &str) -> String {
    let body = json!({
        "actor": { "id": "u1", "name": "Una" }, "origin": ORIGIN,
        "restrict": "target.id:doc_7", "hide_fields": ["context.ip", "actor.email"],
    });
    let made = app.post("/v1/tenants/acme/portal-sessions", key, &body).await.ok(201);
    made["token"].as_str().unwrap().to_owned()
}

/// Nothing of the other document and of the hidden fields stands in a reply, whatever was asked.
#[track_caller]
fn check_clean(reply: &Reply, what: &str) {
    let text = reply.text();
    for secret in ["doc_8", "192.0.2.", "@acme.example", "user2"] {
        assert!(!text.contains(secret), "{what} gives {secret}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_session_never_receives_more() {
    let app = TestApp::start().await;
    let key = seeded(&app).await;
    let token = restricted(&app, &key).await;
    let get = |path: &str| {
        let (app, token, path) = (&app, &token, path.to_owned());
        async move { app.get(&path, token).await }
    };

    let page = get("/v1/events").await;
    assert_eq!(page.ok(200)["data"].as_array().unwrap().len(), 2);
    check_clean(&page, "search");
    assert!(page.text().contains("user_agent"), "only what is hidden is gone");
    for filter in [
        "target.id:doc_8",
        "target.id:doc_7%20OR%20target.id:doc_8",
        "-target.id:doc_7",
        "actor.id:user2",
    ] {
        let page = get(&format!("/v1/events?filter={filter}")).await;
        check_clean(&page, filter);
    }
    // Questions about hidden fields are refused: the answer would tell the value.
    for filter in [
        "context.ip:192.0.2.7",
        "exists(context.ip)",
        "exists(context)",
        "-actor.email:x",
        "secret1",
        "actor.email:secret*",
        "context.0.ip:1",
        "exists(source)",
    ] {
        for path in ["/v1/events", "/v1/events/histogram", "/v1/events/tail"] {
            get(&format!("{path}?filter={filter}")).await.problem("invalid-filter", 400);
        }
        get(&format!("/v1/events/facets?fields=action&filter={filter}"))
            .await
            .problem("invalid-filter", 400);
    }
    let counts = get("/v1/events/histogram").await.ok(200);
    assert_eq!(counts["events"], 2);
    let facets = get("/v1/events/facets?fields=action,target.id,actor.id").await;
    check_clean(&facets, "facets");
    assert_eq!(facets.ok(200)["events"], 2);
    for field in ["context.ip", "actor.email", "context.0.ip"] {
        get(&format!("/v1/events/facets?fields={field}")).await.problem("invalid-query", 400);
    }
    let own = get(&format!("/v1/events/{}", id(1))).await;
    own.ok(200);
    check_clean(&own, "look-up");
    let cef = get(&format!("/v1/events/{}?format=cef", id(1))).await;
    assert!(cef.text().starts_with("CEF:0|") && cef.text().contains("doc_7"), "{}", cef.text());
    check_clean(&cef, "look-up as CEF");
    get(&format!("/v1/events/{}?format=xml", id(1))).await.problem("invalid-query", 400);
    get(&format!("/v1/events/{}?format=cef", id(2))).await.problem("not-found", 404);
    get(&format!("/v1/events/{}", id(2))).await.problem("not-found", 404);

    // Everything else is closed, also what a later version may add under these scopes.
    for path in [
        "/v1/tenants",
        "/v1/tenants/acme",
        "/v1/keys",
        "/v1/tenants/acme/destinations",
        "/v1/environments",
    ] {
        assert_eq!(get(path).await.status.as_u16(), 403, "{path}");
    }
    get("/v1/events?tenant=_audit").await.problem("not-found", 404);
    get("/v1/events?tenant=other").await.problem("not-found", 404);
    let session = get("/v1/session").await;
    assert_eq!(session.ok(200)["hide_fields"], json!(["context.ip", "actor.email"]));
    assert!(!session.text().contains("doc_7"), "the restriction itself is not told");

    let trail = app.events("_audit", &key).await;
    let made =
        trail.iter().find(|event| event["metadata"]["operation"] == "portal.create").unwrap();
    assert_eq!(made["metadata"]["restrict"], "target.id:doc_7");
    let read = trail.iter().find(|event| event["actor"]["id"] == "u1").unwrap();
    assert_eq!(read["actor"]["name"], "Una");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_of_a_restricted_session_shows_no_more_than_its_pages() {
    let app = TestApp::start().await;
    let key = seeded(&app).await;
    let token = restricted(&app, &key).await;
    let mut reply = app.request("GET", "/v1/events/tail?from_seq=0", &token).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 200);
    let mut text = String::new();
    while text.matches("event: event").count() < 2 {
        text.push_str(&String::from_utf8_lossy(&reply.chunk().await.unwrap().unwrap()));
    }
    for secret in ["doc_8", "192.0.2.", "@acme.example"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("user1") && text.contains("user3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_session_belongs_to_its_origin() {
    let app = TestApp::start().await;
    let key = seeded(&app).await;
    let token = restricted(&app, &key).await;
    let from =
        |origin: &str| send(app.request("GET", "/v1/events", &token).header("origin", origin));
    let own = from(ORIGIN).await;
    own.ok(200);
    assert_eq!(own.headers["access-control-allow-origin"], ORIGIN);
    assert!(!own.headers.contains_key("access-control-allow-credentials"));
    let foreign = from("https://evil.example").await;
    foreign.problem("forbidden-origin", 403);
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
    from("null").await.problem("forbidden-origin", 403);

    let preflight = |origin: &str| {
        let request = app.client.request(Method::OPTIONS, format!("{}/v1/events", app.url));
        send(request.header("origin", origin).header("access-control-request-method", "GET"))
    };
    let asked = preflight(ORIGIN).await;
    assert_eq!(asked.status.as_u16(), 204);
    assert!(
        asked.headers["access-control-allow-headers"].to_str().unwrap().contains("authorization")
    );
    let refused = preflight("https://evil.example").await;
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
    // The page of the origin can read why its token is refused.
    let gone = app.request("GET", "/v1/events", &format!("{token}x")).header("origin", ORIGIN);
    assert_eq!(send(gone).await.headers["access-control-allow-origin"], ORIGIN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_page_is_framed_by_its_origin_only_and_its_code_works_once() {
    let app = TestApp::start().await;
    let key = seeded(&app).await;
    let body = json!({ "actor": { "id": "u1" }, "origin": ORIGIN });
    let made = app.post("/v1/tenants/acme/portal-sessions", &key, &body).await.ok(201);
    let url = made["url"].as_str().unwrap();
    let page = |path: &str| send(app.client.get(format!("{}{path}", app.url)));
    let policy =
        |reply: &Reply| reply.headers["content-security-policy"].to_str().unwrap().to_owned();
    let framed = page(url.split('#').next().unwrap()).await;
    assert!(policy(&framed).ends_with(&format!("frame-ancestors {ORIGIN}")), "{}", policy(&framed));
    for path in
        ["/console/portal/lnk_01ARZ3NDEKTSV4RRFFQ69G5FAV", "/console/", "/console/t/acme/events"]
    {
        let reply = page(path).await;
        assert_eq!(reply.status.as_u16(), 200, "{path}");
        assert!(policy(&reply).ends_with("frame-ancestors 'none'"), "{path}");
        assert!(!policy(&reply).contains("unsafe"), "{path}");
    }
    let code = code(url);
    let started = begin(&app, &code).await;
    let token = started.ok(201)["token"].as_str().unwrap().to_owned();
    assert!(!started.headers.contains_key("set-cookie"), "frames of other origins get no cookies");
    begin(&app, &code).await.problem("unauthenticated", 401);
    app.get("/v1/events", &token).await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_console_are_kept_or_asked_for_anew() {
    let app = TestApp::start().await;
    let get = |path: &str| {
        send(app.client.get(format!("{}{path}", app.url)).header("accept-encoding", "gzip"))
    };
    let index = get("/console/").await;
    assert_eq!(index.headers["cache-control"], "no-cache");
    let plain = send(app.client.get(format!("{}/console/", app.url))).await.text();
    let script = plain.split("src=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let asset = get(&script).await;
    assert_eq!(asset.headers["content-type"], "text/javascript; charset=utf-8");
    assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(asset.headers["content-encoding"], "gzip");
    assert_eq!(get("/console/assets/missing.js").await.status.as_u16(), 404);
    let embed = get("/console/embed.js").await;
    assert_eq!(embed.headers["access-control-allow-origin"], "*");
    let again = app.client.get(format!("{}/console/embed.js", app.url));
    let again = again.header("if-none-match", embed.headers["etag"].clone());
    assert_eq!(send(again).await.status.as_u16(), 304);
}

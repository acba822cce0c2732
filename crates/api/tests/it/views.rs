//! Saved views: the shipped questions, and those that administrators save.

use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, event, send};

fn login(actor: &str, outcome: &str) -> Value {
    let mut login = event("acme", "user.login");
    login["actor"]["id"] = actor.into();
    login["outcome"] = outcome.into();
    login["category"] = "authentication".into();
    login["context"] = json!({ "ip": "203.0.113.9" });
    login
}

async fn answer(app: &TestApp, key: &str, view: &str, query: &str) -> Value {
    let path = format!("/v1/tenants/acme/saved-views/{view}/results{query}");
    app.get(&path, key).await.ok(200)
}

async fn patch(app: &TestApp, path: &str, key: &str, body: &Value) -> Reply {
    send(app.request("PATCH", path, key).json(body)).await
}

fn group(answer: &Value, field: &str) -> Vec<(String, u64)> {
    let group = answer["groups"].as_array().unwrap().iter().find(|group| group["field"] == field);
    let values = group.unwrap()["values"].as_array().unwrap();
    values
        .iter()
        .map(|value| {
            (value["value"].as_str().unwrap().to_owned(), value["count"].as_u64().unwrap())
        })
        .collect()
}

// seeds: WO-11
#[tokio::test(flavor = "multi_thread")]
async fn the_three_questions_of_the_guide_have_an_answer_each() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut events: Vec<Value> = (0..12).map(|_| login("mallory", "failure")).collect();
    events.extend((0..9).map(|_| login("bob", "failure")));
    events.extend((0..20).map(|_| login("alice", "success")));
    let mut old = login("eve", "failure");
    old["occurred_at"] = "2020-01-01T00:00:00Z".into();
    events.extend((0..11).map(|_| old.clone()));
    for (actor, label, target) in
        [("alice", "PII", "doc_1"), ("bob", "pii", "doc_2"), ("carol", "public", "doc_1")]
    {
        let mut read = event("acme", "document.read");
        read["actor"]["id"] = actor.into();
        read["labels"] = json!([label]);
        read["targets"] = json!([{ "type": "document", "id": target }]);
        events.push(read);
    }
    app.post("/v1/events", &key, &json!(events)).await.ok(201);

    let failed = answer(&app, &key, "failed-logins", "").await;
    assert_eq!(group(&failed, "actor.id"), [("mallory".to_owned(), 12)]);
    assert_eq!(failed["count"], 21, "those of years ago do not count");
    assert_eq!(
        group(&answer(&app, &key, "failed-logins", "?min_count=9").await, "actor.id").len(),
        2
    );
    // The same by the counts themselves, as one call.
    let filter = "category:authentication%20outcome:failure%20occurred_at%3E%3Dnow-1h";
    let path =
        format!("/v1/events/facets?tenant=acme&group_by=actor.id&min_count=10&filter={filter}");
    let facets = app.get(&path, &key).await.ok(200);
    assert_eq!(facets["data"][0]["values"], json!([{ "value": "mallory", "count": 12 }]));

    let personal = answer(&app, &key, "personal-data", "?limit=1").await;
    assert_eq!(group(&personal, "actor.id"), [("alice".to_owned(), 1), ("bob".to_owned(), 1)]);
    assert_eq!(personal["events"].as_array().unwrap().len(), 1);

    let object = answer(&app, &key, "object-access", "?target=doc_1").await;
    let mut actors = group(&object, "actor.id");
    actors.sort();
    assert_eq!(actors, [("alice".to_owned(), 1), ("carol".to_owned(), 1)]);
    app.get("/v1/tenants/acme/saved-views/object-access/results", &key)
        .await
        .problem("invalid-query", 400);
    app.get("/v1/events/facets?tenant=acme&fields=action&group_by=action", &key)
        .await
        .problem("invalid-query", 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_saved_listed_answered_and_removed() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &login("alice", "success")).await.ok(201);
    let views = "/v1/tenants/acme/saved-views";
    let new = json!({ "name": "Logins by address", "filter": "action:user.login", "group_by": ["context.ip"] });
    let made = app.post(views, &key, &new).await.ok(201);
    let id = made["id"].as_str().unwrap();
    let list = app.get(views, &key).await.ok(200);
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|view| view["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "failed-logins",
            "personal-data",
            "object-access",
            "privilege-changes",
            "exports",
            "key-lifecycle",
            "impersonation",
            id
        ]
    );
    assert_eq!(
        group(&answer(&app, &key, id, "").await, "context.ip"),
        [("203.0.113.9".to_owned(), 1)]
    );
    for (body, pointer) in [
        (json!({ "filter": "a:b" }), "/name"),
        (json!({ "name": "x", "group_by": ["a b"] }), "/group_by/0"),
        (json!({ "name": "x", "min_count": -1 }), "/min_count"),
    ] {
        let problem = app.post(views, &key, &body).await.problem("invalid-body", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    app.post(views, &key, &json!({ "name": "x", "filter": "(" }))
        .await
        .problem("invalid-filter", 400);
    app.delete(&format!("{views}/failed-logins"), &key).await.problem("conflict", 409);
    app.delete(&format!("{views}/{id}"), &key).await.ok(204);
    app.delete(&format!("{views}/{id}"), &key).await.problem("not-found", 404);
    app.get(&format!("{views}/{id}/results"), &key).await.problem("not-found", 404);
    // A tenant that comes back does not find the views of the one before.
    app.post(views, &key, &new).await.ok(201);
    app.delete("/v1/tenants/acme", &key).await.ok(204);
    app.post("/v1/events", &key, &login("alice", "success")).await.ok(201);
    assert_eq!(app.get(views, &key).await.ok(200)["data"].as_array().unwrap().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_view_is_changed_in_parts_and_the_change_is_recorded() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &login("alice", "success")).await.ok(201);
    let views = "/v1/tenants/acme/saved-views";
    let new = json!({ "name": "Logins", "filter": "action:user.login", "group_by": ["actor.id"] });
    let made = app.post(views, &key, &new).await.ok(201);
    let one = format!("{views}/{}", made["id"].as_str().unwrap());
    let renamed = patch(&app, &one, &key, &json!({ "name": "Sign-ins" })).await.ok(200);
    assert_eq!(renamed["name"], "Sign-ins");
    assert_eq!(renamed["filter"], "action:user.login");
    let counted =
        json!({ "filter": "outcome:failure", "group_by": ["context.ip"], "min_count": 3 });
    let changed = patch(&app, &one, &key, &counted).await.ok(200);
    assert_eq!(app.get(views, &key).await.ok(200)["data"][7], changed);
    assert_eq!(
        (&changed["name"], &changed["min_count"], &changed["group_by"]),
        (&json!("Sign-ins"), &json!(3), &json!(["context.ip"]))
    );
    for (body, code) in [
        (json!({ "name": "" }), "invalid-body"),
        (json!({ "min_count": "3" }), "invalid-body"),
        (json!({ "filter": "(" }), "invalid-filter"),
    ] {
        patch(&app, &one, &key, &body).await.problem(code, 400);
    }
    let shipped = format!("{views}/failed-logins");
    patch(&app, &shipped, &key, &json!({ "name": "x" })).await.problem("conflict", 409);
    patch(&app, &format!("{views}/view_1"), &key, &json!({})).await.problem("not-found", 404);
    let filter = "/v1/events?tenant=_audit&filter=metadata.operation=view.change";
    let trail = app.get(filter, &key).await.ok(200);
    assert_eq!(trail["data"].as_array().unwrap().len(), 2, "{trail}");
}

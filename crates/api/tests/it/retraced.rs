//! The Retraced paths: events with receipts, bulk requests, queries.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::app::{ALL, Reply, TestApp, send};

const BASE: &str = "/auditlog/publisher/v1/project/production";

async fn post(app: &TestApp, path: &str, authorization: &str, body: &Value) -> Reply {
    let url = format!("{}{path}", app.url);
    send(app.client.post(url).header("authorization", authorization).json(body)).await
}

fn event(action: &str) -> Value {
    json!({ "action": action, "crud": "u", "group": { "id": "acme", "name": "Acme" }, "actor": { "id": "u", "name": "U" },
            "target": { "id": "t", "type": "doc" }, "source_ip": "203.0.113.9", "fields": { "k": "v=1" } })
}

#[track_caller]
fn refused(reply: &Reply, status: u16, says: &str) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    let body = reply.json();
    assert_eq!(body["status"], status);
    assert!(body["error"].as_str().unwrap().contains(says), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_gets_the_receipt_that_its_client_computes() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for (path, authorization) in [
        (format!("{BASE}/event"), format!("token={key}")),
        ("/publisher/v1/project/production/event".into(), format!("Token token={key}")),
        ("/v1/project/production/event".into(), format!("token={key}")),
    ] {
        let reply = post(&app, &path, &authorization, &event("a.b")).await;
        let receipt = reply.ok(201);
        let id = receipt["id"].as_str().unwrap();
        let preimage = format!("{id}:a.b:t:u:acme:203.0.113.9:0:0:k=v%3D1;");
        let expected: String =
            Sha256::digest(preimage).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(receipt["hash"], expected.as_str());
        assert_eq!(reply.headers["attestary-event-id"], id);
    }
    let events = app.events("acme", &key).await;
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["metadata"], json!({ "k": "v=1" }));
    assert_eq!(events[0]["source"]["fields"]["crud"], "u");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_request_keeps_its_order_and_is_taken_whole_or_not_at_all() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let token = format!("token={key}");
    let events: Vec<Value> = (0..50).map(|number| event(&format!("a.{number}"))).collect();
    let path = format!("{BASE}/event/bulk");
    let receipts = post(&app, &path, &token, &json!({ "events": events })).await.ok(201);
    let stored = app.events("acme", &key).await;
    for (receipt, event) in receipts.as_array().unwrap().iter().zip(&stored) {
        assert_eq!(receipt["id"], event["id"]);
    }
    let mut bad = events.clone();
    bad[7] = json!({ "crud": "c" });
    let reply = post(&app, &path, &token, &json!({ "events": bad })).await;
    refused(&reply, 400, "events[7].action");
    assert_eq!(reply.json()["invalid"][0]["index"], 7);
    for body in [json!({}), json!({ "events": 1 }), json!({ "events": {} }), json!([])] {
        refused(&post(&app, &path, &token, &body).await, 400, "events");
    }
    assert_eq!(app.events("acme", &key).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_protocols_shape() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let token = format!("token={key}");
    let path = format!("{BASE}/event");
    let mut without = event("x");
    without["group"] = Value::Null;
    refused(&post(&app, &path, &token, &without).await, 400, "tenant");
    let mut unknown = event("x");
    unknown["colour"] = "red".into();
    refused(&post(&app, &path, &token, &unknown).await, 400, "colour");
    refused(&post(&app, &path, "token=wrong", &event("x")).await, 401, "key");
    refused(&post(&app, &path, "", &event("x")).await, 401, "key");
    refused(
        &post(&app, "/auditlog/publisher/v1/project/other/event", &token, &event("x")).await,
        404,
        "nothing",
    );
    app.get("/v1/events?tenant=acme", &key).await.problem("not-found", 404);
    // A key of one tenant needs no group.
    let one = app.key(&ALL, Some(&["solo"])).await;
    post(&app, &path, &format!("token={one}"), &without).await.ok(201);
    assert_eq!(app.events("solo", &one).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_page_backwards_to_the_end() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, Some(&["acme"])).await;
    let token = format!("Token token={key}");
    let events: Vec<Value> = (0..25).map(|number| event(&format!("a.{number}"))).collect();
    post(&app, &format!("{BASE}/event/bulk"), &token, &json!({ "events": events })).await.ok(201);
    post(&app, &format!("{BASE}/event"), &token, &event("b.other")).await.ok(201);
    let path = format!("{BASE}/graphql");
    let ask = async |query: &str, last: usize, before: &str| {
        let body = json!({ "query": "query { search { totalCount } }", "variables": { "query": query, "last": last, "before": before } });
        post(&app, &path, &token, &body).await.ok(200)["data"]["search"].clone()
    };
    let (mut before, mut seen, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let page = ask(r#"action:"a.*" crud:c,u"#, 10, &before).await;
        assert_eq!(page["totalCount"], 25);
        let edges = page["edges"].as_array().unwrap();
        seen.extend(edges.iter().map(|edge| edge["node"]["action"].as_str().unwrap().to_owned()));
        pages += 1;
        if page["pageInfo"]["hasPreviousPage"] == false {
            break;
        }
        before = edges.last().unwrap()["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(pages, 3, "the last page says that it is the last");
    assert_eq!(seen, (0..25).rev().map(|number| format!("a.{number}")).collect::<Vec<_>>());
    let node = &ask("actor.id:u target.type:doc", 1, "").await["edges"][0]["node"];
    assert_eq!(node["group"], json!({ "id": "acme", "name": "Acme" }));
    assert_eq!(node["fields"], json!([{ "key": "k", "value": "v=1" }]));
    assert_eq!(ask("created:2099-01-01T00:00:00Z, actor.id:u", 5, "").await["totalCount"], 0);

    let wrong = async |query: &str, before: &str| {
        let body = json!({ "variables": { "query": query, "last": 1, "before": before } });
        let reply = post(&app, &path, &token, &body).await;
        assert_eq!(reply.status.as_u16(), 400, "{}", reply.text());
        reply.json()["errors"][0]["message"].as_str().unwrap().to_owned()
    };
    assert!(wrong("toic:1", "").await.contains("toic"));
    assert!(wrong("", "nonsense").await.contains("cursor"));
    let stranger = post(&app, &path, "Token token=x", &json!({})).await;
    assert_eq!(stranger.status.as_u16(), 401);
    assert!(stranger.json().get("errors").is_none(), "a viewer must see that its token ended");
}

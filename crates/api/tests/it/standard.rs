//! Doors for standard forms.

use serde_json::{Value, json};

use crate::app::{ALL, TestApp, send};

fn cloudevent(id: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/app", "type": "doc.read", "tenant": "acme",
            "subject": "doc_1", "actorid": "u", "time": "2026-11-22T00:39:11Z", "data": { "k": 1 } })
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudevents_come_structured_in_batches_and_binary_and_once() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let path = "/ingest/cloudevents";
    let one = "application/cloudevents+json";
    app.post_text(path, &key, one, cloudevent("1").to_string()).await.ok(200);
    let batch = json!([cloudevent("1"), cloudevent("2")]).to_string();
    let done = app.post_text(path, &key, "application/cloudevents-batch+json", batch).await.ok(200);
    assert_eq!([&done["accepted"], &done["duplicates"]], [1, 1], "source and id identify");
    let request = app.request("POST", path, &key).header("content-type", "application/json");
    let request =
        request.header("ce-specversion", "1.0").header("ce-id", "3").header("ce-source", "/app");
    let request = request
        .header("ce-type", "doc.read")
        .header("ce-tenant", "acme")
        .header("ce-subject", "doc_1");
    let reply = send(request.header("ce-actorid", "u").body(r#"{"k":1}"#)).await;
    assert_eq!(reply.ok(200)["accepted"], 1);
    let events = app.events("acme", &key).await;
    assert_eq!(events.len(), 3);
    for event in &events {
        assert_eq!([&event["action"], &event["actor"]["id"]], ["doc.read", "u"]);
        assert_eq!(event["targets"][0]["id"], "doc_1");
        assert_eq!(event["metadata"], json!({ "k": 1 }));
    }
    let bad = json!([cloudevent("4"), { "specversion": "1.0" }]).to_string();
    let problem = app.post_text(path, &key, one, bad).await.problem("invalid-event", 400);
    assert_eq!(problem["errors"][0]["index"], 1);
    app.post_text(path, &key, "text/html", "x").await.problem("unsupported-media-type", 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubernetes_webhook_is_taken_once() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, Some(&["cluster"])).await;
    let event = |stage: &str| {
        json!({ "auditID": "a", "stage": stage, "verb": "delete", "user": { "username": "alice" },
        "objectRef": { "resource": "pods", "namespace": "default", "name": "p" }, "sourceIPs": ["203.0.113.9"],
        "stageTimestamp": "2026-11-22T00:39:11.123456Z", "responseStatus": { "code": 200 } })
    };
    let list = json!({ "kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event("RequestReceived"), event("ResponseComplete")] });
    for accepted in [2, 0] {
        let done = app.post("/ingest/kubernetes?timeout=30s", &key, &list).await.ok(200);
        assert_eq!(done["accepted"], accepted, "the API server sends again what it is not sure of");
    }
    let events = app.events("cluster", &key).await;
    assert_eq!(events[1]["action"], "kubernetes.pods.delete");
    assert_eq!(events[1]["outcome"], "success");
    app.post("/ingest/kubernetes", &key, &json!({ "kind": "Pod" }))
        .await
        .problem("invalid-event", 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_json_follow_a_map() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let map = r#"{"fields":{"action":"/what","actor.id":"/who","tenant":"/org","occurred_at":"/at","id":"/n"}}"#;
    let url = reqwest::Url::parse_with_params("http://x/ingest/ndjson", [("map", map)]).unwrap();
    let path = format!("{}?{}", url.path(), url.query().unwrap());
    let lines = "{\"what\":\"a.b\",\"who\":\"u\",\"org\":\"acme\",\"at\":1795307951,\"n\":1,\"x\":2}\n\
                 {\"what\":\"c.d\",\"who\":\"v\",\"org\":\"acme\",\"at\":\"2026-11-22T00:39:11\",\"n\":2}\n";
    for accepted in [2, 0] {
        let done = app.post_text(&path, &key, "application/x-ndjson", lines).await.ok(200);
        assert_eq!(done["accepted"], accepted);
    }
    let events = app.events("acme", &key).await;
    assert_eq!(
        [&events[0]["occurred_at"], &events[1]["occurred_at"]],
        ["2026-11-22T00:39:11.000Z"; 2]
    );
    assert_eq!(events[0]["metadata"], json!({ "x": 2 }));
    let bad = app.post_text(&path, &key, "application/x-ndjson", "{\"who\":\"u\"}\n").await;
    bad.problem("invalid-event", 400);
    for query in ["", "?map=%7B%7D", "?map=x"] {
        let reply = app
            .post_text(&format!("/ingest/ndjson{query}"), &key, "application/x-ndjson", lines)
            .await;
        reply.problem("invalid-query", 400);
    }
}

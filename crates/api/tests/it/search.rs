//! Reading: pages, order, cursors, filters, times.

use serde_json::{Value, json};

use crate::app::{ALL, TestApp, event, id};

async fn fill(app: &TestApp, key: &str, count: u64) {
    let events: Vec<Value> = (1..=count)
        .map(|n| {
            let mut event = event("acme", if n % 2 == 0 { "user.login" } else { "user.logout" });
            event["id"] = json!(id(n));
            event["occurred_at"] = json!(format!("2026-01-01T00:00:{n:02}Z"));
            event["actor"]["id"] = json!(format!("u{}", n % 3));
            event
        })
        .collect();
    app.post("/v1/events", key, &json!(events)).await.ok(201);
}

fn seqs(page: &Value) -> Vec<u64> {
    page["data"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// Follows the cursors to the end and returns the seqs of each page.
async fn pages(app: &TestApp, key: &str, query: &str) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app.get(&format!("/v1/events?tenant=acme&{query}{cursor}"), key).await.ok(200);
        pages.push(seqs(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
        assert!(pages.len() < 50, "the cursors do not end");
    }
}

// seeds: WO-02
#[tokio::test(flavor = "multi_thread")]
async fn pages_are_newest_first_and_end() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 9).await;
    let found = pages(&app, &key, "limit=4").await;
    assert_eq!(found.concat(), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(found[0].len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ascending_cursor_stays_valid_at_the_end() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 5).await;
    assert_eq!(pages(&app, &key, "order=asc&limit=4").await.concat(), [0, 1, 2, 3, 4, 5]);
    let last = app.get("/v1/events?tenant=acme&order=asc&limit=1000", &key).await.ok(200);
    let next = format!(
        "/v1/events?tenant=acme&order=asc&limit=1000&cursor={}",
        last["next_cursor"].as_str().unwrap()
    );
    let nothing_yet = app.get(&next, &key).await.ok(200);
    assert_eq!((seqs(&nothing_yet), &nothing_yet["next_cursor"]), (vec![], &Value::Null));
    app.post("/v1/events", &key, &event("acme", "later")).await.ok(201);
    assert_eq!(seqs(&app.get(&next, &key).await.ok(200)), [6]);
}

// seeds: IC-03 IC-04 WO-04 FO-20
#[tokio::test(flavor = "multi_thread")]
async fn filters_and_times_select() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 9).await;
    for (query, expected) in [
        ("filter=action%3Auser.login", vec![8, 6, 4, 2]),
        ("filter=actor.id%3Au0%20action%3Auser.login", vec![6]),
        ("from=2026-01-01T00:00:03Z&to=2026-01-01T00:00:06Z", vec![5, 4, 3]),
        ("from=2026-01-01T01:00:08%2B01:00&to=2026-02-01T00:00:00Z", vec![9, 8]),
        ("filter=action%3Anothing", vec![]),
    ] {
        let page = app.get(&format!("/v1/events?tenant=acme&{query}"), &key).await.ok(200);
        assert_eq!(seqs(&page), expected, "{query}");
    }
    assert_eq!(
        pages(&app, &key, "limit=1&filter=action%3Auser.login").await.concat(),
        [8, 6, 4, 2]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_belongs_to_its_search() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, 9).await;
    app.post("/v1/events", &key, &event("other", "a.b")).await.ok(201);
    let page = app.get("/v1/events?tenant=acme&limit=2", &key).await.ok(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let get = |query: String| {
        let (app, key) = (&app, &key);
        async move { app.get(&format!("/v1/events?{query}"), key).await }
    };
    get(format!("tenant=acme&limit=5&cursor={cursor}")).await.ok(200);
    get(format!("tenant=other&cursor={cursor}")).await.problem("invalid-cursor", 400);
    get(format!("tenant=acme&order=asc&cursor={cursor}")).await.problem("invalid-cursor", 400);
    get(format!("tenant=acme&filter=a&cursor={cursor}")).await.problem("invalid-cursor", 400);
    let mut changed = cursor.to_owned();
    let last = if changed.pop() == Some('A') { 'Q' } else { 'A' };
    changed.push(last);
    get(format!("tenant=acme&cursor={changed}")).await.problem("invalid-cursor", 400);
}

// seeds: WO-01 WO-07
#[tokio::test(flavor = "multi_thread")]
async fn an_event_comes_back_as_it_was_given() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let given = json!({
        "id": id(1), "tenant": "Ünïcode/tenant 7", "action": "Document.Exported", "occurred_at": "2026-01-01T00:00:00.5Z",
        "actor": { "type": "user", "id": "u1", "name": "Ana \"quoted\" \u{2028}", "groups": ["a", "b"] },
        "targets": [{ "type": "document", "id": "d1", "name": "Plan" }],
        "context": { "ip": "2001:db8::1", "user_agent": "x" },
        "outcome": "denied", "reason": "no", "severity": 7, "labels": ["l"],
        "changes": [{ "field": "f", "old": 1, "new": null }],
        "metadata": { "nested": { "n": 1 } }
    });
    let receipt = app.post("/v1/events", &key, &given).await.ok(201);
    let path = format!("/v1/events/{}?tenant=%C3%9Cn%C3%AFcode%2Ftenant%207", id(1));
    let event = app.get(&path, &key).await.ok(200);
    for (member, value) in given.as_object().unwrap() {
        if member != "occurred_at" {
            assert_eq!(&event[member], value, "{member}");
        }
    }
    assert_eq!(event["environment"], "production");
    for member in ["seq", "received_at", "leaf_hash"] {
        assert_eq!(event[member], receipt[member], "{member}");
    }
    app.get(&format!("/v1/events/{}?tenant=%C3%9Cn%C3%AFcode%2Ftenant%207", id(2)), &key)
        .await
        .problem("not-found", 404);
    // Number tokens are exact.
    let text = format!(
        r#"{{"id":"{}","tenant":"n","action":"a","actor":{{"id":"u"}},"metadata":{{"n":1.10,"e":1e400,"big":123456789012345678901234567890}}}}"#,
        id(3)
    );
    app.post_text("/v1/events", &key, "application/json", text).await.ok(201);
    let text = app.get(&format!("/v1/events/{}?tenant=n", id(3)), &key).await.text();
    assert!(text.contains(r#""n":1.10,"e":1e400,"big":123456789012345678901234567890"#), "{text}");
}

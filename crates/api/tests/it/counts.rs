//! Counts: buckets of time, values of fields, refusals, whose events are counted, the trail they leave.

use attestary_service::Scope;
use serde_json::{Value, json};

use crate::app::{ALL, TestApp, event};

/// Ninety events of January 2026, one a minute; every third is denied, by another actor.
async fn fill(app: &TestApp, key: &str, tenant: &str) {
    let events: Vec<Value> = (0..90)
        .map(|n| {
            let denied = n % 3 == 0;
            let mut event = event(tenant, if denied { "user.login" } else { "document.read" });
            event["occurred_at"] = json!(format!("2026-01-01T{:02}:{:02}:00Z", 10 + n / 60, n % 60));
            event["outcome"] = json!(if denied { "denied" } else { "success" });
            event["actor"]["id"] = json!(format!("u{}", n % 9));
            event["targets"] = json!([{ "type": "doc", "id": "d1" }, { "type": "doc", "id": format!("d{}", n % 2) }]);
            if denied {
                event["metadata"] = json!({ "plan": "pro", "n": n });
            }
            event
        })
        .collect();
    app.post("/v1/events", key, &json!(events)).await.ok(201);
}

async fn started() -> (TestApp, String) {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    fill(&app, &key, "acme").await;
    (app, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_have_round_lengths_and_all_outcomes() {
    let (app, key) = started().await;
    let day = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    for _ in 0..2 {
        let get = |query: String| {
            let (app, key) = (&app, &key);
            async move {
                app.get(&format!("/v1/events/histogram?tenant=acme&{query}"), key).await.ok(200)
            }
        };
        let hours = get(format!("{day}&interval=1h")).await;
        assert_eq!(hours["data"].as_array().unwrap().len(), 24);
        assert_eq!(
            hours["data"][0],
            json!({ "start": "2026-01-01T00:00:00.000Z", "success": 0, "failure": 0, "denied": 0, "unknown": 0 })
        );
        assert_eq!(
            hours["data"][10],
            json!({ "start": "2026-01-01T10:00:00.000Z", "success": 40, "failure": 0, "denied": 20, "unknown": 0 })
        );
        assert_eq!(hours["data"][11]["denied"], 10);
        assert_eq!((&hours["events"], &hours["interval_ms"]), (&json!(90), &json!(3_600_000)));
        assert_eq!((&hours["complete"], &hours["complete_from"]), (&json!(true), &Value::Null));
        let default = get(day.to_owned()).await;
        assert_eq!(
            (&default["interval_ms"], &default["data"][47]["start"]),
            (&json!(1_800_000), &json!("2026-01-01T23:30:00.000Z"))
        );
        let two_hours = "from=2026-01-01T10:00:00Z&to=2026-01-01T12:00:00Z&buckets=2";
        // Columns decide the first, bodies the second.
        for filter in ["actor.id%3Au0", "metadata.plan%3Apro%20actor.id%3Au0"] {
            let some = get(format!("filter={filter}&{two_hours}")).await;
            assert_eq!((&some["events"], &some["data"][0]["denied"]), (&json!(10), &json!(7)));
            // Without times, the axis reaches over everything that may match.
            let all = get(format!("filter={filter}&buckets=9")).await;
            assert_eq!(all["events"], 10);
            assert!(all["data"].as_array().unwrap().len() <= 9);
        }
        let nothing = get("filter=seq%3C0".to_owned()).await;
        assert_eq!((&nothing["data"], &nothing["interval_ms"]), (&json!([]), &Value::Null));
        app.service.store().seal().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn facets_list_the_most_frequent_values() {
    let (app, key) = started().await;
    for _ in 0..2 {
        let get = |query: &'static str| {
            let (app, key) = (&app, &key);
            async move { app.get(&format!("/v1/events/facets?tenant=acme&{query}"), key).await.ok(200) }
        };
        let found = get("fields=action,target.id,severity&limit=2&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z").await;
        assert_eq!((&found["events"], &found["complete"]), (&json!(90), &json!(true)));
        let [action, target, severity] = found["data"].as_array().unwrap().as_slice() else {
            panic!("{found}")
        };
        assert_eq!(
            *action,
            json!({
                "field": "action", "other": 0, "missing": 0, "distinct": 2, "capped": false,
                "values": [{ "value": "document.read", "count": 60 }, { "value": "user.login", "count": 30 }]
            })
        );
        // Two targets with the same id are one event.
        assert_eq!(
            target["values"],
            json!([{ "value": "d1", "count": 90 }, { "value": "d0", "count": 45 }])
        );
        assert_eq!(severity["values"].as_array().unwrap().len(), 2);
        // A field that only bodies hold, numbers as their text, the rest in `other`.
        let found = get("fields=metadata.n,metadata.plan&limit=1&filter=actor.id%3Au*").await;
        assert_eq!(
            found["data"][0],
            json!({
                "field": "metadata.n", "values": [{ "value": "0", "count": 1 }], "other": 29, "missing": 60, "distinct": 30, "capped": false
            })
        );
        assert_eq!(found["data"][1]["values"], json!([{ "value": "pro", "count": 30 }]));
        let found = get("fields=outcome&filter=outcome%3Adenied%20-actor.id%3Au3").await;
        assert_eq!(found["data"][0]["values"], json!([{ "value": "denied", "count": 20 }]));
        app.service.store().seal().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_named() {
    let (app, key) = started().await;
    let day = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    let (every, lists) = (format!("histogram?{day}&"), "facets?");
    for (path, pointer, names) in [
        (format!("{every}interval=1x"), "/interval", "15m"),
        (format!("{every}interval=0s"), "/interval", "not 0"),
        (format!("{every}interval=1s"), "/interval", "86400 buckets are needed; the limit is 500"),
        (format!("{every}buckets=501"), "/buckets", "from 2 to 500"),
        (format!("{every}buckets=1"), "/buckets", "from 2 to 500"),
        (format!("{every}buckets=9&interval=1h"), "/interval", "together"),
        (format!("{every}fields=action"), "/fields", "no parameter"),
        ("histogram?from=yesterday".to_owned(), "/from", "offset"),
        (lists.to_owned(), "/fields", "required"),
        (format!("{lists}fields="), "/fields", "names \"\""),
        (format!("{lists}fields=action,,outcome"), "/fields", "names \"\""),
        (
            format!("{lists}fields=actr.id"),
            "/fields",
            "names \"actr.id\": no event has such a field",
        ),
        (format!("{lists}fields=seq"), "/fields", "no fields to count by"),
        (format!("{lists}fields=occurred_at"), "/fields", "no fields to count by"),
        (format!("{lists}fields=action,action"), "/fields", "more than once"),
        (
            format!("{lists}fields=a,b,c,d,e,f,g,h,i,j,k"),
            "/fields",
            "at most 10 paths; this one has 11",
        ),
        (format!("{lists}fields=action&limit=101"), "/limit", "from 1 to 100"),
    ] {
        let reply = app.get(&format!("/v1/events/{path}&tenant=acme"), &key).await;
        let problem = reply.problem("invalid-query", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}");
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(names), "{path}: {detail}");
    }
    for path in ["histogram?", "facets?fields=action&", "tail?"] {
        let reply = app.get(&format!("/v1/events/{path}tenant=acme&filter=a%3A"), &key).await;
        assert_eq!(reply.problem("invalid-filter", 400)["offset"], 2, "{path}");
        app.get(&format!("/v1/events/{path}"), &key).await.problem("tenant-required", 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_tenants_own_events_are_counted() {
    let (app, key) = started().await;
    app.post("/v1/events", &key, &event("other", "secret.act")).await.ok(201);
    let other = app.key(&[Scope::Read], Some(&["other"])).await;
    let found = app.get("/v1/events/facets?fields=action&filter=-seq%3A0", &other).await.ok(200);
    assert_eq!(found["data"][0]["values"], json!([{ "value": "secret.act", "count": 1 }]));
    let found = app.get("/v1/events/histogram?filter=-seq%3A0", &other).await.ok(200);
    assert_eq!(found["events"], 1);
    let found = app.get("/v1/events/facets?tenant=acme&fields=action", &key).await.ok(200);
    assert!(!found.to_string().contains("secret"));
    for path in [
        "histogram?tenant=acme",
        "facets?tenant=acme&fields=action",
        "tail?tenant=acme",
        "tail?tenant=_audit",
    ] {
        app.get(&format!("/v1/events/{path}"), &other).await.problem("not-found", 404);
    }
    let ingest = app.key(&[Scope::Ingest], None).await;
    for path in ["histogram?tenant=acme", "facets?tenant=acme&fields=action", "tail?tenant=acme"] {
        app.get(&format!("/v1/events/{path}"), &ingest).await.problem("scope-required", 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_leave_a_trail_and_are_refused_without_one() {
    let (app, key) = started().await;
    app.get("/v1/events/histogram?tenant=acme&filter=outcome%3Adenied", &key).await.ok(200);
    app.get("/v1/events/facets?tenant=acme&fields=action,outcome&to=2026-02-01T00:00:00Z", &key)
        .await
        .ok(200);
    let trail = app.events("_audit", &key).await;
    let [.., histogram, facets] = trail.as_slice() else { panic!("{trail:?}") };
    assert_eq!(histogram["action"], "attestary.view");
    assert_eq!(histogram["targets"], json!([{ "type": "tenant", "id": "acme" }]));
    assert_eq!(
        histogram["metadata"],
        json!({ "operation": "events.histogram", "filter": "outcome:denied", "result_count": 30 })
    );
    assert_eq!(
        facets["metadata"],
        json!({
            "operation": "events.facets", "filter": "", "to": "2026-02-01T00:00:00.000Z",
            "fields": ["action", "outcome"], "result_count": 90
        })
    );
    app.service.store().close().await;
    for path in ["histogram?", "facets?fields=action&", "tail?"] {
        let reply = app.get(&format!("/v1/events/{path}tenant=acme"), &key).await;
        assert_eq!(reply.status.as_u16(), 503, "{path}: {}", reply.text());
    }
}
